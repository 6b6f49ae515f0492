"""What a model is shown: trials as prompts, whole and with something taken away.

Beside each score stands the same run with less in it. ``eeg-blanked`` has every value absent, ``eeg-shuffled`` shows
each trial the EEG and the evidence of one drawn at random from all people and clips; ``demographics-only`` has no EEG
at all: what a model reaches there, it did not reach by reading EEG. ``baseline-1`` to ``baseline-27`` say how much must
be known of a person: their normal comes from that many of their other clips and from the trial itself, as in use.
``one-second-late`` has each clip's seconds one place earlier: what is left there does not depend on the very moment.
``leaky-prompt`` repeats the mistake of the paper's own example, an appearance that is taken from the label.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from copilot import emotions
from copilot.eeg import text_encoding
from copilot.eeg.classifier import Classifier
from copilot.eeg.features import Array, Normal, person_normal
from copilot.llm.base import Message
from copilot.person import Person
from copilot.pipeline import EncodedEeg, encode
from copilot.training.faced import SEGMENTS, WHOLE_CLIP, CorpusError, Faced, Trial

UNITS = {"segment-10s": SEGMENTS, "clip-30s": WHOLE_CLIP}

#: How many other recordings of a person ``baseline-N`` takes.
BASELINES = (1, 2, 4, 8, 27)
#: Conditions in which no value of the EEG is to be seen.
WITHOUT_EEG = ("eeg-blanked", "demographics-only", "leaky-prompt")
#: Of these the prompt does not even say that there was an EEG.
WITHOUT_TEXT = ("demographics-only", "leaky-prompt")


@dataclass(frozen=True)
class Pass:
    """One pass over all trials: what is shown, whether the decoder's line is in the prompt, and how it is read out.

    The read-out ``decoder`` is the decoder's own opinion, without any language model.
    """

    condition: str
    evidence: bool
    readouts: tuple[str, ...]


LATE = "one-second-late"
BOTH, ALL = ("decoder", "logits"), ("logits", "greedy", "top-k-50")
RUNS = (
    Pass("baseline", True, ("decoder", *ALL)),
    Pass("baseline", False, ALL),
    Pass("no-baseline", True, BOTH),
    Pass("no-baseline", False, ("logits",)),
    Pass("eeg-blanked", True, BOTH),
    Pass("eeg-blanked", False, ("logits",)),
    Pass("eeg-shuffled", True, BOTH),
    Pass("eeg-shuffled", False, ("logits",)),
    Pass("demographics-only", False, ("logits",)),
    Pass(LATE, True, BOTH),
    *(Pass(f"baseline-{count}", True, BOTH) for count in BASELINES),
)
#: Enough to see what quantisation changed.
TWIN_RUNS = tuple(
    Pass(condition, evidence, ("logits",)) for condition in ("baseline", "no-baseline") for evidence in (True, False)
)
LEAKY_RUNS = (Pass("leaky-prompt", False, ALL),)


def possible(runs: Sequence[Pass], clips: int) -> list[Pass]:
    """Those that this many clips of a person are enough for."""
    too_many = {f"baseline-{count}" for count in BASELINES if count >= clips}
    return [run for run in runs if run.condition not in too_many]


@dataclass(frozen=True)
class PromptedTrial:
    """One trial as the prompt shows it."""

    person: Person
    eeg: EncodedEeg
    truth: int
    subject: int

    @property
    def evidence(self) -> emotions.Probabilities:
        """The classifier's nine probabilities."""
        assert self.eeg.evidence is not None
        return self.eeg.evidence

    def messages(self, with_evidence: bool) -> list[Message]:
        """Build the prompt, with the classifier's line or without."""
        (messages,) = self.eeg.build_prompts(self.person, with_evidence=with_evidence)
        return messages


def make_items(faced: Faced, unit: str, condition: str, decoder: Classifier, codec: str) -> list[PromptedTrial]:
    """All trials as a condition shows them.

    Args:
        faced: features of the people who are scored.
        unit: key of ``UNITS``; condition: see above; codec: how the EEG is written.
        decoder: gives the evidence, and what is normal where the person is unknown.

    Raises:
        CorpusError: features cannot be written in this codec.
    """
    if codec not in text_encoding.OF_FEATURES:
        known = " or ".join(f"`{name}`" for name in text_encoding.OF_FEATURES)
        raise CorpusError(f"The codec {codec!r} cannot be written from features; score a model of {known}.")
    if condition == LATE:  # the first second goes to the end, so that a clip stays thirty seconds long
        faced = replace(faced, de=np.roll(faced.de, -1, axis=3))
    trials = list(faced.trials(UNITS[unit]))
    items = [
        _item(trial, condition, normal, decoder, codec)
        for trial, normal in zip(trials, _normals(faced, trials, condition, decoder), strict=True)
    ]
    if condition != "eeg-shuffled":
        return items
    order = np.random.default_rng(0).permutation(len(items))
    return [
        replace(a, eeg=replace(a.eeg, texts=items[i].eeg.texts, evidence=items[i].evidence))
        for a, i in zip(items, order, strict=True)
    ]


def _item(trial: Trial, condition: str, normal: Normal, decoder: Classifier, codec: str) -> PromptedTrial:
    entropy = np.full_like(trial.de, np.nan) if condition in WITHOUT_EEG else trial.de
    eeg = encode(entropy, normal, decoder, codec)
    if condition in WITHOUT_TEXT:
        eeg = replace(eeg, texts=("",))
    person = somebody(trial.subject)
    if condition == "leaky-prompt":
        person = leaking(person, trial.emotion)
    return PromptedTrial(person, eeg, trial.emotion, trial.subject)


def _normals(faced: Faced, trials: Sequence[Trial], condition: str, decoder: Classifier) -> Iterator[Normal]:
    """What each trial is compared with."""
    if condition == "no-baseline":
        yield from [decoder.population] * len(trials)
    elif condition.startswith("baseline-"):
        count = int(condition.removeprefix("baseline-"))
        clips_of = dict(zip(faced.subjects.tolist(), faced.de, strict=True))
        for trial in trials:
            yield person_normal([trial.de, *_others(clips_of[trial.subject], trial, count)])
    else:
        normals = faced.normals()
        yield from (normals[trial.subject] for trial in trials)


def _others(clips: Array, trial: Trial, count: int) -> list[Array]:
    """Some of the person's other clips; the first few of a longer list are the whole of a shorter one."""
    order = np.random.default_rng([trial.subject, trial.clip]).permutation(len(clips))
    return [clips[i] for i in order if i != trial.clip][:count]


def somebody(subject: int) -> Person:
    """Gender and age drawn at random for each subject: the features file has none, and they must not matter."""
    rng = np.random.default_rng(subject)
    return Person(gender=str(rng.choice(["female", "male"])), age=int(rng.integers(18, 40)))


def leaking(person: Person, emotion: int) -> Person:
    """The person with an appearance that tells the class of the label: the mistake to be warned of."""
    return replace(person, appearance=f"seems {emotions.THREE_CLASSES[emotions.CLASS_OF[emotion]]}")
