"""A record as a PDF of one or two pages for a chart (see ``to_pdf``)."""

from datetime import datetime

from copilot.language import Voice
from copilot.record.pictures import Pictures
from copilot.record.record import Record


def to_pdf(record: Record, pictures: Pictures | None = None) -> bytes:
    """The record on A4: its status on every page, what waits for a clinician marked, text that can be searched.

    The same record and pictures give the same bytes; nothing of the person is in the document's properties. Fonts are
    embedded with the letters that are used; text, pictures and headings are tagged (ISO 32000-1, 14.8).
    """
    from fpdf.prefs import ViewerPreferences  # fpdf2 takes a fifth of a second to import

    from copilot.record.pdf import findings, front, rows
    from copilot.record.pdf.paper import Paper

    say = Voice(record.language)
    paper = Paper(record.language, front.furniture(record, say))
    paper.set_title(f"{paper.furniture.title} {record.id}")
    paper.set_creator(record.software)
    paper.set_creation_date(datetime.fromisoformat(record.created))
    paper.viewer_preferences = ViewerPreferences(display_doc_title=True)
    front.front(paper, record, say)
    for part in record.sections:
        if part.key == "examination":
            findings.examination(paper, record, part, pictures, say)
        elif part.key == "assessment":
            findings.assessment(paper, record, part, say)
        else:
            rows.section(paper, record, part, say)
    front.about(paper, record, say)
    return bytes(paper.output())
