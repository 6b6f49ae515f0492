"""Run llama.cpp's quantiser as one function, in a child process; ``quantize`` and ``dry_run`` share it.

The types that it can make are listed here by llama.cpp's names of file types. Ternary, one-bit and mixture-of-experts
types are left out, because no model here is made for them.
https://github.com/ggml-org/llama.cpp/blob/master/tools/quantize/README.md
"""

import ctypes
import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import LlamaFileType

from convert.files import ConvertError
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
    if importance is not None:
        entries = _make_entries(importance)
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


def _make_entries(importance: Importance) -> Any:
    """Make llama.cpp's array of names, numbers and their counts; an entry without a name ends it."""
    import llama_cpp

    entries = (llama_cpp.llama_model_imatrix_data * (len(importance) + 1))()
    for entry, (name, values) in zip(entries, importance.items(), strict=False):
        entry.name, entry.size = name.encode(), values.size
        entry.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))  # the caller keeps the numbers in memory
    return entries
