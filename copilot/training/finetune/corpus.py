"""Read what fine-tuning learns from: a corpus of ``copilot.training.dataset``, and plain text.

Both are treated as untrusted files: each line is checked, and a corpus whose prompts differ from those of this program
is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convert.files import read_json
from convert.progress import track_progress
from copilot import emotions, prompt
from copilot.eeg import text_encoding
from copilot.files import hash_file
from copilot.llm.base import Message
from copilot.text import first_line
from copilot.training.base_model import TURN_START
from copilot.training.dataset.jsonl import receipt_path
from copilot.training.faced import CorpusError
from copilot.training.finetune import collate
from copilot.training.finetune.collate import Encoded

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

#: Length in tokens of the pieces that plain text is learned in.
TEXT_TOKENS = 512


@dataclass(frozen=True)
class Example:
    """One line of the corpus.

    Attributes:
        number: number of the line, from 1.
        messages: the conversation.
        emotion: index of its emotion.
        sampling_hz: the recording's sampling rate in Hz, or None where it is unknown.
    """

    number: int
    messages: list[Message]
    emotion: int
    sampling_hz: float | None


@dataclass(frozen=True)
class Corpus:
    """A corpus that was checked: its file and its receipt's contents."""

    path: Path
    receipt: dict[str, Any]

    @classmethod
    def open(cls, path: Path) -> Corpus:
        """Open a corpus after comparing corpus, receipt and program.

        Raises:
            CorpusError: the receipt is of another file, or of prompts that this program does not write.
            ConvertError: one of the two cannot be read.
        """
        if not path.is_file():
            raise CorpusError(f"{path} is not there; python -m copilot.training.dataset makes one.")
        receipt = read_json(receipt_path(path))
        if receipt.get("sha256") != hash_file(path):
            raise CorpusError(f"{path} is not the file that its receipt describes; make the corpus again.")
        expected = {
            "prompt_version": prompt.PROMPT_VERSION,
            "system_sha256": sha256(prompt.SYSTEM.encode()).hexdigest(),
            "labels": list(emotions.EMOTIONS),
            "codec_parameters": text_encoding.PARAMETERS.get(str(receipt.get("codec"))),
        }
        for key, value in expected.items():
            if receipt.get(key) != value:
                name = key.removesuffix("_sha256").replace("_", " ")
                raise CorpusError(f"{path} was made with another {name} than this program uses; make it again.")
        return cls(path, receipt)

    def read_examples(self) -> Iterator[Example]:
        """Yield the examples of the training people.

        Raises:
            CorpusError: a line is damaged, or none is of the training people.
        """
        found = False
        with self.path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                record = _parse_record(line, f"Line {number} of {self.path}")
                if record["split"] != "train":
                    continue
                found, label = True, record["emotion_label"]
                messages: list[Message] = [
                    {"role": "system", "content": prompt.SYSTEM},
                    {"role": "user", "content": record["prompt"]},
                    {"role": "assistant", "content": f"{prompt.LABEL_PREFIX} {label}\n{record['treatment']}"},
                ]
                yield Example(number, messages, emotions.EMOTIONS.index(label), record.get("sampling_hz"))
        if not found:
            raise CorpusError(f"{self.path} has no line whose split is train.")

    def encode_examples(self, tokenizer: PreTrainedTokenizerFast, longest: int) -> list[tuple[float | None, Encoded]]:
        """Return every example's sampling rate in Hz and its tokens.

        Args:
            tokenizer: the base's.
            longest: most tokens that the base reads.

        Raises:
            CorpusError: as ``read_examples``; or an example is too long, or contains tokens that only a template may.
        """
        encoded = []
        control = tokenizer.convert_tokens_to_ids(TURN_START)
        for example in track_progress(
            self.read_examples(), "Reading the corpus", self.receipt.get("counts", {}).get("split", {}).get("train")
        ):
            tokens = collate.encode(example.messages, np.eye(len(emotions.EMOTIONS))[example.emotion], tokenizer)
            where = f"Line {example.number} of {self.path}"
            if len(tokens.ids) > longest:
                raise CorpusError(f"{where} takes {len(tokens.ids)} tokens; this base reads {longest} at most.")
            if np.sum(tokens.ids == control) != len(example.messages):
                raise CorpusError(f"{where} contains control tokens of the chat template; remove them.")
            encoded.append((example.sampling_hz, tokens))
        return encoded


def _parse_record(line: str, where: str) -> dict[str, Any]:
    """Parse and check one line of the corpus; ``where`` names it in errors."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{where} is damaged: it is not valid JSON.") from error
    texts = ("prompt", "treatment", "emotion_label", "split")
    if not isinstance(record, dict) or not all(isinstance(record.get(name), str) for name in texts):
        raise CorpusError(f"{where} is damaged: it needs the texts {', '.join(texts)}.")
    if record["emotion_label"] not in emotions.EMOTIONS:
        raise CorpusError(f"{where} names the emotion {record['emotion_label'][:40]!r}, which is none of the nine.")
    return record


def read_text_pieces(path: Path, tokenizer: PreTrainedTokenizerFast) -> list[Encoded]:
    """Read plain text in pieces of 512 tokens; every token is learned.

    Raises:
        CorpusError: the file cannot be read as UTF-8, or is empty.
    """
    ids: list[int] = []
    try:
        with path.open(encoding="utf-8") as file:
            for line in track_progress(file, "Reading the text"):
                ids += collate.tokenize(line, tokenizer)
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path} cannot be read as text: {first_line(error)}.") from error
    if len(ids) < 2:
        raise CorpusError(f"{path} contains no text.")
    pieces = [ids[start : start + TEXT_TOKENS] for start in range(0, len(ids) - 1, TEXT_TOKENS)]
    return [Encoded(np.array(p, np.int32), np.ones(len(p), bool), 0, np.zeros(len(emotions.EMOTIONS))) for p in pieces]
