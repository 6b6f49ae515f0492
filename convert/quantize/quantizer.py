"""Run llama.cpp's quantiser, or a dry run of it, which finds the type of every tensor before anything is written.

The types that it can make are listed here by llama.cpp's names of file types. Ternary, one-bit and mixture-of-experts
types are left out, because no model here is made for them.
https://github.com/ggml-org/llama.cpp/blob/master/tools/quantize/README.md

Where a tensor's rows do not fit the type that llama.cpp wants for it, llama.cpp uses another one, with a warning and
exit status 0. Which type it wants depends on the type of the file, the architecture, the layer, and whether there is an
importance matrix. Therefore a dry run's log is parsed. It reads no weights: a sparse file without data suffices.
"""

import ctypes
import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, LlamaFileType

from convert.files import ConvertError
from convert.gguf_file import read_gguf
from convert.progress import progress_bar

#: A matrix's name -> the importance of each of its input columns, shape (row length,).
Importance = Mapping[str, npt.NDArray[np.float32]]

#: Type of file -> the type that most of its matrices get.
BASE = {
    **{name: name for name in ("Q8_0", "Q6_K", "Q5_1", "Q5_0", "Q4_1", "Q4_0", "Q2_K", "F16", "BF16")},
    **{name: name for name in ("IQ4_XS", "IQ4_NL", "IQ3_S", "IQ3_XXS", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S")},
    **{"Q5_K_M": "Q5_K", "Q5_K_S": "Q5_K", "Q4_K_M": "Q4_K", "Q4_K_S": "Q4_K", "Q2_K_S": "Q2_K"},
    **{"Q3_K_L": "Q3_K", "Q3_K_M": "Q3_K", "Q3_K_S": "Q3_K"},
    **{"IQ3_M": "IQ3_S", "IQ3_XS": "IQ3_S", "IQ2_M": "IQ2_S", "IQ2_S": "IQ2_XS"},
}
#: Types whose blocks are too coarse without an importance matrix: llama.cpp refuses to make them without one.
NEED_IMATRIX = frozenset(
    ("Q2_K_S", "IQ3_XS", "IQ3_XXS", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S"),
)
#: Types that round every number to the nearest, whatever its importance.
IGNORE_IMATRIX = frozenset(("Q8_0", "F16", "BF16"))

#: As "[ 12/ 290] blk.3.attn_q.weight - [ 64, 64, 1, 1], type = f16, size = 0.01 MiB -> 0.01 MiB (q5_0)"; without
#: an arrow where the type stays.
_DECISION = re.compile(r"\[ *\d+/ *\d+\] (\S+) +- \[.*\], type = +(\w+), size = [^(]*(?:\((\w+)\))?$")
#: As "warning: blk.3.attn_q.weight - ncols 64 not divisible by 256 (required for type q4_K) -> falling back to q5_0"
_FALLBACK = re.compile(r"warning: (\S+) +- ncols .*\(required for type +(\w+)\)")
_ERROR = 4  # ggml_log_level: 1 debug, 2 info, 3 warning, 4 error, 5 continues the line before


def refuse_unknown_types(types: Sequence[str]) -> None:
    """Refuse types that are not made here.

    Raises:
        ConvertError: there is such a type, or no type at all; the message lists the known types.
    """
    for type in types or [""]:
        if type not in BASE:
            raise ConvertError(f"Type {type!r} is not known; it can be {', '.join(BASE)}.")


def run_quantizer(source: Path, out: Path | None, type: str, importance: Importance | None = None) -> list[str]:
    """Quantise a GGUF file, or make a dry run, which reads no weights.

    Args:
        source: GGUF file in F32, F16 or BF16.
        out: the file to write; None for a dry run.
        type: a key of ``BASE``.
        importance: the importance matrix; None for none.

    Returns:
        The lines of llama.cpp's log.

    Raises:
        ConvertError: llama.cpp refuses the source, or the result cannot be written.
    """
    import llama_cpp

    llama_cpp.llama_backend_init()
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = LlamaFileType[f"MOSTLY_{type}"].value
    params.dry_run = out is None
    if importance is not None:  # an array of names, numbers and their counts; an entry without a name ends it
        entries = (llama_cpp.llama_model_imatrix_data * (len(importance) + 1))()
        for entry, (name, values) in zip(entries, importance.items(), strict=False):
            entry.name, entry.size = name.encode(), values.size
            entry.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))  # the caller keeps the numbers in memory
        params.imatrix = entries
    with progress_bar(f"Quantising to {type}") if out else nullcontext() as progress, _Log(progress) as log:
        status = llama_cpp.llama_model_quantize(str(source).encode(), str(out or "").encode(), ctypes.byref(params))
    if status != 0:
        raise ConvertError(log.describe_error(source, type))
    return log.text.splitlines()


class _Log:
    """Collect llama.cpp's log, which arrives in parts of lines, and advance the bar at each tensor that it begins."""

    def __init__(self, progress: Any) -> None:
        import llama_cpp

        self.text = ""
        self._errors = ""
        self._progress = progress
        self._callback = llama_cpp.llama_log_callback(self._receive)
        self._before, self._data = llama_cpp.llama_log_callback(), ctypes.c_void_p()

    def __enter__(self) -> "_Log":
        import llama_cpp

        llama_cpp.llama_log_get(ctypes.byref(self._before), ctypes.byref(self._data))
        llama_cpp.llama_log_set(self._callback, ctypes.c_void_p())
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the earlier callback, because llama.cpp would keep calling this one, which no longer exists."""
        import llama_cpp

        llama_cpp.llama_log_set(self._before, self._data)

    def _receive(self, level: int, piece: bytes, _user_data: object) -> None:
        text = piece.decode(errors="replace")
        self.text += text
        if level == _ERROR:
            self._errors += text
        if self._progress is not None and (tensor := re.match(r"\[ *(\d+)/ *(\d+)\]", text)):
            self._progress.total = int(tensor[2])
            self._progress.update()

    def describe_error(self, source: Path, type: str) -> str:
        """Return a sentence about why llama.cpp could not quantise."""
        if "iostream error" in self._errors:  # C++ streams report nothing else about a disk
            return f"The {type} file could not be written: the disk is full, or there is a limit on the size of files."
        last = self._errors.strip().rpartition("\n")[2]
        reason = re.sub(r"^\w+: (failed to quantize: )?", "", last).strip(" .!") or "no reason given"
        return f"llama.cpp could not quantise {source} to {type}: {reason}."


@dataclass(frozen=True)
class DryTensor:
    """One tensor as it would be in the quantised file.

    Attributes:
        name: llama.cpp's name.
        shape: in ggml's order, row length first.
        type: the type that it would be stored in.
        bytes: its size in that type.
        wanted: the type that llama.cpp would choose if the rows fitted it.
    """

    name: str
    shape: tuple[int, ...]
    type: GGMLQuantizationType
    bytes: int
    wanted: GGMLQuantizationType

    @property
    def fell_back(self) -> bool:
        """Whether the rows do not fit the wanted type."""
        return bool(self.type != self.wanted)

    @property
    def wanted_bytes(self) -> int:
        """The size in bytes if the rows fitted the wanted type."""
        block, size = GGML_QUANT_SIZES[self.wanted]
        return int(prod(self.shape) * size // block)


def dry_run(path: Path, type: str, *, imatrix: bool = False) -> tuple[DryTensor, ...]:
    """Find the type that each tensor would get; only for a child process.

    Args:
        path: GGUF file in F32, F16 or BF16.
        type: a key of ``BASE``.
        imatrix: whether there will be an importance matrix, with which llama.cpp wants other types for some tensors.

    Returns:
        The tensors in the order of the file.

    Raises:
        ConvertError: the type is unknown, or llama.cpp refuses the file.
    """
    refuse_unknown_types([type])
    tensors = read_gguf(path).tensors
    lines = run_quantizer(path, None, type, {} if imatrix else None)
    names = {found[1]: found[3] or found[2] for line in lines if (found := _DECISION.match(line))}
    decided = {tensor: GGMLQuantizationType[name.upper()] for tensor, name in names.items()}  # ggml's is in mixed case
    fallbacks = {found[1]: found[2] for line in lines if (found := _FALLBACK.match(line))}
    wanted = decided | {tensor: GGMLQuantizationType[name.upper()] for tensor, name in fallbacks.items()}
    if missing := {tensor.name for tensor in tensors} - decided.keys():
        raise ConvertError(f"llama.cpp did not report the type of {min(missing)}.")
    # Where the rows of the output matrix do not fit, llama.cpp uses Q8_0 without a warning. Normally that matrix gets a
    # better type than the other matrices.
    output = "output.weight" if "output.weight" in decided else "token_embd.weight"  # a tied embedding is both
    block, _ = GGML_QUANT_SIZES[GGMLQuantizationType[BASE[type]]]
    row = next((tensor.shape[0] for tensor in tensors if tensor.name == output), 0)
    if type != "Q8_0" and row % block:
        lowest = type in NEED_IMATRIX - {"Q2_K_S", "IQ3_XS"}
        wanted[output] = GGMLQuantizationType.Q5_K if lowest else GGMLQuantizationType.Q6_K
    planned = []
    for tensor in tensors:
        kind = decided[tensor.name]
        block, size = GGML_QUANT_SIZES[kind]
        planned.append(DryTensor(tensor.name, tensor.shape, kind, tensor.numbers // block * size, wanted[tensor.name]))
    return tuple(planned)
