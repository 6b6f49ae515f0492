"""Draw the two sections with figures: examination with signal, assessment with probabilities. Lengths: millimetres."""

from copilot import emotions
from copilot.i18n import Translator, messages
from copilot.i18n.terms import term
from copilot.record.draft import percent
from copilot.record.export.pdf import field_rows, style
from copilot.record.export.pdf.field_rows import FieldRow
from copilot.record.export.pdf.page import Page
from copilot.record.export.pdf.style import BODY, BOLD, BOTTOM, INK, LABEL, LEFT, LINE, QUIET, TINY, TONES, WIDTH
from copilot.record.model import Figures, Findings, Record, Section

#: Width of one of two columns.
HALF = (WIDTH - field_rows.GUTTER) / 2
#: Most height of the figures, and the least space below the title of their section.
HIGH, LOW = 104.0, 64.0
#: Of a bar: width of its name, length of the longest one, distance between two, thickness.
NAME, TRACK, STEP, THICK = 27.0, 54.0, 5.3, 3.3
#: Distance from the left margin to the column beside the bars.
COLUMN = 104.0


def draw_examination(page: Page, record: Record, part: Section, figures: Figures | None, translate: Translator) -> None:
    """Draw the signal on the left, band powers and as many rows as fit on the right, the others below.

    Args:
        page: the document.
        record: the record.
        part: the section.
        figures: figures of the record; None: only rows are drawn.
        translate: translator for the record's language.
    """
    shown = field_rows.make_rows(record, part, translate)
    if figures is None:
        field_rows.draw_heading(page, part, translate)
        field_rows.draw_rows(page, shown)
        return
    field_rows.draw_heading(page, part, translate, space=LOW)
    top, right = page.y, LEFT + HALF + field_rows.GUTTER
    most = min(HIGH, BOTTOM - top)
    high = page.draw_picture(figures.signal, LEFT, top, HALF, most, translate(messages.SIGNAL_ALT))
    bands = page.draw_picture(figures.bands, right, top, HALF, most, translate(messages.BANDS_ALT))
    page.y = top + bands + 2
    rest = field_rows.draw_rows_in_column(page, shown, right, HALF, top + max(high, bands))
    page.y = max(page.y, top + max(high, bands)) + 2
    field_rows.draw_rows(page, rest)


def draw_assessment(page: Page, record: Record, part: Section, translate: Translator) -> None:
    """Draw nine bars, the values that follow from them beside them, and the text below.

    Without bars the values have the whole width.

    Args:
        page: the document.
        record: the record.
        part: the section.
        translate: translator for the record's language.
    """
    field_rows.draw_heading(page, part, translate, space=72)
    shown = field_rows.make_rows(record, part, translate)
    figures = [row for row in shown if row.key in ("emotion", "three_class", "valence")]
    drawn = [row for row in shown if row.key == "probabilities" and record.is_unedited(row.key)]
    top = page.y
    for row in drawn:
        _draw_bars(page, record.findings, row, translate)
    bottom = page.y
    page.y = top
    left, width, end = (LEFT + COLUMN, WIDTH - COLUMN, bottom) if drawn else (LEFT, WIDTH, BOTTOM)
    rest = field_rows.draw_rows_in_column(page, figures, left, width, end - 15)
    if record.is_unedited("three_class"):
        _draw_three_classes(page, record.findings, left, width, translate)
    if record.is_unedited("valence"):
        _draw_valence(page, record.findings, left, width)
    page.y = max(bottom, page.y) + 1
    calibrated = messages.CALIBRATED if record.findings.calibrated else messages.NOT_CALIBRATED
    page.write_text(translate(calibrated), LEFT, WIDTH, TINY)
    page.y += 2
    complete = [row for row in drawn if _is_shown_by_bars(row, record.findings, translate)]
    others = [row for row in shown if row not in (*figures, *complete)]
    field_rows.draw_rows(page, [*rest, *others])


def _rank_emotions(findings: Findings, translate: Translator) -> list[tuple[str, float, str]]:
    """Return name, probability and colour of each emotion, most probable first."""
    return [
        (
            translate(term("emotion", name)),
            share,
            TONES[emotions.THREE_CLASSES[emotions.CLASS_OF[emotions.EMOTIONS.index(name)]]],
        )
        for name, share in emotions.sort_by_probability(findings.probabilities)
    ]


def _is_shown_by_bars(row: FieldRow, findings: Findings, translate: Translator) -> bool:
    """Return whether the bars show the complete text of the row."""
    lines = [f"{name} {percent(share)}" for name, share, _ in _rank_emotions(findings, translate)]
    return row.text.splitlines() == lines


def _draw_bars(page: Page, findings: Findings, row: FieldRow, translate: Translator) -> None:
    """Draw bars on a scale that ends a little above the longest bar, at 40 % or more; a line marks chance."""
    ranked = _rank_emotions(findings, translate)
    end = max(0.4, 1.05 * ranked[0][1])
    if _is_shown_by_bars(row, findings, translate):
        page.write_text(row.label, LEFT, NAME + TRACK + 14, LABEL)
        field_rows.draw_mark(page, row, LEFT, NAME + TRACK + 14)
        page.y += 1.2
    top = page.y
    for place, (name, share, colour) in enumerate(ranked):
        y = top + place * STEP
        page.draw_rectangle(LEFT + NAME, y + 0.6, TRACK, THICK, style.TRACK)
        page.draw_rectangle(LEFT + NAME, y + 0.6, TRACK * share / end, THICK, colour)
        text_style = BODY if place else BOLD
        with page.tag("P"):
            page.write_line(name, LEFT, y, text_style)
            page.write_line(percent(share), LEFT + NAME + TRACK, y, text_style, width=14, align="R")
    page.y = top + len(ranked) * STEP
    chance = LEFT + NAME + TRACK / len(ranked) / end
    page.draw_dashed_line(chance, top, page.y + 0.4)
    with page.tag("P"):
        page.write_line(translate(messages.CHANCE), chance - 15, page.y + 0.6, TINY, width=30, align="C")
    page.y += TINY.leading + 1


def _draw_three_classes(page: Page, findings: Findings, left: float, width: float, translate: Translator) -> None:
    """Draw the probabilities of three classes as one bar in three colours."""
    x, top = left, page.y + 1
    for place, share in enumerate(emotions.sum_three_classes(findings.probabilities)):
        name = emotions.THREE_CLASSES[place]
        page.draw_rectangle(x, top, width * share, THICK, TONES[name])
        with page.tag("P"):
            text_style = TINY.with_colour(TONES[name])
            page.write_line(
                translate(term("class", name)), left, top + THICK + 0.4, text_style, width=width, align="LCR"[place]
            )
        x += width * share
    page.y = top + THICK + TINY.leading + 2


def _draw_valence(page: Page, findings: Findings, left: float, width: float) -> None:
    """Draw the valence as a mark on a scale from -1 to +1."""
    y, value = page.y + 1.2, emotions.compute_valence(findings.probabilities)
    page.draw_rectangle(left, y, width, 0.5, LINE)
    page.draw_rectangle(left + width / 2 - 0.15, y - 0.8, 0.3, 2.1, QUIET)
    page.draw_rectangle(left + (1 + value) / 2 * width - 0.6, y - 1.3, 1.2, 3.1, INK)
    with page.tag("P"):
        for align, end in zip("LCR", ("-1", "0", "+1"), strict=True):
            page.write_line(end, left, y + 2.2, TINY, width=width, align=align)
    page.y = y + 2.2 + TINY.leading
