"""Fit the teacher that makes targets for reading ``patterns``: discriminant analysis of the words in the prompt.

The classifier reads 1,500 values, the words contain 64 values, rounded. A teacher that reads only the words never
gives a target that the words do not support, and it gives targets for words that no recording has produced yet.
"""

from dataclasses import dataclass

import numpy as np

from copilot.eeg.classifier import Classifier, Floats, clip_probabilities, window_probabilities
from copilot.eeg.features import Array, Normal
from copilot.eeg.text_encoding import PATTERN_LINES, PATTERNS_STEP, STRENGTHS
from copilot.emotions import Probabilities, uniform_probabilities
from copilot.training import fit_classifier
from copilot.training.faced import Faced


@dataclass(frozen=True)
class WordTeacher:
    """A linear read-out of words, with a class for each scene as in ``copilot.eeg.classifier``.

    Attributes:
        weights: shape (64, scenes).
        bias: shape (scenes,).
        temperatures: for one line and for a clip's three lines, shape (2,).
        emotions: index of each clip's emotion, shape (clips,).
    """

    weights: Floats
    bias: Floats
    temperatures: Array
    emotions: fit_classifier.Ints

    @classmethod
    def fit(cls, faced: Faced, classifier: Classifier, normals: dict[int, Normal]) -> "WordTeacher":
        """Fit the read-out on whole clips and calibrate it by folds over people.

        Args:
            faced: features of the people to fit on.
            classifier: makes the patterns' strengths that the words state.
            normals: what each subject is compared with.
        """
        people = zip(faced.subjects, faced.de, strict=True)
        words = round_strengths(
            np.array([[classifier.measure_patterns(clip, normals[int(s)]) for clip in clips] for s, clips in people])
        )
        flat = words.reshape(-1, words.shape[-1])
        weights, bias = fit_classifier.lda(flat, fit_classifier.number_scenes(words), fit_classifier.SHRINKAGE)
        scores = fit_classifier.cross_scores(words, faced.emotions)
        return cls(weights, bias, fit_classifier.fit_temperatures(scores, faced), faced.emotions)

    def probabilities(self, strengths: Floats) -> Probabilities:
        """Return the probabilities for one to three lines of words.

        Args:
            strengths: strengths of the patterns before they are written as words, shape (lines, 64).

        Returns:
            Shape (9,); uniform where there is no line.
        """
        if not len(strengths):
            return uniform_probabilities()
        scores = (round_strengths(strengths) @ self.weights + self.bias).reshape(len(strengths), len(self.emotions), -1)
        one, clip = self.temperatures
        if len(strengths) == PATTERN_LINES:
            return clip_probabilities(scores / clip, self.emotions)
        mean: Probabilities = window_probabilities(scores / one, self.emotions).mean(axis=0)
        return mean


def round_strengths(strengths: Floats) -> Floats:
    """Return strengths rounded to the steps that the words state, in steps, same shape."""
    most = len(STRENGTHS) // 2
    steps: Floats = np.clip(np.rint(strengths / PATTERNS_STEP), -most, most)
    return steps
