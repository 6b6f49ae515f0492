"""Define the record: sections of fields with their origins, a history of every change, and an optional signature.

Sections follow the electronic medical record of the EEG Emotion Copilot paper (arXiv 2410.00166). A record is never
changed: ``draft`` makes the first one, and ``review`` returns a new one for every change.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import pydantic
from pydantic import AfterValidator, GetPydanticSchema, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import core_schema

from copilot import emotions
from copilot.deidentify import remove_identity
from copilot.errors import CopilotError
from copilot.i18n import LANGUAGES, N_, Translator, messages
from copilot.settings import READOUTS
from copilot.text import normalise_line

#: Origins of a field's text: the form, the recording, the model, a clinician.
ENTERED, MEASURED, SUGGESTED, WRITTEN = "entered", "measured", "suggested", "written"
ORIGINS = (ENTERED, MEASURED, SUGGESTED, WRITTEN)

ACTIONS = ("accepted", "edited", "deleted", "signed", "amended")
DRAFT, SIGNED = "draft", "signed"

#: Fields that identify the person; see ``without_identity``.
IDENTITY = ("name", "number")

MOST_VERSIONS = 9999
#: Most characters of a field, and most changes that a clinician can make.
MAX_VALUE, MOST_CHANGES = 4000, 1000
TRUSTS = ("good", "fair", "poor")
TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
SHA256 = r"^[0-9a-f]{64}$"

#: For every part of a record: no further keys, and no value of another type.
_STRICT = pydantic.ConfigDict(extra="forbid", strict=True)
T = TypeVar("T")


class RecordError(CopilotError, ValueError):
    """A record cannot be used or cannot be changed in this way; the message is one plain sentence."""


def describe_fault(error: ValidationError) -> RecordError:
    """Return an error that states the first fault that pydantic found, without its value, which may be long."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = normalise_line(".".join(str(part) for part in first["loc"]))[:100] or "record"
    about = first.get("ctx", {})
    what: str
    if isinstance(own := about.get("error"), RecordError):
        what = str(own).rstrip(".")
    elif first["type"] in ("missing", "missing_argument"):
        what = N_("it is missing")
    elif first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        what = N_("no record has it")
    elif first["type"] == "literal_error":
        what = N_("it can be {choices}", choices=about["expected"].replace("'", "").replace(" or ", ", "))
    elif first["type"] in ("greater_than_equal", "less_than_equal", "finite_number"):
        what = N_("it is too small or too large")
    else:
        what = N_("it is of another kind than in a record")
    return RecordError(N_("The record cannot be used: {where}: {what}.", where=where, what=what))


def _raise_record_errors(cls: type[T]) -> type[T]:
    """Let the constructor of a pydantic dataclass raise ``RecordError`` for a value that is not allowed."""
    made: Any = cls
    check = made.__init__

    def __init__(self: T, *args: Any, **values: Any) -> None:
        try:
            check(self, *args, **values)
        except ValidationError as error:
            raise describe_fault(error) from None

    made.__init__ = __init__
    return cls


def _one_of(choices: Iterable[str]) -> GetPydanticSchema:
    """Return the annotation of a text that is one of ``choices``."""
    return GetPydanticSchema(lambda _type, _handler: core_schema.literal_schema(list(choices)))


def _check_time(text: str) -> str:
    """Refuse a time that is not in the format of ``timestamp``.

    Raises:
        RecordError: the time has another format.
    """
    try:
        known = re.fullmatch(TIME, text) and datetime.fromisoformat(text)
    except ValueError:
        known = None
    if not known:
        raise RecordError(f"The time {text!r:.80} is not ISO 8601 in UTC, to the second.")
    return text


Time = Annotated[str, AfterValidator(_check_time), pydantic.Field(json_schema_extra={"pattern": TIME})]
"""ISO 8601 in UTC, to the second."""
Filled = Annotated[str, pydantic.Field(min_length=1)]
"""A text that is not empty."""
Seconds = Annotated[int, pydantic.Field(ge=0)]
Hertz = Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, pydantic.Field(ge=0, le=1)]
Shares = Annotated[
    tuple[Share, ...], pydantic.Field(min_length=len(emotions.EMOTIONS), max_length=len(emotions.EMOTIONS))
]
"""One share for each emotion."""


@_raise_record_errors
@dataclass(frozen=True, config=_STRICT)
class Origin:
    """Where a field's text comes from.

    Attributes:
        kind: one of ``ORIGINS``.
        at: time of entry, ISO 8601 in UTC.
        software: this program and its version.
        by: the model's id if suggested, the clinician's name if written, else empty.
        model_sha256, prompt_sha256: digests of the model file and of the prompt's messages, if suggested.
    """

    kind: Annotated[str, _one_of(ORIGINS)]
    at: Time
    software: str
    by: str = ""
    model_sha256: str = ""
    prompt_sha256: str = ""


@_raise_record_errors
@dataclass(frozen=True, config=_STRICT)
class Field:
    """One line of the record.

    Attributes:
        key: unique in the record, the same in every language.
        label: label for people, in the record's language.
        value: plain text of one or more lines, or empty.
        origin: where the text comes from.
        accepted: False while text that the model suggested waits for a clinician.
    """

    key: str
    label: str
    value: str
    origin: Origin
    accepted: bool

    def __post_init__(self) -> None:
        if not self.accepted and self.origin.kind != SUGGESTED:
            raise RecordError(f"Field {self.key} waits for a clinician, but no model suggested it.")


@_raise_record_errors
@dataclass(frozen=True, config=_STRICT)
class Section:
    """Fields under one title."""

    key: str
    title: str
    fields: tuple[Field, ...]


@_raise_record_errors
@dataclass(frozen=True, config=_STRICT)
class Findings:
    """The numbers behind the text, as code measured them; exports take numbers from here, never from text.

    Attributes:
        probabilities: nine, in the order of ``emotions.EMOTIONS``.
        confidence: ``clear``, ``leaning`` or ``unclear``, see ``emotions.confidence``.
        calibrated: whether the probabilities are calibrated: how often they are right was measured.
        trust: quality of the recording: ``good``, ``fair`` or ``poor``.
        seconds: length of the recording, whole seconds.
        clean_seconds: usable seconds among them.
        sfreq: sampling rate after cleaning, Hz.
        electrodes: electrodes of the cleaned recording.
        bad_electrodes: electrodes without usable signal.
        line_hz: frequency of the line noise that was found, Hz, or None.
    """

    probabilities: Shares
    confidence: Annotated[str, _one_of(emotions.CONFIDENCES)]
    calibrated: bool
    trust: Annotated[str, _one_of(TRUSTS)]
    seconds: Seconds
    clean_seconds: Seconds
    sfreq: Hertz
    electrodes: tuple[str, ...]
    bad_electrodes: tuple[str, ...] = ()
    line_hz: Hertz | None = None

    def __post_init__(self) -> None:
        if abs(sum(self.probabilities) - 1) > 0.001:
            raise RecordError(f"A record has {len(emotions.EMOTIONS)} probabilities from 0 to 1, together 1.")
        if self.clean_seconds > self.seconds:
            raise RecordError("No more seconds of a record are clean than there are.")


@_raise_record_errors
@dataclass(frozen=True, config=_STRICT)
class Change:
    """One action of a clinician.

    Attributes:
        at: time of the action, ISO 8601 in UTC.
        name, role: the clinician.
        action: one of ``ACTIONS``.
        key: key of the field, empty if the action concerns the whole record.
        before, after: text of the field before and after the action.
    """

    at: Time
    name: Filled
    role: Filled
    action: Annotated[str, _one_of(ACTIONS)]
    key: str = ""
    before: str = ""
    after: str = ""


@_raise_record_errors
@dataclass(frozen=True, config=_STRICT)
class Signature:
    """A clinician's signature: name, role, statement and time.

    ``sha256`` is the digest of the record with all of these (see ``digest``).
    """

    name: Filled
    role: Filled
    statement: Filled
    at: Time
    sha256: Annotated[str, pydantic.Field(pattern=SHA256)]


@_raise_record_errors
@dataclass(frozen=True, config=_STRICT)
class Record:
    """One version of a record.

    Attributes:
        id: a random UUID (RFC 9562), the same for all its versions.
        version: 1 for the first version, one more for every amendment.
        amends: digest of the signed version that this one amends, else empty.
        language: language of labels and of texts by code (a key of ``LANGUAGES``); the model's prose is English.
        headline: the first line, which states how far to trust the rest.
        notes: remarks about the result that a reader must know, plain sentences.
        sections: sections in the paper's order; a field's key occurs once in the whole record.
        findings: the numbers behind the text.
        created: time of the draft, ISO 8601 in UTC.
        software: this program and its version.
        model: id of the model file or of the server's model.
        model_sha256: digest of the model file, empty for a server's model.
        prompt_sha256: digest of the rendered messages.
        readout: source of the probabilities, one of ``READOUTS``.
        codec: name of the text encoding of the EEG.
        history: every change by a clinician, in order, over all versions.
        signature: the signature, which locks the record; None for a draft.
        decoder_sha256: digest of the classifier's file, empty if it is not known.
        nameless: whether this is a copy for exports without name and number (see ``without_identity``), whose signature
            is that of the original.

    Raises:
        RecordError: a value is not allowed, two fields have the same key, text of the model is marked as accepted
            although no clinician accepted it, or the signature belongs to another record.
    """

    id: Annotated[str, pydantic.Field(pattern=UUID)]
    version: Annotated[int, pydantic.Field(ge=1, le=MOST_VERSIONS)]
    amends: str
    language: Annotated[str, _one_of(LANGUAGES)]
    headline: str
    notes: tuple[str, ...]
    sections: tuple[Section, ...]
    findings: Findings
    created: Time
    software: str
    model: str
    model_sha256: str
    prompt_sha256: str
    readout: Annotated[str, _one_of(READOUTS)]
    codec: str
    history: tuple[Change, ...] = ()
    signature: Signature | None = None
    decoder_sha256: str = ""
    nameless: Annotated[bool, pydantic.Field(json_schema_extra={"const": False})] = False

    def __post_init__(self) -> None:
        keys = [field.key for field in self.fields]
        if len(set(keys)) < len(keys):
            raise RecordError("Two fields of the record have the same key.")
        if bool(self.amends) != (self.version > 1):
            raise RecordError("A record's first version amends none, and each later one the one before.")
        accepted = {change.key for change in self.history if change.action == "accepted"}
        if any(f.origin.kind == SUGGESTED and f.accepted and f.value and f.key not in accepted for f in self.fields):
            raise RecordError("Text that the model suggested is called accepted, but nobody accepted it.")
        if self.signature and not self.nameless and (self.pending or self.signature.sha256 != digest(self)):
            raise RecordError(N_("The record was changed after it was signed; use another copy of it."))

    @property
    def fields(self) -> tuple[Field, ...]:
        """All fields, in order."""
        return tuple(field for section in self.sections for field in section.fields)

    @property
    def pending(self) -> tuple[Field, ...]:
        """Fields that wait for a clinician."""
        return tuple(field for field in self.fields if not field.accepted)

    @property
    def status(self) -> str:
        """``draft`` or ``signed``."""
        return SIGNED if self.signature else DRAFT

    @property
    def is_doubtful(self) -> bool:
        """Whether the recording is poor or no emotion is clear; the first line then states it."""
        return self.findings.trust == "poor" or self.findings.confidence != "clear"

    @property
    def changed(self) -> str:
        """Time of the last change or, if there is none, of the draft."""
        return self.history[-1].at if self.history else self.created

    def describe_calibration(self, translate: Translator) -> str:
        """Return how often such probabilities are right, one sentence; as measured for recordings of this kind."""
        stated = [field.value for field in self.fields if field.key == "reliability"]
        calibrated = messages.CALIBRATED if self.findings.calibrated else messages.NOT_CALIBRATED
        return stated[0] if stated else translate(calibrated)

    def is_unedited(self, key: str) -> bool:
        """Return whether a field exists and no clinician rewrote it; only then exports show the numbers behind it."""
        return any(field.key == key and field.origin.kind != WRITTEN for field in self.fields)

    def field(self, key: str) -> Field:
        """Return the field with this key.

        Raises:
            RecordError: there is no such field.
        """
        for field in self.fields:
            if field.key == key:
                return field
        raise RecordError(
            N_("The record has no field '{key}', which is needed for this; use another copy of it.", key=key)
        )


@dataclasses.dataclass(frozen=True)
class Figures:
    """Two PNG files of a record: ten seconds of the signal, and the power of five bands over the scalp."""

    signal: bytes = dataclasses.field(repr=False)
    bands: bytes = dataclasses.field(repr=False)


def digest(record: Record, signature: Signature | None = None) -> str:
    """Return the SHA-256 of the record as canonical JSON.

    It covers name, role, statement and time of ``signature``, which is the record's own if None is given.
    """
    signature = signature or record.signature
    signed = {**vars(signature), "sha256": ""} if signature else None
    plain = {**vars(record), "signature": signed, "nameless": False}
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, default=vars)
    return hashlib.sha256(text.encode()).hexdigest()


def without_identity(record: Record) -> Record:
    """Return a copy for exports under a pseudonym: fields, free text and history are without name and number.

    Earlier names and numbers are removed too. The history keeps who did what, but no text. The signature remains that
    of the original: it is valid for the original, not for this copy.
    """
    names, numbers = (_collect_values(record, key) for key in IDENTITY)

    def remove_names(text: str) -> str:
        for name in names:
            text = remove_identity(text, name=name)
        for number in numbers:
            text = remove_identity(text, number=number)
        return text

    sections = (
        replace(
            section,
            fields=tuple(replace(f, value=remove_names(f.value)) for f in section.fields if f.key not in IDENTITY),
        )
        for section in record.sections
    )
    history = (replace(change, before="", after="") for change in record.history if change.key not in IDENTITY)
    return replace(
        record,
        headline=remove_names(record.headline),
        sections=tuple(sections),
        history=tuple(history),
        nameless=True,
    )


def _collect_values(record: Record, key: str) -> list[str]:
    """Return every text that a field has or had: longest first, then by the alphabet, so that the order is fixed."""
    texts = {field.value for field in record.fields if field.key == key}
    texts |= {text for change in record.history if change.key == key for text in (change.before, change.after)}
    return sorted(filter(None, texts), key=lambda text: (-len(text), text))


def timestamp(now: datetime) -> str:
    """Return a time as ISO 8601 in UTC, whole seconds; ``now`` is local time if it has no time zone."""
    return now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
