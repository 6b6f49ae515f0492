"""Make the DocumentReference, which contains the whole record as a PDF."""

import hashlib
from base64 import b64encode
from io import BytesIO

from copilot import NOTICE
from copilot.i18n import Translator, messages
from copilot.record.export.fhir import codes
from copilot.record.export.fhir.codes import Json
from copilot.record.export.fhir.entries import get_stage, make_entry, make_reference
from copilot.record.export.fhir.narrative import Narrative, make_line
from copilot.record.export.fhir.patient import make_signature_line, make_signers, reference_signer
from copilot.record.export.pdf.document import to_pdf
from copilot.record.model import SUGGESTED, Figures, Record

#: Characters of R4's longest string. The limit does not apply to base64, but servers refuse more there too.
LONGEST = 1024 * 1024


def make_document_reference(record: Record, translate: Translator, figures: Figures | None) -> Json:
    """Return a DocumentReference with the record as PDF, without name and number."""
    title = translate(messages.SIGNED_RECORD if record.signature else messages.DRAFT_RECORD)
    lines = (make_line(translate(messages.FHIR_NOTICE), translate(NOTICE)), make_signature_line(record, translate))
    return make_entry(
        record,
        "DocumentReference",
        Narrative(record.language, title, lines),
        by_ai=any(field.origin.kind == SUGGESTED for field in record.fields),
        contained=make_signers(record),
        status="current",
        docStatus=codes.DOCUMENT[get_stage(record)],
        type=codes.make_concept(title, codes.EEG_STUDY),
        subject=make_reference(record, "Patient"),
        date=record.changed,
        author=[make_reference(record, "Device")],
        authenticator=reference_signer(record),
        description=translate(NOTICE),
        content=[{"attachment": {"title": title, **_make_attachment(record, figures)}}],
        context={
            "encounter": [make_reference(record, "Encounter")],
            "related": [make_reference(record, "DiagnosticReport")],
        },
    )


def _make_attachment(record: Record, figures: Figures | None) -> Json:
    """Return the PDF as an Attachment, without its title."""
    pdf = _make_pdf(record, figures)
    return {
        "contentType": "application/pdf",
        "language": record.language,
        "data": b64encode(pdf).decode(),
        "size": len(pdf),
        "hash": b64encode(hashlib.sha1(pdf, usedforsecurity=False).digest()).decode(),  # FHIR requires SHA-1
        "creation": record.changed,
    }


def _make_pdf(record: Record, figures: Figures | None) -> bytes:
    """Return the PDF with figures in fewer colours, a third smaller; without figures if it is still too long."""
    if figures:
        pdf = to_pdf(record, Figures(_reduce_colours(figures.signal, 64), _reduce_colours(figures.bands, 256)))
        if len(pdf) * 4 / 3 < LONGEST - 4:
            return pdf
    return to_pdf(record)


def _reduce_colours(png: bytes, colours: int) -> bytes:
    """Return a PNG file with at most so many colours."""
    from PIL import Image  # only needed for figures

    smaller = BytesIO()
    picture = Image.open(BytesIO(png)).convert("RGB")
    picture.quantize(colours, dither=Image.Dither.NONE).save(smaller, "PNG", optimize=True)
    return smaller.getvalue()
