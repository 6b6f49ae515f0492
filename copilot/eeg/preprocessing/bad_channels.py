"""Find the bad channels of a recording, and the seconds that are lost on each.

The criteria of ``find_bad_channels`` are those of the PREP pipeline (Bigdely-Shamlo et al. 2015, Front Neuroinform
9:16): no signal, deviant amplitude, high-frequency noise, low correlation with the other channels. Its deviation limit
(robust z of 5) and correlation limit (0.4) are kept; a channel is judged by its median second, so that one bad stretch
does not cost it. The limits of ``find_unlike_electrodes``, which judges electrodes by their places, were measured on
recordings of 7 people with 19 and 64 electrodes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from copilot.eeg.electrodes import STANDARD, compute_directions

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
UNLIKE_R = 0.2
"""An electrode below this, and far below the median, does not belong to the field that the others record."""
UNLIKE_GAP = 0.4
NOISE_R = 0.34
"""At 15 to 45 Hz, against the median of all, an electrode correlates more than this with another one (median second):
true of most electrodes on people, not of amplifier noise (up to 0.3). Single electrodes on people gave 0.32 to 0.34,
so that only three or more together count."""
NOISE_SECONDS = 60
UNLIKE_LEAST = 16
"""With fewer electrodes, none can be judged by the rest: they are too far apart."""
ALIKE_FAR = 0.28
"""Two electrodes more than ``FAR_DEGREES`` apart differ by more than this share of an electrode's amplitude (1-8 Hz);
those that record nothing but the reference do not."""
ALIKE_NEAR = 0.03
"""Any two electrodes differ by more than this, unless gel or a wire connects them."""
FAR_DEGREES = 50.0
REPEATED = 8
"""So many consecutive samples that equal earlier ones on every channel do not occur by chance."""


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


def cut_seconds(data: npt.NDArray[Any], sfreq: float) -> npt.NDArray[Any]:
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


def take_seconds(data: npt.NDArray[Any], seconds: Bools, sfreq: float) -> npt.NDArray[Any]:
    """Return the samples of the chosen seconds, one behind the other, shape (channels, samples).

    Args:
        data: shape (channels, samples).
        seconds: which to take, bool, shape (seconds,).
        sfreq: samples per second, Hz, a whole number.
    """
    samples = np.repeat(seconds, round(sfreq))
    return data[:, : samples.size][:, samples]


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
        windows = windows[:, judged[: windows.shape[1]]]
        amplitude = _compute_robust_z(np.median(windows.std(axis=2), axis=1))
        fast = _compute_robust_z(np.median(np.diff(windows, axis=2).std(axis=2), axis=1))
        likeness = np.median(correlate_channels(windows).max(axis=2), axis=0)
        noisy[~gone] = (amplitude > DEVIATION_Z) | (fast > DEVIATION_Z) | (likeness < MIN_CORRELATION)
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


def _compute_robust_z(values: Floats) -> Floats:
    """Compute the robust z of the logarithm of ``values``.

    A spread under 20 % counts as 20 %: in an even montage, 2 microvolts make no outlier.
    """
    logs = np.log(np.maximum(values, 1e-6))
    spread = 1.4826 * np.median(np.abs(logs - np.median(logs)))
    z: Floats = (logs - np.median(logs)) / max(float(spread), 0.2)
    return z


def correlate_channels(windows: Floats) -> Floats:
    """Return the absolute correlation of any two channels in each second, shape (seconds, channels, channels).

    ``windows`` has shape (channels, seconds, samples); the diagonals of the result are 0.
    """
    centred = windows - windows.mean(axis=2, keepdims=True)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=2, keepdims=True), 1e-6)
    pairs: Floats = np.abs(np.einsum("ast,bst->sab", unit, unit, optimize=True))
    np.einsum("saa->sa", pairs)[:] = 0
    return pairs


def find_unlike_electrodes(data: Floats, sfreq: float, channels: Sequence[str]) -> Bools:
    """Find electrodes that do not belong to the field on the scalp, whatever the reference was.

    Those that record nothing but the reference are all alike, wherever they are; a single one is unlike what its
    neighbours predict, and either quieter than they are or three times as loud.

    Args:
        data: shape (channels, samples), microvolts.
        sfreq: samples per second, Hz.
        channels: standard names.

    Returns:
        bool, shape (channels,).
    """
    slow_part, directions = extract_slow_band(data, sfreq), find_directions(channels)
    # The median of all is near zero under bad electrodes too, where an average would give each a share of the others.
    among = np.cov(slow_part - np.median(slow_part, axis=0))
    unlike = find_equal_electrodes(among, directions)[0]
    fast = filter_band((data - np.median(data, axis=0))[:, : round(NOISE_SECONDS * sfreq)], sfreq, (15.0, 45.0))
    noise = np.median(correlate_channels(cut_seconds(fast, sfreq)), axis=0).max(axis=1) < NOISE_R
    # One or two may be tense muscles at the temples; half and more are no fault of single electrodes.
    if 3 <= noise.sum() < len(noise) / 2:
        unlike |= noise
    for _ in range(len(channels)):
        rows = np.flatnonzero(~unlike)
        if len(rows) < UNLIKE_LEAST:
            break
        covariance = among[np.ix_(rows, rows)]
        fits, size = correlate_with_prediction(covariance, directions[rows]), np.sqrt(np.diag(covariance))
        usual = np.median(size)
        suspect = (size < 0.75 * usual) | (size > 3 * usual)
        worst = int(np.where(suspect, fits, np.inf).argmin())
        if not suspect.any() or fits[worst] > min(UNLIKE_R, np.median(fits) - UNLIKE_GAP):
            break
        unlike[rows[worst]] = True
    return unlike


def find_directions(channels: Sequence[str]) -> Floats:
    """Return unit vectors from the centre of the head to the electrodes, shape (channels, 3)."""
    places = compute_directions(STANDARD)
    return np.array([places[name] for name in channels])


def correlate_with_prediction(covariance: Floats, directions: Floats) -> Floats:
    """Correlate each electrode with the spherical spline through all others.

    Perrin et al. 1989 (m = 4), each left out in turn: both follow from one inverse and the covariance.

    Args:
        covariance: between electrodes, shape (channels, channels).
        directions: unit vectors to the electrodes, shape (channels, 3).

    Returns:
        Correlations, shape (channels,).
    """
    count, degrees = len(directions), np.arange(1, 51)
    terms = np.r_[0, (2 * degrees + 1) / (degrees * (degrees + 1.0)) ** 4] / (4 * np.pi)
    system = np.ones((count + 1, count + 1))
    cosines = np.clip(directions @ directions.T, -1, 1)
    system[:count, :count] = np.polynomial.legendre.legval(cosines, terms) + 1e-5 * np.eye(count)
    system[count, count] = 0
    inverse = np.linalg.inv(system)[:count, :count]
    weights = np.eye(count) - inverse / np.diag(inverse)[:, None]
    together = np.einsum("ij,ij->i", weights, covariance)
    spread = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", weights, covariance, weights) * np.diag(covariance), 1e-30))
    correlations: Floats = together / spread
    return correlations


def find_equal_electrodes(covariance: Floats, directions: Floats) -> tuple[Bools, Bools]:
    """Find electrodes without a signal of their own, and electrodes that are connected.

    Args:
        covariance: between electrodes, shape (channels, channels).
        directions: unit vectors to the electrodes, shape (channels, 3).

    Returns:
        ``empty``, bool, shape (channels,): practically equal to an electrode far away. ``joined``, bool, shape
        (channels, channels): equal to each other.
    """
    variances = np.diag(covariance)
    apart = np.sqrt(np.maximum(variances[:, None] + variances - 2 * covariance, 0))
    apart = apart / np.sqrt(max(float(np.median(variances)), 1e-30))
    np.fill_diagonal(apart, np.inf)
    far = directions @ directions.T < np.cos(np.radians(FAR_DEGREES))
    return ((apart < ALIKE_FAR) & far).any(axis=1), apart < ALIKE_NEAR


def filter_band(data: Floats, sfreq: float, band: tuple[float, float] = (1.0, 8.0)) -> Floats:
    """Filter a signal to a band (Butterworth of order 2, zero phase).

    Args:
        data: shape (channels, samples).
        sfreq: samples per second, Hz.
        band: lowest and highest frequency, Hz.

    Returns:
        Shape (channels, samples).
    """
    from scipy.signal import butter, sosfiltfilt

    filtered: Floats = sosfiltfilt(butter(2, band, "bandpass", fs=sfreq, output="sos"), data, axis=1)
    return filtered


def extract_slow_band(data: Floats, sfreq: float) -> Floats:
    """Filter a signal to 1 to 8 Hz at about 50 samples per second, which takes a fifth of the time.

    Shape (channels, samples) in and, with fewer samples, out.
    """
    together = max(1, round(sfreq / 50))
    count = data.shape[1] // together * together
    return filter_band(data[:, :count].reshape(len(data), -1, together).mean(axis=2), sfreq / together)


def find_repeated_seconds(data: Floats, sfreq: float) -> Bools:
    """Find seconds of which more than half occurred before, sample by sample on every channel.

    ``data`` has shape (channels, samples), ``sfreq`` is in Hz. Returns bool, shape (seconds,).
    """
    bits = np.ascontiguousarray(data, dtype=np.float32).view(np.uint32).astype(np.uint64)
    odd = np.random.default_rng(0).integers(1, 2**63, len(data) + REPEATED, dtype=np.uint64) | np.uint64(1)
    sums = np.zeros(data.shape[1], dtype=np.uint64)
    for row, factor in zip(bits, odd, strict=False):
        sums += row * factor
    size = data.shape[1] - REPEATED + 1
    runs = np.zeros(size, dtype=np.uint64)
    for place in range(REPEATED):
        runs += sums[place : place + size] * odd[len(data) + place]
    _, first = np.unique(runs, return_index=True)
    again = np.ones(data.shape[1], dtype=bool)
    again[size:] = False
    again[first] = False
    often: Bools = cut_seconds(again[None], sfreq)[0].mean(axis=1) > 0.5
    return often
