from pathlib import Path

import numpy as np
import pytest

from copilot.eeg.classifier import ClassifierError
from copilot.eeg.emotion_classifier import (
    MIN_SECONDS,
    EmotionClassifier,
    build_features,
    calibrate,
    compare_with_baseline,
)
from copilot.eeg.features import ELECTRODES, Array
from copilot.emotions import CLASS_OF, EMOTIONS, uniform_probabilities

JOY = EMOTIONS.index("joy")


@pytest.fixture
def classifier() -> EmotionClassifier:
    """A classifier for which more beta at O1 and O2 than usual is joy."""
    weights = np.zeros((30, 5, 9))
    weights[[ELECTRODES.index("O1"), ELECTRODES.index("O2")], 3, JOY] = 0.1
    return EmotionClassifier(
        weights=np.concatenate([weights.reshape(150, 9), np.zeros((150, 9))]).astype(np.float32),
        bias=np.zeros(9, np.float32),
        between=np.ones((30, 5), np.float32),
        covariance=np.tile(0.8 + 0.2 * np.eye(30, dtype=np.float32), (5, 1, 1)),
        slopes=np.array([[2.0, 1.0], [4.0, 2.0]]),
        largest_norm=np.array(30.0),
        gain=np.array([0.01, 0.06]),
        accuracy=np.array([0.13, 0.17]),
        permuted_gain=np.array([0.03, 0.05]),
    )


def recording(seconds: int = 60, *, beta: float = 0.0, seed: int = 0) -> Array:
    entropy = np.random.default_rng(seed).normal(2, 0.3, (30, seconds, 5)).astype(np.float32)
    entropy[:, :, 3] += beta
    return entropy


def test_the_difference_to_the_persons_other_recordings_counts(classifier: EmotionClassifier) -> None:
    others = [recording(seed=1), recording(seed=2)]
    more = classifier.predict(recording(beta=0.5), others)
    assert more.argmax() == JOY
    assert more[JOY] > 1.5 / 9
    assert classifier.predict(recording(beta=-0.5), others)[JOY] < 1 / 9
    shifted = [other + 3 for other in others]
    assert classifier.predict(recording(beta=0.5) + 3, shifted) == pytest.approx(more, abs=0.01)


def test_without_another_recording_nothing_is_told(classifier: EmotionClassifier) -> None:
    assert classifier.predict(recording(beta=0.5), []) == pytest.approx(uniform_probabilities())


@pytest.mark.parametrize("seconds", [0, MIN_SECONDS - 1])
def test_too_few_seconds_tell_nothing(classifier: EmotionClassifier, seconds: int) -> None:
    assert classifier.predict(recording(seconds, beta=0.5), [recording(seed=1)]) == pytest.approx(
        uniform_probabilities()
    )
    assert classifier.predict(recording(beta=0.5), [recording(seconds, seed=1)]) == pytest.approx(
        uniform_probabilities()
    )


def test_just_enough_seconds_do(classifier: EmotionClassifier) -> None:
    seconds = recording(60, beta=0.5)
    seconds[:, MIN_SECONDS:] = np.nan
    assert classifier.predict(seconds, [recording(seed=1)]).argmax() == JOY


def test_what_is_unlike_all_training_tells_nothing(classifier: EmotionClassifier) -> None:
    noise = np.random.default_rng(0).normal(20, 5, (30, 60, 5)).astype(np.float32)
    assert classifier.predict(noise, [recording(seed=1)]) == pytest.approx(uniform_probabilities())


def test_absent_electrodes_are_filled_in(classifier: EmotionClassifier) -> None:
    without = recording(beta=0.5)
    without[[ELECTRODES.index("O1"), ELECTRODES.index("O2")]] = np.nan
    assert classifier.predict(without, [recording(seed=1), recording(seed=2)]).argmax() == JOY


def test_no_electrode_tells_nothing(classifier: EmotionClassifier) -> None:
    nothing = np.full((30, 60, 5), np.nan, np.float32)
    assert classifier.predict(nothing, [recording(seed=1)]) == pytest.approx(uniform_probabilities())


def test_more_recordings_to_compare_with_make_it_surer(classifier: EmotionClassifier) -> None:
    others = [recording(seed=seed) for seed in range(1, 9)]
    few, many = (classifier.predict(recording(beta=0.5), others[:count])[JOY] for count in (1, 8))
    assert many > few > 1 / 9


def test_the_gain_must_be_above_that_of_permuted_films(classifier: EmotionClassifier) -> None:
    assert not classifier.is_better_than_guessing(0)
    assert not classifier.is_better_than_guessing(1)
    assert classifier.is_better_than_guessing(2)


def test_one_recording_is_compared_by_the_populations_variance() -> None:
    mean, means, variances = np.full((30, 5), 3.0), np.full((1, 30, 5), 1.0), np.full((1, 30, 5), 2.0)
    z = compare_with_baseline(mean, means, variances, np.full((30, 5), 0.5, np.float32))
    assert z == pytest.approx(2 / np.sqrt(0.5 * 2 * 2))


def test_the_persons_own_variance_counts_more_with_more_recordings() -> None:
    rng = np.random.default_rng(0)
    means = rng.normal(0, 3, (200, 30, 5))
    z = compare_with_baseline(np.full((30, 5), 3.0), means, np.ones((200, 30, 5)), np.ones((30, 5), np.float32))
    assert z.mean() == pytest.approx(1, abs=0.1)


def test_features_are_the_values_and_their_pattern_over_the_scalp() -> None:
    features = build_features(np.full((30, 5), 9.0))
    assert features[:150] == pytest.approx(3)
    assert features[150:] == pytest.approx(0)


def test_slopes_of_zero_are_guessing_and_larger_ones_are_surer() -> None:
    scores = np.random.default_rng(0).normal(size=(7, 9))
    assert calibrate(scores, np.zeros(2)) == pytest.approx(np.full((7, 9), 1 / 9))
    assert calibrate(scores, np.array([1.0, 1.0])) == pytest.approx(
        np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    )


def test_the_first_slope_is_between_negative_neutral_and_positive() -> None:
    scores = np.array(CLASS_OF, dtype=float)
    assert calibrate(scores, np.array([0.0, 5.0])) == pytest.approx(uniform_probabilities())
    assert calibrate(scores, np.array([5.0, 0.0]))[-1] > 0.2


def test_a_saved_classifier_says_the_same(classifier: EmotionClassifier, tmp_path: Path) -> None:
    classifier.save(tmp_path / "classifier.npz")
    loaded = EmotionClassifier.load(tmp_path / "classifier.npz")
    args = recording(beta=0.5), [recording(seed=1)]
    assert loaded.predict(*args) == pytest.approx(classifier.predict(*args))
    assert len(loaded.sha256) == 64


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_damaged_or_missing_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "classifier.npz").write_bytes(content)
    with pytest.raises(ClassifierError, match=r"classifier\.npz"):
        EmotionClassifier.load(tmp_path / "classifier.npz")


def test_slopes_go_from_one_recording_to_many(classifier: EmotionClassifier) -> None:
    assert classifier.slopes_for(1) == pytest.approx([2, 1])
    assert classifier.slopes_for(2) == pytest.approx([3, 1.5])
    assert classifier.slopes_for(1000) == pytest.approx([4, 2], rel=0.01)
