"""Read the header of a GGUF file with the sizes of its tensors, without trusting it (see ``copilot.llm.gguf_header``).

A damaged or hostile file leads to an error message, and costs neither time nor memory.
"""

from dataclasses import dataclass
from math import prod
from pathlib import Path

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from convert.files import ConvertError
from copilot.llm.base import EngineError
from copilot.llm.gguf_header import ModelFile, Tensor, open_model_file

DEFAULT_ALIGNMENT = 32


@dataclass(frozen=True)
class TensorInfo(Tensor):
    """One tensor of a GGUF file.

    Attributes:
        type: the type of its numbers.
        bytes: its size.
        start: its offset from the beginning of the file, in bytes.
    """

    type: GGMLQuantizationType
    bytes: int
    start: int

    @property
    def numbers(self) -> int:
        """The count of its numbers."""
        return prod(self.shape)


@dataclass(frozen=True)
class GgufFile(ModelFile):
    """The header of a whole GGUF file."""

    tensors: tuple[TensorInfo, ...]

    @property
    def parameters(self) -> int:
        """The count of the numbers in all tensors."""
        return sum(tensor.numbers for tensor in self.tensors)


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
    alignment = file.metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or not 0 < alignment <= 2**16:
        raise ConvertError(f"{path} is damaged: its alignment is {alignment!r}.")
    data_start = -(-file.header_end // alignment) * alignment
    tensors = []
    for tensor in file.tensors:
        try:
            kind = GGMLQuantizationType(tensor.type)
        except ValueError as error:
            raise ConvertError(f"{path} is damaged: {tensor.name} has the unknown type {tensor.type}.") from error
        block, size = GGML_QUANT_SIZES[kind]
        if tensor.shape and tensor.shape[0] % block:
            raise ConvertError(f"{path} is damaged: rows of {tensor.shape[0]} in {tensor.name} cannot be {kind.name}.")
        bytes_, start = prod(tensor.shape) // block * size, data_start + tensor.offset
        tensors.append(TensorInfo(tensor.name, tensor.shape, kind, tensor.offset, bytes_, start))
    needed = max((tensor.start + tensor.bytes for tensor in tensors), default=0)
    if path.stat().st_size < needed:
        raise ConvertError(f"{path} is cut short: {path.stat().st_size} of at least {needed} bytes.")
    return GgufFile(path, file.metadata, tuple(tensors), file.tensors_start, file.header_end)
