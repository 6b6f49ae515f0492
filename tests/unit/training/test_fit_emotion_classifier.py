import numpy as np
import pytest

from copilot.emotions import EMOTIONS, uniform_probabilities
from copilot.training import fit_emotion_classifier
from copilot.training.faced import CorpusError, Faced
from copilot.training.fit_emotion_classifier import divide_films
from tests.helpers.features_file import CLIPS, simulated_faced


def films_that_differ_in_anything_but_emotion(people: int) -> Faced:
    rng = np.random.default_rng(1)
    films = rng.normal(0, 0.4, (1, len(CLIPS), 30, 1, 5))
    levels = rng.normal(2.2, 0.4, (people, 1, 30, 1, 5))
    de = levels + films + rng.normal(0, 0.5, (people, len(CLIPS), 30, 30, 5))
    return Faced(de.astype(np.float32), np.arange(people), np.array(CLIPS))


def test_emotions_are_told_in_films_and_people_that_were_held_out() -> None:
    faced = simulated_faced(people=15, seed=0)
    fitted = fit_emotion_classifier.fit(faced, permutations=5)
    assert fitted.gain[1] > 1
    assert fitted.is_better_than_guessing(27)
    person = simulated_faced(people=3, seed=9)
    clips = list(person.de[0])
    right = [
        fitted.predict(clip, clips[:place] + clips[place + 1 :]).argmax() == emotion
        for place, (clip, emotion) in enumerate(zip(clips, person.emotions, strict=True))
    ]
    assert np.mean(right) > 0.6
    assert fitted.predict(clips[0], []) == pytest.approx(uniform_probabilities())


def test_films_without_a_common_emotion_gain_nothing() -> None:
    fitted = fit_emotion_classifier.fit(films_that_differ_in_anything_but_emotion(15), permutations=10)
    assert fitted.gain[1] < 0.15
    assert not fitted.is_better_than_guessing(27)


def test_one_recording_to_compare_with_gains_less_than_many() -> None:
    fitted = fit_emotion_classifier.fit(simulated_faced(people=15, seed=0, strength=0.05), permutations=0)
    assert 0 < fitted.gain[0] < fitted.gain[1]


@pytest.mark.parametrize("seed", range(5))
def test_every_emotion_has_films_to_fit_and_films_to_hold_out(seed: int) -> None:
    emotions = np.array(CLIPS)
    folds = divide_films(emotions, seed)
    for emotion in range(len(EMOTIONS)):
        assert set(folds[emotions == emotion]) == {0, 1, 2}


def test_too_few_people_are_refused() -> None:
    with pytest.raises(CorpusError, match="ten people"):
        fit_emotion_classifier.fit(simulated_faced(people=3, seed=0))
