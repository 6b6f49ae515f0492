"""The references one by one: fitted on windows, calibrated on people who were set apart for it, and read."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from copilot.eeg.classifier import LIMIT, WINDOWS_PER_CLIP, clip_probabilities, softmax, window_probabilities
from copilot.eeg.features import Array
from copilot.emotions import EMOTIONS
from copilot.training.evaluate import mlp
from copilot.training.evaluate.metrics import Floats, Ints
from copilot.training.evaluate.windows import Windows
from copilot.training.faced import SECOND_COHORT, CorpusError
from copilot.training.fit_classifier import SHRINKAGE, lda, temperature

SEGMENT, CLIP = UNITS = ("segment-10s", "clip-30s")
#: One in so many is set apart, of the second cohort or, where that is absent, of everybody.
ONE_IN_LATER, ONE_IN = 2, 5

Score = Callable[[Array], npt.NDArray[np.floating]]
"""Scores of classes (n, classes) for vectors (n, features)."""


@dataclass(frozen=True)
class Emotions:
    """Nine classes. A clip is the mean over its windows."""

    @classmethod
    def of(cls, train: Windows) -> "Emotions":
        """The same for any data."""
        return cls()

    def labels(self, windows: Windows) -> Ints:
        """The class of every window, shape (trials * 3,)."""
        return np.repeat(windows.emotions, WINDOWS_PER_CLIP)

    def probabilities(self, scores: Floats, unit: str) -> Floats:
        """Of emotions, shape (windows or trials, 9), from scores (trials, 3, 9)."""
        return softmax(scores).reshape(-1, len(EMOTIONS)) if unit == SEGMENT else softmax(scores.mean(axis=1))


@dataclass(frozen=True)
class Scenes:
    """A class for each of three stretches of each clip, as in the decoder; ``emotions`` are those of ``clips``."""

    clips: Ints
    emotions: Ints

    @classmethod
    def of(cls, train: Windows) -> "Scenes":
        """Of all the clips that are there."""
        clips, first = np.unique(train.clips, return_index=True)
        return cls(clips, train.emotions[first])

    def labels(self, windows: Windows) -> Ints:
        """As for ``Emotions``."""
        return (
            np.searchsorted(self.clips, windows.clips)[:, None] * WINDOWS_PER_CLIP + np.arange(WINDOWS_PER_CLIP)
        ).reshape(-1)

    def probabilities(self, scores: Floats, unit: str) -> Floats:
        """As for ``Emotions``, from scores (trials, 3, clips * 3)."""
        by_clip = scores.reshape(*scores.shape[:2], len(self.clips), WINDOWS_PER_CLIP)
        if unit == CLIP:
            return clip_probabilities(by_clip, self.emotions)
        return window_probabilities(by_clip, self.emotions).reshape(-1, len(EMOTIONS))


@dataclass(frozen=True)
class Baseline:
    """A kind of reference.

    Attributes:
        fit: on vectors (n, features) and classes (n,); classes: what it tells apart.
    """

    fit: Callable[[Array, Ints], Score]
    classes: type[Emotions] | type[Scenes]


def fit_lda(vectors: Array, classes: Ints) -> Score:
    """Shrinkage LDA on vectors that are standardised and limited as the decoder does it."""
    mean, scale = vectors.mean(axis=0), vectors.std(axis=0) + 1e-6
    weights, bias = lda(np.clip((vectors - mean) / scale, -LIMIT, LIMIT), classes, SHRINKAGE)
    return lambda unseen: np.clip((unseen - mean) / scale, -LIMIT, LIMIT) @ weights + bias


MEMBERS = {
    "lda": Baseline(fit_lda, Emotions),
    "decoder": Baseline(fit_lda, Scenes),
    "network": Baseline(mlp.fit, Scenes),
}


@dataclass(frozen=True)
class CalibratedPredictions:
    """Calibrated probabilities of one unit, shape (n, 9) each: of what was set apart, with its truth, and of the rest.

    The truth of ``scored`` is not here: nothing may learn from it.
    """

    apart: Floats
    truth: Ints
    scored: Floats


def read(member: Baseline, train: Windows, test: Windows) -> dict[str, CalibratedPredictions]:
    """Fit, find a temperature for each unit on people set apart, fit again on everybody, and read ``test``.

    Raises:
        CorpusError: so few people that without those set apart a clip is missing.
    """
    apart = np.isin(train.subjects, _set_apart(np.unique(train.subjects)))
    rest, held = train.of(~apart), train.of(apart)
    if set(rest.clips) != set(train.clips):
        raise CorpusError(
            "References need more people: some are set apart, and the others have to have seen all clips."
        )
    classes = member.classes.of(train)
    partial = member.fit(rest.flat(), classes.labels(rest))
    whole = member.fit(train.flat(), classes.labels(train))
    return {unit: _calibrated(classes, unit, _scores(partial, held), held, _scores(whole, test)) for unit in UNITS}


def _set_apart(subjects: Ints) -> Ints:
    """Who calibrates: some of FACED's later people, like whom new ones are; its first cohort is read better."""
    later = subjects[subjects >= SECOND_COHORT]
    return later[::ONE_IN_LATER] if len(later) > 1 else subjects[::ONE_IN]


def _scores(score: Score, windows: Windows) -> Floats:
    """Shape (trials, 3, classes)."""
    return score(windows.flat()).astype(np.float64).reshape(len(windows.clips), WINDOWS_PER_CLIP, -1)


def _calibrated(
    classes: Emotions | Scenes, unit: str, apart: Floats, held: Windows, scored: Floats
) -> CalibratedPredictions:
    truth = np.repeat(held.emotions, WINDOWS_PER_CLIP) if unit == SEGMENT else held.emotions
    divisor = temperature(lambda t: classes.probabilities(apart / t, unit), truth)
    return CalibratedPredictions(
        classes.probabilities(apart / divisor, unit), truth, classes.probabilities(scored / divisor, unit)
    )
