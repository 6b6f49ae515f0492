"""How the PDF looks: colours, sizes of letters, the paper's margins (millimetres)."""

from dataclasses import dataclass, replace

INK, QUIET, LINE, SOFT = "#0f172a", "#526075", "#d7dee8", "#f4f7fa"
ACCENT, WARN, WARN_SOFT, WHITE = "#0f766e", "#b45309", "#fff4e5", "#ffffff"
TRACK = "#eef2f6"
TONES = {"negative": "#c2513a", "neutral": "#64748b", "positive": "#0f8a7e"}

LEFT, TOP, BOTTOM, WIDTH = 17.0, 21.0, 279.0, 176.0


@dataclass(frozen=True)
class Look:
    """How text looks: size in points, distance of its lines in millimetres, colour, weight."""

    size: float
    leading: float
    colour: str = INK
    bold: bool = False

    def but(self, colour: str) -> "Look":
        """The same in another colour."""
        return replace(self, colour=colour)


TITLE, HEADLINE, HEADING = Look(17, 7.6, bold=True), Look(11.5, 5.4, bold=True), Look(10, 5.2, ACCENT, bold=True)
SIGNER, NOTE, STATUS = Look(9.2, 4.6, ACCENT, bold=True), Look(8.2, 4, WARN, bold=True), Look(8.5, 4, WHITE, bold=True)
RUNNING, WATERMARK = Look(9, 4, QUIET, bold=True), Look(46, 20, WARN, bold=True)
BODY, BOLD, LABEL = Look(8.8, 4.3), Look(8.8, 4.3, bold=True), Look(8.2, 4.3, QUIET)
SMALL, TINY = Look(7.6, 3.6, QUIET), Look(6.6, 3.1, QUIET)
