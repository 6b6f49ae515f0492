"""Choose the people that references are fitted on, and the splits in which they are compared with the product."""

import numpy as np

from convert.progress import progress_bar
from copilot.training import splits
from copilot.training.evaluate import published_baselines
from copilot.training.evaluate.model import split_name
from copilot.training.evaluate.rows import Predictions
from copilot.training.evaluate.summary import HELD_OUT
from copilot.training.faced import TRAIN_SUBJECTS, CorpusError, Faced, describe
from copilot.training.splits import Fold

#: With fewer people, of whom one in five calibrates, a reference has no meaning.
LEAST_PEOPLE = 5
WITHOUT_TRAINING = (
    f"References on the split of the product: they are fitted on subjects {describe(np.array(TRAIN_SUBJECTS))}, and "
    "none of these is in the features; name a file that holds them with --train."
)
WITHOUT_SPLITS = (
    "References in ten folds by subject, by subject and clip, and in a random split, which leaks; --splits adds them."
)


def merge_people(features: Faced, more: Faced | None) -> Faced:
    """Return the people of two files, each person once.

    Raises:
        CorpusError: the files do not have the same clips.
    """
    if more is None:
        return features
    if not np.array_equal(features.emotions, more.emotions):
        raise CorpusError("The file of --train has other clips than that of --features; both have to be FACED's.")
    new = ~np.isin(more.subjects, features.subjects)
    de, subjects = np.concatenate([features.de, more.de[new]]), np.concatenate([features.subjects, more.subjects[new]])
    return Faced(de, subjects, features.emotions)


def make_folds(features: Faced, scored: Faced, *, all_splits: bool) -> dict[str, list[Fold]]:
    """Return the splits that can be made: name -> folds over ``features``.

    Args:
        features: features of all people.
        scored: features of those that the product is scored on.
        all_splits: add the splits in which the product itself cannot be scored, because it was not fitted for them.
    """
    in_training, in_scored = np.isin(features.subjects, TRAIN_SUBJECTS), np.isin(features.subjects, scored.subjects)
    found: dict[str, list[Fold]] = {}
    if in_training.any():
        train, test = (np.repeat(mask[:, None], len(features.emotions), axis=1) for mask in (in_training, in_scored))
        found[split_name(scored.subjects)] = [(train, test)]
    if all_splits:
        others = {name: make for name, make in splits.SPLITS.items() if name != "published"}
        found |= {name: make(features.subjects, features.emotions) for name, make in others.items()}
    return found


def compare(features: Faced, wanted: dict[str, list[Fold]]) -> tuple[list[Predictions], list[str]]:
    """Return the references' predictions in each split, and notes on splits in which they could not be fitted.

    Args:
        features: features of all people.
        wanted: splits from ``make_folds``.
    """
    found, notes = [], []
    fits = sum(published_baselines.count_fits(folds) for folds in wanted.values())
    with progress_bar("references: fitting", fits) as progress:
        for name, folds in wanted.items():
            try:
                fewest = min(int(train.any(axis=1).sum()) for train, _ in folds)
                if fewest < LEAST_PEOPLE:
                    raise CorpusError(
                        f"There are {fewest} people to fit them on, and at least {LEAST_PEOPLE} are needed."
                    )
                found += list(published_baselines.predict_folds(features, name, folds, progress.update))
            except CorpusError as error:
                notes.append(f"References on {name}: {error}")
    return found, notes


def list_left_out(wanted: dict[str, list[Fold]], scored: Faced) -> list[str]:
    """Return notes on the splits that the report lacks, and how to add them."""
    notes = [] if split_name(scored.subjects) in wanted else [WITHOUT_TRAINING]
    return notes if HELD_OUT in wanted else [*notes, WITHOUT_SPLITS]
