"""Add fonts, replace letters that no font contains, and break lines."""

import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from fpdf import FPDF
from fpdf.fonts import TTFFont

from copilot.i18n.fonts import chinese_font
from copilot.text import normalise_line

LATIN, CHINESE = "latin", "chinese"
UNKNOWN = "\ufffd"
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")

_HAN = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"
_OPENING = "\uff08\u300a\u300c\u300e\u201c\u2018\u3010"
_CLOSING = "\uff0c\u3002\u3001\uff1b\uff1a\uff1f\uff01\uff09\u300b\u300d\u300f\u201d\u2019\u3011\uff05"
#: Places for a line break: after a space, but not before a percent sign; beside a Chinese letter, but not between it
#: and its punctuation.
_BREAK = re.compile(rf"(?<= )(?!%)|(?:(?<=[{_HAN}])|(?=[{_HAN}]))(?<![{_OPENING}])(?![{_CLOSING} ])")


def add_fonts(pdf: FPDF, main: str) -> frozenset[int]:
    """Add the fonts to the document, ``main`` first, and return the code points for which they have letters."""
    for style, name in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
        pdf.add_font(LATIN, style, _find_latin_fonts() / name)
    pdf.add_font(CHINESE, "", chinese_font())
    pdf.set_fallback_fonts([LATIN if main == CHINESE else CHINESE], exact_match=False)
    return frozenset(code for font in pdf.fonts.values() if isinstance(font, TTFFont) for code in font.cmap)


def replace_unknown_letters(line: str, known: frozenset[int]) -> str:
    """Return one line of printable text in which letters without font are replaced.

    Args:
        line: any text.
        known: code points for which the fonts have letters.
    """
    return "".join(letter if ord(letter) in known else UNKNOWN for letter in normalise_line(line))


def wrap_line(line: str, width: float, measure: Callable[[str], float]) -> Iterator[str]:
    """Break a line into lines of at most ``width``; a wider word is broken at any letter.

    Args:
        line: text whose letters the fonts contain.
        width: most width, in the unit of ``measure``.
        measure: returns the width of a text.
    """
    full, used = "", 0.0
    for word in _BREAK.split(line):
        for part in [word] if measure(word.rstrip()) <= width else word:
            if full and used + measure(part.rstrip()) > width:
                yield full.rstrip()
                full, used = "", 0.0
            full, used = full + part, used + measure(part)
    yield full.rstrip()


def _find_latin_fonts() -> Path:
    """Return the folder of Matplotlib's fonts without importing Matplotlib."""
    found = find_spec("matplotlib")
    assert found is not None  # requirements.txt names it
    assert found.origin is not None
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
