"""Find the bad channels of a recording, and the seconds that are lost on each.

The criteria are those of the PREP pipeline (Bigdely-Shamlo et al. 2015, Front Neuroinform 9:16): no signal, deviant
amplitude, high-frequency noise, low correlation with the other channels. Its deviation limit (robust z of 5) and
correlation limit (0.4) are kept; a channel is judged by its median second, so that one bad stretch does not cost it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from copilot.eeg.plausibility import find_repeated_seconds

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]

FLAT_UV = 0.5
"""A second whose values span less than this contains no EEG."""
RAILED_SHARE = 0.1
"""A second with this share of samples at the channel's own extreme value is clipped."""
LOST_SHARE = 0.25
"""A channel that is flat or clipped in more than this share of seconds is bad."""
DEVIATION_Z = 5.0
MIN_CORRELATION = 0.4
COMMON_SHARE = 0.8
"""A second that is lost on this share of the channels was lost by the recorder, not by an electrode."""
STRAIGHT = 0.03
"""A quarter of a second that leaves a straight line by less than this share of what is usual was interpolated or
repeats the last value."""
FEW_CHANNELS = 8
"""With fewer, channels cannot be judged by their neighbours, and artefacts cannot be separated from brain signals."""


@dataclass(frozen=True)
class SignalFaults:
    """The bad channels of a recording, and its lost seconds.

    Attributes:
        flat: channels without a signal, bool, shape (channels,).
        railed: channels at their extreme value, bool, shape (channels,).
        noisy: channels with deviant amplitude, fast noise or no similar channel, bool, shape (channels,).
        lost: seconds lost on each channel, bool, shape (channels, seconds).
        repeated: seconds that occurred before, sample by sample, bool, shape (seconds,); they are lost on every
            channel.
    """

    flat: Bools
    railed: Bools
    noisy: Bools
    lost: Bools
    repeated: Bools

    @property
    def bad(self) -> Bools:
        """Return the channels that cannot be used, bool, shape (channels,)."""
        return self.flat | self.railed | self.noisy

    @property
    def common(self) -> Bools:
        """Return the seconds lost on most channels at once, bool, shape (seconds,): by the recorder, not by an
        electrode.
        """
        return np.asarray(self.lost.mean(axis=0) >= COMMON_SHARE)


def cut_seconds(data: Floats, sfreq: float) -> Floats:
    """Cut a signal into whole seconds and drop the rest.

    At a rate that is no whole number each second begins on time and has the same number of samples, so none drifts.

    Args:
        data: shape (channels, samples).
        sfreq: samples per second, Hz.

    Returns:
        Shape (channels, seconds, samples per second).
    """
    starts = np.round(np.arange(int(data.shape[1] / sfreq)) * sfreq).astype(int)
    return data[:, starts[:, None] + np.arange(int(sfreq))]


def find_bad_channels(raw: Floats, raw_sfreq: float, filtered: Floats, sfreq: float) -> SignalFaults:
    """Judge each channel by the signal as read (lost seconds) and by the filtered signal (noise).

    Args:
        raw: signal as read, shape (channels, samples), microvolts.
        raw_sfreq: samples per second of ``raw``, Hz.
        filtered: signal in the EEG's own band, shape (channels, samples), microvolts.
        sfreq: samples per second of ``filtered``, Hz.
    """
    pairs = [_find_lost_seconds(row, raw_sfreq) for row in raw]  # one at a time: long recordings are large
    lost, railed_seconds = np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])
    again = find_repeated_seconds(raw, raw_sfreq) & (lost.mean(axis=0) < COMMON_SHARE)
    lost |= again
    there = lost.mean(axis=0) < COMMON_SHARE
    judged = there if there.any() else np.ones_like(there)
    gone = lost[:, judged].mean(axis=1) > LOST_SHARE
    railed = gone & railed_seconds.any(axis=1)
    noisy = np.zeros(len(raw), dtype=bool)
    if (~gone).sum() >= FEW_CHANNELS:
        windows = cut_seconds(filtered[~gone], sfreq)
        noisy[~gone] = _find_noisy_channels(windows[:, judged[: windows.shape[1]]])
    return SignalFaults(gone & ~railed, railed, noisy, lost, again)


def _find_lost_seconds(wave: Floats, sfreq: float) -> tuple[Bools, Bools]:
    """Return the seconds of one channel that are flat or clipped, and those that are clipped, each bool, shape
    (seconds,).
    """
    windows = cut_seconds(wave[None], sfreq)[0]
    low, high = windows.min(), windows.max()
    edge = 1e-4 * (high - low)
    at_rail = ((windows >= high - edge) | (windows <= low + edge)).mean(axis=1) > RAILED_SHARE
    railed: Bools = at_rail & (high - low > FLAT_UV)
    return railed | (np.ptp(windows, axis=1) < FLAT_UV) | _find_straight_seconds(windows), railed


def _find_straight_seconds(windows: Floats) -> Bools:
    """Find seconds with a straight line, as where a gap was interpolated or the last value repeated; shape (seconds,).

    ``windows`` has shape (seconds, samples per second), microvolts.
    """
    size = windows.shape[1] // 4
    quarters = windows[:, : 4 * size].reshape(len(windows), 4, size).astype(np.float64)
    ramp = np.linspace(0, 1, size)
    quarters -= quarters[..., :1] * (1 - ramp) + quarters[..., -1:] * ramp
    bends = np.ptp(quarters, axis=2)
    straight: Bools = (bends < STRAIGHT * np.quantile(bends, 0.9)).any(axis=1)
    return straight


def _find_noisy_channels(windows: Floats) -> Bools:
    """Find channels with deviant amplitude, fast noise or no similar channel; bool, shape (channels,)."""
    amplitude = np.median(windows.std(axis=2), axis=1)
    fast = np.median(np.diff(windows, axis=2).std(axis=2), axis=1)
    deviant = (_compute_robust_z(amplitude) > DEVIATION_Z) | (_compute_robust_z(fast) > DEVIATION_Z)
    noisy: Bools = deviant | (_find_best_correlation(windows) < MIN_CORRELATION)
    return noisy


def _compute_robust_z(values: Floats) -> Floats:
    """Compute the robust z of the logarithm of ``values``.

    A spread under 20 % counts as 20 %: in an even montage, 2 microvolts make no outlier.
    """
    logs = np.log(np.maximum(values, 1e-6))
    spread = 1.4826 * np.median(np.abs(logs - np.median(logs)))
    z: Floats = (logs - np.median(logs)) / max(float(spread), 0.2)
    return z


def _find_best_correlation(windows: Floats) -> Floats:
    """Return each channel's correlation with the most similar channel, in the median second; shape (channels,)."""
    centred = windows - windows.mean(axis=2, keepdims=True)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=2, keepdims=True), 1e-6)
    alike = np.abs(np.einsum("ast,bst->sab", unit, unit, optimize=True))
    np.einsum("saa->sa", alike)[:] = 0
    likeness: Floats = np.median(alike.max(axis=2), axis=0)
    return likeness
