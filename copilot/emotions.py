"""Define the nine emotions of FACED, their three classes and their valence (Chen et al. 2023, Sci Data 10:740).

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

#: How far the first emotion is ahead of the others; see ``grade_confidence``.
CONFIDENCES = ("clear", "leaning", "unclear")

Probabilities = npt.NDArray[np.float64]
"""Shape (9,), in the order of ``EMOTIONS``, non-negative, sum 1."""


def uniform_probabilities() -> Probabilities:
    """Return one ninth for each emotion, shape (9,)."""
    return np.full(len(EMOTIONS), 1 / len(EMOTIONS))


def is_uniform(probabilities: Sequence[float] | Probabilities) -> bool:
    """Return whether nine probabilities, shape (9,), are all the same, so that there is nothing to show."""
    return max(probabilities) - min(probabilities) < 0.001


def sum_three_classes(probabilities: Sequence[float] | Probabilities) -> npt.NDArray[np.float64]:
    """Return the sums of nine probabilities, shape (9,), as (negative, neutral, positive), shape (3,)."""
    totals = np.bincount(CLASS_OF, weights=np.asarray(probabilities, dtype=float), minlength=3)
    return totals.astype(np.float64)


def compute_valence(probabilities: Sequence[float] | Probabilities) -> float:
    """Return the expected valence from -1 (negative) to +1 (positive): P(positive) - P(negative)."""
    negative, _, positive = sum_three_classes(probabilities)
    return float(positive - negative)


def find_top_emotion(probabilities: Sequence[float] | Probabilities) -> str:
    """Return the most probable emotion of nine probabilities, shape (9,)."""
    return EMOTIONS[int(np.argmax(probabilities))]


def sort_by_probability(probabilities: Sequence[float] | Probabilities) -> list[tuple[str, float]]:
    """Return (emotion, probability) pairs, the most probable first; ties keep the order of ``EMOTIONS``."""
    order = np.argsort(-np.asarray(probabilities), kind="stable")
    return [(EMOTIONS[i], float(probabilities[i])) for i in order]


def grade_confidence(
    probabilities: Sequence[float] | Probabilities, trust: str = "good", named_from: float = 1.5
) -> str:
    """Return how far the first emotion is ahead of the others.

    ``clear``: at least twice chance and 1.5 times the second; ``leaning``: at least ``named_from`` times chance; else
    ``unclear``.
    A recording of ``poor`` quality is always ``unclear``: whatever the read-out's probabilities are, they hardly come
    from the brain.

    Args:
        probabilities: nine, shape (9,).
        trust: the recording's quality, ``good``, ``fair`` or ``poor``.
        named_from: how many times as likely as by chance an emotion has to be to be named.
    """
    if trust == "poor":
        return "unclear"
    (_, first), (_, second) = sort_by_probability(probabilities)[:2]
    chance = 1 / len(EMOTIONS)
    if first >= 2 * chance and first >= 1.5 * second:
        return "clear"
    return "leaning" if first >= named_from * chance else "unclear"
