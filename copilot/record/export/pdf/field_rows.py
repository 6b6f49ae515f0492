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


def section(paper: Page, record: Record, part: Section, say: Translator) -> None:
    """A section with nothing but rows."""
    heading(paper, part, say)
    draw(paper, rows(record, part, say))


def heading(paper: Page, part: Section, say: Translator, room: float = 14) -> None:
    """A section's title with where its text comes from, on a page with at least so much room below."""
    paper.keep(room + HEADING.leading + 4)
    paper.y += 2.4
    top = paper.y
    kinds = {field.origin.kind for field in part.fields}
    source = " · ".join(say(english.ORIGIN[kind]) for kind in (ENTERED, MEASURED) if kind in kinds)
    paper.start_section(part.title.strip() or "-")
    paper.flow(part.title, LEFT, WIDTH - 60, HEADING, tag="H2")
    bottom = paper.y
    if source:
        with paper.tagged("P"):
            paper.put(source, LEFT, top + 1.4, TINY, width=WIDTH, align="R")
    paper.rule(bottom + 0.3)
    paper.y = bottom + 2


def rows(record: Record, part: Section, say: Translator) -> list[FieldRow]:
    """The fields of a section as they are shown."""
    return [_row(record, field, say) for field in part.fields]


def draw(paper: Page, shown: Sequence[FieldRow]) -> None:
    """Rows below each other; two short ones share a line."""
    half = (WIDTH - GUTTER) / 2
    waiting = list(shown)
    while waiting:
        row = waiting.pop(0)
        if waiting and all(_is_short(paper, each, half) for each in (row, waiting[0])):
            paper.keep(BODY.leading + GAP)  # for both, or the first would leave the second behind
            top = paper.y
            draw_row(paper, row, LEFT, half)
            paper.y = top
            draw_row(paper, waiting.pop(0), LEFT + half + GUTTER, half)
        else:
            draw_row(paper, row, LEFT, WIDTH)


def draw_beside(paper: Page, shown: Sequence[FieldRow], left: float, width: float, bottom: float) -> list[FieldRow]:
    """Rows in a column from here down to ``bottom``; returns those that have no room in it."""
    for number, row in enumerate(shown):
        if paper.y + _height(paper, row, width) > bottom:
            return list(shown[number:])
        draw_row(paper, row, left, width)
    return []


def draw_row(paper: Page, row: FieldRow, left: float, width: float) -> None:
    """One row; a long text goes on over the next pages."""
    label, text = _widths(width)
    head = paper.height(row.label, label, LABEL)
    paper.keep(max(head, min(_height(paper, row, width), 5 * BODY.leading)))
    page, top = paper.page, paper.y
    paper.flow(row.label, left, label, LABEL)
    if text < width:
        paper.y = top
    mark(paper, row, left + width - text, text)
    look, tint = BODY.but(QUIET) if row.empty else BODY, WARN if row.pending else ""
    for line in row.text.splitlines():
        paper.flow(line, left + width - text, text, look, tint=tint, indent=_indent(row))
    paper.y = max(paper.y, top + head if paper.page == page else 0) + GAP


def mark(paper: Page, row: FieldRow, left: float, width: float) -> None:
    """Who suggested, accepted or wrote a row's text."""
    colour = WARN if row.pending else ACCENT
    paper.flow(row.mark, left, width, TINY.but(colour), tint=WARN if row.pending else "")


def day(at: str) -> str:
    """The date of a time, in UTC."""
    return datetime.fromisoformat(at).astimezone(UTC).strftime("%Y-%m-%d")


def time(at: str) -> str:
    """A time as it is read: ``2026-03-01 10:30 UTC``."""
    return datetime.fromisoformat(at).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _row(record: Record, field: Field, say: Translator) -> FieldRow:
    empty = not field.value.strip()
    text = say(english.LEFT_EMPTY) if empty else field.value
    return FieldRow(field.key, field.label, text, _mark(record, field, say), not field.accepted, empty)


def _mark(record: Record, field: Field, say: Translator) -> str:
    """Who suggested, accepted or wrote it; nothing where the section's head says it all."""
    if not field.accepted:
        return say(english.PENDING)
    if field.origin.kind == WRITTEN and field.origin.by:
        return say(N_("Written by {name}, {on}"), name=field.origin.by, on=day(field.origin.at))
    if field.origin.kind != SUGGESTED or not field.value:
        return ""
    for change in reversed(record.history):
        if (change.key, change.action) == (field.key, "accepted"):
            return say(N_("AI-suggested, accepted by {name}, {on}"), name=change.name, on=day(change.at))
    return say(english.ORIGIN[SUGGESTED])


def _widths(width: float) -> tuple[float, float]:
    """Of the label and of the text; in a narrow column the label stands above the text."""
    return (LABEL_WIDE, width - LABEL_WIDE - 3) if width > 80 else (width, width)


def _height(paper: Page, row: FieldRow, width: float) -> float:
    """Of a row with its gap."""
    label, text = _widths(width)
    head = paper.height(row.label, label, LABEL)
    lines = sum(paper.height(line, text - _indent(row), BODY) for line in row.text.splitlines())
    body = paper.height(row.mark, text, TINY) + lines
    return (max(head, body) if text < width else head + body) + GAP


def _is_short(paper: Page, row: FieldRow, width: float) -> bool:
    return not row.mark and _height(paper, row, width) <= BODY.leading + GAP


def _indent(row: FieldRow) -> float:
    return 3.0 if row.key in LISTS and len(row.text.splitlines()) > 1 else 0.0
