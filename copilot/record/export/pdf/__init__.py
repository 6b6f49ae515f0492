"""Convert records to PDFs of one or two pages for a chart (see ``to_pdf``)."""

from datetime import datetime

from copilot.i18n import N_, Translator, messages
from copilot.record.model import Figures, Record


def to_pdf(record: Record, figures: Figures | None = None) -> bytes:
    """Return the record as an A4 PDF with its status on every page, marks at fields that wait, and searchable text.

    The same record and figures give the same bytes; the document's properties contain no data about the person. Fonts
    are embedded with the letters that are used; text, figures and headings are tagged (ISO 32000-1, 14.8).
    """
    from fpdf.prefs import ViewerPreferences  # fpdf2 takes a fifth of a second to import

    from copilot.record.export.pdf import field_rows, sections
    from copilot.record.export.pdf.page import Page, PageFrame

    translate = Translator(record.language)
    title = translate(messages.SIGNED_RECORD if record.signature else messages.DRAFT_RECORD)
    status = translate(N_("Signed") if record.signature else N_("Draft - not signed"))
    version = translate(messages.ABOUT_VERSION, version=record.version)
    not_a_device = translate(N_("Research tool, not a medical device"))
    foot = f"{translate(messages.ABOUT_ID)} {record.id} · {version} · {not_a_device}"
    page = Page(record.language, PageFrame(title, status, bool(record.signature), foot))
    page.set_title(f"{title} {record.id}")
    page.set_creator(record.software)
    page.set_creation_date(datetime.fromisoformat(record.created))
    page.viewer_preferences = ViewerPreferences(display_doc_title=True)
    sections.draw_front_matter(page, record, translate)
    for part in record.sections:
        if part.key == "examination":
            sections.draw_examination(page, record, part, figures, translate)
        elif part.key == "assessment":
            sections.draw_assessment(page, record, part, translate)
        else:
            field_rows.draw_heading(page, part, translate)
            field_rows.draw_rows(page, field_rows.make_rows(record, part, translate))
    sections.draw_about(page, record, translate)
    return bytes(page.output())
