"""Who teaches the language model to read ``patterns``: discriminant analysis of the very words that it is shown.

The decoder beside the model sees 1,500 values, the words keep 64 of them, rounded. A teacher that sees no more than the
words never asks for what cannot be read, and it can be asked about words that nobody's EEG has shown yet.
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
        weights: shape (64, scenes); bias: shape (scenes,).
        temperatures: for one line and for a clip's three, shape (2,).
        emotions: of the clips, shape (clips,).
    """

    weights: Floats
    bias: Floats
    temperatures: Array
    emotions: fit_classifier.Ints

    @classmethod
    def fit(cls, faced: Faced, decoder: Classifier, normals: dict[int, Normal]) -> "WordTeacher":
        """Fit it on whole clips; ``normals`` says what each subject is compared with."""
        people = zip(faced.subjects, faced.de, strict=True)
        words = rounded(np.array([[decoder.patterns(clip, normals[int(s)]) for clip in clips] for s, clips in people]))
        flat = words.reshape(-1, words.shape[-1])
        weights, bias = fit_classifier.lda(flat, fit_classifier.scenes(words), fit_classifier.SHRINKAGE)
        scores = fit_classifier.cross_scores(words, faced.emotions)
        return cls(weights, bias, fit_classifier.temperatures(scores, faced), faced.emotions)

    def probabilities(self, strengths: Floats) -> Probabilities:
        """What the words of one to three lines say.

        Args:
            strengths: of the patterns before they are written as words, shape (lines, 64).

        Returns:
            Shape (9,); uniform where there is no line.
        """
        if not len(strengths):
            return uniform_probabilities()
        scores = (rounded(strengths) @ self.weights + self.bias).reshape(len(strengths), len(self.emotions), -1)
        one, clip = self.temperatures
        if len(strengths) == PATTERN_LINES:
            return clip_probabilities(scores / clip, self.emotions)
        mean: Probabilities = window_probabilities(scores / one, self.emotions).mean(axis=0)
        return mean


def rounded(strengths: Floats) -> Floats:
    """The strengths that the words tell, in steps."""
    most = len(STRENGTHS) // 2
    steps: Floats = np.clip(np.rint(strengths / PATTERNS_STEP), -most, most)
    return steps
