"""Scores of a set of readings, and how far they would move with other people.

Everything that is resampled is first summed up for each person (a confusion matrix, the sums behind a correlation), so
that a thousand resamples of people are one product of matrices.
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
    """Mean over the classes that occur of the share of their trials that were named right; -1 is never right."""
    return float(np.mean([(predicted[truth == k] == k).mean() for k in np.unique(truth)]))


def macro_f1(predicted: Ints, truth: Ints) -> float:
    """Mean over the classes that occur of the harmonic mean of precision and recall (0 for one never named)."""
    scores = []
    for k in np.unique(truth):
        hits = np.sum((predicted == k) & (truth == k))
        scores.append(2 * hits / (np.sum(predicted == k) + np.sum(truth == k)))
    return float(np.mean(scores))


def calibration_error(probabilities: Floats, truth: Ints) -> float:
    """Expected calibration error of the first choice, 15 equal bins (Guo et al. 2017, arXiv 1706.04599).

    Args:
        probabilities: shape (trials, classes); truth: shape (trials,).
    """
    return sum(abs(stated - right) * count for stated, right, count in calibration_bins(probabilities, truth)) / len(
        truth
    )


def calibration_bins(probabilities: Floats, truth: Ints) -> Iterator[tuple[float, float, int]]:
    """For each bin that is not empty: the mean probability of the first choice, how often it was right, and trials."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    for b in np.unique(bins):
        inside = bins == b
        yield float(confidence[inside].mean()), float(right[inside].mean()), int(inside.sum())


def count_confusions(predicted: Ints, truth: Ints, people: Ints, classes: int) -> Ints:
    """For each person how often each class was named as each, shape (people, classes, classes + 1).

    The last column is for trials in which nothing was named (-1).
    """
    _, person = np.unique(people, return_inverse=True)
    counts = np.zeros((person.max() + 1, classes, classes + 1), dtype=np.int64)
    np.add.at(counts, (person, truth, predicted), 1)
    return counts


def accuracy_interval(counts: Ints) -> tuple[float, float] | None:
    """95 % bootstrap interval over people of the balanced accuracy; None for fewer than two people.

    Args:
        counts: from ``confusions``.
    """
    hits, trials = _resample(np.diagonal(counts, axis1=1, axis2=2)), _resample(counts.sum(axis=2))
    shares = np.divide(hits, trials, out=np.full(hits.shape, np.nan), where=trials > 0)
    return _percentile_interval(np.nanmean(shares, axis=1), len(counts))


def correlation(x: Floats, y: Floats) -> float | None:
    """Pearson's; None where one of them does not vary."""
    (value,) = _correlations(_sums(x, y)[None])
    return float(value) if np.isfinite(value) else None


def correlation_interval(x: Floats, y: Floats, people: Ints) -> tuple[float, float] | None:
    """95 % bootstrap interval over people of Pearson's correlation; None for fewer than two people."""
    sums = np.stack([_sums(x[people == person], y[people == person]) for person in np.unique(people)])
    correlations = _correlations(_resample(sums))
    return None if np.isnan(correlations).any() else _percentile_interval(correlations, len(sums))


def _sums(x: Floats, y: Floats) -> Floats:
    """What a correlation is made of, shape (6,)."""
    return np.array([len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y], dtype=np.float64)


def _correlations(sums: Floats) -> Floats:
    """From sums (sets, 6) to correlations (sets,), NaN where a variance is no more than rounding."""
    n, x, y, xx, yy, xy = sums.T
    variances = np.stack([xx / n - (x / n) ** 2, yy / n - (y / n) ** 2])
    found = np.full(len(n), np.nan)
    np.divide(
        xy / n - x * y / n**2, np.sqrt(abs(variances).prod(axis=0)), out=found, where=variances.min(axis=0) > 1e-9
    )
    return found


def _resample(sums: Ints | Floats) -> Floats:
    """Sums over people drawn again with replacement, shape (resamples, ...); the same draws for the same number."""
    people = len(sums)
    draws = np.random.default_rng(0).multinomial(people, np.full(people, 1 / people), size=RESAMPLES)
    totals: Floats = np.tensordot(draws.astype(np.float64), sums, axes=1)
    return totals


def _percentile_interval(resampled: Floats, people: int) -> tuple[float, float] | None:
    low, high = np.percentile(resampled, BOUNDS)
    return (float(low), float(high)) if people > 1 else None
