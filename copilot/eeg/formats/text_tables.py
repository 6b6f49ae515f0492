"""Read recordings written as text, one sample per line (``open_text``): any table with a header line, and those of
devices that need to be known: OpenBCI, BrainFlow, Muse, Enobio.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mode
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from copilot.eeg import electrodes, units
from copilot.eeg.formats import arrays, table_parsing
from copilot.eeg.formats.table_parsing import Clock, Table
from copilot.eeg.types import RecordingError, Source
from copilot.i18n import N_, messages

TABLE_ROWS_NUMBERED = N_(
    "The time column only numbers the lines, so the sampling rate is not known; state it, or export times in seconds."
)
OPENBCI_NAMES = N_("The OpenBCI file has {columns} channels and does not say where they are; state a name for each.")
OPENBCI_PLACES = N_("The file does not say where its {columns} electrodes are; OpenBCI's usual places are assumed.")
MUSE_INTERVAL = N_(
    "Mind Monitor wrote {lines:.0f} lines a second and the headband measures {rate:.0f}; set its recording interval to "
    "constant and record again."
)
RATE_OF_DEVICE = N_("that of the device, as the file does not state it")

_TIME = re.compile(
    r"(?i)^\W*(?:\w+[. ])?(?:(?:unix|lsl|epoch|relative|elapsed)[_ ]?)?"
    r"(?:times?(?:[_ ]?stamps?)?|t|secs?|seconds|ms|milliseconds|date[_ ]?time|uhrzeit|zeit)(?:[\W_].*|ms)?$"
)
_INDEX = re.compile(
    r"(?i)^\W*(?:index|samples?|sample.?(?:index|number|no)|(?:eeg\.)?counter|packet.*|n|unnamed.*|)\W*$"
)
_NUMBERED = re.compile(r"(?i)^\W*(?:eeg|exg|ch|chan|channel)(?:[ _.]*(?:ch|chan|channel))?[ _.]*(\d+)\W*$")
_RATE = re.compile(
    r"(?i)\b(?:sampling|samp|sample|samples)?[ _]?(?:rate|frequency|freq|sampling|fs|sfreq|srate)"
    r"(?:\s*[(\[]?hz[)\]]?)?\s*[:=,;\t]+\s*(?:eeg_)?(\d+(?:[.,]\d+)?)"
)

MUSE_HZ = (256.0, 220.0)
"""Sampling rates of the headbands: Muse 2 and S, and Muse of 2014."""

OPENBCI_STEP_UV = 4.5 / 24 / (2**23 - 1) * 1e6
"""One count of the Cyton's converter at its usual gain of 24 (OpenBCI documentation, "Cyton data format")."""

BRAINFLOW = {24: (8, 22, 250.0), 32: (16, 30, 125.0), 15: (4, 13, 200.0)}
"""Columns of a BrainFlow file: EEG channels, column of times, Hz; Cyton, Cyton with Daisy, Ganglion."""


def open_text(path: Path, files: Sequence[Path], sfreq: float | None, channels: Sequence[str] | None) -> Source:
    """Open a table; what it does not state comes from a .json beside it, or from ``sfreq`` and ``channels``.

    Args:
        path: the table.
        files: what was given with it.
        sfreq: samples per second, Hz, as the user states it.
        channels: names, as the user states them.

    Raises:
        RecordingError: not a table of numbers, its rate or channels are not known, or they differ from those typed.
    """
    try:
        if source := _open_openbci_card(path, sfreq, channels):
            return source
        table = table_parsing.read_table(path)
        if "openbci" in table.head[:500].lower() and table.head.lstrip().startswith("%"):
            return _open_openbci(table, sfreq, channels)
        if table.names and sum(name.startswith("RAW_") for name in table.names) >= 4 and "RAW_TP9" in table.names:
            return _open_muse(table, sfreq)
        if path.suffix.lower() == ".easy":
            return _open_enobio(table, files, sfreq, channels)
        if table.names is None and _is_brainflow(table.cells):
            return _open_brainflow(table, sfreq, channels)
        return _open_plain(table, files, sfreq, channels)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise RecordingError(
            N_("The table is damaged or cut short; every line needs the same columns, one for each channel.")
        ) from error


def _open_plain(table: Table, files: Sequence[Path], sfreq: float | None, channels: Sequence[str] | None) -> Source:
    """Open a table with one column per channel, perhaps one of times."""
    stated = arrays.read_sidecar(files)
    emotiv = re.search(r"(?i)\blabels\s*:\s*([^,\n]+)", table.head)
    header = list(table.names or (emotiv[1].split() if emotiv else ()))
    if emotiv and table.names is None and len(header) != table.cells.shape[1]:
        header = []
    time = next((i for i, name in enumerate(header) if _TIME.match(name)), None)
    aside = {i for i, name in enumerate(header) if _TIME.match(name) or _INDEX.match(name)}
    given = len(channels or arrays.find_labels(stated))
    if not header and given == table.cells.shape[1] - 1:  # one column more than names: of times, or of line numbers
        time = next((i for i in (0, given) if _may_be_times(table.cells[i])), None)
        aside = set() if time is None else {time}
    columns = [i for i in range(table.cells.shape[1]) if i not in aside]
    columns, names = _match_names(columns, header, arrays.find_labels(stated), list(channels or ()))
    clock = None
    if time is not None:
        unit = f" ({table.units[time]})" if table.units else ""
        clock = table_parsing.read_clock(table.cells[time], (header[time] if header else "") + unit)
    in_head = _RATE.search(table.head)
    own = arrays.find_rate(stated) or (float(in_head[1].replace(",", ".")) if in_head else None)
    origin: str = messages.RATE_STATED
    if own is None and clock is not None and clock.rate is not None:
        own, origin = clock.rate, messages.RATE_FROM_TIMES
    if own is None and sfreq is None and names and time is not None:
        raise RecordingError(TABLE_ROWS_NUMBERED)
    rate, origin = table_parsing.choose_rate(own, sfreq, origin)
    if rate is None or not names:
        raise RecordingError(messages.TABLE_STATES_NOTHING)
    if clock is None:
        counter = next((i for i, name in enumerate(header) if _INDEX.match(name) and name), None)
        lost = np.zeros(len(table.cells), dtype=np.int64)
        clock = Clock(rate, lost if counter is None else table_parsing.count_lost_samples(table.cells[counter]))
    numbers = _parse_numbers(table.cells[columns])
    numbers, units_known, notes = _scale_to_microvolts(numbers, names, columns, table.units)
    data, found = table_parsing.join_parts(numbers, clock, rate)
    kind = N_("Emotiv CSV") if any(name.startswith("EEG.") for name in header) or emotiv else N_("text table")
    return arrays.make_source(kind, data.T, rate, names, *found, *notes, stated=units_known, rate_from=origin)


def _match_names(
    columns: list[int], header: Sequence[str], beside: Sequence[str], typed: Sequence[str]
) -> tuple[list[int], list[str]]:
    """Return which columns are channels, and their names: the file's, those of the .json beside it, or the typed ones.

    Args:
        columns: places of the columns that may be channels.
        header: the table's own names, may be empty.
        beside: names in the .json.
        typed: names from the user.

    Raises:
        RecordingError: they differ, or do not fit the columns.
    """
    own = [header[i] for i in columns] if header else []
    known = [i for i, name in zip(columns, own, strict=True) if electrodes.standard_name(name)] if header else []
    if not typed and not (beside and not known):
        return columns, own
    names = list(typed or beside)
    if len(known) >= 4:
        found = [electrodes.standard_name(header[i]) for i in known]
        wanted = [electrodes.standard_name(name) for name in names if electrodes.standard_name(name)]
        if found != wanted:
            raise RecordingError(
                N_(
                    messages.TABLE_NAMES_CONFLICT,
                    stated=tuple(str(name) for name in found),
                    typed=tuple(str(name) for name in wanted) or str(len(names)),
                )
            )
        return columns, own
    if len(names) == len(columns):
        return columns, names
    eeg = [i for i in columns if header and _NUMBERED.match(header[i])]
    if eeg and len(eeg) == len(names):
        return eeg, names
    if eeg:
        counts = {"names": len(names), "columns": len(eeg), "first": eeg[0] + 1, "last": eeg[-1] + 1}
        raise RecordingError(N_(messages.TABLE_EEG_COLUMNS, **counts))
    raise RecordingError(
        N_(
            "{names} channel names do not fit {columns} columns; state one name for each column.",
            names=len(names),
            columns=len(columns),
        )
    )


def _may_be_times(column: "pd.Series[Any]") -> bool:
    """Return whether a column without a heading can be one of times: it falls only where a clock wraps or restarts."""
    if not pd.api.types.is_numeric_dtype(column):
        return ":" in str(column.iloc[0])
    steps = np.diff(column.to_numpy(dtype=float))
    return bool(np.any(steps > 0) and np.mean(steps >= 0) > 0.98)


def _scale_to_microvolts(
    numbers: npt.NDArray[np.float32], names: Sequence[str], columns: Sequence[int], row: Sequence[str] | None
) -> tuple[npt.NDArray[np.float32], bool, list[str]]:
    """Scale electrodes whose heading or unit row states a unit.

    Args:
        numbers: shape (lines, channels); is changed.
        names: of the channels.
        columns: their places in the table.
        row: the table's line of units, or None.

    Returns:
        The numbers, whether any unit is stated, and notes for the reader.

    Raises:
        RecordingError: the unit of an electrode is none of voltage.
    """
    texts = [electrodes.find_unit(name) or (row[i] if row else "") for name, i in zip(names, columns, strict=True)]
    texts = [re.sub(r"[()\[\] ]", "", text) for text in texts]
    factors = [units.convert_to_microvolts(text) for text in texts]
    scalp = [k for k, name in enumerate(names) if electrodes.standard_name(name)]
    if not any(texts[k] for k in scalp):
        return numbers, False, []
    if wrong := sorted({texts[k] for k in scalp if texts[k] and factors[k] is None}):
        raise RecordingError(
            N_(
                "The columns are in {units}, which are no units of voltage; export the signal in microvolts.",
                units=tuple(wrong),
            )
        )
    stated = [factor for k in scalp if (factor := factors[k]) is not None]
    for k in scalp:
        numbers[:, k] *= np.float32(factors[k] or mode(stated))
    if len(stated) == len(scalp):
        return numbers, True, []
    return numbers, True, [N_("Some columns state no unit; that of the others was assumed for them.")]


def _parse_numbers(cells: pd.DataFrame) -> npt.NDArray[np.float32]:
    """Convert cells to numbers, shape (lines, columns); NaN where there is none."""
    found = cells.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float32)
    return np.array(found)


def _open_openbci_card(path: Path, sfreq: float | None, channels: Sequence[str] | None) -> Source | None:
    """Open a file from OpenBCI's SD card; None for any other.

    It has lines of a sample index and 8 or 16 channels as hexadecimal counts.

    Args:
        path: the file.
        sfreq: samples per second, Hz, as the user states it; 250 where None.
        channels: names, as the user states them.

    Raises:
        RecordingError: the names do not fit the columns.
    """
    with path.open("rb") as file:
        head = [line for line in file.read(8192).splitlines() if re.match(rb"[0-9A-Fa-f]{2},", line)]
    row = re.compile(rb"[0-9A-Fa-f]{2}((?:,[0-9A-Fa-f]{6}){8}(?:(?:,[0-9A-Fa-f]{6}){8})?)(?:,[0-9A-Fa-f]{4})*,?\s*")
    if len(head) < 10 or sum(bool(row.fullmatch(line)) for line in head[:-1]) < 0.9 * (len(head) - 1):
        return None
    found = [match for line in path.read_bytes().splitlines() if (match := row.fullmatch(line))]
    width = len(found[0][1])
    rows = [match for match in found if len(match[1]) == width]
    counts = np.array([[int(cell, 16) for cell in match[1][1:].split(b",")] for match in rows], dtype=np.int64)
    counts[counts >= 2**23] -= 2**24
    index = pd.Series([int(match[0][:2], 16) for match in rows])
    data = (counts * OPENBCI_STEP_UV).astype(np.float32)
    clock = Clock(None, table_parsing.count_lost_samples(index))
    rate = 250.0 if sfreq is None else sfreq
    origin = RATE_OF_DEVICE if sfreq is None else messages.RATE_TYPED
    return _make_openbci_source(N_("OpenBCI SD card"), data, clock, rate, origin, channels)


def _make_openbci_source(
    kind: str,
    data: npt.NDArray[np.float32],
    clock: Clock,
    rate: float,
    origin: str,
    channels: Sequence[str] | None,
    first: int = 1,
) -> Source:
    """Make a ``Source`` of the signal of an OpenBCI board.

    Args:
        kind: the common name of this kind of file.
        data: shape (lines, channels), microvolts.
        clock: what the times or the counter state of these lines.
        rate: samples per second, Hz.
        origin: where the rate comes from.
        channels: names, as the user states them.
        first: place of the first channel among the columns, from 0.

    Raises:
        RecordingError: the names do not fit the columns.
    """
    count = data.shape[1]
    if channels and len(channels) != count:
        where = {"names": len(channels), "columns": count, "first": first + 1, "last": first + count}
        raise RecordingError(N_(messages.TABLE_EEG_COLUMNS, **where))
    if not channels and count not in (8, 16):
        raise RecordingError(N_(OPENBCI_NAMES, columns=count))
    joined, notes = table_parsing.join_parts(data, clock, rate)
    if not channels:
        notes.insert(0, N_(OPENBCI_PLACES, columns=count))
    labels = list(channels or electrodes.OPENBCI[:count])
    return arrays.make_source(kind, joined.T, rate, labels, *notes, stated=True, rate_from=origin)


def _open_openbci(table: Table, sfreq: float | None, channels: Sequence[str] | None) -> Source:
    """Open a file of OpenBCI's GUI: sample's index, channels in microvolts, accelerometer and digital columns."""
    found = re.search(r"(?im)^%\s*sample rate\s*=\s*([\d.,]+)", table.head)
    stated = re.search(r"(?im)^%\s*number of channels\s*=\s*(\d+)", table.head)
    names = table.names or ()
    width = table.cells.shape[1]
    columns = [i for i, name in enumerate(names) if re.match(r"EXG Channel", name)]
    if not columns:
        columns = list(range(1, 1 + (int(stated[1]) if stated else 16 if width > 17 else 8)))
    if columns[-1] >= width:
        raise RecordingError(N_(OPENBCI_NAMES, columns=width - 1))
    own = float(found[1].rstrip(".,").replace(",", ".")) if found else None
    rate, origin = table_parsing.choose_rate(own, sfreq, messages.RATE_STATED)
    if rate is None:
        rate, origin = 250.0, RATE_OF_DEVICE
    clock = Clock(rate, table_parsing.count_lost_samples(table.cells[0]))
    times = next((i for i, name in enumerate(names) if name == "Timestamp"), None)
    if times is None and table.cells[width - 1].astype(str).str.contains(":").mean() > 0.5:
        times = width - 1
    if times is not None:
        clock = _add_pauses(clock, table.cells[times], rate)
    return _make_openbci_source(N_("OpenBCI text"), _parse_numbers(table.cells[columns]), clock, rate, origin, channels)


def _add_pauses(clock: Clock, times: "pd.Series[float]", rate: float) -> Clock:
    """Add pauses of more than a second, which a counter that begins again at 256 does not show."""
    seconds = table_parsing.read_clock(times, "")
    long = seconds.lost > max(256, rate) if seconds.rate else np.zeros(len(clock.lost), dtype=bool)
    return replace(clock, lost=np.where(long, seconds.lost, clock.lost))


def _open_muse(table: Table, sfreq: float | None) -> Source:
    """Open a file of Mind Monitor, which writes events on lines of their own, and microvolts with an offset of some
    800.
    """
    names = list(table.names or ())
    columns = [i for i, name in enumerate(names) if name.startswith("RAW_")]
    cells = table.cells.dropna(subset=columns, how="any").reset_index(drop=True)
    clock = Clock(None, np.zeros(len(cells), dtype=np.int64))
    if "TimeStamp" in names:
        clock = table_parsing.read_clock(cells[names.index("TimeStamp")], "TimeStamp")
    rate, origin = MUSE_HZ[0], RATE_OF_DEVICE
    if (found := clock.rate) is not None:
        rate, origin = min(MUSE_HZ, key=lambda hz: abs(hz - found)), messages.RATE_FROM_TIMES
        if not 0.93 < found / rate < 1.07:
            raise RecordingError(N_(MUSE_INTERVAL, lines=found, rate=rate))
    table_parsing.choose_rate(rate, sfreq, origin)
    data, notes = table_parsing.join_parts(_parse_numbers(cells[columns]), clock, rate)
    labels = [names[i][4:] for i in columns]
    return arrays.make_source("Muse CSV", data.T, rate, labels, *notes, stated=True, rate_from=origin)


def _open_enobio(table: Table, files: Sequence[Path], sfreq: float | None, channels: Sequence[str] | None) -> Source:
    """Open Neuroelectrics' .easy: 8, 20 or 32 channels in nanovolts, perhaps three of movement, trigger, time in ms."""
    info = "".join(table_parsing.decode_text(file.read_bytes()) for file in files if file.suffix.lower() == ".info")
    names = re.findall(r"(?im)^\s*channel\s*\d+\s*:\s*(\S+)", info)
    width = table.cells.shape[1]
    count = len(names) or next((n for n in (8, 20, 32) if width in (n + 2, n + 5)), width - 5)
    if names and channels and list(channels) != names:
        raise RecordingError(N_(messages.TABLE_NAMES_CONFLICT, stated=tuple(names), typed=tuple(channels)))
    labels = names or list(channels or ())
    if not labels:
        raise RecordingError(messages.TABLE_STATES_NOTHING)
    if len(labels) != count or count > width - 2:
        raise RecordingError(N_(messages.TABLE_EEG_COLUMNS, names=len(labels), columns=count, first=1, last=count))
    clock = table_parsing.read_clock(table.cells[width - 1], "time (ms)")
    stated = re.search(r"(?i)EEG sampling rate\s*:\s*([\d.]+)", info)
    own = float(stated[1]) if stated else clock.rate
    rate, origin = table_parsing.choose_rate(own, sfreq, messages.RATE_STATED if stated else messages.RATE_FROM_TIMES)
    if rate is None:
        raise RecordingError(messages.TABLE_STATES_NOTHING)
    microvolts = _parse_numbers(table.cells[list(range(count))]) / np.float32(1000)
    data, notes = table_parsing.join_parts(microvolts, clock, rate)
    kind = N_("Neuroelectrics .easy")
    return arrays.make_source(kind, data.T, rate, labels, *notes, stated=True, rate_from=origin)


def _is_brainflow(cells: pd.DataFrame) -> bool:
    """Return whether the columns are a board's, with counted packets first and seconds since 1970 in their place."""
    if cells.shape[1] not in BRAINFLOW or not all(pd.api.types.is_numeric_dtype(kind) for kind in cells.dtypes):
        return False
    times = cells[BRAINFLOW[cells.shape[1]][1]]
    return bool(times.between(1e9, 4e9).all() and cells[0].between(0, 255).all())


def _open_brainflow(table: Table, sfreq: float | None, channels: Sequence[str] | None) -> Source:
    """Open BrainFlow's file, one sample per line without a header; its channels are in microvolts."""
    count, times, of_board = BRAINFLOW[table.cells.shape[1]]
    clock = table_parsing.read_clock(table.cells[times], "timestamp (s)")
    rate = of_board if clock.rate is None or abs(clock.rate / of_board - 1) < 0.05 else clock.rate
    table_parsing.choose_rate(rate, sfreq, messages.RATE_FROM_TIMES)
    clock = _add_pauses(Clock(rate, table_parsing.count_lost_samples(table.cells[0])), table.cells[times], rate)
    origin = messages.RATE_FROM_TIMES if rate != of_board else RATE_OF_DEVICE
    data = _parse_numbers(table.cells[list(range(1, count + 1))])
    return _make_openbci_source(N_("BrainFlow CSV"), data, clock, rate, origin, channels)
