"""Write text on A4 pages, with tags for screen readers and a header and a footer on every page.

Any text is drawn as it is, and no page break cuts a line. Lengths are in millimetres, places are measured from the
upper left corner.
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

#: Placeholder for the number of pages; text from outside cannot contain it: ``normalise_line`` removes private
#: characters.
PAGES = "\ue000\ue000"


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
        self.known = add_fonts(self, self.main)
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
        """Draw the line at the bottom, the number of the page and, on a draft, the watermark; fpdf2 calls this."""
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
        """Write text from the current height downwards, over as many pages as needed.

        Args:
            text: text of any length.
            left, width: left edge and width of the column, millimetres.
            text_style: size, colour and weight of the letters.
            tag: kind of text; see ``tag``.
            tint: colour that marks the text.
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
                self.draw_tint(left, top, width, height, tint)
            with self.tag(tag):
                if bullet:
                    self.write_line(bullet, left, top, text_style)
                self._write(chunk, left + indent, top, text_style)
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
        self.set_draw_color(style.LINE)
        self.set_line_width(0.25)
        self.line(left, top, left + width, top)

    def draw_dashed_line(self, left: float, top: float, bottom: float) -> None:
        """Draw a dashed vertical line."""
        self.set_draw_color(style.INK)
        self.set_line_width(0.25)
        with self.local_context(dash_pattern={"dash": 0.9, "gap": 0.7, "phase": 0}):
            self.line(left, top, left, bottom)

    def draw_rectangle(self, left: float, top: float, width: float, height: float, colour: str) -> None:
        """Draw a filled rectangle, nothing if it has no area; lengths are in millimetres."""
        if width > 0 and height > 0:
            self.set_fill_color(colour)
            self.rect(left, top, width, height, "F")

    def draw_tint(self, left: float, top: float, width: float, height: float, colour: str) -> None:
        """Draw a coloured background for text and a bar of ``colour`` on its left, for waiting or signed text."""
        soft = style.WARN_SOFT if colour == style.WARN else style.SOFT
        self.draw_rectangle(left - 2.5, top, width + 2.5, height + 0.5, soft)
        self.draw_rectangle(left - 2.5, top, 0.9, height + 0.5, colour)

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

    def _write(self, lines: list[str], left: float, top: float, text_style: TextStyle) -> None:
        """Write lines that fit on this page."""
        with self._use_style(text_style, "".join(lines)):
            for number, line in enumerate(lines):
                self.set_xy(left, top + number * text_style.leading)
                self.cell(0, text_style.leading, line)

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

    def _draw_watermark(self, text: str) -> None:
        """Draw a text across the page."""
        width = self.text_width(text, style.WATERMARK)
        with self.local_context(fill_opacity=0.08, stroke_opacity=0.08), self.rotation(52, self.w / 2, self.h / 2):
            self.write_line(text, (self.w - width) / 2, self.h / 2 - 10, style.WATERMARK)
