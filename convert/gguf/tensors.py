"""Convert a checkpoint's tensors to llama.cpp's names, order of rows and types, a piece at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any, BinaryIO

import gguf
import numpy as np
import numpy.typing as npt

from convert.checkpoint import Checkpoint
from convert.files import ConvertError
from convert.rope import interleave_pairs

ARCHITECTURES = {"qwen2": gguf.MODEL_ARCH.QWEN2, "llama": gguf.MODEL_ARCH.LLAMA}
#: Numbers of a tensor that are in memory at once, approximately.
PIECE = 2**20
ROPE_FREQS = "rope_freqs.weight"


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
            file.write(_convert(self.name, piece, self.type).data)


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
    turned = shape.gguf_architecture == "llama" and (".q_proj." in name or ".k_proj." in name)
    for start in range(0, rows, step):
        piece = checkpoint.read_rows(name, start, start + step)
        yield interleave_pairs(piece, shape.head_dim) if turned else piece


def _convert(name: str, piece: npt.NDArray[np.float32], kind: gguf.GGMLQuantizationType) -> npt.NDArray[Any]:
    with np.errstate(over="ignore"):
        cast: npt.NDArray[Any] = gguf.quantize(piece, kind)
    if not np.isfinite(cast if cast.dtype != np.uint8 else piece).all():
        raise ConvertError(f"{name} contains numbers that are not finite or do not fit {kind.name}; try f32 or bf16.")
    return cast
