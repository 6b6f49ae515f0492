"""Make the CarePlan, which is always a draft proposal."""

from copilot import NOTICE
from copilot.i18n import N_, Translator, messages
from copilot.record.export.fhir.codes import Json
from copilot.record.export.fhir.entries import make_entry, make_reference
from copilot.record.export.fhir.narrative import Narrative, clean_text, make_field_line, make_line
from copilot.record.model import SUGGESTED, Record

FHIR_PLAN = N_("Proposal for a plan, to be decided on by a clinician")


#: Sections of the record that the plan contains.
PLANNED = ("plan", "follow_up")


def make_care_plan(record: Record, translate: Translator) -> Json:
    """Return a CarePlan: suggestions and follow-up that a clinician accepted or wrote, one activity per line.

    It remains a draft and a proposal when the record is signed: only the clinic's own system can activate a plan.
    """
    fields = [field for section in record.sections if section.key in PLANNED for field in section.fields]
    taken = [field for field in fields if field.accepted]
    suggested = any(field.value and field.origin.kind == SUGGESTED for field in taken)
    lines = (
        make_line(translate(messages.FHIR_NOTICE), translate(NOTICE)),
        *(make_field_line(field, translate) for field in fields),
    )
    steps = [step for field in taken for step in clean_text(field.value).splitlines()]
    return make_entry(
        record,
        "CarePlan",
        Narrative(record.language, translate(FHIR_PLAN), lines),
        by_ai=suggested,
        status="draft",
        intent="proposal",
        title=translate(FHIR_PLAN),
        subject=make_reference(record, "Patient"),
        encounter=make_reference(record, "Encounter"),
        created=record.created,
        author=make_reference(record, "Device") if suggested else {},
        supportingInfo=[make_reference(record, "DiagnosticReport")],
        activity=[{"detail": {"status": "not-started", "description": step}} for step in steps],
        note=[{"text": translate(NOTICE)}],
    )
