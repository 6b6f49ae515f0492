"""Define the record: sections of fields with their origins, a history of every change, and an optional signature.

Sections follow the electronic medical record of the EEG Emotion Copilot paper (arXiv 2410.00166). A record is never
changed: ``draft`` makes the first one, and ``review`` returns a new one for every change.
"""

import hashlib
import json
import math
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from copilot import emotions
from copilot.deidentify import remove_identity
from copilot.errors import CopilotError
from copilot.i18n import LANGUAGES, N_
from copilot.i18n import messages as shared_messages
from copilot.settings import READOUTS

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
TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_STRICT = {"extra": "forbid", "strict": True}  # for pydantic, which reads records (``json_format``)


class RecordError(CopilotError, ValueError):
    """A record cannot be used or cannot be changed in this way; the message is one plain sentence."""


@dataclass(frozen=True)
class Origin:
    """Where a field's text comes from.

    Attributes:
        kind: one of ``ORIGINS``.
        at: time of entry, ISO 8601 in UTC.
        software: this program and its version.
        by: the model's id if suggested, the clinician's name if written, else empty.
        model_sha256, prompt_sha256: digests of the model file and of the prompt's messages, if suggested.
    """

    kind: str
    at: str
    software: str
    by: str = ""
    model_sha256: str = ""
    prompt_sha256: str = ""
    __pydantic_config__ = _STRICT

    def __post_init__(self) -> None:
        _check_choice("Origin", self.kind, ORIGINS)
        _check_time(self.at)


@dataclass(frozen=True)
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
    __pydantic_config__ = _STRICT

    def __post_init__(self) -> None:
        if not self.accepted and self.origin.kind != SUGGESTED:
            raise RecordError(f"Field {self.key} waits for a clinician, but no model suggested it.")


@dataclass(frozen=True)
class Section:
    """Fields under one title."""

    key: str
    title: str
    fields: tuple[Field, ...]
    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
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

    probabilities: tuple[float, ...]
    confidence: str
    calibrated: bool
    trust: str
    seconds: int
    clean_seconds: int
    sfreq: float
    electrodes: tuple[str, ...]
    bad_electrodes: tuple[str, ...] = ()
    line_hz: float | None = None
    __pydantic_config__ = _STRICT

    def __post_init__(self) -> None:
        right = len(self.probabilities) == len(emotions.EMOTIONS) and all(0 <= p <= 1 for p in self.probabilities)
        if not right or abs(sum(self.probabilities) - 1) > 0.001:
            raise RecordError(f"A record has {len(emotions.EMOTIONS)} probabilities from 0 to 1, together 1.")
        rates = (self.sfreq, self.line_hz or 0.0)
        if not 0 <= self.clean_seconds <= self.seconds or not all(math.isfinite(hz) and hz >= 0 for hz in rates):
            raise RecordError(
                "A record's seconds and hertz are finite and not negative; no more are clean than there are."
            )
        _check_choice("Confidence", self.confidence, emotions.CONFIDENCES)
        _check_choice("Quality", self.trust, TRUSTS)


@dataclass(frozen=True)
class Change:
    """One action of a clinician.

    Attributes:
        at: time of the action, ISO 8601 in UTC.
        name, role: the clinician.
        action: one of ``ACTIONS``.
        key: key of the field, empty if the action concerns the whole record.
        before, after: text of the field before and after the action.
    """

    at: str
    name: str
    role: str
    action: str
    key: str = ""
    before: str = ""
    after: str = ""
    __pydantic_config__ = _STRICT

    def __post_init__(self) -> None:
        _check_choice("Action", self.action, ACTIONS)
        _check_time(self.at)
        _check_name_and_role(self.name, self.role)


@dataclass(frozen=True)
class Signature:
    """A clinician's signature: name, role, statement and time.

    ``sha256`` is the digest of the record with all of these (see ``digest``).
    """

    name: str
    role: str
    statement: str
    at: str
    sha256: str
    __pydantic_config__ = _STRICT

    def __post_init__(self) -> None:
        _check_time(self.at)
        _check_name_and_role(self.name, self.role)
        if not self.statement:
            raise RecordError(N_("Say what you sign: the statement is empty."))


@dataclass(frozen=True)
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

    id: str
    version: int
    amends: str
    language: str
    headline: str
    notes: tuple[str, ...]
    sections: tuple[Section, ...]
    findings: Findings
    created: str
    software: str
    model: str
    model_sha256: str
    prompt_sha256: str
    readout: str
    codec: str
    history: tuple[Change, ...] = ()
    signature: Signature | None = None
    decoder_sha256: str = ""
    nameless: bool = False
    __pydantic_config__ = _STRICT

    def __post_init__(self) -> None:
        if not re.fullmatch(UUID, self.id) or not 1 <= self.version <= MOST_VERSIONS:
            raise RecordError(f"A record has a UUID and a version from 1 to {MOST_VERSIONS}.")
        _check_choice("Read-out", self.readout, READOUTS)
        _check_choice("Language", self.language, tuple(LANGUAGES))
        _check_time(self.created)
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


def digest(record: Record, signature: Signature | None = None) -> str:
    """Return the SHA-256 of the record as canonical JSON.

    It covers name, role, statement and time of ``signature``, which is the record's own if None is given.
    """
    signature = signature or record.signature
    signed = replace(signature, sha256="") if signature else None
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


def _check_choice(what: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse a value that is not allowed.

    Args:
        what: name of the value, for the message.
        value: the value to check.
        allowed: the values to choose from.

    Raises:
        RecordError: the value is not allowed.
    """
    if value not in allowed:
        raise RecordError(f"{what} is {value!r:.80}; it can be {', '.join(allowed)}.")


def _check_name_and_role(name: str, role: str) -> None:
    """Refuse an empty name or role.

    Raises:
        RecordError: one of them is empty.
    """
    if not (name and role):
        raise RecordError(shared_messages.RECORD_NOBODY)


def _check_time(text: str) -> None:
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
