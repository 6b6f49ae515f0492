"""What was measured and inferred: one Observation a number, as OpenMRS wants them, never from text."""

from collections.abc import Iterator
from dataclasses import dataclass

from copilot import emotions
from copilot.i18n import N_, Translator, english
from copilot.i18n.terms import term
from copilot.record.export.fhir import codes
from copilot.record.export.fhir.codes import Json
from copilot.record.export.fhir.entries import get_stage, make_entry, make_reference, written_at
from copilot.record.export.fhir.narrative import Narrative, make_line
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


def make_observations(record: Record, translate: Translator) -> list[Json]:
    """An Observation for every measure, whether or not it still stands."""
    return [_make_observation(record, measure, translate) for measure in collect_measures(record, translate)]


def collect_measures(record: Record, translate: Translator) -> Iterator[Measure]:
    """Nine probabilities, their three classes, valence, the recording's quality and its clean share."""
    found = record.findings
    for name, share in zip(emotions.EMOTIONS, found.probabilities, strict=True):
        yield _make_percentage(
            f"emotion-{name}",
            translate(N_("Probability of {emotion}, inferred from EEG"), emotion=term("emotion", name)),
            share,
            "probabilities",
        )
    for name, share in zip(emotions.THREE_CLASSES, emotions.three_classes(found.probabilities), strict=True):
        yield _make_percentage(
            f"class-{name}",
            translate(
                N_("Probability of an emotion of this class, inferred from EEG: {name}"), name=term("class", name)
            ),
            float(share),
            "three_class",
        )
    valence = round(emotions.valence(found.probabilities), 2) + 0.0  # + 0.0: no "-0.0"
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
    percent = round(100 * share, 1)
    return Measure(key, title, {"valueQuantity": codes.make_quantity(percent, "%", "%")}, f"{percent:.1f} %", field)


def _make_observation(record: Record, measure: Measure, translate: Translator) -> Json:
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
        issued=written_at(record),
        device=make_reference(record, "Device"),
        **elements,
    )


def _describe_value(record: Record, measure: Measure, translate: Translator) -> tuple[Json, tuple[str, ...]]:
    """The value; of what a model inferred also where it comes from and how far to trust it."""
    field = record.field(measure.field)
    elements = {"status": codes.OBSERVATION[get_stage(record)], **measure.value}
    origin = translate(english.ORIGIN[field.origin.kind] if field.accepted else english.PENDING)
    shown = make_line(f"{measure.title} ({origin})", measure.shown)
    if field.origin.kind != SUGGESTED:
        return elements, (shown,)
    method = translate(english.READOUT_SHORT[record.readout])
    calibration = translate(english.CALIBRATED if record.findings.calibrated else english.NOT_CALIBRATED)
    caveat = record.headline if record.is_doubtful else ""
    elements |= {
        "method": codes.make_concept(method),
        "interpretation": [codes.make_concept(caveat)],
        "note": [{"text": calibration}],
    }
    trust = make_line(translate(english.FHIR_TRUST), f"{caveat}\n{calibration}")
    return elements, (shown, make_line(translate(english.ABOUT_READOUT), method), trust)


def _describe_withdrawal(record: Record, measure: Measure, translate: Translator) -> tuple[Json, tuple[str, ...]]:
    """A server that got the value from an earlier import must not go on showing it."""
    why = translate(N_("A clinician deleted or replaced this in review."))
    reason = codes.make_concept(why, codes.UNKNOWN_VALUE)
    return {"status": "entered-in-error", "dataAbsentReason": reason}, (make_line(measure.title, why),)
