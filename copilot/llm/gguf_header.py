"""Read the header of a GGUF file before llama.cpp opens it (see ``open_model_file``).

llama.cpp leaves arrays out of the metadata that it returns. ``gguf.GGUFReader`` makes numpy arrays of every text: for a
vocabulary of 150,000 tokens with its merges it takes 14 s and 490 MB, where this module takes 0.8 s and 70 MB, and it
trusts the file: an array of 2^61 elements keeps it busy for ever, and 60 MB of empty texts take it 50 s and 1.6 GB. So
the header is read here (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). llama.cpp aborts on some headers
that contradict themselves, so their sizes are checked against each other.
"""

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from copilot.files import hash_file
from copilot.i18n import N_, messages
from copilot.llm.base import METADATA_PREFIX, EngineError
from copilot.text import normalise_line

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_STRING, _ARRAY = 8, 9
_DIMENSIONS = 4
#: Limits of a header, since in Python it takes many times the bytes that it has in the file. The largest vocabulary
#: in use, Gemma's 262,144 tokens with their merges, has 1.3 million elements in 16 MB.
_LONGEST_HEADER = 2**26
_MOST_ELEMENTS = 2**22
_MOST_KEYS = _MOST_TENSORS = 2**16
#: More than any model has.
_MOST_BLOCKS, _WIDEST = 10_000, 2**24
#: Characters of a model's name that are shown.
_LONGEST_NAME = 120
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


@dataclass(frozen=True)
class Tensor:
    """The header's entry for one tensor.

    Attributes:
        name: llama.cpp's name.
        shape: in ggml's order, row length first.
        type: ggml's number of the type of its elements.
        offset: where it begins, in bytes from the aligned end of the header.
    """

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int


@dataclass(frozen=True)
class ModelFile:
    """The header of a GGUF file.

    Attributes:
        path: the file.
        metadata: full name of a key -> its value.
        tensors: in the order of the header.
        tensors_start: where the list of tensors begins, in bytes from the file's beginning.
        header_end: where the header ends, likewise, before alignment.
    """

    path: Path
    metadata: Mapping[str, Any]
    tensors: tuple[Tensor, ...]
    tensors_start: int
    header_end: int

    @property
    def name(self) -> str:
        """Return the model's own name, else the file's."""
        stated = self.metadata.get("general.name")
        return (normalise_line(stated)[:_LONGEST_NAME] if isinstance(stated, str) else "") or self.path.stem

    @property
    def trained_context(self) -> int | None:
        """Return the tokens of context that the model was trained for, or None if the file does not state it."""
        stated = self.metadata.get(f"{self.metadata.get('general.architecture')}.context_length")
        return stated if isinstance(stated, int) else None

    @property
    def chat_template(self) -> str:
        """Return the Jinja template of a chat; empty where the file has none."""
        return str(self.metadata.get("tokenizer.chat_template", ""))

    @property
    def own_metadata(self) -> dict[str, str]:
        """Return the ``eeg_copilot.*`` keys without the prefix: texts as they are, everything else as JSON."""
        return {
            key.removeprefix(METADATA_PREFIX): value if isinstance(value, str) else json.dumps(value)
            for key, value in self.metadata.items()
            if key.startswith(METADATA_PREFIX)
        }

    @property
    def sha256(self) -> str:
        """Return the hash of the whole file; computed once for each state of the file."""
        status = self.path.stat()
        return _hash_file_state(self.path, status.st_size, status.st_mtime_ns)


def open_model_file(path: Path) -> ModelFile:
    """Read the header of a GGUF file; the weights are not read.

    Raises:
        EngineError: there is no such file, it is no GGUF, its header is damaged or contradicts itself, or it is larger
            than any model's.
    """
    if not path.is_file():
        raise EngineError(N_(messages.NO_MODEL_FILE, path=str(path)))
    with path.open("rb") as file:
        if file.read(4) != _MAGIC:
            raise EngineError(
                N_("{name} is not a GGUF model file; set EEG_COPILOT_MODEL to one that is.", name=path.name)
            )
        # Not mapped: a file that is truncated meanwhile would end the process.
        header = _MAGIC + file.read(_LONGEST_HEADER)
    try:
        found = _Cursor(header).read_model_file(path)
        _check_sizes(found.metadata, {tensor.name: tensor.shape for tensor in found.tensors})
    except (struct.error, ValueError, OverflowError, MemoryError, RecursionError) as error:
        raise EngineError(
            N_("The model file {name} is damaged or incomplete; copy it again.", name=path.name)
        ) from error
    return found


@lru_cache(maxsize=8)
def _hash_file_state(path: Path, size: int, modified_ns: int) -> str:
    return hash_file(path)


class _Cursor:
    """A place in a GGUF header; each ``_take`` moves it on."""

    def __init__(self, header: bytes) -> None:
        self._header = header
        self._at = len(_MAGIC)
        self._elements = 0

    def read_model_file(self, path: Path) -> ModelFile:
        version, tensors, pairs = self._take("IQQ")
        if version not in _VERSIONS:
            raise ValueError(f"GGUF version {version}")
        if tensors > _MOST_TENSORS or pairs > _MOST_KEYS:
            raise ValueError(f"{tensors} tensors and {pairs} keys")
        metadata = {self._take_text(): self._take_value(self._take("I")[0]) for _ in range(pairs)}
        start = self._at
        return ModelFile(path, metadata, tuple(self._take_tensor() for _ in range(tensors)), start, self._at)

    def _take_tensor(self) -> Tensor:
        name, (dimensions,) = self._take_text(), self._take("I")
        if dimensions > _DIMENSIONS:
            raise ValueError(f"{dimensions} dimensions")
        return Tensor(name, self._take(f"{dimensions}Q"), *self._take("IQ"))

    def _take_value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._take_text()
        if kind != _ARRAY:
            return self._take(_find_number_format(kind))[0]
        element, length = self._take("IQ")
        self._elements += length
        if self._elements > _MOST_ELEMENTS:
            raise ValueError(f"{self._elements} elements")
        if element in (_STRING, _ARRAY):
            return [self._take_value(element) for _ in range(length)]
        return list(self._take(f"{length}{_find_number_format(element)}"))

    def _take_text(self) -> str:
        (length,) = self._take("Q")
        (text,) = self._take(f"{length}s")
        return str(text, "utf-8", "replace")

    def _take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{layout}", self._header, self._at)
        self._at += struct.calcsize(f"<{layout}")
        return values


def _find_number_format(kind: int) -> str:
    if kind not in _NUMBERS:
        raise ValueError(f"GGUF value type {kind}")
    return _NUMBERS[kind]


def _check_sizes(metadata: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Check the sizes that a header states against each other; missing ones are not required.

    Args:
        metadata: full name of a key -> its value.
        shapes: name of a tensor -> its shape, row length first.

    Raises:
        ValueError: two of them contradict each other, or one is impossible.
    """
    architecture = f"{metadata.get('general.architecture', '')}."

    def stated(key: str, least: int = 1) -> list[int]:
        """Return the sizes under a key, one per block where they differ; empty where it is missing."""
        value = metadata.get(architecture + key, [])
        sizes = value if isinstance(value, list) else [value]
        if not all(isinstance(size, int) and least <= size <= _WIDEST for size in sizes):
            raise ValueError(f"{key} is {value!r:.80}")
        return sizes

    for key, value in metadata.items():
        if key.startswith(architecture) and isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{key} is not finite")
    for key in ("context_length", "vocab_size"):
        stated(key)
    if max(stated("block_count"), default=1) > _MOST_BLOCKS:
        raise ValueError("too many blocks")

    # Width, heads, and the part of a head that is rotated.
    width = stated("embedding_length")
    if width and "token_embd.weight" in shapes and shapes["token_embd.weight"][:1] != tuple(width):
        raise ValueError("the embedding has another width")
    heads, lengths = stated("attention.head_count", 0), stated("attention.key_length")
    rotated = stated("rope.dimension_count", 0)
    if heads and not any(heads):
        raise ValueError("no heads")
    if width and not lengths and any(head and width[0] % head for head in heads):
        raise ValueError("the width is no multiple of the heads")
    groups = stated("attention.head_count_kv", 0)
    pairs = zip(heads, groups, strict=True) if len(heads) == len(groups) else ()
    if any(head and group and head % group for head, group in pairs):
        raise ValueError("heads cannot share keys so")
    if not lengths and len(width) == len(heads) == 1:
        lengths = [width[0] // heads[0]]
    if any(size % 2 or size > max(lengths, default=size) for size in rotated):
        raise ValueError("more of a head is rotated than there is")
    query = shapes.get("blk.0.attn_q.weight")
    if query and len(heads) == len(lengths) == 1 and (len(query) < 2 or query[1] % (heads[0] * lengths[0])):
        raise ValueError("queries have another width than the heads")

    # As many embeddings, kinds and scores as tokens, and texts for all of them.
    tokens = metadata.get("tokenizer.ggml.tokens")
    if tokens is None:
        return
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise ValueError("tokens are no texts")
    for key in ("token_type", "scores"):
        listed = metadata.get(f"tokenizer.ggml.{key}", tokens)
        if not isinstance(listed, list) or len(listed) != len(tokens):
            raise ValueError(f"another number of {key} than of tokens")
    embedded = shapes.get("token_embd.weight", ())
    if len(embedded) > 1 and embedded[1] != len(tokens):
        raise ValueError("another number of embeddings than of tokens")
