"""Read the header of a GGUF file without trusting it.

A damaged or hostile file leads to an error message, and costs neither time nor memory.
"""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from convert.files import ConvertError
from copilot.llm.base import EngineError
from copilot.llm.gguf_header import Tensor, open_model_file

DEFAULT_ALIGNMENT = 32


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of a GGUF file.

    Attributes:
        name: llama.cpp's name.
        shape: in ggml's order, row length first.
        type: the type of its numbers.
        bytes: its size.
        start: its offset from the beginning of the file, in bytes.
    """

    name: str
    shape: tuple[int, ...]
    type: GGMLQuantizationType
    bytes: int
    start: int

    @property
    def numbers(self) -> int:
        """The count of its numbers."""
        return prod(self.shape)


@dataclass(frozen=True)
class GgufFile:
    """The header of a whole GGUF file.

    Attributes:
        path: the file.
        metadata: full name of a key -> its value.
        tensors: in the order of the file.
        tensors_start: offset of the list of tensors in the header, in bytes.
    """

    path: Path
    metadata: dict[str, Any]
    tensors: tuple[TensorInfo, ...]
    tensors_start: int

    @property
    def parameters(self) -> int:
        """The count of the numbers in all tensors."""
        return sum(tensor.numbers for tensor in self.tensors)

    @property
    def trained_context(self) -> int | None:
        """The context that the model was trained for, in tokens; None where the file does not state it."""
        stated = self.metadata.get(f"{self.metadata.get('general.architecture')}.context_length")
        return stated if isinstance(stated, int) and stated > 0 else None


def read_gguf(path: Path) -> GgufFile:
    """Read the header, and check that the file is as long as the header requires.

    Raises:
        ConvertError: the file is missing, is no GGUF, is damaged or truncated, or its header would fill the memory.
    """
    try:
        file = open_model_file(path)
    except EngineError as error:
        missing = not path.is_file()
        raise ConvertError(f"{path} {'is not a file' if missing else 'is no GGUF file, or a damaged one'}.") from error
    except OSError as error:
        raise ConvertError(f"{path} cannot be read: {error.strerror}.") from error
    alignment = file.values.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or not 0 < alignment <= 2**16:
        raise ConvertError(f"{path} is damaged: its alignment is {alignment!r}.")
    start = -(-file.data_start // alignment) * alignment
    tensors = tuple(_read_tensor_info(path, tensor, start) for tensor in file.tensors)
    needed = max((tensor.start + tensor.bytes for tensor in tensors), default=0)
    if path.stat().st_size < needed:
        raise ConvertError(f"{path} is cut short: {path.stat().st_size} of at least {needed} bytes.")
    listed = sum(24 + len(tensor.name.encode()) + 8 * len(tensor.shape) for tensor in tensors)
    return GgufFile(path, dict(file.values), tensors, file.data_start - listed)


def _read_tensor_info(path: Path, tensor: Tensor, data_start: int) -> TensorInfo:
    """Compute a tensor's size and offset; ``data_start`` is the offset of the first tensor, in bytes."""
    try:
        kind = GGMLQuantizationType(tensor.type)
    except ValueError as error:
        raise ConvertError(f"{path} is damaged: {tensor.name} has the unknown type {tensor.type}.") from error
    block, size = GGML_QUANT_SIZES[kind]
    if tensor.shape and tensor.shape[0] % block:
        raise ConvertError(f"{path} is damaged: rows of {tensor.shape[0]} in {tensor.name} cannot be {kind.name}.")
    bytes_ = prod(tensor.shape) // block * size
    return TensorInfo(tensor.name, tensor.shape, kind, bytes_, data_start + tensor.offset)
