"""Parse text as a table of cells (``read_table``), and its column of times as a sampling rate and lost samples
(``read_clock``, ``join_parts``).
"""

import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from copilot.eeg import electrodes
from copilot.eeg.types import SFREQ_HZ, RecordingError
from copilot.i18n import N_, messages

TABLE_NO_NUMBERS = N_("This text is not a table of numbers; give one sample a line and one column a channel.")
TABLE_LINE = N_(
    "Line {line} of the table has {cells} cells, and its header or the other lines have {columns}; every line needs "
    "the same columns, so export it again or correct that line."
)
TABLE_LOST = N_(
    "Of the samples {share:.0%} are missing in short pieces, too many to bridge; record again closer to the receiver, "
    "or export all samples."
)
TABLE_RATE_CONFLICT = N_(
    "The file says {stated:g} Hz and {typed:g} Hz was typed; leave the rate empty, or correct the file if it is wrong."
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

#: A typed rate and the file's own may differ by this share.
RATE_TOLERANCE = 0.01

BRIDGED_SECONDS = 0.2
"""Samples missing for longer than this are a pause; shorter losses, such as Bluetooth packets, are interpolated."""
MAX_LOST = 0.15
"""With a larger share lost in short pieces the fast bands would be made of straight lines."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_DAY, _HOUR = 86400.0, 3600.0
_TIME_OF_DAY = re.compile(
    r"^\s*(?:(\d{1,4}[-./]\d{1,2}[-./]\d{1,4})[T ]\s*)?(?:(\d{1,2}):)?(\d{1,2}):(\d{1,2}(?:[.,:]\d+)?)\s*([AaPp][Mm])?"
    r"\s*(?:Z|UTC|[+-]\d\d:?\d\d)?\s*$"
)


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
            sum(map(bool, map(electrodes.standard_name, named))) < 4
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


@dataclass(frozen=True)
class Clock:
    """What a column of times states.

    Attributes:
        rate: samples per second, Hz; None if the times do not show it.
        lost: how many samples are missing before each line, shape (lines,).
        restarts: lines at which the times begin again.
    """

    rate: float | None
    lost: Ints
    restarts: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


def read_clock(times: "pd.Series[float]", name: str) -> Clock:
    """Derive the rate and missing samples from times in seconds, ms, us, ns, dates or times of day.

    The rate is that of the steps from line to line, so that pauses and lost samples do not count: from their usual size
    where they are even; where several lines share a time or times come unevenly, lines over time between pauses.

    Args:
        times: one per line, numbers or text.
        name: heading of the column, which may state the unit.
    """
    nothing = Clock(None, np.zeros(len(times), dtype=np.int64))
    seconds, scales = _parse_times(times, name)
    known = np.flatnonzero(np.isfinite(seconds))
    steps = np.diff(seconds[known])
    forward = steps[steps > 0]
    if len(forward) < 2 or len(known) < 0.5 * len(times):
        return nothing
    if scales is None and np.median(forward) == 1 and np.mean(steps == 1) > 0.9:
        return nothing  # the column numbers the lines
    usual = float(np.median(forward))
    back = steps < (0 if _are_even(forward) else -20 * usual)
    rate, lost = _find_rate_and_lost(steps, back, usual)
    if not rate:
        return nothing
    candidates = [rate * scale for scale in scales or (1.0, 1e3, 1e6, 1e9)]
    likely = [found for found in candidates if SFREQ_HZ[0] * 0.99 <= found <= SFREQ_HZ[1]]
    found = likely[0] if likely else candidates[0]
    found = float(round(found)) if abs(found - round(found)) < 0.005 * found else float(found)
    before = np.zeros(len(times), dtype=np.int64)
    before[known[1:]] = lost
    return Clock(found, before, known[1:][back].astype(np.int64))


def count_lost_samples(counter: "pd.Series[float]") -> Ints:
    """Return how many samples are missing before each line, shape (lines,), by a counter that begins again at some
    number.
    """
    values = pd.to_numeric(counter, errors="coerce").to_numpy(dtype=float)
    lost = np.zeros(len(values), dtype=np.int64)
    if len(values) < 20 or not np.isfinite(values).all():
        return lost
    size = values.max() + 1
    steps = np.mod(np.diff(values), size)
    usual, count = np.unique(steps, return_counts=True)
    step = usual[count.argmax()]
    if step > 0 and count.max() > 0.5 * len(steps) and not (np.mod(steps, step) > 0).mean() > 0.02:
        missing = steps / step - 1
        missing[np.mod(steps, step) > 0] = 0
        lost[1:] = np.maximum(missing, 0).astype(np.int64)
    return lost


def join_parts(data: npt.NDArray[np.float32], clock: Clock, rate: float) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Interpolate short losses linearly, and join the parts between pauses or before times that begin again.

    Args:
        data: shape (lines, channels).
        clock: what the times state of these lines.
        rate: samples per second, Hz.

    Returns:
        The signal, shape (samples, channels), and notes. Beside each pause a tenth of a second is set to missing, so
        that the jump between its ends is interpolated and does not look like brain.

    Raises:
        RecordingError: more than ``MAX_LOST`` is lost in short pieces.
    """
    notes: list[str] = []
    keep, repeats = _find_repeats(data, clock.restarts)
    lost = clock.lost[keep]
    data = data[keep]
    if repeats:
        notes.append(N_("The same part is in the file more than once; {count} repeats were left out.", count=repeats))
    if parts := len(clock.restarts) - repeats:
        notes.append(N_("The times begin again: the recording has {count} parts, which were joined.", count=parts + 1))
    short = np.where(lost <= BRIDGED_SECONDS * rate, lost, 0)
    share = short.sum() / (len(data) + short.sum())
    if share > MAX_LOST:
        raise RecordingError(N_(TABLE_LOST, share=float(share)))
    pauses = np.flatnonzero(lost > BRIDGED_SECONDS * rate)
    if len(pauses):
        notes.append(
            N_(
                "Pauses in the recording: {count}, with {seconds:.1f} s missing in all; the parts were joined.",
                count=len(pauses),
                seconds=float(lost[pauses].sum() / rate),
            )
        )
        edge = round(0.1 * rate)
        if 2 * edge * len(pauses) < 0.02 * len(data):
            data = data.copy()
            for pause in pauses:
                data[max(0, pause - edge) : pause + edge] = np.nan
    if short.any():
        notes.append(N_("Lost samples, {share:.1%} of all, were bridged by straight lines.", share=float(share)))
        places = np.arange(len(data)) + np.cumsum(short)
        every = np.arange(places[-1] + 1)
        data = np.stack([np.interp(every, places, row) for row in data.T], axis=1).astype(np.float32)
    return data, notes


def _parse_times(times: "pd.Series[float]", name: str) -> tuple[Floats, tuple[float, ...] | None]:
    """Return times as numbers, shape (lines,), and the factors that turn 1/step into Hz.

    There is one factor where a unit is stated, and None in their place where it is not.
    """
    if pd.api.types.is_numeric_dtype(times):
        return times.to_numpy(dtype=float), _find_scales(name)
    text = times.astype(str)
    numbers = pd.to_numeric(text.str.replace(",", ".", regex=False), errors="coerce")
    if numbers.notna().mean() > 0.5:
        return numbers.to_numpy(dtype=float), _find_scales(name)
    found = text.str.extract(_TIME_OF_DAY)
    clock = pd.to_numeric(found[3].str.replace("[,:]", ".", regex=True), errors="coerce")
    clock += 60 * pd.to_numeric(found[2]) + _HOUR * pd.to_numeric(found[1]).fillna(0) % _DAY
    seconds = clock.to_numpy(dtype=float)
    half = found[4].str.lower()
    hour = pd.to_numeric(found[1])
    seconds = (
        seconds
        + np.where((half == "pm") & (hour != 12), _DAY / 2, 0)
        - np.where((half == "am") & (hour == 12), _DAY / 2, 0)
    )
    if found[0].notna().any():
        first = str(found[0].dropna().iloc[0])
        days = {day: _parse_day(day, not re.match(r"\d{4}", first)) for day in found[0].dropna().unique()}
        seconds = seconds + found[0].map(days).to_numpy(dtype=float)
    else:
        size = _HOUR if found[1].isna().all() else _DAY
        turns = np.nan_to_num(np.diff(seconds, prepend=seconds[:1])) < -0.9 * size
        seconds = seconds + size * np.cumsum(turns)
    return seconds, (1.0,)


def _parse_day(text: str, day_first: bool) -> float:
    try:
        return float(pd.to_datetime(text, dayfirst=day_first).timestamp())
    except ValueError:
        return float("nan")


def _find_scales(name: str) -> tuple[float, ...] | None:
    units = {r"ms|msecs?|milli\w*": 1e3, r"us|µs|μs|micro\w*": 1e6, r"ns|nano\w*": 1e9, r"s|secs?|seconds": 1.0}
    words = re.sub(r"[_\W]+", " ", name)[len(re.match(r"\W*", name)[0]) :].lower()  # type: ignore[index]
    return next(((scale,) for unit, scale in units.items() if re.search(rf"\b(?:{unit})\b", words)), None)


def _are_even(forward: Floats) -> bool:
    """Return whether steps have one width, except for missing samples; stamps in whole milliseconds still count."""
    usual = np.median(forward)
    near = forward[forward < 1.5 * usual]
    return bool(len(near) > 0.5 * len(forward) and near.std() < 0.3 * usual)


def _find_rate_and_lost(steps: Floats, back: npt.NDArray[np.bool_], usual: float) -> tuple[float, Ints]:
    """Return lines per unit of time, and how many are missing at each step.

    Args:
        steps: of time between lines, shape (lines - 1,).
        back: whether the times begin again, bool, same shape.
        usual: median of the steps forward.
    """
    forward = steps[~back]
    if (forward > 0).mean() > 0.99 and _are_even(forward[forward > 0]):
        # times cut to whole milliseconds make steps of 1, 2 and 3, of which none is a loss
        grain = np.diff(np.unique(np.round(forward[forward < 1.9 * usual] / usual, 2)))
        limit = usual * max(1.5, 1 + 1.5 * float(grain.min() if len(grain) else 0))
        step = float(forward[(forward >= 0.4 * usual) & (forward < limit)].mean())
        missing = np.round(steps / step) - 1
        missing[(steps < limit) | back] = 0
        return 1 / step, np.maximum(missing, 0).astype(np.int64)
    return _find_uneven_rate_and_lost(steps, back)


def _find_uneven_rate_and_lost(steps: Floats, back: npt.NDArray[np.bool_]) -> tuple[float, Ints]:
    """Return the same where several lines share a time, or times come unevenly: lines over time between pauses."""
    changes = np.flatnonzero(steps != 0)
    widths = steps[changes]
    typical = np.median(widths[widths > 0])
    counts = np.diff(changes)  # lines that share the time which begins at each change but the last
    if not len(counts):
        return 0.0, np.zeros(len(steps), dtype=np.int64)
    coarse = np.median(np.abs(widths - typical)) < 0.05 * typical and np.median(counts) > 1
    limit = typical * (1.5 if coarse else 10 if np.median(counts) > 1 else 60)
    broken = (widths > limit) | back[changes]
    whole = ~broken[:-1] & ~broken[1:]
    time = float(widths[1:][whole].sum())
    if not whole.any() or time <= 0:
        return 0.0, np.zeros(len(steps), dtype=np.int64)
    rate = float(counts[whole].sum()) / time
    missing = np.zeros(len(steps), dtype=np.int64)
    for change, width in zip(changes[widths > limit], widths[widths > limit], strict=True):
        missing[change] = round((width - typical) * rate)
    return rate, missing


def _find_repeats(data: npt.NDArray[np.float32], restarts: Ints) -> tuple[npt.NDArray[np.bool_], int]:
    """Return which lines to keep, bool, shape (lines,), and how many parts repeat an earlier one and are left out."""
    keep, seen, repeats = np.ones(len(data), dtype=bool), set(), 0
    edges = [0, *map(int, restarts), len(data)]
    for begin, end in pairwise(edges):
        content = data[begin:end].tobytes()
        if content in seen and end - begin > 1:
            keep[begin:end] = False
            repeats += 1
        seen.add(content)
    return keep, repeats


def choose_rate(own: float | None, typed: float | None, origin: str) -> tuple[float | None, str]:
    """Return the file's rate or, where it has none, the typed one; and where it comes from.

    Args:
        own: the file's, Hz, or None.
        typed: the user's, Hz, or None.
        origin: where the file's comes from.

    Raises:
        RecordingError: both are there and differ.
    """
    if own is not None and typed is not None and abs(own - typed) > RATE_TOLERANCE * own:
        raise RecordingError(N_(TABLE_RATE_CONFLICT, stated=own, typed=typed))
    if own is None:
        return typed, messages.RATE_TYPED
    return own, origin
