"""Turn trials into prompts, complete and with parts removed.

The report compares each score with the same run in other conditions. In ``eeg-blanked`` every value of the EEG is
absent; in ``eeg-shuffled`` each trial shows the EEG and the evidence of a trial drawn at random from all people and
clips; ``demographics-only`` has no EEG at all: a score that is reached there does not come from EEG. ``baseline-1`` to
``baseline-27`` measure how much must be known of a person: their normal comes from that many of their other clips and
from the trial itself, as in use. ``one-second-late`` moves each clip's seconds one place earlier: what is left there
does not depend on the exact moment. ``leaky-prompt`` repeats the mistake of the paper's own example, an appearance that
is taken from the label.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from copilot import emotions
from copilot.eeg import text_encoding
from copilot.eeg.classifier import Classifier
from copilot.eeg.features import Array, person_normal
from copilot.llm.base import Message
from copilot.person import Person
from copilot.pipeline import EncodedEeg, encode
from copilot.training.faced import SEGMENTS, WHOLE_CLIP, CorpusError, Faced, Trial

UNITS = {"segment-10s": SEGMENTS, "clip-30s": WHOLE_CLIP}

#: Numbers of a person's other recordings for ``baseline-N``.
BASELINES = (1, 2, 4, 8, 27)
#: Conditions in which the prompt shows no value of the EEG.
WITHOUT_EEG = ("eeg-blanked", "demographics-only", "leaky-prompt")
#: Those of them in which the prompt does not mention EEG at all.
WITHOUT_TEXT = ("demographics-only", "leaky-prompt")


@dataclass(frozen=True)
class Pass:
    """One pass over all trials.

    Attributes:
        condition: what the prompt shows, see above.
        evidence: whether the classifier's line is in the prompt.
        readouts: names of the read-outs; ``decoder`` is the classifier's own probabilities, without a language model.
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
#: Runs of the model before quantisation, enough to measure what quantisation changed.
UNQUANTISED_RUNS = tuple(
    Pass(condition, evidence, ("logits",)) for condition in ("baseline", "no-baseline") for evidence in (True, False)
)
LEAKY_RUNS = (Pass("leaky-prompt", False, ALL),)


def select_possible_runs(runs: Sequence[Pass], clips: int) -> list[Pass]:
    """Return the runs that are possible with this many clips of a person."""
    too_many = {f"baseline-{count}" for count in BASELINES if count >= clips}
    return [run for run in runs if run.condition not in too_many]


@dataclass(frozen=True)
class PromptedTrial:
    """One trial as the prompt shows it.

    Attributes:
        person: gender, age and appearance in the prompt; of nobody, as in use, but in controls.
        eeg: text encoding of the EEG, and the evidence.
        truth: index of the clip's emotion.
        subject: number of the person.
    """

    person: Person
    eeg: EncodedEeg
    truth: int
    subject: int

    @property
    def evidence(self) -> emotions.Probabilities:
        """The classifier's probabilities, shape (9,)."""
        assert self.eeg.evidence is not None
        return self.eeg.evidence

    def messages(self, with_evidence: bool) -> list[Message]:
        """Build the prompt, with the classifier's line or without."""
        (messages,) = self.eeg.build_prompts(self.person, with_evidence=with_evidence)
        return messages


def make_prompted_trials(
    faced: Faced, unit: str, condition: str, classifier: Classifier, codec: str
) -> list[PromptedTrial]:
    """Return all trials as a condition shows them.

    Args:
        faced: features of the people who are scored.
        unit: key of ``UNITS``.
        condition: see above.
        classifier: gives the evidence, and the normal where the person is unknown.
        codec: name of the text encoding.

    Raises:
        CorpusError: features cannot be written in this text encoding.
    """
    if codec not in text_encoding.FEATURE_CODECS:
        known = " or ".join(f"`{name}`" for name in text_encoding.FEATURE_CODECS)
        raise CorpusError(f"The codec {codec!r} cannot be written from features; score a model of {known}.")
    if condition == LATE:  # the first second goes to the end, so that a clip stays thirty seconds long
        faced = replace(faced, de=np.roll(faced.de, -1, axis=3))
    normals, clips_of = faced.normals(), dict(zip(faced.subjects.tolist(), faced.de, strict=True))
    prompted = []
    for trial in faced.trials(UNITS[unit]):
        # 1. What the trial is compared with.
        normal = normals[trial.subject]
        if condition == "no-baseline":
            normal = classifier.population
        elif condition.startswith("baseline-"):
            count = int(condition.removeprefix("baseline-"))
            normal = person_normal([trial.de, *choose_other_clips(clips_of[trial.subject], trial, count)])

        # 2. The EEG as in use, or what is left of it.
        entropy = np.full_like(trial.de, np.nan) if condition in WITHOUT_EEG else trial.de
        eeg = encode(entropy, normal, classifier, codec)
        if condition in WITHOUT_TEXT:
            eeg = replace(eeg, texts=("",))

        # 3. Probabilities are read of nobody; in the controls gender and age are at random, as the features have none.
        person = Person()
        if condition in WITHOUT_TEXT:
            rng = np.random.default_rng(trial.subject)
            person = Person(gender=str(rng.choice(["female", "male"])), age=int(rng.integers(18, 40)))
        if condition == "leaky-prompt":
            person = reveal_label(person, trial.emotion)
        prompted.append(PromptedTrial(person, eeg, trial.emotion, trial.subject))

    # 4. Each trial gets the EEG of another.
    if condition == "eeg-shuffled":
        other = [prompted[i].eeg for i in np.random.default_rng(0).permutation(len(prompted))]
        prompted = [
            replace(trial, eeg=replace(trial.eeg, texts=eeg.texts, evidence=eeg.evidence))
            for trial, eeg in zip(prompted, other, strict=True)
        ]
    return prompted


def choose_other_clips(clips: Array, trial: Trial, count: int) -> list[Array]:
    """Choose ``count`` of the person's other clips; a longer list begins with the clips of a shorter one."""
    order = np.random.default_rng([trial.subject, trial.clip]).permutation(len(clips))
    return [clips[i] for i in order if i != trial.clip][:count]


def reveal_label(person: Person, emotion: int) -> Person:
    """Return the person with an appearance that names the class of the label: the mistake that is measured."""
    return replace(person, appearance=f"seems {emotions.THREE_CLASSES[emotions.CLASS_OF[emotion]]}")
