"""Draw the texts before and after the record's sections, and the two sections with figures. Lengths: millimetres."""

from copilot import NOTICE, emotions
from copilot.i18n import N_, Translator, messages
from copilot.i18n.terms import term
from copilot.record.export.markdown import describe_record
from copilot.record.export.pdf import field_rows
from copilot.record.export.pdf.field_rows import FieldRow, format_time
from copilot.record.export.pdf.page import (
    ACCENT,
    BODY,
    BOLD,
    BOTTOM,
    HEADING,
    HEADLINE,
    INK,
    LABEL,
    LEFT,
    LINE,
    NOTE,
    PALE,
    QUIET,
    SIGNER,
    SMALL,
    TINY,
    TITLE,
    TONES,
    TOP,
    WARN,
    WARN_SOFT,
    WIDTH,
    Page,
    TextStyle,
)
from copilot.record.model import Figures, Findings, Record, Section
from copilot.text import percent

#: Digits of a SHA-256 in its short form.
DIGITS = 8
#: Width of one of two columns.
HALF = (WIDTH - field_rows.GUTTER) / 2
#: Most height of the figures, and the least space below the title of their section.
HIGH, LOW = 104.0, 64.0
#: Of a bar: width of its name, length of the longest one, distance between two, thickness.
NAME, TRACK, STEP, THICK = 27.0, 54.0, 5.3, 3.3
#: Distance from the left margin to the column beside the bars.
COLUMN = 104.0


def draw_front_matter(page: Page, record: Record, translate: Translator) -> None:
    """Draw title, notice, signature or number of waiting fields, what a copy leaves out, headline, and notes."""
    page.y = TOP - 11
    page.write_text(page.frame.title, LEFT, WIDTH - 55, TITLE, tag="H1")
    model_file = f" ({record.model_sha256[:DIGITS]})" if record.model_sha256 else ""
    origin = [
        f"{translate(messages.ABOUT_CREATED)} {format_time(record.created)}",
        translate(messages.ABOUT_VERSION, version=record.version),
        f"{translate(messages.ABOUT_MODEL)} {record.model}{model_file}",
        record.software,
    ]
    if record.amends:
        origin.append(translate(N_("amends the signed version {sha256}"), sha256=record.amends[:DIGITS]))
    page.write_text(" · ".join(origin), LEFT, WIDTH, SMALL)
    page.y += 2
    # The notice, on a coloured background
    notice = translate(NOTICE)
    page.draw_rectangle(LEFT, page.y, WIDTH, page.text_height(notice, WIDTH - 6, NOTE) + 2.4, WARN_SOFT)
    page.y += 1.2
    page.write_text(notice, LEFT + 3, WIDTH - 6, NOTE)
    page.y += 3
    if record.signature:
        signed = record.signature
        who = translate(messages.SIGNED_BY, name=signed.name, role=signed.role, at=format_time(signed.at))
        digest = f"{translate(messages.SIGNATURE_DIGEST)}: {signed.sha256}"
        _draw_band(page, [(who, SIGNER), (signed.statement, BODY), (digest, TINY)], ACCENT)
    elif record.pending:
        waiting = translate(
            N_("AI-suggested fields that no clinician has reviewed: {count}. They are marked like this line."),
            count=len(record.pending),
        )
        _draw_band(page, [(waiting, SMALL.with_colour(WARN))], WARN)
    if record.nameless:
        left_out = translate(N_("This copy leaves out name and number; a signature on it is that of the original."))
        page.write_text(left_out, LEFT, WIDTH, SMALL)
        page.y += 2
    page.write_text(record.headline, LEFT, WIDTH, HEADLINE.with_colour(WARN if record.is_doubtful else INK))
    page.y += 1
    for note in (*record.notes, translate(messages.ABOUT_PROSE)):
        page.write_text(note, LEFT, WIDTH, SMALL, indent=3)


def _draw_band(page: Page, lines: list[tuple[str, TextStyle]], colour: str) -> None:
    """Draw lines on a coloured background with a coloured bar on the left."""
    for text, text_style in lines:
        page.write_text(text, LEFT + 2.5, WIDTH - 2.5, text_style, tint=colour)
    page.y += 2.4


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
    values = [row for row in shown if row.key in ("emotion", "three_class", "valence")]
    below = [row for row in shown if row not in values]
    left, width, top, end = LEFT, WIDTH, page.y, BOTTOM
    for row in shown:
        if row.key == "probabilities" and record.is_unedited(row.key):
            if _draw_bars(page, record.findings, row, translate):
                below.remove(row)
            left, width, end = LEFT + COLUMN, WIDTH - COLUMN, page.y
    bottom, page.y = page.y, top
    rest = field_rows.draw_rows_in_column(page, values, left, width, end - 15)
    if record.is_unedited("three_class"):
        _draw_three_classes(page, record.findings, left, width, translate)
    if record.is_unedited("valence"):
        _draw_valence(page, record.findings, left, width)
    page.y = max(bottom, page.y) + 1
    page.write_text(record.describe_calibration(translate), LEFT, WIDTH, TINY)
    page.y += 2
    field_rows.draw_rows(page, [*rest, *below])


def _draw_bars(page: Page, findings: Findings, row: FieldRow, translate: Translator) -> bool:
    """Draw bars and return whether they show the complete text of the row, with its label and mark then.

    The scale ends a little above the longest bar, at 40 % or more; a line marks chance.
    """
    ranked = emotions.sort_by_probability(findings.probabilities)
    names = [translate(term("emotion", emotion)) for emotion, _ in ranked]
    end = max(0.4, 1.05 * ranked[0][1])
    complete = row.text.splitlines() == [
        f"{name} {percent(share)}" for name, (_, share) in zip(names, ranked, strict=True)
    ]
    if complete:
        page.write_text(row.label, LEFT, NAME + TRACK + 14, LABEL)
        field_rows.draw_mark(page, row, LEFT, NAME + TRACK + 14)
        page.y += 1.2
    top = page.y
    for place, (emotion, share) in enumerate(ranked):
        y, text_style = top + place * STEP, BODY if place else BOLD
        tone = TONES[emotions.THREE_CLASSES[emotions.CLASS_OF[emotions.EMOTIONS.index(emotion)]]]
        page.draw_rectangle(LEFT + NAME, y + 0.6, TRACK, THICK, PALE)
        page.draw_rectangle(LEFT + NAME, y + 0.6, TRACK * share / end, THICK, tone)
        with page.tag("P"):
            page.write_line(names[place], LEFT, y, text_style)
            page.write_line(percent(share), LEFT + NAME + TRACK, y, text_style, width=14, align="R")
    page.y = top + len(ranked) * STEP
    chance = LEFT + NAME + TRACK / len(ranked) / end
    page.draw_dashed_line(chance, top, page.y + 0.4)
    with page.tag("P"):
        page.write_line(translate(messages.CHANCE), chance - 15, page.y + 0.6, TINY, width=30, align="C")
    page.y += TINY.leading + 1
    return complete


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
