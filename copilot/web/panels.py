"""Render the page's frame and messages as HTML: masthead, headings, stages. Text from outside is escaped here.

A function with its own sentences takes a ``Translator`` first; others expect text in the visitor's language.
"""

from collections.abc import Iterable, Mapping
from html import escape

from copilot import NOTICE
from copilot.i18n import LANGUAGES, N_, Translator
from copilot.i18n import messages as shared_messages
from copilot.pipeline import STAGES

TAGLINE = N_("From an EEG and a few words to an uncertain emotion, a careful assessment and a draft record.")
EMPTY = N_("Your reading appears here")
EMPTY_STEPS = (
    (
        N_("The signal"),
        N_("drawn and judged before any AI text"),
    ),
    (
        N_("Nine emotions"),
        N_("as probabilities, with their uncertainty"),
    ),
    (
        N_("An assessment"),
        N_("that you can ask about"),
    ),
    (
        N_("A draft record"),
        N_("to review, sign and download"),
    ),
)
OUTDATED = N_("The form has changed since this reading. Press Analyse for a reading of what it says now.")
SWITCH = N_("Language")


_WAVE = "M2 12h3l2-6 3 12 3-9 2 5 2-2h5"


def notice(translate: Translator) -> str:
    """Return the line that is always in view."""
    return f'<div class="notice-line" role="note">{escape(translate(NOTICE))}</div>'


def language_switch(translate: Translator, addresses: Mapping[str, str]) -> str:
    """Return links to the same page in other languages.

    Args:
        translate: into the language of this page.
        addresses: of the page in each language.
    """
    links = "".join(
        f'<a href="{escape(address)}" lang="{code}" aria-current="{str(code == translate.language).lower()}">'
        f"{escape(LANGUAGES[code])}</a>"
        for code, address in addresses.items()
    )
    return f'<nav class="switch" aria-label="{escape(translate(SWITCH))}">{links}</nav>'


def masthead(translate: Translator, model: str, where: str, switch: str = "") -> str:
    """Return name, purpose, which model runs where, and the links to other languages.

    Args:
        translate: into the visitor's language.
        model: its name.
        where: who gets the data.
        switch: HTML of ``language_switch``.
    """
    return (
        '<header class="masthead"><svg viewBox="0 0 24 24" aria-hidden="true"><rect width="24" height="24" rx="6" '
        f'fill="var(--accent)"/><path d="{_WAVE}" fill="none" stroke="var(--card)" stroke-width="1.6" '
        f'stroke-linejoin="round" stroke-linecap="round"/></svg>'
        f"<div><h1>{escape(translate(shared_messages.TITLE))}</h1>"
        f"<p>{escape(translate(TAGLINE))}</p></div>"
        f'<div class="badge">{escape(translate(shared_messages.MODEL))}: <b>{escape(model)}</b>'
        f"<br>{escape(where)}</div>"
        f"{switch}</header>"
    )


def heading(text: str, number: int | None = None) -> str:
    """Return a card's title, with the number of its step if it has one."""
    step = f'<span class="step" aria-hidden="true">{number}</span>' if number else ""
    return f"<h2>{step}{escape(text)}</h2>"


def subheading(text: str) -> str:
    """Return a title inside a card."""
    return f"<h3>{escape(text)}</h3>"


def empty_state(translate: Translator) -> str:
    """Return what is shown before there is a result."""
    steps = "".join(
        f"<li><b>{escape(translate(title))}</b> {escape(translate(what))}</li>" for title, what in EMPTY_STEPS
    )
    fast, sharp, slow = "q5-24 10 0t10 0" * 5, "l6-22 8 42 8-34 6 14", "q8-26 16 0t16 0" * 4
    wave = f"M0 30{fast}{sharp}{slow}"
    return (
        f'<div class="empty"><svg viewBox="0 0 252 60" aria-hidden="true"><path d="{wave}" fill="none" '
        f'stroke="currentColor" stroke-width="1.5"/></svg><h2>{escape(translate(EMPTY))}</h2><ul>{steps}</ul></div>'
    )


def problem(sentence: str) -> str:
    """Return one plain sentence about an error, announced to screen readers."""
    return f'<div class="problem" role="alert">{escape(sentence)}</div>'


def outdated_notice(translate: Translator) -> str:
    """Return the sentence above a result whose form has changed since (see ``scripts.build_head``)."""
    return f'<div class="outdated" role="status">{escape(translate(OUTDATED))}</div>'


def confirmation(sentence: str) -> str:
    """Return a sentence that something succeeded."""
    return f'<div class="good-news" role="status">{escape(sentence)}</div>'


def quiet_text(sentence: str) -> str:
    """Return a sentence in small, grey type."""
    return f'<div class="quiet">{escape(sentence)}</div>'


def urgent_text(text: str) -> str:
    """Return the fixed safety text, in the most visible place."""
    return f'<div class="urgent" role="alert">{escape(text)}</div>'


def stages(
    translate: Translator,
    waiting: str,
    progress: Mapping[str, float | None],
    estimates: Mapping[str, float],
    detail: str = "",
) -> str:
    """Return the five stages.

    Args:
        translate: into the visitor's language.
        waiting: what is being waited for, if anything.
        progress: share done of each stage that has begun, 0 to 1; None if only the estimate is known.
        estimates: seconds of each stage that has begun.
        detail: what the last stage is doing now.
    """
    items = (_stage_item(translate, name, progress, estimates.get(name), detail) for name in STAGES)
    return f'<div class="card">{status(waiting)}<ol class="stages">{"".join(items)}</ol></div>'


def status(sentence: str) -> str:
    """Return a sentence about what is being waited for, announced politely to screen readers."""
    return f'<p class="status" role="status">{escape(sentence)}</p>' if sentence else ""


def _stage_item(
    translate: Translator, name: str, progress: Mapping[str, float | None], estimate: float | None, detail: str
) -> str:
    title = escape(translate(STAGES[name]))
    if name not in progress:
        return f'<li><div class="track"></div>{title}</li>'
    share = progress[name]
    if share == 1:
        return f'<li class="done"><div class="track"><i></i></div>{title} ✓</li>'
    about = translate(N_("about {seconds} s"), seconds=max(1, round(estimate or 1)))
    bar = (
        f'<div class="track"><i style="width:{100 * share:.0f}%"></i></div>'
        if share is not None
        else (f'<div class="track guess"><i style="animation-duration:{estimate or 1:.1f}s"></i></div>')
    )
    text = escape(detail or about)
    return f'<li class="now" aria-current="step">{bar}{title}<small>{text}</small></li>'


def message_card(sentence: str) -> str:
    """Return a sentence in place of the stages."""
    return f'<div class="card quiet said" role="status">{escape(sentence)}</div>'


def sentences(lines: Iterable[str]) -> str:
    """Return a plain list, each sentence once."""
    items = (f"<li>{escape(line)}</li>" for line in dict.fromkeys(lines))
    return f'<ul class="plain-list">{"".join(items)}</ul>'
