"""The small decoder beside the language model: the same features in, nine calibrated probabilities out, numpy only.

Two linear read-outs (shrinkage LDA, fitted by ``copilot.training.fit_classifier``): ``person`` reads features that are
normalised to the person's own recordings, ``population`` reads one recording without any knowledge of the person.
Each looks at windows of ten seconds, second by second, and compares them with *scenes*: every stretch of ten seconds of
every film clip it was fitted on is a class of its own, and an emotion is as likely as its scenes together. One class an
emotion would have to be like all of its films at once, and they are not alike (balanced accuracy 0.34 instead
of 0.51, both on FACED's subjects 80-99).

The same windows give the ``patterns`` that the language model reads as words: principal components, fitted without a
look at any label.
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
from copilot.i18n import english, sentence

WINDOW = 10
"""Seconds the decoder reads at once."""

STRETCHES = 3
"""Windows in a clip of thirty seconds."""

LIMIT = 3.0
"""Standard deviations beyond which a feature says no more: keeps unusual devices from deciding everything."""

Floats = npt.NDArray[np.float64]
Heads = dict[str, "Head"]


class ClassifierError(CopilotError, ValueError):
    """The decoder's file cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Head:
    """One linear read-out.

    Attributes:
        mean, scale: of the feature vector in training, shape (features,).
        weights: shape (features, scenes); bias: shape (scenes,). Scenes are clip by clip, three stretches each.
        emotions: which of the nine each clip was to evoke, shape (clips,).
        temperatures: divisor of the scores of one window, and of the sum over a clip's three, shape (2,).
        patterns: principal components of the standardised features, to unit variance, shape (features, 64).
        covariance: between electrodes, for each band, shape (5, 30, 30); fills in electrodes that are absent.
    """

    mean: Array
    scale: Array
    weights: Array
    bias: Array
    emotions: npt.NDArray[np.int64]
    temperatures: Array
    patterns: Array
    covariance: Array

    def standardised(self, vectors: Floats) -> Floats:
        """Feature vectors (..., features) as training saw them, nothing beyond ``LIMIT``."""
        return np.clip((vectors - self.mean) / self.scale, -LIMIT, LIMIT)

    def scores(self, vectors: Floats) -> Floats:
        """How well vectors (..., features) fit each scene, shape (..., clips, 3)."""
        found = self.standardised(vectors) @ self.weights + self.bias
        return found.reshape(*found.shape[:-1], -1, STRETCHES)


@dataclass(frozen=True)
class Classifier:
    """Both read-outs, what is normal for the population they were fitted on, and the sha256 of the file."""

    heads: Heads
    population: Normal
    sha256: str = ""

    @classmethod
    def load(cls, path: Path) -> "Classifier":
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
                population = Normal(arrays["normal.mean"], arrays["normal.std"], "population")
            return cls(heads, population, hashlib.sha256(path.read_bytes()).hexdigest())
        except FileNotFoundError:
            raise ClassifierError(sentence(english.NO_DECODER, name=path.name)) from None
        except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
            raise ClassifierError(sentence(english.NOT_A_DECODER, name=path.name)) from error

    def save(self, path: Path) -> None:
        """Write the weights as compressed numpy arrays."""
        arrays = {f"{name}.{key}": getattr(head, key) for name, head in self.heads.items() for key in vars(head)}
        arrays |= {"normal.mean": self.population.mean, "normal.std": self.population.std}
        with path.open("wb") as file:  # given a name, numpy would add an ending to it
            np.savez_compressed(file, allow_pickle=False, **arrays)

    def probabilities(self, entropy: Array, normal: Normal) -> Probabilities:
        """Nine calibrated probabilities for one recording.

        Args:
            entropy: differential entropy, shape (30, seconds, 5), NaN where absent or not usable.
            normal: the person's own normal, or the population's: chooses the read-out.

        Returns:
            Shape (9,); uniform where there is nothing to read (no electrode, or not ten usable seconds).
        """
        head = self.heads[normal.source]
        vectors = self._vectors(entropy, normal)
        if not len(vectors):
            return uniform_probabilities()
        scores, (one, clip) = head.scores(vectors), head.temperatures
        if len(scores) == STRETCHES:
            return clip_probabilities(scores / clip, head.emotions)
        # A recording of any other length is none of the clips: each window is read for itself.
        mean: Probabilities = window_probabilities(scores / one, head.emotions).mean(axis=0)
        return mean

    def patterns(self, entropy: Array, normal: Normal) -> Floats:
        """How strong each principal pattern is in each window, in standard deviations, shape (windows, 64).

        Arguments as in ``probabilities``; no window where there is nothing to read.
        """
        head = self.heads[normal.source]
        return head.standardised(self._vectors(entropy, normal)) @ head.patterns

    def _vectors(self, entropy: Array, normal: Normal) -> Floats:
        """Feature vectors of all windows, shape (windows, features)."""
        filled = fill_electrodes(standardise(entropy, normal), self.heads[normal.source].covariance)
        return features(cut_windows(filled), normal.source)


def window_probabilities(scores: Floats, emotions: npt.NDArray[np.int64]) -> Floats:
    """From scores of single windows (..., clips, 3) to probabilities (..., 9): an emotion is all of its scenes."""
    scenes = softmax(scores.reshape(*scores.shape[:-2], -1))
    return _by_emotion(scenes.reshape(scores.shape).sum(axis=-1), emotions)


def clip_probabilities(scores: Floats, emotions: npt.NDArray[np.int64]) -> Floats:
    """From scores of a clip's three windows (..., 3, clips, 3), in order, to probabilities (..., 9).

    The first window is compared with the first stretch of each clip, the second with the second.
    """
    in_order = np.diagonal(scores, axis1=-3, axis2=-1).sum(axis=-1)
    return _by_emotion(softmax(in_order), emotions)


def _by_emotion(clips: Floats, emotions: npt.NDArray[np.int64]) -> Floats:
    """Probabilities of clips (..., clips) as those of emotions (..., 9)."""
    return clips @ np.eye(len(EMOTIONS))[emotions]


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


def features(windows: Array, source: str) -> Floats:
    """Feature vectors of windows (windows, 10, 30, 5).

    ``person``: every value. ``population``: the window's mean pattern over the scalp, without each band's overall level
    (which is mostly the device and the skull), and the course over its ten seconds.
    """
    if source == "person":
        return _flat(windows)
    mean = windows.mean(axis=1)
    pattern = mean - mean.mean(axis=1, keepdims=True)
    course = windows - mean[:, None]
    return np.concatenate([_flat(pattern), _flat(course)], axis=1)


def _flat(windows: Array) -> Floats:
    """One vector a window, also where there is none."""
    return windows.reshape(len(windows), math.prod(windows.shape[1:])).astype(np.float64)


def softmax(scores: Floats) -> Probabilities:
    """Probabilities from scores, along the last axis."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    probabilities: Probabilities = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities
