"""Convert records to JSON and back without loss.

The schema is published as ``record.schema.json`` beside this file.
``python -m copilot.record.export.json_format`` prints it.
"""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter, ValidationError

from copilot import NOTICE
from copilot.i18n import N_, messages
from copilot.record.model import IDENTITY, MAX_VALUE, MOST_CHANGES, Record, RecordError, describe_fault

RECORD_FORMAT = N_("This JSON is not a record that this version of EEG Emotion Copilot wrote.")
RECORD_TOO_LARGE = N_("This is larger than any record of this program can be; use another copy of it.")

#: Value of "format" in every JSON export; another number means other keys.
FORMAT = "eeg-emotion-copilot-record-2"

#: Limits above any record that this program makes: characters of the file and of one text, items of one list; fields,
#: characters and lines that exports show; present and earlier names and numbers of the person.
MOST_TEXT, LONGEST_TEXT, MOST_ITEMS = 10**7, 5 * MAX_VALUE, 2 * MOST_CHANGES
MOST_FIELDS, MOST_SHOWN, MOST_LINES, MOST_NAMES = 60, 40 * MAX_VALUE, 4000, 20

_RECORD = TypeAdapter(Record)


def as_dict(record: Record) -> dict[str, Any]:
    """Return the record as plain JSON types."""
    plain = json.loads(json.dumps(record, default=vars, allow_nan=False))
    return {"format": FORMAT, "notice": NOTICE, "status": record.status, **plain}


def to_json(record: Record) -> str:
    """Return the record as JSON text."""
    return json.dumps(as_dict(record), ensure_ascii=False, indent=2)


def from_json(text: str) -> Record:
    """Return the record from a text that ``to_json`` wrote; nothing is lost.

    Raises:
        RecordError: the text is not JSON or not such a record, or the record was changed after it was signed.
    """
    if len(text) > MOST_TEXT:
        raise RecordError(RECORD_TOO_LARGE)
    try:
        loaded = json.loads(text, object_pairs_hook=_refuse_duplicate_keys)
    except (ValueError, RecursionError):
        raise RecordError(messages.RECORD_NOT_JSON) from None
    if not isinstance(loaded, dict) or loaded.get("format") != FORMAT:
        raise RecordError(RECORD_FORMAT)
    status = [loaded.pop(name, None) for name in ("format", "notice", "status")][-1]
    if any(
        len(item) > (LONGEST_TEXT if isinstance(item, str) else MOST_ITEMS) for item in _iterate_texts_and_lists(loaded)
    ):
        raise RecordError(RECORD_TOO_LARGE)
    try:
        record = _RECORD.validate_json(json.dumps(loaded))
    except ValidationError as error:
        raise describe_fault(error) from None
    if status != record.status or record.nameless:
        raise RecordError(RECORD_FORMAT)
    _check_size(record)
    return record


def make_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the texts that ``to_json`` writes."""
    own = _RECORD.json_schema()
    fixed = {"format": {"const": FORMAT}, "notice": {"type": "string"}, "status": {"enum": ["draft", "signed"]}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A record of EEG Emotion Copilot",
        **{name: value for name, value in own.items() if name != "title"},
        "properties": {**fixed, **own["properties"]},
        "required": [*fixed, *own["required"]],
    }


def _iterate_texts_and_lists(loaded: Any) -> Iterator[str | list[Any]]:
    """Yield every text and list in parsed JSON, without recursion."""
    waiting = [loaded]
    while waiting:
        item = waiting.pop()
        waiting += item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        if isinstance(item, str | list):
            yield item


def _check_size(record: Record) -> None:
    """Refuse a record that would take too long to export: every export is quick for the others.

    Raises:
        RecordError: the record exceeds a limit above any record that this program makes.
    """
    shown = [record.headline, *record.notes, *(section.title for section in record.sections)]
    shown += [text for field in record.fields for text in (field.label, field.value)]
    named = {text for change in record.history if change.key in IDENTITY for text in (change.before, change.after)}
    named |= {field.value for field in record.fields if field.key in IDENTITY}
    if (
        len(record.fields) > MOST_FIELDS
        or sum(map(len, shown)) > MOST_SHOWN
        or sum(len(text.splitlines()) for text in shown) > MOST_LINES
        or len(named) > MOST_NAMES
        or sum(map(len, named)) > 2 * MAX_VALUE
    ):
        raise RecordError(RECORD_TOO_LARGE)


def _refuse_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object, in which no key may occur twice: readers disagree on which one counts (RFC 8259, 4).

    Raises:
        ValueError: a key occurs twice.
    """
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key occurs twice")
    return dict(pairs)


if __name__ == "__main__":
    print(json.dumps(make_schema(), indent=2))
