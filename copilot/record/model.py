"""The record: sections of fields, each with its origin, a history of every change, and perhaps a signature.

Sections follow the electronic medical record of the EEG Emotion Copilot paper (arXiv 2410.00166). A record is never
changed: ``drafting`` makes one, ``review`` makes the next from it.
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
from copilot.i18n import LANGUAGES, N_, english
from copilot.settings import READOUTS

#: Who a field's text comes from.
ENTERED, MEASURED, SUGGESTED, WRITTEN = "entered", "measured", "suggested", "written"
ORIGINS = (ENTERED, MEASURED, SUGGESTED, WRITTEN)

ACTIONS = ("accepted", "edited", "deleted", "signed", "amended")
DRAFT, SIGNED = "draft", "signed"

#: Fields that say who the person is; see ``without_identity``.
IDENTITY = ("name", "number")

MOST_VERSIONS = 9999
#: Characters of a field and changes that a clinician can make.
MAX_VALUE, MOST_CHANGES = 4000, 1000
TRUSTS = ("good", "fair", "poor")
TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_STRICT = {"extra": "forbid", "strict": True}  # for pydantic, which reads records (``as_json``)


class RecordError(CopilotError, ValueError):
    """A record cannot be used or changed so; the message is one plain sentence."""


@dataclass(frozen=True)
class Origin:
    """Where a field's text comes from.

    Attributes:
        kind: one of ``ORIGINS``.
        at: when it got there, ISO 8601 in UTC.
        software: this program and its version, through which it came.
        by: the model's id where suggested, the clinician's name where written, else empty.
        model_sha256, prompt_sha256: of the model file and of the prompt's messages, where suggested.
    """

    kind: str
    at: str
    software: str
    by: str = ""
    model_sha256: str = ""
    prompt_sha256: str = ""
    __pydantic_config__ = _STRICT

    def __post_init__(self) -> None:
        _one_of("Origin", self.kind, ORIGINS)
        _time(self.at)


@dataclass(frozen=True)
class Field:
    """One line of the record.

    Attributes:
        key: unique in the record, the same in every language.
        label: what a reader sees, in the record's language.
        value: plain text, perhaps of several lines, empty where there is nothing.
        origin: where the text comes from.
        accepted: False as long as text that the model suggested waits for a clinician.
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
    """The numbers behind the text, as code measured them; exports take numbers from here and never out of text.

    Attributes:
        probabilities: nine, in the order of ``emotions.EMOTIONS``.
        confidence: ``clear``, ``leaning`` or ``unclear``, see ``emotions.confidence``.
        calibrated: whether it was measured how often such probabilities are right.
        trust: ``good``, ``fair`` or ``poor``: the recording's quality.
        seconds: whole seconds of the recording.
        clean_seconds: how many of them are usable.
        sfreq: samples a second after cleaning, Hz.
        electrodes: of the cleaned recording.
        bad_electrodes: that carried no usable signal.
        line_hz: mains frequency that was found, or None.
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
        _one_of("Confidence", self.confidence, emotions.CONFIDENCES)
        _one_of("Quality", self.trust, TRUSTS)


@dataclass(frozen=True)
class Change:
    """One act of a clinician.

    Attributes:
        at: when, ISO 8601 in UTC.
        name, role: who.
        action: one of ``ACTIONS``.
        key: of the field, empty where the whole record is meant.
        before, after: the field's text.
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
        _one_of("Action", self.action, ACTIONS)
        _time(self.at)
        _somebody(self.name, self.role)


@dataclass(frozen=True)
class Signature:
    """Who signed, with what words, when; ``sha256`` is the digest of the record with all of these (``digest``)."""

    name: str
    role: str
    statement: str
    at: str
    sha256: str
    __pydantic_config__ = _STRICT

    def __post_init__(self) -> None:
        _time(self.at)
        _somebody(self.name, self.role)
        if not self.statement:
            raise RecordError(N_("Say what you sign: the statement is empty."))


@dataclass(frozen=True)
class Record:
    """One version of a record.

    Attributes:
        id: a random UUID (RFC 9562), the same for all its versions.
        version: 1, and one more for every amendment.
        amends: digest of the signed version that this one amends, else empty.
        language: of labels and of what code wrote, a key of ``language.LANGUAGES``; the model's prose is English.
        headline: the first line: how far to trust the rest.
        notes: what a reader must know about the reading, plain sentences.
        sections: in the paper's order; a field's key occurs once in the whole record.
        findings: the numbers.
        created: when it was drafted, ISO 8601 in UTC.
        software: this program and its version.
        model: id of the model file or server model.
        model_sha256: empty for a remote model.
        prompt_sha256: of the rendered messages.
        readout: where the probabilities come from, one of ``READOUTS``.
        codec: name of the EEG text's codec.
        history: every change by a clinician, in order, over all versions.
        signature: once signed; the record is locked then.
        decoder_sha256: of the small decoder's file, empty where it is not known.
        nameless: a copy for exports, see ``without_identity``; its signature is the original's.

    Raises:
        RecordError: a value that is none of those allowed, two fields with one key, text of the model that is called
            accepted and that nobody accepted, a signature over another record.
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
        _one_of("Read-out", self.readout, READOUTS)
        _one_of("Language", self.language, tuple(LANGUAGES))
        _time(self.created)
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
    def doubtful(self) -> bool:
        """Whether the recording is poor or no emotion stands out: the first line says so then."""
        return self.findings.trust == "poor" or self.findings.confidence != "clear"

    @property
    def changed(self) -> str:
        """When it was last changed or, if never, created."""
        return self.history[-1].at if self.history else self.created

    def stands(self, key: str) -> bool:
        """Whether this field is there and no clinician rewrote it: only then do exports show the numbers behind it."""
        return any(field.key == key and field.origin.kind != WRITTEN for field in self.fields)

    def field(self, key: str) -> Field:
        """The field with this key.

        Raises:
            RecordError: there is none.
        """
        for field in self.fields:
            if field.key == key:
                return field
        raise RecordError(
            N_("The record has no field '{key}', which is needed for this; use another copy of it.", key=key)
        )


def digest(record: Record, signature: Signature | None = None) -> str:
    """Sha256 of the record as canonical JSON, with name, role, words and time of its signature, or of this one."""
    signature = signature or record.signature
    signed = replace(signature, sha256="") if signature else None
    plain = {**vars(record), "signature": signed, "nameless": False}
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, default=vars)
    return hashlib.sha256(text.encode()).hexdigest()


def without_identity(record: Record) -> Record:
    """A copy for exports that go by a pseudonym: name and number are out of fields, free text and history.

    Also those that stood there earlier; of the history, who did what remains and no text. The signature stays the
    original's: it holds for that, not for this copy.
    """
    names, numbers = (_once_there(record, key) for key in IDENTITY)

    def said(text: str) -> str:
        for name in names:
            text = remove_identity(text, name=name)
        for number in numbers:
            text = remove_identity(text, number=number)
        return text

    sections = (
        replace(section, fields=tuple(replace(f, value=said(f.value)) for f in section.fields if f.key not in IDENTITY))
        for section in record.sections
    )
    history = (replace(change, before="", after="") for change in record.history if change.key not in IDENTITY)
    return replace(
        record, headline=said(record.headline), sections=tuple(sections), history=tuple(history), nameless=True
    )


def _once_there(record: Record, key: str) -> list[str]:
    """Every text that the field has or had, longest first."""
    texts = {field.value for field in record.fields if field.key == key}
    texts |= {text for change in record.history if change.key == key for text in (change.before, change.after)}
    return sorted(filter(None, texts), key=len, reverse=True)


def timestamp(now: datetime) -> str:
    """ISO 8601 in UTC, whole seconds; local time where ``now`` has no zone."""
    return now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _one_of(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise RecordError(f"{what} is {value!r:.80}; it can be {', '.join(allowed)}.")


def _somebody(name: str, role: str) -> None:
    if not (name and role):
        raise RecordError(N_(english.RECORD_NOBODY))


def _time(text: str) -> None:
    """As ``timestamp`` writes it."""
    try:
        known = re.fullmatch(TIME, text) and datetime.fromisoformat(text)
    except ValueError:
        known = None
    if not known:
        raise RecordError(f"The time {text!r:.80} is not ISO 8601 in UTC, to the second.")
