"""Make the DiagnosticReport."""

from copilot import NOTICE
from copilot.i18n import N_, Translator, messages
from copilot.record.export.fhir import codes
from copilot.record.export.fhir.codes import Json
from copilot.record.export.fhir.entries import get_stage, make_entry, make_reference
from copilot.record.export.fhir.narrative import Narrative, make_field_line, make_line
from copilot.record.export.fhir.observation import collect_measures
from copilot.record.export.fhir.patient import make_signers, reference_signer
from copilot.record.model import SUGGESTED, Record

FHIR_REPORT = N_("EEG read for emotion with the help of AI")


#: Sections of the record that the report contains, and the fields that form its conclusion.
REPORTED, CONCLUDING = ("examination", "assessment"), ("emotion", "assessment")


def make_diagnostic_report(record: Record, translate: Translator) -> Json:
    """Return a DiagnosticReport: the examination with its results, and the conclusion by a clinician."""
    fields = [field for section in record.sections if section.key in REPORTED for field in section.fields]
    version = f"{record.id}, {translate(messages.ABOUT_VERSION, version=record.version)}"
    lines = (
        make_line(translate(messages.FHIR_NOTICE), translate(NOTICE)),
        make_line(
            translate(messages.FHIR_TRUST),
            "\n".join((_get_headline(record) or translate(messages.PENDING), *record.notes)),
        ),
        *(make_field_line(field, translate) for field in fields),
        make_line(translate(N_("Note")), translate(messages.ABOUT_PROSE)),
        make_line(translate(messages.ABOUT_ID), version),
    )
    unedited = [measure for measure in collect_measures(record, translate) if record.is_unedited(measure.field)]
    return make_entry(
        record,
        "DiagnosticReport",
        Narrative(record.language, translate(FHIR_REPORT), lines),
        by_ai=any(field.origin.kind == SUGGESTED for field in fields),
        contained=make_signers(record),
        status=codes.REPORT[get_stage(record)],
        category=[codes.make_concept(codes.ELECTRONEURO["display"], codes.ELECTRONEURO)],
        code=codes.make_concept(translate(FHIR_REPORT), codes.EEG_STUDY),
        subject=make_reference(record, "Patient"),
        encounter=make_reference(record, "Encounter"),
        issued=record.changed,
        resultsInterpreter=[reference_signer(record)],
        result=[make_reference(record, "Observation", measure.key) for measure in unedited],
        conclusion=_make_conclusion(record, translate),
    )


def _get_headline(record: Record) -> str:
    """Return the first line, empty if it states an emotion that no clinician has accepted yet."""
    return record.headline if record.is_doubtful or record.field("emotion").accepted else ""


def _make_conclusion(record: Record, translate: Translator) -> str:
    """Return the texts that a clinician accepted or wrote, empty if there are none.

    The headline is the first line: it states how far to trust the rest.
    """
    taken = [field for key in CONCLUDING if (field := record.field(key)).accepted and field.value]
    texts = (f"{field.label} ({translate(messages.ORIGIN[field.origin.kind])}): {field.value}" for field in taken)
    return "\n".join(filter(None, (_get_headline(record), *texts))) if taken else ""
