"""Fit references on the same features, people and clips, again for every fold, and predict with them.

``majority`` names the emotion with the most clips. ``lda`` is shrinkage LDA with a class for each emotion, ``decoder``
what ``fit_classifier`` fits (a class for each scene), ``network`` a small network with a class for each scene.
``ensemble`` is the weighted mean of the log probabilities of these and of ``course``, a second scene classifier that
compares each ten seconds with nothing but themselves.

Some of the training people are set apart to calibrate: a temperature for each reference, the weights of the ensemble.
Then everything is fitted again on all training people. No label of a trial that is scored is used; where a split leaks,
the references leak too.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from copilot.eeg.classifier import softmax
from copilot.emotions import EMOTIONS
from copilot.training.evaluate.baselines import BASELINES, UNITS, CalibratedPredictions, fit_and_predict
from copilot.training.evaluate.metrics import Floats, Ints
from copilot.training.evaluate.rows import Predictions
from copilot.training.evaluate.windows import make_fold_windows
from copilot.training.faced import BAD_SUBJECTS, CorpusError, Faced
from copilot.training.splits import Fold, Mask

#: The rows of the report; ``course`` has none of its own.
MODELS = ("majority", "lda", "decoder", "network", "ensemble")
#: What values are compared with in each condition.
CONDITIONS = {"baseline": "person", "no-baseline": "population"}

ProbabilitiesByModel = dict[tuple[str, str, str], Floats]
"""Probabilities (windows or trials, 9) by model, condition and unit."""


def predict_folds(
    faced: Faced, split: str, folds: Sequence[Fold], advance: Callable[[int], object]
) -> Iterator[Predictions]:
    """Yield the predictions of every reference over all folds of a split.

    Args:
        faced: features of all people in the folds.
        split: name of the split in the report.
        folds: from ``copilot.training.splits``.
        advance: called with the number of fits that were done, ``count_fits(folds)`` in all.

    Raises:
        CorpusError: there are too few people or emotions to fit on.
    """
    found = [predict_fold(faced, train, test, advance) for train, test in folds]
    people, clips = np.concatenate([np.nonzero(test) for _, test in folds], axis=1)
    for model, condition, unit in found[0]:
        probabilities = np.concatenate([fold[model, condition, unit] for fold in found])
        windows = len(probabilities) // len(people)
        truth, subjects = (np.repeat(a, windows) for a in (faced.emotions[clips], faced.subjects[people]))
        yield Predictions(condition, False, unit, "decoder", model, split, probabilities, truth, subjects)


def count_fits(folds: Sequence[Fold]) -> int:
    """Return how many references ``predict_folds`` fits, to estimate the time that this takes."""
    return len(folds) * (len(CONDITIONS) * len(BASELINES) + 1)


def predict_fold(faced: Faced, train: Mask, test: Mask, advance: Callable[[int], object]) -> ProbabilitiesByModel:
    """Fit all references on some trials and predict others.

    Args:
        faced: features of all people.
        train: trials to fit on, shape (people, clips).
        test: trials to predict, shape (people, clips).
        advance: called with the number of fits that were done.

    Returns:
        Probabilities in the order of ``np.nonzero(test)``; the three windows of a trial follow each other.

    Raises:
        CorpusError: there are too few people or emotions to fit on.
    """
    train = train & ~np.isin(faced.subjects, BAD_SUBJECTS)[:, None]
    emotions = faced.emotions[np.nonzero(train)[1]]
    if set(emotions) != set(range(len(EMOTIONS))):
        raise CorpusError("References are fitted on clips of all nine emotions; use features that have them.")
    course = fit_and_predict(BASELINES["decoder"], *make_fold_windows(faced, train, test, "window"))
    advance(1)
    found: ProbabilitiesByModel = {}
    for condition, source in CONDITIONS.items():
        sides, calibrated = make_fold_windows(faced, train, test, source), {"course": course}
        for name, baseline in BASELINES.items():
            calibrated[name] = fit_and_predict(baseline, *sides)
            advance(1)
        for unit in UNITS:
            scored = _collect_probabilities(
                {name: predictions[unit] for name, predictions in calibrated.items()}, emotions
            )
            found |= {(model, condition, unit): scored[model] for model in MODELS}
    return found


def _collect_probabilities(calibrated: dict[str, CalibratedPredictions], emotions: Ints) -> dict[str, Floats]:
    """Return the probabilities by model: of each by itself, of the majority and of the ensemble."""
    scored = {name: predictions.scored for name, predictions in calibrated.items()}
    shares = np.bincount(emotions, minlength=len(EMOTIONS)) / len(emotions)
    return scored | {
        "majority": np.tile(shares, (len(scored["lda"]), 1)),
        "ensemble": ensemble(list(calibrated.values())),
    }


def ensemble(baselines: Sequence[CalibratedPredictions]) -> Floats:
    """Combine predictions in a logarithmic opinion pool (Genest & Zidek 1986).

    The weights are fitted on what was set apart and are never below 0.

    Args:
        baselines: calibrated predictions of the same windows or trials.

    Returns:
        Probabilities of the windows or trials to score, shape (m, 9).
    """
    from scipy.optimize import minimize

    apart = np.stack([np.log(baseline.apart + 1e-9) for baseline in baselines])
    truth = baselines[0].truth

    def loss(weights: Floats) -> float:
        pooled = softmax(np.tensordot(weights, apart, axes=1))
        return float(-np.log(pooled[np.arange(len(truth)), truth] + 1e-9).mean())

    found = minimize(loss, np.full(len(baselines), 1 / len(baselines)), bounds=[(0, None)] * len(baselines))
    return softmax(np.tensordot(found.x, np.stack([np.log(baseline.scored + 1e-9) for baseline in baselines]), axes=1))
