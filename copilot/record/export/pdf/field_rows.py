"""Draw fields as rows: label on the left, text with its origin on the right. Lengths are in millimetres."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from copilot.i18n import N_, Translator, messages
from copilot.record.export.pdf.page import ACCENT, BODY, HEADING, LABEL, LEFT, QUIET, TINY, WARN, WIDTH, Page
from copilot.record.model import ENTERED, MEASURED, SUGGESTED, WRITTEN, Field, Record, Section

#: Space below a row, space between two columns, width of the labels.
GAP, GUTTER, LABEL_WIDE = 1.5, 6.0, 34.0
#: Fields whose lines are items of a list.
LISTS = ("processing", "suggestions", "probabilities")


@dataclass(frozen=True)
class FieldRow:
    """The contents of one row; ``pending`` while the field waits for a clinician, ``empty`` if it has no text."""

    key: str
    label: str
    text: str
    mark: str
    pending: bool
    empty: bool


def draw_heading(page: Page, part: Section, translate: Translator, space: float = 14) -> None:
    """Draw the title of a section with the origins of its text.

    Args:
        page: the document, at the place where the section begins.
        part: the section.
        translate: translator for the record's language.
        space: least space below the title on the same page, millimetres.
    """
    page.ensure_space(space + HEADING.leading + 4)
    page.y += 2.4
    top = page.y
    kinds = {field.origin.kind for field in part.fields}
    source = " · ".join(translate(messages.ORIGIN[kind]) for kind in (ENTERED, MEASURED) if kind in kinds)
    page.start_section(part.title.strip() or "-")
    page.write_text(part.title, LEFT, WIDTH - 60, HEADING, tag="H2")
    bottom = page.y
    if source:
        with page.tag("P"):
            page.write_line(source, LEFT, top + 1.4, TINY, width=WIDTH, align="R")
    page.draw_rule(bottom + 0.3)
    page.y = bottom + 2


def make_rows(record: Record, part: Section, translate: Translator) -> list[FieldRow]:
    """Return the rows of a section's fields."""
    rows = []
    for field in part.fields:
        empty = not field.value.strip()
        text = translate(messages.LEFT_EMPTY) if empty else field.value
        mark = _make_mark(record, field, translate)
        rows.append(FieldRow(field.key, field.label, text, mark, not field.accepted, empty))
    return rows


def draw_rows(page: Page, shown: Sequence[FieldRow]) -> None:
    """Draw rows below each other; two short rows share a line."""
    half = (WIDTH - GUTTER) / 2
    waiting = list(shown)
    while waiting:
        row = waiting.pop(0)
        if waiting and all(_is_short(page, each, half) for each in (row, waiting[0])):
            page.ensure_space(BODY.leading + GAP)  # for both, so that they are on the same page
            top = page.y
            draw_row(page, row, LEFT, half)
            page.y = top
            draw_row(page, waiting.pop(0), LEFT + half + GUTTER, half)
        else:
            draw_row(page, row, LEFT, WIDTH)


def draw_rows_in_column(
    page: Page, shown: Sequence[FieldRow], left: float, width: float, bottom: float
) -> list[FieldRow]:
    """Draw rows in a column from the current height and return the rows for which it has no space.

    Args:
        page: the document.
        shown: the rows.
        left: left edge of the column, millimetres.
        width: width of the column, millimetres.
        bottom: lower end of the column, millimetres from the top of the page.
    """
    for number, row in enumerate(shown):
        if page.y + _row_height(page, row, width) > bottom:
            return list(shown[number:])
        draw_row(page, row, left, width)
    return []


def draw_row(page: Page, row: FieldRow, left: float, width: float) -> None:
    """Draw one row, ``width`` millimetres wide; a long text continues on the next pages."""
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
    """Write who suggested, accepted or wrote a row's text; ``left`` and ``width`` are in millimetres."""
    colour = WARN if row.pending else ACCENT
    page.write_text(row.mark, left, width, TINY.with_colour(colour), tint=WARN if row.pending else "")


def format_date(at: str) -> str:
    """Return the date of a time in UTC: ``2026-03-01``."""
    return datetime.fromisoformat(at).astimezone(UTC).strftime("%Y-%m-%d")


def format_time(at: str) -> str:
    """Return a time for people: ``2026-03-01 10:30 UTC``."""
    return datetime.fromisoformat(at).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _make_mark(record: Record, field: Field, translate: Translator) -> str:
    """Return who suggested, accepted or wrote a field, empty if the section's title states its origin."""
    if not field.accepted:
        return translate(messages.PENDING)
    if field.origin.kind == WRITTEN and field.origin.by:
        return translate(N_("Written by {name}, {on}"), name=field.origin.by, on=format_date(field.origin.at))
    if field.origin.kind != SUGGESTED or not field.value:
        return ""
    for change in reversed(record.history):
        if (change.key, change.action) == (field.key, "accepted"):
            return translate(N_("AI-suggested, accepted by {name}, {on}"), name=change.name, on=format_date(change.at))
    return translate(messages.ORIGIN[SUGGESTED])


def _column_widths(width: float) -> tuple[float, float]:
    """Return the widths of label and text in millimetres; in a narrow column the label is above the text."""
    return (LABEL_WIDE, width - LABEL_WIDE - 3) if width > 80 else (width, width)


def _row_height(page: Page, row: FieldRow, width: float) -> float:
    """Return the height of a row with the space below it, millimetres."""
    label, text = _column_widths(width)
    head = page.text_height(row.label, label, LABEL)
    lines = sum(page.text_height(line, text - _indent(row), BODY) for line in row.text.splitlines())
    body = page.text_height(row.mark, text, TINY) + lines
    return (max(head, body) if text < width else head + body) + GAP


def _is_short(page: Page, row: FieldRow, width: float) -> bool:
    """Return whether a row without mark fits on one line of this width (millimetres)."""
    return not row.mark and _row_height(page, row, width) <= BODY.leading + GAP


def _indent(row: FieldRow) -> float:
    """Return the indent of a row's text in millimetres: more than zero for the items of a list."""
    return 3.0 if row.key in LISTS and len(row.text.splitlines()) > 1 else 0.0
