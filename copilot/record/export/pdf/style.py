"""Define the look of the PDF: colours, sizes of letters (points), margins of the page (millimetres)."""

from dataclasses import dataclass, replace

INK, QUIET, LINE, SOFT = "#0f172a", "#526075", "#d7dee8", "#f4f7fa"
ACCENT, WARN, WARN_SOFT, WHITE = "#0f766e", "#b45309", "#fff4e5", "#ffffff"
TRACK = "#eef2f6"
TONES = {"negative": "#c2513a", "neutral": "#64748b", "positive": "#0f8a7e"}

LEFT, TOP, BOTTOM, WIDTH = 17.0, 21.0, 279.0, 176.0


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
