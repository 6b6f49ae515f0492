"""Names, groups and read-outs of the nine emotions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from copilot import emotions

weights = arrays(float, 9, elements=st.floats(1e-3, 1e3))


def one(name):
    return np.eye(9)[emotions.EMOTIONS.index(name)]


@pytest.mark.parametrize(
    ("name", "three_class", "valence"),
    [("anger", "negative", -1), ("sadness", "negative", -1), ("neutral", "neutral", 0), ("tenderness", "positive", 1)],
)
def test_a_certain_emotion_has_its_class_and_valence(name, three_class, valence):
    probabilities = one(name)
    assert emotions.find_top_emotion(probabilities) == name
    assert emotions.THREE_CLASSES[emotions.sum_three_classes(probabilities).argmax()] == three_class
    assert emotions.compute_valence(probabilities) == valence


def test_faced_has_four_negative_one_neutral_and_four_positive_emotions():
    assert emotions.sum_three_classes(emotions.uniform_probabilities()) == pytest.approx([4 / 9, 1 / 9, 4 / 9])


def test_equal_probabilities_keep_their_order_and_are_unclear():
    ranked = emotions.sort_by_probability(emotions.uniform_probabilities())
    assert tuple(name for name, _ in ranked) == emotions.EMOTIONS
    assert emotions.grade_confidence(emotions.uniform_probabilities()) == "unclear"


@pytest.mark.parametrize(
    ("first", "second", "confidence"), [(0.40, 0.20, "clear"), (0.30, 0.28, "leaning"), (0.15, 0.14, "unclear")]
)
def test_confidence_needs_a_lead_over_chance_and_over_the_second(first, second, confidence):
    rest = np.full(7, (1 - first - second) / 7)
    assert emotions.grade_confidence([second, first, *rest]) == confidence


@settings(deadline=None)
@given(weights)
def test_the_three_classes_share_out_everything(values):
    probabilities = values / values.sum()
    classes = emotions.sum_three_classes(probabilities)
    assert classes.sum() == pytest.approx(1)
    assert emotions.compute_valence(probabilities) == pytest.approx(classes[2] - classes[0])
    shares = [p for _, p in emotions.sort_by_probability(probabilities)]
    assert shares == sorted(shares, reverse=True)
