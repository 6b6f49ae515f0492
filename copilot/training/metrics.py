"""Scores of a set of readings: balanced accuracy, macro-F1, expected calibration error."""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CALIBRATION_BINS = 15


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
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [abs(confidence[bins == b].mean() - right[bins == b].mean()) * np.mean(bins == b) for b in np.unique(bins)]
    return float(np.sum(gaps))
