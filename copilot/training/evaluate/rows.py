"""Predictions for many trials, and the report's rows that are computed from them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np

from copilot import emotions
from copilot.training.evaluate import metrics
from copilot.training.evaluate.metrics import Floats, Ints

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
            interval = metrics.accuracy_interval(metrics.count_confusions(predicted, truth, self.subjects, classes))
            low, high = interval or (None, None)
            yield {
                "condition": self.condition,
                "evidence": self.evidence,
                "unit": self.unit,
                "readout": self.readout,
                "classes": classes,
                "balanced_accuracy": round(metrics.balanced_accuracy(predicted, truth), 4),
                "macro_f1": round(metrics.macro_f1(predicted, truth), 4),
                "ece": round(metrics.calibration_error(probabilities, truth), 4) if self.readout in GRADED else None,
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
        """Return what a row does not contain: valence, confusion matrices (rows are the truth), calibration curve."""
        expected = self.probabilities @ VALENCE
        interval = metrics.correlation_interval(expected, VALENCE[self.truth], self.subjects)
        correlation = metrics.correlation(expected, VALENCE[self.truth])
        return {
            "condition": self.condition,
            "evidence": self.evidence,
            "unit": self.unit,
            "readout": self.readout,
            "valence_correlation": None if correlation is None else round(correlation, 4),
            "valence_interval": None if interval is None else [round(bound, 4) for bound in interval],
            "confusion_nine": self._count_confusion(9),
            "confusion_three": self._count_confusion(3),
            "calibration": [
                {"stated": round(stated, 4), "right": round(right, 4), "n": count}
                for stated, right, count in metrics.calibration_bins(self.probabilities, self.truth)
            ],
        }

    def _count_confusion(self, classes: int) -> list[list[int]]:
        """Return the confusion matrix over all people, without trials in which nothing was named."""
        _, predicted, truth = self.as_classes(classes)
        counts = metrics.count_confusions(predicted, truth, self.subjects, classes).sum(axis=0)
        return [[int(count) for count in row] for row in counts[:, :classes]]
