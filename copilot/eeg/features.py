"""Compute the differential entropy of five bands, the features that FACED publishes and the models here were trained
on.

There is one value per second, electrode and band: 0.5 ln(2 pi e variance), variance in microvolt squared, for signals
that are close to Gaussian inside a band (Shi, Jiao & Lu 2013; FACED: Chen et al. 2023, Sci Data 10:740).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from copilot.eeg.types import Recording

#: FACED's electrodes in FACED's order, without its two mastoids.
ELECTRODES = (
    *("Fp1", "Fp2", "Fz", "F3", "F4", "F7", "F8", "FC1", "FC2", "FC5", "FC6", "Cz", "C3", "C4", "T7"),
    *("T8", "CP1", "CP2", "CP5", "CP6", "Pz", "P3", "P4", "P7", "P8", "PO3", "PO4", "Oz", "O1", "O2"),
)
#: Read where the electrode itself is absent: about 3 to 4 cm away, and present on small headsets (Muse: AF7,
#: AF8, TP9, TP10; Emotiv: AF3, AF4).
NEIGHBOURS = {
    "Fp1": ("AF7", "AF3"),
    "Fp2": ("AF8", "AF4"),
    "T7": ("TP7", "TP9", "FT7"),
    "T8": ("TP8", "TP10", "FT8"),
    "PO3": ("PO7",),
    "PO4": ("PO8",),
}
BANDS_HZ = {"delta": (1.0, 4.0), "theta": (4.0, 8.0), "alpha": (8.0, 14.0), "beta": (14.0, 30.0), "gamma": (30.0, 47.0)}

#: Below this variance (microvolt squared) a second contains no brain signal; it also keeps the logarithm finite.
SMALLEST_VARIANCE = 1e-4

#: A standard deviation below this is a signal that does not move.
SMALLEST_STD = 1e-3

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Normal:
    """The normal features of a person or a population: mean and standard deviation, each shape (30, 5).

    ``source`` is ``person`` (their own recordings) or ``population`` (the people of the training data).
    An electrode that none of the recordings has is NaN.
    """

    mean: Array
    std: Array
    source: str


def electrode_channels(channels: Sequence[str]) -> dict[str, str]:
    """Return the channel to read for each of FACED's electrodes: itself, else a neighbour that is not one of them."""
    found = {}
    for name in ELECTRODES:
        if candidates := [channel for channel in (name, *NEIGHBOURS.get(name, ())) if channel in channels]:
            found[name] = candidates[0]
    return found


def differential_entropy(recording: Recording, clean: npt.NDArray[np.bool_] | None = None) -> Array:
    """Compute the differential entropy of a cleaned recording.

    Args:
        recording: cleaned signal, microvolts.
        clean: usable seconds, bool, shape (seconds,); None if all are.

    Returns:
        float32, shape (30 electrodes, whole seconds, 5 bands). Electrodes that the recording lacks (see
        ``electrode_channels``) and seconds that are not usable are NaN.
    """
    from scipy.signal import butter, sosfiltfilt

    rate = round(recording.sfreq)
    seconds = recording.data.shape[1] // rate
    found = electrode_channels(recording.channels)
    rows = [recording.channels.index(channel) for channel in found.values()]
    present = [ELECTRODES.index(name) for name in found]
    entropy = np.full((len(ELECTRODES), seconds, len(BANDS_HZ)), np.nan, dtype=np.float32)
    signal = recording.data[rows].astype(np.float64)
    for band, limits in enumerate(BANDS_HZ.values()):
        filtered = sosfiltfilt(butter(4, limits, "bandpass", fs=recording.sfreq, output="sos"), signal, axis=1)
        windows = filtered[:, : seconds * rate].reshape(len(rows), seconds, rate)
        variance = np.maximum(windows.var(axis=2), SMALLEST_VARIANCE)
        entropy[present, :, band] = 0.5 * np.log(2 * np.pi * np.e * variance)
    if clean is not None:
        entropy[:, ~clean[:seconds]] = np.nan
    return entropy


def person_normal(entropies: Sequence[Array]) -> Normal:
    """Compute the normal features of a person from several of their recordings, each of shape (30, seconds, 5).

    Every recording weighs the same, however long it is: the variance is the mean of the variances inside the
    recordings plus the variance between their means, as over FACED's 28 equally long clips.
    """
    means = np.stack([_nanmean(e, axis=1) for e in entropies])
    inside = np.stack([_nanmean((e - m[:, None]) ** 2, axis=1) for e, m in zip(entropies, means, strict=True)])
    variance = _nanmean(inside, axis=0) + _nanmean((means - _nanmean(means, axis=0)) ** 2, axis=0)
    return Normal(_nanmean(means, axis=0), np.sqrt(variance).astype(np.float32), "person")


def standardise(entropy: Array, normal: Normal) -> Array:
    """Return the distance from normal in standard deviations; shape of ``entropy``, (30, seconds, 5)."""
    z = (entropy - normal.mean[:, None]) / np.maximum(normal.std, SMALLEST_STD)[:, None]
    return z.astype(np.float32)


def _nanmean(values: Array, axis: int) -> Array:
    """Return the mean over finite values; NaN, without a warning, where there are none."""
    there = np.isfinite(values)
    total = np.where(there, values, 0).sum(axis=axis, dtype=np.float64)
    count = there.sum(axis=axis)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return np.asarray(mean, dtype=np.float32)


def band_means(entropy: Array) -> Array:
    """Return the mean of features, shape (30, seconds, 5), over the usable seconds; shape (30, 5)."""
    return _nanmean(entropy, axis=1)
