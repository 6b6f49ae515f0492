import numpy as np
import pytest

from copilot.training.evaluate import scores
from copilot.training.evaluate.scores import balanced_accuracy, calibration_error, macro_f1


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
    assert list(scores.calibration_bins(probabilities, truth)) == [(stated, 0.75, 100)]


def trials(people: int, seed: int = 0) -> tuple[scores.Ints, scores.Ints, scores.Ints]:
    """Predicted, truth and person of 90 trials each; a person is right in a share of them that is their own."""
    rng = np.random.default_rng(seed)
    truth, person = np.tile(np.arange(9), 10 * people), np.repeat(np.arange(people), 90)
    right = rng.random(len(truth)) < rng.uniform(0.2, 0.8, people)[person]
    return np.where(right, truth, (truth + 1) % 9), truth, person


def test_the_interval_is_what_drawing_people_again_and_again_gives() -> None:
    predicted, truth, person = trials(people=12)
    found = scores.accuracy_interval(scores.count_confusions(predicted, truth, person, 9))
    rng, drawn_again = np.random.default_rng(1), []
    for _ in range(1000):
        drawn = np.concatenate([np.flatnonzero(person == p) for p in rng.integers(0, 12, 12)])
        drawn_again.append(balanced_accuracy(predicted[drawn], truth[drawn]))
    assert found == pytest.approx(np.percentile(drawn_again, [2.5, 97.5]), abs=0.015)
    assert found == scores.accuracy_interval(scores.count_confusions(predicted, truth, person, 9)), "seeded"


def test_people_who_are_all_alike_leave_no_doubt_and_one_person_allows_no_interval() -> None:
    predicted, truth, person = trials(people=1)
    assert scores.accuracy_interval(scores.count_confusions(predicted, truth, person, 9)) is None
    twice = [np.concatenate([a, a + step]) for a, step in ((predicted, 0), (truth, 0), (person, 1))]
    score = balanced_accuracy(predicted, truth)
    assert scores.accuracy_interval(scores.count_confusions(*twice, 9)) == pytest.approx((score, score))


def test_a_class_that_some_people_lack_is_no_fault() -> None:
    truth, person = np.array([0, 0, 0, 1]), np.array([0, 1, 2, 2])
    low, high = scores.accuracy_interval(scores.count_confusions(truth, truth, person, 9)) or (0, 0)
    assert (low, high) == pytest.approx((1, 1))


def test_confusions_count_trials_in_which_nothing_was_named_apart() -> None:
    counts = scores.count_confusions(np.array([0, -1, 1]), np.array([0, 0, 1]), np.array([7, 7, 9]), classes=2)
    assert counts.tolist() == [[[1, 0, 1], [0, 0, 0]], [[0, 0, 0], [0, 1, 0]]]


def test_correlation_is_pearsons_with_an_interval_round_it() -> None:
    rng = np.random.default_rng(3)
    x, person = rng.normal(size=400), np.repeat(np.arange(20), 20)
    y = x + rng.normal(size=400)
    expected = np.corrcoef(x, y)[0, 1]
    assert scores.correlation(x, y) == pytest.approx(expected)
    low, high = scores.correlation_interval(x, y, person) or (1, 0)
    assert expected - 0.12 < low < expected < high < expected + 0.12


def test_what_does_not_vary_correlates_with_nothing() -> None:
    same, other, person = np.full(6, 0.1), np.arange(6.0), np.array([0, 0, 0, 1, 1, 1])
    assert scores.correlation(same, other) is None
    assert scores.correlation_interval(same, other, person) is None
