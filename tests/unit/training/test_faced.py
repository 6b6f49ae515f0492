from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from copilot.training.faced import CorpusError, describe, load, parse_subjects
from tests.helpers.features_file import simulated_faced, write_features


def test_a_file_written_in_faceds_layout_reads_back(tmp_path: Path) -> None:
    faced = simulated_faced(people=3, seed=1)
    read = load(write_features(tmp_path / "f.npz", faced))
    assert np.array_equal(read.de, faced.de)
    assert read.subjects.tolist() == [100, 101, 102]
    assert read.emotions.tolist() == faced.emotions.tolist()


def test_subjects_are_chosen_by_number(tmp_path: Path) -> None:
    read = load(write_features(tmp_path / "f.npz", simulated_faced(people=3, seed=1)))
    assert read.select([101, 999]).subjects.tolist() == [101]
    with pytest.raises(CorpusError, match="100-102"):
        read.select(range(5))


def test_segments_are_the_seconds_they_say() -> None:
    faced = simulated_faced(people=1, seed=0)
    trials = list(faced.trials(((0, 10), (20, 30))))
    assert len(trials) == 28 * 2
    assert np.array_equal(trials[1].de, faced.de[0, 0][:, 20:30])


@pytest.mark.parametrize(("text", "numbers"), [("80-82", [80, 81, 82]), ("1, 5,7-8", [1, 5, 7, 8]), ("3", [3])])
def test_subject_ranges(text: str, numbers: list[int]) -> None:
    assert parse_subjects(text) == numbers
    assert parse_subjects(describe(np.array(numbers))) == numbers


@pytest.mark.parametrize("text", ["", "a-b", "3-", "-3", "1,,2"])
def test_subject_ranges_that_are_none(text: str) -> None:
    with pytest.raises(CorpusError):
        parse_subjects(text)


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04", b"hello"])
def test_a_missing_or_damaged_file_is_a_sentence(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "f.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"f\.npz"):
        load(path)


@pytest.mark.parametrize("damage", ["nan", "short", "people"])
def test_features_of_another_shape_or_with_holes_are_a_sentence(damage: str, tmp_path: Path) -> None:
    faced = simulated_faced(people=2, seed=1)
    if damage == "nan":
        faced.de[0, 0, 0, 0, 0] = np.nan
    elif damage == "short":
        faced = replace(faced, de=faced.de[:, :, :, :20])
    else:
        faced = replace(faced, subjects=faced.subjects[:1])
    with pytest.raises(CorpusError, match="30 s of finite values"):
        load(write_features(tmp_path / "f.npz", faced))
