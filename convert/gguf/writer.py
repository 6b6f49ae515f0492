"""Write tensors and keys as one GGUF file, whole or not at all, and return what was written.

The file's layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

import gguf
import yaml  # type: ignore[import-untyped]

from convert.files import ConvertError
from convert.gguf.tensors import GgufTensor, add_tensor_infos
from convert.progress import track_progress
from convert.verb_result import AlwaysPassed
from copilot.files import hash_file, write_atomically

TYPES = {
    "f32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "bf16": (gguf.GGMLQuantizationType.BF16, gguf.LlamaFileType.MOSTLY_BF16),
}


@dataclass(frozen=True)
class GgufResult(AlwaysPassed):
    """The GGUF file that was written.

    Attributes:
        file: its path.
        architecture: llama.cpp's name of the architecture.
        type: type of the matrices.
        tensors: count of the tensors.
        parameters: count of the numbers in all tensors.
        bytes: size of the whole file.
        sha256: SHA-256 of the whole file.
        seconds: duration of the writing.
    """

    file: str
    architecture: str
    type: str
    tensors: int
    parameters: int
    bytes: int
    sha256: str
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values, ready for JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return the result as lines of text for people."""
        return [
            f"{self.file}: {self.bytes / 1e6:.1f} MB in {self.seconds:.1f} s",
            f"{self.architecture}, {self.tensors} tensors, {self.parameters:,} parameters, matrices in {self.type}",
            f"sha256 {self.sha256}",
        ]


def find_types(name: str) -> tuple[gguf.GGMLQuantizationType, gguf.LlamaFileType]:
    """Return llama.cpp's type of the matrices and of the file.

    Raises:
        ConvertError: ``name`` is none of ``TYPES``.
    """
    if name not in TYPES:
        raise ConvertError(f"Type {name!r} is not known; it can be {', '.join(TYPES)}.")
    return TYPES[name]


def write_gguf(
    out: Path,
    architecture: str,
    type: str,
    tensors: Sequence[GgufTensor],
    add_keys: Callable[[gguf.GGUFWriter], None],
    sources: str,
) -> GgufResult:
    """Write a GGUF file.

    The header is written first, so that the vocabulary is no longer in memory when the tensors are read.

    Args:
        out: the file to write; an existing file is replaced.
        architecture: llama.cpp's name of the architecture.
        type: type of the matrices, a key of ``TYPES``.
        tensors: the tensors in the order of the file.
        add_keys: a function that adds all other keys.
        sources: the user's files that keys are read from, named in the message if they are damaged.

    Raises:
        ConvertError, FileError: a key or a tensor cannot be written, or the disk is full.
    """
    begun = time.monotonic()
    with write_atomically(out) as partial:
        writer = gguf.GGUFWriter(partial, architecture)
        try:
            add_tensor_infos(writer, tensors)
            _write_keys(writer, add_keys, sources)
            writer.write_ti_data_to_file()
            for tensor in track_progress(tensors, "Writing tensors", len(tensors)):
                writer.write_tensor_data(tensor)
        finally:
            writer.close()
        return GgufResult(
            file=str(out),
            architecture=architecture,
            type=type,
            tensors=len(tensors),
            parameters=sum(prod(tensor.shape) for tensor in tensors),
            bytes=partial.stat().st_size,
            sha256=hash_file(partial),
            seconds=round(time.monotonic() - begun, 3),
        )


def _write_keys(writer: gguf.GGUFWriter, add_keys: Callable[[gguf.GGUFWriter], None], sources: str) -> None:
    """Write the keys and remove them from memory."""
    try:
        add_keys(writer)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
    except ConvertError:
        raise
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, struct.error) as error:
        raise ConvertError(f"{sources} contains values that are not allowed there.") from error
    writer.kv_data[0].clear()
