"""What stands before and after the record's sections: title, notice, signature, headline, and what it was made with."""

from copilot import NOTICE
from copilot.i18n import N_, Translator, english
from copilot.record.export.markdown import about_record
from copilot.record.export.pdf import style
from copilot.record.export.pdf.field_rows import time
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


DIGITS = 8
"""Of a SHA-256 where it is short."""


def furniture(record: Record, say: Translator) -> PageFrame:
    """What every page of this record shows."""
    title = say(english.SIGNED_RECORD if record.signature else english.DRAFT_RECORD)
    status = say(N_("Signed") if record.signature else N_("Draft - not signed"))
    version = say(english.ABOUT_VERSION, version=record.version)
    foot = f"{say(english.ABOUT_ID)} {record.id} · {version} · {say(PDF_NOT_A_DEVICE)}"
    return PageFrame(title, status, bool(record.signature), foot)


def front(paper: Page, record: Record, say: Translator) -> None:
    """Title, notice, who signed or what waits, what a copy leaves out, headline, notes."""
    paper.y = TOP - 11
    paper.flow(paper.furniture.title, LEFT, WIDTH - 55, style.TITLE, tag="H1")
    paper.flow(_made(record, say), LEFT, WIDTH, SMALL)
    paper.y += 2
    _notice(paper, say(NOTICE))
    if record.signature:
        _signature(paper, record.signature, say)
    elif record.pending:
        _band(
            paper,
            [
                (
                    say(
                        N_(
                            "AI-suggested fields that no clinician has reviewed: {count}. They are marked like this "
                            "line."
                        ),
                        count=len(record.pending),
                    ),
                    SMALL.but(WARN),
                )
            ],
            WARN,
        )
    if record.nameless:
        paper.flow(
            say(N_("This copy leaves out name and number; a signature on it is that of the original.")),
            LEFT,
            WIDTH,
            SMALL,
        )
        paper.y += 2
    _headline(paper, record)
    for note in (*record.notes, say(english.ABOUT_PROSE)):
        paper.flow(note, LEFT, WIDTH, SMALL, indent=3)


def about(paper: Page, record: Record, say: Translator) -> None:
    """What made the record, in small print."""
    title, told = say(english.ABOUT_RECORD), about_record(record, say)
    paper.keep(HEADING.leading + 5 + (len(told) + 1) * TINY.leading)
    paper.y += 2.4
    paper.start_section(title)
    paper.flow(title, LEFT, WIDTH, HEADING, tag="H2")
    paper.rule(paper.y + 0.3)
    paper.y += 2
    for label, text in told:
        paper.flow(f"{label}: {text}", LEFT, WIDTH, TINY)


def _made(record: Record, say: Translator) -> str:
    """One line: when, with what, which version."""
    parts = [
        f"{say(english.ABOUT_CREATED)} {time(record.created)}",
        say(english.ABOUT_VERSION, version=record.version),
        f"{say(english.ABOUT_MODEL)} {_named(record.model, record.model_sha256)}",
        record.software,
    ]
    if record.amends:
        parts.append(say(N_("amends the signed version {sha256}"), sha256=record.amends[:DIGITS]))
    return " · ".join(parts)


def _named(name: str, sha256: str) -> str:
    return f"{name} ({sha256[:DIGITS]})" if sha256 else name


def _notice(paper: Page, text: str) -> None:
    height = paper.height(text, WIDTH - 6, style.NOTE)
    paper.box(LEFT, paper.y, WIDTH, height + 2.4, style.WARN_SOFT)
    paper.y += 1.2
    paper.flow(text, LEFT + 3, WIDTH - 6, style.NOTE)
    paper.y += 3


def _signature(paper: Page, signed: Signature, say: Translator) -> None:
    who = say(english.SIGNED_BY, name=signed.name, role=signed.role, at=time(signed.at))
    lines = [
        (who, style.SIGNER),
        (signed.statement, BODY),
        (f"{say(english.SIGNATURE_DIGEST)}: {signed.sha256}", TINY),
    ]
    _band(paper, lines, ACCENT)


def _band(paper: Page, lines: list[tuple[str, TextStyle]], colour: str) -> None:
    """Lines with a coloured bar and colour behind."""
    for text, look in lines:
        paper.flow(text, LEFT + 2.5, WIDTH - 2.5, look, tint=colour)
    paper.y += 2.4


def _headline(paper: Page, record: Record) -> None:
    """The first sentence; in the colour of a warning where it is one."""
    paper.flow(record.headline, LEFT, WIDTH, HEADLINE.but(WARN if record.doubtful else INK))
    paper.y += 1
