"""Convert messages to text by the model file's Jinja template, with what users typed kept apart.

The template is rendered with a marker in place of each message's content. So the caller can tokenise the template's
own text with control tokens and the contents without: ``<|im_end|>`` typed into a form stays eight harmless letters.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, NoReturn

from jinja2 import Template, TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from copilot.i18n import N_
from copilot.llm.base import EngineError, Message
from copilot.text import normalise_line

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
#: Characters that are quoted of a template's error.
LONGEST_REASON = 200
_MARKER = re.compile("\ue000([0-9]+)\ue001")


class PromptPiece(NamedTuple):
    """A part of the prompt: from the template, where ``control`` tokens count, or from a message."""

    text: str
    control: bool


def render(template: str, messages: Sequence[Message], boundary_texts: dict[str, str]) -> list[PromptPiece]:
    """Render the prompt up to where the assistant begins to write.

    Args:
        template: Jinja, as under ``tokenizer.chat_template``; empty means ChatML.
        messages: the chat so far.
        boundary_texts: values of ``bos_token`` and ``eos_token``.

    Raises:
        EngineError: the template is broken or refuses these roles.
    """
    variables = {"add_generation_prompt": True, **boundary_texts}
    marked = [{"role": m["role"], "content": f"\ue000{i}\ue001"} for i, m in enumerate(messages)]
    try:
        try:
            text = _compile(template or CHATML).render(messages=marked, **variables)
        except TemplateError:  # many models refuse a system message
            text = _compile(template or CHATML).render(messages=_merge_system_message(marked), **variables)
        parts = _MARKER.split(text)  # template, number, template, number, ..., template
        pieces = [
            PromptPiece(messages[int(p)]["content"], False) if i % 2 else PromptPiece(p, True)
            for i, p in enumerate(parts)
        ]
    except Exception as error:  # a template is a program from a file: it may divide by zero or recurse without end
        reason = normalise_line(str(error))[:LONGEST_REASON] or type(error).__name__
        raise EngineError(
            N_("The model's chat template cannot be used ({reason}); choose another model.", reason=reason)
        ) from error
    return [piece for piece in pieces if piece.text]


def _merge_system_message(marked: list[dict[str, str]]) -> list[dict[str, str]]:
    """Put the system message at the beginning of the user's first."""
    if [m["role"] for m in marked[:2]] != ["system", "user"]:
        return marked
    system, user, *rest = marked
    return [{"role": "user", "content": f"{system['content']}\n\n{user['content']}"}, *rest]


@lru_cache(maxsize=4)
def _compile(template: str) -> Template:
    """Compile a template with the functions that Hugging Face's templates use."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.globals["raise_exception"] = _raise_template_error
    environment.globals["strftime_now"] = lambda layout: datetime.now().strftime(layout)
    return environment.from_string(template)


def _raise_template_error(message: str) -> NoReturn:
    raise TemplateError(message)
