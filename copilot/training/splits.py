"""Split people and clips into those to train on and those to score: the corpus's published split, and folds.

The published split is by person and never changes. FACED: subjects 0-79 are for training, those from 80 on are held
out. Any other data: the sha256 of the subject's name decides, and one in five is held out; the result is the same on
every machine and does not depend on the other subjects.

A fold is a pair of masks over (people, clips): trials to fit on and trials to score. ``random_split`` leaks: it scores
people and clips that the fit has seen, the other splits score people that it has not. scikit-learn's ``GroupKFold``
would group people otherwise, and change published figures; none of its splitters leaves out people and clips at once.
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


def ten_folds(subjects: Ints, emotions: Ints) -> list[Fold]:
    """Return ten folds by person (fewer for fewer people): each scores a tenth of the people, fitted on all others.

    Args:
        subjects: numbers of the people, shape (people,).
        emotions: index of each clip's emotion, shape (clips,).

    Raises:
        CorpusError: there are fewer than two people.
    """
    groups = np.repeat(_assign_groups(len(subjects))[:, None], len(emotions), axis=1)
    return [(groups != fold, groups == fold) for fold in range(groups.max() + 1)]


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
    folds = int(groups.max()) + 1
    of_emotion = [np.flatnonzero(emotions == k) for k in range(len(EMOTIONS)) if (emotions == k).any()]
    if min(len(clips) for clips in of_emotion) < 2:
        raise CorpusError("Leaving out a clip of every emotion needs at least two clips of each.")
    # In each fold a clip of every emotion is held out; a clip recurs only after its emotion's others.
    rng = np.random.default_rng(SEED)
    orders = [np.concatenate([rng.permutation(clips) for _ in range(folds)])[:folds] for clips in of_emotion]
    found = []
    for fold in range(folds):
        person, clip = groups == fold, np.isin(np.arange(len(emotions)), [order[fold] for order in orders])
        found.append((~person[:, None] & ~clip[None, :], person[:, None] & clip[None, :]))
    return found


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


#: The splits besides the published one, by the names they have in a report.
SPLITS: dict[str, Callable[[Ints, Ints], list[Fold]]] = {
    "ten folds by subject": ten_folds,
    "subject and clip": subject_and_clip_folds,
    "random (leaks)": random_split,
}


def _assign_groups(people: int) -> Ints:
    """Return the number of the fold in which each person is scored, shape (people,)."""
    if people < 2:
        raise CorpusError("Folds over people need at least two of them.")
    order = np.random.default_rng(SEED).permutation(people)
    return (order % min(FOLDS, people)).astype(np.int64)
