"""A record as Markdown, for people."""

import re

from copilot import NOTICE
from copilot.i18n import N_, Translator, english
from copilot.record.model import Field, Record
from copilot.text import normalise_line


def to_markdown(record: Record) -> str:
    """Notice and headline first, origin behind every label, signature and changes last.

    Text from outside is escaped (CommonMark, https://spec.commonmark.org/0.31.2/#backslash-escapes), so that markup
    typed into a form stays text.
    """
    say = Translator(record.language)
    title = say(english.SIGNED_RECORD if record.signature else english.DRAFT_RECORD)
    lines = [f"# {title}", "", f"**{escaped(say(NOTICE))}**", "", f"**{escaped(record.headline)}**", ""]
    lines += [_item(note) for note in (*record.notes, say(english.ABOUT_PROSE))]
    for section in record.sections:
        lines += ["", f"## {escaped(section.title)}", "", *_field_lines(section.fields, say)]
    if record.signature:
        lines += ["", f"## {say(english.SIGNATURE)}", "", *_signature(record, say)]
    if record.history:
        lines += ["", f"## {say(english.CHANGES)}", "", *_history(record, say)]
    about = (f"- **{escaped(label)}:** {escaped(text)}" for label, text in about_record(record, say))
    return "\n".join([*lines, "", f"## {say(english.ABOUT_RECORD)}", "", *about]) + "\n"


def about_record(record: Record, say: Translator) -> list[tuple[str, str]]:
    """What this record is and what made it: labels and texts, in the order to show them."""
    told = [
        (say(N_("Status")), say(english.STATUS[record.status])),
        (say(english.ABOUT_ID), f"{record.id}, {say(english.ABOUT_VERSION, version=record.version)}"),
        (say(english.ABOUT_CREATED), record.created),
        (say(english.ABOUT_SOFTWARE), record.software),
        (say(english.ABOUT_MODEL), record.model),
        (say(english.ABOUT_MODEL_FILE), record.model_sha256 or say(english.ABOUT_REMOTE)),
        (say(english.ABOUT_DECODER), record.decoder_sha256 or say(english.NONE)),
        (say(english.ABOUT_PROMPT), record.prompt_sha256),
        (say(english.ABOUT_READOUT), say(english.READOUT_SHORT[record.readout])),
        (say(N_("EEG codec")), record.codec),
    ]
    return [*told, (say(english.ABOUT_AMENDS), record.amends)] if record.amends else told


def _field_lines(fields: tuple[Field, ...], say: Translator) -> list[str]:
    lines = []
    for field in fields:
        first, *more = field.value.splitlines() or [""]
        origin = say(english.ORIGIN[field.origin.kind] if field.accepted else english.PENDING)
        told = f" ({escaped(origin)})" if field.value or field.origin.by else ""
        head = f"- **{escaped(field.label)}**{told}:"
        if more:
            lines += [head, *(f"  {_item(line)}" for line in (first, *more))]
        else:
            lines.append(f"{head} {escaped(first) or f'*{say(english.LEFT_EMPTY)}*'}")
    return lines


def _signature(record: Record, say: Translator) -> list[str]:
    signed = record.signature
    assert signed is not None
    who = say(english.SIGNED_BY, name=escaped(signed.name), role=escaped(signed.role), at=signed.at)
    return [f"- {who}: {escaped(signed.statement)}", f"- {say(english.SIGNATURE_DIGEST)}: {signed.sha256}"]


def _history(record: Record, say: Translator) -> list[str]:
    labels = {field.key: field.label for field in record.fields}
    lines = []
    for change in record.history:
        what = f"{say(english.ACTION[change.action])} {escaped(labels.get(change.key, change.key))}".rstrip()
        lines.append(f"- {change.at}, {escaped(change.name)} ({escaped(change.role)}): {what}")
        if change.before != change.after:
            texts = ((english.BEFORE, change.before), (english.AFTER, change.after))
            lines += [f"  - {say(label)}: {escaped(text)}" for label, text in texts]
    return lines


def escaped(text: str) -> str:
    """Text inside a line of Markdown: no HTML, emphasis, link, code, table or bare web address comes of it."""
    line = normalise_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([\\`*_\[\]~|#!$])", r"\\\1", line)
    return re.sub(r"(:(?=//)|(?<=www)\.)", r"\\\1", line, flags=re.I)


def _item(text: str) -> str:
    """Text as a list item: what stands first in a block could make it a heading or another list."""
    return "- " + re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", escaped(text))
