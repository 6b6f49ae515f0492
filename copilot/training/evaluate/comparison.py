"""The references beside the product: on whom they are fitted, and in which splits they are read."""

import numpy as np

from convert.progress import bar
from copilot.training import splits
from copilot.training.evaluate import published_baselines
from copilot.training.evaluate.model import split_name
from copilot.training.evaluate.rows import Predictions
from copilot.training.evaluate.summary import HELD_OUT
from copilot.training.faced import TRAIN_SUBJECTS, CorpusError, Faced, describe
from copilot.training.splits import Fold

#: With fewer, one in five of whom calibrates, a reference says nothing.
LEAST_PEOPLE = 5
WITHOUT_TRAINING = (
    f"References on the split of the product: they are fitted on subjects {describe(np.array(TRAIN_SUBJECTS))}, and "
    "none of these is in the features; name a file that holds them with --train."
)
WITHOUT_SPLITS = (
    "References in ten folds by subject, by subject and clip, and in a random split, which leaks; --splits adds them."
)


def merge_people(features: Faced, more: Faced | None) -> Faced:
    """Everybody of two files, nobody twice.

    Raises:
        CorpusError: the files are not about the same clips.
    """
    if more is None:
        return features
    if not np.array_equal(features.emotions, more.emotions):
        raise CorpusError("The file of --train has other clips than that of --features; both have to be FACED's.")
    new = ~np.isin(more.subjects, features.subjects)
    de, subjects = np.concatenate([features.de, more.de[new]]), np.concatenate([features.subjects, more.subjects[new]])
    return Faced(de, subjects, features.emotions)


def make_folds(everybody: Faced, scored: Faced, *, all_splits: bool) -> dict[str, list[Fold]]:
    """The splits that can be made: name -> folds over everybody.

    Args:
        everybody: all people there are; scored: those that the product is scored on.
        all_splits: also those in which the product itself cannot be read, because it was not fitted for them.
    """
    learned_from, read = np.isin(everybody.subjects, TRAIN_SUBJECTS), np.isin(everybody.subjects, scored.subjects)
    found: dict[str, list[Fold]] = {}
    if learned_from.any():
        train, test = (np.repeat(who[:, None], len(everybody.emotions), axis=1) for who in (learned_from, read))
        found[split_name(scored.subjects)] = [(train, test)]
    if all_splits:
        others = {name: make for name, make in splits.SPLITS.items() if name != "published"}
        found |= {name: make(everybody.subjects, everybody.emotions) for name, make in others.items()}
    return found


def compare(everybody: Faced, wanted: dict[str, list[Fold]]) -> tuple[list[Predictions], list[str]]:
    """What the references read in each split, and why they could not where they could not."""
    found, notes = [], []
    with bar("references: fitting", sum(published_baselines.count_fits(each) for each in wanted.values())) as progress:
        for name, each in wanted.items():
            try:
                _refuse_small_folds(each)
                found += list(published_baselines.predict_folds(everybody, name, each, progress.update))
            except CorpusError as error:
                notes.append(f"References on {name}: {error}")
    return found, notes


def _refuse_small_folds(folds: list[Fold]) -> None:
    fewest = min(int(train.any(axis=1).sum()) for train, _ in folds)
    if fewest < LEAST_PEOPLE:
        raise CorpusError(f"There are {fewest} people to fit them on, and at least {LEAST_PEOPLE} are needed.")


def list_left_out(wanted: dict[str, list[Fold]], scored: Faced) -> list[str]:
    """What a reader misses, and how to get it."""
    notes = [] if split_name(scored.subjects) in wanted else [WITHOUT_TRAINING]
    return notes if HELD_OUT in wanted else [*notes, WITHOUT_SPLITS]
