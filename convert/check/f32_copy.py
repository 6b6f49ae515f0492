"""Write a copy of a GGUF file in float32: the same header and the same numbers, without the rounding of a smaller type.

llama.cpp rounds the factors of a product to the type of the weights, so that a file in f16 never computes exactly what
Hugging Face does. Its copy in float32 does; otherwise the file's numbers or keys are wrong.
"""

import struct
from pathlib import Path

from gguf import GGMLQuantizationType

from convert.check.weights import read_pieces
from convert.files import ConvertError
from convert.gguf_file import DEFAULT_ALIGNMENT, GgufFile
from convert.progress import track_progress

F32 = GGMLQuantizationType.F32


def is_float32(file: GgufFile) -> bool:
    """Return whether all tensors of the file are in float32."""
    return all(tensor.type == F32 for tensor in file.tensors)


def write_f32_copy(file: GgufFile, out: Path) -> None:
    """Write a copy of a GGUF file with all tensors in float32, four bytes per number.

    Raises:
        ConvertError: it cannot be written.
    """
    alignment = file.metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    try:
        with file.path.open("rb") as source, out.open("wb") as copy:
            copy.write(source.read(file.tensors_start))  # keys and counts are copied unchanged
            offset = 0
            for tensor in file.tensors:
                name, dimensions = tensor.name.encode(), len(tensor.shape)
                copy.write(struct.pack("<Q", len(name)) + name)
                copy.write(struct.pack(f"<I{dimensions}QIQ", dimensions, *tensor.shape, F32, offset))
                offset += -(-4 * tensor.numbers // alignment) * alignment
            copy.write(bytes(-copy.tell() % alignment))
            for tensor in track_progress(file.tensors, "Writing in float32", len(file.tensors)):
                for piece in read_pieces(file, tensor):
                    copy.write(piece.tobytes())
                copy.write(bytes(-4 * tensor.numbers % alignment))
    except OSError as error:
        raise ConvertError(f"No room to compare in float32: {out.parent}: {error.strerror}.") from error
