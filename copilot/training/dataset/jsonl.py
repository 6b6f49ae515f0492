"""The corpus on disk: JSON lines, and a receipt beside them that says how they were made.

Fine-tuning refuses a corpus whose prompts were made otherwise than this program feeds a model.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from itertools import chain
from pathlib import Path

from convert import files
from convert.files import written_whole
from copilot import emotions, prompt
from copilot.eeg import text_encoding
from copilot.training.dataset.recordings import LeftOutRecording
from copilot.training.dataset.schema import LabelledSegment, Record, make_records
from copilot.training.faced import CorpusError

COUNTED = ("split", "emotion_label", "compared_with", "evidence", "sampling_hz", "subject")
DRAWN = (
    "Gender, age, appearance, complaint and history are the source's where it gives them, else drawn at random from "
    "the seed, the subject and the stretch, never from the label."
)


@dataclass(frozen=True)
class SegmentSource:
    """Where stretches come from: ``origin`` is for the receipt, ``left_out`` grows while ``stretches`` are taken."""

    segments: Iterable[LabelledSegment]
    origin: dict[str, str]
    left_out: list[LeftOutRecording] = field(default_factory=list)


def classifier_path(corpus: Path) -> Path:
    """``corpus.jsonl`` has ``corpus.decoder.npz`` beside it, where its decoder was fitted for it."""
    return corpus.with_suffix(".decoder.npz")


def receipt_path(corpus: Path) -> Path:
    """``corpus.jsonl`` has ``corpus.receipt.json`` beside it."""
    return corpus.with_suffix(".receipt.json")


def write_corpus(
    source: SegmentSource, out: Path, *, codec: str, seed: int = 0, with_evidence: bool = True
) -> dict[str, object]:
    """Write corpus and receipt, both whole or neither; nothing is kept in memory but counts.

    Returns:
        The receipt.

    Raises:
        CorpusError: nothing could be used, or a source cannot be read.
        ConvertError: the disk refuses.
    """
    records = chain.from_iterable(make_records(segment, codec, seed, with_evidence) for segment in source.segments)
    counts: dict[str, Counter[str]] = {name: Counter() for name in COUNTED}
    with written_whole(out) as corpus, written_whole(receipt_path(out)) as receipt:
        with corpus.open("w", encoding="utf-8", newline="\n") as file:
            for record in records:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
                _add_to_counts(counts, record)
        if not counts["split"]:
            raise CorpusError(_explain_empty_corpus(source.left_out))
        facts = (
            _describe_prompts(source, codec, seed)
            | {"corpus": out.name, "sha256": files.sha256(corpus)}
            | _counted(counts)
        )
        receipt.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return facts


def _add_to_counts(counts: dict[str, Counter[str]], record: Record) -> None:
    for name, counter in counts.items():
        value = record[name]
        counter[value if isinstance(value, str) else json.dumps(value)] += 1


def _counted(counts: dict[str, Counter[str]]) -> dict[str, object]:
    return {"lines": counts["split"].total(), "counts": counts}


def _describe_prompts(source: SegmentSource, codec: str, seed: int) -> dict[str, object]:
    """How the prompts were made: fine-tuning refuses a corpus made otherwise than this program feeds a model."""
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


def _explain_empty_corpus(left_out: Sequence[LeftOutRecording]) -> str:
    why = f": {left_out[0].clip}: {left_out[0].reason}" if left_out else "."
    return f"Nothing of this can be used{why}"
