"""Draw the texts before and after the record's sections: title, notice, signature, headline, provenance."""

from copilot import NOTICE
from copilot.i18n import N_, Translator, messages
from copilot.record.export.markdown import describe_record
from copilot.record.export.pdf import style
from copilot.record.export.pdf.field_rows import format_time
from copilot.record.export.pdf.page import Page, PageFrame
from copilot.record.export.pdf.style import (
    ACCENT,
    BODY,
    HEADING,
    HEADLINE,
    INK,
    LEFT,
    SMALL,
    TINY,
    TOP,
    WARN,
    WIDTH,
    TextStyle,
)
from copilot.record.model import Record, Signature

PDF_NOT_A_DEVICE = N_("Research tool, not a medical device")

#: Digits of a SHA-256 in its short form.
DIGITS = 8


def make_frame(record: Record, translate: Translator) -> PageFrame:
    """Return the texts that every page of this record shows."""
    title = translate(messages.SIGNED_RECORD if record.signature else messages.DRAFT_RECORD)
    status = translate(N_("Signed") if record.signature else N_("Draft - not signed"))
    version = translate(messages.ABOUT_VERSION, version=record.version)
    foot = f"{translate(messages.ABOUT_ID)} {record.id} · {version} · {translate(PDF_NOT_A_DEVICE)}"
    return PageFrame(title, status, bool(record.signature), foot)


def draw_front_matter(page: Page, record: Record, translate: Translator) -> None:
    """Draw title, notice, signature or number of waiting fields, what a copy leaves out, headline, and notes."""
    page.y = TOP - 11
    page.write_text(page.frame.title, LEFT, WIDTH - 55, style.TITLE, tag="H1")
    page.write_text(_describe_origin(record, translate), LEFT, WIDTH, SMALL)
    page.y += 2
    _draw_notice(page, translate(NOTICE))
    if record.signature:
        _draw_signature(page, record.signature, translate)
    elif record.pending:
        waiting = translate(
            N_("AI-suggested fields that no clinician has reviewed: {count}. They are marked like this line."),
            count=len(record.pending),
        )
        _draw_band(page, [(waiting, SMALL.with_colour(WARN))], WARN)
    if record.nameless:
        page.write_text(
            translate(N_("This copy leaves out name and number; a signature on it is that of the original.")),
            LEFT,
            WIDTH,
            SMALL,
        )
        page.y += 2
    _draw_headline(page, record)
    for note in (*record.notes, translate(messages.ABOUT_PROSE)):
        page.write_text(note, LEFT, WIDTH, SMALL, indent=3)


def draw_about(page: Page, record: Record, translate: Translator) -> None:
    """Draw the provenance of the record in small print."""
    title, lines = translate(messages.ABOUT_RECORD), describe_record(record, translate)
    page.ensure_space(HEADING.leading + 5 + (len(lines) + 1) * TINY.leading)
    page.y += 2.4
    page.start_section(title)
    page.write_text(title, LEFT, WIDTH, HEADING, tag="H2")
    page.draw_rule(page.y + 0.3)
    page.y += 2
    for label, text in lines:
        page.write_text(f"{label}: {text}", LEFT, WIDTH, TINY)


def _describe_origin(record: Record, translate: Translator) -> str:
    """Return one line with the time, version, model and software of the record."""
    digest = f" ({record.model_sha256[:DIGITS]})" if record.model_sha256 else ""
    parts = [
        f"{translate(messages.ABOUT_CREATED)} {format_time(record.created)}",
        translate(messages.ABOUT_VERSION, version=record.version),
        f"{translate(messages.ABOUT_MODEL)} {record.model}{digest}",
        record.software,
    ]
    if record.amends:
        parts.append(translate(N_("amends the signed version {sha256}"), sha256=record.amends[:DIGITS]))
    return " · ".join(parts)


def _draw_notice(page: Page, text: str) -> None:
    """Draw the notice on a coloured background."""
    height = page.text_height(text, WIDTH - 6, style.NOTE)
    page.draw_rectangle(LEFT, page.y, WIDTH, height + 2.4, style.WARN_SOFT)
    page.y += 1.2
    page.write_text(text, LEFT + 3, WIDTH - 6, style.NOTE)
    page.y += 3


def _draw_signature(page: Page, signed: Signature, translate: Translator) -> None:
    """Draw signer, statement and digest."""
    who = translate(messages.SIGNED_BY, name=signed.name, role=signed.role, at=format_time(signed.at))
    lines = [
        (who, style.SIGNER),
        (signed.statement, BODY),
        (f"{translate(messages.SIGNATURE_DIGEST)}: {signed.sha256}", TINY),
    ]
    _draw_band(page, lines, ACCENT)


def _draw_band(page: Page, lines: list[tuple[str, TextStyle]], colour: str) -> None:
    """Draw lines on a coloured background with a coloured bar on the left."""
    for text, text_style in lines:
        page.write_text(text, LEFT + 2.5, WIDTH - 2.5, text_style, tint=colour)
    page.y += 2.4


def _draw_headline(page: Page, record: Record) -> None:
    """Draw the headline, in the colour of a warning if it states a doubt."""
    page.write_text(record.headline, LEFT, WIDTH, HEADLINE.with_colour(WARN if record.is_doubtful else INK))
    page.y += 1
