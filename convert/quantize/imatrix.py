"""Measure the importance of every matrix's columns on a text: the importance matrix that the lowest types need.

A quantiser that knows how large a matrix's inputs are can place its errors where they are multiplied by small inputs.
The importance of a column is the mean square of its input over the text. It is measured at each matrix product of the
blocks while llama.cpp reads the text; the embedding and the output matrix are left out. llama.cpp's own
``llama-imatrix`` measures the same: https://github.com/ggml-org/llama.cpp/tree/master/tools/imatrix.
"""

import ctypes
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from convert.files import ConvertError
from convert.gguf_file import GgufFile
from convert.progress import track_progress
from convert.quantize.quantizer import Importance
from convert.receipts import ImportanceText
from convert.speed import usable_threads
from copilot import child_process

#: Context in tokens, smaller where the model was trained for a smaller one.
CHUNK = 512
_F32 = 0
_OBJECT_BYTES = 32  # sizeof(struct ggml_object), which ggml_tensor_overhead() includes


@dataclass(frozen=True)
class ImportanceMatrix:
    """The importance of every matrix's columns, and the text it was measured on."""

    columns: Importance
    text: ImportanceText


def measure_importance(model: GgufFile, text: Path) -> ImportanceMatrix:
    """Let a model read a text, in a child process, and measure the inputs of its matrices.

    Args:
        model: header of a GGUF file in F32, F16 or BF16.
        text: UTF-8 text, best of the kind that the model is used on; control tokens in it become control tokens.

    Returns:
        The importance of every matrix's columns, and the text.

    Raises:
        ConvertError: the text is missing or empty, or the model cannot be measured.
    """
    try:
        data = text.read_bytes()
        words = data.decode("utf-8")
    except OSError as error:
        raise ConvertError(f"{text} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConvertError(f"{text} is not a text in UTF-8.") from error
    context = min(CHUNK, model.trained_context or CHUNK)
    importance, tokens = child_process.run(_read_text, model.path, words, context)
    if not tokens:
        raise ConvertError(f"{text} is empty; give a text of some thousand words like those the model will read.")
    matrices = {t.name for t in model.tensors if len(t.shape) > 1 and t.name.startswith("blk.")}
    if missing := {name for name in matrices - importance.keys() if name.endswith(".weight")}:
        raise ConvertError(f"The importance of {min(missing)} cannot be measured: it is used in an unusual way.")
    return ImportanceMatrix(importance, ImportanceText(text.name, hashlib.sha256(data).hexdigest(), tokens))


def _read_text(path: Path, text: str, context: int) -> tuple[Importance, int]:
    """Return the importance of every matrix's columns and the count of tokens; only for a child process."""
    from copilot.llm.llama_cpp import NativeModel

    inputs = _Inputs()
    try:
        model = NativeModel(path, threads=usable_threads(), context=context, exact=True, watch=inputs.callback)
    except ValueError as error:
        raise ConvertError(f"llama.cpp cannot run {path}.") from error
    start = [] if model.first_token is None else [model.first_token]
    tokens = model.tokenize(text, control=True)
    size = context - len(start)
    for place in track_progress(range(0, len(tokens), size), "Measuring importance"):
        for _ in model.all_logits([*start, *tokens[place : place + size]]):
            pass
    return inputs.importance(), len(tokens)


class _Tensor(ctypes.Structure):
    """``struct ggml_tensor`` as ggml.h declares it; a product's factors can only be found through it."""


_Tensor._fields_ = [
    ("type", ctypes.c_int),
    ("buffer", ctypes.c_void_p),
    ("ne", ctypes.c_int64 * 4),  # numbers along each dimension, the innermost first
    ("nb", ctypes.c_size_t * 4),  # bytes from one to the next
    ("op", ctypes.c_int),
    ("op_params", ctypes.c_int32 * 16),
    ("flags", ctypes.c_int32),
    ("src", ctypes.POINTER(_Tensor) * 10),
    ("view_src", ctypes.c_void_p),
    ("view_offs", ctypes.c_size_t),
    ("data", ctypes.c_void_p),
    ("name", ctypes.c_char * 64),
    ("extra", ctypes.c_void_p),
    ("padding", ctypes.c_char * 8),
]


class _Inputs:
    """Sum up the squares of the inputs that the matrices of the blocks are multiplied by."""

    def __init__(self) -> None:
        import llama_cpp
        from llama_cpp._ggml import libggml

        self._sums: dict[str, npt.NDArray[np.float64]] = {}
        self._counts: dict[str, int] = {}
        self._ggml = libggml
        self._ggml.ggml_op_desc.restype = ctypes.c_char_p
        self._ggml.ggml_op_desc.argtypes = [ctypes.POINTER(_Tensor)]
        self._ggml.ggml_tensor_overhead.restype = ctypes.c_size_t
        self._ggml.ggml_backend_tensor_get.argtypes = [
            *(ctypes.POINTER(_Tensor), ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
        ]
        self._ggml.ggml_backend_tensor_get.restype = None
        if self._ggml.ggml_tensor_overhead() - _OBJECT_BYTES != ctypes.sizeof(_Tensor):
            raise ConvertError("This version of llama.cpp keeps its tensors in another way; importance needs 0.3.36.")
        self.callback = llama_cpp.llama_cpp.ggml_backend_sched_eval_callback(self._on_step)

    def importance(self) -> Importance:
        """Return the mean squares of the inputs of every matrix: name -> shape (row length,)."""
        return {name: (total / self._counts[name]).astype(np.float32) for name, total in self._sums.items()}

    def _on_step(self, address: int, before: bool, _user_data: object) -> bool:
        """Before a step, return whether its result is needed; after it, add the inputs and return True to continue."""
        product = ctypes.cast(address, ctypes.POINTER(_Tensor))
        if not before:
            self._add_squares(product.contents.src[0].contents.name.decode(), product.contents.src[1])
            return True
        if self._ggml.ggml_op_desc(product) != b"MUL_MAT":
            return False
        name: bytes = product.contents.src[0].contents.name
        wanted = name.startswith(b"blk.") and name.endswith(b".weight")
        return wanted and product.contents.src[1].contents.type == _F32

    def _add_squares(self, name: str, inputs: "ctypes._Pointer[_Tensor]") -> None:
        """Add the squares of a product's inputs, which llama.cpp may store with gaps between rows."""
        shape, strides = inputs.contents.ne[::-1], inputs.contents.nb[::-1]
        size = 4 + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        data = bytearray(size)
        self._ggml.ggml_backend_tensor_get(inputs, (ctypes.c_char * size).from_buffer(data), 0, size)
        rows = np.ndarray(shape, np.float32, data, strides=strides).reshape(-1, shape[-1]).astype(np.float64)
        self._sums[name] = self._sums.get(name, 0.0) + (rows**2).sum(axis=0)
        self._counts[name] = self._counts.get(name, 0) + len(rows)
