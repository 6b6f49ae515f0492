"""Measure whether a signal is EEG or only resembles it, such as amplifier noise, a generator or a damaged export.

Each function measures one property, and its constant is the limit for EEG, measured on recordings of 7 people with 19
and 64 electrodes. The messages, and what they mean for trust, are in ``preprocessing.clean``. All functions take
signals of shape (channels, samples) in microvolts.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]

NEIGHBOUR_R = 0.12
"""Median correlation of an electrode with what the others predict for it: EEG 0.3 to 0.97, of only 8 electrodes from
0.18; mixed-up names below 0.1."""
SHIFTED_R = 0.1
"""How much better a head fits with every name moved by one, where names and signals have slipped."""
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
ONE_SOURCE = 0.95
"""Share of the variance in the first principal component, average reference: EEG 0.2 to 0.65."""
LINE_RATIO = 10.0
"""Power in a quarter of a hertz over that of its neighbours at 0.5 to 1 Hz: alpha rhythms reach 5."""
LINE_HZ = (2.0, 49.5)
LINE_SHARE = 0.1
"""Amplitude of the line over that of the signal in which it was found."""
MIN_FALL = 2.0
"""Density at 1 to 4 Hz over that at 30 to 45 Hz: noise has 1, EEG under tense muscles still 3 and more."""
FEW_APART_R = 0.25
"""Of few electrodes, the two most alike correlate more than this in the median second (2-30 Hz): EEG from 0.42."""
FEW_SAME_R = 0.9
"""Of few electrodes, the two least alike correlate less than this: EEG up to 0.8."""
COARSE = 0.5
"""Largest step between two values, as a share of the amplitude, that leaves the fast bands unchanged."""
EQUAL = 0.002
"""Channels whose standard deviations differ by less than this share were normalised."""
JOINED_R = 0.99
"""Of few electrodes, two that correlate more than this in the median second are connected: EEG up to 0.96."""
REPEATED = 8
"""So many consecutive samples that equal earlier ones on every channel do not occur by chance."""

BANDS = {
    "delta": ((1.0, 2.5), 0.005),
    "theta": ((4.5, 7.5), 0.01),
    "alpha": ((8.5, 12.0), 0.01),
    "beta": ((16.0, 28.0), 0.02),
    "gamma": ((34.0, 45.0), 0.01),
}
"""Middle of each band, Hz, and the least density there, times f to the power of 1.5, as a share of the largest."""


def compute_density(data: Floats, sfreq: float) -> tuple[Floats, Floats]:
    """Compute the power density of each channel (Welch, windows of 4 s).

    Returns:
        Frequencies, Hz, shape (frequencies,), and density, shape (channels, frequencies), microvolt squared per Hz.
    """
    from scipy.signal import welch

    hz, power = welch(data, sfreq, nperseg=min(round(4 * sfreq), data.shape[1]), noverlap=0, axis=1)
    return hz, power


def find_narrow_line(hz: Floats, power: Floats) -> float | None:
    """Return the frequency of the strongest narrow line, Hz, or None.

    Args:
        hz: frequencies, shape (frequencies,), Hz; power: density, shape (channels, frequencies).
    """
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


def find_empty_bands(hz: Floats, power: Floats) -> tuple[str, ...]:
    """Return the bands with next to no power, as after a filter: of the median channel, against the fullest band.

    ``hz``, shape (frequencies,), and ``power``, shape (channels, frequencies), are as from ``compute_density``.
    """
    spectrum = np.median(power, axis=0)
    levels = {
        name: float(np.median((spectrum * hz**1.5)[(hz >= low) & (hz <= high)]))
        for name, ((low, high), _) in BANDS.items()
    }
    fullest = max(levels.values())
    return tuple(name for name, level in levels.items() if level < BANDS[name][1] * fullest)


def measure_fall(hz: Floats, power: Floats) -> float:
    """Return how much stronger slow frequencies (1-4 Hz) are than fast ones (30-45 Hz), in the median channel.

    ``hz``, shape (frequencies,), and ``power``, shape (channels, frequencies), are as from ``compute_density``.
    """
    spectrum = np.median(power, axis=0)
    slow, fast = (spectrum[(hz >= low) & (hz <= high)].mean() for low, high in ((1, 4), (30, 45)))
    return float(slow / max(fast, 1e-30))


def measure_first_component(data: Floats) -> float:
    """Return the share of the variance that one source explains; ``data`` has shape (channels, samples)."""
    variances = np.linalg.eigvalsh(np.cov(data))
    return float(variances[-1] / max(variances.sum(), 1e-30))


@cache
def _load_positions() -> dict[str, Floats]:
    """Load the positions of all electrodes of the 10-05 system, metres."""
    from mne.channels import make_standard_montage

    from copilot.eeg.numbered_montages import STANDARD

    return dict(make_standard_montage(STANDARD).get_positions()["ch_pos"])


def compute_directions(channels: Sequence[str]) -> Floats:
    """Return unit vectors from the centre of the head to the electrodes, shape (channels, 3)."""
    vectors = np.array([_load_positions()[name] for name in channels])
    directions: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return directions


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


def are_names_shifted(covariance: Floats, directions: Floats) -> bool:
    """Return whether the signals fit a head better when each is given the next or the previous one's name.

    ``covariance`` has shape (channels, channels), ``directions`` (channels, 3).
    """
    as_named = float(np.median(correlate_with_prediction(covariance, directions)))
    moved = (float(np.median(correlate_with_prediction(covariance, np.roll(directions, by, axis=0)))) for by in (1, -1))
    return max(moved) > as_named + SHIFTED_R


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
    slow_part, directions = extract_slow_band(data, sfreq), compute_directions(channels)
    # The median of all is near zero under bad electrodes too, where an average would give each a share of the others.
    among = np.cov(slow_part - np.median(slow_part, axis=0))
    unlike = find_equal_electrodes(among, directions)[0]
    fast = filter_band((data - np.median(data, axis=0))[:, : round(NOISE_SECONDS * sfreq)], sfreq, (15.0, 45.0))
    windows = fast[:, : fast.shape[1] // round(sfreq) * round(sfreq)].reshape(len(fast), -1, round(sfreq))
    noise = correlate_channels(windows).max(axis=1) < NOISE_R
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


def correlate_channels(windows: Floats) -> Floats:
    """Return the absolute correlation of any two channels in the median second, shape (channels, channels).

    ``windows`` has shape (channels, seconds, samples); the diagonal of the result is 0.
    """
    centred = windows - windows.mean(axis=2, keepdims=True)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=2, keepdims=True), 1e-6)
    pairs = np.median(np.abs(np.einsum("ast,bst->sab", unit, unit, optimize=True)), axis=0)
    np.fill_diagonal(pairs, 0)
    alike_pairs: Floats = pairs
    return alike_pairs


def measure_step(data: Floats, samples: int = 5000) -> float:
    """Return the step between neighbouring values of a signal as read, microvolts, in the median channel; 0 if fine.

    ``data`` has shape (channels, samples), microvolts; ``samples`` of each channel are looked at.
    """
    places = np.linspace(0, data.shape[1] - 1, min(samples, data.shape[1])).astype(int)
    steps = []
    for row in data[:, places].astype(np.float64):
        low, high = np.percentile(row, (10, 90))
        inside = row[(row >= low) & (row <= high)]
        values = np.unique(np.round(inside / max(3e-7 * np.abs(row).max(), 1e-9)))
        steps.append((high - low) / (len(values) - 1) if 1 < len(values) < len(inside) / 4 else 0.0)
    return float(np.median(steps))


def is_normalised(data: Floats) -> bool:
    """Return whether every channel was scaled to one standard deviation, or to one least and largest value.

    ``data`` has shape (channels, samples).
    """
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
    seconds = int(data.shape[1] / sfreq)
    starts = np.round(np.arange(seconds) * sfreq).astype(int)
    shares = again[starts[:, None] + np.arange(int(sfreq))].mean(axis=1)
    often: Bools = shares > 0.5
    return often
