"""Fit single references on windows, calibrate them on people set apart for it, and predict trials."""

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
from copilot.training.fit_classifier import SHRINKAGE, fit_temperature, lda

SEGMENT, CLIP = UNITS = ("segment-10s", "clip-30s")
#: One person in so many is set apart: of the second cohort or, where that is absent, of all people.
ONE_IN_LATER, ONE_IN = 2, 5

Score = Callable[[Array], npt.NDArray[np.floating]]
"""Scores of classes (n, classes) for vectors (n, features)."""


@dataclass(frozen=True)
class Emotions:
    """Nine classes; a clip's scores are the mean over its windows."""

    @classmethod
    def from_windows(cls, train: Windows) -> "Emotions":
        """Return the classes, which are the same for any data."""
        return cls()

    def labels(self, windows: Windows) -> Ints:
        """Return the class of every window, shape (trials * 3,)."""
        return np.repeat(windows.emotions, WINDOWS_PER_CLIP)

    def probabilities(self, scores: Floats, unit: str) -> Floats:
        """Return probabilities of emotions, shape (windows or trials, 9), from scores (trials, 3, 9)."""
        return softmax(scores).reshape(-1, len(EMOTIONS)) if unit == SEGMENT else softmax(scores.mean(axis=1))


@dataclass(frozen=True)
class Scenes:
    """A class for each of the three scenes of each clip, as in the classifier.

    Attributes:
        clips: numbers of the clips, ascending, shape (clips,).
        emotions: index of each clip's emotion, shape (clips,).
    """

    clips: Ints
    emotions: Ints

    @classmethod
    def from_windows(cls, train: Windows) -> "Scenes":
        """Return the classes of all clips in ``train``."""
        clips, first = np.unique(train.clips, return_index=True)
        return cls(clips, train.emotions[first])

    def labels(self, windows: Windows) -> Ints:
        """Return the class of every window, shape (trials * 3,)."""
        return (
            np.searchsorted(self.clips, windows.clips)[:, None] * WINDOWS_PER_CLIP + np.arange(WINDOWS_PER_CLIP)
        ).reshape(-1)

    def probabilities(self, scores: Floats, unit: str) -> Floats:
        """Return probabilities of emotions, shape (windows or trials, 9), from scores (trials, 3, clips * 3)."""
        by_clip = scores.reshape(*scores.shape[:2], len(self.clips), WINDOWS_PER_CLIP)
        if unit == CLIP:
            return clip_probabilities(by_clip, self.emotions)
        return window_probabilities(by_clip, self.emotions).reshape(-1, len(EMOTIONS))


@dataclass(frozen=True)
class Baseline:
    """A kind of reference.

    Attributes:
        fit: fits on vectors (n, features) and classes (n,), and returns a function that scores vectors.
        classes: the classes that it is fitted on.
    """

    fit: Callable[[Array, Ints], Score]
    classes: type[Emotions] | type[Scenes]


def fit_lda(vectors: Array, classes: Ints) -> Score:
    """Fit shrinkage LDA on vectors (n, features), standardised and limited as the classifier does, and classes (n,)."""
    mean, scale = vectors.mean(axis=0), vectors.std(axis=0) + 1e-6
    weights, bias = lda(np.clip((vectors - mean) / scale, -LIMIT, LIMIT), classes, SHRINKAGE)
    return lambda unseen: np.clip((unseen - mean) / scale, -LIMIT, LIMIT) @ weights + bias


BASELINES = {
    "lda": Baseline(fit_lda, Emotions),
    "decoder": Baseline(fit_lda, Scenes),
    "network": Baseline(mlp.fit, Scenes),
}


@dataclass(frozen=True)
class CalibratedPredictions:
    """Calibrated probabilities of one unit.

    Attributes:
        apart: of the windows or trials that were set apart, shape (n, 9).
        truth: their emotions, shape (n,).
        scored: of the windows or trials to score, shape (m, 9); their truth is not here, because nothing may learn it.
    """

    apart: Floats
    truth: Ints
    scored: Floats


def fit_and_predict(baseline: Baseline, train: Windows, test: Windows) -> dict[str, CalibratedPredictions]:
    """Fit, find a temperature for each unit on people set apart, fit again on all people, and predict ``test``.

    Args:
        baseline: the kind of reference.
        train: windows to fit and calibrate on.
        test: windows to predict.

    Returns:
        Predictions by unit.

    Raises:
        CorpusError: there are so few people that a clip is missing without those set apart.
    """
    apart = np.isin(train.subjects, _choose_calibration_people(np.unique(train.subjects)))
    rest, held = train.select(~apart), train.select(apart)
    if set(rest.clips) != set(train.clips):
        raise CorpusError(
            "References need more people: some are set apart, and the others have to have seen all clips."
        )
    classes = baseline.classes.from_windows(train)
    partial = baseline.fit(rest.flatten(), classes.labels(rest))
    whole = baseline.fit(train.flatten(), classes.labels(train))
    return {
        unit: _calibrate(classes, unit, _score_windows(partial, held), held, _score_windows(whole, test))
        for unit in UNITS
    }


def _choose_calibration_people(subjects: Ints) -> Ints:
    """Choose the people to calibrate on: some of FACED's second cohort, which is more like new people."""
    later = subjects[subjects >= SECOND_COHORT]
    return later[::ONE_IN_LATER] if len(later) > 1 else subjects[::ONE_IN]


def _score_windows(score: Score, windows: Windows) -> Floats:
    """Return the scores of all windows, shape (trials, 3, classes)."""
    return score(windows.flatten()).astype(np.float64).reshape(len(windows.clips), WINDOWS_PER_CLIP, -1)


def _calibrate(
    classes: Emotions | Scenes, unit: str, apart: Floats, held: Windows, scored: Floats
) -> CalibratedPredictions:
    """Fit a unit's temperature on the scores of ``held`` and turn both kinds of scores into probabilities."""
    truth = np.repeat(held.emotions, WINDOWS_PER_CLIP) if unit == SEGMENT else held.emotions
    divisor = fit_temperature(lambda t: classes.probabilities(apart / t, unit), truth)
    return CalibratedPredictions(
        classes.probabilities(apart / divisor, unit), truth, classes.probabilities(scored / divisor, unit)
    )
