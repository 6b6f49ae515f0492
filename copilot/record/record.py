"""The draft medical record: sections of fields, each with its origin (see ``draft`` and ``edit``).

Sections follow the electronic medical record of the EEG Emotion Copilot paper (arXiv 2410.00166). Laboratory results
and expenses are left out: nothing here could fill them. Numbers are written by this code from the measurement and the
probabilities, never taken from prose.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from copilot import __version__, emotions
from copilot.eeg.cleaning import ChannelQuality, Quality
from copilot.eeg.recording import Recording
from copilot.person import Person, tidy
from copilot.reading import Reading

#: Who a field's text comes from, with the words a reader sees.
ORIGIN_WORDS = {
    "entered": "entered by the person",
    "measured": "measured from the EEG",
    "suggested": "AI-suggested, by the model",
    "written": "written by the clinician",
}
ORIGINS = tuple(ORIGIN_WORDS)

READOUT_WORDS = {
    "both": "language model, with the decoder's evidence",
    "model": "language model alone",
    "decoder": "decoder alone",
}

#: A review and a signature will add theirs.
STATUSES = ("draft",)


class RecordError(ValueError):
    """A record cannot be used; the message is one plain sentence."""


@dataclass(frozen=True)
class Field:
    """One line of the record: ``value`` is plain text, perhaps of several lines, empty where nothing was given."""

    key: str
    label: str
    value: str
    origin: str

    def __post_init__(self) -> None:
        _one_of(f"Origin of {self.key}", self.origin, ORIGINS)


@dataclass(frozen=True)
class Section:
    """Fields under one title."""

    key: str
    title: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Record:
    """A draft record.

    Attributes:
        headline: the first line: how far to trust the rest.
        notes: what a reader must know about the reading, plain sentences.
        sections: in the paper's order; a field's key occurs once in the whole record.
        created: when, ISO 8601 in UTC.
        software: version of this program.
        model: id of the model file or server model.
        model_sha256: empty for a remote model.
        prompt_sha256: of the rendered messages.
        readout: where the probabilities come from, a key of ``READOUT_WORDS``.
        codec: name of the EEG text's codec.
        status: ``draft`` until a clinician has reviewed it.

    Raises:
        RecordError: unknown status or read-out, a time without a zone, or two fields with one key.
    """

    headline: str
    notes: tuple[str, ...]
    sections: tuple[Section, ...]
    created: str
    software: str
    model: str
    model_sha256: str
    prompt_sha256: str
    readout: str
    codec: str
    status: str = "draft"

    def __post_init__(self) -> None:
        _one_of("Status", self.status, STATUSES)
        _one_of("Read-out", self.readout, tuple(READOUT_WORDS))
        if not _is_time(self.created):
            raise RecordError(f"The record's time is {self.created!r}; it has to be ISO 8601 with its zone.")
        keys = [field.key for field in self.fields]
        if len(set(keys)) < len(keys):
            raise RecordError("Two fields of the record have the same key.")

    @property
    def fields(self) -> tuple[Field, ...]:
        """All fields, in order."""
        return tuple(field for section in self.sections for field in section.fields)


def draft(person: Person, recording: Recording, quality: Quality, reading: Reading, *, now: datetime) -> Record:
    """Draft the record of one analysis.

    Args:
        person: what the form said.
        recording: the cleaned recording.
        quality: what cleaning found.
        reading: the complete reading.
        now: the time to write down; taken as local time where it has no zone.
    """
    return Record(
        headline=_headline(quality, reading),
        notes=reading.notes,
        sections=(
            Section("basic", "Basic information", _basic(person)),
            Section("history", "Medical history", _history(person)),
            Section("examination", "Examination: EEG", _examination(recording, quality)),
            Section("assessment", "Assessment", _assessment(reading)),
            Section("plan", "Plan", _plan(reading)),
            Section("follow_up", "Follow-up", (_field("follow_up", "Follow-up", "", "written"),)),
        ),
        created=now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        software=__version__,
        model=reading.model,
        model_sha256=reading.model_sha256,
        prompt_sha256=reading.prompt_sha256,
        readout=reading.readout,
        codec=reading.codec,
    )


def edit(record: Record, key: str, value: str) -> Record:
    """The record with one field's text changed, its origin now ``written``; unchanged text keeps its origin.

    Raises:
        KeyError: the record has no such field.
    """
    old = next((field for field in record.fields if field.key == key), None)
    if old is None:
        raise KeyError(key)
    new = _field(key, old.label, value, "written")
    if new.value == old.value:
        return record
    sections = (
        replace(section, fields=tuple(new if field is old else field for field in section.fields))
        for section in record.sections
    )
    return replace(record, sections=tuple(sections))


def percent(share: float) -> str:
    """A share of 1 as it is written everywhere: ``34.2 %``."""
    return f"{100 * share:.1f} %"


def _one_of(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise RecordError(f"{what} is {value!r}; it can be {', '.join(allowed)}.")


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _field(key: str, label: str, value: str, origin: str) -> Field:
    lines = "\n".join(tidy(line) for line in value.splitlines()).strip()
    if key == "age" and re.match(r"(9\d|[1-9]\d\d)\b", lines):
        lines = "90+"  # also where a clinician types the age: see Person.age_text
    return Field(key, label, lines, origin)


def _headline(quality: Quality, reading: Reading) -> str:
    warnings = []
    if quality.trust == "poor":
        warnings.append("Poor recording: do not rely on what it says about emotion.")
    if not reading.certain:
        warnings.append("No emotion stands out above the uncertainty of this reading.")
    first = max(reading.probabilities)
    return " ".join(warnings) or f"Most probable of nine emotions: {reading.emotion} ({percent(first)})."


def _basic(person: Person) -> tuple[Field, ...]:
    return (
        _field("gender", "Gender", person.gender, "entered"),
        _field("age", "Age", "" if person.age is None else person.age_text, "entered"),
        _field("appearance", "Appearance, in their own words", person.appearance, "entered"),
    )


def _history(person: Person) -> tuple[Field, ...]:
    return (
        _field("complaint", "Complaint", person.complaint, "entered"),
        _field("history", "History", person.history, "entered"),
    )


def _examination(recording: Recording, quality: Quality) -> tuple[Field, ...]:
    clean = f"{quality.clean_seconds} of {quality.clean.size} s ({percent(quality.clean_share)})"
    mains = "none found"
    if quality.line_hz:
        mains = f"{quality.line_hz:.0f} Hz, {quality.line_ratio:.1f} times its neighbourhood before removal"
    done = dict.fromkeys((*recording.notes, *quality.sentences))  # cleaning may repeat a sentence of the reader
    values = (
        ("source", "Kind of file", recording.source),
        ("seconds", "Length", f"{recording.seconds:.0f} s"),
        ("sfreq", "Sampling rate after cleaning", f"{recording.sfreq:g} Hz"),
        ("electrodes", "Electrodes", f"{len(recording.channels)}: {', '.join(recording.channels)}"),
        ("trust", "Quality", quality.trust),
        ("clean", "Clean share", clean),
        ("mains", "Mains interference", mains),
        ("bad_channels", "Bad electrodes", ", ".join(_faults(quality.channels)) or "none"),
        ("removed", "Components removed", _counts(quality.components_removed) or "none"),
        ("processing", "What was found and done", "\n".join(done)),
    )
    return tuple(_field(key, label, value, "measured") for key, label, value in values)


def _faults(channels: Iterable[ChannelQuality]) -> Iterable[str]:
    for channel in channels:
        if faults := [name for name in ("flat", "railed", "noisy", "interpolated") if getattr(channel, name)]:
            yield f"{channel.name} ({', '.join(faults)})"


def _counts(removed: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in removed.items() if count)


def _assessment(reading: Reading) -> tuple[Field, ...]:
    ranked = [f"{name} {percent(p)}" for name, p in emotions.by_probability(reading.probabilities)]
    classes = zip(emotions.THREE_CLASSES, emotions.three_classes(reading.probabilities), strict=True)
    values = (
        ("emotion", "Emotion", ranked[0] if reading.certain else f"none stands out ({ranked[0]}, {ranked[1]})"),
        ("probabilities", "Probabilities", "\n".join(ranked)),
        ("three_class", "Negative, neutral, positive", ", ".join(f"{name} {percent(p)}" for name, p in classes)),
        ("valence", "Valence (-1 to +1)", f"{round(reading.valence, 2) + 0.0:+.2f}"),  # + 0.0: no "-0.00"
        ("assessment", "Assessment", reading.assessment),
    )
    return tuple(_field(key, label, value, "suggested") for key, label, value in values)


def _plan(reading: Reading) -> tuple[Field, ...]:
    return (_field("suggestions", "Suggestions", "\n".join(reading.suggestions), "suggested"),)
