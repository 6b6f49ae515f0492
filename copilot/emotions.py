"""The nine emotions of FACED, their three classes and their valence (Chen et al. 2023, Sci Data 10:740).

Everything that names, orders or groups emotions takes it from here: nine probabilities are always an array in
the order of ``EMOTIONS``.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

EMOTIONS = ("anger", "disgust", "fear", "sadness", "neutral", "amusement", "inspiration", "joy", "tenderness")
THREE_CLASSES = ("negative", "neutral", "positive")

#: Index into ``THREE_CLASSES`` of each emotion.
CLASS_OF = (0, 0, 0, 0, 1, 2, 2, 2, 2)

#: How far the first emotion stands out; see ``confidence``.
CONFIDENCES = ("clear", "leaning", "unclear")

Probabilities = npt.NDArray[np.float64]
"""Shape (9,), in the order of ``EMOTIONS``, non-negative, sum 1."""


def uniform_probabilities() -> Probabilities:
    """Knowing nothing: one ninth each."""
    return np.full(len(EMOTIONS), 1 / len(EMOTIONS))


def sum_three_classes(probabilities: Sequence[float] | Probabilities) -> npt.NDArray[np.float64]:
    """Sum nine probabilities into (negative, neutral, positive), shape (3,)."""
    totals = np.bincount(CLASS_OF, weights=np.asarray(probabilities, dtype=float), minlength=3)
    return totals.astype(np.float64)


def compute_valence(probabilities: Sequence[float] | Probabilities) -> float:
    """Expected valence from -1 (negative) to +1 (positive): P(positive) - P(negative)."""
    negative, _, positive = sum_three_classes(probabilities)
    return float(positive - negative)


def find_top_emotion(probabilities: Sequence[float] | Probabilities) -> str:
    """The most probable emotion."""
    return EMOTIONS[int(np.argmax(probabilities))]


def sort_by_probability(probabilities: Sequence[float] | Probabilities) -> list[tuple[str, float]]:
    """(emotion, probability) pairs, most probable first; ties keep the order of ``EMOTIONS``."""
    order = np.argsort(-np.asarray(probabilities), kind="stable")
    return [(EMOTIONS[i], float(probabilities[i])) for i in order]


def grade_confidence(probabilities: Sequence[float] | Probabilities, trust: str = "good") -> str:
    """How far the first emotion stands out.

    ``clear``: at least twice chance and 1.5 times the second; ``leaning``: at least 1.5 times chance; else ``unclear``.
    Nothing stands out of a recording whose quality (``trust``) is ``poor``: however sure a read-out is of it, what it
    read was hardly the brain.
    """
    if trust == "poor":
        return "unclear"
    (_, first), (_, second) = sort_by_probability(probabilities)[:2]
    chance = 1 / len(EMOTIONS)
    if first >= 2 * chance and first >= 1.5 * second:
        return "clear"
    return "leaning" if first >= 1.5 * chance else "unclear"
