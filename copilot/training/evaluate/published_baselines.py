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
from scipy.optimize import minimize
from scipy.special import softmax

from convert.progress import progress_bar
from copilot.emotions import EMOTIONS
from copilot.training import splits
from copilot.training.evaluate.baselines import (
    BASELINES,
    UNITS,
    CalibratedPredictions,
    fit_and_predict,
    make_fold_windows,
)
from copilot.training.evaluate.model import split_name
from copilot.training.evaluate.scores import Floats, Predictions
from copilot.training.evaluate.summary import HELD_OUT
from copilot.training.faced import BAD_SUBJECTS, TRAIN_SUBJECTS, CorpusError, Faced, describe
from copilot.training.splits import Fold, Mask

#: The rows of the report; ``course`` has none of its own.
MODELS = ("majority", "lda", "decoder", "network", "ensemble")
#: What values are compared with in each condition.
CONDITIONS = {"baseline": "person", "no-baseline": "population"}
#: With fewer people, of whom one in five calibrates, a reference has no meaning.
LEAST_PEOPLE = 5
WITHOUT_TRAINING = (
    f"References on the split of the product: they are fitted on subjects {describe(np.array(TRAIN_SUBJECTS))}, and "
    "none of these is in the features; name a file that holds them with --train."
)
WITHOUT_SPLITS = (
    "References in ten folds by subject, by subject and clip, and in a random split, which leaks; --splits adds them."
)

ProbabilitiesByModel = dict[tuple[str, str, str], Floats]
"""Probabilities (windows or trials, 9) by model, condition and unit."""


def make_folds(features: Faced, scored: Faced, *, all_splits: bool) -> dict[str, list[Fold]]:
    """Return the splits that can be made: name -> folds over ``features``.

    Args:
        features: features of all people.
        scored: features of those that the product is scored on.
        all_splits: add the splits in which the product itself cannot be scored, because it was not fitted for them.
    """
    in_training, in_scored = np.isin(features.subjects, TRAIN_SUBJECTS), np.isin(features.subjects, scored.subjects)
    found: dict[str, list[Fold]] = {}
    if in_training.any():
        train, test = (np.repeat(mask[:, None], len(features.emotions), axis=1) for mask in (in_training, in_scored))
        found[split_name(scored.subjects)] = [(train, test)]
    if all_splits:
        found |= {name: make(features.subjects, features.emotions) for name, make in splits.SPLITS.items()}
    return found


def list_left_out(wanted: dict[str, list[Fold]], scored: Faced) -> list[str]:
    """Return notes on the splits that the report lacks, and how to add them."""
    notes = [] if split_name(scored.subjects) in wanted else [WITHOUT_TRAINING]
    return notes if HELD_OUT in wanted else [*notes, WITHOUT_SPLITS]


def compare(features: Faced, wanted: dict[str, list[Fold]]) -> tuple[list[Predictions], list[str]]:
    """Return the references' predictions in each split, and notes on splits in which they could not be fitted.

    Args:
        features: features of all people.
        wanted: splits from ``make_folds``.
    """
    found, notes = [], []
    with progress_bar("references: fitting", sum(count_fits(folds) for folds in wanted.values())) as progress:
        for name, folds in wanted.items():
            try:
                fewest = min(int(train.any(axis=1).sum()) for train, _ in folds)
                if fewest < LEAST_PEOPLE:
                    raise CorpusError(
                        f"There are {fewest} people to fit them on, and at least {LEAST_PEOPLE} are needed."
                    )
                found += list(predict_folds(features, name, folds, progress.update))
            except CorpusError as error:
                notes.append(f"References on {name}: {error}")
    return found, notes


def count_fits(folds: Sequence[Fold]) -> int:
    """Return how many references ``predict_folds`` fits, to estimate the time that this takes."""
    return len(folds) * (len(CONDITIONS) * len(BASELINES) + 1)


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
            scored = {name: predictions[unit].scored for name, predictions in calibrated.items()}
            shares = np.bincount(emotions, minlength=len(EMOTIONS)) / len(emotions)
            scored["majority"] = np.tile(shares, (len(scored["lda"]), 1))
            scored["ensemble"] = ensemble([predictions[unit] for predictions in calibrated.values()])
            found |= {(model, condition, unit): scored[model] for model in MODELS}
    return found


def ensemble(baselines: Sequence[CalibratedPredictions]) -> Floats:
    """Combine predictions in a logarithmic opinion pool (Genest & Zidek 1986).

    The weights are fitted on what was set apart and are never below 0.

    Args:
        baselines: calibrated predictions of the same windows or trials.

    Returns:
        Probabilities of the windows or trials to score, shape (m, 9).
    """
    apart = np.stack([np.log(baseline.apart + 1e-9) for baseline in baselines])
    scored = np.stack([np.log(baseline.scored + 1e-9) for baseline in baselines])
    truth = baselines[0].truth

    def loss(weights: Floats) -> float:
        pooled = softmax(np.tensordot(weights, apart, axes=1), axis=-1)
        return float(-np.log(pooled[np.arange(len(truth)), truth] + 1e-9).mean())

    found = minimize(loss, np.full(len(baselines), 1 / len(baselines)), bounds=[(0, None)] * len(baselines))
    pooled: Floats = softmax(np.tensordot(found.x, scored, axes=1), axis=-1)
    return pooled
