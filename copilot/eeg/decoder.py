"""The small decoder beside the language model: the same features in, nine calibrated probabilities out, numpy only.

Two linear read-outs (shrinkage LDA, fitted by ``copilot.training.fit_decoder``): ``person`` reads features that are
normalised to the person's own recordings, ``population`` reads one recording without any knowledge of the person.
Each looks at windows of ten seconds, second by second; a longer recording is the mean over its windows.
"""

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from copilot.eeg.features import Array, Normal, standardise
from copilot.emotions import Probabilities, uniform

WINDOW = 10
"""Seconds the decoder reads at once."""

LIMIT = 3.0
"""Standard deviations beyond which a feature says no more: keeps unusual devices from deciding everything."""

Heads = dict[str, "Head"]


class DecoderError(ValueError):
    """The decoder's file cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Head:
    """One linear read-out.

    Attributes:
        mean, scale: of the feature vector in training, shape (features,).
        weights: shape (features, 9); bias: shape (9,).
        temperatures: divisor of the mean score for one window and for a clip of three, shape (2,).
        covariance: between electrodes, for each band, shape (5, 30, 30); fills in electrodes that are absent.
    """

    mean: Array
    scale: Array
    weights: Array
    bias: Array
    temperatures: Array
    covariance: Array


@dataclass(frozen=True)
class Decoder:
    """Both read-outs and what is normal for the population they were fitted on."""

    heads: Heads
    population: Normal

    @classmethod
    def load(cls, path: Path) -> "Decoder":
        """Read the weights that ``save`` wrote.

        Raises:
            DecoderError: the file is missing or is not a decoder.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                heads = {
                    name: Head(**{key: arrays[f"{name}.{key}"] for key in Head.__dataclass_fields__})
                    for name in ("person", "population")
                }
                return cls(heads, Normal(arrays["normal.mean"], arrays["normal.std"], "population"))
        except FileNotFoundError:
            raise DecoderError(f"The decoder {path.name} is missing; set EEG_COPILOT_DECODER to where it is.") from None
        except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
            raise DecoderError(f"{path.name} is not a decoder that this version can read; run `make model`.") from error

    def save(self, path: Path) -> None:
        """Write the weights as compressed numpy arrays."""
        arrays = {f"{name}.{key}": getattr(head, key) for name, head in self.heads.items() for key in vars(head)}
        arrays |= {"normal.mean": self.population.mean, "normal.std": self.population.std}
        np.savez_compressed(path, allow_pickle=False, **arrays)

    def probabilities(self, entropy: Array, normal: Normal) -> Probabilities:
        """Nine calibrated probabilities for one recording.

        Args:
            entropy: differential entropy, shape (30, seconds, 5), NaN where absent or not usable.
            normal: the person's own normal, or the population's: chooses the read-out.

        Returns:
            Shape (9,); uniform where there is nothing to read (no electrode, or not ten usable seconds).
        """
        head = self.heads[normal.source]
        windows = cut_windows(fill_electrodes(standardise(entropy, normal), head.covariance))
        if not len(windows):
            return uniform()
        scores = (features(windows, normal.source) - head.mean) / head.scale
        scores = np.clip(scores, -LIMIT, LIMIT) @ head.weights + head.bias
        return softmax(scores.mean(axis=0) / _temperature(head, len(windows)))


def _temperature(head: Head, windows: int) -> float:
    """The divisor for so many windows.

    Three windows say more than one, because they hold the course of a clip that training has seen. A recording longer
    than any clip is something else, and gets the caution of a single window.
    """
    one, clip = head.temperatures
    return float({2: (one + clip) / 2, 3: clip}.get(windows, one))


def fill_electrodes(z: Array, covariance: Array) -> Array:
    """Fill absent electrodes with what the present ones let expect (conditional mean of a Gaussian), band by band.

    Shape (30, seconds, 5) in and out. With no electrode at all everything stays NaN.
    """
    absent = ~np.isfinite(z).any(axis=(1, 2))
    if not absent.any() or absent.all():
        return z
    filled = z.copy()
    for band in range(z.shape[2]):
        between = covariance[band]
        known = between[np.ix_(~absent, ~absent)] + 1e-3 * np.eye((~absent).sum())
        filled[absent, :, band] = between[np.ix_(absent, ~absent)] @ np.linalg.solve(known, z[~absent, :, band])
    return filled


def cut_windows(z: Array) -> Array:
    """Windows of ten usable seconds one after the other, shape (windows, 10, 30, 5); unusable seconds are left out."""
    usable = z[:, np.isfinite(z).all(axis=(0, 2))]
    count = usable.shape[1] // WINDOW
    return usable[:, : count * WINDOW].transpose(1, 0, 2).reshape(count, WINDOW, z.shape[0], z.shape[2])


def features(windows: Array, source: str) -> npt.NDArray[np.float64]:
    """Feature vectors of windows (windows, 10, 30, 5).

    ``person``: every value. ``population``: the window's mean pattern over the scalp, without each band's overall level
    (which is mostly the device and the skull), and the course over its ten seconds.
    """
    if source == "person":
        return windows.reshape(len(windows), -1).astype(np.float64)
    mean = windows.mean(axis=1)
    pattern = mean - mean.mean(axis=1, keepdims=True)
    course = windows - mean[:, None]
    parts = (pattern.reshape(len(windows), -1), course.reshape(len(windows), -1))
    return np.concatenate(parts, axis=1).astype(np.float64)


def softmax(scores: npt.NDArray[np.float64]) -> Probabilities:
    """Probabilities from scores, along the last axis."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    probabilities: Probabilities = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities
