r"""Write a model's chat template as a Go template for Ollama, learned from the text that the Jinja template renders.

Jinja can express more than Go's text/template. But most chat templates are *turn-wise*: the text between two messages
depends only on the two roles. So each order of up to four roles is rendered with marked contents, and the texts between
the marks are collected in a table: ``start-user`` -> ``<|im_start|>user\n``, and so on. A beginning of text, a system
message that the template adds by itself and another name for a role are thus part of these texts. The table is used
only if it renders every one of those chats, and ten real conversations, exactly as the Jinja template does.

The input of a template in Ollama (``.Messages`` with ``.Role`` and ``.Content``, neighbours of one role merged):
https://docs.ollama.com/template and https://github.com/ollama/ollama/blob/main/template/template.go.
The language: https://pkg.go.dev/text/template.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise, product
from typing import Literal

from convert.files import ConvertError
from copilot.llm.base import Message

START, END = "start", "end"
Role = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant")
LONGEST = 4
#: Blanks that no template writes itself; they are missing in the output where the template trims a message.
BLANKS = "\t \t"
MARK = re.compile(f"({BLANKS})?\ue000([0-9])\ue001({BLANKS})?")

#: Ollama has no function for trimming; this template calls itself until no blank is left at either end.
TRIM = r"""{{- define "trim" }}
{{- with . }}
{{- $first := slice . 0 1 }}
{{- $last := slice . (len (slice . 1)) }}
{{- if eq $first " " "\t" "\n" "\r" "\v" "\f" }}{{ template "trim" (slice . 1) }}
{{- else if eq $last " " "\t" "\n" "\r" "\v" "\f" }}{{ template "trim" (slice . 0 (len (slice . 1))) }}
{{- else }}{{ . }}
{{- end }}
{{- end }}
{{- end }}
"""
#: No template has this name: Ollama stops there and shows the name, instead of leaving a message out.
REFUSE = '{{ template "this model knows no chat with its roles in this order" . }}'


@dataclass(frozen=True)
class TurnTemplate:
    """A turn-wise chat template.

    Attributes:
        pieces: roles of two neighbouring messages -> the text between their contents. ``start`` precedes the first
            role; ``end`` follows the last, where the assistant's turn begins.
        trimmed: the roles whose contents are trimmed at both ends.
    """

    pieces: Mapping[tuple[str, str], str]
    trimmed: frozenset[str]

    def render(self, messages: Sequence[Message]) -> str | None:
        """Return the prompt, up to the assistant's turn; None where the template has no text for an order of roles."""
        steps = [*pairwise([START, *(m["role"] for m in messages), END])]
        if not self.pieces.keys() >= set(steps):
            return None
        contents = [m["content"].strip() if m["role"] in self.trimmed else m["content"] for m in messages]
        return "".join(self.pieces[step] + content for step, content in zip(steps, [*contents, ""], strict=True))

    def remove_beginning(self, beginning: str) -> "TurnTemplate":
        """Return the template without a ``beginning`` of text, for a program that adds it to the prompt itself."""
        first = {step: text.removeprefix(beginning) for step, text in self.pieces.items() if step[0] == START}
        return replace(self, pieces={**self.pieces, **first})

    def to_go(self) -> str:
        """Return the Go template; the model's own text is in string literals, so that no character of it is syntax.

        Unlike Jinja's ``trim``, it removes ASCII blanks only.
        """
        between = {f"{before}-{role}": text for (before, role), text in self.pieces.items() if role != END}
        last = {role: text for (role, end), text in self.pieces.items() if end == END}
        trimmed = " ".join(quote_go_string(role) for role in ROLES if role in self.trimmed)
        trim = f"if eq .Role {trimmed} " + '}}{{ template "trim" .Content }}{{ else }}{{ .Content }}{{ end'
        lines = [
            '{{- $last := "start" }}',
            "{{- range .Messages }}",
            '{{- $turn := printf "%s-%s" $last .Role }}',
            *_write_choice("$turn", between),
            "{{- " + (trim if trimmed else ".Content") + " }}",
            "{{- $last = .Role }}",
            "{{- end }}",
            *_write_choice("$last", last),
        ]
        # The last dash removes the line end after it, which is no part of the text.
        return (TRIM if trimmed else "") + "\n".join(lines).removesuffix("}}") + "-}}\n"


def learn_template(
    template: str, bos: str, eos: str, conversations: Iterable[Sequence[Message]]
) -> tuple[TurnTemplate, int]:
    """Learn the texts that a chat template writes between messages.

    Args:
        template: a Jinja template. It is run in a sandbox that limits neither its time nor its memory: call this
            function in a child process only.
        bos: value of the template's ``bos_token``.
        eos: value of the template's ``eos_token``.
        conversations: conversations on which the result must agree with the template.

    Returns:
        The learned template, and the number of the conversations that the Jinja template accepts.

    Raises:
        ConvertError: the template is broken, or not turn-wise.
    """
    render = partial(render_template, template, {"bos_token": bos, "eos_token": eos})
    marked = [(chat, text) for chat in _marked_chats() if (text := render(chat)) is not None]
    turns = _learn_pieces(marked)
    if any(turns.render(chat) not in (None, text) for chat, text in marked):
        raise _not_turn_wise("it moves or drops messages")
    real = [(chat, text) for chat in conversations if (text := render(chat)) is not None]
    if not real:
        raise ConvertError("The chat template is broken: it refuses every conversation that was tried.")
    for chat, text in real:
        if turns.render(chat) != text:
            raise _not_turn_wise(f"what it writes depends on the contents, as in {chat[0]['content'][:40]!r}")
    return turns, len(real)


def render_template(template: str, boundaries: Mapping[str, str], messages: Sequence[Message]) -> str | None:
    """Render a prompt with ``transformers``.

    A last message of the assistant is left open to be continued, as Ollama does.

    Args:
        template: the Jinja template.
        boundaries: its ``bos_token`` and ``eos_token``.
        messages: the conversation.

    Returns:
        The prompt; None where the template refuses the conversation.
    """
    from transformers.utils.chat_template_utils import render_jinja_template

    continued = messages[-1]["role"] == "assistant"
    try:
        (text,), _ = render_jinja_template(
            [list(messages)],
            chat_template=template,
            add_generation_prompt=not continued,
            continue_final_message=continued,
            **boundaries,
        )
        text.encode()  # raises an error on half a surrogate pair, which no file can contain
    except Exception:  # a template can raise any exception
        return None
    return str(text)


def quote_go_string(text: str) -> str:
    """Return a text as a Go string literal in printable ASCII, because Ollama drops other characters of a Modelfile."""
    plain = {'"': r"\"", "\\": r"\\", "\n": r"\n", "\t": r"\t"}
    letters = (plain.get(c) or (c if " " <= c <= "~" else f"\\U{ord(c):08x}") for c in text)
    return f'"{"".join(letters)}"'


def _marked_chats() -> Iterator[tuple[Message, ...]]:
    """Yield a chat with marked contents for each order of up to ``LONGEST`` roles."""
    for length in range(1, LONGEST + 1):
        for roles in product(ROLES, repeat=length):
            if all(role != following for role, following in pairwise(roles)):  # Ollama merges such neighbours
                marks = (f"{BLANKS}\ue000{i}\ue001{BLANKS}" for i in range(length))
                yield tuple(Message(role=role, content=mark) for role, mark in zip(roles, marks, strict=True))


def _learn_pieces(chats: Iterable[tuple[Sequence[Message], str]]) -> TurnTemplate:
    """Collect the texts between the marks; chats that do not contain all marks in their order are ignored.

    Raises:
        ConvertError: the template is not turn-wise.
    """
    pieces: dict[tuple[str, str], str] = {}
    kept: dict[str, tuple[bool, bool]] = {}
    for messages, text in chats:
        roles = [m["role"] for m in messages]
        texts = MARK.split(text)  # text, blanks, number, blanks, text, ...
        if texts[2::4] != [str(i) for i in range(len(roles))]:
            continue
        for step, piece in zip(pairwise([START, *roles, END]), texts[::4], strict=True):
            if pieces.setdefault(step, piece) != piece:
                raise _not_turn_wise(f"between {step[0]} and {step[1]} it does not always write the same")
        for role, before, after in zip(roles, texts[1::4], texts[3::4], strict=True):
            blanks = bool(before), bool(after)
            if kept.setdefault(role, blanks) != blanks or blanks[0] != blanks[1]:
                raise _not_turn_wise(f"it trims the {role}'s messages only sometimes or at one end")
    return TurnTemplate(pieces, frozenset(role for role, (before, _) in kept.items() if not before))


def _write_choice(variable: str, texts: Mapping[str, str]) -> list[str]:
    """Return lines that write the text for a variable's value; values with the same text share a line."""
    values: dict[str, list[str]] = {}
    for value, text in texts.items():
        values.setdefault(text, []).append(quote_go_string(value))
    lines = [f"{{{{- else if eq {variable} {' '.join(v)} }}}}{{{{ {quote_go_string(t)} }}}}" for t, v in values.items()]
    lines[0] = lines[0].replace("else ", "", 1)
    return [*lines, f"{{{{- else }}}}{REFUSE}", "{{- end }}"]


def _not_turn_wise(why: str) -> ConvertError:
    return ConvertError(
        f"The chat template cannot be written for Ollama, whose templates see one message after the other: {why}."
    )
