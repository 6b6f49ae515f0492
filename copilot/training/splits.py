"""Split people and clips into those to train on and those to score: the corpus's published split, and folds.

The published split is by person and never changes. FACED: subjects 0-79 are for training, those from 80 on are held
out. Any other data: the sha256 of the subject's name decides, and one in five is held out; the result is the same on
every machine and does not depend on the other subjects.

A fold is a pair of masks over (people, clips): trials to fit on and trials to score. ``random_split`` leaks: it scores
people and clips that the fit has seen, the other splits score people that it has not.
"""

import hashlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from copilot.emotions import EMOTIONS
from copilot.training.faced import TRAIN_SUBJECTS, CorpusError

TRAIN, TEST = "train", "test"

#: One subject in so many is held out where the data has no published split of its own.
ONE_IN = 5
FOLDS = 10
SEED = 0

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
"""Shape (people, clips)."""
Fold = tuple[Mask, Mask]


def assign_faced_subject(subject: int) -> str:
    """Return ``train`` or ``test`` for a subject of FACED."""
    return TRAIN if subject in TRAIN_SUBJECTS else TEST


def assign_other_subject(subject: str) -> str:
    """Return ``train`` or ``test`` for a subject of any other data; only the name decides."""
    digest = hashlib.sha256(subject.encode()).digest()
    return TEST if int.from_bytes(digest, "big") % ONE_IN == 0 else TRAIN


def published_split(subjects: Ints, emotions: Ints) -> list[Fold]:
    """Return FACED's published split as one fold.

    Args:
        subjects: numbers of the people, shape (people,).
        emotions: index of each clip's emotion, shape (clips,).

    Raises:
        CorpusError: one of the two sides has no people.
    """
    held_out = np.array([assign_faced_subject(int(s)) == TEST for s in subjects], dtype=bool)
    if held_out.all() or not held_out.any():
        raise CorpusError("The published split needs people from both sides: subjects 0-79, and some from 80 on.")
    return [_make_person_fold(held_out, len(emotions))]


def ten_folds(subjects: Ints, emotions: Ints) -> list[Fold]:
    """Return ten folds by person (fewer for fewer people): each scores a tenth of the people, fitted on all others.

    Args:
        subjects: numbers of the people, shape (people,).
        emotions: index of each clip's emotion, shape (clips,).

    Raises:
        CorpusError: there are fewer than two people.
    """
    groups = _assign_groups(len(subjects))
    return [_make_person_fold(groups == fold, len(emotions)) for fold in range(groups.max() + 1)]


def subject_and_clip_folds(subjects: Ints, emotions: Ints) -> list[Fold]:
    """Return ten folds in which neither a person nor a clip is on both sides.

    A fold scores a tenth of the people on one clip of every emotion, and is fitted on all other people and all other
    clips. Over the folds every person is scored once; which clips are held out together changes from fold to fold.

    Args:
        subjects: numbers of the people, shape (people,).
        emotions: index of each clip's emotion, shape (clips,).

    Raises:
        CorpusError: there are fewer than two people, or an emotion has fewer than two clips.
    """
    groups = _assign_groups(len(subjects))
    people = [groups == fold for fold in range(groups.max() + 1)]
    clips = _choose_held_out_clips(emotions, len(people))
    return [
        (~person_mask[:, None] & ~clip_mask[None, :], person_mask[:, None] & clip_mask[None, :])
        for person_mask, clip_mask in zip(people, clips, strict=True)
    ]


def random_split(subjects: Ints, emotions: Ints) -> list[Fold]:
    """Return one fold that scores a random fifth of all trials; it leaks, with people and clips on both sides.

    Args:
        subjects: numbers of the people, shape (people,).
        emotions: index of each clip's emotion, shape (clips,).
    """
    shape = (len(subjects), len(emotions))
    order = np.random.default_rng(SEED).permutation(shape[0] * shape[1]).reshape(shape)
    test = order < order.size // ONE_IN
    return [(~test, test)]


#: Every split by the name it has in a report.
SPLITS: dict[str, Callable[[Ints, Ints], list[Fold]]] = {
    "published": published_split,
    "ten folds by subject": ten_folds,
    "subject and clip": subject_and_clip_folds,
    "random (leaks)": random_split,
}


def _make_person_fold(held_out: Mask, clips: int) -> Fold:
    """Return the fold that scores all clips of some people, given as a mask of shape (people,)."""
    test = np.repeat(held_out[:, None], clips, axis=1)
    return ~test, test


def _assign_groups(people: int) -> Ints:
    """Return the number of the fold in which each person is scored, shape (people,)."""
    if people < 2:
        raise CorpusError("Folds over people need at least two of them.")
    order = np.random.default_rng(SEED).permutation(people)
    return (order % min(FOLDS, people)).astype(np.int64)


def _choose_held_out_clips(emotions: Ints, folds: int) -> list[Mask]:
    """Return for each fold a mask of clips (clips,), one per emotion; a clip recurs only after its emotion's others."""
    present = [np.flatnonzero(emotions == k) for k in range(len(EMOTIONS)) if (emotions == k).any()]
    if min(len(clips) for clips in present) < 2:
        raise CorpusError("Leaving out a clip of every emotion needs at least two clips of each.")
    rng = np.random.default_rng(SEED)
    orders = [np.concatenate([rng.permutation(clips) for _ in range(folds)])[:folds] for clips in present]
    return [np.isin(np.arange(len(emotions)), [order[fold] for order in orders]) for fold in range(folds)]
