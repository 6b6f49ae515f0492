"""Convert tensors to llama.cpp's names, order of rows and types, and write them and keys as one GGUF file.

The file's layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. It is written whole or not at all, and
only a piece of a tensor is in memory at a time.

Rotary embedding rotates pairs of numbers. Hugging Face pairs number i of a head with number i + half. llama.cpp does
the same for ``qwen2``, but for ``llama`` it pairs neighbours. The two are equal once the rows of the query and key
weights are put in another order (``interleave_pairs``).
"""

import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import gguf
import numpy as np
import numpy.typing as npt
import yaml  # type: ignore[import-untyped]

from convert.checkpoint import Checkpoint
from convert.files import ConvertError
from convert.progress import track_progress
from convert.report import VerbResult, in_millions
from convert.shape import Shape
from copilot.files import hash_file, write_atomically

Number = TypeVar("Number", bound=np.generic)

TYPES = {
    "f32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "bf16": (gguf.GGMLQuantizationType.BF16, gguf.LlamaFileType.MOSTLY_BF16),
}
ARCHITECTURES = {"qwen2": gguf.MODEL_ARCH.QWEN2, "llama": gguf.MODEL_ARCH.LLAMA}
#: Numbers of a tensor that are in memory at once, approximately.
PIECE = 2**20
ROPE_FREQS = "rope_freqs.weight"
#: What the gguf package raises for values of a card or configuration that it cannot read or write.
UNWRITABLE = (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, struct.error)


@dataclass(frozen=True)
class GgufResult(VerbResult):
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

    def lines(self) -> list[str]:
        """Return the result as lines of text for people."""
        return [
            f"{self.file}: {in_millions(self.bytes)} MB in {self.seconds:.1f} s",
            f"{self.architecture}, {self.tensors} tensors, {self.parameters:,} parameters, matrices in {self.type}",
            f"sha256 {self.sha256}",
        ]


@dataclass(frozen=True)
class GgufTensor:
    """One tensor of a GGUF file to be written.

    ``gguf.GGUFWriter`` treats it as an array, because it has ``nbytes`` and ``tofile``.

    Attributes:
        name: llama.cpp's name.
        shape: rows first, as in the checkpoint.
        type: type of its numbers in the file.
        pieces: a function that yields its rows in float32, some at a time; shape (rows, ...).
    """

    name: str
    shape: tuple[int, ...]
    type: gguf.GGMLQuantizationType
    pieces: Callable[[], Iterator[npt.NDArray[np.float32]]]

    @property
    def nbytes(self) -> int:
        """The size in the file, in bytes."""
        return prod(self.shape) * int(gguf.GGML_QUANT_SIZES[self.type][1])

    def tofile(self, file: BinaryIO) -> None:
        """Write the numbers.

        Raises:
            ConvertError: a number is not finite, or too large for the type.
        """
        for piece in self.pieces():
            with np.errstate(over="ignore"):
                cast: npt.NDArray[Any] = gguf.quantize(piece, self.type)
            if not np.isfinite(cast if cast.dtype != np.uint8 else piece).all():
                raise ConvertError(
                    f"{self.name} contains numbers that are not finite or do not fit {self.type.name}; try f32 or bf16."
                )
            file.write(cast.data)


def gguf_tensors(checkpoint: Checkpoint, matrix_type: gguf.GGMLQuantizationType) -> list[GgufTensor]:
    """Return all tensors of the file: matrices in ``matrix_type``, all others in F32. No numbers are read yet."""
    shape = checkpoint.shape
    names = gguf.get_tensor_name_map(ARCHITECTURES[shape.gguf_architecture], shape.layers)
    tensors = []
    if shape.rope_scaling:
        divisors = shape.rope_scaling.divisors(shape.rope_base, shape.head_dim)
        tensors.append(GgufTensor(ROPE_FREQS, divisors.shape, gguf.GGMLQuantizationType.F32, lambda: iter([divisors])))
    for name, size in shape.tensors().items():
        kind = matrix_type if len(size) > 1 else gguf.GGMLQuantizationType.F32
        stored = names.get_name(name, try_suffixes=(".weight", ".bias"))
        tensors.append(GgufTensor(stored, size, kind, partial(_read_pieces, checkpoint, name)))
    return tensors


def add_tensor_infos(writer: gguf.GGUFWriter, tensors: Sequence[GgufTensor]) -> None:
    """Add the names, shapes and types of the tensors to the file's header."""
    for tensor in tensors:
        writer.add_tensor_info(tensor.name, tensor.shape, np.dtype(np.float32), tensor.nbytes, tensor.type)


def _read_pieces(checkpoint: Checkpoint, name: str) -> Iterator[npt.NDArray[np.float32]]:
    """Yield a tensor's rows, some whole heads at a time, in llama.cpp's order; shape (rows, ...)."""
    shape = checkpoint.shape
    rows, *row = checkpoint.stored[name].shape
    step = max(1, PIECE // (prod(row) * shape.head_dim)) * shape.head_dim  # whole heads
    turned = turns_rows(shape, name)
    for start in range(0, rows, step):
        piece = checkpoint.read_rows(name, start, start + step)
        yield interleave_pairs(piece, shape.head_dim) if turned else piece


def turns_rows(shape: Shape, name: str) -> bool:
    """Return whether llama.cpp has the rows of a tensor, by the checkpoint's name, in another order."""
    return shape.gguf_architecture == "llama" and (".q_proj." in name or ".k_proj." in name)


def interleave_pairs(rows: npt.NDArray[Number], head_dim: int) -> npt.NDArray[Number]:
    """Reorder the rows of whole heads so that the two numbers of a pair are neighbours.

    Args:
        rows: a query or key weight or bias, or the B of a LoRA; shape (heads * head_dim, ...).
        head_dim: count of the rows of one head.

    Returns:
        The reordered rows, in the same shape.
    """
    halves = rows.reshape(-1, 2, head_dim // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


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
            try:
                add_keys(writer)
                writer.write_header_to_file()
                writer.write_kv_data_to_file()
            except ConvertError:
                raise
            except UNWRITABLE as error:
                raise ConvertError(f"{sources} contains values that are not allowed there.") from error
            writer.kv_data[0].clear()
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
