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
from copilot.i18n import N_, Translator, english
from copilot.i18n.terms import term
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

COMMA = N_(", ")


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
        Section("basic", say(N_("Basic information")), _basic(person, given, say, entered)),
        Section("history", say(N_("Medical history")), _history(person, say, entered)),
        Section("examination", say(N_("Examination: EEG")), _examination(recording, quality, say, measured)),
        _only_if("laboratory", N_("Laboratory"), english.FIELD_LABORATORY, given.laboratory, say, entered),
        Section("assessment", say(N_("Assessment")), _assessment(reading, say, counted, suggested)),
        Section("plan", say(N_("Plan")), _plan(reading, say, suggested)),
        Section("follow_up", say(N_("Follow-up")), (written("follow_up", say(N_("Follow-up")), ""),)),
        _only_if("expenses", N_("Expenses"), english.FIELD_EXPENSES, given.expenses, say, entered),
    )
    return Record(
        id=str(uuid.uuid4()),
        version=1,
        amends="",
        language=language,
        headline=headline(
            findings,
            say(
                N_("Most probable of nine emotions: {emotion} ({percent})."),
                emotion=term("emotion", reading.emotion),
                percent=first,
            ),
            say,
        ),
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
        doubts.append(say(N_("Poor recording: do not rely on what it says about emotion.")))
    if findings.confidence != "clear":
        doubts.append(say(N_("No emotion stands out above the uncertainty of this reading.")))
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
        make("gender", say(english.FIELD_GENDER), say(term("gender", person.gender))),
        make("age", say(N_("Age")), "" if person.age is None else person.age_text),
        make("appearance", say(N_("Appearance, in their own words")), person.appearance),
    )


def _history(person: Person, say: Translator, make: Make) -> tuple[Field, ...]:
    return (
        make("complaint", say(N_("Complaint")), person.complaint),
        make("history", say(N_("History")), person.history),
    )


def _examination(recording: Recording, quality: Quality, say: Translator, make: Make) -> tuple[Field, ...]:
    share = percent(quality.clean_share)
    mains = say(N_("none found"))
    if quality.line_hz:
        mains = say(
            N_("{hertz} Hz, {times} times its neighbourhood before removal"),
            hertz=f"{quality.line_hz:.0f}",
            times=f"{quality.line_ratio:.1f}",
        )
    done = dict.fromkeys((*recording.notes, *quality.sentences))  # cleaning may repeat a sentence of the reader
    as_read = ""
    if recording.rate_read is not None:
        as_read = say(COMMA).join((f"{recording.rate_read:g} Hz", say(recording.rate_from)))
    values = (
        ("source", N_("Kind of file"), say(recording.source)),
        ("seconds", N_("Length"), f"{recording.seconds:.0f} s"),
        *([("rate_read", N_("Sampling rate as read"), as_read)] if as_read else []),
        ("sfreq", N_("Sampling rate after cleaning"), f"{recording.sfreq:g} Hz"),
        ("electrodes", N_("Electrodes"), f"{len(recording.channels)}: {', '.join(recording.channels)}"),
        ("trust", N_("Quality"), say(term("quality", quality.trust))),
        (
            "clean",
            N_("Clean share"),
            say(
                N_("{clean} of {total} s ({percent})"),
                clean=quality.clean_seconds,
                total=quality.clean.size,
                percent=share,
            ),
        ),
        ("mains", N_("Mains interference"), mains),
        (
            "bad_channels",
            N_("Bad electrodes"),
            say(COMMA).join(_faults(quality.channels, say)) or say(english.NONE),
        ),
        ("removed", N_("Components removed"), _counts(quality.components_removed, say) or say(english.NONE)),
        ("processing", N_("What was found and done"), "\n".join(say(line) for line in done)),
    )
    return tuple(make(key, say(label), value) for key, label, value in values)


def _faults(channels: Iterable[ChannelQuality], say: Translator) -> Iterable[str]:
    for channel in channels:
        if faults := [name for name in ("flat", "railed", "noisy", "interpolated") if getattr(channel, name)]:
            yield say(
                english.ELECTRODE_FAULT, name=channel.name, fault=tuple(term("channel", fault) for fault in faults)
            )


def _counts(removed: dict[str, int], say: Translator) -> str:
    counts = (
        say(english.COUNTED, count=count, kind=term("component", kind)) for kind, count in removed.items() if count
    )
    return say(COMMA).join(counts)


def _assessment(reading: Result, say: Translator, counted: Make, make: Make) -> tuple[Field, ...]:
    """The numbers, by what counted them, and the model's prose."""
    ranked = [
        f"{say(term('emotion', name))} {percent(p)}" for name, p in emotions.sort_by_probability(reading.probabilities)
    ]
    first = (
        ranked[0]
        if reading.certain
        else say(N_("none stands out ({first}, {second})"), first=ranked[0], second=ranked[1])
    )
    classes = zip(emotions.THREE_CLASSES, emotions.sum_three_classes(reading.probabilities), strict=True)
    listed = say(COMMA).join(f"{say(term('class', name))} {percent(p)}" for name, p in classes)
    return (
        counted("emotion", say(N_("Emotion")), first),
        counted("probabilities", say(N_("Probabilities")), "\n".join(ranked)),
        counted("three_class", say(N_("Negative, neutral, positive")), listed),
        counted(
            "valence", say(N_("Valence (-1 to +1)")), f"{round(reading.valence, 2) + 0.0:+.2f}"
        ),  # + 0.0: no "-0.00"
        make("assessment", say(N_("Assessment")), reading.assessment),
    )


def _plan(reading: Result, say: Translator, make: Make) -> tuple[Field, ...]:
    return (make("suggestions", say(N_("Suggestions")), "\n".join(reading.suggestions)),)
