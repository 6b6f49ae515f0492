"""Derive sampling rates and missing samples from columns of times (``read_clock``, ``join_parts``)."""

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from copilot.eeg.types import SFREQ_HZ, RecordingError
from copilot.i18n import N_, messages

TABLE_LOST = N_(
    "Of the samples {share:.0%} are missing in short pieces, too many to bridge; record again closer to the receiver, "
    "or export all samples."
)
TABLE_RATE_CONFLICT = N_(
    "The file says {stated:g} Hz and {typed:g} Hz was typed; leave the rate empty, or correct the file if it is wrong."
)


#: A typed rate and the file's own may differ by this share.
RATE_TOLERANCE = 0.01

BRIDGED_SECONDS = 0.2
"""Samples missing for longer than this are a pause; shorter losses, such as Bluetooth packets, are interpolated."""
MAX_LOST = 0.15
"""With a larger share lost in short pieces the fast bands would be made of straight lines."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_DAY, _HOUR = 86400.0, 3600.0
_TEXT = re.compile(
    r"^\s*(?:(\d{1,4}[-./]\d{1,2}[-./]\d{1,4})[T ]\s*)?(?:(\d{1,2}):)?(\d{1,2}):(\d{1,2}(?:[.,:]\d+)?)\s*([AaPp][Mm])?"
    r"\s*(?:Z|UTC|[+-]\d\d:?\d\d)?\s*$"
)


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
    restarts: Ints


def read_clock(times: "pd.Series[float]", name: str) -> Clock:
    """Derive the rate and missing samples from times in seconds, ms, us, ns, dates or times of day.

    The rate is that of the steps from line to line, so that pauses and lost samples do not count: from their usual size
    where they are even; where several lines share a time or times come unevenly, lines over time between pauses.

    Args:
        times: one per line, numbers or text.
        name: heading of the column, which may state the unit.
    """
    nothing = Clock(None, np.zeros(len(times), dtype=np.int64), np.zeros(0, dtype=np.int64))
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
    found = text.str.extract(_TEXT)
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
