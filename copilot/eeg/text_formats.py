"""Recordings written as text: tables, one sample a line; OpenBCI's .txt, Mind Monitor's .csv (see ``open_text``)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from copilot.eeg import arrays, montage
from copilot.eeg.formats import Source
from copilot.eeg.recording import SFREQ_HZ, RecordingError
from copilot.language import english, sentence

MUSE_HZ = (256.0, 220.0)
"""What the headbands record at: Muse 2 and S, and Muse of 2014."""

_TIME = re.compile(r"(?i)^\W*(time|timestamps?|t|secs?|seconds|ms|milliseconds|datetime|lsl_timestamp)(\W.*)?$")
_INDEX = re.compile(r"(?i)^(index|sample|samples|sample.?index|counter|n|unnamed.*|)$")


@dataclass(frozen=True)
class Layout:
    """How a table is written: what separates columns, the decimal sign, lines before it, whether it has a header."""

    separator: str
    decimal: str
    skip: int
    header: bool


def open_text(path: Path, files: Sequence[Path], sfreq: float | None, channels: Sequence[str] | None) -> Source:
    """Open a table; what it does not state comes from a .json beside it, or from ``sfreq`` and ``channels``.

    Raises:
        RecordingError: not a table of numbers, or its rate or channels are not known.
    """
    with path.open("rb") as file:
        head = file.read(2**16).decode("utf-8-sig", errors="replace")
    try:
        layout = _layout(head.splitlines())
        table = _table(path, layout)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise RecordingError(sentence(english.TABLE_DAMAGED)) from error
    if head.lstrip().startswith("%") and "openbci" in head[:500].lower():
        return _openbci(table, head, layout.header, sfreq, channels)
    if any(str(name).startswith("RAW_TP9") for name in table.columns):
        return _muse(table)
    return _plain(table, files, layout.header, sfreq, channels)


def _layout(lines: Sequence[str]) -> Layout:
    """Look at the first lines that are not comments."""
    skip = next((i for i, line in enumerate(lines) if line.strip() and line.lstrip()[0] not in "%#"), len(lines))
    first, rows = "".join(lines[skip : skip + 1]), "\n".join(lines[skip + 1 : skip + 20])
    separator = max(",;\t", key=lambda sign: min(first.count(sign), rows.count(sign)))
    if not min(first.count(separator), rows.count(separator)):
        separator = r"\s+"
    decimal = "," if separator != "," and "," in rows and "." not in rows else "."
    numbers = [_is_number(cell, decimal) for cell in re.split(rf"{separator}|\n", rows) if cell.strip()]
    columns = re.split(separator, first.strip())
    if len(columns) < 2 or sum(numbers) <= len(numbers) / 2:
        raise RecordingError(sentence(english.TABLE_NO_NUMBERS))
    header = not all(_is_number(cell, decimal) for cell in columns if cell.strip())
    return Layout(separator, decimal, skip, header)


def _is_number(text: str, decimal: str) -> bool:
    try:
        float(text.replace(decimal, "."))
    except ValueError:
        return False
    return True


def _table(path: Path, layout: Layout) -> pd.DataFrame:
    return pd.read_csv(
        path,
        sep=layout.separator,
        decimal=layout.decimal,
        skiprows=layout.skip,
        header=0 if layout.header else None,
        skipinitialspace=True,
        index_col=False,
        low_memory=False,
        encoding="utf-8-sig",
        encoding_errors="replace",
    )


def _signals(kind: str, table: pd.DataFrame, rate: float, labels: Sequence[str], *notes: str, stated: bool) -> Source:
    numbers = table.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float32)
    return arrays.signals(kind, numbers.T, rate, labels, *notes, stated=stated)


def _openbci(
    table: pd.DataFrame, head: str, header: bool, sfreq: float | None, channels: Sequence[str] | None
) -> Source:
    """OpenBCI's GUI writes the sample's index, the channels in microvolts, then accelerometer and digital columns."""
    found = re.search(r"(?im)^%\s*sample rate\s*=\s*([\d.]+)", head)
    if header:
        columns = [name for name in table.columns if re.match(r"EXG Channel", str(name))]
    else:
        columns = list(table.columns[1:17] if table.shape[1] > 17 else table.columns[1:9])
    labels = list(channels or montage.OPENBCI[: len(columns)])
    if len(labels) != len(columns) or (not channels and len(columns) not in (8, 16)):
        raise RecordingError(sentence(english.OPENBCI_NAMES, columns=len(columns)))
    assumed = () if channels else (sentence(english.NOTE_OPENBCI, columns=len(columns)),)
    rate = sfreq if sfreq is not None else float(found[1]) if found else 250.0
    return _signals(english.KIND_OPENBCI, table[columns], rate, labels, *assumed, stated=True)


def _muse(table: pd.DataFrame) -> Source:
    """Mind Monitor writes events on lines of their own, and microvolts with an offset of some 800."""
    columns = [name for name in table.columns if str(name).startswith("RAW_")]
    signal = table.dropna(subset=columns, how="any")
    times = (
        pd.to_datetime(signal["TimeStamp"], errors="coerce").dropna()
        if "TimeStamp" in table
        else pd.Series(dtype=object)
    )
    lasts = (times.iloc[-1] - times.iloc[0]).total_seconds() if len(times) > 1 else 0.0
    rate = min(MUSE_HZ, key=lambda hz: abs(hz * lasts - len(times))) if lasts else MUSE_HZ[0]
    if lasts and not 0.85 < len(times) / lasts / rate < 1.15:
        raise RecordingError(sentence(english.MUSE_INTERVAL, lines=len(times) / lasts, rate=rate))
    return _signals("Muse CSV", signal[columns], rate, [str(name)[4:] for name in columns], stated=True)


def _plain(
    table: pd.DataFrame, files: Sequence[Path], header: bool, sfreq: float | None, channels: Sequence[str] | None
) -> Source:
    """A table with a column a channel, perhaps one of times."""
    stated = arrays.sidecar(files)
    time = next((name for name in table.columns if header and _TIME.match(str(name))), None)
    columns = [name for name in table.columns if name != time and not (header and _INDEX.match(str(name)))]
    names = list(channels or []) or ([str(name) for name in columns] if header else arrays.stated_labels(stated))
    rate = sfreq if sfreq is not None else arrays.stated_rate(stated)
    if rate is None and time is not None:
        rate = _rate(table[time], str(time))
    if rate is None or not names:
        raise RecordingError(sentence(english.TABLE_STATES_NOTHING))
    if len(names) != len(columns):
        raise RecordingError(sentence(english.TABLE_SHAPE, names=len(names), columns=len(columns)))
    return _signals(english.KIND_TABLE, table[columns], rate, names, stated=False)


def _rate(times: "pd.Series[float]", name: str) -> float | None:
    """Samples a second, from a column of times in seconds, milliseconds, microseconds, nanoseconds or as dates."""
    if not pd.api.types.is_numeric_dtype(times):
        dates = pd.to_datetime(times, errors="coerce")
        seconds = (dates - dates.iloc[0]).dt.total_seconds().to_numpy()
    else:
        seconds = times.to_numpy(dtype=float)
    seconds = seconds[np.isfinite(seconds)]
    lasts = seconds[-1] - seconds[0] if len(seconds) > 1 else 0.0
    if lasts <= 0:
        return None
    rate = (len(seconds) - 1) / lasts
    scales = (1e3,) if re.search(r"(?i)\bms\b|milli", name) else (1.0, 1e3, 1e6, 1e9)
    likely = [rate * scale for scale in scales if SFREQ_HZ[0] * 0.99 <= rate * scale <= SFREQ_HZ[1]]
    found = likely[0] if likely else rate
    return float(round(found)) if abs(found - round(found)) < 0.005 * found else float(found)
