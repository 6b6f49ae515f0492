"""A record as a PDF of one or two pages for a chart (see ``to_pdf``)."""

from datetime import datetime

from copilot.i18n import Translator
from copilot.record.figures import Pictures
from copilot.record.model import Record


def to_pdf(record: Record, pictures: Pictures | None = None) -> bytes:
    """The record on A4: its status on every page, what waits for a clinician marked, text that can be searched.

    The same record and pictures give the same bytes; nothing of the person is in the document's properties. Fonts are
    embedded with the letters that are used; text, pictures and headings are tagged (ISO 32000-1, 14.8).
    """
    from fpdf.prefs import ViewerPreferences  # fpdf2 takes a fifth of a second to import

    from copilot.record.export.pdf import field_rows, figure_sections, front_matter
    from copilot.record.export.pdf.page import Page

    say = Translator(record.language)
    paper = Page(record.language, front_matter.furniture(record, say))
    paper.set_title(f"{paper.furniture.title} {record.id}")
    paper.set_creator(record.software)
    paper.set_creation_date(datetime.fromisoformat(record.created))
    paper.viewer_preferences = ViewerPreferences(display_doc_title=True)
    front_matter.front(paper, record, say)
    for part in record.sections:
        if part.key == "examination":
            figure_sections.examination(paper, record, part, pictures, say)
        elif part.key == "assessment":
            figure_sections.assessment(paper, record, part, say)
        else:
            field_rows.section(paper, record, part, say)
    front_matter.about(paper, record, say)
    return bytes(paper.output())
