"""A record as JSON, and back without loss.

The schema is published as ``record.schema.json`` beside this file; ``python -m copilot.record.as_json`` prints it.
"""

import json
from functools import cache
from typing import Any

from copilot import NOTICE
from copilot.language import english, sentence
from copilot.record.record import Record, RecordError

#: Told in every JSON export; another number means other keys.
FORMAT = "eeg-emotion-copilot-record-2"


def as_dict(record: Record) -> dict[str, Any]:
    """The record as plain JSON types."""
    plain = json.loads(json.dumps(record, default=vars))
    return {"format": FORMAT, "notice": NOTICE, "status": record.status, **plain}


def to_json(record: Record) -> str:
    """The record as JSON text."""
    return json.dumps(as_dict(record), ensure_ascii=False, indent=2)


def from_json(text: str) -> Record:
    """Read what ``to_json`` wrote; nothing is lost.

    Raises:
        RecordError: the text is no JSON, or not such a record, or it was changed after it was signed.
    """
    from pydantic import ValidationError

    try:
        loaded = json.loads(text)
    except (ValueError, RecursionError):
        raise RecordError(sentence(english.RECORD_NOT_JSON)) from None
    if not isinstance(loaded, dict) or loaded.get("format") != FORMAT:
        raise RecordError(sentence(english.RECORD_FORMAT))
    status = [loaded.pop(name, None) for name in ("format", "notice", "status")][-1]
    try:
        record: Record = _reader().validate_json(json.dumps(loaded))
    except ValidationError as error:
        raise _bad(error) from None
    if status != record.status:
        raise RecordError(sentence(english.RECORD_FORMAT))
    return record


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of what ``to_json`` writes."""
    own = _reader().json_schema()
    fixed = {"format": {"const": FORMAT}, "notice": {"type": "string"}, "status": {"enum": ["draft", "signed"]}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A record of EEG Emotion Copilot",
        **{name: value for name, value in own.items() if name != "title"},
        "properties": {**fixed, **own["properties"]},
        "required": [*fixed, *own["required"]],
    }


@cache
def _reader() -> Any:
    from pydantic import TypeAdapter  # a quarter of a second to import: not before a record is read

    return TypeAdapter(Record)


def _bad(error: Any) -> RecordError:
    """The first fault, without the value, which may be long."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "record"
    return RecordError(sentence(english.RECORD_BAD_VALUE, where=where, what=first["msg"].rstrip(".")))


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))
