"""Fit the classifier on FACED's features: ``python -m copilot.training.fit_classifier --features FILE --out DECODER``.

Shrinkage LDA on windows of ten seconds, a class for each scene of each clip; the temperatures that calibrate it, and
the evidence that the language model is trained with, come from people the fit did not see (five folds by person).
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from convert.command_line import Parser, command
from convert.files import written_whole
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
from copilot.training.faced import BAD_SUBJECTS, SECOND_COHORT, TRAIN_SUBJECTS, CorpusError, Faced, load

Ints = npt.NDArray[np.int64]

#: Chosen by five folds over subjects 0-79: 10-s balanced accuracy moves by less than 0.01 from 0.3 to 0.7.
SHRINKAGE = 0.6
FOLDS = 5


def fit(faced: Faced) -> Classifier:
    """Fit both read-outs on all the people of ``faced`` and calibrate them by folds over people."""
    population = population_normal(faced)
    heads: Heads = {}
    for source in ("person", "population"):
        vectors, z = _vectors(faced, source, population)
        head = _fit_head(vectors, faced.emotions, z)
        heads[source] = replace(head, temperatures=temperatures(cross_scores(vectors, faced.emotions), faced))
    return Classifier(heads, population)


def cross_fitted(faced: Faced) -> dict[str, Floats]:
    """Calibrated probabilities by a decoder that did not see the person.

    Returns:
        For ``person`` and ``population``: shape (people, clips, 4, 9), three 10-s segments and then the whole clip.
    """
    population = population_normal(faced)
    result = {}
    for source in ("person", "population"):
        scores = cross_scores(_vectors(faced, source, population)[0], faced.emotions)
        one, clip = temperatures(scores, faced)
        segments = window_probabilities(scores / one, faced.emotions)
        whole = clip_probabilities(scores / clip, faced.emotions)[:, :, None]
        result[source] = np.concatenate([segments, whole], axis=2)
    return result


def population_normal(faced: Faced) -> Normal:
    """Mean and standard deviation over everybody and every second, shape (30, 5) each."""
    everything = faced.de.transpose(2, 4, 0, 1, 3).reshape(faced.de.shape[2], faced.de.shape[4], -1)
    return Normal(everything.mean(axis=2), everything.std(axis=2), "population")


def _vectors(faced: Faced, source: str, population: Normal) -> tuple[Floats, Array]:
    """Feature vectors (people, clips, windows, features) and standardised values (people, 30, seconds in all, 5)."""
    normals = faced.normals()
    vectors, standardised = [], []
    for subject, clips in zip(faced.subjects, faced.de, strict=True):
        normal = normals[int(subject)] if source == "person" else population
        z = [standardise(clip, normal) for clip in clips]
        vectors.append(np.stack([build_features(cut_windows(clip), source) for clip in z]))
        standardised.append(np.concatenate(z, axis=1))
    return np.stack(vectors), np.stack(standardised)


def _fit_head(vectors: Floats, emotions: Ints, z: Array) -> Head:
    flat = vectors.reshape(-1, vectors.shape[-1])
    mean, scale = flat.mean(axis=0), flat.std(axis=0) + 1e-6
    x = np.clip((flat - mean) / scale, -LIMIT, LIMIT)
    weights, bias = lda(x, scenes(vectors), SHRINKAGE)
    by_electrode = z.transpose(3, 1, 0, 2).reshape(z.shape[3], z.shape[1], -1)
    covariance = np.stack([band @ band.T / band.shape[1] for band in by_electrode])
    arrays = {"mean": mean, "scale": scale, "weights": weights, "bias": bias, "temperatures": np.ones(2)}
    arrays |= {"patterns": principal_patterns(x), "covariance": covariance}
    return Head(emotions=emotions, **{name: array.astype(np.float32) for name, array in arrays.items()})


def scenes(vectors: Floats) -> Ints:
    """The class of each of (people, clips, windows, features): stretch of clip, whoever watched it; flat."""
    people, clips, windows = vectors.shape[:3]
    return np.tile(np.arange(clips * windows), people)


def lda(x: Floats, labels: Ints, shrinkage: float) -> tuple[Floats, Floats]:
    """Linear discriminant analysis with equal priors, covariance shrunk towards a multiple of the identity.

    Args:
        x: shape (samples, features); labels: shape (samples,), 0 to classes - 1; shrinkage: 0 (none) to 1.

    Returns:
        Weights (features, classes) and bias (classes,): class scores are ``x @ weights + bias``.
    """
    means = np.stack([x[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
    inside = x - means[labels]
    covariance = inside.T @ inside / max(1, len(x) - len(means))
    size = len(covariance)
    covariance = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / size * np.eye(size)
    weights = np.linalg.solve(covariance, means.T)
    return weights, -0.5 * (means.T * weights).sum(axis=0)


def principal_patterns(x: Floats) -> Floats:
    """The strongest principal components of x (samples, features), scaled to unit variance, shape (features, 64).

    No label is used. Each component's largest weight is positive, so that the same data give the same signs.
    """
    variances, components = np.linalg.eigh(x.T @ x / len(x))
    strongest = components[:, ::-1][:, :PATTERNS]
    strongest = strongest * np.sign(np.take_along_axis(strongest, abs(strongest).argmax(axis=0)[None], axis=0))
    patterns: Floats = strongest / np.sqrt(np.maximum(variances[::-1][:PATTERNS], 1e-6))
    return patterns


def cross_scores(vectors: Floats, emotions: Ints) -> Floats:
    """Scores of each window by a fit without its person, shape (people, clips, windows, clips, 3).

    Raises:
        CorpusError: there are fewer people than folds.
    """
    if len(vectors) < FOLDS:
        raise CorpusError(f"A decoder is fitted on at least {FOLDS} people; these features hold {len(vectors)} for it.")
    people = np.arange(len(vectors))
    scores = np.zeros((*vectors.shape[:3], len(emotions), WINDOWS_PER_CLIP))
    for fold in range(FOLDS):
        left_out = people % FOLDS == fold
        flat = vectors[~left_out].reshape(-1, vectors.shape[-1])
        mean, scale = flat.mean(axis=0), flat.std(axis=0) + 1e-6
        weights, bias = lda(np.clip((flat - mean) / scale, -LIMIT, LIMIT), scenes(vectors[~left_out]), SHRINKAGE)
        found = np.clip((vectors[left_out] - mean) / scale, -LIMIT, LIMIT) @ weights + bias
        scores[left_out] = found.reshape(*found.shape[:-1], -1, WINDOWS_PER_CLIP)
    return scores


def temperatures(scores: Floats, faced: Faced) -> Array:
    """Divisors that minimise the cross-entropy of single windows and of whole clips, shape (2,).

    They come from the second cohort where it is there: the first is read better (0.68 of segments instead of 0.52, by
    folds over 0-79), and a temperature that suits both is too sure of new people.
    """
    later, emotions = faced.subjects >= SECOND_COHORT, faced.emotions
    scores = scores[later] if later.any() else scores
    one = temperature(lambda t: window_probabilities(scores / t, emotions), emotions[None, :, None])
    clip = temperature(lambda t: clip_probabilities(scores / t, emotions), emotions[None, :])
    return np.array([one, clip], dtype=np.float32)


def temperature(probabilities: Callable[[float], Floats], truth: Ints) -> float:
    """The divisor of scores that minimises the cross-entropy of the true emotions.

    Args:
        probabilities: (..., 9) for a divisor.
        truth: emotions, of a shape that broadcasts to (...).
    """
    grid = np.geomspace(0.3, 30, 100)
    losses = [_cross_entropy(probabilities(float(t)), truth) for t in grid]
    return float(grid[int(np.argmin(losses))])


def _cross_entropy(probabilities: Floats, truth: Ints) -> float:
    labels = np.broadcast_to(truth, probabilities.shape[:-1])[..., None]
    return float(-np.log(np.take_along_axis(probabilities, labels, axis=-1) + 1e-12).mean())


@command()
def main(arguments: Sequence[str] | None = None) -> None:
    """Fit on the published training people and write the decoder."""
    parser = Parser(description=__doc__)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    faced = load(options.features).of([s for s in TRAIN_SUBJECTS if s not in BAD_SUBJECTS])
    with written_whole(options.out) as partial:
        fit(faced).save(partial)
    print(f"{options.out}: fitted on {len(faced.subjects)} people")


if __name__ == "__main__":
    sys.exit(main())
