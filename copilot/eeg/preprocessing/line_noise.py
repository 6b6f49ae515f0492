"""Find line noise (mains hum) in a recording as read (see ``find_line_noise``)."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

LINE_RATIO = 2.5
"""Line noise is found when its power is this many times that of its neighbourhood."""


def find_line_noise(data: Floats, sfreq: float) -> tuple[float | None, float]:
    """Find line noise at 50 or 60 Hz.

    Args:
        data: signal, shape (channels, samples), microvolts.
        sfreq: samples per second, Hz.

    Returns:
        50 or 60 or None, and the power there over the median power 2 to 6 Hz beside it (median over channels). A
        frequency too near half the sampling rate to have neighbours on both sides is not looked at.
    """
    from scipy.signal import welch

    size = round(2 * sfreq)
    hz, power = welch(data, sfreq, nperseg=size, axis=1)
    ratios = {}
    for line in (50.0, 60.0):
        away = np.abs(hz - line)
        if line + 6 <= sfreq / 2:
            peak = power[:, away <= 0.5].max(axis=1)
            floor = np.median(power[:, (away >= 2) & (away <= 6)], axis=1)
            ratios[line] = float(np.median(peak / np.maximum(floor, 1e-12)))
    ratio, line = max(((ratio, line) for line, ratio in ratios.items()), default=(1.0, 0.0))
    return (line if ratio >= LINE_RATIO else None), ratio
