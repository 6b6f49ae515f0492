"""What is concluded from it: DiagnosticReport."""

from copilot import NOTICE
from copilot.i18n import N_, Translator, english
from copilot.record.export.fhir import codes
from copilot.record.export.fhir.codes import Json
from copilot.record.export.fhir.entries import get_stage, make_entry, make_reference, written_at
from copilot.record.export.fhir.narrative import Narrative, make_field_line, make_line
from copilot.record.export.fhir.observation import collect_measures
from copilot.record.export.fhir.patient import make_signers, reference_signer
from copilot.record.model import SUGGESTED, Record

FHIR_REPORT = N_("EEG read for emotion with the help of AI")


#: Sections that the report is made of, and the fields of theirs that conclude it.
REPORTED, CONCLUDING = ("examination", "assessment"), ("emotion", "assessment")


def make_diagnostic_report(record: Record, translate: Translator) -> Json:
    """The examination with its results, and what a clinician accepted or wrote as its conclusion."""
    fields = [field for section in record.sections if section.key in REPORTED for field in section.fields]
    version = f"{record.id}, {translate(english.ABOUT_VERSION, version=record.version)}"
    lines = (
        make_line(translate(english.FHIR_NOTICE), translate(NOTICE)),
        make_line(
            translate(english.FHIR_TRUST),
            "\n".join((_get_headline(record) or translate(english.PENDING), *record.notes)),
        ),
        *(make_field_line(field, translate) for field in fields),
        make_line(translate(N_("Note")), translate(english.ABOUT_PROSE)),
        make_line(translate(english.ABOUT_ID), version),
    )
    standing = [measure for measure in collect_measures(record, translate) if record.is_unedited(measure.field)]
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
        issued=written_at(record),
        resultsInterpreter=[reference_signer(record)],
        result=[make_reference(record, "Observation", measure.key) for measure in standing],
        conclusion=_make_conclusion(record, translate),
    )


def _get_headline(record: Record) -> str:
    """The first line, unless it states an emotion that only the model stands for yet."""
    return record.headline if record.is_doubtful or record.field("emotion").accepted else ""


def _make_conclusion(record: Record, translate: Translator) -> str:
    """Nothing before a clinician took part of it; then the headline first, which says how far to trust the rest."""
    taken = [field for key in CONCLUDING if (field := record.field(key)).accepted and field.value]
    told = (f"{field.label} ({translate(english.ORIGIN[field.origin.kind])}): {field.value}" for field in taken)
    return "\n".join(filter(None, (_get_headline(record), *told))) if taken else ""
