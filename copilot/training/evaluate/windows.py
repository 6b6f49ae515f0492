"""The windows of ten seconds that references are fitted on and read, as vectors, for any fold of people and clips."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from copilot.eeg.classifier import build_features, cut_windows
from copilot.eeg.features import Array, Normal, person_normal, standardise
from copilot.training.evaluate.metrics import Ints
from copilot.training.faced import Faced
from copilot.training.splits import Mask

#: What values are compared with: all clips of the person that a fold uses on either side, labels unseen; the people and
#: clips that are fitted on; or the same ten seconds.
SOURCES = ("person", "population", "window")

#: A window that moves less is compared as if it moved this much (differential entropy, natural units).
SMALLEST_STD = 0.1


@dataclass(frozen=True)
class Windows:
    """Trials in the order of the mask they come from, people outermost.

    Attributes:
        vectors: the three windows of each, shape (trials, 3, features).
        subjects: whose trial it is; clips: which clip; emotions: what it was to evoke; each shape (trials,).
    """

    vectors: Array
    subjects: Ints
    clips: Ints
    emotions: Ints

    def flat(self) -> Array:
        """One vector a window, shape (trials * 3, features)."""
        return self.vectors.reshape(-1, self.vectors.shape[-1])

    def of(self, trials: npt.NDArray[np.bool_]) -> "Windows":
        """Only some of the trials."""
        return Windows(self.vectors[trials], self.subjects[trials], self.clips[trials], self.emotions[trials])


def both_sides(faced: Faced, train: Mask, test: Mask, source: str) -> tuple[Windows, Windows]:
    """Windows to fit on and windows to score.

    Args:
        faced: all people; train, test: the fold, shape (people, clips) each.
        source: one of ``SOURCES``.
    """
    used = train | test
    population = Normal(faced.de[train].mean(axis=(0, 2)), faced.de[train].std(axis=(0, 2)), "population")
    normals: dict[int, Normal | None] = {}
    for person in np.flatnonzero(used.any(axis=1)).tolist():
        own = person_normal(list(faced.de[person, used[person]]))
        normals[person] = {"person": own, "population": population, "window": None}[source]
    return _windows(faced, train, normals), _windows(faced, test, normals)


def _windows(faced: Faced, trials: Mask, normals: dict[int, Normal | None]) -> Windows:
    people, clips = np.nonzero(trials)
    vectors = [_vectors(faced.de[p, c], normals[int(p)]) for p, c in zip(people, clips, strict=True)]
    return Windows(np.stack(vectors), faced.subjects[people], clips, faced.emotions[clips])


def _vectors(entropy: Array, normal: Normal | None) -> Array:
    """A clip's three windows, shape (3, features); each compared with itself where there is no normal."""
    if normal:
        return build_features(cut_windows(standardise(entropy, normal)), normal.source).astype(np.float32)
    windows = cut_windows(entropy)
    spread = np.maximum(windows.std(axis=1, keepdims=True), SMALLEST_STD)
    z: Array = (windows - windows.mean(axis=1, keepdims=True)) / spread
    return z.reshape(len(z), -1)
