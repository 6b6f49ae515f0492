"""Review a record: accept, edit or delete its fields, sign it, amend it.

Each action returns a new record with one more change in its history; without a clinician's action a record stays a
draft.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from textwrap import shorten

from copilot.i18n import N_, Translator, messages
from copilot.person import MAX_NAME
from copilot.record.draft import SOFTWARE, make_headline, normalise_value
from copilot.record.model import (
    MAX_VALUE,
    MOST_CHANGES,
    WRITTEN,
    Change,
    Field,
    Origin,
    Record,
    RecordError,
    Signature,
    digest,
    timestamp,
)
from copilot.text import normalise_line

#: Most characters of a signature statement.
MAX_STATEMENT = 600
#: Most lines of a field.
MAX_LINES = 100
#: Most characters in the first line of an emotion that a clinician wrote.
LONGEST_EMOTION = 120


@dataclass(frozen=True)
class Reviewer:
    """The clinician who reviews.

    Raises:
        RecordError: the name or the role is empty or too long.
    """

    name: str
    role: str

    def __post_init__(self) -> None:
        for what, label in (("name", messages.FIELD_NAME), ("role", N_("Role"))):
            text = normalise_line(getattr(self, what))
            _check_length(label, text, MAX_NAME)
            object.__setattr__(self, what, text)
        if not (self.name and self.role):
            raise RecordError(messages.RECORD_NOBODY)


def accept(record: Record, key: str, reviewer: Reviewer, now: datetime) -> Record:
    """Accept a suggested field as it is and return the new record.

    Args:
        record: a draft.
        key: key of the field.
        reviewer: the clinician who accepts it.
        now: time of the change.

    Raises:
        RecordError: the record is signed, or the field does not wait for review.
    """
    _check_unlocked(record)
    old = record.field(key)
    if old.accepted:
        raise RecordError(N_("This field is not waiting for review."))
    return _replace_field(record, replace(old, accepted=True), "accepted", reviewer, now)


def edit(record: Record, key: str, value: str, reviewer: Reviewer, now: datetime) -> Record:
    """Replace the text of a field and return the new record, or the same record if the text is the same.

    Args:
        record: a draft.
        key: key of the field.
        value: the new text.
        reviewer: the clinician who wrote it.
        now: time of the change.

    Raises:
        RecordError: the record is signed, has no such field or was changed too often, or the text is too long.
    """
    _check_unlocked(record)
    old = record.field(key)
    _check_length(old.label, value, MAX_VALUE)
    text = normalise_value(key, value)
    if text == old.value:
        return record
    if text and len(record.history) >= MOST_CHANGES:
        raise RecordError(
            N_("This record was changed {most} times, which is the most; sign it as it is.", most=MOST_CHANGES)
        )
    if len(text.splitlines()) > MAX_LINES:
        raise RecordError(N_("{label} has too many lines; at most {most} are kept.", label=old.label, most=MAX_LINES))
    new = replace(old, value=text, origin=Origin(WRITTEN, timestamp(now), SOFTWARE, reviewer.name), accepted=True)
    return _replace_field(record, new, "edited" if text else "deleted", reviewer, now)


def delete(record: Record, key: str, reviewer: Reviewer, now: datetime) -> Record:
    """Empty a field and return the new record; see ``edit``."""
    return edit(record, key, "", reviewer, now)


def sign(record: Record, reviewer: Reviewer, statement: str, now: datetime) -> Record:
    """Sign and thereby lock a record; return the signed one.

    Args:
        record: a draft.
        reviewer: the clinician who signs.
        statement: what the clinician declares.
        now: time of the signature.

    Raises:
        RecordError: the record is signed already, a field waits for review, or the statement is empty.
    """
    _check_unlocked(record)
    if record.pending:
        labels = tuple(field.label for field in record.pending)
        raise RecordError(
            N_(
                "{count} fields of this record wait for review: accept, edit or delete them first ({labels}).",
                count=len(record.pending),
                labels=labels,
            )
        )
    words, at = normalise_line(statement), timestamp(now)
    if not words:
        raise RecordError(N_("Say what you sign: the statement is empty."))
    _check_length(messages.SIGNATURE, words, MAX_STATEMENT)
    whole = replace(record, history=(*record.history, Change(at, reviewer.name, reviewer.role, "signed")))
    signature = Signature(reviewer.name, reviewer.role, words, at, sha256="0" * 64)  # its digest comes next
    return replace(whole, signature=replace(signature, sha256=digest(whole, signature)))


def amend(record: Record, reviewer: Reviewer, now: datetime) -> Record:
    """Return the next version of a signed record: a draft that refers to it by its digest.

    Args:
        record: a signed record.
        reviewer: the clinician who amends it.
        now: time of the change.

    Raises:
        RecordError: the record is not signed.
    """
    if record.signature is None:
        raise RecordError(N_("Only a signed record can be amended; this one is still a draft."))
    change = Change(timestamp(now), reviewer.name, reviewer.role, "amended")
    return replace(
        record,
        version=record.version + 1,
        amends=record.signature.sha256,
        history=(*record.history, change),
        signature=None,
    )


def _replace_field(record: Record, new: Field, action: str, reviewer: Reviewer, now: datetime) -> Record:
    """Return the record with ``new`` in place of the field with its key, and one more change in its history.

    Args:
        record: a draft.
        new: the field to insert.
        action: one of ``ACTIONS``.
        reviewer: the clinician who changes it.
        now: time of the change.
    """
    before = record.field(new.key).value
    change = Change(timestamp(now), reviewer.name, reviewer.role, action, new.key, before, new.value)
    sections = (
        replace(section, fields=tuple(new if field.key == new.key else field for field in section.fields))
        for section in record.sections
    )
    headline = record.headline
    if new.key == "emotion" and new.origin.kind == WRITTEN:  # it must not state an emotion that was replaced or deleted
        translate = Translator(record.language)
        stated = translate(N_("No emotion is stated: what the model suggested was deleted."))
        if new.value:
            emotion = shorten(new.value, LONGEST_EMOTION, placeholder=" …")
            stated = translate(N_("Emotion, as the clinician wrote it: {emotion}"), emotion=emotion)
        headline = make_headline(record.findings, stated, translate)
    return replace(record, headline=headline, sections=tuple(sections), history=(*record.history, change))


def _check_length(label: str, text: str, most: int) -> None:
    """Refuse a text of more than ``most`` characters.

    Raises:
        RecordError: the text is too long.
    """
    if len(text) > most:
        raise RecordError(N_(messages.RECORD_TOO_LONG, label=label, length=len(text), most=most))


def _check_unlocked(record: Record) -> None:
    """Refuse a signed record.

    Raises:
        RecordError: the record is signed.
    """
    if record.signature:
        raise RecordError(N_("The record is signed and locked; amend it to change something."))
