"""Write text on A4 pages, with tags for screen readers and a header and a footer on every page.

Any text is drawn as it is, and no page break cuts a line. Lengths are in millimetres, places are measured from the
upper left corner; sizes of letters are in points.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import TextMode
from fpdf.fonts import TTFFont
from PIL import Image

from copilot.i18n.fonts import chinese_font
from copilot.text import normalise_line

INK, QUIET, LINE, SOFT = "#0f172a", "#526075", "#d7dee8", "#f4f7fa"
ACCENT, WARN, WARN_SOFT, WHITE = "#0f766e", "#b45309", "#fff4e5", "#ffffff"
PALE = "#eef2f6"
TONES = {"negative": "#c2513a", "neutral": "#64748b", "positive": "#0f8a7e"}

LEFT, TOP, BOTTOM, WIDTH = 17.0, 21.0, 279.0, 176.0

LATIN, CHINESE = "latin", "chinese"
UNKNOWN = "\ufffd"
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")

_HAN = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"
_OPENING = "\uff08\u300a\u300c\u300e\u201c\u2018\u3010"
_CLOSING = "\uff0c\u3002\u3001\uff1b\uff1a\uff1f\uff01\uff09\u300b\u300d\u300f\u201d\u2019\u3011\uff05"
#: Places for a line break: after a space, but not before a percent sign; beside a Chinese letter, but not between it
#: and its punctuation.
_BREAK = re.compile(rf"(?<= )(?!%)|(?:(?<=[{_HAN}])|(?=[{_HAN}]))(?<![{_OPENING}])(?![{_CLOSING} ])")
#: Placeholder for the number of pages; text from outside cannot contain it: ``normalise_line`` removes private
#: characters.
PAGES = "\ue000\ue000"


@dataclass(frozen=True)
class TextStyle:
    """The look of text: size in points, distance of its lines in millimetres, colour, weight."""

    size: float
    leading: float
    colour: str = INK
    bold: bool = False

    def with_colour(self, colour: str) -> "TextStyle":
        """Return the same style in another colour."""
        return replace(self, colour=colour)


TITLE, HEADLINE, HEADING = (
    TextStyle(17, 7.6, bold=True),
    TextStyle(11.5, 5.4, bold=True),
    TextStyle(10, 5.2, ACCENT, bold=True),
)
SIGNER, NOTE, STATUS = (
    TextStyle(9.2, 4.6, ACCENT, bold=True),
    TextStyle(8.2, 4, WARN, bold=True),
    TextStyle(8.5, 4, WHITE, bold=True),
)
RUNNING, WATERMARK = TextStyle(9, 4, QUIET, bold=True), TextStyle(46, 20, WARN, bold=True)
BODY, BOLD, LABEL = TextStyle(8.8, 4.3), TextStyle(8.8, 4.3, bold=True), TextStyle(8.2, 4.3, QUIET)
SMALL, TINY = TextStyle(7.6, 3.6, QUIET), TextStyle(6.6, 3.1, QUIET)


@dataclass(frozen=True)
class PageFrame:
    """The texts on every page: title and status at the top, a line at the bottom, a watermark unless signed."""

    title: str
    status: str
    signed: bool
    foot: str


class Page(FPDF):
    """A document to which text adds pages.

    Args:
        language: language of the text; ``zh``: Chinese letters have priority.
        frame: the texts on every page.
    """

    def __init__(self, language: str, frame: PageFrame) -> None:
        super().__init__(format="A4")
        self.frame = frame
        self.main = CHINESE if language == "zh" else LATIN
        self.set_lang(language)
        found = find_spec("matplotlib")  # its fonts are used without importing it
        assert found is not None  # requirements.txt names it
        assert found.origin is not None
        latin = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
        self.add_font(LATIN, "", latin / "DejaVuSans.ttf")
        self.add_font(LATIN, "B", latin / "DejaVuSans-Bold.ttf")
        self.add_font(CHINESE, "", chinese_font())
        self.set_fallback_fonts([LATIN if self.main == CHINESE else CHINESE], exact_match=False)
        #: Code points for which the fonts have letters.
        self.known = frozenset(code for font in self.fonts.values() if isinstance(font, TTFFont) for code in font.cmap)
        self._wrapped_texts: dict[tuple[str, float, TextStyle], list[str]] = {}
        self.alias_nb_pages(PAGES)
        self.set_margin(0)
        self.c_margin = 0
        self.set_auto_page_break(False)
        self.add_page()

    def header(self) -> None:
        """Draw the status on the right and, from the second page, the title on the left; fpdf2 calls this."""
        status = self.frame.status
        with self.tag("Artifact"):
            width = self.text_width(status, STATUS) + 8
            left = LEFT + WIDTH - width
            self.set_fill_color(ACCENT if self.frame.signed else WARN)
            self.rect(left, 11, width, 6.2, "F", round_corners=True, corner_radius=3.1)
            self.write_line(status, left, 12.1, STATUS, width=width, align="C")
            if self.page > 1:
                self.write_line(self.frame.title, LEFT, 12, RUNNING)
                self.draw_rule(19)
        self.y = TOP + 2

    def footer(self) -> None:
        """Draw the line at the bottom, the number of the page and, on a draft, the watermark; fpdf2 calls this."""
        with self.tag("Artifact"):
            self.draw_rule(283)
            self.write_line(self.frame.foot, LEFT, 284.5, TINY)
            with self._use_style(TINY):
                self.set_xy(LEFT + WIDTH - self.get_string_width(f"{self.page} / 0"), 284.5)
                self.cell(0, TINY.leading, f"{self.page} / {PAGES}")
            if not self.frame.signed:
                width = self.text_width(self.frame.status, WATERMARK)
                with (
                    self.local_context(fill_opacity=0.08, stroke_opacity=0.08),
                    self.rotation(52, self.w / 2, self.h / 2),
                ):
                    self.write_line(self.frame.status, (self.w - width) / 2, self.h / 2 - 10, WATERMARK)

    def write_text(
        self,
        text: str,
        left: float,
        width: float,
        text_style: TextStyle,
        *,
        tag: str = "P",
        tint: str = "",
        indent: float = 0,
    ) -> None:
        """Write text from the current height downwards, over as many pages as needed.

        Args:
            text: text of any length.
            left, width: left edge and width of the column, millimetres.
            text_style: size, colour and weight of the letters.
            tag: kind of text; see ``tag``.
            tint: colour of a bar on the left of the text, which then has a coloured background: waiting or signed text.
            indent: if given, the text is an item with a bullet at this distance in millimetres.
        """
        lines, bullet = self.wrap_text(text, width - indent, text_style), "•" if indent else ""
        while lines:
            fit = int((BOTTOM - self.y + 0.01) / text_style.leading)
            if fit < 1:
                self.add_page()
                continue
            chunk, lines = lines[:fit], lines[fit:]
            top, height = self.y, len(chunk) * text_style.leading
            if tint:
                self.draw_rectangle(left - 2.5, top, width + 2.5, height + 0.5, WARN_SOFT if tint == WARN else SOFT)
                self.draw_rectangle(left - 2.5, top, 0.9, height + 0.5, tint)
            with self.tag(tag):
                if bullet:
                    self.write_line(bullet, left, top, text_style)
                with self._use_style(text_style, "".join(chunk)):
                    for number, line in enumerate(chunk):
                        self.set_xy(left + indent, top + number * text_style.leading)
                        self.cell(0, text_style.leading, line)
            self.y, bullet = top + height, ""

    def write_line(
        self, text: str, left: float, top: float, text_style: TextStyle, *, width: float = 0, align: str = "L"
    ) -> None:
        """Write one line of text at any place.

        Args:
            text: one line.
            left, top: its place, millimetres.
            text_style: size, colour and weight of the letters.
            width: width in which the text is aligned, millimetres; 0: up to the right margin.
            align: ``L``, ``C`` or ``R``.
        """
        with self._use_style(text_style):
            self.set_xy(left, top)
            self.cell(width, text_style.leading, replace_unknown_letters(text, self.known), align=align)

    def wrap_text(self, text: str, width: float, text_style: TextStyle) -> list[str]:
        """Return the lines of the text as ``write_text`` writes them; ``width`` is in millimetres."""
        key = (text, width, text_style)
        if key not in self._wrapped_texts:  # needed several times: for the height, the space and the text
            with self._use_style(text_style, text):
                paragraphs = [replace_unknown_letters(line, self.known) for line in text.splitlines()]
                measure = lru_cache(maxsize=None)(self.get_string_width)  # this takes most of the time
                self._wrapped_texts[key] = [line for each in paragraphs for line in wrap_line(each, width, measure)]
        return list(self._wrapped_texts[key])

    def text_height(self, text: str, width: float, text_style: TextStyle) -> float:
        """Return the height of the text as ``write_text`` writes it, millimetres."""
        return len(self.wrap_text(text, width, text_style)) * text_style.leading

    def text_width(self, text: str, text_style: TextStyle) -> float:
        """Return the width of the text on one line, millimetres."""
        with self._use_style(text_style):
            return float(self.get_string_width(replace_unknown_letters(text, self.known)))

    def ensure_space(self, height: float) -> None:
        """Begin a new page unless this one has so much space left (millimetres)."""
        if self.y + height > BOTTOM:
            self.add_page()

    def draw_rule(self, top: float, left: float = LEFT, width: float = WIDTH) -> None:
        """Draw a thin horizontal line."""
        self.set_draw_color(LINE)
        self.set_line_width(0.25)
        self.line(left, top, left + width, top)

    def draw_dashed_line(self, left: float, top: float, bottom: float) -> None:
        """Draw a dashed vertical line."""
        self.set_draw_color(INK)
        self.set_line_width(0.25)
        with self.local_context(dash_pattern={"dash": 0.9, "gap": 0.7, "phase": 0}):
            self.line(left, top, left, bottom)

    def draw_rectangle(self, left: float, top: float, width: float, height: float, colour: str) -> None:
        """Draw a filled rectangle, nothing if it has no area; lengths are in millimetres."""
        if width > 0 and height > 0:
            self.set_fill_color(colour)
            self.rect(left, top, width, height, "F")

    def draw_picture(self, png: bytes, left: float, top: float, width: float, most: float, alt: str) -> float:
        """Draw a picture and return its height in millimetres.

        Args:
            png: contents of a PNG file.
            left, top: its place, millimetres.
            width: most width, millimetres.
            most: most height, millimetres.
            alt: description for screen readers.
        """
        with Image.open(BytesIO(png)) as opened:
            picture = opened.convert("RGB")  # matplotlib's alpha channel is opaque everywhere
        height = min(most, width * picture.height / picture.width)
        with self.tag("Figure", alt_text=alt):
            self.image(picture, left, top, h=height)
        return height

    @contextmanager
    def tag(self, kind: str, **words: str) -> Iterator[None]:
        """Tag what is drawn in the block for screen readers.

        Fpdf2 itself tags pictures only, and untagged text beside a tagged picture is not read out
        (ISO 32000-1, 14.7 and 14.8.2.2).

        Args:
            kind: ``H1``, ``H2``, ``P``, ``Figure``, or ``Artifact`` for what screen readers skip.
            words: attributes of the tag, such as ``alt_text``.
        """
        if kind == "Artifact":
            self._out("/Artifact BMC")
        else:
            mcid = self.struct_builder.next_mcid_for_page(self.page)
            self._add_marked_content(struct_type=f"/{kind}", mcid=mcid, **words)
            self._out(f"/{kind} <</MCID {mcid}>> BDC")
        yield
        self._out("EMC")

    @contextmanager
    def _use_style(self, text_style: TextStyle, text: str = "") -> Iterator[None]:
        """Use a style in the block; the bundled Noto Sans SC has no bold letters, so their outlines are drawn too."""
        bold = text_style.bold and self.main == LATIN
        self.set_font(self.main, "B" if bold else "", text_style.size)
        self.set_text_color(text_style.colour)
        self.set_text_shaping(bool(RIGHT_TO_LEFT.search(text)))
        with self.local_context(text_mode=TextMode.FILL_STROKE if text_style.bold and not bold else TextMode.FILL):
            self.set_draw_color(text_style.colour)
            self.set_line_width(0.013 * text_style.size)
            yield


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
