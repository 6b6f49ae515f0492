"""Letters: the fonts, what stands for a letter that none of them has, and where a line may break."""

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
#: Behind a space, but not before a percent sign; beside a Chinese letter, but not apart from its punctuation.
_BREAK = re.compile(rf"(?<= )(?!%)|(?:(?<=[{_HAN}])|(?=[{_HAN}]))(?<![{_OPENING}])(?![{_CLOSING} ])")


def add_fonts(pdf: FPDF, main: str) -> frozenset[int]:
    """Give the document its fonts, ``main`` first; returns the code points that they have letters for."""
    for style, name in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
        pdf.add_font(LATIN, style, _find_latin_fonts() / name)
    pdf.add_font(CHINESE, "", chinese_font())
    pdf.set_fallback_fonts([LATIN if main == CHINESE else CHINESE], exact_match=False)
    return frozenset(code for font in pdf.fonts.values() if isinstance(font, TTFFont) for code in font.cmap)


def replace_unknown_letters(line: str, known: frozenset[int]) -> str:
    """One line of printable text, with what no font has replaced."""
    return "".join(letter if ord(letter) in known else UNKNOWN for letter in normalise_line(line))


def wrap_line(line: str, width: float, measure: Callable[[str], float]) -> Iterator[str]:
    """Break a drawable line into lines at most so wide by ``measure``; a word that is wider breaks at any letter."""
    full, used = "", 0.0
    for word in _BREAK.split(line):
        for part in [word] if measure(word.rstrip()) <= width else word:
            if full and used + measure(part.rstrip()) > width:
                yield full.rstrip()
                full, used = "", 0.0
            full, used = full + part, used + measure(part)
    yield full.rstrip()


def _find_latin_fonts() -> Path:
    """Matplotlib's fonts, found without importing it."""
    found = find_spec("matplotlib")
    assert found is not None  # requirements.txt names it
    assert found.origin is not None
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
