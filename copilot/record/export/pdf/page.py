"""A4 paper that text flows on, with tags for screen readers and a head and a foot on every page.

Text is drawn as it is, whatever it holds, and no page break cuts a line. Lengths are millimetres from the upper left
corner.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

from fpdf import FPDF
from fpdf.enums import TextMode
from PIL import Image

from copilot.record.export.pdf import style
from copilot.record.export.pdf.fonts import CHINESE, LATIN, RIGHT_TO_LEFT, add_fonts, replace_unknown_letters, wrap_line
from copilot.record.export.pdf.style import BOTTOM, LEFT, TOP, WIDTH, TextStyle

#: Stands for the number of pages; no text from outside holds it, for ``normalise_line`` takes out private characters.
PAGES = "\ue000\ue000"


@dataclass(frozen=True)
class PageFrame:
    """What every page shows: the title and status above, a line below, a watermark unless signed."""

    title: str
    status: str
    signed: bool
    foot: str


class Page(FPDF):
    """Pages that grow with their text.

    Args:
        language: of the text, ``zh`` for Chinese letters first.
        furniture: what every page shows.
    """

    def __init__(self, language: str, frame: PageFrame) -> None:
        super().__init__(format="A4")
        self.frame = frame
        self.main = CHINESE if language == "zh" else LATIN
        self.set_lang(language)
        self.known = add_fonts(self, self.main)
        self._wrapped_texts: dict[tuple[str, float, TextStyle], list[str]] = {}
        self.alias_nb_pages(PAGES)
        self.set_margin(0)
        self.c_margin = 0
        self.set_auto_page_break(False)
        self.add_page()

    def header(self) -> None:
        """The status on the right, and from the second page on the title on the left."""
        status = self.frame.status
        with self.tag("Artifact"):
            width = self.text_width(status, style.STATUS) + 8
            left = LEFT + WIDTH - width
            self.set_fill_color(style.ACCENT if self.frame.signed else style.WARN)
            self.rect(left, 11, width, 6.2, "F", round_corners=True, corner_radius=3.1)
            self.write_line(status, left, 12.1, style.STATUS, width=width, align="C")
            if self.page > 1:
                self.write_line(self.frame.title, LEFT, 12, style.RUNNING)
                self.draw_rule(19)
        self.y = TOP + 2

    def footer(self) -> None:
        """Which record, what it is not, which page; across a draft, that it is one."""
        with self.tag("Artifact"):
            self.draw_rule(283)
            self.write_line(self.frame.foot, LEFT, 284.5, style.TINY)
            with self._use_style(style.TINY):
                self.set_xy(LEFT + WIDTH - self.get_string_width(f"{self.page} / 0"), 284.5)
                self.cell(0, style.TINY.leading, f"{self.page} / {PAGES}")
            if not self.frame.signed:
                self._draw_watermark(self.frame.status)

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
        """Write text from here downwards, over as many pages as it takes.

        Args:
            text: of any length.
            left, width: of the column.
            look: size, colour, weight.
            tag: see ``tagged``.
            tint: colour that marks it.
            indent: where given, the text is an item with a bullet, and so far from it.
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
                self.draw_tint(left, top, width, height, tint)
            with self.tag(tag):
                if bullet:
                    self.write_line(bullet, left, top, text_style)
                self._write(chunk, left + indent, top, text_style)
            self.y, bullet = top + height, ""

    def write_line(
        self, text: str, left: float, top: float, text_style: TextStyle, *, width: float = 0, align: str = "L"
    ) -> None:
        """Write one line of text anywhere."""
        with self._use_style(text_style):
            self.set_xy(left, top)
            self.cell(width, text_style.leading, replace_unknown_letters(text, self.known), align=align)

    def wrap_text(self, text: str, width: float, text_style: TextStyle) -> list[str]:
        """The lines of the text as ``flow`` writes them."""
        key = (text, width, text_style)
        if key not in self._wrapped_texts:  # asked for twice before it is written: how high is it, is there room
            with self._use_style(text_style, text):
                paragraphs = [replace_unknown_letters(line, self.known) for line in text.splitlines()]
                measure = lru_cache(maxsize=None)(self.get_string_width)  # most of the time goes into this
                self._wrapped_texts[key] = [line for each in paragraphs for line in wrap_line(each, width, measure)]
        return list(self._wrapped_texts[key])

    def text_height(self, text: str, width: float, text_style: TextStyle) -> float:
        """Of the text as ``flow`` writes it."""
        return len(self.wrap_text(text, width, text_style)) * text_style.leading

    def text_width(self, text: str, text_style: TextStyle) -> float:
        """Of the text on one line."""
        with self._use_style(text_style):
            return float(self.get_string_width(replace_unknown_letters(text, self.known)))

    def ensure_space(self, height: float) -> None:
        """Begin a new page unless there is this much room on this one."""
        if self.y + height > BOTTOM:
            self.add_page()

    def draw_rule(self, top: float, left: float = LEFT, width: float = WIDTH) -> None:
        """A thin line."""
        self.set_draw_color(style.LINE)
        self.set_line_width(0.25)
        self.line(left, top, left + width, top)

    def draw_dashed_line(self, left: float, top: float, bottom: float) -> None:
        """A dashed upright line."""
        self.set_draw_color(style.INK)
        self.set_line_width(0.25)
        with self.local_context(dash_pattern={"dash": 0.9, "gap": 0.7, "phase": 0}):
            self.line(left, top, left, bottom)

    def draw_rectangle(self, left: float, top: float, width: float, height: float, colour: str) -> None:
        """A filled rectangle."""
        if width > 0 and height > 0:
            self.set_fill_color(colour)
            self.rect(left, top, width, height, "F")

    def draw_tint(self, left: float, top: float, width: float, height: float, colour: str) -> None:
        """Colour behind text, with a bar of ``colour`` on its left: what waits for review, what is signed."""
        soft = style.WARN_SOFT if colour == style.WARN else style.SOFT
        self.draw_rectangle(left - 2.5, top, width + 2.5, height + 0.5, soft)
        self.draw_rectangle(left - 2.5, top, 0.9, height + 0.5, colour)

    def draw_picture(self, png: bytes, left: float, top: float, width: float, most: float, alt: str) -> float:
        """A picture at most so wide and high; returns its height."""
        with Image.open(BytesIO(png)) as opened:
            picture = opened.convert("RGB")  # matplotlib's fourth channel is opaque everywhere
        height = min(most, width * picture.height / picture.width)
        with self.tag("Figure", alt_text=alt):
            self.image(picture, left, top, h=height)
        return height

    @contextmanager
    def tag(self, kind: str, **words: str) -> Iterator[None]:
        """Tell screen readers what is drawn: ``H1``, ``H2``, ``P``, ``Figure``, or ``Artifact`` for what they skip.

        Fpdf2 itself tags pictures only, and what has no tag beside a tagged picture is not read out
        (ISO 32000-1, 14.7 and 14.8.2.2).
        """
        if kind == "Artifact":
            self._out("/Artifact BMC")
        else:
            mcid = self.struct_builder.next_mcid_for_page(self.page)
            self._add_marked_content(struct_type=f"/{kind}", mcid=mcid, **words)
            self._out(f"/{kind} <</MCID {mcid}>> BDC")
        yield
        self._out("EMC")

    def _write(self, lines: list[str], left: float, top: float, text_style: TextStyle) -> None:
        """Lines that have room here."""
        with self._use_style(text_style, "".join(lines)):
            for number, line in enumerate(lines):
                self.set_xy(left, top + number * text_style.leading)
                self.cell(0, text_style.leading, line)

    @contextmanager
    def _use_style(self, text_style: TextStyle, text: str = "") -> Iterator[None]:
        """Write like this; Noto Sans SC has no bold letters here, so their outlines are drawn too."""
        bold = text_style.bold and self.main == LATIN
        self.set_font(self.main, "B" if bold else "", text_style.size)
        self.set_text_color(text_style.colour)
        self.set_text_shaping(bool(RIGHT_TO_LEFT.search(text)))
        with self.local_context(text_mode=TextMode.FILL_STROKE if text_style.bold and not bold else TextMode.FILL):
            self.set_draw_color(text_style.colour)
            self.set_line_width(0.013 * text_style.size)
            yield

    def _draw_watermark(self, text: str) -> None:
        width = self.text_width(text, style.WATERMARK)
        with self.local_context(fill_opacity=0.08, stroke_opacity=0.08), self.rotation(52, self.w / 2, self.h / 2):
            self.write_line(text, (self.w - width) / 2, self.h / 2 - 10, style.WATERMARK)
