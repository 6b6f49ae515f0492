"""What a GGUF file holds, read without trusting it: a damaged or hostile one costs a sentence, not time or memory."""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from convert.files import ConvertError
from copilot.engine.base import EngineError
from copilot.engine.model_file import open_model_file

DEFAULT_ALIGNMENT = 32


@dataclass(frozen=True)
class TensorInfo:
    """One tensor: its name, shape (ggml's order: row length first), type and size in bytes."""

    name: str
    shape: tuple[int, ...]
    type: GGMLQuantizationType
    bytes: int

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


@dataclass(frozen=True)
class GgufFile:
    """A whole GGUF file: its metadata under their full names, and its tensors."""

    path: Path
    metadata: dict[str, Any]
    tensors: tuple[TensorInfo, ...]

    @property
    def parameters(self) -> int:
        """Numbers in all tensors."""
        return sum(tensor.numbers for tensor in self.tensors)


def read_gguf(path: Path) -> GgufFile:
    """Read the header, and check that the file is as long as the header says.

    Raises:
        ConvertError: no such file, no GGUF, or a damaged or truncated one.
    """
    try:
        file = open_model_file(path)
    except EngineError as error:
        missing = not path.is_file()
        raise ConvertError(f"{path} {'is not a file' if missing else 'is no GGUF file, or a damaged one'}.") from error
    except OSError as error:
        raise ConvertError(f"{path} cannot be read: {error.strerror}.") from error
    tensors = tuple(_info(path, tensor.name, tensor.shape, tensor.type) for tensor in file.tensors)
    alignment = file.values.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or not 0 < alignment <= 2**16:
        raise ConvertError(f"{path} is damaged: its alignment is {alignment!r}.")
    start = -(-file.data_start // alignment) * alignment
    needed = max((start + t.offset + info.bytes for t, info in zip(file.tensors, tensors, strict=True)), default=start)
    if path.stat().st_size < needed:
        raise ConvertError(f"{path} is cut short: {path.stat().st_size} of at least {needed} bytes.")
    return GgufFile(path, dict(file.values), tensors)


def _info(path: Path, name: str, shape: tuple[int, ...], number: int) -> TensorInfo:
    try:
        kind = GGMLQuantizationType(number)
    except ValueError as error:
        raise ConvertError(f"{path} is damaged: {name} has the unknown type {number}.") from error
    block, size = GGML_QUANT_SIZES[kind]
    if shape and shape[0] % block:
        raise ConvertError(f"{path} is damaged: rows of {shape[0]} in {name} cannot be {kind.name}.")
    return TensorInfo(name, shape, kind, prod(shape) // block * size)
