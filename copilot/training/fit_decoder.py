"""Fit the small decoder on FACED's features: ``python -m copilot.training.fit_decoder --features FILE --out DECODER``.

Shrinkage LDA on windows of ten seconds; the temperature that calibrates it, and the evidence that the language model
is trained with, come from people the fit did not see (five folds by person).
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from copilot.eeg.decoder import LIMIT, Decoder, Head, Heads, cut_windows, features, softmax
from copilot.eeg.features import Array, Normal, standardise
from copilot.emotions import EMOTIONS
from copilot.training.faced import BAD_SUBJECTS, TRAIN_SUBJECTS, CorpusError, Faced, load

#: Chosen by five folds over subjects 0-79: 10-s balanced accuracy moves by less than 0.01 from 0.3 to 0.6.
SHRINKAGE = {"person": 0.5, "population": 0.6}
FOLDS = 5

Floats = npt.NDArray[np.float64]


def fit(faced: Faced) -> Decoder:
    """Fit both read-outs on all the people of ``faced`` and calibrate them by folds over people."""
    population = population_normal(faced)
    heads: Heads = {}
    for source in ("person", "population"):
        vectors, z = _vectors(faced, source, population)
        head = _fit_head(vectors, faced.emotions, z, source)
        scores = _cross_scores(vectors, faced.emotions, z, source)
        heads[source] = replace(head, temperatures=_temperatures(scores, faced.emotions))
    return Decoder(heads, population)


def cross_fitted(faced: Faced) -> dict[str, Floats]:
    """Calibrated probabilities by a decoder that did not see the person.

    Returns:
        For ``person`` and ``population``: shape (people, clips, 4, 9), three 10-s segments and then the whole clip.
    """
    population = population_normal(faced)
    result = {}
    for source in ("person", "population"):
        vectors, z = _vectors(faced, source, population)
        scores = _cross_scores(vectors, faced.emotions, z, source)
        one, many = _temperatures(scores, faced.emotions)
        whole = scores.mean(axis=2, keepdims=True)
        result[source] = np.concatenate([softmax(scores / one), softmax(whole / many)], axis=2)
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
        vectors.append(np.stack([features(cut_windows(clip), source) for clip in z]))
        standardised.append(np.concatenate(z, axis=1))
    return np.stack(vectors), np.stack(standardised)


def _fit_head(vectors: Floats, emotions: npt.NDArray[np.int64], z: Array, source: str) -> Head:
    flat = vectors.reshape(-1, vectors.shape[-1])
    labels = np.broadcast_to(emotions[None, :, None], vectors.shape[:3]).reshape(-1)
    mean, scale = flat.mean(axis=0), flat.std(axis=0) + 1e-6
    weights, bias = lda(np.clip((flat - mean) / scale, -LIMIT, LIMIT), labels, SHRINKAGE[source])
    by_electrode = z.transpose(3, 1, 0, 2).reshape(z.shape[3], z.shape[1], -1)
    covariance = np.stack([band @ band.T / band.shape[1] for band in by_electrode])
    arrays = (mean, scale, weights, bias, np.ones(2), covariance)
    return Head(*(a.astype(np.float32) for a in arrays))


def lda(x: Floats, labels: npt.NDArray[np.int64], shrinkage: float) -> tuple[Floats, Floats]:
    """Linear discriminant analysis with equal priors, covariance shrunk towards a multiple of the identity.

    Args:
        x: shape (samples, features); labels: shape (samples,), 0 to 8; shrinkage: 0 (none) to 1.

    Returns:
        Weights (features, 9) and bias (9,): class scores are ``x @ weights + bias``.
    """
    means = np.stack([x[labels == k].mean(axis=0) for k in range(len(EMOTIONS))])
    inside = x - means[labels]
    covariance = inside.T @ inside / (len(x) - len(means))
    size = len(covariance)
    covariance = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / size * np.eye(size)
    weights = np.linalg.solve(covariance, means.T)
    return weights, -0.5 * (means.T * weights).sum(axis=0)


def _cross_scores(vectors: Floats, emotions: npt.NDArray[np.int64], z: Array, source: str) -> Floats:
    """Scores of each window by a fit without its person, shape (people, clips, windows, 9)."""
    people = np.arange(len(vectors))
    scores = np.zeros((*vectors.shape[:3], len(EMOTIONS)))
    for fold in range(FOLDS):
        left_out = people % FOLDS == fold
        head = _fit_head(vectors[~left_out], emotions, z[~left_out], source)
        x = np.clip((vectors[left_out] - head.mean) / head.scale, -LIMIT, LIMIT)
        scores[left_out] = x @ head.weights + head.bias
    return scores


def _temperatures(scores: Floats, emotions: npt.NDArray[np.int64]) -> Array:
    """Divisors that minimise the cross-entropy of one window and of a clip's mean score, shape (2,)."""
    clips = scores.mean(axis=2, keepdims=True)
    return np.array([temperature(scores, emotions), temperature(clips, emotions)], dtype=np.float32)


def temperature(scores: Floats, emotions: npt.NDArray[np.int64]) -> float:
    """The divisor of scores (people, clips, windows, 9) that minimises the cross-entropy of the clips' emotions."""
    grid = np.geomspace(0.1, 30, 120)
    labels = np.broadcast_to(emotions[None, :, None, None], (*scores.shape[:3], 1))
    losses = [-np.log(np.take_along_axis(softmax(scores / t), labels, axis=3)).mean() for t in grid]
    return float(grid[int(np.argmin(losses))])


def main(arguments: list[str] | None = None) -> int:
    """Fit on the published training people and write the decoder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        faced = load(options.features).of([s for s in TRAIN_SUBJECTS if s not in BAD_SUBJECTS])
    except CorpusError as error:
        print(error, file=sys.stderr)
        return 2
    fit(faced).save(options.out)
    print(f"{options.out}: fitted on {len(faced.subjects)} people")
    return 0


if __name__ == "__main__":
    sys.exit(main())
