"""Who is learned from and who is scored on: the published split of the corpus, and the folds of the evaluation.

The published split is by person and never changes. FACED: subjects 0-79 are learned from, those from 80 on are kept
back. Any other data: the sha256 of the subject's name decides, one in five is kept back; that is the same on every
machine, whoever else is in the data.

A fold is a pair of masks over (people, clips), what is fitted on and what is scored. ``random_split`` leaks: what the
others say about unseen people, it says about people and clips that the fit has seen.
"""

import hashlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from copilot.emotions import EMOTIONS
from copilot.training.faced import TRAIN_SUBJECTS, CorpusError

TRAIN, TEST = "train", "test"

#: One subject in so many is kept back, where the data has no published split of its own.
ONE_IN = 5
FOLDS = 10
SEED = 0

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
"""Shape (people, clips)."""
Fold = tuple[Mask, Mask]


def assign_faced_subject(subject: int) -> str:
    """``train`` or ``test`` for a subject of FACED."""
    return TRAIN if subject in TRAIN_SUBJECTS else TEST


def assign_other_subject(subject: str) -> str:
    """``train`` or ``test`` for a subject of any other data, from nothing but the name."""
    digest = hashlib.sha256(subject.encode()).digest()
    return TEST if int.from_bytes(digest, "big") % ONE_IN == 0 else TRAIN


def published_split(subjects: Ints, emotions: Ints) -> list[Fold]:
    """FACED's published split as one fold.

    Args:
        subjects: their numbers, shape (people,); emotions: of the clips, shape (clips,). So for all that follow.

    Raises:
        CorpusError: nobody on one of its sides.
    """
    kept_back = np.array([assign_faced_subject(int(s)) == TEST for s in subjects], dtype=bool)
    if kept_back.all() or not kept_back.any():
        raise CorpusError("The published split needs people from both sides: subjects 0-79, and some from 80 on.")
    return [_make_person_fold(kept_back, len(emotions))]


def ten_folds(subjects: Ints, emotions: Ints) -> list[Fold]:
    """Everybody is scored once, by a fit on the other nine tenths of the people (fewer folds for fewer people)."""
    groups = _assign_groups(len(subjects))
    return [_make_person_fold(groups == fold, len(emotions)) for fold in range(groups.max() + 1)]


def subject_and_clip_folds(subjects: Ints, emotions: Ints) -> list[Fold]:
    """Ten folds in which neither a person nor a clip is on both sides.

    A fold scores a tenth of the people on one clip of every emotion, and is fitted on everybody else and all other
    clips. Over the folds everybody is scored once; which clips are left out together changes from fold to fold.
    """
    groups = _assign_groups(len(subjects))
    people = [groups == fold for fold in range(groups.max() + 1)]
    clips = _choose_held_out_clips(emotions, len(people))
    return [
        (~who[:, None] & ~which[None, :], who[:, None] & which[None, :])
        for who, which in zip(people, clips, strict=True)
    ]


def random_split(subjects: Ints, emotions: Ints) -> list[Fold]:
    """A fifth of all trials at random. It leaks: the same people and the same clips are on both sides."""
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


def _make_person_fold(kept_back: Mask, clips: int) -> Fold:
    test = np.repeat(kept_back[:, None], clips, axis=1)
    return ~test, test


def _assign_groups(people: int) -> Ints:
    """The fold in which each person is scored, shape (people,)."""
    if people < 2:
        raise CorpusError("Folds over people need at least two of them.")
    order = np.random.default_rng(SEED).permutation(people)
    return (order % min(FOLDS, people)).astype(np.int64)


def _choose_held_out_clips(emotions: Ints, folds: int) -> list[Mask]:
    """For each fold a mask of clips, one of every emotion; a clip comes again only after its emotion's others."""
    present = [np.flatnonzero(emotions == k) for k in range(len(EMOTIONS)) if (emotions == k).any()]
    if min(len(clips) for clips in present) < 2:
        raise CorpusError("Leaving out a clip of every emotion needs at least two clips of each.")
    rng = np.random.default_rng(SEED)
    orders = [np.concatenate([rng.permutation(clips) for _ in range(folds)])[:folds] for clips in present]
    return [np.isin(np.arange(len(emotions)), [order[fold] for order in orders]) for fold in range(folds)]
