"""The whole record as a document: DocumentReference with the PDF inside."""

import hashlib
from base64 import b64encode
from io import BytesIO

from copilot import NOTICE
from copilot.i18n import Translator, english
from copilot.record.export.fhir import codes
from copilot.record.export.fhir.codes import Json
from copilot.record.export.fhir.entries import entry, reference, stage, written_at
from copilot.record.export.fhir.narrative import Narrative, line
from copilot.record.export.fhir.patient import by_signer, signature_line, signers
from copilot.record.export.pdf.document import to_pdf
from copilot.record.figures import Pictures
from copilot.record.model import SUGGESTED, Record

#: Characters of R4's longest string. It does not hold for base64, but servers refuse more there too.
LONGEST = 1024 * 1024


def document(record: Record, say: Translator, pictures: Pictures | None) -> Json:
    """The record as PDF, without name and number."""
    title = say(english.SIGNED_RECORD if record.signature else english.DRAFT_RECORD)
    lines = (line(say(english.FHIR_NOTICE), say(NOTICE)), signature_line(record, say))
    return entry(
        record,
        "DocumentReference",
        Narrative(record.language, title, lines),
        by_ai=any(field.origin.kind == SUGGESTED for field in record.fields),
        contained=signers(record),
        status="current",
        docStatus=codes.DOCUMENT[stage(record)],
        type=codes.concept(title, codes.EEG_STUDY),
        subject=reference(record, "Patient"),
        date=written_at(record),
        author=[reference(record, "Device")],
        authenticator=by_signer(record),
        description=say(NOTICE),
        content=[{"attachment": {"title": title, **_attachment(record, pictures)}}],
        context={"encounter": [reference(record, "Encounter")], "related": [reference(record, "DiagnosticReport")]},
    )


def _attachment(record: Record, pictures: Pictures | None) -> Json:
    pdf = _pdf(record, pictures)
    return {
        "contentType": "application/pdf",
        "language": record.language,
        "data": b64encode(pdf).decode(),
        "size": len(pdf),
        "hash": b64encode(hashlib.sha1(pdf, usedforsecurity=False).digest()).decode(),  # FHIR wants SHA-1
        "creation": written_at(record),
    }


def _pdf(record: Record, pictures: Pictures | None) -> bytes:
    """With pictures in fewer colours, a third smaller; without them where it would still be too long."""
    if pictures:
        pdf = to_pdf(record, Pictures(_coarse(pictures.signal, 64), _coarse(pictures.bands, 256)))
        if len(pdf) * 4 / 3 < LONGEST - 4:
            return pdf
    return to_pdf(record)


def _coarse(png: bytes, colours: int) -> bytes:
    from PIL import Image  # only where there is a picture

    smaller = BytesIO()
    picture = Image.open(BytesIO(png)).convert("RGB")
    picture.quantize(colours, dither=Image.Dither.NONE).save(smaller, "PNG", optimize=True)
    return smaller.getvalue()
