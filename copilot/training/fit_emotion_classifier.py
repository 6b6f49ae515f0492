"""Fit the classifier for any recording (``copilot.eeg.emotion_classifier``) on FACED, and measure what it can tell.

Everything that is measured is measured with film **and** person held out: each film is scored by a regression that was
fitted on other people who watched other films. The same with the films' labels permuted is the control: films differ in
much more than in their emotion, and with 28 of them chance differs from zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.linear_model import Ridge

from copilot.command_line import Parser, command
from copilot.eeg.classifier import Floats
from copilot.eeg.emotion_classifier import WEIGHTS, EmotionClassifier, build_features, calibrate, compare_with_baseline
from copilot.emotions import EMOTIONS
from copilot.files import write_atomically
from copilot.training import faced
from copilot.training.faced import BAD_SUBJECTS, SECOND_COHORT, CorpusError, Faced

Ints = npt.NDArray[np.int64]

RIDGE = 1000.0
FILM_FOLDS, PERSON_FOLDS = 3, 5
#: Divisions into folds that are averaged; the figures depend on which films are held out together.
REPEATS = 3
PERMUTATIONS = 40
#: Factor of the slopes, which are estimated from 28 films. On people 80-99, fitted on the others, over six divisions of
#: the films, the calibration error of nine and of three classes was 0.025 and 0.034 with 1, 0.029 and 0.026 with 0.7;
#: and half minutes of one recording at rest differ less (EEGMAT, 30 people: total variation at most 0.07, not 0.08).
SHRINKAGE = 0.7
#: Quantile of the training vectors' norms above which a recording is of another kind.
NORM_QUANTILE = 0.995


@dataclass(frozen=True)
class Vectors:
    """Feature vectors of all people and films.

    Attributes:
        one: compared with one other clip of the person, shape (people, films, 300).
        many: compared with all other clips of the person, same shape.
        emotions: index of each film's emotion, shape (films,).
        calibrate: whether slopes and gain are measured on a person, shape (people,).
    """

    one: Floats
    many: Floats
    emotions: Ints
    calibrate: npt.NDArray[np.bool_]


def fit(
    people: Faced, permutations: int = PERMUTATIONS, leave_out: npt.NDArray[np.bool_] | None = None
) -> EmotionClassifier:
    """Fit the classifier on these people and films.

    Args:
        people: features of at least ten people; every emotion has at least two films.
        permutations: of the films' labels, for the control.
        leave_out: films that the regression is not fitted on, shape (films,); by default none. The slopes are always
            from all films, each held out once: from a part of the films these four numbers are mostly noise.

    Raises:
        CorpusError: there are too few people or films.
    """
    _, per_emotion = np.unique(people.emotions, return_counts=True)
    if len(people.subjects) < 2 * PERSON_FOLDS or per_emotion.min() < 2:
        raise CorpusError("The classifier needs at least ten people, and two films of every emotion.")
    # 1. How much more a person's recordings differ from each other than the seconds inside them.
    between = measure_between(people)
    vectors = make_vectors(people, between)
    # 2. Slopes and gain on films and people that were held out, and the gain after the films' labels were permuted.
    slopes, gain, accuracy = measure(vectors)
    rng = np.random.default_rng(0)
    permuted = [measure(replace(vectors, emotions=rng.permutation(vectors.emotions)))[1] for _ in range(permutations)]
    # 3. The regression.
    kept = np.full(len(people.emotions), True) if leave_out is None else ~leave_out
    model = fit_regression(vectors.many[:, kept], vectors.emotions[kept])
    z = vectors.many[..., : between.size].reshape(-1, *between.shape)
    return EmotionClassifier(
        weights=model.coef_.T.astype(np.float32),
        bias=model.intercept_.astype(np.float32),
        between=between.astype(np.float32),
        covariance=np.stack([np.cov(z[..., band].T) for band in range(z.shape[-1])]).astype(np.float32),
        slopes=SHRINKAGE * slopes,
        largest_norm=np.quantile(np.linalg.norm(vectors.many, axis=-1), NORM_QUANTILE),
        gain=gain,
        accuracy=accuracy,
        permuted_gain=np.quantile(permuted, 0.95, axis=0) if permuted else np.zeros(2),
    )


def measure_between(people: Faced) -> Floats:
    """Return the variance between a person's clips divided by that inside them, mean over people, shape (30, 5)."""
    ratio: Floats = (people.de.mean(axis=3).var(axis=1, ddof=1) / people.de.var(axis=3).mean(axis=1)).mean(axis=0)
    return ratio


def make_vectors(people: Faced, between: Floats) -> Vectors:
    """Compare every clip with one other clip of the person, drawn at random, and with all of them.

    Args:
        people: features, every clip of the same length.
        between: see ``measure_between``.
    """
    means, variances = people.de.mean(axis=3), people.de.var(axis=3)
    rng = np.random.default_rng(0)
    count, films = means.shape[:2]
    one, many = (np.empty((count, films, *between.shape)) for _ in range(2))
    for person, film in product(range(count), range(films)):
        others = np.setdiff1d(np.arange(films), [film])
        for target, chosen in ((one, rng.choice(others, 1)), (many, others)):
            target[person, film] = compare_with_baseline(
                means[person, film], means[person, chosen], variances[person, chosen], between
            )
    # The second cohort was recorded later, and less can be told of it; new people are more like it.
    later = people.subjects >= SECOND_COHORT
    return Vectors(build_features(one), build_features(many), people.emotions, later if later.any() else ~later)


def measure(vectors: Vectors, repeats: int = REPEATS) -> tuple[Floats, Floats, Floats]:
    """Return slopes (2, 2), gain over guessing in bits (2,) and accuracy (2,), with film and person held out.

    Rows: compared with one other clip, and with all others; the regression is fitted on the latter. Means over
    ``repeats`` divisions into folds.
    """
    slopes, gains, accuracies = np.empty((repeats, 2, 2)), np.empty((repeats, 2)), np.empty((repeats, 2))
    for repeat in range(repeats):
        scores = score_held_out(vectors, repeat)
        for row in range(2):
            measured = scores[row, vectors.calibrate]
            found = minimize(_mean_loss, (4.0, 2.0), (measured, vectors.emotions), "Nelder-Mead")
            slopes[repeat, row], gains[repeat, row] = found.x, np.log2(len(EMOTIONS)) - found.fun
            named = calibrate(measured, found.x).argmax(axis=-1)
            right = [(named[:, vectors.emotions == k] == k).mean() for k in np.unique(vectors.emotions)]
            accuracies[repeat, row] = np.mean(right)
    return slopes.mean(axis=0), gains.mean(axis=0), accuracies.mean(axis=0)


def score_held_out(vectors: Vectors, seed: int = 0) -> Floats:
    """Score every clip by a regression that was fitted on other people and other films.

    Returns:
        Shape (2, people, films, 9); the first row is compared with one other clip, the second with all others.
    """
    people, films = vectors.many.shape[:2]
    film_fold = divide_films(vectors.emotions, seed)
    person_fold = np.random.default_rng(seed).permutation(people) % PERSON_FOLDS
    scores = np.full((2, people, films, len(EMOTIONS)), np.nan)
    for a, b in product(range(PERSON_FOLDS), range(FILM_FOLDS)):
        held_out, other = film_fold == b, film_fold != b
        model = fit_regression(vectors.many[person_fold != a][:, other], vectors.emotions[other])
        for row, source in enumerate((vectors.one, vectors.many)):
            found = source[person_fold == a][:, held_out]
            scores[row][np.ix_(person_fold == a, held_out)] = found @ model.coef_.T + model.intercept_
    return scores


def divide_films(emotions: Ints, seed: int = 0) -> Ints:
    """Return the fold in which each film is held out, shape (films,): the films of every emotion are in all folds."""
    rng = np.random.default_rng(seed)
    folds = np.empty(len(emotions), dtype=np.int64)
    for emotion in np.unique(emotions):
        films = rng.permutation(np.flatnonzero(emotions == emotion))
        folds[films] = (np.arange(len(films)) + rng.integers(FILM_FOLDS)) % FILM_FOLDS
    return folds


def fit_regression(vectors: Floats, emotions: Ints) -> Ridge:
    """Fit one score for each emotion.

    Args:
        vectors: shape (people, films, features).
        emotions: index of each film's emotion, shape (films,).
    """
    targets = np.tile(np.eye(len(EMOTIONS))[emotions], (len(vectors), 1))
    return Ridge(alpha=RIDGE).fit(vectors.reshape(-1, vectors.shape[-1]), targets)


def _mean_loss(slopes: Floats, scores: Floats, emotions: Ints) -> float:
    """Return the mean loss in bits of scores, shape (people, films, 9), with these slopes."""
    right = calibrate(scores, slopes)[:, np.arange(len(emotions)), emotions]
    return float(-np.log2(right).mean())


@command()
def main(arguments: Sequence[str] | None = None) -> None:
    """Fit the classifier on all good people of the file, and write it."""
    parser = Parser(prog="python -m copilot.training.fit_emotion_classifier", description=__doc__)
    parser.add_argument("--features", type=Path, required=True, help="FACED's features (npz)")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="file to write (default: the product's own)")
    options = parser.parse_args(arguments)
    people = faced.load(options.features)
    fitted = fit(people.select([int(s) for s in people.subjects if s not in BAD_SUBJECTS]))
    with write_atomically(options.out) as partial:
        fitted.save(partial)
    for name, gain, permuted in zip(("one", "many"), fitted.gain, fitted.permuted_gain, strict=True):
        print(f"Compared with {name}: {gain:.4f} bits over guessing, labels permuted {permuted:.4f} (95 %).")


if __name__ == "__main__":
    main()
