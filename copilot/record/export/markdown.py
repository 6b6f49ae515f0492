"""Convert records to Markdown, for people."""

import re

from copilot import NOTICE
from copilot.i18n import N_, Translator, messages
from copilot.record.model import Record
from copilot.text import normalise_line


def to_markdown(record: Record) -> str:
    """Return the record as Markdown: notice and headline first, origin after every label, signature and changes last.

    A text of several lines becomes a nested list. Text from outside is escaped (CommonMark,
    https://spec.commonmark.org/0.31.2/#backslash-escapes), so that markup typed into a form stays text.
    """
    translate, escape = Translator(record.language), escape_markdown
    lines = [
        f"# {translate(messages.SIGNED_RECORD if record.signature else messages.DRAFT_RECORD)}",
        "",
        f"**{escape(translate(NOTICE))}**",
        "",
        f"**{escape(record.headline)}**",
        "",
        *(_format_item(note) for note in (*record.notes, translate(messages.ABOUT_PROSE))),
    ]
    for section in record.sections:
        lines += ["", f"## {escape(section.title)}", ""]
        for field in section.fields:
            origin = translate(messages.ORIGIN[field.origin.kind] if field.accepted else messages.PENDING)
            shown_origin = f" ({escape(origin)})" if field.value or field.origin.by else ""
            head = f"- **{escape(field.label)}**{shown_origin}:"
            first, *more = field.value.splitlines() or [""]
            if more:
                lines += [head, *(f"  {_format_item(line)}" for line in (first, *more))]
            else:
                lines.append(f"{head} {escape(first) or f'*{translate(messages.LEFT_EMPTY)}*'}")
    if signed := record.signature:
        name, role = escape(signed.name), escape(signed.role)
        who = translate(messages.SIGNED_BY, name=name, role=role, at=signed.at)
        lines += ["", f"## {translate(messages.SIGNATURE)}", "", f"- {who}: {escape(signed.statement)}"]
        lines.append(f"- {translate(messages.SIGNATURE_DIGEST)}: {signed.sha256}")
    if record.history:
        lines += ["", f"## {translate(messages.CHANGES)}", ""]
        labels = {field.key: field.label for field in record.fields}
        for change in record.history:
            what = f"{translate(messages.ACTION[change.action])} {escape(labels.get(change.key, change.key))}".rstrip()
            lines.append(f"- {change.at}, {escape(change.name)} ({escape(change.role)}): {what}")
            if change.before != change.after:
                lines.append(f"  - {translate(messages.BEFORE)}: {escape(change.before)}")
                lines.append(f"  - {translate(messages.AFTER)}: {escape(change.after)}")
    lines += ["", f"## {translate(messages.ABOUT_RECORD)}", ""]
    lines += [f"- **{escape(label)}:** {escape(text)}" for label, text in describe_record(record, translate)]
    return "\n".join(lines) + "\n"


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


def escape_markdown(text: str) -> str:
    """Escape text for a line of Markdown: it yields no HTML, emphasis, link, code, table or bare web address."""
    line = normalise_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([\\`*_\[\]~|#!$])", r"\\\1", line)
    return re.sub(r"(:(?=//)|(?<=www)\.)", r"\\\1", line, flags=re.I)


def _format_item(text: str) -> str:
    """Return text as a list item; its first characters are escaped too, which could begin a heading or another list."""
    return "- " + re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", escape_markdown(text))
