"""What is concluded from it: DiagnosticReport."""

from copilot import NOTICE
from copilot.i18n import N_, Translator, english
from copilot.record.export.fhir import codes
from copilot.record.export.fhir.codes import Json
from copilot.record.export.fhir.entries import entry, reference, stage, written_at
from copilot.record.export.fhir.narrative import Narrative, field_line, line
from copilot.record.export.fhir.observation import measures
from copilot.record.export.fhir.patient import by_signer, signers
from copilot.record.model import SUGGESTED, Record

FHIR_REPORT = N_("EEG read for emotion with the help of AI")


#: Sections that the report is made of, and the fields of theirs that conclude it.
REPORTED, CONCLUDING = ("examination", "assessment"), ("emotion", "assessment")


def report(record: Record, say: Translator) -> Json:
    """The examination with its results, and what a clinician accepted or wrote as its conclusion."""
    fields = [field for section in record.sections if section.key in REPORTED for field in section.fields]
    version = f"{record.id}, {say(english.ABOUT_VERSION, version=record.version)}"
    lines = (
        line(say(english.FHIR_NOTICE), say(NOTICE)),
        line(say(english.FHIR_TRUST), "\n".join((_headline(record) or say(english.PENDING), *record.notes))),
        *(field_line(field, say) for field in fields),
        line(say(N_("Note")), say(english.ABOUT_PROSE)),
        line(say(english.ABOUT_ID), version),
    )
    standing = [measure for measure in measures(record, say) if record.stands(measure.field)]
    return entry(
        record,
        "DiagnosticReport",
        Narrative(record.language, say(FHIR_REPORT), lines),
        by_ai=any(field.origin.kind == SUGGESTED for field in fields),
        contained=signers(record),
        status=codes.REPORT[stage(record)],
        category=[codes.concept(codes.ELECTRONEURO["display"], codes.ELECTRONEURO)],
        code=codes.concept(say(FHIR_REPORT), codes.EEG_STUDY),
        subject=reference(record, "Patient"),
        encounter=reference(record, "Encounter"),
        issued=written_at(record),
        resultsInterpreter=[by_signer(record)],
        result=[reference(record, "Observation", measure.key) for measure in standing],
        conclusion=_conclusion(record, say),
    )


def _headline(record: Record) -> str:
    """The first line, unless it states an emotion that only the model stands for yet."""
    return record.headline if record.doubtful or record.field("emotion").accepted else ""


def _conclusion(record: Record, say: Translator) -> str:
    """Nothing before a clinician took part of it; then the headline first, which says how far to trust the rest."""
    taken = [field for key in CONCLUDING if (field := record.field(key)).accepted and field.value]
    told = (f"{field.label} ({say(english.ORIGIN[field.origin.kind])}): {field.value}" for field in taken)
    return "\n".join(filter(None, (_headline(record), *told))) if taken else ""
