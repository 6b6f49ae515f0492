"""Predict nine calibrated probabilities from features with a small linear classifier; numpy only.

The classifier reads the same features as the language model. It has two linear read-outs (shrinkage LDA, fitted by
``copilot.training.fit_classifier``): ``person`` reads features that are normalised to the person's own recordings,
``population`` reads one recording without any knowledge of the person. Each reads windows of ten seconds, second by
second, and compares them with *scenes*: every segment of ten seconds of every film clip it was fitted on is a class of
its own, and the probability of an emotion is the sum over its scenes. One class per emotion would have to resemble all
of its films at once, and the films are not alike (balanced accuracy 0.34 instead of 0.51, both on FACED's subjects
80-99).

The same windows give the ``patterns`` that the language model reads as words: principal components, fitted without
any label.
"""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from copilot.eeg.features import Array, Normal, standardise
from copilot.emotions import EMOTIONS, Probabilities, uniform_probabilities
from copilot.errors import CopilotError
from copilot.i18n import N_

WINDOW = 10
"""Seconds that the classifier reads at once."""

WINDOWS_PER_CLIP = 3
"""Windows in a clip of thirty seconds."""

LIMIT = 3.0
"""Standard deviations at which a feature is clipped: keeps unusual devices from deciding everything."""

Floats = npt.NDArray[np.float64]
Heads = dict[str, "Head"]


class ClassifierError(CopilotError, ValueError):
    """The classifier's file cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Head:
    """One linear read-out.

    Attributes:
        mean, scale: of the feature vector in training, shape (features,).
        weights: shape (features, scenes); bias: shape (scenes,). Scenes are ordered clip by clip, three segments each.
        emotions: index of the emotion that each clip was to evoke, shape (clips,).
        temperatures: divisor of the scores of one window, and of the sum over a clip's three, shape (2,).
        patterns: principal components of the standardised features, to unit variance, shape (features, 64).
        covariance: between electrodes, for each band, shape (5, 30, 30); used to fill in absent electrodes.
    """

    mean: Array
    scale: Array
    weights: Array
    bias: Array
    emotions: npt.NDArray[np.int64]
    temperatures: Array
    patterns: Array
    covariance: Array

    def standardise(self, vectors: Floats) -> Floats:
        """Scale feature vectors, shape (..., features), as in training, clipped at ``LIMIT`` standard deviations."""
        return np.clip((vectors - self.mean) / self.scale, -LIMIT, LIMIT)

    def score(self, vectors: Floats) -> Floats:
        """Score how well vectors, shape (..., features), fit each scene; shape (..., clips, 3)."""
        found = self.standardise(vectors) @ self.weights + self.bias
        return found.reshape(*found.shape[:-1], -1, WINDOWS_PER_CLIP)


@dataclass(frozen=True)
class Classifier:
    """Both read-outs, the normal values of the population they were fitted on, and the sha256 of the file."""

    heads: Heads
    population: Normal
    sha256: str = ""

    @classmethod
    def load(cls, path: Path) -> "Classifier":
        """Read the weights that ``save`` wrote.

        Raises:
            ClassifierError: the file is missing or is not a classifier.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                heads = {
                    name: Head(**{key: arrays[f"{name}.{key}"] for key in Head.__dataclass_fields__})
                    for name in ("person", "population")
                }
                population = Normal(arrays["normal.mean"], arrays["normal.std"], "population")
            return cls(heads, population, hashlib.sha256(path.read_bytes()).hexdigest())
        except FileNotFoundError:
            raise ClassifierError(
                N_("The decoder {name} is missing; set EEG_COPILOT_DECODER to where it is.", name=path.name)
            ) from None
        except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
            raise ClassifierError(
                N_("{name} is not a decoder that this version can read; run `make model`.", name=path.name)
            ) from error

    def save(self, path: Path) -> None:
        """Write the weights as compressed numpy arrays."""
        arrays = {f"{name}.{key}": getattr(head, key) for name, head in self.heads.items() for key in vars(head)}
        arrays |= {"normal.mean": self.population.mean, "normal.std": self.population.std}
        with path.open("wb") as file:  # given a name, numpy would add an ending to it
            np.savez_compressed(file, allow_pickle=False, **arrays)

    def predict(self, entropy: Array, normal: Normal) -> Probabilities:
        """Predict nine calibrated probabilities for one recording.

        Args:
            entropy: differential entropy, shape (30, seconds, 5), NaN where absent or not usable.
            normal: the person's own normal values, or the population's: chooses the read-out.

        Returns:
            Shape (9,); uniform where there is nothing to read (no electrode, or not ten usable seconds).
        """
        head = self.heads[normal.source]
        vectors = self._build_vectors(entropy, normal)
        if not len(vectors):
            return uniform_probabilities()
        scores, (one, clip) = head.score(vectors), head.temperatures
        if len(scores) == WINDOWS_PER_CLIP:
            return clip_probabilities(scores / clip, head.emotions)
        # A recording of any other length cannot be matched to whole clips: each window is read alone.
        mean: Probabilities = window_probabilities(scores / one, head.emotions).mean(axis=0)
        return mean

    def measure_patterns(self, entropy: Array, normal: Normal) -> Floats:
        """Measure how strong each principal pattern is in each window, in standard deviations, shape (windows, 64).

        Arguments as in ``predict``; no window where there is nothing to read.
        """
        head = self.heads[normal.source]
        return head.standardise(self._build_vectors(entropy, normal)) @ head.patterns

    def _build_vectors(self, entropy: Array, normal: Normal) -> Floats:
        """Build the feature vectors of all windows, shape (windows, features)."""
        filled = fill_electrodes(standardise(entropy, normal), self.heads[normal.source].covariance)
        return build_features(cut_windows(filled), normal.source)


def window_probabilities(scores: Floats, emotions: npt.NDArray[np.int64]) -> Floats:
    """Convert scores of single windows, shape (..., clips, 3), to probabilities, shape (..., 9), summed over scenes.

    ``emotions``, shape (clips,), is the index of each clip's emotion.
    """
    scenes = softmax(scores.reshape(*scores.shape[:-2], -1))
    return _sum_by_emotion(scenes.reshape(scores.shape).sum(axis=-1), emotions)


def clip_probabilities(scores: Floats, emotions: npt.NDArray[np.int64]) -> Floats:
    """Convert scores of a clip's three windows, shape (..., 3, clips, 3), in order, to probabilities, shape (..., 9).

    The first window is compared with the first segment of each clip, the second with the second. ``emotions``, shape
    (clips,), is the index of each clip's emotion.
    """
    in_order = np.diagonal(scores, axis1=-3, axis2=-1).sum(axis=-1)
    return _sum_by_emotion(softmax(in_order), emotions)


def _sum_by_emotion(clips: Floats, emotions: npt.NDArray[np.int64]) -> Floats:
    """Sum probabilities of clips, shape (..., clips), to those of emotions, shape (..., 9)."""
    return clips @ np.eye(len(EMOTIONS))[emotions]


def fill_electrodes(z: Array, covariance: Array) -> Array:
    """Estimate absent electrodes from the present ones (conditional mean of a Gaussian), band by band.

    With no electrode at all everything stays NaN.

    Args:
        z: standardised features, shape (30, seconds, 5), NaN where absent.
        covariance: between electrodes, for each band, shape (5, 30, 30).

    Returns:
        Shape (30, seconds, 5).
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
    """Cut features, shape (30, seconds, 5), into consecutive windows of ten usable seconds, shape (windows, 10, 30, 5).

    Unusable seconds are left out.
    """
    usable = z[:, np.isfinite(z).all(axis=(0, 2))]
    count = usable.shape[1] // WINDOW
    return usable[:, : count * WINDOW].transpose(1, 0, 2).reshape(count, WINDOW, z.shape[0], z.shape[2])


def build_features(windows: Array, source: str) -> Floats:
    """Build feature vectors of windows, shape (windows, 10, 30, 5); result shape (windows, features).

    ``person``: every value. ``population``: the window's mean pattern over the scalp, without each band's overall level
    (which is mostly the device and the skull), and the course over its ten seconds.
    """
    if source == "person":
        return _flatten(windows)
    mean = windows.mean(axis=1)
    pattern = mean - mean.mean(axis=1, keepdims=True)
    course = windows - mean[:, None]
    return np.concatenate([_flatten(pattern), _flatten(course)], axis=1)


def _flatten(windows: Array) -> Floats:
    """Flatten to one vector per window, also where there is none."""
    return windows.reshape(len(windows), math.prod(windows.shape[1:])).astype(np.float64)


def softmax(scores: Floats) -> Probabilities:
    """Convert scores to probabilities along the last axis, shape as given."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    probabilities: Probabilities = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities
