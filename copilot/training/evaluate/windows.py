"""Cut a fold's people and clips into windows of ten seconds, as vectors that references are fitted on and predict."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from copilot.eeg.classifier import build_features, cut_windows
from copilot.eeg.features import Array, Normal, person_normal, standardise
from copilot.training.evaluate.metrics import Ints
from copilot.training.faced import Faced
from copilot.training.splits import Mask

#: What values are compared with: all clips of the person on either side of the fold, without labels; the people and
#: clips that are fitted on; or the same ten seconds.
SOURCES = ("person", "population", "window")

#: Smallest standard deviation that a window's values are divided by (differential entropy, natural units).
SMALLEST_STD = 0.1


@dataclass(frozen=True)
class Windows:
    """Trials in the order of the mask they come from, people outermost.

    Attributes:
        vectors: the three windows of each trial, shape (trials, 3, features).
        subjects: number of each trial's person, shape (trials,).
        clips: number of each trial's clip, shape (trials,).
        emotions: index of the emotion that the clip was to evoke, shape (trials,).
    """

    vectors: Array
    subjects: Ints
    clips: Ints
    emotions: Ints

    def flatten(self) -> Array:
        """Return one vector per window, shape (trials * 3, features)."""
        return self.vectors.reshape(-1, self.vectors.shape[-1])

    def select(self, trials: npt.NDArray[np.bool_]) -> "Windows":
        """Return some of the trials, given as a mask of shape (trials,)."""
        return Windows(self.vectors[trials], self.subjects[trials], self.clips[trials], self.emotions[trials])


def make_fold_windows(faced: Faced, train: Mask, test: Mask, source: str) -> tuple[Windows, Windows]:
    """Return the windows to fit on and the windows to score.

    Args:
        faced: features of all people.
        train: trials to fit on, shape (people, clips).
        test: trials to score, shape (people, clips).
        source: what values are compared with, one of ``SOURCES``.
    """
    used = train | test
    population = Normal(faced.de[train].mean(axis=(0, 2)), faced.de[train].std(axis=(0, 2)), "population")
    normals: dict[int, Normal | None] = {}
    for person in np.flatnonzero(used.any(axis=1)).tolist():
        own = person_normal(list(faced.de[person, used[person]]))
        normals[person] = {"person": own, "population": population, "window": None}[source]
    return _collect_windows(faced, train, normals), _collect_windows(faced, test, normals)


def _collect_windows(faced: Faced, trials: Mask, normals: dict[int, Normal | None]) -> Windows:
    """Return the windows of the trials in a mask of shape (people, clips)."""
    people, clips = np.nonzero(trials)
    vectors = [_compute_vectors(faced.de[p, c], normals[int(p)]) for p, c in zip(people, clips, strict=True)]
    return Windows(np.stack(vectors), faced.subjects[people], clips, faced.emotions[clips])


def _compute_vectors(entropy: Array, normal: Normal | None) -> Array:
    """Return a clip's three windows, shape (3, features); each is compared with itself where there is no normal."""
    if normal:
        return build_features(cut_windows(standardise(entropy, normal)), normal.source).astype(np.float32)
    windows = cut_windows(entropy)
    spread = np.maximum(windows.std(axis=1, keepdims=True), SMALLEST_STD)
    z: Array = (windows - windows.mean(axis=1, keepdims=True)) / spread
    return z.reshape(len(z), -1)
