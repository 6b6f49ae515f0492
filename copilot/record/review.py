"""What a clinician does with a record: accept, edit or delete its fields, sign it, amend it.

Each act makes a new record with one more change in its history; nothing leaves the draft by itself.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from copilot.language import english, sentence
from copilot.person import tidy
from copilot.record.drafting import SOFTWARE, tidied
from copilot.record.record import WRITTEN, Change, Field, Origin, Record, RecordError, Signature, digest, timestamp

#: Characters that one field keeps at most.
MAX_VALUE = 4000


@dataclass(frozen=True)
class Reviewer:
    """Who reviews.

    Raises:
        RecordError: the name or the role is empty.
    """

    name: str
    role: str

    def __post_init__(self) -> None:
        for what in ("name", "role"):
            object.__setattr__(self, what, tidy(getattr(self, what))[:120])
        if not (self.name and self.role):
            raise RecordError(sentence(english.RECORD_NOBODY))


def accept(record: Record, key: str, reviewer: Reviewer, now: datetime) -> Record:
    """The record with this suggested field taken as it is.

    Raises:
        RecordError: it is signed, or the field does not wait for review.
    """
    old = record.field(key)
    if old.accepted:
        raise RecordError(sentence(english.RECORD_NOTHING_TO_ACCEPT))
    return _changed(record, replace(old, accepted=True), "accepted", reviewer, now)


def edit(record: Record, key: str, value: str, reviewer: Reviewer, now: datetime) -> Record:
    """The record with this field's text written by the reviewer; the same record where the text is the same.

    Raises:
        RecordError: it is signed, or has no such field, or the text is too long.
    """
    old = record.field(key)
    text = tidied(key, value)
    if text == old.value:
        return record
    if len(text) > MAX_VALUE:
        raise RecordError(sentence(english.RECORD_TOO_LONG, label=old.label, length=len(text), most=MAX_VALUE))
    return _changed(record, _written(old, text, reviewer, now), "edited" if text else "deleted", reviewer, now)


def delete(record: Record, key: str, reviewer: Reviewer, now: datetime) -> Record:
    """The record with this field emptied."""
    return edit(record, key, "", reviewer, now)


def sign(record: Record, reviewer: Reviewer, statement: str, now: datetime) -> Record:
    """The record signed, which locks it.

    Raises:
        RecordError: it is signed already, a field waits for review, or the statement is empty.
    """
    _unlocked(record)
    if record.pending:
        labels = ", ".join(field.label for field in record.pending)
        raise RecordError(sentence(english.RECORD_PENDING, count=len(record.pending), labels=labels))
    if not tidy(statement):
        raise RecordError(sentence(english.RECORD_NO_STATEMENT))
    at = timestamp(now)
    whole = replace(record, history=(*record.history, Change(at, reviewer.name, reviewer.role, "signed")))
    return replace(whole, signature=Signature(reviewer.name, reviewer.role, tidy(statement), at, digest(whole)))


def amend(record: Record, reviewer: Reviewer, now: datetime) -> Record:
    """The next version of a signed record: a draft that points to it.

    Raises:
        RecordError: it is not signed.
    """
    if record.signature is None:
        raise RecordError(sentence(english.RECORD_NOT_SIGNED))
    change = Change(timestamp(now), reviewer.name, reviewer.role, "amended")
    return replace(
        record,
        version=record.version + 1,
        amends=record.signature.sha256,
        history=(*record.history, change),
        signature=None,
    )


def _written(old: Field, text: str, reviewer: Reviewer, now: datetime) -> Field:
    return replace(old, value=text, origin=Origin(WRITTEN, timestamp(now), SOFTWARE, reviewer.name), accepted=True)


def _changed(record: Record, new: Field, action: str, reviewer: Reviewer, now: datetime) -> Record:
    """The record with ``new`` in place of the field of its key, and a change in its history."""
    _unlocked(record)
    before = record.field(new.key).value
    change = Change(timestamp(now), reviewer.name, reviewer.role, action, new.key, before, new.value)
    sections = (
        replace(section, fields=tuple(new if field.key == new.key else field for field in section.fields))
        for section in record.sections
    )
    return replace(record, sections=tuple(sections), history=(*record.history, change))


def _unlocked(record: Record) -> None:
    if record.signature:
        raise RecordError(sentence(english.RECORD_LOCKED))
