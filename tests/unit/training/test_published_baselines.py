from dataclasses import replace

import numpy as np
import pytest
import torch

from copilot.emotions import EMOTIONS
from copilot.training import fit_classifier, splits
from copilot.training.evaluate import baselines, published_baselines
from copilot.training.evaluate.scores import Predictions, balanced_accuracy, calibration_error
from copilot.training.faced import BAD_SUBJECTS, CorpusError, Faced
from copilot.training.splits import Fold
from tests.helpers.features_file import CLIPS, simulated_faced

CHANCE = 1 / 9
LEARNING = [model for model in published_baselines.MODELS if model != "majority"]
Found = dict[tuple[str, str, str], Predictions]


def read(faced: Faced, folds: list[Fold]) -> Found:
    """What the references read in some folds, by model, condition and unit; progress comes to what was announced."""
    counted: list[int] = []
    found = list(published_baselines.predict_folds(faced, "of a test", folds, counted.append))
    assert sum(counted) == published_baselines.count_fits(folds)
    return {(r.model, r.condition, r.unit): r for r in found}


def last(people: int, faced: Faced) -> Fold:
    """The last few people scored, the others learned from."""
    test = np.zeros(faced.de.shape[:2], bool)
    test[-people:] = True
    return ~test, test


def score(readings: Predictions) -> float:
    return balanced_accuracy(readings.probabilities.argmax(axis=1), readings.truth)


def simulated_clips(people: int) -> Faced:
    """Each clip has a signature of its own, and its emotion says nothing."""
    rng = np.random.default_rng(0)
    signatures = rng.normal(0, 0.3, (1, len(CLIPS), 30, 1, 5))
    de = 2.2 + signatures + rng.normal(0, 0.5, (people, len(CLIPS), 30, 30, 5))
    return Faced(de.astype(np.float32), np.arange(people), np.array(CLIPS))


@pytest.fixture(scope="module")
def planted() -> Found:
    faced = simulated_faced(people=24, seed=0, strength=0.15)
    return read(faced, [last(6, faced)])


def test_every_reference_is_read_with_and_without_a_baseline_in_both_units(planted: Found) -> None:
    assert len(planted) == len(published_baselines.MODELS) * 2 * 2
    for (_, _, unit), readings in planted.items():
        people = len(set(readings.subjects.tolist()))
        assert readings.probabilities.shape == (people * 28 * (3 if unit == "segment-10s" else 1), len(EMOTIONS))
        assert readings.probabilities.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("model", LEARNING)
def test_planted_emotions_are_found_in_people_who_were_not_learned_from(planted: Found, model: str) -> None:
    assert score(planted[model, "baseline", "clip-30s"]) > 0.95
    assert score(planted[model, "baseline", "segment-10s"]) > 0.8


@pytest.mark.parametrize("model", LEARNING)
def test_what_they_say_is_about_as_often_right_as_they_say(planted: Found, model: str) -> None:
    readings = planted[model, "baseline", "segment-10s"]
    assert calibration_error(readings.probabilities, readings.truth) < 0.1


def test_the_majority_always_names_the_emotion_with_the_most_clips(planted: Found) -> None:
    readings = planted["majority", "baseline", "clip-30s"]
    assert {EMOTIONS[k] for k in readings.probabilities.argmax(axis=1)} == {"neutral"}
    assert readings.probabilities[0, 4] == pytest.approx(4 / 28)
    assert score(readings) == pytest.approx(CHANCE)


def test_the_ensemble_is_not_below_its_best_member(planted: Found) -> None:
    for condition in published_baselines.CONDITIONS:
        scores = {model: score(planted[model, condition, "segment-10s"]) for model in LEARNING}
        assert scores["ensemble"] > max(scores.values()) - 0.02


def test_without_anything_planted_all_are_at_chance() -> None:
    faced = simulated_faced(people=24, seed=0, strength=0.0)
    for readings in read(faced, [last(8, faced)]).values():
        assert score(readings) == pytest.approx(CHANCE, abs=0.06)


def test_recognising_clips_helps_in_a_leaking_split_and_not_where_person_and_clip_are_new() -> None:
    faced = simulated_clips(people=20)
    leaking, honest = (
        read(faced, make(faced.subjects, faced.emotions)[:2])
        for make in (splits.random_split, splits.subject_and_clip_folds)
    )
    for model in ("decoder", "network", "ensemble"):
        assert score(leaking[model, "baseline", "clip-30s"]) > 0.9
        assert score(honest[model, "baseline", "clip-30s"]) < 0.35


def test_the_labels_of_what_is_scored_are_not_looked_at() -> None:
    faced = simulated_faced(people=12, seed=0)
    train, test = splits.subject_and_clip_folds(faced.subjects, faced.emotions)[0]
    other = faced.emotions.copy()
    other[test.any(axis=0)] = 0
    one, two = (
        published_baselines.predict_fold(f, train, test, lambda _: None)
        for f in (faced, replace(faced, emotions=other))
    )
    for key, probabilities in one.items():
        np.testing.assert_array_equal(probabilities, two[key])


def test_the_decoder_among_them_is_the_one_that_ships() -> None:
    faced = simulated_faced(people=20, seed=0)
    train, test = last(5, faced)
    found = published_baselines.predict_fold(faced, train, test, lambda _: None)["decoder", "baseline", "clip-30s"]
    learned, unseen = (
        replace(faced, de=faced.de[who], subjects=faced.subjects[who]) for who in (~test[:, 0], test[:, 0])
    )
    shipped, normals = fit_classifier.fit(learned), unseen.normals()
    theirs = [shipped.predict(t.de, normals[t.subject]) for t in unseen.trials(((0, 30),))]
    assert np.mean(found.argmax(axis=1) == np.argmax(theirs, axis=1)) > 0.95


def test_a_bad_recording_is_scored_but_not_learned_from() -> None:
    faced = simulated_faced(people=12, seed=0, strength=0.15)
    faced.subjects[0] = BAD_SUBJECTS[0]
    spoilt = replace(faced, de=faced.de.copy())
    spoilt.de[0] = np.random.default_rng(0).normal(0, 100, spoilt.de[0].shape)
    one, two = (published_baselines.predict_fold(f, *last(2, faced), lambda _: None) for f in (faced, spoilt))
    for key, probabilities in one.items():
        np.testing.assert_array_equal(probabilities, two[key])


def test_too_few_people_are_a_sentence() -> None:
    faced = simulated_faced(people=2, seed=0)
    with pytest.raises(CorpusError, match="more people"):
        read(faced, [last(1, faced)])


def test_a_missing_emotion_is_a_sentence() -> None:
    faced = simulated_faced(people=10, seed=0)
    without_joy = faced.emotions != EMOTIONS.index("joy")
    faced = Faced(faced.de[:, without_joy], faced.subjects, faced.emotions[without_joy])
    with pytest.raises(CorpusError, match="all nine emotions"):
        read(faced, [last(1, faced)])


def test_the_network_depends_on_its_seed_alone_and_leaves_other_randomness_alone() -> None:
    rng = np.random.default_rng(0)
    vectors, classes = rng.normal(size=(300, 20)).astype(np.float32), rng.integers(0, 3, 300)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one = baselines.fit_network(vectors, classes)(vectors)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(8)
    np.testing.assert_array_equal(baselines.fit_network(vectors, classes)(vectors), one)
    assert not np.array_equal(baselines.fit_network(vectors, classes, seed=1)(vectors), one)
