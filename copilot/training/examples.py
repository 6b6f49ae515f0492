"""Training examples for the language model: prompts from FACED's features, answers from the project's own texts.

An example's prompt is built by ``copilot.prompt``, exactly as in use. Gender, age and the person's own words are drawn
without a look at the label (the paper's example gave the answer away there). The decoder's evidence in a prompt comes
from a decoder that did not see the person.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from copilot import emotions, prompt
from copilot.eeg.classifier import WINDOW, Classifier, Floats
from copilot.eeg.features import Normal
from copilot.eeg.text_encoding import patterns_text
from copilot.llm.base import Message
from copilot.person import Person
from copilot.training import answer_templates
from copilot.training.faced import SEGMENTS, WHOLE_CLIP, Faced
from copilot.training.fit_classifier import cross_fitted
from copilot.training.synthetic import fewer_electrodes, invent_evidence, invent_person
from copilot.training.word_teacher import WordTeacher

SPANS = SEGMENTS + WHOLE_CLIP

#: How often a training prompt is of each kind.
SHARE_PERSON = 0.6
SHARE_EVIDENCE = 0.6
SHARE_BLANK = 0.06
SHARE_NO_EEG = 0.04
SHARE_INVENTED_EVIDENCE = 0.15
SHARE_CHAT = 0.4
MOST_QUESTIONS = 6

#: Asked more often than the other 40 topics: the answer has to follow the reading's confidence, not its wording.
CERTAINTY = ("sure", "confidence")
SHARE_CERTAINTY = 0.25

#: What the label slot is taught: the evidence where there is some, else what the words say; and a little truth.
SHARE_TRUTH = 0.1

#: Lines of an example that only teaches to read words, and how often each.
LINES = {1: 0.6, 2: 0.1, 3: 0.3}
#: How many people's EEG of the same seconds such an example adds up.
TOGETHER = (1, 2, 4, 8)


@dataclass(frozen=True)
class Example:
    """One conversation to learn.

    Attributes:
        messages: system, user, assistant, then perhaps a question and its answer.
        label: index of the emotion that the answer names.
        target: what the label slot should say, nine probabilities.
        truth: index of the clip's emotion where the prompt shows that clip with the decoder's real evidence, else None.
        windows: of ten seconds that the prompt shows.
    """

    messages: list[Message]
    label: int
    target: emotions.Probabilities
    truth: int | None = None
    windows: int = 0


@dataclass(frozen=True)
class ExampleSource:
    """Everything examples are drawn from.

    Attributes:
        faced: features of the people to learn from.
        decoder: the one in use, whose patterns are the words.
        normals: for ``person`` and ``population``, what each subject is compared with.
        evidence: of a decoder that did not see the person, see ``fit_decoder.cross_fitted``.
        readers: the teachers of reading words, for ``person`` and ``population``.
    """

    faced: Faced
    decoder: Classifier
    normals: dict[str, dict[int, Normal]]
    evidence: dict[str, Floats]
    readers: dict[str, WordTeacher]

    @classmethod
    def of(cls, faced: Faced, decoder: Classifier) -> "ExampleSource":
        """Prepare it; cross-fits the decoder, about a minute."""
        same = dict.fromkeys((int(s) for s in faced.subjects), decoder.population)
        normals = {"person": faced.normals(), "population": same}
        readers = {source: WordTeacher.fit(faced, decoder, normal) for source, normal in normals.items()}
        return cls(faced, decoder, normals, cross_fitted(faced), readers)

    def only(self, subjects: range) -> "ExampleSource":
        """The same of some of its people."""
        kept = np.isin(self.faced.subjects, subjects)
        evidence = {source: each[kept] for source, each in self.evidence.items()}
        return replace(self, faced=self.faced.of(subjects), evidence=evidence)

    def examples(self, seed: int, drills: float = 0.0, talks: float = 0.0, letters: float = 0.0) -> Iterator[Example]:
        """Examples without end; the same seed gives the same ones.

        Args:
            seed: of all that is drawn.
            drills: share of short examples that only teach to read an evidence line. They are cheap, and without them
                the label slot, one token of a long example, was still at chance after 3,000 examples.
            talks: share of examples that are mostly questions and answers. Without them the model answered fluently,
                but not what was asked.
            letters: share of short examples that only teach to read EEG, without evidence.
        """
        rng = random.Random(seed)
        while True:
            kind = rng.random()
            if kind < drills:
                yield self._short(rng, questions=0)
            elif kind < drills + talks:
                yield self._short(rng, questions=rng.randint(2, MOST_QUESTIONS))
            elif kind < drills + talks + letters:
                yield self._letters(rng)
            else:
                yield self._example(rng)

    def _letters(self, rng: random.Random) -> Example:
        """Nothing but an EEG and its label."""
        source = rng.choice(("person", "population"))
        strengths = self._stretch(rng, source, rng.choices(list(LINES), weights=list(LINES.values()))[0])
        target = self.readers[source].probabilities(strengths)
        messages: list[Message] = [
            {"role": "user", "content": prompt.format_eeg(patterns_text(strengths), source)},
            {"role": "assistant", "content": _label_only(target)},
        ]
        return Example(messages, int(target.argmax()), target)

    def _stretch(self, rng: random.Random, source: str, lines: int) -> Floats:
        """Strengths of the patterns in so many windows from any second of a clip on, shape (lines, 64).

        Several people are added up to the variance of one. What they share stands out then, so that there is more to
        learn from; and there are too many choices of them to learn any by heart.
        """
        people = rng.sample(range(len(self.faced.de)), min(rng.choice(TOGETHER), len(self.faced.de)))
        clip = rng.randrange(self.faced.de.shape[1])
        start = rng.randint(0, self.faced.de.shape[3] - lines * WINDOW)
        stretches = self.faced.de[people, clip, :, start : start + lines * WINDOW]
        normals = [self.normals[source][int(subject)] for subject in self.faced.subjects[people]]
        strengths = [self.decoder.patterns(de, normal) for de, normal in zip(stretches, normals, strict=True)]
        total: Floats = np.sum(strengths, axis=0) / len(people) ** 0.5
        return total

    def _short(self, rng: random.Random, questions: int) -> Example:
        """Nothing but an evidence line and the label, then perhaps questions about it."""
        who, clip, span = (rng.randrange(n) for n in (*self.faced.de.shape[:2], len(SPANS)))
        source = rng.choice(("person", "population"))
        evidence = invent_evidence(rng) if rng.random() < 0.5 else self.evidence[source][who, clip, span]
        answer = _label_only(evidence)
        messages: list[Message] = [
            {"role": "user", "content": prompt.format_evidence(evidence)},
            {"role": "assistant", "content": answer},
        ]
        emotion, level, person = (
            emotions.find_top_emotion(evidence),
            emotions.grade_confidence(evidence),
            invent_person(rng),
        )
        for _ in range(questions):
            messages += _question(answer, emotion, person, level, rng)
        return Example(messages, int(evidence.argmax()), evidence)

    def _example(self, rng: random.Random) -> Example:
        person = invent_person(rng)
        content, target, truth, windows = self._prompt(rng, person)
        label = int(target.argmax()) if rng.random() < 0.5 else rng.choices(range(9), weights=target.tolist())[0]
        emotion = emotions.EMOTIONS[label]
        level = emotions.grade_confidence(target) if label == target.argmax() else rng.choice(("leaning", "unclear"))
        prose = answer_templates.answer(emotion, person, level, rng)
        answer = f"{prompt.LABEL_PREFIX} {emotion}\nConfidence: {level}\n{prose}"
        messages: list[Message] = [*content, {"role": "assistant", "content": answer}]
        while rng.random() < SHARE_CHAT and len(messages) < 9:
            messages += _question(answer, emotion, person, level, rng)
        return Example(messages, label, target, truth, windows)

    def _prompt(
        self, rng: random.Random, person: Person
    ) -> tuple[list[Message], emotions.Probabilities, int | None, int]:
        """A prompt, what its label slot should say, and truth and windows as in ``Example``."""
        who, clip, span = (rng.randrange(n) for n in (*self.faced.de.shape[:2], len(SPANS)))
        source = "person" if rng.random() < SHARE_PERSON else "population"
        with_evidence = rng.random() < SHARE_EVIDENCE
        evidence = self.evidence[source][who, clip, span]
        start, stop = SPANS[span]
        entropy = fewer_electrodes(self.faced.de[who, clip, :, start:stop], rng)
        truth = np.eye(len(emotions.EMOTIONS))[self.faced.emotions[clip]]
        known = int(self.faced.emotions[clip]) if with_evidence else None
        kind = rng.random()
        if kind < SHARE_BLANK + SHARE_NO_EEG:
            entropy, known = np.full_like(entropy, np.nan), None
            evidence = truth = emotions.uniform_probabilities()
        elif with_evidence and rng.random() < SHARE_INVENTED_EVIDENCE:
            evidence = truth = invent_evidence(rng)
            known = None
        strengths = self.decoder.patterns(entropy, self.normals[source][int(self.faced.subjects[who])])
        messages = prompt.build_messages(
            person,
            "" if kind < SHARE_NO_EEG else patterns_text(strengths),
            codec="patterns",
            compared_with=source,
            evidence=evidence if with_evidence else None,
        )
        taught = evidence if with_evidence else self.readers[source].probabilities(strengths)
        return messages, SHARE_TRUTH * truth + (1 - SHARE_TRUTH) * taught, known, len(strengths)


def _label_only(probabilities: emotions.Probabilities) -> str:
    return prompt.begin_answer(probabilities).removesuffix("\nAssessment:")


def _question(answer: str, emotion: str, person: Person, level: str, rng: random.Random) -> list[Message]:
    topic = rng.choice(CERTAINTY) if rng.random() < SHARE_CERTAINTY else None
    question, reply = answer_templates.follow_up(emotion, person, level, rng, topic=topic)
    return [
        {"role": "user", "content": prompt.format_question(question, answer)},
        {"role": "assistant", "content": reply},
    ]
