"""Read tables as devices write them: OpenBCI, BrainFlow, Muse, Enobio (see ``open_device``, ``open_hex``)."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from copilot.eeg import channel_names
from copilot.eeg.formats import arrays, tables, timestamps
from copilot.eeg.formats.tables import Table
from copilot.eeg.types import RecordingError, Source
from copilot.i18n import N_, messages

OPENBCI_NAMES = N_("The OpenBCI file has {columns} channels and does not say where they are; state a name for each.")
MUSE_INTERVAL = N_(
    "Mind Monitor wrote {lines:.0f} lines a second and the headband measures {rate:.0f}; set its recording interval to "
    "constant and record again."
)
RATE_OF_DEVICE = N_("that of the device, as the file does not state it")


MUSE_HZ = (256.0, 220.0)
"""Sampling rates of the headbands: Muse 2 and S, and Muse of 2014."""

OPENBCI_STEP_UV = 4.5 / 24 / (2**23 - 1) * 1e6
"""One count of the Cyton's converter at its usual gain of 24 (OpenBCI documentation, "Cyton data format")."""

BRAINFLOW = {24: (8, 22, 250.0), 32: (16, 30, 125.0), 15: (4, 13, 200.0)}
"""Columns of a BrainFlow file: EEG channels, column of times, Hz; Cyton, Cyton with Daisy, Ganglion."""


def open_device(
    table: Table, path: Path, files: Sequence[Path], sfreq: float | None, channels: Sequence[str] | None
) -> Source | None:
    """Open a table that a device is known to write; None for any other.

    Args:
        table: the table.
        path: its file.
        files: what was given with it.
        sfreq: samples per second, Hz, as the user states it.
        channels: names, as the user states them.

    Raises:
        RecordingError: the table does not fit the device, the rate or the names.
    """
    if "openbci" in table.head[:500].lower() and table.head.lstrip().startswith("%"):
        return _open_openbci(table, sfreq, channels)
    if table.names and sum(name.startswith("RAW_") for name in table.names) >= 4 and "RAW_TP9" in table.names:
        return _open_muse(table, sfreq)
    if path.suffix.lower() == ".easy":
        return _open_enobio(table, files, sfreq, channels)
    if table.names is None and _is_brainflow(table.cells):
        return _open_brainflow(table, sfreq, channels)
    return None


def parse_numbers(cells: pd.DataFrame) -> npt.NDArray[np.float32]:
    """Convert cells to numbers, shape (lines, columns); NaN where there is none."""
    found = cells.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float32)
    return np.array(found)


def open_hex(path: Path, sfreq: float | None, channels: Sequence[str] | None) -> Source | None:
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
    clock = timestamps.Clock(None, timestamps.count_lost_samples(index), np.zeros(0, dtype=np.int64))
    rate = 250.0 if sfreq is None else sfreq
    origin = RATE_OF_DEVICE if sfreq is None else messages.RATE_TYPED
    return _make_openbci_source(N_("OpenBCI SD card"), data, clock, rate, origin, channels)


def _make_openbci_source(
    kind: str,
    data: npt.NDArray[np.float32],
    clock: timestamps.Clock,
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
    assumed = (
        ()
        if channels
        else (
            N_(
                "The file does not say where its {columns} electrodes are; OpenBCI's usual places are assumed.",
                columns=count,
            ),
        )
    )
    joined, notes = timestamps.join_parts(data, clock, rate)
    labels = list(channels or channel_names.OPENBCI[:count])
    return replace(arrays.make_source(kind, joined.T, rate, labels, *assumed, *notes, stated=True), rate_from=origin)


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
    rate, origin = timestamps.choose_rate(own, sfreq, messages.RATE_STATED)
    if rate is None:
        rate, origin = 250.0, RATE_OF_DEVICE
    clock = timestamps.Clock(rate, timestamps.count_lost_samples(table.cells[0]), np.zeros(0, dtype=np.int64))
    times = next((i for i, name in enumerate(names) if name == "Timestamp"), None)
    if times is None and table.cells[width - 1].astype(str).str.contains(":").mean() > 0.5:
        times = width - 1
    if times is not None:
        clock = _add_pauses(clock, table.cells[times], rate)
    return _make_openbci_source(N_("OpenBCI text"), parse_numbers(table.cells[columns]), clock, rate, origin, channels)


def _add_pauses(clock: timestamps.Clock, times: "pd.Series[float]", rate: float) -> timestamps.Clock:
    """Add pauses of more than a second, which a counter that begins again at 256 does not show."""
    seconds = timestamps.read_clock(times, "")
    long = seconds.lost > max(256, rate) if seconds.rate else np.zeros(len(clock.lost), dtype=bool)
    return replace(clock, lost=np.where(long, seconds.lost, clock.lost))


def _open_muse(table: Table, sfreq: float | None) -> Source:
    """Open a file of Mind Monitor, which writes events on lines of their own, and microvolts with an offset of some
    800.
    """
    names = list(table.names or ())
    columns = [i for i, name in enumerate(names) if name.startswith("RAW_")]
    cells = table.cells.dropna(subset=columns, how="any").reset_index(drop=True)
    clock = timestamps.Clock(None, np.zeros(len(cells), dtype=np.int64), np.zeros(0, dtype=np.int64))
    if "TimeStamp" in names:
        clock = timestamps.read_clock(cells[names.index("TimeStamp")], "TimeStamp")
    rate, origin = MUSE_HZ[0], RATE_OF_DEVICE
    if (found := clock.rate) is not None:
        rate, origin = min(MUSE_HZ, key=lambda hz: abs(hz - found)), messages.RATE_FROM_TIMES
        if not 0.93 < found / rate < 1.07:
            raise RecordingError(N_(MUSE_INTERVAL, lines=found, rate=rate))
    timestamps.choose_rate(rate, sfreq, origin)
    data, notes = timestamps.join_parts(parse_numbers(cells[columns]), clock, rate)
    labels = [names[i][4:] for i in columns]
    return replace(arrays.make_source("Muse CSV", data.T, rate, labels, *notes, stated=True), rate_from=origin)


def _open_enobio(table: Table, files: Sequence[Path], sfreq: float | None, channels: Sequence[str] | None) -> Source:
    """Open Neuroelectrics' .easy: 8, 20 or 32 channels in nanovolts, perhaps three of movement, trigger, time in ms."""
    info = "".join(tables.decode_text(file.read_bytes()) for file in files if file.suffix.lower() == ".info")
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
    clock = timestamps.read_clock(table.cells[width - 1], "time (ms)")
    stated = re.search(r"(?i)EEG sampling rate\s*:\s*([\d.]+)", info)
    own = float(stated[1]) if stated else clock.rate
    rate, origin = timestamps.choose_rate(own, sfreq, messages.RATE_STATED if stated else messages.RATE_FROM_TIMES)
    if rate is None:
        raise RecordingError(messages.TABLE_STATES_NOTHING)
    data, notes = timestamps.join_parts(parse_numbers(table.cells[list(range(count))]) / np.float32(1000), clock, rate)
    source = arrays.make_source(N_("Neuroelectrics .easy"), data.T, rate, labels, *notes, stated=True)
    return replace(source, rate_from=origin)


def _is_brainflow(cells: pd.DataFrame) -> bool:
    """Return whether the columns are a board's, with counted packets first and seconds since 1970 in their place."""
    if cells.shape[1] not in BRAINFLOW or not all(pd.api.types.is_numeric_dtype(kind) for kind in cells.dtypes):
        return False
    times = cells[BRAINFLOW[cells.shape[1]][1]]
    return bool(times.between(1e9, 4e9).all() and cells[0].between(0, 255).all())


def _open_brainflow(table: Table, sfreq: float | None, channels: Sequence[str] | None) -> Source:
    """Open BrainFlow's file, one sample per line without a header; its channels are in microvolts."""
    count, times, of_board = BRAINFLOW[table.cells.shape[1]]
    clock = timestamps.read_clock(table.cells[times], "timestamp (s)")
    rate = of_board if clock.rate is None or abs(clock.rate / of_board - 1) < 0.05 else clock.rate
    timestamps.choose_rate(rate, sfreq, messages.RATE_FROM_TIMES)
    counter = timestamps.Clock(rate, timestamps.count_lost_samples(table.cells[0]), np.zeros(0, dtype=np.int64))
    clock = _add_pauses(counter, table.cells[times], rate)
    origin = messages.RATE_FROM_TIMES if rate != of_board else RATE_OF_DEVICE
    data = parse_numbers(table.cells[list(range(1, count + 1))])
    return _make_openbci_source(N_("BrainFlow CSV"), data, clock, rate, origin, channels)
