"""Convert records to Markdown, for people."""

import re

from copilot import NOTICE
from copilot.i18n import N_, Translator, messages
from copilot.record.model import Field, Record
from copilot.text import normalise_line


def to_markdown(record: Record) -> str:
    """Return the record as Markdown: notice and headline first, origin after every label, signature and changes last.

    Text from outside is escaped (CommonMark, https://spec.commonmark.org/0.31.2/#backslash-escapes), so that markup
    typed into a form stays text.
    """
    translate = Translator(record.language)
    title = translate(messages.SIGNED_RECORD if record.signature else messages.DRAFT_RECORD)
    lines = [
        f"# {title}",
        "",
        f"**{escape_markdown(translate(NOTICE))}**",
        "",
        f"**{escape_markdown(record.headline)}**",
        "",
    ]
    lines += [_format_item(note) for note in (*record.notes, translate(messages.ABOUT_PROSE))]
    for section in record.sections:
        lines += ["", f"## {escape_markdown(section.title)}", "", *_field_lines(section.fields, translate)]
    if record.signature:
        lines += ["", f"## {translate(messages.SIGNATURE)}", "", *_signature_lines(record, translate)]
    if record.history:
        lines += ["", f"## {translate(messages.CHANGES)}", "", *_history_lines(record, translate)]
    about = (
        f"- **{escape_markdown(label)}:** {escape_markdown(text)}" for label, text in describe_record(record, translate)
    )
    return "\n".join([*lines, "", f"## {translate(messages.ABOUT_RECORD)}", "", *about]) + "\n"


def describe_record(record: Record, translate: Translator) -> list[tuple[str, str]]:
    """Return labels and texts about the record, its software and its model, in the order to show them."""
    rows = [
        (translate(N_("Status")), translate(messages.STATUS[record.status])),
        (translate(messages.ABOUT_ID), f"{record.id}, {translate(messages.ABOUT_VERSION, version=record.version)}"),
        (translate(messages.ABOUT_CREATED), record.created),
        (translate(messages.ABOUT_SOFTWARE), record.software),
        (translate(messages.ABOUT_MODEL), record.model),
        (translate(messages.ABOUT_MODEL_FILE), record.model_sha256 or translate(messages.ABOUT_REMOTE)),
        (translate(messages.ABOUT_DECODER), record.decoder_sha256 or translate(messages.NONE)),
        (translate(messages.ABOUT_PROMPT), record.prompt_sha256),
        (translate(messages.ABOUT_READOUT), translate(messages.READOUT_SHORT[record.readout])),
        (translate(N_("EEG codec")), record.codec),
    ]
    return [*rows, (translate(messages.ABOUT_AMENDS), record.amends)] if record.amends else rows


def _field_lines(fields: tuple[Field, ...], translate: Translator) -> list[str]:
    """Return list items for fields; a text of several lines becomes a nested list."""
    lines = []
    for field in fields:
        first, *more = field.value.splitlines() or [""]
        origin = translate(messages.ORIGIN[field.origin.kind] if field.accepted else messages.PENDING)
        shown_origin = f" ({escape_markdown(origin)})" if field.value or field.origin.by else ""
        head = f"- **{escape_markdown(field.label)}**{shown_origin}:"
        if more:
            lines += [head, *(f"  {_format_item(line)}" for line in (first, *more))]
        else:
            lines.append(f"{head} {escape_markdown(first) or f'*{translate(messages.LEFT_EMPTY)}*'}")
    return lines


def _signature_lines(record: Record, translate: Translator) -> list[str]:
    """Return list items for the signature of a signed record."""
    signed = record.signature
    assert signed is not None
    who = translate(
        messages.SIGNED_BY, name=escape_markdown(signed.name), role=escape_markdown(signed.role), at=signed.at
    )
    return [
        f"- {who}: {escape_markdown(signed.statement)}",
        f"- {translate(messages.SIGNATURE_DIGEST)}: {signed.sha256}",
    ]


def _history_lines(record: Record, translate: Translator) -> list[str]:
    """Return list items for the changes, with the text before and after each one."""
    labels = {field.key: field.label for field in record.fields}
    lines = []
    for change in record.history:
        label = escape_markdown(labels.get(change.key, change.key))
        what = f"{translate(messages.ACTION[change.action])} {label}".rstrip()
        lines.append(f"- {change.at}, {escape_markdown(change.name)} ({escape_markdown(change.role)}): {what}")
        if change.before != change.after:
            texts = ((messages.BEFORE, change.before), (messages.AFTER, change.after))
            lines += [f"  - {translate(label)}: {escape_markdown(text)}" for label, text in texts]
    return lines


def escape_markdown(text: str) -> str:
    """Escape text for a line of Markdown: it yields no HTML, emphasis, link, code, table or bare web address."""
    line = normalise_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([\\`*_\[\]~|#!$])", r"\\\1", line)
    return re.sub(r"(:(?=//)|(?<=www)\.)", r"\\\1", line, flags=re.I)


def _format_item(text: str) -> str:
    """Return text as a list item; its first characters are escaped too, which could begin a heading or another list."""
    return "- " + re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", escape_markdown(text))
