"""Make Observations: one per number, as OpenMRS requires, from the record's findings and never from its text."""

from collections.abc import Iterator
from dataclasses import dataclass

from copilot import emotions
from copilot.i18n import N_, Translator, messages
from copilot.i18n.terms import term
from copilot.record.export.fhir.elements import (
    MEASURES,
    PROCEDURE,
    QUALITIES,
    UNKNOWN_VALUE,
    Json,
    get_status,
    make_concept,
    make_entry,
    make_line,
    make_quantity,
    make_reference,
)
from copilot.record.model import SUGGESTED, Findings, Record


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
    """Return an Observation for every measure, an inferred one with its source and reliability.

    If a clinician deleted or replaced the field of a measure, its Observation withdraws the value: a server may have it
    from an earlier import.
    """
    made = []
    for measure in collect_measures(record, translate):
        field = record.field(measure.field)
        inferred = field.origin.kind == SUGGESTED
        if not record.is_unedited(measure.field):
            why = translate(N_("A clinician deleted or replaced this in review."))
            value: Json = {"status": "entered-in-error", "dataAbsentReason": make_concept(why, UNKNOWN_VALUE)}
            lines = [make_line(measure.title, why)]
        else:
            value = {"status": get_status(record), **measure.value}
            origin = translate(messages.ORIGIN[field.origin.kind] if field.accepted else messages.PENDING)
            lines = [make_line(f"{measure.title} ({origin})", measure.shown)]
            if inferred:
                method = translate(messages.READOUT_SHORT[record.readout])
                calibrated = record.describe_calibration(translate)
                caveat = record.headline if record.is_doubtful else ""
                value |= {
                    "method": make_concept(method),
                    "interpretation": [make_concept(caveat)],
                    "note": [{"text": calibrated}],
                }
                lines += [
                    make_line(translate(messages.ABOUT_READOUT), method),
                    make_line(translate(messages.FHIR_TRUST), f"{caveat}\n{calibrated}"),
                ]
        entry = make_entry(
            record,
            "Observation",
            measure.title,
            lines,
            key=measure.key,
            by_ai=inferred,
            category=[make_concept(PROCEDURE["display"], PROCEDURE)],
            code=make_concept(measure.title, {"system": MEASURES, "code": measure.key}),
            subject=make_reference(record, "Patient"),
            encounter=make_reference(record, "Encounter"),
            issued=record.changed,
            device=make_reference(record, "Device"),
            **value,
        )
        made.append(entry)
    return made


def collect_measures(record: Record, translate: Translator) -> Iterator[Measure]:
    """Yield nine probabilities, those of three classes, valence, and the recording's quality and clean share.

    Probabilities that tell nothing are left out, as they are from the record's fields.
    """
    found = record.findings
    if not emotions.is_uniform(found.probabilities):
        yield from _collect_probabilities(found, translate)
    grade = {"system": QUALITIES, "code": found.trust, "display": found.trust}
    value = {"valueCodeableConcept": make_concept(translate(term("quality", found.trust)), grade)}
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


def _collect_probabilities(found: Findings, translate: Translator) -> Iterator[Measure]:
    """Yield nine probabilities, those of three classes, and valence."""
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
    value = {"valueQuantity": make_quantity(valence, "1")}
    yield Measure(
        "valence", translate(N_("Valence from -1 to +1, inferred from EEG")), value, f"{valence:+.2f}", "valence"
    )


def _make_percentage(key: str, title: str, share: float, field: str) -> Measure:
    """Return a measure in percent from a share from 0 to 1; see ``Measure`` for the other arguments."""
    percent = round(100 * share, 1)
    return Measure(key, title, {"valueQuantity": make_quantity(percent, "%")}, f"{percent:.1f} %", field)
