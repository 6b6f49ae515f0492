"""What is proposed: CarePlan, never more than a draft proposal."""

from copilot import NOTICE
from copilot.i18n import N_, Translator, english
from copilot.record.export.fhir.codes import Json
from copilot.record.export.fhir.entries import entry, reference
from copilot.record.export.fhir.narrative import Narrative, field_line, line, plain
from copilot.record.model import SUGGESTED, Record

FHIR_PLAN = N_("Proposal for a plan, to be decided on by a clinician")


#: Sections that the plan is made of.
PLANNED = ("plan", "follow_up")


def plan(record: Record, say: Translator) -> Json:
    """Suggestions and follow-up that a clinician accepted or wrote, one activity a line.

    It stays a draft and a proposal when the record is signed: only the clinic's own system can put a plan in force.
    """
    fields = [field for section in record.sections if section.key in PLANNED for field in section.fields]
    taken = [field for field in fields if field.accepted]
    suggested = any(field.value and field.origin.kind == SUGGESTED for field in taken)
    lines = (line(say(english.FHIR_NOTICE), say(NOTICE)), *(field_line(field, say) for field in fields))
    steps = [step for field in taken for step in plain(field.value).splitlines()]
    return entry(
        record,
        "CarePlan",
        Narrative(record.language, say(FHIR_PLAN), lines),
        by_ai=suggested,
        status="draft",
        intent="proposal",
        title=say(FHIR_PLAN),
        subject=reference(record, "Patient"),
        encounter=reference(record, "Encounter"),
        created=record.created,
        author=reference(record, "Device") if suggested else {},
        supportingInfo=[reference(record, "DiagnosticReport")],
        activity=[{"detail": {"status": "not-started", "description": step}} for step in steps],
        note=[{"text": say(NOTICE)}],
    )
