"""Make the DiagnosticReport, the DocumentReference, which contains the whole record as a PDF, and the CarePlan."""

import hashlib
from base64 import b64encode
from io import BytesIO

from copilot import NOTICE
from copilot.i18n import N_, Translator, messages
from copilot.record.export.fhir.elements import (
    EEG_STUDY,
    ELECTRONEURO,
    Json,
    clean_text,
    get_status,
    make_concept,
    make_entry,
    make_field_line,
    make_line,
    make_reference,
)
from copilot.record.export.fhir.observation import collect_measures
from copilot.record.export.fhir.patient import make_signature_line, make_signers, reference_signer
from copilot.record.export.pdf import to_pdf
from copilot.record.model import SUGGESTED, Figures, Record

FHIR_NOTICE = N_("Please note")
FHIR_REPORT = N_("EEG read for emotion with the help of AI")
FHIR_PLAN = N_("Proposal for a plan, to be decided on by a clinician")

#: Sections of the record that the report contains, and the fields that form its conclusion.
REPORTED, CONCLUDING = ("examination", "assessment"), ("emotion", "assessment")
#: Sections of the record that the plan contains.
PLANNED = ("plan", "follow_up")

#: Characters of R4's longest string. The limit does not apply to base64, but servers refuse more there too.
LONGEST = 1024 * 1024


def make_diagnostic_report(record: Record, translate: Translator) -> Json:
    """Return a DiagnosticReport: the examination with its results, and the conclusion by a clinician.

    The headline is the first line of the conclusion, because it states how far to trust the rest. It is left out if it
    states an emotion that no clinician has accepted yet.
    """
    fields = [field for section in record.sections if section.key in REPORTED for field in section.fields]
    version = f"{record.id}, {translate(messages.ABOUT_VERSION, version=record.version)}"
    headline = record.headline if record.is_doubtful or record.field("emotion").accepted else ""
    lines = (
        make_line(translate(FHIR_NOTICE), translate(NOTICE)),
        make_line(translate(messages.FHIR_TRUST), "\n".join((headline or translate(messages.PENDING), *record.notes))),
        *(make_field_line(field, translate) for field in fields),
        make_line(translate(N_("Note")), translate(messages.ABOUT_PROSE)),
        make_line(translate(messages.ABOUT_ID), version),
    )
    unedited = [measure for measure in collect_measures(record, translate) if record.is_unedited(measure.field)]
    taken = [field for key in CONCLUDING if (field := record.field(key)).accepted and field.value]
    conclusion = [f"{field.label} ({translate(messages.ORIGIN[field.origin.kind])}): {field.value}" for field in taken]
    if headline and conclusion:
        conclusion.insert(0, headline)
    return make_entry(
        record,
        "DiagnosticReport",
        translate(FHIR_REPORT),
        lines,
        by_ai=any(field.origin.kind == SUGGESTED for field in fields),
        contained=make_signers(record),
        status=get_status(record, draft="partial"),
        category=[make_concept(ELECTRONEURO["display"], ELECTRONEURO)],
        code=make_concept(translate(FHIR_REPORT), EEG_STUDY),
        subject=make_reference(record, "Patient"),
        encounter=make_reference(record, "Encounter"),
        issued=record.changed,
        resultsInterpreter=[reference_signer(record)],
        result=[make_reference(record, "Observation", measure.key) for measure in unedited],
        conclusion="\n".join(conclusion),
    )


def make_document_reference(record: Record, translate: Translator, figures: Figures | None) -> Json:
    """Return a DocumentReference with the record as PDF, without name and number.

    The figures of the PDF have fewer colours, which makes it a third smaller; if it is still too long, it has none.
    """
    title = translate(messages.SIGNED_RECORD if record.signature else messages.DRAFT_RECORD)
    lines = (make_line(translate(FHIR_NOTICE), translate(NOTICE)), make_signature_line(record, translate))
    pdf = b""
    if figures:
        pdf = to_pdf(record, Figures(_reduce_colours(figures.signal, 64), _reduce_colours(figures.bands, 256)))
    if not pdf or len(pdf) * 4 / 3 >= LONGEST - 4:
        pdf = to_pdf(record)
    attachment = {
        "title": title,
        "contentType": "application/pdf",
        "language": record.language,
        "data": b64encode(pdf).decode(),
        "size": len(pdf),
        "hash": b64encode(hashlib.sha1(pdf, usedforsecurity=False).digest()).decode(),  # FHIR requires SHA-1
        "creation": record.changed,
    }
    return make_entry(
        record,
        "DocumentReference",
        title,
        lines,
        by_ai=any(field.origin.kind == SUGGESTED for field in record.fields),
        contained=make_signers(record),
        status="current",
        docStatus=get_status(record),
        type=make_concept(title, EEG_STUDY),
        subject=make_reference(record, "Patient"),
        date=record.changed,
        author=[make_reference(record, "Device")],
        authenticator=reference_signer(record),
        description=translate(NOTICE),
        content=[{"attachment": attachment}],
        context={
            "encounter": [make_reference(record, "Encounter")],
            "related": [make_reference(record, "DiagnosticReport")],
        },
    )


def _reduce_colours(png: bytes, colours: int) -> bytes:
    """Return a PNG file with at most so many colours."""
    from PIL import Image  # only needed for figures

    smaller = BytesIO()
    picture = Image.open(BytesIO(png)).convert("RGB")
    picture.quantize(colours, dither=Image.Dither.NONE).save(smaller, "PNG", optimize=True)
    return smaller.getvalue()


def make_care_plan(record: Record, translate: Translator) -> Json:
    """Return a CarePlan: suggestions and follow-up that a clinician accepted or wrote, one activity per line.

    It remains a draft and a proposal when the record is signed: only the clinic's own system can activate a plan.
    """
    fields = [field for section in record.sections if section.key in PLANNED for field in section.fields]
    taken = [field for field in fields if field.accepted]
    suggested = any(field.value and field.origin.kind == SUGGESTED for field in taken)
    lines = (
        make_line(translate(FHIR_NOTICE), translate(NOTICE)),
        *(make_field_line(field, translate) for field in fields),
    )
    steps = [step for field in taken for step in clean_text(field.value).splitlines()]
    return make_entry(
        record,
        "CarePlan",
        translate(FHIR_PLAN),
        lines,
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
