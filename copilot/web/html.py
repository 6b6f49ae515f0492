"""Render the page's HTML from the templates in ``templates/``, which escape all text from outside.

In a template ``_("...")`` marks a sentence of its own, as ``N_("...")`` does in Python, and translates it;
``translate(text)`` translates a message that it was given, and leaves any other text as it is.
"""

import base64
import logging
import traceback
from pathlib import Path
from typing import Any, Literal

import gradio as gr
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from copilot.errors import CopilotError
from copilot.i18n import N_, Translator, messages
from copilot.i18n.terms import term

FAILED = N_("Something went wrong inside the copilot. Nothing was kept; please try again or try another file.")

log = logging.getLogger(__name__)


def format_percent(share: float) -> str:
    """Return a share of 1 in whole percent."""
    if 0 < share < 0.005:
        return "< 1 %"
    return f"{100 * share:.0f} %"


def format_time(at: str) -> str:
    """Return an ISO 8601 time in UTC for people: ``2026-03-01 10:30 UTC``."""
    return f"{at[:10]} {at[11:16]} UTC"


ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
ENVIRONMENT.globals |= {"messages": messages, "term": term}
ENVIRONMENT.filters |= {
    "percent": format_percent,
    "time": format_time,
    "base64": lambda content: base64.b64encode(content).decode(),
}


def render(template: str, translate: Translator, **values: Any) -> str:
    """Return the HTML of a template.

    Args:
        template: its file's name without ``.html.j2``.
        translate: into the visitor's language.
        values: what the template shows.
    """

    def translate_own(text: str, **fields: Any) -> str:
        return translate(N_(text), **fields)

    return ENVIRONMENT.get_template(f"{template}.html.j2").render(translate=translate, _=translate_own, **values)


Kind = Literal["problem", "urgent", "good-news", "outdated", "status", "said", "quiet", "notice-line"]


def message(kind: Kind, sentence: str) -> str:
    """Return one sentence in the visitor's language, announced to screen readers where its kind needs that.

    Args:
        kind: ``problem``, an error; ``urgent``, the fixed safety text; ``good-news``, something succeeded;
            ``outdated``, the form has changed since the result (see ``static/page.js``); ``status``, what is being
            waited for; ``said``, a card in place of the stages; ``quiet``, small and grey; ``notice-line``, always in
            view.
        sentence: the text; an empty ``status`` is nothing.
    """
    return ENVIRONMENT.get_template("message.html.j2").render(kind=kind, sentence=sentence)


def heading(title: str, step: int | None = None) -> gr.HTML:
    """Add a card's title, with the number of its step if it has one."""
    return show(ENVIRONMENT.get_template("heading.html.j2").render(title=title, step=step))


def show(value: str = "", **options: Any) -> gr.HTML:
    """Add HTML without Gradio's default style: our style sheet is enough."""
    return gr.HTML(value, apply_default_css=False, **options)


def explain(translate: Translator, error: Exception, unforeseen: str = FAILED) -> str:
    """Return one plain sentence about an error; the log gets no message, since that could quote the person.

    Args:
        translate: into the visitor's language.
        error: what was raised.
        unforeseen: the sentence for an error that is no ``CopilotError``.
    """
    if isinstance(error, CopilotError):
        return translate(error.args[0])
    frame = traceback.extract_tb(error.__traceback__)[-1]
    log.error("%s at %s:%s", type(error).__name__, frame.filename, frame.lineno)
    return translate(unforeseen)
