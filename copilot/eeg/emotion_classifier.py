"""Predict nine calibrated probabilities for a recording of any kind from its difference to others of the person.

The features have no order of the seconds: the mean of the differential entropy of every electrode and band over the
recording, compared with other recordings of the same person. A ridge regression maps them to one score for each
emotion, and two slopes turn the scores into probabilities: one for the differences between negative, neutral and
positive, one for those inside these three. ``copilot.training.fit_emotion_classifier`` fits the regression on FACED,
and the slopes on scores of films and people that the regression was not fitted on.

Without another recording of the person nothing can be told: with film and person held out, the same regression on
differences to other people gains 0.006 to 0.010 bits over guessing on FACED, and 0.03 with labels permuted. All
emotions are equally likely then.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from copilot.eeg.classifier import ClassifierError, Floats, fill_electrodes, softmax
from copilot.eeg.features import SMALLEST_STD, Array
from copilot.emotions import CLASS_OF, Probabilities, uniform_probabilities
from copilot.i18n import N_, Message

WEIGHTS = Path(__file__).with_name("emotion.npz")

MIN_SECONDS = 20
"""Usable seconds that a recording must have; the classifier is fitted on thirty."""

LIMIT = 3.0
"""Standard deviations at which a feature is clipped."""

PRIOR_RECORDINGS = 6
"""Recordings that the population's variance between recordings counts as, beside the person's own."""

#: Shape (9, 9): replaces each score by the mean over its class (negative, neutral, positive).
CLASS_MEANS = np.array([[a == b for b in CLASS_OF] for a in CLASS_OF], dtype=float)
CLASS_MEANS /= CLASS_MEANS.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class EmotionClassifier:
    """The weights, and what was measured with film and person held out.

    Attributes:
        weights: shape (300, 9); bias: shape (9,).
        between: variance between a person's recordings, divided by that inside them; mean over people, shape (30, 5).
        covariance: between electrodes, for each band, shape (5, 30, 30); used to fill in absent electrodes.
        slopes: of the scores; rows: one other recording of the person, many of them; columns: between and inside the
            three classes. Shape (2, 2).
        largest_norm: of the feature vectors in training; a longer one is not of the kind that was fitted, shape ().
        gain: information gained over guessing, bits, with one other recording and with many, shape (2,).
        accuracy: share of clips whose emotion is named right there, each emotion with the same weight, shape (2,).
        permuted_gain: 95th percentile of the same after the films' labels were permuted, shape (2,).
    """

    weights: Array
    bias: Array
    between: Array
    covariance: Array
    slopes: Floats
    largest_norm: Floats
    gain: Floats
    accuracy: Floats
    permuted_gain: Floats
    sha256: str = ""

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> "EmotionClassifier":
        """Read the weights that ``save`` wrote.

        Raises:
            ClassifierError: the file is missing or is not such a classifier.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                loaded = {field.name: arrays[field.name] for field in fields(cls) if field.name != "sha256"}
            return cls(**loaded, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
        except FileNotFoundError:
            raise ClassifierError(N_("The classifier {name} is missing.", name=path.name)) from None
        except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
            raise ClassifierError(
                N_("{name} is not a decoder that this version can read; run `make model`.", name=path.name)
            ) from error

    def save(self, path: Path) -> None:
        """Write the weights as compressed numpy arrays."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "sha256"}
        with path.open("wb") as file:  # given a name, numpy would add an ending to it
            np.savez_compressed(file, allow_pickle=False, **arrays)

    def predict(self, entropy: Array, others: Sequence[Array]) -> Probabilities:
        """Predict nine calibrated probabilities for one recording.

        Args:
            entropy: differential entropy, shape (30, seconds, 5), NaN where absent or not usable.
            others: the same of other recordings of this person.

        Returns:
            Shape (9,); uniform where nothing can be told: no other recording, less than ``MIN_SECONDS`` usable seconds,
            or features far from all that the classifier was fitted on.
        """
        recordings = [summarise_seconds(seconds) for seconds in (entropy, *others)]
        if len(recordings) < 2 or any(summary is None for summary in recordings):
            return uniform_probabilities()
        (mean, _), *baseline = [summary for summary in recordings if summary is not None]
        means, variances = np.stack([m for m, _ in baseline]), np.stack([v for _, v in baseline])
        z = compare_with_baseline(mean, means, variances, self.between)
        filled = fill_electrodes(z[:, None].astype(np.float32), self.covariance)[:, 0]
        vector = build_features(filled)
        if not np.isfinite(vector).all() or np.linalg.norm(vector) > self.largest_norm:
            return uniform_probabilities()
        return calibrate(vector @ self.weights + self.bias, self.slopes_for(len(baseline)))

    def slopes_for(self, recordings: int) -> Floats:
        """Return the slopes for a number of other recordings, shape (2,)."""
        one, many = self.slopes
        slopes: Floats = many + (one - many) / recordings
        return slopes

    def is_better_than_guessing(self, recordings: int) -> bool:
        """Return whether the measured gain with this number of other recordings is above that of permuted labels."""
        column = 0 if recordings < 2 else 1
        return recordings > 0 and bool(self.gain[column] > self.permuted_gain[column])

    def describe_reliability(self, recordings: int) -> Message:
        """Return how often the first emotion is right with this number of other recordings, in one sentence."""
        right = 100 / len(CLASS_OF) if not recordings else 100 * float(self.accuracy[min(recordings, 2) - 1])
        return N_(
            "Recordings like this one: right in {right:.0f} of 100, guessing 11 (measured on FACED, with films and "
            "people that were not fitted on).",
            right=right,
        )


def compare_with_baseline(mean: Floats, means: Floats, variances: Floats, between: Array | Floats) -> Floats:
    """Return how far a recording is from other recordings of the person, in standard deviations of such a difference.

    The variance between the person's recordings is estimated from theirs and from the population's (empirical Bayes),
    so that one other recording already gives a value; the fewer there are, the smaller are the values.

    Args:
        mean: over the recording's seconds, shape (30, 5).
        means: of the other recordings, shape (recordings, 30, 5).
        variances: over the seconds of each, shape (recordings, 30, 5).
        between: see ``EmotionClassifier``.

    Returns:
        Shape (30, 5).
    """
    count = len(means)
    centre = means.mean(axis=0)
    prior = between * variances.mean(axis=0)
    spread = (((means - centre) ** 2).sum(axis=0) + PRIOR_RECORDINGS * prior) / (count - 1 + PRIOR_RECORDINGS)
    z: Floats = (mean - centre) / np.maximum(np.sqrt(spread * (1 + 1 / count)), SMALLEST_STD)
    return z


def build_features(z: Floats | Array) -> Floats:
    """Build feature vectors, shape (..., 300), from ``compare_with_baseline``, shape (..., 30, 5).

    They are the values, and the values without each band's mean over the scalp.
    """
    clipped = np.clip(z.astype(np.float64), -LIMIT, LIMIT)
    pattern = clipped - clipped.mean(axis=-2, keepdims=True)
    both = np.stack([clipped, pattern], axis=-3)
    return both.reshape(*z.shape[:-2], -1)


def calibrate(scores: Floats, slopes: Floats) -> Probabilities:
    """Convert scores to probabilities, both of shape (..., 9).

    Args:
        scores: one for each emotion.
        slopes: for the differences between and inside negative, neutral, positive, shape (2,).
    """
    between = scores @ CLASS_MEANS
    return softmax(slopes[0] * between + slopes[1] * (scores - between))


def summarise_seconds(entropy: Array) -> tuple[Floats, Floats] | None:
    """Return mean and variance over the usable seconds, each of shape (30, 5); None if there are too few seconds."""
    present = np.isfinite(entropy).any(axis=(1, 2))
    usable = np.isfinite(entropy[present]).all(axis=(0, 2))
    if not present.any() or usable.sum() < MIN_SECONDS:
        return None
    values = np.full((len(entropy), int(usable.sum()), entropy.shape[2]), np.nan)
    values[present] = entropy[present][:, usable]
    return values.mean(axis=1), values.var(axis=1)
