"""Compute how large a model of a given shape would be in each quantised type, before the model exists.

llama.cpp makes a dry run (``dry_run``) on a sparse file: its header is that of the real file, with the whole depth and
vocabulary; its weights take no space on the disk and are never read.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

from convert.checkpoint import Checkpoint
from convert.files import scratch_folder
from convert.gguf import add_shape_keys
from convert.gguf.tensors import add_tensor_infos, gguf_tensors
from convert.gguf.vocabulary import read_vocabulary
from convert.gguf_file import DEFAULT_ALIGNMENT
from convert.progress import track_progress
from convert.quantize.dry_run import DryTensor, dry_run_in_process
from convert.quantize.quantizer import BASE, NEED_IMATRIX
from convert.shape import Shape
from copilot import child_process

#: The types that can be made without an importance matrix.
TYPES = tuple(type for type in BASE if type not in NEED_IMATRIX)


@dataclass(frozen=True)
class FileSize:
    """The size of a shape in one type.

    Attributes:
        file_bytes: size of the whole file; without the tokenizer where that is not known.
        bits_per_weight: mean over the tensors, without the header.
        fallbacks: count of the tensors whose rows do not fit the type that llama.cpp wants for them.
    """

    file_bytes: int
    bits_per_weight: float
    fallbacks: int

    @property
    def genuine(self) -> bool:
        """Whether every tensor has the type that the name of the file states."""
        return self.fallbacks == 0


def compute_sizes(shapes: Sequence[Shape], added: int = 0) -> list[dict[str, FileSize]]:
    """Compute the size of each shape in each of ``TYPES``, in one child process.

    Args:
        shapes: possible shapes (``convert.plan.pruned_shape.find_obstacle`` finds nothing).
        added: bytes that the tokenizer adds to each file (``tokenizer_bytes``).

    Returns:
        For each shape, type -> size.

    Raises:
        ConvertError: llama.cpp refuses a shape, or a header cannot be written.
    """
    with scratch_folder() as folder:
        return child_process.run(_compute_all_sizes, list(shapes), added, folder)


def tokenizer_bytes(folder: Path, rows: int) -> int:
    """Return the bytes that a tokenizer adds to a GGUF file.

    Args:
        folder: folder with the tokenizer.
        rows: count of the embedding's rows.

    Raises:
        ConvertError: there is no tokenizer, or it cannot be converted.
    """
    vocabulary = read_vocabulary(folder, rows)
    with scratch_folder() as scratch:
        path = scratch / "tokenizer.gguf"
        writer = gguf.GGUFWriter(path, "qwen2")
        vocabulary.add_to(writer)
        _write_header(writer)
        return path.stat().st_size


def _compute_all_sizes(shapes: Sequence[Shape], added: int, folder: Path) -> list[dict[str, FileSize]]:
    found = []
    with scratch_folder(folder) as inner:
        path = inner / "hole.gguf"
        for shape in track_progress(shapes, "Asking for sizes", len(shapes)):
            header = write_sparse_gguf(shape, path) + added
            found.append({type: _compute_size(header, dry_run_in_process(path, type)) for type in TYPES})
    return found


def write_sparse_gguf(shape: Shape, path: Path) -> int:
    """Write the GGUF file of a model of this shape in F16, without its tokenizer, and with a hole for its weights.

    Returns:
        Size of the header, in bytes.
    """
    writer = gguf.GGUFWriter(path, shape.gguf_architecture)
    tensors = gguf_tensors(Checkpoint(path.parent, {}, shape, {}), gguf.GGMLQuantizationType.F16)
    add_tensor_infos(writer, tensors)
    add_shape_keys(writer, shape)
    _write_header(writer)
    header = _align(path.stat().st_size)
    os.truncate(path, header + sum(_align(tensor.nbytes) for tensor in tensors))
    return header


def _write_header(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()


def _compute_size(header: int, tensors: Sequence[DryTensor]) -> FileSize:
    """Compute the size from that of the header, in bytes, and the dry run's tensors."""
    used_bytes = sum(tensor.bytes for tensor in tensors)
    numbers = sum(int(np.prod(tensor.shape)) for tensor in tensors)
    return FileSize(
        file_bytes=header + sum(_align(tensor.bytes) for tensor in tensors),
        bits_per_weight=round(8 * used_bytes / numbers, 3),
        fallbacks=sum(tensor.fell_back for tensor in tensors),
    )


def _align(size: int) -> int:
    """Round a size in bytes up to the alignment of tensors."""
    return -(-size // DEFAULT_ALIGNMENT) * DEFAULT_ALIGNMENT
