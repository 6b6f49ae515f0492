"""Draw training examples for the language model: prompts from FACED's features, answers from the project's own texts.

``copilot.pipeline`` builds an example's prompt, exactly as in use. Gender, age and the person's own words are drawn
independently of the label (in the paper's example they gave the answer away). The evidence in a prompt comes from a
classifier that was not fitted on the person.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from copilot import emotions, prompt
from copilot.eeg.classifier import WINDOW, Classifier, Floats, clip_probabilities, window_probabilities
from copilot.eeg.features import Array, Normal
from copilot.eeg.text_encoding import PATTERN_LINES, PATTERNS_STEP, STRENGTHS, format_patterns
from copilot.emotions import Probabilities, uniform_probabilities
from copilot.llm.base import Message
from copilot.person import Person
from copilot.pipeline import encode
from copilot.training import answer_templates
from copilot.training.faced import SEGMENTS, WHOLE_CLIP, Faced
from copilot.training.fit_classifier import (
    SHRINKAGE,
    Ints,
    cross_fit,
    cross_scores,
    fit_temperatures,
    lda,
    number_scenes,
)
from copilot.training.synthetic import drop_electrodes, invent_evidence, invent_person, invent_states

SPANS = SEGMENTS + WHOLE_CLIP

#: Shares of the training prompts (0 to 1).
SHARE_PERSON = 0.6
SHARE_EVIDENCE = 0.6
SHARE_BLANK = 0.06
SHARE_NO_EEG = 0.04
SHARE_INVENTED_EVIDENCE = 0.15
SHARE_CHAT = 0.4
MOST_QUESTIONS = 6

#: Shares of the prompts with evidence: of recordings of any kind, and of those where no emotion is named.
SHARE_ANY = 0.5
SHARE_NONE = 0.6

#: Asked more often than the other 40 topics: the answer has to follow the result's confidence, not the wording.
CERTAINTY_TOPICS = ("sure", "confidence")
SHARE_CERTAINTY = 0.25

#: Share of the truth in the target of the label slot; the rest is the evidence, or the word teacher's probabilities
#: where the prompt shows no evidence.
SHARE_TRUTH = 0.1

#: Number of lines of an example that only teaches to read words -> its share.
LINES = {1: 0.6, 2: 0.1, 3: 0.3}
#: Numbers of people whose EEG of the same seconds such an example may add up.
PEOPLE_SUMMED = (1, 2, 4, 8)


@dataclass(frozen=True)
class WordTeacher:
    """The teacher of reading words: a discriminant analysis, with a class for each scene as in the classifier.

    The classifier reads 1,500 values, the words contain 64 values, rounded. A teacher that reads only the words never
    gives a target that the words do not support, and it gives targets for words that no recording has produced yet.

    Attributes:
        weights: shape (64, scenes).
        bias: shape (scenes,).
        temperatures: for one line and for a clip's three lines, shape (2,).
        emotions: index of each clip's emotion, shape (clips,).
    """

    weights: Floats
    bias: Floats
    temperatures: Array
    emotions: Ints

    @classmethod
    def fit(cls, faced: Faced, classifier: Classifier, normals: dict[int, Normal]) -> "WordTeacher":
        """Fit the read-out on whole clips and calibrate it by folds over people.

        Args:
            faced: features of the people to fit on.
            classifier: makes the patterns' strengths that the words state.
            normals: what each subject is compared with.
        """
        people = zip(faced.subjects, faced.de, strict=True)
        words = round_strengths(
            np.array([[classifier.measure_patterns(clip, normals[int(s)]) for clip in clips] for s, clips in people])
        )
        flat = words.reshape(-1, words.shape[-1])
        weights, bias = lda(flat, number_scenes(words), SHRINKAGE)
        scores = cross_scores(words, faced.emotions)
        return cls(weights, bias, fit_temperatures(scores, faced), faced.emotions)

    def probabilities(self, strengths: Floats) -> Probabilities:
        """Return the probabilities for one to three lines of words.

        Args:
            strengths: strengths of the patterns before they are written as words, shape (lines, 64).

        Returns:
            Shape (9,); uniform where there is no line.
        """
        if not len(strengths):
            return uniform_probabilities()
        scores = (round_strengths(strengths) @ self.weights + self.bias).reshape(len(strengths), len(self.emotions), -1)
        one, clip = self.temperatures
        if len(strengths) == PATTERN_LINES:
            return clip_probabilities(scores / clip, self.emotions)
        mean: Probabilities = window_probabilities(scores / one, self.emotions).mean(axis=0)
        return mean


def round_strengths(strengths: Floats) -> Floats:
    """Return strengths rounded to the steps that the words state, in steps, same shape."""
    most = len(STRENGTHS) // 2
    steps: Floats = np.clip(np.rint(strengths / PATTERNS_STEP), -most, most)
    return steps


@dataclass(frozen=True)
class Example:
    """A conversation to learn.

    Attributes:
        messages: system, user, assistant, then perhaps a question and its answer.
        label: index of the most probable emotion.
        target: probabilities that the label slot is taught, shape (9,); zeros where the answer names no emotion.
        truth: index of the clip's emotion where the prompt shows that clip with the classifier's real evidence, else
            None.
        windows: number of ten-second windows in the trial; 0 in the short examples.
    """

    messages: list[Message]
    label: int
    target: Probabilities
    truth: int | None = None
    windows: int = 0


@dataclass(frozen=True)
class ExampleSource:
    """What examples are drawn from.

    Attributes:
        faced: features of the people to learn from.
        classifier: the one in use, whose patterns the words stand for.
        normals: what each subject is compared with, for ``person`` and ``population``.
        evidence: probabilities of classifiers that were not fitted on the person, for ``person`` and ``population``;
            shape (people, clips, 4, 9), see ``fit_classifier.cross_fit``.
        teachers: the teachers of reading words, for ``person`` and ``population``.
    """

    faced: Faced
    classifier: Classifier
    normals: dict[str, dict[int, Normal]]
    evidence: dict[str, Floats]
    teachers: dict[str, WordTeacher]

    @classmethod
    def prepare(cls, faced: Faced, classifier: Classifier) -> "ExampleSource":
        """Fit the teachers and cross-fit the classifier, which takes about a minute."""
        same = dict.fromkeys((int(s) for s in faced.subjects), classifier.population)
        normals = {"person": faced.normals(), "population": same}
        teachers = {source: WordTeacher.fit(faced, classifier, normal) for source, normal in normals.items()}
        return cls(faced, classifier, normals, cross_fit(faced), teachers)

    def select_subjects(self, subjects: range) -> "ExampleSource":
        """Return the same source with some of its people only."""
        chosen = np.isin(self.faced.subjects, subjects)
        evidence = {source: values[chosen] for source, values in self.evidence.items()}
        return replace(self, faced=self.faced.select(subjects), evidence=evidence)

    def draw_examples(
        self, seed: int, drills: float = 0.0, talks: float = 0.0, letters: float = 0.0
    ) -> Iterator[Example]:
        """Yield examples without end; the same seed gives the same ones.

        Args:
            seed: seeds everything that is drawn.
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
                yield self._draw_evidence_example(rng, questions=0)
            elif kind < drills + talks:
                yield self._draw_evidence_example(rng, questions=rng.randint(2, MOST_QUESTIONS))
            elif kind < drills + talks + letters:
                yield self._draw_eeg_example(rng)
            else:
                yield self._draw_full_example(rng)

    def _draw_eeg_example(self, rng: random.Random) -> Example:
        """Draw an example that shows nothing but EEG and its label.

        The segment begins at any second of a clip. Several people are added up and scaled to the variance of one: what
        they share becomes clearer, so that there is more to learn, and there are too many choices to learn by heart.
        """
        source = rng.choice(("person", "population"))
        lines = rng.choices(list(LINES), weights=list(LINES.values()))[0]
        people = rng.sample(range(len(self.faced.de)), min(rng.choice(PEOPLE_SUMMED), len(self.faced.de)))
        clip = rng.randrange(self.faced.de.shape[1])
        start = rng.randint(0, self.faced.de.shape[3] - lines * WINDOW)
        segments = self.faced.de[people, clip, :, start : start + lines * WINDOW]
        normals = [self.normals[source][int(subject)] for subject in self.faced.subjects[people]]
        each = [self.classifier.measure_patterns(de, normal) for de, normal in zip(segments, normals, strict=True)]
        strengths: Floats = np.sum(each, axis=0) / len(people) ** 0.5
        target = self.teachers[source].probabilities(strengths)
        messages: list[Message] = [
            {"role": "user", "content": prompt.format_eeg(format_patterns(strengths), source)},
            {"role": "assistant", "content": _format_label(target)},
        ]
        return Example(messages, int(target.argmax()), target)

    def _draw_evidence_example(self, rng: random.Random, questions: int) -> Example:
        """Draw an example that shows nothing but an evidence line and the label, then perhaps questions about it."""
        person_index, clip, span = (rng.randrange(n) for n in (*self.faced.de.shape[:2], len(SPANS)))
        source = rng.choice(("person", "population"))
        evidence = invent_evidence(rng) if rng.random() < 0.5 else self.evidence[source][person_index, clip, span]
        situation, named = _draw_situation(rng)
        answer = _format_label(evidence) if named else prompt.NO_EMOTION
        messages: list[Message] = [
            {"role": "user", "content": prompt.format_evidence(evidence, situation, named)},
            {"role": "assistant", "content": answer},
        ]
        emotion, level = emotions.find_top_emotion(evidence), emotions.grade_confidence(evidence)
        if not named:
            emotion, level = answer_templates.NONE, "unclear"
        person = invent_person(rng)
        for _ in range(questions):
            messages += _draw_question(answer, emotion, person, level, rng)
        return Example(messages, int(evidence.argmax()), evidence if named else np.zeros(len(emotions.EMOTIONS)))

    def _draw_full_example(self, rng: random.Random) -> Example:
        """Draw an example with prompt and answer as in use, then perhaps questions and answers."""
        person = invent_person(rng)

        # 1. A trial, sometimes with fewer electrodes or blank, and the classifier's evidence or an invented one.
        index, clip, span = (rng.randrange(n) for n in (*self.faced.de.shape[:2], len(SPANS)))
        source = "person" if rng.random() < SHARE_PERSON else "population"
        with_evidence = rng.random() < SHARE_EVIDENCE
        evidence, normal = (
            self.evidence[source][index, clip, span],
            self.normals[source][int(self.faced.subjects[index])],
        )
        start, stop = SPANS[span]
        entropy = drop_electrodes(self.faced.de[index, clip, :, start:stop], rng)
        emotion = int(self.faced.emotions[clip])
        truth, known = np.eye(len(emotions.EMOTIONS))[emotion], emotion if with_evidence else None
        kind = rng.random()
        if kind < SHARE_BLANK + SHARE_NO_EEG:
            entropy, known = np.full_like(entropy, np.nan), None
            evidence = truth = uniform_probabilities()
        elif with_evidence and rng.random() < SHARE_INVENTED_EVIDENCE:
            evidence = truth = invent_evidence(rng)
            known = None

        # 2. The situation: of a recording of any kind the evidence has nothing to do with the film that the words show.
        situation, named = _draw_situation(rng) if with_evidence else ("faced-films", True)
        if situation == "any":
            evidence = truth = invent_evidence(rng)
            known = None
        states = invent_states(rng, unusable=not named)

        # 3. The prompt as in use, and what its label slot is taught.
        eeg = encode(entropy, normal, self.classifier, "patterns", evidence=False)
        eeg = replace(eeg, evidence=evidence, situation=situation, named=named, states=states)
        if kind < SHARE_NO_EEG:
            eeg = replace(eeg, texts=("",))
        (messages,) = eeg.build_prompts(person, with_evidence=with_evidence)
        taught = evidence
        if not with_evidence:
            taught = self.teachers[source].probabilities(self.classifier.measure_patterns(entropy, normal))
        target = SHARE_TRUTH * truth + (1 - SHARE_TRUTH) * taught

        # 4. The answer: mostly of the likeliest label, then perhaps questions.
        label = int(target.argmax()) if rng.random() < 0.5 else rng.choices(range(9), weights=target.tolist())[0]
        emotion_named = emotions.EMOTIONS[label]
        level = emotions.grade_confidence(target) if label == target.argmax() else rng.choice(("leaning", "unclear"))
        if not named:
            emotion_named, level, target = answer_templates.NONE, "unclear", np.zeros(len(emotions.EMOTIONS))
        answer = f"{prompt.LABEL_PREFIX} {emotion_named}\nConfidence: {level}\n"
        answer += answer_templates.write_answer(emotion_named, person, level, rng, states)
        messages.append({"role": "assistant", "content": answer})
        while rng.random() < SHARE_CHAT and len(messages) < 9:
            messages += _draw_question(answer, emotion_named, person, level, rng)
        return Example(messages, label, target, known, (stop - start) // WINDOW)


def _draw_situation(rng: random.Random) -> tuple[str, bool]:
    """Draw the situation of a prompt with evidence, and whether an emotion is named."""
    if rng.random() >= SHARE_ANY:
        return "faced-films", True
    return "any", rng.random() >= SHARE_NONE


def _format_label(probabilities: Probabilities) -> str:
    """Return the answer's first lines: label and confidence, without an assessment."""
    return prompt.begin_answer(probabilities).removesuffix("\nAssessment:")


def _draw_question(answer: str, emotion: str, person: Person, level: str, rng: random.Random) -> list[Message]:
    """Draw a follow-up question about an answer; return the messages of question and reply."""
    topic = rng.choice(CERTAINTY_TOPICS) if rng.random() < SHARE_CERTAINTY else None
    question, reply = answer_templates.write_follow_up(emotion, person, level, rng, topic=topic)
    return [
        {"role": "user", "content": prompt.format_question(question, answer)},
        {"role": "assistant", "content": reply},
    ]
