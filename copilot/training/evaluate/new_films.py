"""Score the classifier for any recording on films and people that it was not fitted on (``--held-out-films``).

The films are divided so that every emotion has films to fit and films to score. For each part the classifier is fitted
on the people of one file who watched the other films, and scores the people of another file. The control does the same
after the films' labels were permuted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from convert.progress import track_progress
from copilot import emotions
from copilot.training import fit_emotion_classifier
from copilot.training.evaluate.scores import Floats, Predictions
from copilot.training.evaluate.summary import CLIP
from copilot.training.faced import BAD_SUBJECTS, CorpusError, Faced
from copilot.training.fit_emotion_classifier import FILM_FOLDS, divide_films

SPLIT, SITUATION, MODEL = "new-films", "any", "emotion classifier"
#: Conditions and how many other clips of the person a clip is compared with; None: all.
CONDITIONS: Mapping[str, int | None] = {"baseline": None, "baseline-1": 1, "no-baseline": 0}
PERMUTATIONS = 20

Row = dict[str, Any]


def score_new_films(fitted_on: Faced, scored: Faced, permutations: int = PERMUTATIONS) -> list[Row]:
    """Return the rows of all conditions, and below each compared one its control.

    Args:
        fitted_on: people to fit on.
        scored: other people who watched the same films.
        permutations: how often the films' labels are permuted for the control.

    Raises:
        CorpusError: the files share people or differ in their films.
    """
    if np.isin(scored.subjects, fitted_on.subjects).any() or not np.array_equal(fitted_on.emotions, scored.emotions):
        raise CorpusError("The people to score must not be among those of --fit, and the films must be the same.")
    fitted_on = fitted_on.select([int(s) for s in fitted_on.subjects if s not in BAD_SUBJECTS])
    found = _predict(fitted_on, scored)
    rng = np.random.default_rng(0)
    permuted: dict[str, list[Row]] = {condition: [] for condition in CONDITIONS}
    for _ in track_progress(range(permutations), "Permuted films", permutations):
        labels = rng.permutation(scored.emotions)
        control = _predict(replace(fitted_on, emotions=labels), replace(scored, emotions=labels))
        for condition, predictions in control.items():
            permuted[condition].append(measure(predictions))
    rows: list[Row] = []
    for condition, predictions in found.items():
        shared = {"situation": SITUATION, "control": ""}
        rows += [{**row, **shared, **measure(predictions)} for row in predictions.rows()]
        if permuted[condition]:
            figures = {name: [one[name] for one in permuted[condition]] for name in permuted[condition][0]}
            rows.append(
                {
                    **{"condition": condition, "model": MODEL, "split": SPLIT, "unit": CLIP, "situation": SITUATION},
                    "control": f"films' labels permuted {permutations} times",
                    **{name: round(float(np.mean(values)), 4) for name, values in figures.items()},
                    **{f"{name}_95": round(float(np.quantile(values, 0.95)), 4) for name, values in figures.items()},
                }
            )
    return rows


def measure(predictions: Predictions) -> dict[str, float]:
    """Return what a row has besides: area under the curve, positive against negative, and bits over guessing."""
    valence = predictions.probabilities @ np.array([k - 1.0 for k in emotions.CLASS_OF])
    truth = np.array(emotions.CLASS_OF)[predictions.truth]
    told = truth != 1
    right = predictions.probabilities[np.arange(len(truth)), predictions.truth]
    return {
        "auc": round(float(roc_auc_score(truth[told] == 2, valence[told])), 4),
        "bits": round(float(np.log2(len(emotions.EMOTIONS) * right).mean()), 4),
    }


def describe_rows(rows: list[Row]) -> Iterator[str]:
    """Yield a sentence for each row."""
    for row in rows:
        chance = f"{row['auc']:.3f} positive against negative (AUC), {row['bits']:+.3f} bits over guessing"
        if row["control"]:
            yield f"  {row['control']}: {chance}; 95 % below {row['auc_95']:.3f} and {row['bits_95']:+.3f}."
        else:
            yield (
                f"{row['condition']}, {row['classes']} classes: balanced accuracy {row['balanced_accuracy']:.3f}, "
                f"calibration error {row['ece']:.3f}, {chance}."
            )


def _predict(fitted_on: Faced, scored: Faced) -> dict[str, Predictions]:
    """Return the predictions of each condition, for every person and film once."""
    folds = divide_films(fitted_on.emotions)
    probabilities: dict[str, Floats] = {
        condition: np.empty((*scored.de.shape[:2], len(emotions.EMOTIONS))) for condition in CONDITIONS
    }
    for fold in range(FILM_FOLDS):
        classifier = fit_emotion_classifier.fit(fitted_on, permutations=0, leave_out=folds == fold)
        for person, film, condition, others in _draw_others(scored, np.flatnonzero(folds == fold)):
            clips = scored.de[person]
            probabilities[condition][person, film] = classifier.predict(clips[film], list(clips[others]))
    subjects = np.repeat(scored.subjects, len(scored.emotions))
    truth = np.tile(scored.emotions, len(scored.subjects))
    return {
        condition: Predictions(
            condition, True, CLIP, "decoder", MODEL, SPLIT, found.reshape(len(truth), -1), truth, subjects
        )
        for condition, found in probabilities.items()
    }


def _draw_others(scored: Faced, films: np.ndarray[Any, np.dtype[np.int64]]) -> Iterator[tuple[int, int, str, Floats]]:
    """Yield person, film and condition, and the person's other films that the clip is compared with."""
    rng = np.random.default_rng(0)
    for person in range(len(scored.subjects)):
        for film in films:
            others = np.setdiff1d(np.arange(len(scored.emotions)), [film])
            for condition, count in CONDITIONS.items():
                yield person, int(film), condition, others if count is None else rng.choice(others, count)
