"""Draft the record of one analysis (see ``draft``).

Numbers are written by this code from the measurement and the probabilities, never taken from prose.
"""

import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from copilot import __version__, emotions
from copilot.eeg.preprocessing.clean import ChannelQuality, Quality
from copilot.eeg.types import Recording
from copilot.i18n import Translator, english
from copilot.person import Person
from copilot.record.model import (
    ENTERED,
    MEASURED,
    SUGGESTED,
    WRITTEN,
    Field,
    Findings,
    Origin,
    Record,
    Section,
    timestamp,
)
from copilot.record.patient_identity import PatientIdentity
from copilot.result import Result
from copilot.text import normalise_line

SOFTWARE = f"EEG Emotion Copilot {__version__}"

Make = Callable[[str, str, str], Field]


def draft(
    person: Person,
    recording: Recording,
    quality: Quality,
    reading: Result,
    *,
    now: datetime,
    particulars: PatientIdentity | None = None,
    language: str = "en",
) -> Record:
    """Draft the record of one analysis.

    Args:
        person: what the form said.
        recording: the cleaned recording.
        quality: what cleaning found.
        reading: the complete reading.
        now: the time to write down; taken as local time where it has no zone.
        particulars: what is meant for the record alone.
        language: of labels and of what code writes.
    """
    say, at = Translator(language), timestamp(now)
    reading = replace(reading, trust=quality.trust)  # of a poor recording no emotion is stated as clear
    entered, measured = _maker(Origin(ENTERED, at, SOFTWARE)), _maker(Origin(MEASURED, at, SOFTWARE))
    suggested = _maker(Origin(SUGGESTED, at, SOFTWARE, reading.model, reading.model_sha256, reading.prompt_sha256))
    counted = _maker(Origin(SUGGESTED, at, SOFTWARE, "decoder", reading.decoder_sha256))
    if reading.readout != "decoder":
        counted = suggested
    written = _maker(Origin(WRITTEN, at, SOFTWARE))
    given = particulars or PatientIdentity()
    findings, first = _findings(recording, quality, reading), percent(max(reading.probabilities))
    sections = (
        Section("basic", say(english.SECTION_BASIC), _basic(person, given, say, entered)),
        Section("history", say(english.SECTION_HISTORY), _history(person, say, entered)),
        Section("examination", say(english.SECTION_EXAMINATION), _examination(recording, quality, say, measured)),
        _only_if("laboratory", english.SECTION_LABORATORY, english.FIELD_LABORATORY, given.laboratory, say, entered),
        Section("assessment", say(english.SECTION_ASSESSMENT), _assessment(reading, say, counted, suggested)),
        Section("plan", say(english.SECTION_PLAN), _plan(reading, say, suggested)),
        Section("follow_up", say(english.SECTION_FOLLOW_UP), (written("follow_up", say(english.FIELD_FOLLOW_UP), ""),)),
        _only_if("expenses", english.SECTION_EXPENSES, english.FIELD_EXPENSES, given.expenses, say, entered),
    )
    return Record(
        id=str(uuid.uuid4()),
        version=1,
        amends="",
        language=language,
        headline=headline(findings, say(english.RECORD_FIRST, emotion=reading.emotion, percent=first), say),
        notes=tuple(say(note) for note in reading.notes),
        sections=tuple(section for section in sections if section.fields),
        findings=findings,
        created=at,
        software=SOFTWARE,
        model=reading.model,
        model_sha256=reading.model_sha256,
        prompt_sha256=reading.prompt_sha256,
        readout=reading.readout,
        codec=reading.codec,
        decoder_sha256=reading.decoder_sha256,
    )


def percent(share: float) -> str:
    """A share of 1 as it is written everywhere: ``34.2 %``."""
    return f"{100 * share:.1f} %"


def tidied(key: str, value: str) -> str:
    """A field's text as it is kept: printable lines, and no age above 89 (see ``Person.age_text``)."""
    lines = "\n".join(normalise_line(line) for line in value.splitlines()).strip()
    years = re.search(r"\d+", lines) if key == "age" else None
    if years and (len(years[0]) > 2 or int(years[0]) > 89):
        return "90+"
    return lines


def headline(findings: Findings, emotion: str, say: Translator) -> str:
    """The first line: what there is to doubt or, if nothing, the emotion as it is stated."""
    doubts = []
    if findings.trust == "poor":
        doubts.append(say(english.RECORD_POOR))
    if findings.confidence != "clear":
        doubts.append(say(english.RECORD_UNCERTAIN))
    return " ".join(doubts) or emotion


def _maker(origin: Origin) -> Make:
    def make(key: str, label: str, value: str) -> Field:
        text = tidied(key, value)
        return Field(key, label, text, origin, accepted=origin.kind != SUGGESTED or not text)

    return make


def _only_if(key: str, title: str, label: str, value: str, say: Translator, make: Make) -> Section:
    return Section(key, say(title), (make(key, say(label), value),) if value else ())


def _findings(recording: Recording, quality: Quality, reading: Result) -> Findings:
    return Findings(
        probabilities=tuple(float(p) for p in reading.probabilities),
        confidence=reading.confidence,
        calibrated=reading.calibrated,
        trust=quality.trust,
        seconds=int(quality.clean.size),
        clean_seconds=quality.clean_seconds,
        sfreq=float(recording.sfreq),
        electrodes=tuple(recording.channels),
        bad_electrodes=tuple(c.name for c in quality.channels if c.flat or c.railed or c.noisy),
        line_hz=None if quality.line_hz is None else float(quality.line_hz),
    )


def _basic(person: Person, given: PatientIdentity, say: Translator, make: Make) -> tuple[Field, ...]:
    return (
        make("name", say(english.FIELD_NAME), given.name),
        make("number", say(english.FIELD_NUMBER), given.number),
        make("gender", say(english.FIELD_GENDER), say(person.gender)),
        make("age", say(english.FIELD_AGE), "" if person.age is None else person.age_text),
        make("appearance", say(english.FIELD_APPEARANCE), person.appearance),
    )


def _history(person: Person, say: Translator, make: Make) -> tuple[Field, ...]:
    return (
        make("complaint", say(english.FIELD_COMPLAINT), person.complaint),
        make("history", say(english.FIELD_HISTORY), person.history),
    )


def _examination(recording: Recording, quality: Quality, say: Translator, make: Make) -> tuple[Field, ...]:
    share = percent(quality.clean_share)
    mains = say(english.MAINS_NONE)
    if quality.line_hz:
        mains = say(english.MAINS_FOUND, hertz=f"{quality.line_hz:.0f}", times=f"{quality.line_ratio:.1f}")
    done = dict.fromkeys((*recording.notes, *quality.sentences))  # cleaning may repeat a sentence of the reader
    as_read = ""
    if recording.rate_read is not None:
        as_read = say(english.COMMA).join((f"{recording.rate_read:g} Hz", say(recording.rate_from)))
    values = (
        ("source", english.FIELD_SOURCE, say(recording.source)),
        ("seconds", english.FIELD_SECONDS, f"{recording.seconds:.0f} s"),
        *([("rate_read", english.FIELD_RATE_READ, as_read)] if as_read else []),
        ("sfreq", english.FIELD_SFREQ, f"{recording.sfreq:g} Hz"),
        ("electrodes", english.FIELD_ELECTRODES, f"{len(recording.channels)}: {', '.join(recording.channels)}"),
        ("trust", english.FIELD_TRUST, say(quality.trust)),
        (
            "clean",
            english.FIELD_CLEAN,
            say(english.CLEAN_SHARE, clean=quality.clean_seconds, total=quality.clean.size, percent=share),
        ),
        ("mains", english.FIELD_MAINS, mains),
        (
            "bad_channels",
            english.FIELD_BAD_CHANNELS,
            say(english.COMMA).join(_faults(quality.channels, say)) or say(english.NONE),
        ),
        ("removed", english.FIELD_REMOVED, _counts(quality.components_removed, say) or say(english.NONE)),
        ("processing", english.FIELD_PROCESSING, "\n".join(say(line) for line in done)),
    )
    return tuple(make(key, say(label), value) for key, label, value in values)


def _faults(channels: Iterable[ChannelQuality], say: Translator) -> Iterable[str]:
    for channel in channels:
        if faults := [name for name in ("flat", "railed", "noisy", "interpolated") if getattr(channel, name)]:
            yield say(english.ELECTRODE_FAULT, name=channel.name, fault=tuple(faults))


def _counts(removed: dict[str, int], say: Translator) -> str:
    counts = (say(english.COUNTED, count=count, kind=kind) for kind, count in removed.items() if count)
    return say(english.COMMA).join(counts)


def _assessment(reading: Result, say: Translator, counted: Make, make: Make) -> tuple[Field, ...]:
    """The numbers, by what counted them, and the model's prose."""
    ranked = [f"{say(name)} {percent(p)}" for name, p in emotions.by_probability(reading.probabilities)]
    first = ranked[0] if reading.certain else say(english.NONE_STANDS_OUT, first=ranked[0], second=ranked[1])
    classes = zip(emotions.THREE_CLASSES, emotions.three_classes(reading.probabilities), strict=True)
    listed = say(english.COMMA).join(f"{say(name)} {percent(p)}" for name, p in classes)
    return (
        counted("emotion", say(english.FIELD_EMOTION), first),
        counted("probabilities", say(english.FIELD_PROBABILITIES), "\n".join(ranked)),
        counted("three_class", say(english.FIELD_THREE_CLASS), listed),
        counted("valence", say(english.FIELD_VALENCE), f"{round(reading.valence, 2) + 0.0:+.2f}"),  # + 0.0: no "-0.00"
        make("assessment", say(english.FIELD_ASSESSMENT), reading.assessment),
    )


def _plan(reading: Result, say: Translator, make: Make) -> tuple[Field, ...]:
    return (make("suggestions", say(english.FIELD_SUGGESTIONS), "\n".join(reading.suggestions)),)
