"""What is wrong with a recording before it is cleaned: mains hum and bad channels.

The criteria are those of the PREP pipeline (Bigdely-Shamlo et al. 2015, Front Neuroinform 9:16): no signal, deviant
amplitude, high-frequency noise, low correlation with the other channels. Its deviation limit (robust z of 5) and
correlation limit (0.4) are kept; a channel is judged by its median second, so that one bad stretch does not cost it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from copilot.eeg.plausibility import repeated

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]

FLAT_UV = 0.5
"""A second whose values span less than this holds no EEG."""
RAILED_SHARE = 0.1
"""A second with this share of samples at the channel's own extreme value is clipped."""
LOST_SHARE = 0.25
"""A channel that is flat or clipped in more than this share of seconds is bad."""
DEVIATION_Z = 5.0
MIN_CORRELATION = 0.4
COMMON_SHARE = 0.8
"""A second that is lost on this share of the channels was lost by the recorder, not by an electrode."""
STRAIGHT = 0.03
"""A quarter of a second that leaves a straight line by less than this share of what is usual was bridged or held."""
FEW_CHANNELS = 8
"""With fewer, channels cannot be judged by their neighbours, nor artefacts be separated from brain."""
LINE_RATIO = 2.5
"""Mains hum is found when its power is this many times that of its neighbourhood."""


@dataclass(frozen=True)
class SignalFaults:
    """Bad channels, bool arrays of shape (channels,), and the seconds lost on each, shape (channels, seconds).

    ``repeated``, shape (seconds,), are those that occurred before, sample by sample; they are lost on every channel.
    """

    flat: Bools
    railed: Bools
    noisy: Bools
    lost: Bools
    repeated: Bools

    @property
    def bad(self) -> Bools:
        """Channels that cannot be used."""
        return self.flat | self.railed | self.noisy

    @property
    def common(self) -> Bools:
        """Seconds lost on most channels at once: by the recorder, not by an electrode; shape (seconds,)."""
        return np.asarray(self.lost.mean(axis=0) >= COMMON_SHARE)


def seconds_of(data: Floats, sfreq: float) -> Floats:
    """Cut (channels, samples) into whole seconds: (channels, seconds, samples), the rest dropped.

    At a rate that is no whole number each begins on time and has the same number of samples, so none drifts.
    """
    starts = np.round(np.arange(int(data.shape[1] / sfreq)) * sfreq).astype(int)
    return data[:, starts[:, None] + np.arange(int(sfreq))]


def find_line(data: Floats, sfreq: float) -> tuple[float | None, float]:
    """Look for mains hum in (channels, samples).

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


def find_bad_channels(raw: Floats, raw_sfreq: float, filtered: Floats, sfreq: float) -> SignalFaults:
    """Judge each channel by the signal as read (lost seconds) and in the EEG's own band (noise), both microvolts."""
    pairs = [_lost_seconds(row, raw_sfreq) for row in raw]  # one at a time: long recordings are large
    lost, railed_seconds = np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])
    again = repeated(raw, raw_sfreq) & (lost.mean(axis=0) < COMMON_SHARE)
    lost |= again
    there = lost.mean(axis=0) < COMMON_SHARE
    judged = there if there.any() else np.ones_like(there)
    gone = lost[:, judged].mean(axis=1) > LOST_SHARE
    railed = gone & railed_seconds.any(axis=1)
    noisy = np.zeros(len(raw), dtype=bool)
    if (~gone).sum() >= FEW_CHANNELS:
        windows = seconds_of(filtered[~gone], sfreq)
        noisy[~gone] = _noisy(windows[:, judged[: windows.shape[1]]])
    return SignalFaults(gone & ~railed, railed, noisy, lost, again)


def _lost_seconds(wave: Floats, sfreq: float) -> tuple[Bools, Bools]:
    """Of one channel, the seconds that are flat or clipped, and those that are clipped, each of shape (seconds,)."""
    windows = seconds_of(wave[None], sfreq)[0]
    low, high = windows.min(), windows.max()
    edge = 1e-4 * (high - low)
    at_rail = ((windows >= high - edge) | (windows <= low + edge)).mean(axis=1) > RAILED_SHARE
    railed: Bools = at_rail & (high - low > FLAT_UV)
    return railed | (np.ptp(windows, axis=1) < FLAT_UV) | _straight(windows), railed


def _straight(windows: Floats) -> Bools:
    """Seconds with a stretch that is a straight line, as where a gap was bridged or the last value held."""
    size = windows.shape[1] // 4
    quarters = windows[:, : 4 * size].reshape(len(windows), 4, size).astype(np.float64)
    ramp = np.linspace(0, 1, size)
    quarters -= quarters[..., :1] * (1 - ramp) + quarters[..., -1:] * ramp
    bends = np.ptp(quarters, axis=2)
    straight: Bools = (bends < STRAIGHT * np.quantile(bends, 0.9)).any(axis=1)
    return straight


def _noisy(windows: Floats) -> Bools:
    """Deviant amplitude, fast noise or no likeness to any other channel; shape (channels,)."""
    amplitude = np.median(windows.std(axis=2), axis=1)
    fast = np.median(np.diff(windows, axis=2).std(axis=2), axis=1)
    deviant = (_robust_z(amplitude) > DEVIATION_Z) | (_robust_z(fast) > DEVIATION_Z)
    noisy: Bools = deviant | (_likeness(windows) < MIN_CORRELATION)
    return noisy


def _robust_z(values: Floats) -> Floats:
    """Robust z of the logarithm. A spread under 20 % counts as 20 %: in an even cap, 2 microvolts make no outlier."""
    logs = np.log(np.maximum(values, 1e-6))
    spread = 1.4826 * np.median(np.abs(logs - np.median(logs)))
    z: Floats = (logs - np.median(logs)) / max(float(spread), 0.2)
    return z


def _likeness(windows: Floats) -> Floats:
    """Each channel's correlation with the channel most like it, in the median second; shape (channels,)."""
    centred = windows - windows.mean(axis=2, keepdims=True)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=2, keepdims=True), 1e-6)
    alike = np.abs(np.einsum("ast,bst->sab", unit, unit, optimize=True))
    np.einsum("saa->sa", alike)[:] = 0
    likeness: Floats = np.median(alike.max(axis=2), axis=0)
    return likeness
