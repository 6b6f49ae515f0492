"""A record as Markdown for people and as JSON for programs (``from_json`` gives the same record back)."""

import json
import re
from dataclasses import asdict
from typing import Any

from copilot import NOTICE
from copilot.person import tidy
from copilot.record.record import ORIGIN_WORDS, READOUT_WORDS, Field, Record, RecordError, Section

#: Told in every JSON export; another number means other keys.
FORMAT = "eeg-emotion-copilot-record-1"

_RECORD_KEYS = frozenset({"format", "notice", *Record.__dataclass_fields__})


def to_markdown(record: Record) -> str:
    """The record for people: origin behind every label, notice and headline first.

    Text from outside is escaped (CommonMark, https://spec.commonmark.org/0.31.2/#backslash-escapes), so that markup
    typed into a form stays text.
    """
    lines = ["# Draft medical record", "", f"**{_escape(NOTICE)}**", "", f"**{_escape(record.headline)}**", ""]
    lines += [_item(note) for note in record.notes]
    for section in record.sections:
        lines += ["", f"## {_escape(section.title)}", "", *_field_lines(section.fields)]
    lines += ["", "## About this record", "", *(f"- **{label}:** {_escape(text)}" for label, text in _about(record))]
    return "\n".join(lines) + "\n"


def as_dict(record: Record) -> dict[str, Any]:
    """The record as plain JSON types."""
    plain = asdict(record)
    sections = [{**section, "fields": list(section["fields"])} for section in plain["sections"]]
    return {"format": FORMAT, "notice": NOTICE, **plain, "notes": list(record.notes), "sections": sections}


def to_json(record: Record) -> str:
    """The record as JSON text."""
    return json.dumps(as_dict(record), ensure_ascii=False, indent=2)


def from_json(text: str) -> Record:
    """Read what ``to_json`` wrote; nothing is lost.

    Raises:
        RecordError: the text is no JSON, or not such a record.
    """
    try:
        loaded = json.loads(text)
    except (ValueError, RecursionError):
        raise RecordError("This is not a record: the text is not JSON.") from None
    if not isinstance(loaded, dict) or loaded.get("format") != FORMAT:
        raise RecordError("This JSON is not a record that this version of EEG Emotion Copilot wrote.")
    values = _object(loaded, _RECORD_KEYS, "The record")
    texts = {name: _text(value, name) for name, value in values.items() if name not in ("notes", "sections")}
    del texts["format"], texts["notice"]
    notes = tuple(_text(note, "notes") for note in _list(values["notes"], "notes"))
    sections = tuple(_section(section) for section in _list(values["sections"], "sections"))
    return Record(notes=notes, sections=sections, **texts)


def _field_lines(fields: tuple[Field, ...]) -> list[str]:
    lines = []
    for field in fields:
        first, *more = field.value.splitlines() or [""]
        head = f"- **{_escape(field.label)}** ({ORIGIN_WORDS[field.origin]}):"
        if more:
            lines += [head, *(f"  {_item(line)}" for line in (first, *more))]
        else:
            lines.append(f"{head} {_escape(first) or '*left empty*'}")
    return lines


def _about(record: Record) -> list[tuple[str, str]]:
    return [
        ("Status", record.status),
        ("Created", record.created),
        ("Software", f"EEG Emotion Copilot {record.software}"),
        ("Model", record.model),
        ("Model file (SHA-256)", record.model_sha256 or "not known: the model runs on a server"),
        ("Prompt (SHA-256)", record.prompt_sha256),
        ("Probabilities from", READOUT_WORDS[record.readout]),
        ("EEG codec", record.codec),
    ]


def _escape(text: str) -> str:
    """Text inside a line of Markdown: no HTML, emphasis, link, code, table or bare web address comes of it."""
    line = tidy(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([\\`*_\[\]~|#!$])", r"\\\1", line)
    return re.sub(r"(:(?=//)|(?<=www)\.)", r"\\\1", line, flags=re.I)


def _item(text: str) -> str:
    """Text as a list item: what stands first in a block could make it a heading or another list."""
    return "- " + re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", _escape(text))


def _section(value: object) -> Section:
    section = _object(value, frozenset(Section.__dataclass_fields__), "A section")
    fields = tuple(_field(field) for field in _list(section["fields"], "fields"))
    return Section(_text(section["key"], "key"), _text(section["title"], "title"), fields)


def _field(value: object) -> Field:
    field = _object(value, frozenset(Field.__dataclass_fields__), "A field")
    return Field(**{name: _text(text, name) for name, text in field.items()})


def _object(value: object, keys: frozenset[str], what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != keys:
        raise RecordError(f"{what} has to have exactly these keys: {', '.join(sorted(keys))}.")
    return value


def _list(value: object, name: str) -> list[object]:
    if not isinstance(value, list):
        raise RecordError(f"The record's {name} have to be a list.")
    return value


def _text(value: object, name: str) -> str:
    """A string of real characters: a lone surrogate could not be written to a file."""
    if not isinstance(value, str) or any("\ud800" <= c <= "\udfff" for c in value):
        raise RecordError(f"The record's {name} has to be text.")
    return value
