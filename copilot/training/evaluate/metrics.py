"""Compute scores of predictions, and bootstrap intervals over people.

Whatever is resampled is first summed up for each person (a confusion matrix, the sums behind a correlation), so that a
thousand resamples of people are one product of matrices.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CALIBRATION_BINS = 15
RESAMPLES = 1000
#: Bounds of a 95 % interval, in percent of the resamples.
BOUNDS = (2.5, 97.5)


def balanced_accuracy(predicted: Ints, truth: Ints) -> float:
    """Return the mean of the recalls of all classes that occur.

    Args:
        predicted: class of each trial, shape (trials,); -1 (nothing named) is never right.
        truth: shape (trials,).
    """
    return float(np.mean([(predicted[truth == k] == k).mean() for k in np.unique(truth)]))


def macro_f1(predicted: Ints, truth: Ints) -> float:
    """Return the mean F1 score of all classes that occur; a class that is never named has 0.

    Args:
        predicted: class of each trial, shape (trials,); -1 if nothing was named.
        truth: shape (trials,).
    """
    scores = []
    for k in np.unique(truth):
        hits = np.sum((predicted == k) & (truth == k))
        scores.append(2 * hits / (np.sum(predicted == k) + np.sum(truth == k)))
    return float(np.mean(scores))


def calibration_error(probabilities: Floats, truth: Ints) -> float:
    """Return the expected calibration error of the first choice in 15 equal bins (Guo et al. 2017, arXiv 1706.04599).

    Args:
        probabilities: shape (trials, classes).
        truth: shape (trials,).
    """
    gaps = (abs(stated - right) * count for stated, right, count in calibration_bins(probabilities, truth))
    return sum(gaps) / len(truth)


def calibration_bins(probabilities: Floats, truth: Ints) -> Iterator[tuple[float, float, int]]:
    """Yield for each bin that is not empty: mean probability of the first choice, share that is right, and trials.

    Args:
        probabilities: shape (trials, classes).
        truth: shape (trials,).
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    for b in np.unique(bins):
        inside = bins == b
        yield float(confidence[inside].mean()), float(right[inside].mean()), int(inside.sum())


def count_confusions(predicted: Ints, truth: Ints, people: Ints, classes: int) -> Ints:
    """Count each person's confusion matrix.

    Args:
        predicted: class of each trial, shape (trials,); -1 if nothing was named.
        truth: shape (trials,).
        people: number of each trial's person, shape (trials,).
        classes: number of classes.

    Returns:
        Shape (people, classes, classes + 1): true class, then predicted class; the last column is for -1.
    """
    _, person = np.unique(people, return_inverse=True)
    counts = np.zeros((person.max() + 1, classes, classes + 1), dtype=np.int64)
    np.add.at(counts, (person, truth, predicted), 1)
    return counts


def accuracy_interval(counts: Ints) -> tuple[float, float] | None:
    """Return the 95 % bootstrap interval over people of the balanced accuracy; None for fewer than two people.

    Args:
        counts: from ``count_confusions``, shape (people, classes, classes + 1).
    """
    hits, trials = _resample(np.diagonal(counts, axis1=1, axis2=2)), _resample(counts.sum(axis=2))
    shares = np.divide(hits, trials, out=np.full(hits.shape, np.nan), where=trials > 0)
    return _percentile_interval(np.nanmean(shares, axis=1), len(counts))


def correlation(x: Floats, y: Floats) -> float | None:
    """Return Pearson's correlation of two arrays of shape (trials,); None where one of them does not vary."""
    (value,) = _correlations(_sums(x, y)[None])
    return float(value) if np.isfinite(value) else None


def correlation_interval(x: Floats, y: Floats, people: Ints) -> tuple[float, float] | None:
    """Return the 95 % bootstrap interval over people of Pearson's correlation; None for fewer than two people.

    Args:
        x: shape (trials,).
        y: shape (trials,).
        people: number of each trial's person, shape (trials,).
    """
    sums = np.stack([_sums(x[people == person], y[people == person]) for person in np.unique(people)])
    correlations = _correlations(_resample(sums))
    return None if np.isnan(correlations).any() else _percentile_interval(correlations, len(sums))


def _sums(x: Floats, y: Floats) -> Floats:
    """Return the sums that a correlation is computed from, shape (6,)."""
    return np.array([len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y], dtype=np.float64)


def _correlations(sums: Floats) -> Floats:
    """Return correlations (sets,) from sums (sets, 6); NaN where a variance is within rounding error of 0."""
    n, x, y, xx, yy, xy = sums.T
    variances = np.stack([xx / n - (x / n) ** 2, yy / n - (y / n) ** 2])
    found = np.full(len(n), np.nan)
    np.divide(
        xy / n - x * y / n**2, np.sqrt(abs(variances).prod(axis=0)), out=found, where=variances.min(axis=0) > 1e-9
    )
    return found


def _resample(sums: Ints | Floats) -> Floats:
    """Sum over people drawn with replacement, shape (resamples, ...); the draws depend only on the number of people."""
    people = len(sums)
    draws = np.random.default_rng(0).multinomial(people, np.full(people, 1 / people), size=RESAMPLES)
    totals: Floats = np.tensordot(draws.astype(np.float64), sums, axes=1)
    return totals


def _percentile_interval(resampled: Floats, people: int) -> tuple[float, float] | None:
    """Return the 95 % interval of resampled values (resamples,); None for fewer than two people."""
    low, high = np.percentile(resampled, BOUNDS)
    return (float(low), float(high)) if people > 1 else None
