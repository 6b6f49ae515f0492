"""Read recordings written as text, one sample per line (see ``open_text``); ``device_tables`` has those of devices."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from copilot.eeg import channel_names
from copilot.eeg.formats import arrays, device_tables, tables, timestamps
from copilot.eeg.formats.tables import Table
from copilot.eeg.types import RecordingError, Source
from copilot.i18n import N_, messages

TABLE_ROWS_NUMBERED = N_(
    "The time column only numbers the lines, so the sampling rate is not known; state it, or export times in seconds."
)


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
_VOLTS = {"nv": 1e-3, "uv": 1.0, "mv": 1e3, "v": 1e6}


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
        source = device_tables.open_hex(path, sfreq, channels)
        if source is None:
            table = tables.read_table(path)
            source = device_tables.open_device(table, path, files, sfreq, channels) or _open_plain(
                table, files, sfreq, channels
            )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise RecordingError(
            N_("The table is damaged or cut short; every line needs the same columns, one for each channel.")
        ) from error
    return source


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
    clock = _read_clock(table, header, time)
    in_head = _RATE.search(table.head)
    own = arrays.find_rate(stated) or (float(in_head[1].replace(",", ".")) if in_head else None)
    origin: str = messages.RATE_STATED
    if own is None and clock is not None and clock.rate is not None:
        own, origin = clock.rate, messages.RATE_FROM_TIMES
    if own is None and sfreq is None and names and time is not None:
        raise RecordingError(TABLE_ROWS_NUMBERED)
    rate, origin = timestamps.choose_rate(own, sfreq, origin)
    if rate is None or not names:
        raise RecordingError(messages.TABLE_STATES_NOTHING)
    if clock is None:
        counter = next((i for i, name in enumerate(header) if _INDEX.match(name) and name), None)
        nothing = np.zeros(0, dtype=np.int64)
        lost = np.zeros(len(table.cells), dtype=np.int64)
        clock = timestamps.Clock(
            rate, lost if counter is None else timestamps.count_lost_samples(table.cells[counter]), nothing
        )
    numbers = device_tables.parse_numbers(table.cells[columns])
    numbers, units_known, notes = _scale_to_microvolts(numbers, names, columns, table.units)
    data, found = timestamps.join_parts(numbers, clock, rate)
    kind = N_("Emotiv CSV") if any(name.startswith("EEG.") for name in header) or emotiv else N_("text table")
    source = arrays.make_source(kind, data.T, rate, names, *found, *notes, stated=units_known)
    return replace(source, rate_from=origin)


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
    known = [i for i, name in zip(columns, own, strict=True) if channel_names.standard_name(name)] if header else []
    if not typed and not (beside and not known):
        return columns, own
    names = list(typed or beside)
    if len(known) >= 4:
        found = [channel_names.standard_name(header[i]) for i in known]
        wanted = [channel_names.standard_name(name) for name in names if channel_names.standard_name(name)]
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


def _read_clock(table: Table, header: Sequence[str], time: int | None) -> timestamps.Clock | None:
    if time is None:
        return None
    unit = f" ({table.units[time]})" if table.units else ""
    return timestamps.read_clock(table.cells[time], (header[time] if header else "") + unit)


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
    units = [channel_names.find_unit(name) or (row[i] if row else "") for name, i in zip(names, columns, strict=True)]
    units = [re.sub(r"(?i)microvolts?|[µμ]v|uvolts?", "uV", re.sub(r"[()\[\] ]", "", unit)) for unit in units]
    units = [re.sub(r"(?i)millivolts?", "mV", re.sub(r"(?i)nanovolts?", "nV", unit)) for unit in units]
    units = ["V" if unit.lower() in ("volt", "volts") else unit for unit in units]
    electrodes = [k for k, name in enumerate(names) if channel_names.standard_name(name)]
    stated = [units[k].lower() for k in electrodes if units[k]]
    if not stated:
        return numbers, False, []
    if wrong := sorted({units[k] for k in electrodes if units[k] and units[k].lower() not in _VOLTS}):
        raise RecordingError(
            N_(
                "The columns are in {units}, which are no units of voltage; export the signal in microvolts.",
                units=tuple(wrong),
            )
        )
    usual = Counter(stated).most_common(1)[0][0]
    for k in electrodes:
        numbers[:, k] *= np.float32(_VOLTS[(units[k] or usual).lower()])
    notes: list[str] = (
        [N_("Some columns state no unit; that of the others was assumed for them.")]
        if len(stated) < len(electrodes)
        else []
    )
    return numbers, True, notes
