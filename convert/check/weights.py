"""Compare the numbers in a GGUF file with the checkpoint's, tensor by tensor, within the precision of their types.

``write_f32_copy`` writes the same header and the same numbers in float32. llama.cpp rounds the factors of a product to
the type of the weights, so that a file in f16 never computes exactly what Hugging Face does. Its copy in float32 does;
otherwise the file's numbers or keys are wrong.
"""

import math
import struct
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from convert.checkpoint import Checkpoint
from convert.files import ConvertError
from convert.gguf.writer import PIECE, GgufTensor, gguf_tensors
from convert.gguf_file import DEFAULT_ALIGNMENT, GgufFile, TensorInfo
from convert.progress import track_progress
from convert.report import Finding

Floats = npt.NDArray[np.float32]

F32 = GGMLQuantizationType.F32
FLOATS = (F32, GGMLQuantizationType.F16, GGMLQuantizationType.BF16)
EMBEDDING, HEAD = "token_embd.weight", "output.weight"


def compare_weights(file: GgufFile, checkpoint: Checkpoint) -> Finding:
    """Compare every number: floats must equal the checkpoint's after rounding, quantised tensors must be near them."""
    wanted, stored = _list_tensors(file, checkpoint)
    if checkpoint.shape.tied and HEAD in stored:  # it may be a copy of the embedding it is tied to
        wanted[HEAD] = wanted[EMBEDDING]
    faults = [_describe_missing(name) for name in sorted(wanted.keys() - stored.keys())]
    faults += [f"{name} is not in the checkpoint" for name in sorted(stored.keys() - wanted.keys())]
    common = [name for name in wanted if name in stored]
    compared = {
        name: _compare_tensor(file, stored[name], wanted[name]) for name in track_progress(common, "Comparing weights")
    }
    faults += [difference for _, difference in compared.values() if difference]
    errors = {name: error for name, (error, _) in compared.items() if error != np.inf}  # without those of other shapes
    quantised = [name for name in errors if stored[name].type not in FLOATS]
    figure = f"{len(errors)} tensors, {len(errors) - len(quantised)} of them compared to the bit"
    if quantised:
        worst = max(quantised, key=lambda name: errors[name])
        kind = stored[worst].type
        figure += (
            f"; {len(quantised)} quantised, largest error {errors[worst]:.2%}, "
            f"of {worst} ({kind.name}: at most {rounding_bound(kind):.1%})"
        )
    return Finding("weights", len(common), figure, faults[0] if faults else "", rounded=bool(quantised))


def find_shape_mismatch(file: GgufFile, checkpoint: Checkpoint) -> str:
    """Describe the first tensor that is missing in the file or has another shape; empty where there is none."""
    wanted, stored = _list_tensors(file, checkpoint)
    for name, tensor in wanted.items():
        if name not in stored:
            return _describe_missing(name)
        if stored[name].shape != tensor.shape[::-1]:
            return _describe_shapes(stored[name], tensor)
    return ""


def read_pieces(file: GgufFile, tensor: TensorInfo) -> Iterator[Floats]:
    """Yield the numbers of a tensor in the file in float32, some rows at a time.

    Each array has shape (rows, row length); a vector is one row.
    """
    width = tensor.shape[0]
    rows, step = tensor.numbers // width, max(1, PIECE // width)
    for start in range(0, rows, step):
        yield _read_rows(file, tensor, start, min(step, rows - start))


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


def rounding_bound(kind: GGMLQuantizationType) -> float:
    """Return the limit on a tensor's error after quantising, as a share of its root mean square.

    Each further bit of a number halves its error. Six times 2 to the minus bits is 2.4 to 4.1 times the error of
    llama.cpp's types on normal weights, and 1.9 times that on weights of Student's distribution with three degrees of
    freedom. The error of an unrelated tensor is 1.4.
    """
    block, size = GGML_QUANT_SIZES[kind]
    bits = 8 * int(size) / int(block)
    return min(0.7, 6 * math.exp2(-bits))


def _read_rows(file: GgufFile, tensor: TensorInfo, start: int, count: int) -> Floats:
    """Read some rows of a tensor in the file, shape (count, row length)."""
    block, size = GGML_QUANT_SIZES[tensor.type]
    row_bytes = tensor.shape[0] // int(block) * int(size)
    with file.path.open("rb") as opened:
        opened.seek(tensor.start + start * row_bytes)
        raw = np.frombuffer(opened.read(count * row_bytes), np.uint8).reshape(count, row_bytes)
    return np.asarray(gguf.dequantize(raw, tensor.type), np.float32).reshape(count, tensor.shape[0])


def _list_tensors(file: GgufFile, checkpoint: Checkpoint) -> tuple[dict[str, GgufTensor], dict[str, TensorInfo]]:
    """Return name -> tensor of the checkpoint, and name -> tensor of the file."""
    wanted = {tensor.name: tensor for tensor in gguf_tensors(checkpoint, F32)}
    return wanted, {tensor.name: tensor for tensor in file.tensors}


def _describe_missing(name: str) -> str:
    return f"{name} is missing in the file"


def _describe_shapes(stored: TensorInfo, wanted: GgufTensor) -> str:
    return f"{stored.name} is {stored.shape} in the file, {wanted.shape[::-1]} in the checkpoint"


def _compare_tensor(file: GgufFile, stored: TensorInfo, wanted: GgufTensor) -> tuple[float, str]:
    """Compare a tensor of the file with the checkpoint's, some rows at a time.

    Returns:
        Root of the mean squared error, as a share of the tensor's root mean square, infinite for another shape; and the
        first difference that rounding does not explain, empty where there is none.
    """
    title = f"{stored.name} ({stored.type.name})"
    if stored.shape != wanted.shape[::-1]:
        return np.inf, _describe_shapes(stored, wanted)
    off = size = 0.0
    row, first = 0, ""
    for piece in wanted.pieces():
        exact = piece.reshape(-1, stored.shape[0])
        found, rounded = _read_rows(file, stored, row, len(exact)), exact
        if stored.type in FLOATS:
            with np.errstate(over="ignore"):
                rounded = np.asarray(gguf.dequantize(gguf.quantize(exact, stored.type), stored.type), np.float32)
        if not first and not np.array_equal(found, rounded):
            place = tuple(np.argwhere(found != rounded)[0])
            values = f"{found[place]:.7g} in the file, {rounded[place]:.7g} in the checkpoint"
            first = f"row {row + place[0]}, column {place[1]}: {values}"
        off += float(np.square(found - exact, dtype=np.float64).sum())
        size += float(np.square(exact, dtype=np.float64).sum())
        row += len(exact)
    error = math.sqrt(off / size) if size else float(off > 0)
    if stored.type in FLOATS:
        return error, f"{title}, {first}" if first else ""
    bound = rounding_bound(stored.type)
    if error <= bound:
        return error, ""
    return error, f"{title} is off by {error:.0%} of its size, where rounding may be {bound:.1%}; {first}"
