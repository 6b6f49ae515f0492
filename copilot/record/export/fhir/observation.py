"""Make Observations: one per number, as OpenMRS requires, from the record's findings and never from its text."""

from collections.abc import Iterator
from dataclasses import dataclass

from copilot import emotions
from copilot.i18n import N_, Translator, messages
from copilot.i18n.terms import term
from copilot.record.export.fhir import codes
from copilot.record.export.fhir.codes import Json
from copilot.record.export.fhir.entries import get_stage, make_entry, make_reference
from copilot.record.export.fhir.narrative import Narrative, make_line
from copilot.record.model import SUGGESTED, Record


@dataclass(frozen=True)
class Measure:
    """One number or grade.

    Attributes:
        key: its code in our code system.
        title: its name for people.
        value: element ``value[x]`` of the Observation.
        shown: the value for people.
        field: key of the record's field that shows it.
    """

    key: str
    title: str
    value: Json
    shown: str
    field: str


def make_observations(record: Record, translate: Translator) -> list[Json]:
    """Return an Observation for every measure, also if a clinician deleted or replaced its field."""
    return [_make_observation(record, measure, translate) for measure in collect_measures(record, translate)]


def collect_measures(record: Record, translate: Translator) -> Iterator[Measure]:
    """Yield nine probabilities, those of three classes, valence, and the recording's quality and clean share."""
    found = record.findings
    for name, share in zip(emotions.EMOTIONS, found.probabilities, strict=True):
        yield _make_percentage(
            f"emotion-{name}",
            translate(N_("Probability of {emotion}, inferred from EEG"), emotion=term("emotion", name)),
            share,
            "probabilities",
        )
    for name, share in zip(emotions.THREE_CLASSES, emotions.sum_three_classes(found.probabilities), strict=True):
        yield _make_percentage(
            f"class-{name}",
            translate(
                N_("Probability of an emotion of this class, inferred from EEG: {name}"), name=term("class", name)
            ),
            float(share),
            "three_class",
        )
    valence = round(emotions.compute_valence(found.probabilities), 2) + 0.0  # + 0.0: no "-0.0"
    value = {"valueQuantity": codes.make_quantity(valence, "1", "1")}
    yield Measure(
        "valence", translate(N_("Valence from -1 to +1, inferred from EEG")), value, f"{valence:+.2f}", "valence"
    )
    grade = {"system": codes.QUALITIES, "code": found.trust, "display": found.trust}
    value = {"valueCodeableConcept": codes.make_concept(translate(term("quality", found.trust)), grade)}
    yield Measure(
        "quality",
        translate(N_("Quality of the EEG recording")),
        value,
        translate(term("quality", found.trust)),
        "trust",
    )
    yield _make_percentage(
        "clean-share",
        translate(N_("Clean share of the EEG recording")),
        found.clean_seconds / max(1, found.seconds),
        "clean",
    )


def _make_percentage(key: str, title: str, share: float, field: str) -> Measure:
    """Return a measure in percent from a share from 0 to 1; see ``Measure`` for the other arguments."""
    percent = round(100 * share, 1)
    return Measure(key, title, {"valueQuantity": codes.make_quantity(percent, "%", "%")}, f"{percent:.1f} %", field)


def _make_observation(record: Record, measure: Measure, translate: Translator) -> Json:
    """Return the entry of a measure's Observation."""
    elements, lines = (_describe_value if record.is_unedited(measure.field) else _describe_withdrawal)(
        record, measure, translate
    )
    return make_entry(
        record,
        "Observation",
        Narrative(record.language, measure.title, lines),
        key=measure.key,
        by_ai=record.field(measure.field).origin.kind == SUGGESTED,
        category=[codes.make_concept(codes.PROCEDURE["display"], codes.PROCEDURE)],
        code=codes.make_concept(measure.title, {"system": codes.MEASURES, "code": measure.key}),
        subject=make_reference(record, "Patient"),
        encounter=make_reference(record, "Encounter"),
        issued=record.changed,
        device=make_reference(record, "Device"),
        **elements,
    )


def _describe_value(record: Record, measure: Measure, translate: Translator) -> tuple[Json, tuple[str, ...]]:
    """Return elements and narrative lines for a value; for an inferred one also its source and reliability."""
    field = record.field(measure.field)
    elements = {"status": codes.OBSERVATION[get_stage(record)], **measure.value}
    origin = translate(messages.ORIGIN[field.origin.kind] if field.accepted else messages.PENDING)
    shown = make_line(f"{measure.title} ({origin})", measure.shown)
    if field.origin.kind != SUGGESTED:
        return elements, (shown,)
    method = translate(messages.READOUT_SHORT[record.readout])
    calibration = translate(messages.CALIBRATED if record.findings.calibrated else messages.NOT_CALIBRATED)
    caveat = record.headline if record.is_doubtful else ""
    elements |= {
        "method": codes.make_concept(method),
        "interpretation": [codes.make_concept(caveat)],
        "note": [{"text": calibration}],
    }
    trust = make_line(translate(messages.FHIR_TRUST), f"{caveat}\n{calibration}")
    return elements, (shown, make_line(translate(messages.ABOUT_READOUT), method), trust)


def _describe_withdrawal(record: Record, measure: Measure, translate: Translator) -> tuple[Json, tuple[str, ...]]:
    """Return elements and narrative lines that withdraw a value: a server may have it from an earlier import."""
    why = translate(N_("A clinician deleted or replaced this in review."))
    reason = codes.make_concept(why, codes.UNKNOWN_VALUE)
    return {"status": "entered-in-error", "dataAbsentReason": reason}, (make_line(measure.title, why),)
