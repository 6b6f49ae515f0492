"""Draft the record of one analysis (see ``draft``) and draw its figures.

Numbers are written by this code from the measurement and the probabilities, never taken from prose.
"""

import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from copilot import __version__, emotions
from copilot.eeg.preprocessing.quality import ChannelQuality, Quality
from copilot.eeg.types import Recording
from copilot.i18n import N_, Translator, messages
from copilot.i18n.terms import term
from copilot.person import PatientIdentity, Person
from copilot.record.model import (
    ENTERED,
    MEASURED,
    SUGGESTED,
    WRITTEN,
    Field,
    Figures,
    Findings,
    Origin,
    Record,
    Section,
    timestamp,
)
from copilot.result import Result
from copilot.text import normalise_line

COMMA = N_(", ")
SOFTWARE = f"EEG Emotion Copilot {__version__}"

#: Makes a field from its key, label and text.
MakeField = Callable[[str, str, str], Field]


def draft(
    person: Person,
    recording: Recording,
    quality: Quality,
    result: Result,
    *,
    now: datetime,
    patient: PatientIdentity | None = None,
    language: str = "en",
) -> Record:
    """Draft the record of one analysis.

    Args:
        person: the answers in the form.
        recording: the cleaned recording.
        quality: quality of the recording, from cleaning.
        result: the complete result of the model.
        now: the time of the draft; local time if it has no time zone.
        patient: data for the record alone.
        language: language of labels and of texts that this code writes.
    """
    translate, at = Translator(language), timestamp(now)
    result = replace(result, trust=quality.trust)  # so that no emotion of a poor recording is called clear
    entered = _make_field_factory(Origin(ENTERED, at, SOFTWARE))
    measured = _make_field_factory(Origin(MEASURED, at, SOFTWARE))
    suggested = _make_field_factory(
        Origin(SUGGESTED, at, SOFTWARE, result.model, result.model_sha256, result.prompt_sha256)
    )
    computed = _make_field_factory(Origin(SUGGESTED, at, SOFTWARE, "decoder", result.decoder_sha256))
    if result.readout != "decoder":
        computed = suggested
    written = _make_field_factory(Origin(WRITTEN, at, SOFTWARE))
    patient = patient or PatientIdentity()
    findings, first = _collect_findings(recording, quality, result), percent(max(result.probabilities))
    sections = (
        Section("basic", translate(N_("Basic information")), _make_basic_fields(person, patient, translate, entered)),
        Section("history", translate(N_("Medical history")), _make_history_fields(person, translate, entered)),
        Section(
            "examination",
            translate(N_("Examination: EEG")),
            _make_examination_fields(recording, quality, translate, measured),
        ),
        _make_optional_section(
            "laboratory", N_("Laboratory"), messages.FIELD_LABORATORY, patient.laboratory, translate, entered
        ),
        Section(
            "assessment", translate(N_("Assessment")), _make_assessment_fields(result, translate, computed, suggested)
        ),
        Section("plan", translate(N_("Plan")), _make_plan_fields(result, translate, suggested)),
        Section("follow_up", translate(N_("Follow-up")), (written("follow_up", translate(N_("Follow-up")), ""),)),
        _make_optional_section(
            "expenses", N_("Expenses"), messages.FIELD_EXPENSES, patient.expenses, translate, entered
        ),
    )
    return Record(
        id=str(uuid.uuid4()),
        version=1,
        amends="",
        language=language,
        headline=make_headline(
            findings,
            translate(
                N_("Most probable of nine emotions: {emotion} ({percent})."),
                emotion=term("emotion", result.emotion),
                percent=first,
            ),
            translate,
        ),
        notes=tuple(translate(note) for note in result.notes),
        sections=tuple(section for section in sections if section.fields),
        findings=findings,
        created=at,
        software=SOFTWARE,
        model=result.model,
        model_sha256=result.model_sha256,
        prompt_sha256=result.prompt_sha256,
        readout=result.readout,
        codec=result.codec,
        decoder_sha256=result.decoder_sha256,
    )


def draw_figures(
    raw: Recording, cleaned: Recording, quality: Quality, language: str = "en", *, dark: bool = False
) -> Figures:
    """Draw the figures of a record; this takes about a second.

    Args:
        raw: the recording as read.
        cleaned: the recording after cleaning.
        quality: quality of the recording, from cleaning.
        language: language of the labels.
        dark: whether the figures are for a dark page; otherwise for white paper.
    """
    from copilot.eeg import plots  # matplotlib takes a second to import

    return Figures(
        signal=plots.encode_png(plots.draw_signal(raw, cleaned, quality, dark=dark, language=language)),
        bands=plots.encode_png(plots.draw_band_power(cleaned, quality, dark=dark, language=language)),
    )


def percent(share: float) -> str:
    """Return a share from 0 to 1 as the record shows it: ``34.2 %``."""
    return f"{100 * share:.1f} %"


def normalise_value(key: str, value: str) -> str:
    """Return a field's text as the record contains it: printable lines, and no age above 89 (``Person.age_text``)."""
    lines = "\n".join(normalise_line(line) for line in value.splitlines()).strip()
    years = re.search(r"\d+", lines) if key == "age" else None
    if years and (len(years[0]) > 2 or int(years[0]) > 89):
        return "90+"
    return lines


def make_headline(findings: Findings, emotion: str, translate: Translator) -> str:
    """Return the first line of a record: the doubts or, if there are none, the emotion.

    Args:
        findings: numbers of the record.
        emotion: sentence that states the emotion.
        translate: translator for the record's language.
    """
    doubts = []
    if findings.trust == "poor":
        doubts.append(translate(N_("Poor recording: do not rely on what it says about emotion.")))
    if findings.confidence != "clear":
        doubts.append(translate(N_("No emotion stands out above the uncertainty of this reading.")))
    return " ".join(doubts) or emotion


def _make_field_factory(origin: Origin) -> MakeField:
    """Return a function that makes a field of this origin from its key, label and text."""

    def make(key: str, label: str, value: str) -> Field:
        text = normalise_value(key, value)
        return Field(key, label, text, origin, accepted=origin.kind != SUGGESTED or not text)

    return make


def _make_optional_section(
    key: str, title: str, label: str, value: str, translate: Translator, make: MakeField
) -> Section:
    """Return a section with one field, without fields if the value is empty.

    Args:
        key: key of the section and of the field.
        title: title of the section, in English.
        label: label of the field, in English.
        value: text of the field.
        translate: translator for the record's language.
        make: makes the field.
    """
    return Section(key, translate(title), (make(key, translate(label), value),) if value else ())


def _collect_findings(recording: Recording, quality: Quality, result: Result) -> Findings:
    """Return the numbers of the record."""
    return Findings(
        probabilities=tuple(float(p) for p in result.probabilities),
        confidence=result.confidence,
        calibrated=result.calibrated,
        trust=quality.trust,
        seconds=int(quality.clean.size),
        clean_seconds=quality.clean_seconds,
        sfreq=float(recording.sfreq),
        electrodes=tuple(recording.channels),
        bad_electrodes=tuple(c.name for c in quality.channels if c.flat or c.railed or c.noisy),
        line_hz=None if quality.line_hz is None else float(quality.line_hz),
    )


def _make_basic_fields(
    person: Person, patient: PatientIdentity, translate: Translator, make: MakeField
) -> tuple[Field, ...]:
    """Return the fields about the person."""
    return (
        make("name", translate(messages.FIELD_NAME), patient.name),
        make("number", translate(messages.FIELD_NUMBER), patient.number),
        make("gender", translate(messages.FIELD_GENDER), translate(term("gender", person.gender))),
        make("age", translate(N_("Age")), "" if person.age is None else person.age_text),
        make("appearance", translate(N_("Appearance, in their own words")), person.appearance),
    )


def _make_history_fields(person: Person, translate: Translator, make: MakeField) -> tuple[Field, ...]:
    """Return the fields with what the person reports."""
    return (
        make("complaint", translate(N_("Complaint")), person.complaint),
        make("history", translate(N_("History")), person.history),
    )


def _make_examination_fields(
    recording: Recording, quality: Quality, translate: Translator, make: MakeField
) -> tuple[Field, ...]:
    """Return the fields about the recording, its cleaning and its quality."""
    share = percent(quality.clean_share)
    mains = translate(N_("none found"))
    if quality.line_hz:
        mains = translate(
            N_("{hertz} Hz, {times} times its neighbourhood before removal"),
            hertz=f"{quality.line_hz:.0f}",
            times=f"{quality.line_ratio:.1f}",
        )
    done = dict.fromkeys((*recording.notes, *quality.sentences))  # cleaning may repeat a note of the reader
    as_read = ""
    if recording.rate_read is not None:
        as_read = translate(COMMA).join((f"{recording.rate_read:g} Hz", translate(recording.rate_from)))
    values = (
        ("source", N_("Kind of file"), translate(recording.source)),
        ("seconds", N_("Length"), f"{recording.seconds:.0f} s"),
        *([("rate_read", N_("Sampling rate as read"), as_read)] if as_read else []),
        ("sfreq", N_("Sampling rate after cleaning"), f"{recording.sfreq:g} Hz"),
        ("electrodes", N_("Electrodes"), f"{len(recording.channels)}: {', '.join(recording.channels)}"),
        ("trust", N_("Quality"), translate(term("quality", quality.trust))),
        (
            "clean",
            N_("Clean share"),
            translate(
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
            translate(COMMA).join(_describe_faults(quality.channels, translate)) or translate(messages.NONE),
        ),
        (
            "removed",
            N_("Components removed"),
            _describe_removed(quality.components_removed, translate) or translate(messages.NONE),
        ),
        ("processing", N_("What was found and done"), "\n".join(translate(line) for line in done)),
    )
    return tuple(make(key, translate(label), value) for key, label, value in values)


def _describe_faults(channels: Iterable[ChannelQuality], translate: Translator) -> Iterable[str]:
    """Yield one text per electrode with a fault: its name and its faults."""
    for channel in channels:
        if faults := [name for name in ("flat", "railed", "noisy", "interpolated") if getattr(channel, name)]:
            yield translate(
                messages.ELECTRODE_FAULT, name=channel.name, fault=tuple(term("channel", fault) for fault in faults)
            )


def _describe_removed(removed: dict[str, int], translate: Translator) -> str:
    """Return how many components of each kind were removed, empty if none was."""
    counts = (
        translate(messages.COUNTED, count=count, kind=term("component", kind))
        for kind, count in removed.items()
        if count
    )
    return translate(COMMA).join(counts)


def _make_assessment_fields(
    result: Result, translate: Translator, computed: MakeField, make: MakeField
) -> tuple[Field, ...]:
    """Return the fields of the assessment.

    Args:
        result: the complete result of the model.
        translate: translator for the record's language.
        computed: makes the fields with numbers, whose origin is the classifier or the model.
        make: makes the field with the model's prose.
    """
    ranked = [
        f"{translate(term('emotion', name))} {percent(p)}"
        for name, p in emotions.sort_by_probability(result.probabilities)
    ]
    first = (
        ranked[0]
        if result.certain
        else translate(N_("none stands out ({first}, {second})"), first=ranked[0], second=ranked[1])
    )
    classes = zip(emotions.THREE_CLASSES, emotions.sum_three_classes(result.probabilities), strict=True)
    valence = round(result.valence, 2) + 0.0  # + 0.0: no "-0.00"
    listed = translate(COMMA).join(f"{translate(term('class', name))} {percent(p)}" for name, p in classes)
    return (
        computed("emotion", translate(N_("Emotion")), first),
        computed("probabilities", translate(N_("Probabilities")), "\n".join(ranked)),
        computed("three_class", translate(N_("Negative, neutral, positive")), listed),
        computed("valence", translate(N_("Valence (-1 to +1)")), f"{valence:+.2f}"),
        make("assessment", translate(N_("Assessment")), result.assessment),
    )


def _make_plan_fields(result: Result, translate: Translator, make: MakeField) -> tuple[Field, ...]:
    """Return the field with the model's suggestions."""
    return (make("suggestions", translate(N_("Suggestions")), "\n".join(result.suggestions)),)
