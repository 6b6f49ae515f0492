"""Recognise two recordings of one and the same signal (see ``is_same_signal``)."""

import numpy as np
import numpy.typing as npt

from copilot.eeg.types import Recording

ALIKE = 0.95
"""Correlation of steps; two recordings of one person do not come near it, and a copy in 16 bits stays above it."""
_HZ, _SECONDS = 25.0, 120.0


def is_same_signal(one: Recording, two: Recording) -> bool:
    """Return whether both run alike from their start, whatever their length, rate, unit, sign and common reference."""
    shared = [name for name in one.channels if name in two.channels]
    if not shared:
        return False
    times = np.arange(0, min(one.seconds, two.seconds, _SECONDS), 1 / _HZ)
    first, second = (_compute_steps(recording, shared, times) for recording in (one, two))
    size = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    live = size > 0
    return bool(live.any() and np.median(np.abs((first * second).sum(axis=1)[live] / size[live])) > ALIKE)


def _compute_steps(recording: Recording, names: list[str], times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Compute the steps between means over spans of time, without what all channels share; shape (names, steps).

    They are alike at every sampling rate. ``times`` are the bounds of the spans, shape (bounds,), seconds.
    """
    stamps = np.arange(1, recording.data.shape[1] + 1) / recording.sfreq
    sums = [np.cumsum(recording.data[recording.channels.index(name)], dtype=np.float64) for name in names]
    means = np.diff([np.interp(times, stamps, total) for total in sums], axis=1)
    steps = np.diff(means / recording.sfreq, axis=1)
    return np.asarray(steps - steps.mean(axis=0) if len(names) > 2 else steps, dtype=np.float64)
