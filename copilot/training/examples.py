"""Training examples for the language model: prompts from FACED's features, answers from the project's own texts.

An example's prompt is built by ``copilot.prompt``, exactly as in use. Gender, age and the person's own words are drawn
without a look at the label (the paper's example gave the answer away there). The decoder's evidence in a prompt comes
from a decoder that did not see the person.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from copilot import emotions, prompt
from copilot.eeg.codecs import bands_text
from copilot.eeg.features import ELECTRODES, Array, Normal
from copilot.engine.base import Message
from copilot.person import GENDERS, Person
from copilot.training import texts
from copilot.training.faced import SEGMENTS, WHOLE_CLIP, Faced
from copilot.training.fit_decoder import Floats, cross_fitted, population_normal

SPANS = SEGMENTS + WHOLE_CLIP

#: Electrodes of the usual 19-channel cap; a common recording lacks the others.
NINETEEN = frozenset(ELECTRODES) - {"FC1", "FC2", "FC5", "FC6", "CP1", "CP2", "CP5", "CP6", "PO3", "PO4", "Oz"}

#: How often a training prompt is of each kind.
SHARE_PERSON = 0.6
SHARE_EVIDENCE = 0.7
SHARE_BLANK = 0.06
SHARE_NO_EEG = 0.04
SHARE_INVENTED_EVIDENCE = 0.15
SHARE_FEWER_ELECTRODES = 0.4
SHARE_CHAT = 0.4
MOST_QUESTIONS = 6

#: Asked more often than the other 40 topics: the answer has to follow the reading's confidence, not its wording.
CERTAINTY = ("sure", "confidence")
SHARE_CERTAINTY = 0.25

#: What the label slot is taught: mostly the evidence where there is some, else half the truth, half the decoder.
TRUTH_BESIDE_EVIDENCE = 0.1
TRUTH_ALONE = 0.5

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


@dataclass(frozen=True)
class Example:
    """One conversation to learn.

    Attributes:
        messages: system, user, assistant, then perhaps a question and its answer.
        label: index of the emotion that the answer names.
        target: what the label slot should say, nine probabilities.
        truth: index of the clip's emotion where the prompt shows that clip with the decoder's real evidence, else None.
    """

    messages: list[Message]
    label: int
    target: emotions.Probabilities
    truth: int | None = None


@dataclass(frozen=True)
class Material:
    """Everything examples are drawn from."""

    faced: Faced
    normals: dict[int, Normal]
    population: Normal
    evidence: dict[str, Floats]

    @classmethod
    def of(cls, faced: Faced) -> "Material":
        """Prepare it; cross-fits the decoder, about ten seconds."""
        return cls(faced, faced.normals(), population_normal(faced), cross_fitted(faced))

    def examples(self, seed: int, drills: float = 0.0, talks: float = 0.0) -> Iterator[Example]:
        """Examples without end; the same seed gives the same ones.

        Args:
            seed: of all that is drawn.
            drills: share of short examples that only teach to read an evidence line. They are cheap, and without them
                the label slot, one token of a long example, was still at chance after 3,000 examples.
            talks: share of examples that are mostly questions and answers. Without them the model answered fluently,
                but not what was asked.
        """
        rng = random.Random(seed)
        while True:
            kind = rng.random()
            if kind < drills:
                yield self._short(rng, questions=0)
            elif kind < drills + talks:
                yield self._short(rng, questions=rng.randint(2, MOST_QUESTIONS))
            else:
                yield self._example(rng)

    def _short(self, rng: random.Random, questions: int) -> Example:
        """Nothing but an evidence line and the label, then perhaps questions about it."""
        who, clip, span = (rng.randrange(n) for n in (*self.faced.de.shape[:2], len(SPANS)))
        source = rng.choice(("person", "population"))
        evidence = invent_evidence(rng) if rng.random() < 0.5 else self.evidence[source][who, clip, span]
        answer = prompt.label_prefix(evidence).removesuffix("\nAssessment:")
        messages: list[Message] = [
            {"role": "user", "content": prompt.evidence_line(evidence)},
            {"role": "assistant", "content": answer},
        ]
        emotion, level, person = emotions.top(evidence), emotions.confidence(evidence), invent_person(rng)
        for _ in range(questions):
            messages += _question(answer, emotion, person, level, rng)
        return Example(messages, int(evidence.argmax()), evidence)

    def _example(self, rng: random.Random) -> Example:
        person = invent_person(rng)
        content, target, truth = self._prompt(rng, person)
        label = int(target.argmax()) if rng.random() < 0.5 else rng.choices(range(9), weights=target.tolist())[0]
        emotion = emotions.EMOTIONS[label]
        level = emotions.confidence(target) if label == target.argmax() else rng.choice(("leaning", "unclear"))
        answer = f"{prompt.LABEL_PREFIX} {emotion}\nConfidence: {level}\n{texts.answer(emotion, person, level, rng)}"
        messages: list[Message] = [*content, {"role": "assistant", "content": answer}]
        while rng.random() < SHARE_CHAT and len(messages) < 9:
            messages += _question(answer, emotion, person, level, rng)
        return Example(messages, label, target, truth)

    def _prompt(self, rng: random.Random, person: Person) -> tuple[list[Message], emotions.Probabilities, int | None]:
        """A prompt, what its label slot should say, and the truth as in ``Example``."""
        who, clip, span = (rng.randrange(n) for n in (*self.faced.de.shape[:2], len(SPANS)))
        source = "person" if rng.random() < SHARE_PERSON else "population"
        with_evidence = rng.random() < SHARE_EVIDENCE
        evidence = self.evidence[source][who, clip, span]
        start, stop = SPANS[span]
        entropy = _fewer_electrodes(self.faced.de[who, clip, :, start:stop], rng)
        truth = np.eye(len(emotions.EMOTIONS))[self.faced.emotions[clip]]
        known = int(self.faced.emotions[clip]) if with_evidence else None
        kind = rng.random()
        if kind < SHARE_BLANK + SHARE_NO_EEG:
            entropy, known = np.full_like(entropy, np.nan), None
            evidence = truth = emotions.uniform()
        elif with_evidence and rng.random() < SHARE_INVENTED_EVIDENCE:
            evidence = truth = invent_evidence(rng)
            known = None
        share = TRUTH_BESIDE_EVIDENCE if with_evidence else TRUTH_ALONE
        normal = self.normals[int(self.faced.subjects[who])] if source == "person" else self.population
        messages = prompt.build(
            person,
            "" if kind < SHARE_NO_EEG else bands_text(entropy, normal),
            codec="bands",
            compared_with=source,
            evidence=evidence if with_evidence else None,
        )
        return messages, share * truth + (1 - share) * evidence, known


def _question(answer: str, emotion: str, person: Person, level: str, rng: random.Random) -> list[Message]:
    topic = rng.choice(CERTAINTY) if rng.random() < SHARE_CERTAINTY else None
    question, reply = texts.follow_up(emotion, person, level, rng, topic=topic)
    return [
        {"role": "user", "content": prompt.question(question, answer)},
        {"role": "assistant", "content": reply},
    ]


def _fewer_electrodes(entropy: Array, rng: random.Random) -> Array:
    """Sometimes only the 19 usual electrodes, or a handful."""
    if rng.random() >= SHARE_FEWER_ELECTRODES:
        return entropy
    kept = NINETEEN if rng.random() < 0.7 else set(rng.sample(ELECTRODES, rng.randint(4, 29)))
    entropy = entropy.copy()
    entropy[[i for i, name in enumerate(ELECTRODES) if name not in kept]] = np.nan
    return entropy


def invent_person(rng: random.Random) -> Person:
    """Somebody whose gender, age and words know nothing of any label."""
    words = {name: rng.choice(choices) if rng.random() < 0.4 else "" for name, choices in OWN_WORDS.items()}
    age = None if rng.random() < 0.05 else min(99, int(rng.triangular(5, 100, 25)))
    return Person(gender=rng.choice(GENDERS), age=age, **words)


def invent_evidence(rng: random.Random) -> emotions.Probabilities:
    """Any nine probabilities, from flat to peaked, so that every evidence line can be read."""
    weights = np.array([rng.gammavariate(shape, 1.0) for shape in [rng.choice((0.3, 1.0, 5.0))] * 9]) + 1e-3
    probabilities: emotions.Probabilities = weights / weights.sum()
    return probabilities
