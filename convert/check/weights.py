"""Whether the numbers in a GGUF file are the checkpoint's, tensor by tensor, as far as their type can hold them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import gguf
import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from convert.check.finding import Finding
from convert.checkpoint import Checkpoint
from convert.gguf.tensors import PIECE, GgufTensor, gguf_tensors
from convert.gguf_file import GgufFile, TensorInfo
from convert.progress import track_progress

Floats = npt.NDArray[np.float32]

F32 = GGMLQuantizationType.F32
FLOATS = (F32, GGMLQuantizationType.F16, GGMLQuantizationType.BF16)
EMBEDDING, HEAD = "token_embd.weight", "output.weight"


@dataclass(frozen=True)
class _Comparison:
    """One tensor: its relative error, and where it is not what its type can hold (empty: nowhere)."""

    held: TensorInfo
    error: float
    difference: str


def compare_weights(file: GgufFile, checkpoint: Checkpoint) -> Finding:
    """Compare every number; floats have to be the checkpoint's rounded, quantised tensors near them."""
    wanted, held = _list_tensors(file, checkpoint)
    if checkpoint.shape.tied and HEAD in held:  # allowed as a copy of the embedding it is tied to
        wanted[HEAD] = wanted[EMBEDDING]
    faults = [_describe_missing(name) for name in sorted(wanted.keys() - held.keys())]
    faults += [f"{name} is not in the checkpoint" for name in sorted(held.keys() - wanted.keys())]
    common = [name for name in wanted if name in held]
    compared = [_compare_tensor(file, held[name], wanted[name]) for name in track_progress(common, "Comparing weights")]
    faults += [comparison.difference for comparison in compared if comparison.difference]
    compared = [comparison for comparison in compared if comparison.error != np.inf]  # not those of other shapes
    quantised = [comparison for comparison in compared if comparison.held.type not in FLOATS]
    figure = f"{len(compared)} tensors, {len(compared) - len(quantised)} of them compared to the bit"
    worst = max(quantised, key=lambda comparison: comparison.error, default=None)
    if worst:
        figure += (
            f"; {len(quantised)} quantised, largest error {worst.error:.2%}, "
            f"of {worst.held.name} ({worst.held.type.name}: at most {rounding_bound(worst.held.type):.1%})"
        )
    return Finding("weights", len(common), figure, faults[0] if faults else "", rounded=bool(quantised))


def find_shape_mismatch(file: GgufFile, checkpoint: Checkpoint) -> str:
    """The first tensor that the file has not, or in another shape; empty where both can be given the same tokens."""
    wanted, held = _list_tensors(file, checkpoint)
    for name, tensor in wanted.items():
        if name not in held:
            return _describe_missing(name)
        if held[name].shape != tensor.shape[::-1]:
            return _describe_shapes(held[name], tensor)
    return ""


def read_pieces(file: GgufFile, tensor: TensorInfo) -> Iterator[Floats]:
    """The numbers of a tensor of the file, some rows at a time; shape (rows, row length), a vector being one row."""
    width = tensor.shape[0]
    rows, step = tensor.numbers // width, max(1, PIECE // width)
    for start in range(0, rows, step):
        yield _read_rows(file, tensor, start, min(step, rows - start))


def rounding_bound(kind: GGMLQuantizationType) -> float:
    """How far quantising may move a tensor, as a share of its root mean square.

    Each further bit of a number halves its error. Six times 2 to the minus bits is 2.4 to 4.1 times what llama.cpp's
    types come to on normal weights, 1.9 times on Student's with three degrees; another tensor in the place is at 1.4.
    """
    block, size = GGML_QUANT_SIZES[kind]
    bits = 8 * int(size) / int(block)
    return min(0.7, 6 * math.exp2(-bits))


def _read_rows(file: GgufFile, tensor: TensorInfo, start: int, count: int) -> Floats:
    block, size = GGML_QUANT_SIZES[tensor.type]
    row_bytes = tensor.shape[0] // int(block) * int(size)
    with file.path.open("rb") as opened:
        opened.seek(tensor.start + start * row_bytes)
        raw = np.frombuffer(opened.read(count * row_bytes), np.uint8).reshape(count, row_bytes)
    return np.asarray(gguf.dequantize(raw, tensor.type), np.float32).reshape(count, tensor.shape[0])


def _list_tensors(file: GgufFile, checkpoint: Checkpoint) -> tuple[dict[str, GgufTensor], dict[str, TensorInfo]]:
    """What the checkpoint asks for, and what the file holds."""
    wanted = {tensor.name: tensor for tensor in gguf_tensors(checkpoint, F32)}
    return wanted, {tensor.name: tensor for tensor in file.tensors}


def _describe_missing(name: str) -> str:
    return f"{name} is missing in the file"


def _describe_shapes(held: TensorInfo, wanted: GgufTensor) -> str:
    return f"{held.name} is {held.shape} in the file, {wanted.shape[::-1]} in the checkpoint"


def _compare_tensor(file: GgufFile, held: TensorInfo, wanted: GgufTensor) -> _Comparison:
    title = f"{held.name} ({held.type.name})"
    if held.shape != wanted.shape[::-1]:
        return _Comparison(held, np.inf, _describe_shapes(held, wanted))
    off = size = 0.0
    row, first = 0, ""
    for piece in wanted.pieces():
        exact = piece.reshape(-1, held.shape[0])
        found, rounded = _read_rows(file, held, row, len(exact)), _round(exact, held.type)
        if not first and not np.array_equal(found, rounded):
            first = _find_first_difference(found, rounded, row)
        off += float(np.square(found - exact, dtype=np.float64).sum())
        size += float(np.square(exact, dtype=np.float64).sum())
        row += len(exact)
    error = math.sqrt(off / size) if size else float(off > 0)
    if held.type in FLOATS:
        return _Comparison(held, error, f"{title}, {first}" if first else "")
    if error <= rounding_bound(held.type):
        return _Comparison(held, error, "")
    words = f"{title} is off by {error:.0%} of its size, where rounding may be {rounding_bound(held.type):.1%}; {first}"
    return _Comparison(held, error, words)


def _round(exact: Floats, kind: GGMLQuantizationType) -> Floats:
    if kind not in FLOATS:
        return exact
    with np.errstate(over="ignore"):
        return np.asarray(gguf.dequantize(gguf.quantize(exact, kind), kind), np.float32)


def _find_first_difference(found: Floats, wanted: Floats, before: int) -> str:
    row, column = np.argwhere(found != wanted)[0]
    values = f"{found[row, column]:.7g} in the file, {wanted[row, column]:.7g} in the checkpoint"
    return f"row {before + row}, column {column}: {values}"
