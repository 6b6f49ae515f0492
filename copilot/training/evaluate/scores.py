"""Predictions for many trials, their scores with bootstrap intervals over people, and the report's rows.

Whatever is resampled is first summed up for each person (a confusion matrix, the sums behind a correlation), so that a
thousand resamples of people are one product of matrices. scipy's bootstrap would compute the score anew each time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix, f1_score, recall_score

from copilot import emotions

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CALIBRATION_BINS = 15
RESAMPLES = 1000
#: Bounds of a 95 % interval, in percent of the resamples.
BOUNDS = (2.5, 97.5)

#: Read-outs that give probabilities; the others name one emotion.
GRADED = ("logits", "decoder")
#: Class of each emotion, and of an answer that names none (-1).
CLASSES = np.array([*emotions.CLASS_OF, -1])
VALENCE = np.array([k - 1.0 for k in emotions.CLASS_OF])


class ReportRow(TypedDict):
    """One line of the report; ``low`` and ``high`` bound the balanced accuracy's 95 % interval over people.

    They are None for a single person; ``ece`` is None for a read-out that gives no probabilities.
    """

    condition: str
    evidence: bool
    unit: str
    readout: str
    classes: int
    balanced_accuracy: float
    macro_f1: float
    ece: float | None
    n: int
    model: str
    split: str
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Predictions:
    """Predictions of one model for all trials of one unit, in one condition and by one read-out.

    Attributes:
        condition: what the prompt contained, such as ``baseline`` or ``eeg-blanked``.
        evidence: whether the classifier's line was in the prompt.
        unit: ``segment-10s`` or ``clip-30s``.
        readout: ``logits`` and ``decoder`` are probabilities, ``greedy`` and ``top-k-50`` what a written answer names.
        model: name of the model's file, or of a reference.
        split: name of the split: people trained on and people scored.
        probabilities: shape (trials, 9); of a written answer a one at the emotion it names, or all zeros.
        truth: index of each trial's emotion, shape (trials,).
        subjects: number of each trial's person, shape (trials,).
    """

    condition: str
    evidence: bool
    unit: str
    readout: str
    model: str
    split: str
    probabilities: Floats
    truth: Ints
    subjects: Ints

    def rows(self) -> Iterator[ReportRow]:
        """Yield a row for nine classes and one for three."""
        for classes in (9, 3):
            probabilities, predicted, truth = self.as_classes(classes)
            interval = accuracy_interval(count_confusions(predicted, truth, self.subjects, classes))
            low, high = interval or (None, None)
            yield {
                "condition": self.condition,
                "evidence": self.evidence,
                "unit": self.unit,
                "readout": self.readout,
                "classes": classes,
                "balanced_accuracy": round(balanced_accuracy(predicted, truth), 4),
                "macro_f1": round(macro_f1(predicted, truth), 4),
                "ece": round(calibration_error(probabilities, truth), 4) if self.readout in GRADED else None,
                "n": len(truth),
                "model": self.model,
                "split": self.split,
                "low": None if low is None else round(low, 4),
                "high": None if high is None else round(high, 4),
            }

    def as_classes(self, classes: int) -> tuple[Floats, Ints, Ints]:
        """Return probabilities, predictions and truth for nine emotions or for their three classes.

        Args:
            classes: 9 or 3.

        Returns:
            Probabilities (trials, classes), the class that was named (trials,), -1 for none, and the truth (trials,).
        """
        named = np.where(self.probabilities.any(axis=1), self.probabilities.argmax(axis=1), -1)
        if classes == 9:
            return self.probabilities, named, self.truth
        three = np.stack([emotions.sum_three_classes(p) for p in self.probabilities])
        chosen = three.argmax(axis=1) if self.readout in GRADED else CLASSES[named]
        return three, chosen, CLASSES[self.truth]

    def details(self) -> dict[str, Any]:
        """Return what a row does not contain: valence, confusion matrices, calibration curve.

        The rows of a confusion matrix are the truth; trials in which nothing was named are left out.
        """
        expected = self.probabilities @ VALENCE
        interval = correlation_interval(expected, VALENCE[self.truth], self.subjects)
        found = correlation(expected, VALENCE[self.truth])
        confusions = {}
        for name, classes in (("nine", 9), ("three", 3)):
            _, predicted, truth = self.as_classes(classes)
            counts = confusion_matrix(truth, predicted, labels=np.arange(classes))
            confusions[f"confusion_{name}"] = counts.tolist()
        return {
            "condition": self.condition,
            "evidence": self.evidence,
            "unit": self.unit,
            "readout": self.readout,
            "valence_correlation": None if found is None else round(found, 4),
            "valence_interval": None if interval is None else [round(bound, 4) for bound in interval],
            **confusions,
            "calibration": [
                {"stated": round(stated, 4), "right": round(right, 4), "n": count}
                for stated, right, count in calibration_bins(self.probabilities, self.truth)
            ],
        }


def balanced_accuracy(predicted: Ints, truth: Ints) -> float:
    """Return the mean of the recalls of all classes that occur.

    Args:
        predicted: class of each trial, shape (trials,); -1 (nothing named) is never right.
        truth: shape (trials,).
    """
    return float(recall_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0))


def macro_f1(predicted: Ints, truth: Ints) -> float:
    """Return the mean F1 score of all classes that occur; a class that is never named has 0.

    Args:
        predicted: class of each trial, shape (trials,); -1 if nothing was named.
        truth: shape (trials,).
    """
    return float(f1_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0))


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
