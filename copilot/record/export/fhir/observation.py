"""What was measured and inferred: one Observation a number, as OpenMRS wants them, never from text."""

from collections.abc import Iterator
from dataclasses import dataclass

from copilot import emotions
from copilot.i18n import N_, Translator, english
from copilot.i18n.terms import term
from copilot.record.export.fhir import codes
from copilot.record.export.fhir.codes import Json
from copilot.record.export.fhir.entries import entry, reference, stage, written_at
from copilot.record.export.fhir.narrative import Narrative, line
from copilot.record.model import SUGGESTED, Record


@dataclass(frozen=True)
class Measure:
    """One number or grade.

    Attributes:
        key: its code in our system.
        title: what it is.
        value: the Observation's ``value[x]``.
        shown: the same for people.
        field: the record's field that shows it.
    """

    key: str
    title: str
    value: Json
    shown: str
    field: str


def observations(record: Record, say: Translator) -> list[Json]:
    """An Observation for every measure, whether or not it still stands."""
    return [_observation(record, measure, say) for measure in measures(record, say)]


def measures(record: Record, say: Translator) -> Iterator[Measure]:
    """Nine probabilities, their three classes, valence, the recording's quality and its clean share."""
    found = record.findings
    for name, share in zip(emotions.EMOTIONS, found.probabilities, strict=True):
        yield _percentage(
            f"emotion-{name}",
            say(N_("Probability of {emotion}, inferred from EEG"), emotion=term("emotion", name)),
            share,
            "probabilities",
        )
    for name, share in zip(emotions.THREE_CLASSES, emotions.sum_three_classes(found.probabilities), strict=True):
        yield _percentage(
            f"class-{name}",
            say(N_("Probability of an emotion of this class, inferred from EEG: {name}"), name=term("class", name)),
            float(share),
            "three_class",
        )
    valence = round(emotions.compute_valence(found.probabilities), 2) + 0.0  # + 0.0: no "-0.0"
    value = {"valueQuantity": codes.quantity(valence, "1", "1")}
    yield Measure("valence", say(N_("Valence from -1 to +1, inferred from EEG")), value, f"{valence:+.2f}", "valence")
    grade = {"system": codes.QUALITIES, "code": found.trust, "display": found.trust}
    value = {"valueCodeableConcept": codes.concept(say(term("quality", found.trust)), grade)}
    yield Measure("quality", say(N_("Quality of the EEG recording")), value, say(term("quality", found.trust)), "trust")
    yield _percentage(
        "clean-share", say(N_("Clean share of the EEG recording")), found.clean_seconds / max(1, found.seconds), "clean"
    )


def _percentage(key: str, title: str, share: float, field: str) -> Measure:
    percent = round(100 * share, 1)
    return Measure(key, title, {"valueQuantity": codes.quantity(percent, "%", "%")}, f"{percent:.1f} %", field)


def _observation(record: Record, measure: Measure, say: Translator) -> Json:
    elements, lines = (_standing if record.stands(measure.field) else _withdrawn)(record, measure, say)
    return entry(
        record,
        "Observation",
        Narrative(record.language, measure.title, lines),
        key=measure.key,
        by_ai=record.field(measure.field).origin.kind == SUGGESTED,
        category=[codes.concept(codes.PROCEDURE["display"], codes.PROCEDURE)],
        code=codes.concept(measure.title, {"system": codes.MEASURES, "code": measure.key}),
        subject=reference(record, "Patient"),
        encounter=reference(record, "Encounter"),
        issued=written_at(record),
        device=reference(record, "Device"),
        **elements,
    )


def _standing(record: Record, measure: Measure, say: Translator) -> tuple[Json, tuple[str, ...]]:
    """The value; of what a model inferred also where it comes from and how far to trust it."""
    field = record.field(measure.field)
    elements = {"status": codes.OBSERVATION[stage(record)], **measure.value}
    origin = say(english.ORIGIN[field.origin.kind] if field.accepted else english.PENDING)
    shown = line(f"{measure.title} ({origin})", measure.shown)
    if field.origin.kind != SUGGESTED:
        return elements, (shown,)
    method = say(english.READOUT_SHORT[record.readout])
    calibration = say(english.CALIBRATED if record.findings.calibrated else english.NOT_CALIBRATED)
    caveat = record.headline if record.doubtful else ""
    elements |= {
        "method": codes.concept(method),
        "interpretation": [codes.concept(caveat)],
        "note": [{"text": calibration}],
    }
    trust = line(say(english.FHIR_TRUST), f"{caveat}\n{calibration}")
    return elements, (shown, line(say(english.ABOUT_READOUT), method), trust)


def _withdrawn(record: Record, measure: Measure, say: Translator) -> tuple[Json, tuple[str, ...]]:
    """A server that got the value from an earlier import must not go on showing it."""
    why = say(N_("A clinician deleted or replaced this in review."))
    reason = codes.concept(why, codes.UNKNOWN_VALUE)
    return {"status": "entered-in-error", "dataAbsentReason": reason}, (line(measure.title, why),)
