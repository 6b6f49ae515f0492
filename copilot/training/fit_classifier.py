"""Fit the classifier on FACED's features: ``python -m copilot.training.fit_classifier --features FILE --out DECODER``.

The classifier is shrinkage LDA on windows of ten seconds, with a class for each scene (window of a clip). The
temperatures that calibrate it, and the evidence that the language model is trained with, come from fits without the
person (five folds by person).
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from copilot.command_line import Parser, command
from copilot.eeg.classifier import (
    LIMIT,
    WINDOWS_PER_CLIP,
    Classifier,
    Floats,
    Head,
    Heads,
    build_features,
    clip_probabilities,
    cut_windows,
    window_probabilities,
)
from copilot.eeg.features import Array, Normal, standardise
from copilot.eeg.text_encoding import PATTERNS
from copilot.files import write_atomically
from copilot.training.faced import BAD_SUBJECTS, SECOND_COHORT, TRAIN_SUBJECTS, CorpusError, Faced, load

Ints = npt.NDArray[np.int64]

#: Chosen by five folds over subjects 0-79: balanced accuracy of 10-s windows changes by less than 0.01 from 0.3 to 0.7.
SHRINKAGE = 0.6
FOLDS = 5


def fit(faced: Faced) -> Classifier:
    """Fit both read-outs on all people of ``faced`` and calibrate them by folds over people."""
    population = population_normal(faced)
    heads: Heads = {}
    for source in ("person", "population"):
        vectors, z = _compute_vectors(faced, source, population)
        flat = vectors.reshape(-1, vectors.shape[-1])
        mean, scale = flat.mean(axis=0), flat.std(axis=0) + 1e-6
        x = np.clip((flat - mean) / scale, -LIMIT, LIMIT)
        weights, bias = lda(x, number_scenes(vectors), SHRINKAGE)
        by_electrode = z.transpose(3, 1, 0, 2).reshape(z.shape[3], z.shape[1], -1)
        arrays = {
            "mean": mean,
            "scale": scale,
            "weights": weights,
            "bias": bias,
            "temperatures": fit_temperatures(cross_scores(vectors, faced.emotions), faced),
            "patterns": principal_patterns(x),
            "covariance": np.stack([band @ band.T / band.shape[1] for band in by_electrode]),
        }
        arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
        heads[source] = Head(emotions=faced.emotions, **arrays)
    return Classifier(heads, population)


def cross_fit(faced: Faced) -> dict[str, Floats]:
    """Return calibrated probabilities of classifiers that were not fitted on the person.

    Returns:
        For ``person`` and ``population`` an array of shape (people, clips, 4, 9): three 10-s segments of each clip,
        then the whole clip.
    """
    population = population_normal(faced)
    result = {}
    for source in ("person", "population"):
        scores = cross_scores(_compute_vectors(faced, source, population)[0], faced.emotions)
        one, clip = fit_temperatures(scores, faced)
        segments = window_probabilities(scores / one, faced.emotions)
        whole = clip_probabilities(scores / clip, faced.emotions)[:, :, None]
        result[source] = np.concatenate([segments, whole], axis=2)
    return result


def population_normal(faced: Faced) -> Normal:
    """Return mean and standard deviation over all people and seconds, shape (30, 5) each."""
    everything = faced.de.transpose(2, 4, 0, 1, 3).reshape(faced.de.shape[2], faced.de.shape[4], -1)
    return Normal(everything.mean(axis=2), everything.std(axis=2), "population")


def _compute_vectors(faced: Faced, source: str, population: Normal) -> tuple[Floats, Array]:
    """Return feature vectors (people, clips, windows, features) and standardised values (people, 30, seconds, 5)."""
    normals = faced.normals()
    vectors, standardised = [], []
    for subject, clips in zip(faced.subjects, faced.de, strict=True):
        normal = normals[int(subject)] if source == "person" else population
        z = [standardise(clip, normal) for clip in clips]
        vectors.append(np.stack([build_features(cut_windows(clip), source) for clip in z]))
        standardised.append(np.concatenate(z, axis=1))
    return np.stack(vectors), np.stack(standardised)


def number_scenes(vectors: Floats) -> Ints:
    """Return the class of every window: its scene, the same for all people.

    Args:
        vectors: shape (people, clips, windows, features).

    Returns:
        Shape (people * clips * windows,), 0 to clips * windows - 1.
    """
    people, clips, windows = vectors.shape[:3]
    return np.tile(np.arange(clips * windows), people)


def lda(x: Floats, labels: Ints, shrinkage: float) -> tuple[Floats, Floats]:
    """Fit a linear discriminant analysis with equal priors, its covariance shrunk to a multiple of the identity.

    scikit-learn's ``LinearDiscriminantAnalysis`` gives the same weights to 1e-13, and takes 19 times as long (39 s
    instead of 2 s for the 84 scenes of 79 people), because it computes a covariance for each class.

    Args:
        x: shape (samples, features).
        labels: class of each sample, shape (samples,), 0 to classes - 1.
        shrinkage: 0 (none) to 1.

    Returns:
        Weights (features, classes) and bias (classes,): class scores are ``x @ weights + bias``.
    """
    means = np.stack([x[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
    centred = x - means[labels]
    covariance = centred.T @ centred / max(1, len(x) - len(means))
    size = len(covariance)
    covariance = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / size * np.eye(size)
    weights = np.linalg.solve(covariance, means.T)
    return weights, -0.5 * (means.T * weights).sum(axis=0)


def fit_lda(vectors: Floats | Array, classes: Ints) -> Callable[[Floats | Array], Floats]:
    """Fit shrinkage LDA on vectors that are standardised and limited as the classifier does.

    Args:
        vectors: shape (samples, features).
        classes: class of each sample, shape (samples,), 0 to classes - 1.

    Returns:
        A function that returns scores of the classes, shape (..., classes), for vectors (..., features).
    """
    mean, scale = vectors.mean(axis=0), vectors.std(axis=0) + 1e-6
    weights, bias = lda(np.clip((vectors - mean) / scale, -LIMIT, LIMIT), classes, SHRINKAGE)
    return lambda unseen: np.clip((unseen - mean) / scale, -LIMIT, LIMIT) @ weights + bias


def principal_patterns(x: Floats) -> Floats:
    """Return the strongest principal components, scaled to unit variance.

    No label is used. Each component's largest weight is positive, so that the same data give the same signs. ``x`` is
    not centred again, as scikit-learn's ``PCA`` would: clipping moved its mean a little, and the shipped patterns have
    that in them.

    Args:
        x: shape (samples, features).

    Returns:
        Shape (features, 64).
    """
    variances, components = np.linalg.eigh(x.T @ x / len(x))
    strongest = components[:, ::-1][:, :PATTERNS]
    strongest = strongest * np.sign(np.take_along_axis(strongest, abs(strongest).argmax(axis=0)[None], axis=0))
    patterns: Floats = strongest / np.sqrt(np.maximum(variances[::-1][:PATTERNS], 1e-6))
    return patterns


def cross_scores(vectors: Floats, emotions: Ints) -> Floats:
    """Score each window by a fit without its person.

    Args:
        vectors: shape (people, clips, windows, features).
        emotions: index of each clip's emotion, shape (clips,).

    Returns:
        Scores of the scenes, shape (people, clips, windows, clips, 3).

    Raises:
        CorpusError: there are fewer people than folds.
    """
    if len(vectors) < FOLDS:
        raise CorpusError(f"The classifier needs at least {FOLDS} people to fit on; there are {len(vectors)}.")
    people = np.arange(len(vectors))
    scores = np.zeros((*vectors.shape[:3], len(emotions), WINDOWS_PER_CLIP))
    for fold in range(FOLDS):
        left_out = people % FOLDS == fold
        seen = vectors[~left_out]
        found = fit_lda(seen.reshape(-1, seen.shape[-1]), number_scenes(seen))(vectors[left_out])
        scores[left_out] = found.reshape(*found.shape[:-1], -1, WINDOWS_PER_CLIP)
    return scores


def fit_temperatures(scores: Floats, faced: Faced) -> Array:
    """Return the temperatures that minimise the cross-entropy of single windows and of whole clips, shape (2,).

    They are fitted on the second cohort where the features contain it: the first cohort scores higher (0.68 of segments
    instead of 0.52, by folds over 0-79), and a temperature that suits both is overconfident for new people.

    Args:
        scores: from ``cross_scores``, shape (people, clips, windows, clips, 3).
        faced: the people of these scores.
    """
    later, emotions = faced.subjects >= SECOND_COHORT, faced.emotions
    scores = scores[later] if later.any() else scores
    one = fit_temperature(lambda t: window_probabilities(scores / t, emotions), emotions[None, :, None])
    clip = fit_temperature(lambda t: clip_probabilities(scores / t, emotions), emotions[None, :])
    return np.array([one, clip], dtype=np.float32)


def fit_temperature(probabilities: Callable[[float], Floats], truth: Ints) -> float:
    """Return the temperature, a divisor of scores, that minimises the cross-entropy of the true emotions.

    Args:
        probabilities: returns probabilities of shape (..., 9) for a temperature.
        truth: indices of emotions, of a shape that broadcasts to (...).
    """

    def cross_entropy(found: Floats) -> float:
        labels = np.broadcast_to(truth, found.shape[:-1])[..., None]
        return float(-np.log(np.take_along_axis(found, labels, axis=-1) + 1e-12).mean())

    grid = np.geomspace(0.3, 30, 100)  # a finer search would change the shipped temperatures
    losses = [cross_entropy(probabilities(float(t))) for t in grid]
    return float(grid[int(np.argmin(losses))])


@command()
def main(arguments: Sequence[str] | None = None) -> None:
    """Fit the classifier on the published training people and write its file."""
    parser = Parser(prog="python -m copilot.training.fit_classifier", description=__doc__)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    faced = load(options.features).select([s for s in TRAIN_SUBJECTS if s not in BAD_SUBJECTS])
    with write_atomically(options.out) as partial:
        fit(faced).save(partial)
    print(f"{options.out}: fitted on {len(faced.subjects)} people")


if __name__ == "__main__":
    sys.exit(main())
