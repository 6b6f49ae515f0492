"""Convert records to PDFs of one or two pages for a chart (see ``to_pdf``)."""

from datetime import datetime

from copilot.i18n import Translator
from copilot.record.model import Figures, Record


def to_pdf(record: Record, figures: Figures | None = None) -> bytes:
    """Return the record as an A4 PDF with its status on every page, marks at fields that wait, and searchable text.

    The same record and figures give the same bytes; the document's properties contain no data about the person. Fonts
    are embedded with the letters that are used; text, figures and headings are tagged (ISO 32000-1, 14.8).
    """
    from fpdf.prefs import ViewerPreferences  # fpdf2 takes a fifth of a second to import

    from copilot.record.export.pdf import field_rows, figure_sections, front_matter
    from copilot.record.export.pdf.page import Page

    translate = Translator(record.language)
    page = Page(record.language, front_matter.make_frame(record, translate))
    page.set_title(f"{page.frame.title} {record.id}")
    page.set_creator(record.software)
    page.set_creation_date(datetime.fromisoformat(record.created))
    page.viewer_preferences = ViewerPreferences(display_doc_title=True)
    front_matter.draw_front_matter(page, record, translate)
    for part in record.sections:
        if part.key == "examination":
            figure_sections.draw_examination(page, record, part, figures, translate)
        elif part.key == "assessment":
            figure_sections.draw_assessment(page, record, part, translate)
        else:
            field_rows.draw_section(page, record, part, translate)
    front_matter.draw_about(page, record, translate)
    return bytes(page.output())
