from pathlib import Path

import numpy as np
import pytest

from copilot.eeg import classifier
from copilot.eeg.classifier import Classifier, ClassifierError
from copilot.eeg.features import ELECTRODES
from copilot.emotions import EMOTIONS, uniform_probabilities
from copilot.training import fit_classifier
from copilot.training.faced import CorpusError
from tests.helpers.features_file import simulated_faced


@pytest.fixture(scope="module")
def decoder() -> Classifier:
    return fit_classifier.fit(simulated_faced(people=15, seed=0))


def accuracy(decoder: Classifier, *, own_normal: bool, absent: tuple[str, ...] = ()) -> float:
    people = simulated_faced(people=5, seed=9)
    rows = [ELECTRODES.index(name) for name in absent]
    right = []
    for subject, clips in zip(people.subjects, people.de, strict=True):
        normal = people.normals()[int(subject)] if own_normal else decoder.population
        for emotion, de in zip(people.emotions, clips.copy(), strict=True):
            de[rows] = np.nan
            right.append(decoder.predict(de, normal).argmax() == emotion)
    return float(np.mean(right))


@pytest.mark.parametrize("own_normal", [True, False])
def test_it_recovers_planted_patterns_in_people_it_never_saw(decoder: Classifier, own_normal: bool) -> None:
    assert accuracy(decoder, own_normal=own_normal) > 0.6


def test_the_persons_baseline_helps(decoder: Classifier) -> None:
    assert accuracy(decoder, own_normal=True) > accuracy(decoder, own_normal=False)


def test_absent_electrodes_are_filled_in(decoder: Classifier) -> None:
    absent = ("FC1", "FC2", "FC5", "FC6", "CP1", "CP2", "CP5", "CP6", "PO3", "PO4", "Oz")
    assert accuracy(decoder, own_normal=True, absent=absent) > 0.5


@pytest.mark.parametrize("seconds", [0, 9, 30])
def test_nothing_to_read_gives_nine_equal_probabilities(decoder: Classifier, seconds: int) -> None:
    blank = np.full((30, seconds, 5), np.nan, np.float32)
    assert decoder.predict(blank, decoder.population) == pytest.approx(uniform_probabilities())


def test_probabilities_are_probabilities_even_for_absurd_input(decoder: Classifier) -> None:
    absurd = np.full((30, 20, 5), 1e6, np.float32)
    p = decoder.predict(absurd, decoder.population)
    assert p.shape == (len(EMOTIONS),)
    assert p.sum() == pytest.approx(1)
    assert np.isfinite(p).all()


def test_clean_seconds_count_wherever_they_are(decoder: Classifier) -> None:
    people = simulated_faced(people=1, seed=5)
    holes = people.de[0, 0].copy()
    holes[:, ::3] = np.nan  # no ten seconds in a row are left, twenty in all
    p = decoder.predict(holes, people.normals()[int(people.subjects[0])])
    assert p.argmax() == people.emotions[0]
    assert p.max() > 0.2


def test_saved_and_loaded_it_is_the_same(decoder: Classifier, tmp_path: Path) -> None:
    decoder.save(tmp_path / "d.npz")
    de = simulated_faced(people=1, seed=3).de[0, 4]
    again = Classifier.load(tmp_path / "d.npz")
    assert again.predict(de, again.population) == pytest.approx(decoder.predict(de, decoder.population))


def test_a_decoder_needs_people_to_be_calibrated_on() -> None:
    with pytest.raises(CorpusError, match="at least 5 people"):
        fit_classifier.fit(simulated_faced(people=4, seed=0))


@pytest.mark.parametrize("content", [None, b"", b"not a zip", b"PK\x03\x04 broken"])
def test_a_missing_or_damaged_file_is_named_in_one_sentence(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ClassifierError, match=r"d\.npz"):
        Classifier.load(path)


def test_an_absent_electrode_is_what_its_neighbours_let_expect() -> None:
    """Two electrodes that always have the same value: the absent one is filled with that of the other."""
    covariance = np.repeat(np.eye(30)[None], 5, axis=0)
    covariance[:, 0, 1] = covariance[:, 1, 0] = 1.0
    z = np.random.default_rng(0).standard_normal((30, 4, 5)).astype(np.float32)
    z[0] = np.nan
    filled = classifier.fill_electrodes(z, covariance)
    np.testing.assert_allclose(filled[0], z[1], rtol=0.002)
    np.testing.assert_array_equal(filled[1:], z[1:])
