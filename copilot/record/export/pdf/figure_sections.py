"""The two sections with pictures: the examination beside its signal, the assessment beside its probabilities."""

from copilot import emotions
from copilot.i18n import Translator, english
from copilot.i18n.terms import term
from copilot.record.draft import percent
from copilot.record.export.pdf import field_rows, style
from copilot.record.export.pdf.field_rows import FieldRow
from copilot.record.export.pdf.page import Page
from copilot.record.export.pdf.style import BODY, BOLD, BOTTOM, INK, LABEL, LEFT, LINE, QUIET, TINY, TONES, WIDTH
from copilot.record.figures import Pictures
from copilot.record.model import Findings, Record, Section

HALF = (WIDTH - field_rows.GUTTER) / 2
HIGH, LOW = 104.0, 64.0
"""Height of the pictures at most, and where the page has less room left."""
NAME, TRACK, STEP, THICK = 27.0, 54.0, 5.3, 3.3
"""Of a bar, millimetres: room for its name, length of the longest possible, from one to the next, thickness."""
COLUMN = 104.0
"""Where the column beside the bars begins, from the left margin."""


def examination(paper: Page, record: Record, part: Section, pictures: Pictures | None, say: Translator) -> None:
    """The signal on the left, band powers and as many rows as have room on the right, the others below."""
    shown = field_rows.rows(record, part, say)
    if pictures is None:
        field_rows.heading(paper, part, say)
        field_rows.draw(paper, shown)
        return
    field_rows.heading(paper, part, say, room=LOW)
    top, right = paper.y, LEFT + HALF + field_rows.GUTTER
    most = min(HIGH, BOTTOM - top)
    high = paper.picture(pictures.signal, LEFT, top, HALF, most, say(english.SIGNAL_ALT))
    bands = paper.picture(pictures.bands, right, top, HALF, most, say(english.BANDS_ALT))
    paper.y = top + bands + 2
    rest = field_rows.draw_beside(paper, shown, right, HALF, top + max(high, bands))
    paper.y = max(paper.y, top + max(high, bands)) + 2
    field_rows.draw(paper, rest)


def assessment(paper: Page, record: Record, part: Section, say: Translator) -> None:
    """Nine bars, beside them what follows from them, below the text; without bars that has the whole width."""
    field_rows.heading(paper, part, say, room=72)
    shown = field_rows.rows(record, part, say)
    figures = [row for row in shown if row.key in ("emotion", "three_class", "valence")]
    drawn = [row for row in shown if row.key == "probabilities" and record.stands(row.key)]
    top = paper.y
    for row in drawn:
        _bars(paper, record.findings, row, say)
    bottom = paper.y
    paper.y = top
    left, width, end = (LEFT + COLUMN, WIDTH - COLUMN, bottom) if drawn else (LEFT, WIDTH, BOTTOM)
    rest = field_rows.draw_beside(paper, figures, left, width, end - 15)
    if record.stands("three_class"):
        _three_classes(paper, record.findings, left, width, say)
    if record.stands("valence"):
        _valence(paper, record.findings, left, width)
    paper.y = max(bottom, paper.y) + 1
    calibrated = english.CALIBRATED if record.findings.calibrated else english.NOT_CALIBRATED
    paper.flow(say(calibrated), LEFT, WIDTH, TINY)
    paper.y += 2
    said = [row for row in drawn if _is_drawn(row, record.findings, say)]
    others = [row for row in shown if row not in (*figures, *said)]
    field_rows.draw(paper, [*rest, *others])


def _ranked(findings: Findings, say: Translator) -> list[tuple[str, float, str]]:
    """Name, probability and colour of each emotion, most probable first."""
    return [
        (
            say(term("emotion", name)),
            share,
            TONES[emotions.THREE_CLASSES[emotions.CLASS_OF[emotions.EMOTIONS.index(name)]]],
        )
        for name, share in emotions.sort_by_probability(findings.probabilities)
    ]


def _is_drawn(row: FieldRow, findings: Findings, say: Translator) -> bool:
    """Whether the bars say all that the row does."""
    said = [f"{name} {percent(share)}" for name, share, _ in _ranked(findings, say)]
    return row.text.splitlines() == said


def _bars(paper: Page, findings: Findings, row: FieldRow, say: Translator) -> None:
    """Bars on a scale that ends a little above the longest, at 40 % or more; a line where chance is."""
    ranked = _ranked(findings, say)
    end = max(0.4, 1.05 * ranked[0][1])
    if _is_drawn(row, findings, say):
        paper.flow(row.label, LEFT, NAME + TRACK + 14, LABEL)
        field_rows.mark(paper, row, LEFT, NAME + TRACK + 14)
        paper.y += 1.2
    top = paper.y
    for place, (name, share, colour) in enumerate(ranked):
        y = top + place * STEP
        paper.box(LEFT + NAME, y + 0.6, TRACK, THICK, style.TRACK)
        paper.box(LEFT + NAME, y + 0.6, TRACK * share / end, THICK, colour)
        look = BODY if place else BOLD
        with paper.tagged("P"):
            paper.put(name, LEFT, y, look)
            paper.put(percent(share), LEFT + NAME + TRACK, y, look, width=14, align="R")
    paper.y = top + len(ranked) * STEP
    chance = LEFT + NAME + TRACK / len(ranked) / end
    paper.dashed(chance, top, paper.y + 0.4)
    with paper.tagged("P"):
        paper.put(say(english.CHANCE), chance - 15, paper.y + 0.6, TINY, width=30, align="C")
    paper.y += TINY.leading + 1


def _three_classes(paper: Page, findings: Findings, left: float, width: float, say: Translator) -> None:
    """One bar in three colours."""
    x, top = left, paper.y + 1
    for place, share in enumerate(emotions.sum_three_classes(findings.probabilities)):
        name = emotions.THREE_CLASSES[place]
        paper.box(x, top, width * share, THICK, TONES[name])
        with paper.tagged("P"):
            look = TINY.but(TONES[name])
            paper.put(say(term("class", name)), left, top + THICK + 0.4, look, width=width, align="LCR"[place])
        x += width * share
    paper.y = top + THICK + TINY.leading + 2


def _valence(paper: Page, findings: Findings, left: float, width: float) -> None:
    """A scale from -1 to +1 with a mark."""
    y, value = paper.y + 1.2, emotions.compute_valence(findings.probabilities)
    paper.box(left, y, width, 0.5, LINE)
    paper.box(left + width / 2 - 0.15, y - 0.8, 0.3, 2.1, QUIET)
    paper.box(left + (1 + value) / 2 * width - 0.6, y - 1.3, 1.2, 3.1, INK)
    with paper.tagged("P"):
        for align, end in zip("LCR", ("-1", "0", "+1"), strict=True):
            paper.put(end, left, y + 2.2, TINY, width=width, align=align)
    paper.y = y + 2.2 + TINY.leading
