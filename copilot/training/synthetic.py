"""Make synthetic training data: people, evidence, recordings with fewer electrodes; none of it depends on a label."""

import random

import numpy as np

from copilot import emotions
from copilot.eeg.features import ELECTRODES, Array
from copilot.person import GENDERS, Person
from copilot.prompt import POOR, STATES

#: Electrodes of the usual 19-channel montage; a common recording lacks the others.
NINETEEN = frozenset(ELECTRODES) - {"FC1", "FC2", "FC5", "FC6", "CP1", "CP2", "CP5", "CP6", "PO3", "PO4", "Oz"}
SHARE_FEWER_ELECTRODES = 0.4

OWN_WORDS = {
    "appearance": (
        "tired after work", "calm and quiet", "a bit restless", "as usual", "well rested", "pale", "tense shoulders",
        "smiling now and then", "slow to answer", "neatly dressed", "looks away often", "awake and curious",
    ),
    "complaint": (
        "sleeps badly", "headache in the evening", "none", "trouble concentrating", "worries about exams",
        "no appetite lately", "back pain", "feels lonely at times", "wants to know more about themselves",
        "short of breath when nervous", "low energy", "arguments at home",
    ),
    "history": (
        "none known", "migraine", "healthy", "asthma", "broken arm as a child", "high blood pressure",
        "treated for low mood years ago", "no medication", "allergies", "thyroid treated", "wears glasses",
        "operation last year",
    ),
}  # fmt: skip


def drop_electrodes(entropy: Array, rng: random.Random) -> Array:
    """Drop electrodes from four recordings in ten: all but the usual 19, or all but 4 to 29.

    Args:
        entropy: differential entropy, shape (30, seconds, 5).
        rng: decides whether and which.

    Returns:
        The same shape, NaN for the electrodes that were dropped.
    """
    if rng.random() >= SHARE_FEWER_ELECTRODES:
        return entropy
    kept = NINETEEN if rng.random() < 0.7 else set(rng.sample(ELECTRODES, rng.randint(4, 29)))
    entropy = entropy.copy()
    entropy[[i for i, name in enumerate(ELECTRODES) if name not in kept]] = np.nan
    return entropy


def invent_person(rng: random.Random) -> Person:
    """Return a person whose gender, age and own words are independent of any label."""
    words = {name: rng.choice(choices) if rng.random() < 0.4 else "" for name, choices in OWN_WORDS.items()}
    age = None if rng.random() < 0.05 else min(99, int(rng.triangular(5, 100, 25)))
    return Person(gender=rng.choice(GENDERS), age=age, **words)


def invent_evidence(rng: random.Random) -> emotions.Probabilities:
    """Return nine random probabilities, shape (9,), from flat to peaked, so that every evidence line occurs."""
    weights = np.array([rng.gammavariate(shape, 1.0) for shape in [rng.choice((0.3, 1.0, 5.0))] * 9]) + 1e-3
    probabilities: emotions.Probabilities = weights / weights.sum()
    return probabilities


def invent_states(rng: random.Random, *, unusable: bool) -> tuple[str, ...]:
    """Return words for what the EEG tells of the person's state, in the order of ``prompt.list_states``.

    Args:
        rng: draws them.
        unusable: whether the signal may be poor, and the person asleep.
    """
    if unusable and rng.random() < 0.15:
        return (POOR,)
    sleep, eyes, effort = (
        list(dict.fromkeys(word for (source, _), word in STATES.items() if source == which))
        for which in ("sleep", "eyes", "effort")
    )
    asleep, awake = sleep
    words = [asleep] if unusable and rng.random() < 0.2 else [awake] if rng.random() < 0.6 else []
    words += [rng.choice(eyes)] if rng.random() < 0.7 else []
    words += [rng.choice(effort)] if rng.random() < 0.4 else []
    return tuple(words)
