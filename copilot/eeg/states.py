"""Find what EEG can tell about the person's state: eyes open or closed, mental effort, awake or asleep.

Each state is an ``Evidence`` whose reliability was measured on people that it was not fitted on
(``copilot.training.fit_states``); a state that needs electrodes or recordings that are not there is left out.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from copilot.eeg.features import BANDS_HZ, ELECTRODES, Array
from copilot.eeg.types import SLEEP_STAGES, Recording
from copilot.evidence import Evidence
from copilot.i18n import N_

Floats = npt.NDArray[np.float64]

MODELS = Path(__file__).with_name("states.json")

REGIONS = {
    "frontal": ("Fp1", "Fp2", "F3", "F4", "F7", "F8", "Fz"),
    "central": ("C3", "C4", "Cz"),
    "temporal": ("T7", "T8"),
    "parietal": ("P3", "P4", "P7", "P8", "Pz"),
    "occipital": ("O1", "O2", "Oz", "PO3", "PO4"),
}

MIN_SECONDS = 10
"""Usable seconds for a state that is read from differential entropy."""

EYES_OPEN, EYES_CLOSED = 0.3, 0.65
"""Posterior alpha (see ``measure_posterior_alpha``) up to which eyes are open, and from which they are closed; in
FACED (eyes open) 97 % of the clips are below the first, in EEGMAT (eyes closed) half of the minutes above the
second."""

SURE = 0.8
"""Probability from which effort, or its absence, is stated."""

EPOCH_S = 30
"""Seconds of a sleep epoch (Iber et al. 2007, AASM manual)."""

SLEEP_BANDS_HZ = ((0.5, 4.0), (4.0, 8.0), (8.0, 13.0), (13.0, 30.0))
"""Bands of the features of staged nights that the classifier was fitted on; both ends are part of a band."""

WELCH_S = 2.56
"""Seconds of a Welch segment in these features (256 samples at 100 Hz)."""

NEIGHBOUR_EPOCHS = 2
"""Epochs on each side whose mean is a feature too."""

ASLEEP, AWAKE = 0.9, 0.5
"""Probability of sleep from which an epoch is asleep, and probability of wakefulness from which it is awake."""


SENTENCES = {
    ("sleep", "asleep"): N_("Asleep for most of the recording."),
    ("sleep", "awake"): N_("Awake for most of the recording."),
    ("stages", "asleep"): N_("Asleep for most of the recording, by the sleep stages in the file."),
    ("stages", "drowsy"): N_("Drowsy or asleep for most of the recording, by the sleep stages in the file."),
    ("stages", "awake"): N_("Awake for most of the recording, by the sleep stages in the file."),
    ("stages", "unclear"): N_("Awake for a part of the recording and asleep for a part, by the stages in the file."),
    ("sleep", "unclear"): N_("Awake, drowsy or asleep: the EEG does not tell."),
    ("eyes", "closed"): N_("Eyes closed: the alpha rhythm stands out over the back of the head."),
    ("eyes", "open"): N_("Eyes open: there is little alpha rhythm over the back of the head."),
    ("eyes", "unclear"): N_("Eyes open or closed: the EEG does not tell."),
    ("effort", "effort"): N_("Mental effort, if the other recordings of this person are of rest."),
    ("effort", "rest"): N_("No more mental effort than in the other recordings of this person."),
    ("effort", "unclear"): N_("Mental effort: the EEG does not tell."),
}

RELIABILITY = {
    "eyes": N_(
        "Measured on {people} people: where it names open or closed eyes it is right {right} times in 100, guessing "
        "50; it names neither {unclear} times in 100. Some people have strong alpha with open eyes too."
    ),
    "effort": N_(
        "Measured on {people} people before and during mental arithmetic, each of them kept out of the fit once: where "
        "it says something it is right {right} times in 100, guessing 50; it says nothing {unclear} times in 100. Rest "
        "came first for everybody."
    ),
    "sleep": N_(
        "Measured on the nights of {people} people, each of them kept out of the fit once: half minutes called asleep "
        "were asleep {right} times in 100, guessing {guessing}; it finds {found} of 100 half minutes of sleep. It does "
        "not find drowsiness."
    ),
}
SCORED = N_("A person or a program scored the sleep stages; they are taken from the file as they are.")


@dataclass(frozen=True)
class Logistic:
    """A logistic regression on standardised features.

    Attributes:
        mean, scale: of the features in training, shape (features,).
        weights: shape (classes, features); bias: shape (classes,).
    """

    mean: Floats
    scale: Floats
    weights: Floats
    bias: Floats

    def predict(self, features: Floats) -> Floats:
        """Return the probability of each class, shape (..., classes), of features, shape (..., features)."""
        scores = (features - self.mean) / self.scale @ self.weights.T + self.bias
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        probabilities: Floats = powers / powers.sum(axis=-1, keepdims=True)
        return probabilities


@dataclass(frozen=True)
class StateModels:
    """What ``copilot.training.fit_states`` fitted and measured.

    Attributes:
        effort: rest, effort.
        sleep: awake, N1, asleep.
        measured: for each state, the figures of its sentence in ``RELIABILITY``.
    """

    effort: Logistic
    sleep: Logistic
    measured: dict[str, dict[str, int]]

    def make_evidence(self, source: str, finding: str, probability: float | None = None) -> Evidence:
        """Return a finding about ``eyes``, ``effort`` or ``sleep`` with its sentence and its reliability."""
        reliability = N_(RELIABILITY[source], **self.measured[source])
        return Evidence(source, finding, probability, SENTENCES[source, finding], reliability)

    @classmethod
    def load(cls, path: Path = MODELS) -> "StateModels":
        """Read the models from their file."""
        stored = json.loads(path.read_text(encoding="utf-8"))
        effort, sleep = (
            Logistic(**{key: np.array(values) for key, values in stored[name].items()}) for name in ("effort", "sleep")
        )
        return cls(effort, sleep, stored["measured"])


def find_states(
    recording: Recording, trust: str, entropies: Sequence[Array], models: StateModels
) -> tuple[Evidence, ...]:
    """Find every state that this recording can tell; a poor one tells none.

    Args:
        recording: the cleaned signal.
        trust: its quality, ``good``, ``fair`` or ``poor``.
        entropies: its differential entropy, shape (30, seconds, 5), NaN where absent or not usable; then the same of
            other recordings of this person, which effort is compared with.
        models: see ``StateModels``.
    """
    if trust == "poor":
        return ()
    entropy, *others = entropies
    found = (find_sleep(recording, models), find_eyes(entropy, models), find_effort(entropy, others, models))
    return tuple(evidence for evidence in found if evidence is not None)


def measure_posterior_alpha(entropy: Array) -> float:
    """Return how far occipital alpha stands out of theta and beta, natural units of differential entropy.

    The rhythm of about 10 Hz over the back of the head grows when the eyes close (Berger 1929). Comparing it with its
    neighbouring bands of the same electrodes leaves out the device and the skull.

    Args:
        entropy: shape (30, seconds, 5), NaN where absent or not usable.

    Returns:
        NaN without an occipital electrode or with less than ``MIN_SECONDS`` usable seconds.
    """
    bands = dict(zip(BANDS_HZ, mean_by_region(entropy)["occipital"], strict=True))
    return float(bands["alpha"] - (bands["theta"] + bands["beta"]) / 2)


def find_eyes(entropy: Array, models: StateModels) -> Evidence | None:
    """Find whether the eyes were open or closed, from ``measure_posterior_alpha``; None where it cannot be measured."""
    alpha = measure_posterior_alpha(entropy)
    if not np.isfinite(alpha):
        return None
    finding = "closed" if alpha >= EYES_CLOSED else "open" if alpha <= EYES_OPEN else "unclear"
    return models.make_evidence("eyes", finding)


def find_effort(entropy: Array, others: Sequence[Array], models: StateModels) -> Evidence | None:
    """Find whether the person makes a mental effort, compared with other recordings of theirs that are taken for rest.

    Closing or opening the eyes changes the same rhythms, so that nothing is said where the eyes differ.

    Args:
        entropy: shape (30, seconds, 5), NaN where absent or not usable.
        others: the same of other recordings of this person.
        models: see ``StateModels``.

    Returns:
        None without another recording, or where a region has no electrode in both.
    """
    if not others:
        return None
    rest = np.nanmean([list(mean_by_region(other).values()) for other in others], axis=0)
    features = (np.array(list(mean_by_region(entropy).values())) - rest).ravel()
    if not np.isfinite(features).all():
        return None
    probability = float(models.effort.predict(features)[1])
    eyes = {evidence.finding for each in (entropy, *others) if (evidence := find_eyes(each, models)) is not None}
    if {"open", "closed"} <= eyes or 1 - SURE < probability < SURE:
        return models.make_evidence("effort", "unclear")
    if probability >= SURE:
        return models.make_evidence("effort", "effort", probability)
    return models.make_evidence("effort", "rest", 1 - probability)


def find_sleep(recording: Recording, models: StateModels) -> Evidence | None:
    """Find whether the person was asleep in most epochs; None where the electrodes or 30 s of signal are missing.

    Sleep stages that the file states count, not the signal.
    """
    if shares := measure_stage_shares(recording):
        asleep = shares["N2"] + shares["N3"] + shares["R"]
        found = {"asleep": asleep, "drowsy": asleep + shares["N1"], "awake": shares["W"]}
        finding = next((name for name, share in found.items() if share >= 0.5), "unclear")
        return Evidence("sleep", finding, None, SENTENCES["stages", finding], SCORED)
    powers = measure_sleep_powers(recording)
    if not len(powers):
        return None
    stages = classify_epochs(powers, models)
    shares = {stage: stages.count(stage) / len(stages) for stage in ("asleep", "awake")}
    finding = next((stage for stage, share in shares.items() if share >= 0.5), "unclear")
    return models.make_evidence("sleep", finding)


def measure_stage_shares(recording: Recording) -> dict[str, float]:
    """Return the share of a recording in each of ``SLEEP_STAGES``, as its file states them; empty if it states none."""
    shares = dict.fromkeys(SLEEP_STAGES, 0.0)
    for start, seconds, stage in recording.stages:
        shares[stage] += max(0.0, min(start + seconds, recording.seconds) - max(start, 0.0)) / recording.seconds
    return shares if any(shares.values()) else {}


def measure_sleep_powers(recording: Recording) -> Floats:
    """Measure band powers of 30-s epochs in the derivations Fpz-Cz and Pz-Oz.

    Args:
        recording: the cleaned signal, microvolts; Fpz and Oz may be the mean of their left and right neighbours.

    Returns:
        Natural logarithm of the mean power density (V^2/Hz), shape (epochs, 2 derivations, 4 bands); no epoch where
        an electrode is missing.
    """
    from scipy.signal import welch

    def signal(*names: str) -> Floats:
        rows = [recording.channels.index(name) for name in names if name in recording.channels]
        return recording.data[rows].astype(np.float64).mean(axis=0) if rows else np.empty(0)

    front = signal("Fpz") if "Fpz" in recording.channels else signal("Fp1", "Fp2")
    back = signal("Oz") if "Oz" in recording.channels else signal("O1", "O2")
    parts = (front, signal("Cz"), signal("Pz"), back)
    length = round(EPOCH_S * recording.sfreq)
    epochs = min(map(len, parts)) // length
    if not epochs:
        return np.empty((0, 2, len(SLEEP_BANDS_HZ)))
    derivations = np.stack([parts[0] - parts[1], parts[2] - parts[3]]) * 1e-6
    cut = derivations[:, : epochs * length].reshape(2, epochs, length).transpose(1, 0, 2)
    frequencies, density = welch(cut, recording.sfreq, nperseg=round(WELCH_S * recording.sfreq))
    inside = [(frequencies >= low) & (frequencies <= high) for low, high in SLEEP_BANDS_HZ]
    powers = np.stack([density[..., band].mean(axis=-1) for band in inside], axis=-1)
    logarithms: Floats = np.log(np.maximum(powers, 1e-16))
    return logarithms


def classify_epochs(powers: Floats, models: StateModels) -> list[str]:
    """Return ``asleep``, ``awake`` or ``unclear`` for each epoch.

    Args:
        powers: from ``measure_sleep_powers``, shape (epochs, 2, 4), consecutive epochs.
        models: see ``StateModels``.
    """
    awake, _, asleep = models.sleep.predict(build_sleep_features(powers)).T
    return [
        "asleep" if sleep >= ASLEEP else "awake" if wake >= AWAKE else "unclear"
        for wake, sleep in zip(awake, asleep, strict=True)
    ]


def build_sleep_features(powers: Floats) -> Floats:
    """Build the features of epochs, shape (epochs, 16), from ``measure_sleep_powers``, shape (epochs, 2, 4).

    They are the powers relative to the mean of their derivation, which leaves out the device, and their mean over the
    neighbouring epochs.
    """
    relative = (powers - powers.mean(axis=2, keepdims=True)).reshape(len(powers), -1)
    padded = np.pad(relative, ((NEIGHBOUR_EPOCHS, NEIGHBOUR_EPOCHS), (0, 0)), "edge")
    context = np.mean([padded[start : start + len(relative)] for start in range(2 * NEIGHBOUR_EPOCHS + 1)], axis=0)
    return np.concatenate([relative, context], axis=1)


def mean_by_region(entropy: Array) -> dict[str, Floats]:
    """Return the mean over usable seconds and electrodes of each region, shape (5,); NaN where there is none."""
    usable = np.isfinite(entropy).any(axis=(0, 2))
    means = {}
    for name, electrodes in REGIONS.items():
        rows = entropy[[ELECTRODES.index(electrode) for electrode in electrodes]][:, usable]
        present = np.isfinite(rows).all(axis=(1, 2))
        enough = present.any() and usable.sum() >= MIN_SECONDS
        means[name] = rows[present].mean(axis=(0, 1), dtype=float) if enough else np.full(entropy.shape[2], np.nan)
    return means
