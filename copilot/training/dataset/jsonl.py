"""Write the paper's records (arXiv 2410.00166) as JSON lines, and beside them a receipt that states how they were made.

A record has ``prompt``, ``emotion_label``, ``treatment`` and its origin. The prompt is the user message that
``copilot.pipeline`` builds, as in use; the treatment is what our assistant writes behind the label's line. Facts about
a person that the data lack are drawn at random, independently of the label: in the paper's own example the appearance
gave the answer away. Fine-tuning refuses a corpus whose prompts differ from those of this program.
"""

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from itertools import chain
from pathlib import Path

from convert.receipts import ENDING, write_receipt
from copilot import emotions, prompt
from copilot.eeg import text_encoding
from copilot.files import hash_file, write_atomically
from copilot.person import Person
from copilot.pipeline import EncodedEeg
from copilot.training import answer_templates
from copilot.training.faced import CorpusError
from copilot.training.synthetic import OWN_WORDS, invent_person

Record = dict[str, object]

COUNTED = ("split", "emotion_label", "compared_with", "evidence", "sampling_hz", "subject")
DRAWN = (
    "Gender, age, appearance, complaint and history are the source's where it gives them, else drawn at random from "
    "the seed, the subject and the stretch, never from the label."
)


@dataclass(frozen=True)
class LabelledSegment:
    """A labelled segment of one person's EEG in a text encoding.

    Attributes:
        subject: name of the person.
        clip: name of the film, or of the part of the recording.
        span: first second, and the second behind the last, counted from the clip's beginning.
        emotion: index of its label.
        person: what is known of the subject.
        split: ``train`` or ``test``.
        sampling_hz: the recording's sampling rate in Hz, or None where it is unknown.
        eeg: the encoded EEG, one text per prompt; its evidence is of a classifier that was not fitted on this person.
    """

    subject: str
    clip: str
    span: tuple[int, int]
    emotion: int
    person: Person
    split: str
    sampling_hz: float | None
    eeg: EncodedEeg


@dataclass(frozen=True)
class LeftOutRecording:
    """A recording, or a part of one, that cannot be used, and why."""

    clip: str
    reason: str


@dataclass(frozen=True)
class SegmentSource:
    """A source of segments.

    Attributes:
        segments: the labelled segments.
        origin: where they come from, for the receipt.
        left_out: recordings that cannot be used; the list grows while ``segments`` are taken.
    """

    segments: Iterable[LabelledSegment]
    origin: dict[str, str]
    left_out: list[LeftOutRecording] = field(default_factory=list)


def classifier_path(corpus: Path) -> Path:
    """Return the path of the classifier that was fitted for a corpus: ``corpus.decoder.npz`` for ``corpus.jsonl``."""
    return corpus.with_suffix(".decoder.npz")


def receipt_path(corpus: Path) -> Path:
    """Return the path of a corpus's receipt: ``corpus.receipt.json`` for ``corpus.jsonl``."""
    return corpus.with_suffix(ENDING)


def make_records(segment: LabelledSegment, seed: int, with_evidence: bool) -> Iterator[Record]:
    """Yield the records of one segment: for each text one without the classifier's line and, if asked for, one with it.

    Args:
        segment: the segment.
        seed: seeds what is drawn at random.
        with_evidence: add records with the classifier's line.
    """
    count, compared_with = len(segment.eeg.texts), segment.eeg.compared_with
    key = f"{segment.subject} {segment.clip} {segment.span} {compared_with}"  # of this segment; not of its label
    for number in range(1, count + 1):
        for evidence in (False, True) if with_evidence else (False,):
            rng = random.Random(f"{seed} {key} {number} {evidence}")
            person = complete_person(segment.person, segment.subject, seed, rng)
            prompts = segment.eeg.build_prompts(person, with_evidence=evidence)
            yield {
                "prompt": prompts[number - 1][-1]["content"],
                "emotion_label": emotions.EMOTIONS[segment.emotion],
                "treatment": write_treatment(segment, person, rng),
                "subject": segment.subject,
                "clip": segment.clip,
                "window": list(segment.span),
                "segment": [number, count],
                "codec": segment.eeg.codec,
                "compared_with": compared_with,
                "evidence": evidence,
                "split": segment.split,
                "sampling_hz": segment.sampling_hz,
            }


def write_treatment(segment: LabelledSegment, person: Person, rng: random.Random) -> str:
    """Write the answer behind its first line: confidence, assessment and suggestions.

    The confidence is the classifier's where the classifier is right, and ``unclear`` where it is not, or where the
    recording is poor: that signal does not support certainty about that label.

    Args:
        segment: the segment.
        person: whom the answer is about.
        rng: chooses among the sentences.
    """
    label, evidence = emotions.EMOTIONS[segment.emotion], segment.eeg.evidence
    assert evidence is not None
    states = segment.eeg.states
    trust = "poor" if prompt.POOR in states else "good"
    right = emotions.find_top_emotion(evidence) == label
    level = emotions.grade_confidence(evidence, trust) if right else "unclear"
    return f"Confidence: {level}\n{answer_templates.write_answer(label, person, level, rng, states)}"


def complete_person(known: Person, subject: str, seed: int, rng: random.Random) -> Person:
    """Return a person with the missing facts drawn: gender and age the same each time, own words each time anew.

    Args:
        known: what is known of the person.
        subject: name of the person, which seeds gender and age.
        seed: seeds gender and age, too.
        rng: draws the own words.
    """
    always, now = invent_person(random.Random(f"{seed} {subject}")), invent_person(rng)
    return Person(
        gender=always.gender if known.gender == "unspecified" else known.gender,
        age=always.age if known.age is None else known.age,
        **{name: getattr(known, name) or getattr(now, name) for name in OWN_WORDS},
    )


def write_corpus(
    source: SegmentSource, out: Path, *, codec: str, seed: int = 0, with_evidence: bool = True
) -> dict[str, object]:
    """Write corpus and receipt, both whole or neither; only counts are kept in memory.

    Args:
        source: the segments.
        out: the corpus's file.
        codec: name of the text encoding.
        seed: seeds what is drawn at random.
        with_evidence: add prompts with the classifier's line.

    Returns:
        The receipt.

    Raises:
        CorpusError: nothing could be used, or a source cannot be read.
        FileError: a file cannot be written.
    """
    records = chain.from_iterable(make_records(segment, seed, with_evidence) for segment in source.segments)
    counts: dict[str, Counter[str]] = {name: Counter() for name in COUNTED}
    with write_atomically(out) as corpus, write_atomically(receipt_path(out)) as receipt:
        with corpus.open("w", encoding="utf-8", newline="\n") as file:
            for record in records:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
                for name, counter in counts.items():
                    value = record[name]
                    counter[value if isinstance(value, str) else json.dumps(value)] += 1
        if not counts["split"]:
            reason = f": {source.left_out[0].clip}: {source.left_out[0].reason}" if source.left_out else "."
            raise CorpusError(f"Nothing of this can be used{reason}")
        facts = _describe_prompts(source, codec, seed) | {
            "corpus": out.name,
            "sha256": hash_file(corpus),
            "lines": counts["split"].total(),
            "counts": counts,
        }
        write_receipt(receipt, facts, indent=1)
    return facts


def _describe_prompts(source: SegmentSource, codec: str, seed: int) -> dict[str, object]:
    """Return how the prompts were made, which fine-tuning compares with this program."""
    return {
        "prompt_version": prompt.PROMPT_VERSION,
        "system_sha256": sha256(prompt.SYSTEM.encode()).hexdigest(),
        "labels": list(emotions.EMOTIONS),
        "codec": codec,
        "codec_parameters": text_encoding.PARAMETERS[codec],
        "seed": seed,
        "source": source.origin,
        "people": DRAWN,
        "left_out": [asdict(one) for one in source.left_out],
    }
