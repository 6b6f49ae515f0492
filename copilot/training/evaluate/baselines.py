"""Fit one kind of reference on windows of ten seconds, calibrate it on people set apart for it, and predict trials."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from copilot.eeg.classifier import (
    WINDOWS_PER_CLIP,
    build_features,
    clip_probabilities,
    cut_windows,
    window_probabilities,
)
from copilot.eeg.features import Array, Normal, person_normal, standardise
from copilot.emotions import EMOTIONS
from copilot.training.evaluate.scores import Floats, Ints
from copilot.training.faced import SECOND_COHORT, CorpusError, Faced
from copilot.training.fit_classifier import fit_lda, fit_temperature
from copilot.training.splits import Mask

SEGMENT, CLIP = UNITS = ("segment-10s", "clip-30s")
#: One person in so many is set apart: of the second cohort or, where that is absent, of all people.
ONE_IN_LATER, ONE_IN = 2, 5
#: Smallest standard deviation that a window's values are divided by (differential entropy, natural units).
SMALLEST_STD = 0.1

#: The network: width of its hidden layer, dropout, and how it is trained.
HIDDEN, DROPOUT = 256, 0.5
EPOCHS, BATCH, RATE, WEIGHT_DECAY = 10, 256, 2e-3, 1e-2

Score = Callable[[Array], npt.NDArray[np.floating]]
"""Scores of classes (n, classes) for vectors (n, features)."""


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
        source: what values are compared with. ``person``: all clips of the person on either side of the fold, without
            labels; ``population``: the people and clips that are fitted on; ``window``: the same ten seconds.
    """
    # 1. What each person's values are compared with.
    used = train | test
    population = Normal(faced.de[train].mean(axis=(0, 2)), faced.de[train].std(axis=(0, 2)), "population")
    normals: dict[int, Normal | None] = {}
    for person in np.flatnonzero(used.any(axis=1)).tolist():
        own = person_normal(list(faced.de[person, used[person]]))
        normals[person] = {"person": own, "population": population, "window": None}[source]

    # 2. The vectors of both sides.
    sides = []
    for mask in (train, test):
        people, clips = np.nonzero(mask)
        vectors = []
        for person, clip in zip(people.tolist(), clips.tolist(), strict=True):
            normal = normals[person]
            if normal:
                z = cut_windows(standardise(faced.de[person, clip], normal))
                vectors.append(build_features(z, normal.source).astype(np.float32))
            else:
                windows = cut_windows(faced.de[person, clip])
                spread = np.maximum(windows.std(axis=1, keepdims=True), SMALLEST_STD)
                vectors.append(((windows - windows.mean(axis=1, keepdims=True)) / spread).reshape(len(windows), -1))
        sides.append(Windows(np.stack(vectors), faced.subjects[people], clips, faced.emotions[clips]))
    return sides[0], sides[1]


def fit_network(vectors: Array, classes: Ints, seed: int = 0) -> Score:
    """Train a network with one hidden layer for a fixed number of epochs with AdamW.

    Args:
        vectors: shape (samples, features).
        classes: class of each sample, shape (samples,), 0 to classes - 1.
        seed: seeds weights and batches; the same seed gives the same network.

    Returns:
        A function that returns log probabilities of the classes, shape (n, classes), for vectors (n, features).
    """
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Dropout(DROPOUT),
            nn.Linear(vectors.shape[1], HIDDEN),
            nn.BatchNorm1d(HIDDEN),
            nn.GELU(),
            nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN, int(classes.max()) + 1),
        )
        inputs, labels = torch.from_numpy(vectors), torch.from_numpy(classes)
        batches = max(1, len(inputs) // BATCH)
        optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
        rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * batches)
        for _ in range(EPOCHS):
            for batch in torch.randperm(len(inputs)).tensor_split(batches):
                loss = nn.functional.cross_entropy(network(inputs[batch]), labels[batch])
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                rates.step()
    network.eval()

    def score(unseen: Array) -> Array:
        with torch.no_grad():
            found: Array = network(torch.from_numpy(unseen)).log_softmax(dim=1).numpy()
        return found

    return score


@dataclass(frozen=True)
class Baseline:
    """A kind of reference.

    Attributes:
        fit: fits on vectors (n, features) and classes (n,), and returns a function that scores vectors.
        by_scene: whether its classes are the three scenes of each clip, as in the classifier, or the nine emotions.
    """

    fit: Callable[[Array, Ints], Score]
    by_scene: bool


BASELINES = {
    "lda": Baseline(fit_lda, by_scene=False),
    "decoder": Baseline(fit_lda, by_scene=True),
    "network": Baseline(fit_network, by_scene=True),
}


@dataclass(frozen=True)
class CalibratedPredictions:
    """Calibrated probabilities of one unit.

    Attributes:
        apart: of the windows or trials that were set apart, shape (n, 9).
        truth: their emotions, shape (n,).
        scored: of the windows or trials to score, shape (m, 9); their truth is not here, because nothing may learn it.
    """

    apart: Floats
    truth: Ints
    scored: Floats


def fit_and_predict(baseline: Baseline, train: Windows, test: Windows) -> dict[str, CalibratedPredictions]:
    """Fit, find a temperature for each unit on people set apart, fit again on all people, and predict ``test``.

    Args:
        baseline: the kind of reference.
        train: windows to fit and calibrate on.
        test: windows to predict.

    Returns:
        Predictions by unit.

    Raises:
        CorpusError: there are so few people that a clip is missing without those set apart.
    """
    # 1. Set people apart: some of FACED's second cohort where there is one, which is more like new people.
    subjects = np.unique(train.subjects)
    later = subjects[subjects >= SECOND_COHORT]
    apart = np.isin(train.subjects, later[::ONE_IN_LATER] if len(later) > 1 else subjects[::ONE_IN])
    rest, held = train.select(~apart), train.select(apart)
    if set(rest.clips) != set(train.clips):
        raise CorpusError(
            "References need more people: some are set apart, and the others have to have seen all clips."
        )

    # 2. Fit without them and score them; fit on all people and score the others.
    clips, first = np.unique(train.clips, return_index=True)

    def score_unseen(seen: Windows, unseen: Windows) -> Floats:
        """Fit on one side and return the other's scores, shape (trials, 3, classes)."""
        if baseline.by_scene:
            scenes = np.searchsorted(clips, seen.clips)[:, None] * WINDOWS_PER_CLIP + np.arange(WINDOWS_PER_CLIP)
            classes = scenes.reshape(-1)
        else:
            classes = np.repeat(seen.emotions, WINDOWS_PER_CLIP)
        found = baseline.fit(seen.flatten(), classes)(unseen.flatten())
        return found.astype(np.float64).reshape(len(unseen.clips), WINDOWS_PER_CLIP, -1)

    scores, wanted = score_unseen(rest, held), score_unseen(train, test)

    # 3. A temperature for each unit.
    emotions = train.emotions[first]

    def to_probabilities(unit: str, scores: Floats, temperature: float) -> Floats:
        """Return probabilities of emotions, shape (windows or trials, 9); a clip's scores of emotions are averaged."""
        scores = scores / temperature
        if not baseline.by_scene:
            found: Floats = softmax(scores if unit == SEGMENT else scores.mean(axis=1), axis=-1)
            return found.reshape(-1, len(EMOTIONS))
        by_clip = scores.reshape(*scores.shape[:2], len(clips), WINDOWS_PER_CLIP)
        if unit == CLIP:
            return clip_probabilities(by_clip, emotions)
        return window_probabilities(by_clip, emotions).reshape(-1, len(EMOTIONS))

    calibrated = {}
    for unit in UNITS:
        truth = np.repeat(held.emotions, WINDOWS_PER_CLIP) if unit == SEGMENT else held.emotions
        temperature = fit_temperature(partial(to_probabilities, unit, scores), truth)
        calibrated[unit] = CalibratedPredictions(
            to_probabilities(unit, scores, temperature), truth, to_probabilities(unit, wanted, temperature)
        )
    return calibrated
