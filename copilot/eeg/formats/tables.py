"""Read text as a table of cells: encoding, separator, decimal sign, header, units, preamble (see ``read_table``)."""

import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from copilot.eeg import channel_names
from copilot.eeg.types import RecordingError
from copilot.i18n import N_

TABLE_NO_NUMBERS = N_("This text is not a table of numbers; give one sample a line and one column a channel.")
TABLE_LINE = N_(
    "Line {line} of the table has {cells} cells, and its header or the other lines have {columns}; every line needs "
    "the same columns, so export it again or correct that line."
)


MISSING = ("", "-", "--", "?", "na", "n/a", "nan", "null", "none", "inf", "-inf")
"""Cells without a number, in lower case."""
_UNIT = (
    r"s|secs?|seconds|ms|us|ns|[numkµμ]?v|u?volts?|(?:micro|milli|nano)(?:volts?|seconds)|µs|μs|g|hz|deg/s|%|a\.?u\.?"
)
_UNIT_CELL = re.compile(rf"[(\[]?\s*(?:{_UNIT})?\s*[)\]]?", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)*|[.,]\d+)(?:e[+-]?\d+)?", re.IGNORECASE)
_CLOCK = re.compile(r"(?:\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?:[T ]+|$))?(?:\d{1,2}(?::\d{1,2}){1,2}(?:[.,:]\d+)?)?\D{0,8}")
_SAMPLE = 60
"""Lines looked at to find out how a table is written."""


@dataclass(frozen=True)
class Table:
    """A table's cells, and the text around them.

    Attributes:
        head: the lines before the header, or before the first row.
        names: the header, one per column, or None.
        units: the line of units under the header, one per column, or None.
        cells: shape (lines, columns); columns are numbered from 0; numbers where all cells of a column are.
    """

    head: str
    names: tuple[str, ...] | None
    units: tuple[str, ...] | None
    cells: pd.DataFrame


@dataclass(frozen=True)
class TableLayout:
    """The separator of a table's cells, and how its numbers are written."""

    separator: str
    decimal: str
    thousands: str | None

    def split(self, line: str) -> list[str]:
        """Split one line into cells without quotation marks."""
        line = re.sub(r'"[^"]*"', lambda found: found[0].replace(self.separator, "\0"), line.strip(" "))
        cells = line.split() if self.separator == " " else line.split(self.separator)
        return [cell.replace("\0", self.separator).strip().strip("\"'").strip() for cell in cells]


def read_table(path: Path) -> Table:
    """Read a text file as a table.

    Raises:
        RecordingError: not a table of numbers, or lines have other numbers of cells than the header; the message names
            the line.
    """
    lines = re.sub(r"\r\n?", "\n", decode_text(path.read_bytes())).split("\n")
    sep_line = re.fullmatch(r"\"?sep=(.)\"?", lines[0].strip())
    if any(line[:5].upper() == "@DATA" for line in lines[:2000]):
        lines = _replace_arff_header(lines)
    layout = _detect_layout(lines[1:] if sep_line else lines, sep_line[1] if sep_line else None)
    begin = _find_first_row(lines, layout)
    first_cells, next_cells = layout.split(lines[begin]), layout.split("".join(lines[begin + 1 : begin + 2]))
    if any(
        cell.lower() not in MISSING and not is_number(cell) and is_number(below)
        for cell, below in zip(first_cells, next_cells, strict=False)
    ):
        begin += 1  # a header whose names are numbers except for one
    width = len(layout.split(lines[begin]))
    at, names = _find_header(lines[:begin], layout, width)
    units = None
    if at is not None:
        under = layout.split(lines[at + 1])
        if at + 1 < begin and any(under) and all(_UNIT_CELL.fullmatch(cell) for cell in under):
            units = tuple(under)
    first = begin if at is None else at + (1 if units is None else 2)
    rows = [(i, line) for i, line in enumerate(lines[first:], first) if line.strip() and line.lstrip()[0] not in "%#"]
    head = "\n".join(lines[: first if at is None else at])
    return _parse_cells(rows, layout, head, names, units)


def decode_text(content: bytes) -> str:
    """Decode text in UTF-8, UTF-16 or Latin-1, recognised by its first bytes."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    if content[1:64:2].count(0) > 24:
        return content.decode("utf-16-le", errors="replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def is_number(cell: str) -> bool:
    """Return whether a cell is a number, a date or a time of day."""
    return bool(_NUMBER.fullmatch(cell) or (cell[:1].isdigit() and _CLOCK.fullmatch(cell)))


def _replace_arff_header(lines: Sequence[str]) -> list[str]:
    """Write the column names of Weka's ARFF, which are on lines of their own, as a header line."""
    data = next(i for i, line in enumerate(lines) if line[:5].upper() == "@DATA")
    found = [re.match(r"@attribute\s+('[^']*'|\"[^\"]*\"|\S+)", line, re.IGNORECASE) for line in lines[:data]]
    return [",".join(name[1].strip("'\"") for name in found if name), *lines[data + 1 :]]


def _detect_layout(lines: Sequence[str], stated: str | None) -> TableLayout:
    """Find separator and signs from lines that are no comments, behind any that come before the table.

    ``stated`` is the separator that the file itself states, or None.
    """
    written = [line.strip() for line in lines[: 10 * _SAMPLE] if line.strip() and line.lstrip()[0] not in "%#"]
    rows = written[len(written) // 2 :][:_SAMPLE]
    if not rows:
        raise RecordingError(TABLE_NO_NUMBERS)
    separator = stated or next((sign for sign in "\t;" if all(sign in line for line in rows)), None)
    if separator is None:
        blanks, commas = [re.split(r"(?<!,)\s+", line) for line in rows], [re.split(r",\s+", line) for line in rows]
        if _have_decimal_commas(blanks):
            separator = " "
        elif _have_decimal_commas(commas):
            separator = ", "
        else:
            separator = "," if all("," in line for line in rows) else " "
    plain = TableLayout(separator, ".", None)
    cells = [cell for line in rows for cell in plain.split(line)]
    german = separator != "," and any(re.fullmatch(r"[+-]?[\d.]*,\d+(e[+-]?\d+)?", c, re.IGNORECASE) for c in cells)
    german = german and not any(re.fullmatch(r"[+-]?\d*\.\d+", c) for c in cells)
    decimal, other = (",", r"\.") if german else (".", ",")
    grouped = any(re.fullmatch(rf"[+-]?\d{{1,3}}({other}\d{{3}})+(\{decimal}\d+)", c) for c in cells)
    return TableLayout(separator, decimal, other[-1] if grouped else None)


def _have_decimal_commas(lines: Sequence[Sequence[str]]) -> bool:
    """Return whether these cells are numbers with decimal commas."""
    cells = [cell for line in lines for cell in line]
    fits = [bool(re.fullmatch(r"[+-]?\d+(,\d+)?(e[+-]?\d+)?|\d+:[\d:.]+", cell, re.IGNORECASE)) for cell in cells]
    return min(map(len, lines)) > 1 and all(fits) and any("," in cell for cell in cells)


def _find_first_row(lines: Sequence[str], layout: TableLayout) -> int:
    """Return the first of five lines with the same number of cells, most of them numbers."""
    last: list[tuple[int, int]] = []  # line, cells
    for i, line in enumerate(lines[: 10 * _SAMPLE]):
        if not line.strip() or line.lstrip()[0] in "%#":
            continue
        cells = layout.split(line)
        filled = [cell for cell in cells if cell.lower() not in MISSING]
        fits = len(cells) > 1 and filled and sum(map(is_number, filled)) > len(filled) / 2
        last = [*last, (i, len(cells))] if fits and (not last or last[-1][1] == len(cells)) else []
        if fits and not last:
            last = [(i, len(cells))]
        if len(last) == 5:
            break
    if len(last) < 2:
        raise RecordingError(TABLE_NO_NUMBERS)
    return last[0][0]


def _find_header(lines: Sequence[str], layout: TableLayout, width: int) -> tuple[int | None, tuple[str, ...] | None]:
    """Find the line above the rows that names the columns: of ``width`` cells, or of one less beside row names."""
    possible = []
    for i, line in enumerate(lines):
        text = line.strip().lstrip("%#") if line.lstrip()[:1] in ("%", "#") else line
        cells = layout.split(text)
        named = [cell for cell in cells if cell]
        words = [cell for cell in named if not is_number(cell)]
        dated = any(":" in cell and is_number(cell) for cell in named)
        stating = (
            sum(map(bool, map(channel_names.standard_name, named))) < 4
            and sum(bool(re.search(r"\w\s*[:=]", cell)) for cell in named) > len(named) / 2
        )
        units = len(named) > 1 and all(_UNIT_CELL.fullmatch(cell) for cell in named)
        near = len(cells) in (width, width - 1, width + 1) or (line is lines[-1] and len(cells) > 1)
        if near and words and not dated and not stating and not units and text is line:
            possible.append((len(words) == len(named), i, tuple(cells)))
        elif text is not line and len(cells) == width > 2 and not stating and len(words) == len(named):
            possible.append((False, i, tuple(cells)))
    if not possible:
        return None, None
    sure = [each for each in possible if each[0]] or possible[-1:]
    _, at, names = max(sure, key=lambda each: sum(map(bool, each[2])))  # the first of those with the most cells filled
    return at, names


def _parse_cells(
    rows: Sequence[tuple[int, str]],
    layout: TableLayout,
    head: str,
    names: tuple[str, ...] | None,
    units: tuple[str, ...] | None,
) -> Table:
    """Bring rows and header to the same number of cells.

    Args:
        rows: number and text of each line.
        layout: how they are written.
        head: the lines before the header.
        names: the header, one per column, or None.
        units: the line of units, or None.

    Raises:
        RecordingError: the numbers of cells differ.
    """
    quoted = any('"' in line for _, line in rows[:_SAMPLE])
    counts = [
        len(layout.split(line)) if quoted or layout.separator == " " else line.count(layout.separator) + 1
        for _, line in rows
    ]
    width = Counter(counts).most_common(1)[0][0]
    if counts[-1] < width and len(rows) > 1:  # the last line of an interrupted recording
        rows, counts = rows[:-1], counts[:-1]
    text = "\n".join(line for _, line in rows)
    odd = next((k for k, count in enumerate(counts) if count != width), None)
    if odd is not None:
        raise RecordingError(N_(TABLE_LINE, line=rows[odd][0] + 1, cells=counts[odd], columns=width))
    cells = pd.read_csv(
        io.StringIO(text),
        sep=r"\s+" if layout.separator == " " else layout.separator,
        engine="python" if len(layout.separator) > 1 else "c",
        decimal=layout.decimal,
        thousands=layout.thousands,
        header=None,
        names=range(width),
        skipinitialspace=True,
        index_col=False,
        na_values=[*MISSING[1:], "NA", "NaN", "NULL", "Null", "None"],
        **({} if len(layout.separator) > 1 else {"low_memory": False}),
    )
    if names is None:
        return Table(head, None, None, cells)
    if len(names) > width and not any(names[width:]):
        names = names[:width]
    if width > len(names) and cells.iloc[:, len(names) :].isna().all(axis=None):
        cells = cells.iloc[:, : len(names)]
    elif width == len(names) + 1 and _are_row_names(cells[0], rows[0][1]):
        cells = cells.iloc[:, 1:]
    elif width != len(names):
        raise RecordingError(N_(TABLE_LINE, line=rows[0][0] + 1, cells=width, columns=len(names)))
    cells.columns = pd.RangeIndex(cells.shape[1])
    return Table(head, names, units if units and len(units) == len(names) else None, cells)


def _are_row_names(first: "pd.Series[float]", line: str) -> bool:
    """Return whether a column contains R's row names, which have no heading: 1, 2, 3 and so on, or quoted words."""
    if not pd.api.types.is_numeric_dtype(first):
        return line.lstrip()[:1] in "\"'"
    return bool(first.iloc[0] in (0, 1) and (first.diff().iloc[1:] == 1).all())
