"""Write the corpus as JSON lines, and beside it a receipt that states how it was made.

Fine-tuning refuses a corpus whose prompts differ from those of this program.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from itertools import chain
from pathlib import Path

from copilot import emotions, prompt
from copilot.eeg import text_encoding
from copilot.files import hash_file, write_atomically
from copilot.training.dataset.recordings import LeftOutRecording
from copilot.training.dataset.schema import LabelledSegment, make_records
from copilot.training.faced import CorpusError

COUNTED = ("split", "emotion_label", "compared_with", "evidence", "sampling_hz", "subject")
DRAWN = (
    "Gender, age, appearance, complaint and history are the source's where it gives them, else drawn at random from "
    "the seed, the subject and the stretch, never from the label."
)


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
    return corpus.with_suffix(".receipt.json")


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
    records = chain.from_iterable(make_records(segment, codec, seed, with_evidence) for segment in source.segments)
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
        receipt.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
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
