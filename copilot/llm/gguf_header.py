"""Read the header of a GGUF file before llama.cpp opens it (see ``open_model_file``).

llama.cpp leaves arrays out of the metadata that it returns, and ``gguf.GGUFReader`` takes eight seconds for a
vocabulary of 150,000 tokens, so the header is read here
(https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from copilot.i18n import N_, messages
from copilot.llm.base import METADATA_PREFIX, EngineError
from copilot.llm.gguf_shape import check_shape
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
#: Characters of a model's name that are shown.
_LONGEST_NAME = 120
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


@dataclass(frozen=True)
class Tensor:
    """The header's entry for one tensor: shape in ggml's order (row length first), ggml's number of its type."""

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int


@dataclass(frozen=True)
class ModelFile:
    """A GGUF file and its metadata, under the full names of its keys.

    Attributes:
        path: the file.
        values: key -> value.
        tensors: in the order of the header; their offsets count from ``data_start``.
        data_start: where the header ends, in bytes from the file's beginning, before alignment.
    """

    path: Path
    values: Mapping[str, Any]
    tensors: tuple[Tensor, ...] = ()
    data_start: int = 0

    @property
    def name(self) -> str:
        """Return the model's own name, else the file's."""
        stated = self.values.get("general.name")
        return (normalise_line(stated)[:_LONGEST_NAME] if isinstance(stated, str) else "") or self.path.stem

    @property
    def trained_context(self) -> int | None:
        """Return the tokens of context that the model was trained for, or None if the file does not state it."""
        stated = self.values.get(f"{self.values.get('general.architecture')}.context_length")
        return stated if isinstance(stated, int) else None

    @property
    def chat_template(self) -> str:
        """Return the Jinja template of a chat; empty where the file has none."""
        return str(self.values.get("tokenizer.chat_template", ""))

    @property
    def own_metadata(self) -> dict[str, str]:
        """Return the ``eeg_copilot.*`` keys without the prefix: texts as they are, everything else as JSON."""
        return {
            key.removeprefix(METADATA_PREFIX): value if isinstance(value, str) else json.dumps(value)
            for key, value in self.values.items()
            if key.startswith(METADATA_PREFIX)
        }

    @property
    def sha256(self) -> str:
        """Return the hash of the whole file; computed once for each state of the file."""
        status = self.path.stat()
        return _hash_file(self.path, status.st_size, status.st_mtime_ns)


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
        header = _MAGIC + file.read(
            _LONGEST_HEADER
        )  # not mapped: a file that is truncated meanwhile would end the process
    try:
        found = _Cursor(header).read_model_file(path)
        check_shape(found.values, {tensor.name: tensor.shape for tensor in found.tensors})
    except (struct.error, ValueError, OverflowError, MemoryError, RecursionError) as error:
        raise EngineError(
            N_("The model file {name} is damaged or incomplete; copy it again.", name=path.name)
        ) from error
    return found


@lru_cache(maxsize=8)
def _hash_file(path: Path, size: int, modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
        values = {self._text(): self._value(self._take("I")[0]) for _ in range(pairs)}
        return ModelFile(path, values, tuple(self._tensor() for _ in range(tensors)), self._at)

    def _tensor(self) -> Tensor:
        name, (dimensions,) = self._text(), self._take("I")
        if dimensions > _DIMENSIONS:
            raise ValueError(f"{dimensions} dimensions")
        return Tensor(name, self._take(f"{dimensions}Q"), *self._take("IQ"))

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._text()
        if kind != _ARRAY:
            return self._take(_find_number_format(kind))[0]
        element, length = self._take("IQ")
        self._elements += length
        if self._elements > _MOST_ELEMENTS:
            raise ValueError(f"{self._elements} elements")
        if element in (_STRING, _ARRAY):
            return [self._value(element) for _ in range(length)]
        return list(self._take(f"{length}{_find_number_format(element)}"))

    def _text(self) -> str:
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
