"""Fields as rows: the label and where its text comes from on the left, the text on the right."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from copilot.i18n import N_, Translator, english
from copilot.record.export.pdf.page import Page
from copilot.record.export.pdf.style import ACCENT, BODY, HEADING, LABEL, LEFT, QUIET, TINY, WARN, WIDTH
from copilot.record.model import ENTERED, MEASURED, SUGGESTED, WRITTEN, Field, Record, Section

GAP, GUTTER, LABEL_WIDE = 1.5, 6.0, 34.0
LISTS = ("processing", "suggestions", "probabilities")
"""Fields whose lines are items."""


@dataclass(frozen=True)
class FieldRow:
    """What one field shows; ``pending`` while it waits for a clinician, ``empty`` where nobody wrote anything."""

    key: str
    label: str
    text: str
    mark: str
    pending: bool
    empty: bool


def draw_section(page: Page, record: Record, part: Section, translate: Translator) -> None:
    """A section with nothing but rows."""
    draw_heading(page, part, translate)
    draw_rows(page, make_rows(record, part, translate))


def draw_heading(page: Page, part: Section, translate: Translator, space: float = 14) -> None:
    """A section's title with where its text comes from, on a page with at least so much room below."""
    page.ensure_space(space + HEADING.leading + 4)
    page.y += 2.4
    top = page.y
    kinds = {field.origin.kind for field in part.fields}
    source = " · ".join(translate(english.ORIGIN[kind]) for kind in (ENTERED, MEASURED) if kind in kinds)
    page.start_section(part.title.strip() or "-")
    page.write_text(part.title, LEFT, WIDTH - 60, HEADING, tag="H2")
    bottom = page.y
    if source:
        with page.tag("P"):
            page.write_line(source, LEFT, top + 1.4, TINY, width=WIDTH, align="R")
    page.draw_rule(bottom + 0.3)
    page.y = bottom + 2


def make_rows(record: Record, part: Section, translate: Translator) -> list[FieldRow]:
    """The fields of a section as they are shown."""
    return [_make_row(record, field, translate) for field in part.fields]


def draw_rows(page: Page, shown: Sequence[FieldRow]) -> None:
    """Rows below each other; two short ones share a line."""
    half = (WIDTH - GUTTER) / 2
    waiting = list(shown)
    while waiting:
        row = waiting.pop(0)
        if waiting and all(_is_short(page, each, half) for each in (row, waiting[0])):
            page.ensure_space(BODY.leading + GAP)  # for both, or the first would leave the second behind
            top = page.y
            draw_row(page, row, LEFT, half)
            page.y = top
            draw_row(page, waiting.pop(0), LEFT + half + GUTTER, half)
        else:
            draw_row(page, row, LEFT, WIDTH)


def draw_rows_in_column(
    page: Page, shown: Sequence[FieldRow], left: float, width: float, bottom: float
) -> list[FieldRow]:
    """Rows in a column from here down to ``bottom``; returns those that have no room in it."""
    for number, row in enumerate(shown):
        if page.y + _row_height(page, row, width) > bottom:
            return list(shown[number:])
        draw_row(page, row, left, width)
    return []


def draw_row(page: Page, row: FieldRow, left: float, width: float) -> None:
    """One row; a long text goes on over the next pages."""
    label, text = _column_widths(width)
    head = page.text_height(row.label, label, LABEL)
    page.ensure_space(max(head, min(_row_height(page, row, width), 5 * BODY.leading)))
    first_page, top = page.page, page.y
    page.write_text(row.label, left, label, LABEL)
    if text < width:
        page.y = top
    draw_mark(page, row, left + width - text, text)
    text_style, tint = BODY.with_colour(QUIET) if row.empty else BODY, WARN if row.pending else ""
    for line in row.text.splitlines():
        page.write_text(line, left + width - text, text, text_style, tint=tint, indent=_indent(row))
    page.y = max(page.y, top + head if page.page == first_page else 0) + GAP


def draw_mark(page: Page, row: FieldRow, left: float, width: float) -> None:
    """Who suggested, accepted or wrote a row's text."""
    colour = WARN if row.pending else ACCENT
    page.write_text(row.mark, left, width, TINY.with_colour(colour), tint=WARN if row.pending else "")


def format_date(at: str) -> str:
    """The date of a time, in UTC."""
    return datetime.fromisoformat(at).astimezone(UTC).strftime("%Y-%m-%d")


def format_time(at: str) -> str:
    """A time as it is read: ``2026-03-01 10:30 UTC``."""
    return datetime.fromisoformat(at).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _make_row(record: Record, field: Field, translate: Translator) -> FieldRow:
    empty = not field.value.strip()
    text = translate(english.LEFT_EMPTY) if empty else field.value
    return FieldRow(field.key, field.label, text, _make_mark(record, field, translate), not field.accepted, empty)


def _make_mark(record: Record, field: Field, translate: Translator) -> str:
    """Who suggested, accepted or wrote it; nothing where the section's head says it all."""
    if not field.accepted:
        return translate(english.PENDING)
    if field.origin.kind == WRITTEN and field.origin.by:
        return translate(N_("Written by {name}, {on}"), name=field.origin.by, on=format_date(field.origin.at))
    if field.origin.kind != SUGGESTED or not field.value:
        return ""
    for change in reversed(record.history):
        if (change.key, change.action) == (field.key, "accepted"):
            return translate(N_("AI-suggested, accepted by {name}, {on}"), name=change.name, on=format_date(change.at))
    return translate(english.ORIGIN[SUGGESTED])


def _column_widths(width: float) -> tuple[float, float]:
    """Of the label and of the text; in a narrow column the label stands above the text."""
    return (LABEL_WIDE, width - LABEL_WIDE - 3) if width > 80 else (width, width)


def _row_height(page: Page, row: FieldRow, width: float) -> float:
    """Of a row with its gap."""
    label, text = _column_widths(width)
    head = page.text_height(row.label, label, LABEL)
    lines = sum(page.text_height(line, text - _indent(row), BODY) for line in row.text.splitlines())
    body = page.text_height(row.mark, text, TINY) + lines
    return (max(head, body) if text < width else head + body) + GAP


def _is_short(page: Page, row: FieldRow, width: float) -> bool:
    return not row.mark and _row_height(page, row, width) <= BODY.leading + GAP


def _indent(row: FieldRow) -> float:
    return 3.0 if row.key in LISTS and len(row.text.splitlines()) > 1 else 0.0
