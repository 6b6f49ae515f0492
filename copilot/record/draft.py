"""Draft the record of one analysis (see ``draft``) and draw its figures.

Numbers are written by this code from the measurement and the probabilities, never taken from prose.
"""

import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from copilot import __version__, emotions
from copilot.eeg.preprocessing.quality import Quality
from copilot.eeg.types import Recording
from copilot.evidence import Evidence
from copilot.facts.signal import STATES, list_recording_facts
from copilot.i18n import COMMA, N_, Translator, messages
from copilot.i18n.terms import term
from copilot.person import PatientIdentity, Person
from copilot.prompt import NO_EMOTION
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
from copilot.text import normalise_line, percent

SOFTWARE = f"EEG Emotion Copilot {__version__}"

#: Key, label (a message) and text of a field.
Line = tuple[str, str, str]


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
    patient = patient or PatientIdentity()
    # 1. Where texts come from
    entered, measured, written = (Origin(kind, at, SOFTWARE) for kind in (ENTERED, MEASURED, WRITTEN))
    suggested = Origin(SUGGESTED, at, SOFTWARE, result.model, result.model_sha256, result.prompt_sha256)
    computed = suggested
    if result.readout == "decoder":
        computed = Origin(SUGGESTED, at, SOFTWARE, "decoder", result.decoder_sha256)

    def make(origin: Origin, *lines: Line) -> list[Field]:
        texts = ((key, label, normalise_value(key, value)) for key, label, value in lines)
        waits = origin.kind == SUGGESTED
        return [Field(key, translate(label), text, origin, accepted=not (waits and text)) for key, label, text in texts]

    # 2. The sections; those without fields are left out
    gender, age = translate(term("gender", person.gender)), "" if person.age is None else person.age_text
    basic = make(
        entered,
        ("name", messages.FIELD_NAME, patient.name),
        ("number", messages.FIELD_NUMBER, patient.number),
        ("gender", messages.FIELD_GENDER, gender),
        ("age", N_("Age"), age),
        ("appearance", N_("Appearance, in their own words"), person.appearance),
    )
    complaint = ("complaint", messages.COMPLAINT, person.complaint)
    history = make(entered, complaint, ("history", messages.HISTORY, person.history))
    laboratory = make(entered, ("laboratory", messages.FIELD_LABORATORY, patient.laboratory))
    prose = computed if result.raw.startswith(NO_EMOTION) else suggested  # then code wrote it
    assessment = make(prose, ("assessment", N_("Assessment"), result.assessment))
    plan = make(prose, ("suggestions", N_("Suggestions"), "\n".join(result.suggestions)))
    follow_up = make(written, ("follow_up", messages.FIELD_FOLLOW_UP, ""))
    expenses = make(entered, ("expenses", messages.FIELD_EXPENSES, patient.expenses))
    examination = describe_examination(recording, quality, result.states, translate)
    sections = (
        ("basic", N_("Basic information"), basic),
        ("history", N_("Medical history"), history),
        ("examination", N_("Examination: EEG"), make(measured, *examination)),
        ("laboratory", messages.FIELD_LABORATORY, laboratory if patient.laboratory else []),
        ("assessment", N_("Assessment"), make(computed, *_describe_probabilities(result, translate)) + assessment),
        ("plan", N_("Plan"), plan),
        ("follow_up", messages.FIELD_FOLLOW_UP, follow_up),
        ("expenses", messages.FIELD_EXPENSES, expenses if patient.expenses else []),
    )
    # 3. The numbers, and what the first line says of them
    findings = Findings(
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
    emotion = translate(
        N_("Film recognised, most probable of nine emotions: {emotion} ({percent}).")
        if result.situation == "faced-films"
        else N_("Most probable of nine emotions: {emotion} ({percent})."),
        emotion=term("emotion", result.emotion),
        percent=percent(max(result.probabilities)),
    )
    return Record(
        id=str(uuid.uuid4()),
        version=1,
        amends="",
        language=language,
        headline=make_headline(findings, emotion, translate),
        notes=tuple(translate(note) for note in result.notes),
        sections=tuple(Section(key, translate(title), tuple(fields)) for key, title, fields in sections if fields),
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


def describe_examination(
    recording: Recording, quality: Quality, states: Iterable[Evidence], translate: Translator
) -> Iterator[Line]:
    """Yield the lines about the recording, its cleaning and its quality, and the person's states.

    Their values are those of the facts that the chat answers with (``copilot.facts``).
    """
    facts: dict[str, Any] = {fact.key: fact.value for fact in list_recording_facts(recording, quality)}
    yield "source", N_("Kind of file"), translate(recording.source)
    yield "seconds", N_("Length"), f"{facts['length']:.0f} s"
    if recording.rate_read is not None:
        as_read = translate(COMMA).join((f"{recording.rate_read:g} Hz", translate(recording.rate_from)))
        yield "rate_read", N_("Sampling rate as read"), as_read
    yield "sfreq", N_("Sampling rate after cleaning"), f"{recording.sfreq:g} Hz"
    electrodes = facts["channels"]
    yield "electrodes", N_("Electrodes"), f"{len(electrodes)}: {', '.join(electrodes)}"
    yield "trust", N_("Quality"), translate(term("quality", facts["quality"]))
    clean = translate(
        N_("{clean} of {total} s ({percent})"),
        clean=facts["usable_seconds"],
        total=quality.clean.size,
        percent=percent(quality.clean_share),
    )
    yield "clean", N_("Clean share"), clean
    mains = translate(N_("none found"))
    if hertz := facts["mains"]:
        mains = translate(
            N_("{hertz} Hz, {times} times its neighbourhood before removal"),
            hertz=f"{hertz:.0f}",
            times=f"{quality.line_ratio:.1f}",
        )
    yield "mains", N_("Mains interference"), mains
    bad = []
    for name in facts["bad_channels"]:
        listed = tuple(term("channel", fault) for fault in facts[f"bad.{name}"])
        bad.append(translate(messages.ELECTRODE_FAULT, name=name, fault=listed))
    yield "bad_channels", N_("Bad electrodes"), translate(COMMA).join(bad) or translate(messages.NONE)
    removed = [
        translate(messages.COUNTED, count=count, kind=term("component", kind))
        for kind, count in quality.components_removed.items()
        if count
    ]
    yield "removed", N_("Components removed"), translate(COMMA).join(removed) or translate(messages.NONE)
    for state in states:
        yield state.source, STATES[state.source], f"{translate(state.sentence)}\n{translate(state.reliability)}"
    done = dict.fromkeys((*recording.notes, *quality.sentences))  # cleaning may repeat a note of the reader
    yield "processing", messages.FOUND_AND_DONE, "\n".join(translate(line) for line in done)


def _describe_probabilities(result: Result, translate: Translator) -> Iterator[Line]:
    """Yield the lines with numbers of the result, which code writes."""
    ranked = [
        f"{translate(term('emotion', name))} {percent(p)}"
        for name, p in emotions.sort_by_probability(result.probabilities)
    ]
    first = ranked[0]
    nothing = emotions.is_uniform(result.probabilities)
    if nothing or (result.situation == "any" and result.confidence == "unclear"):
        first = translate(N_("none is singled out"))
    elif not result.certain:
        first = translate(N_("none stands out ({first}, {second})"), first=ranked[0], second=ranked[1])
    yield "emotion", N_("Film recognised") if result.situation == "faced-films" else N_("Emotion"), first
    if result.reliability:
        yield "reliability", N_("How often this is right"), translate(result.reliability)
    if nothing:
        return
    yield "probabilities", N_("Probabilities"), "\n".join(ranked)
    classes = zip(emotions.THREE_CLASSES, emotions.sum_three_classes(result.probabilities), strict=True)
    listed = (f"{translate(term('class', name))} {percent(p)}" for name, p in classes)
    yield "three_class", messages.THREE_CLASSES, translate(COMMA).join(listed)
    valence = round(result.valence, 2) + 0.0  # + 0.0: no "-0.00"
    yield "valence", N_("Valence (-1 to +1)"), f"{valence:+.2f}"


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
    return translate.join(doubts) or emotion
