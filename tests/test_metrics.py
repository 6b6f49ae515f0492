import numpy as np
import pytest

from copilot.training.metrics import balanced_accuracy, calibration_error, macro_f1


def test_balanced_accuracy_weighs_classes_not_trials() -> None:
    truth = np.array([0] * 90 + [1] * 10)
    assert balanced_accuracy(np.zeros(100, dtype=int), truth) == pytest.approx(0.5)


def test_no_answer_is_never_right() -> None:
    truth = np.array([0, 1, 2])
    assert balanced_accuracy(np.array([-1, -1, 2]), truth) == pytest.approx(1 / 3)


def test_macro_f1_of_a_known_confusion() -> None:
    truth, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert macro_f1(predicted, truth) == pytest.approx((2 / 3 + 4 / 5) / 2)


@pytest.mark.parametrize(("stated", "expected"), [(0.75, 0.0), (1.0, 0.25)])
def test_calibration_error_is_the_gap_between_what_is_said_and_what_happens(stated: float, expected: float) -> None:
    probabilities = np.tile([stated, 1 - stated], (100, 1))
    truth = np.array([0] * 75 + [1] * 25)
    assert calibration_error(probabilities, truth) == pytest.approx(expected)
