"""Tell EEG from what only looks like it, such as amplifier noise, a generator or a damaged export.

Each function measures one thing and its constant says where a head ends, measured on recordings of 7 people with 19 and
64 electrodes. What is said about it, and what it means for trust, is in ``cleaning``. All take signals of shape
(channels, samples) in microvolts.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]

NEIGHBOUR_R = 0.12
"""Median correlation of an electrode with what the others predict for it: heads 0.3 to 0.97, of only 8 electrodes from
0.18; mixed-up names below 0.1."""
SHIFTED_R = 0.1
"""How much better a head fits with every name moved by one, where names and signals have slipped."""
UNLIKE_R = 0.2
"""An electrode below this, and far below the median, is no part of the field that the others see."""
UNLIKE_GAP = 0.4
NOISE_R = 0.34
"""At 15 to 45 Hz, against the median of all, an electrode correlates more than this with another one (median second):
most of people, not amplifier noise (up to 0.3). Single electrodes of people gave 0.32 to 0.34, so that only three or
more together count."""
NOISE_SECONDS = 60
UNLIKE_LEAST = 16
"""Electrodes from which on one can be judged by the rest; fewer are too far apart."""
ALIKE_FAR = 0.28
"""Two electrodes more than ``FAR_DEGREES`` apart differ by more than this share of an electrode's amplitude (1-8 Hz);
those that hold nothing but the reference do not."""
ALIKE_NEAR = 0.03
"""Any two electrodes differ by more than this, unless gel or a wire connects them."""
FAR_DEGREES = 50.0
ONE_SOURCE = 0.95
"""Share of the variance in the first principal component, average reference: heads 0.2 to 0.65."""
LINE_RATIO = 10.0
"""A quarter of a hertz over its neighbours at 0.5 to 1 Hz: alpha rhythms reach 5."""
LINE_HZ = (2.0, 49.5)
LINE_SHARE = 0.1
"""Amplitude of the line over that of the signal from which it is told."""
FALL = 2.0
"""Density at 1 to 4 Hz over that at 30 to 45 Hz: noise has 1, EEG under tense muscles still 3 and more."""
FEW_APART_R = 0.25
"""Of few electrodes, the two most alike correlate more than this in the median second (2-30 Hz): heads from 0.42."""
FEW_SAME_R = 0.9
"""Of few electrodes, the two least alike correlate less than this: heads up to 0.8."""
COARSE = 0.5
"""Largest step between two values, as a share of the amplitude, that leaves the fast bands what they were."""
EQUAL = 0.002
"""Channels whose standard deviations differ by less than this share were normalised."""
JOINED_R = 0.99
"""Of few electrodes, two that correlate more than this in the median second are connected: heads up to 0.96."""
REPEATED = 8
"""As many samples in a row that are the same on every channel as earlier ones do not happen twice by themselves."""

BANDS = {
    "delta": ((1.0, 2.5), 0.005),
    "theta": ((4.5, 7.5), 0.01),
    "alpha": ((8.5, 12.0), 0.01),
    "beta": ((16.0, 28.0), 0.02),
    "gamma": ((34.0, 45.0), 0.01),
}
"""Middle of each band, Hz, and the least density there, times f to the power of 1.5, as a share of the largest."""


def density(data: Floats, sfreq: float) -> tuple[Floats, Floats]:
    """Frequencies, Hz, and the power density of each channel at them (Welch, windows of 4 s)."""
    from scipy.signal import welch

    hz, power = welch(data, sfreq, nperseg=min(round(4 * sfreq), data.shape[1]), noverlap=0, axis=1)
    return hz, power


def find_line(hz: Floats, power: Floats) -> float | None:
    """The frequency of the strongest narrow line, Hz, or None."""
    width = hz[1]
    total = power[:, (hz >= 1) & (hz <= LINE_HZ[1])].sum(axis=1)
    best: tuple[float, float, float] = (0.0, 0.0, 0.0)
    for place in np.flatnonzero((hz >= LINE_HZ[0]) & (hz <= LINE_HZ[1])):
        away = np.abs(hz - hz[place])
        beside = np.median(power[:, (away >= 0.5) & (away <= 1.0)], axis=1)
        ratio = float(np.median(power[:, place] / np.maximum(beside, 1e-30)))
        if ratio > best[0]:
            own = power[:, away <= 1.5 * width].sum(axis=1)
            best = ratio, float(hz[place]), float(np.sqrt(np.median(own / np.maximum(total, 1e-30))))
    ratio, line, share = best
    return line if ratio >= LINE_RATIO and share >= LINE_SHARE else None


def empty_bands(hz: Floats, power: Floats) -> tuple[str, ...]:
    """Bands that hold next to nothing, as after a filter: judged by the median channel, against the fullest band."""
    spectrum = np.median(power, axis=0)
    levels = {
        name: float(np.median((spectrum * hz**1.5)[(hz >= low) & (hz <= high)]))
        for name, ((low, high), _) in BANDS.items()
    }
    fullest = max(levels.values())
    return tuple(name for name, level in levels.items() if level < BANDS[name][1] * fullest)


def fall(hz: Floats, power: Floats) -> float:
    """How much stronger the slow than the fast frequencies are, in the median channel."""
    spectrum = np.median(power, axis=0)
    slow, fast = (spectrum[(hz >= low) & (hz <= high)].mean() for low, high in ((1, 4), (30, 45)))
    return float(slow / max(fast, 1e-30))


def first_component(data: Floats) -> float:
    """Share of the variance that one source explains."""
    variances = np.linalg.eigvalsh(np.cov(data))
    return float(variances[-1] / max(variances.sum(), 1e-30))


@cache
def _positions() -> dict[str, Floats]:
    """Places of all electrodes of the 10-05 system, metres."""
    from mne.channels import make_standard_montage

    from copilot.eeg.numbered_montages import STANDARD

    return dict(make_standard_montage(STANDARD).get_positions()["ch_pos"])


def places(channels: Sequence[str]) -> Floats:
    """Unit vectors from the middle of the head to the electrodes, shape (channels, 3)."""
    vectors = np.array([_positions()[name] for name in channels])
    directions: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return directions


def predicted(covariance: Floats, directions: Floats) -> Floats:
    """Correlation of each electrode with the spherical spline through all others, shape (channels,).

    Perrin et al. 1989 (m = 4), each left out in turn: both follow from one inverse and the covariance.
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


def shifted(covariance: Floats, directions: Floats) -> bool:
    """Whether the signals fit a head better when each is given the next or the previous one's name."""
    as_named = float(np.median(predicted(covariance, directions)))
    moved = (float(np.median(predicted(covariance, np.roll(directions, by, axis=0)))) for by in (1, -1))
    return max(moved) > as_named + SHIFTED_R


def alike(covariance: Floats, directions: Floats) -> tuple[Bools, Bools]:
    """Which electrodes hold nothing of their own, and which two are connected: shapes (channels,), twice the pairs.

    Returns:
        ``empty``, shape (channels,): as good as equal to an electrode far away. ``joined``, shape (channels, channels):
        equal to each other.
    """
    variances = np.diag(covariance)
    apart = np.sqrt(np.maximum(variances[:, None] + variances - 2 * covariance, 0))
    apart = apart / np.sqrt(max(float(np.median(variances)), 1e-30))
    np.fill_diagonal(apart, np.inf)
    far = directions @ directions.T < np.cos(np.radians(FAR_DEGREES))
    return ((apart < ALIKE_FAR) & far).any(axis=1), apart < ALIKE_NEAR


def slow(data: Floats, sfreq: float, band: tuple[float, float] = (1.0, 8.0)) -> Floats:
    """The part of a signal in a band (Butterworth of order 2, zero phase)."""
    from scipy.signal import butter, sosfiltfilt

    filtered: Floats = sosfiltfilt(butter(2, band, "bandpass", fs=sfreq, output="sos"), data, axis=1)
    return filtered


def slow_only(data: Floats, sfreq: float) -> Floats:
    """What of a signal lies at 1 to 8 Hz, in about 50 samples a second, which takes a fifth of the time."""
    together = max(1, round(sfreq / 50))
    count = data.shape[1] // together * together
    return slow(data[:, :count].reshape(len(data), -1, together).mean(axis=2), sfreq / together)


def find_unlike(data: Floats, sfreq: float, channels: Sequence[str]) -> Bools:
    """Electrodes that are no part of the field on the scalp, shape (channels,), whatever the reference was.

    Those that hold nothing but the reference are all alike, wherever they are; a single one is unlike what its
    neighbours predict, and either quieter than they are or three times as loud.
    """
    slow_part, directions = slow_only(data, sfreq), places(channels)
    # The median of all is near zero under bad electrodes too, where an average would give each a share of the others.
    among = np.cov(slow_part - np.median(slow_part, axis=0))
    unlike = alike(among, directions)[0]
    fast = slow((data - np.median(data, axis=0))[:, : round(NOISE_SECONDS * sfreq)], sfreq, (15.0, 45.0))
    windows = fast[:, : fast.shape[1] // round(sfreq) * round(sfreq)].reshape(len(fast), -1, round(sfreq))
    noise = likeness(windows).max(axis=1) < NOISE_R
    # One or two may be tense muscles at the temples; of half and more, something else is wrong than an electrode.
    if 3 <= noise.sum() < len(noise) / 2:
        unlike |= noise
    for _ in range(len(channels)):
        rows = np.flatnonzero(~unlike)
        if len(rows) < UNLIKE_LEAST:
            break
        covariance = among[np.ix_(rows, rows)]
        fits, size = predicted(covariance, directions[rows]), np.sqrt(np.diag(covariance))
        usual = np.median(size)
        suspect = (size < 0.75 * usual) | (size > 3 * usual)
        worst = int(np.where(suspect, fits, np.inf).argmin())
        if not suspect.any() or fits[worst] > min(UNLIKE_R, np.median(fits) - UNLIKE_GAP):
            break
        unlike[rows[worst]] = True
    return unlike


def likeness(windows: Floats) -> Floats:
    """Correlation of any two channels in the median second, shape (channels, channels).

    Windows have shape (channels, seconds, samples).
    """
    centred = windows - windows.mean(axis=2, keepdims=True)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=2, keepdims=True), 1e-6)
    pairs = np.median(np.abs(np.einsum("ast,bst->sab", unit, unit, optimize=True)), axis=0)
    np.fill_diagonal(pairs, 0)
    alike_pairs: Floats = pairs
    return alike_pairs


def step_uv(data: Floats, samples: int = 5000) -> float:
    """The step between neighbouring values of a signal as read, microvolts, in the median channel; 0 if fine."""
    places = np.linspace(0, data.shape[1] - 1, min(samples, data.shape[1])).astype(int)
    steps = []
    for row in data[:, places].astype(np.float64):
        low, high = np.percentile(row, (10, 90))
        inside = row[(row >= low) & (row <= high)]
        values = np.unique(np.round(inside / max(3e-7 * np.abs(row).max(), 1e-9)))
        steps.append((high - low) / (len(values) - 1) if 1 < len(values) < len(inside) / 4 else 0.0)
    return float(np.median(steps))


def normalised(data: Floats) -> bool:
    """Whether every channel was brought to one standard deviation, or to one least and largest value."""
    low, high = data.min(axis=1), data.max(axis=1)
    live = low < high
    if live.sum() < 4:
        return False
    low, high = low[live], high[live]
    means, variances = data[live].mean(axis=1, dtype=np.float64), data[live].var(axis=1, dtype=np.float64)
    deviations = np.sqrt(variances)
    same_size = np.ptp(deviations) < EQUAL * deviations.mean()
    same_range = max(np.ptp(low), np.ptp(high)) < EQUAL * float((high - low).mean())
    overall = abs(variances.mean() + means.var() - 1) < EQUAL and abs(means.mean()) < EQUAL
    if not (same_size or same_range or overall):
        return False
    copies = np.corrcoef(data[live][:, :: max(1, data.shape[1] // 5000)])
    return bool(np.abs(copies).min() < 0.99)


def repeated(data: Floats, sfreq: float) -> Bools:
    """Seconds, shape (seconds,), of which more than half occurred before, sample by sample on every channel."""
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
    seconds = int(data.shape[1] / sfreq)
    starts = np.round(np.arange(seconds) * sfreq).astype(int)
    shares = again[starts[:, None] + np.arange(int(sfreq))].mean(axis=1)
    often: Bools = shares > 0.5
    return often
