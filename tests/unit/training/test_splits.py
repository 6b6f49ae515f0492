import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.training import splits
from copilot.training.faced import BAD_SUBJECTS, TRAIN_SUBJECTS, CorpusError

FACED_CLIPS = np.array([k for k in range(9) for _ in range(4 if k == 4 else 3)])

people = st.lists(st.integers(0, 122), min_size=2, max_size=60, unique=True).map(np.array)
clips = st.lists(st.integers(2, 4), min_size=2, max_size=9).map(lambda n: np.repeat(np.arange(len(n)), n))
any_folds = st.sampled_from([splits.ten_folds, splits.subject_and_clip_folds, splits.random_split])


@given(any_folds, people, clips)
def test_no_trial_is_on_both_sides_and_both_sides_hold_some(make, subjects, emotions) -> None:
    for train, test in make(subjects, emotions):
        assert train.shape == test.shape == (len(subjects), len(emotions))
        assert not (train & test).any()
        assert train.any()
        assert test.any() or test.size < splits.ONE_IN


@given(any_folds, people, clips)
def test_the_same_people_give_the_same_folds(make, subjects, emotions) -> None:
    for one, other in zip(make(subjects, emotions), make(subjects, emotions), strict=True):
        assert np.array_equal(one, other)


@given(people, clips)
def test_ten_folds_score_every_trial_once_and_share_nobody(subjects, emotions) -> None:
    folds = splits.ten_folds(subjects, emotions)
    assert len(folds) == min(10, len(subjects))
    assert (sum(test.astype(int) for _, test in folds) == 1).all()
    for train, test in folds:
        assert (train | test).all()
        assert not (train.any(axis=1) & test.any(axis=1)).any()


@given(people, clips)
def test_with_subject_and_clip_left_out_neither_is_on_both_sides(subjects, emotions) -> None:
    folds = splits.subject_and_clip_folds(subjects, emotions)
    for train, test in folds:
        assert not (train.any(axis=1) & test.any(axis=1)).any()
        assert not (train.any(axis=0) & test.any(axis=0)).any()
        assert sorted(emotions[test.any(axis=0)]) == sorted(set(emotions))
        assert ((train | test).any(axis=0)).all()
    assert (sum(test.any(axis=1).astype(int) for _, test in folds) == 1).all()


def test_faced_leaves_every_clip_out_and_not_the_same_ones_together() -> None:
    folds = splits.subject_and_clip_folds(np.arange(100), FACED_CLIPS)
    left_out = [tuple(np.flatnonzero(test.any(axis=0))) for _, test in folds]
    assert len(set(left_out)) == len(folds) == 10
    assert {clip for clips in left_out for clip in clips} == set(range(28))
    assert all(len(clips) == 9 for clips in left_out)


def test_a_random_split_shares_people_and_clips_which_is_why_it_is_called_leaking() -> None:
    ((train, test),) = splits.SPLITS["random (leaks)"](np.arange(20), FACED_CLIPS)
    assert test.mean() == pytest.approx(1 / 5, abs=0.01)
    assert (train.any(axis=1) & test.any(axis=1)).all()
    assert (train.any(axis=0) & test.any(axis=0)).any()


def test_faceds_split_is_the_published_one() -> None:
    assert [n for n in range(123) if splits.assign_faced_subject(n) == splits.TRAIN] == list(TRAIN_SUBJECTS)
    assert all(splits.assign_faced_subject(n) == splits.TEST for n in range(80, 123))
    assert all(splits.assign_faced_subject(subject) == splits.TRAIN for subject in BAD_SUBJECTS)


def test_one_person_or_one_clip_cannot_be_split() -> None:
    with pytest.raises(CorpusError, match="two"):
        splits.ten_folds(np.array([1]), FACED_CLIPS)
    with pytest.raises(CorpusError, match="two clips"):
        splits.subject_and_clip_folds(np.arange(5), np.arange(9))


def test_other_peoples_split_is_fixed_for_ever_and_keeps_one_in_five_back() -> None:
    """The names' hashes are written down: a corpus made next year must not mix people up."""
    names = [f"sub-{n:02}" for n in range(1, 16)]
    assert [n for n in names if splits.assign_other_subject(n) == splits.TEST] == ["sub-02", "sub-05", "sub-06"]
    share = np.mean([splits.assign_other_subject(f"sub-{n:04}") == splits.TEST for n in range(2000)])
    assert share == pytest.approx(0.2, abs=0.03)
