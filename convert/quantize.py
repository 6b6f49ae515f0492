"""Quantise a GGUF file with llama.cpp, and say what really happened to every tensor.

``python -m convert quantize model-f16.gguf --out model.gguf --type Q8_0 --receipt receipt.json``

llama.cpp puts another type where a tensor's rows do not fit the one asked for, with a warning and exit status 0. So the
receipt is read back from the finished file.
"""

import ctypes
import hashlib
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFReader, LlamaFileType, ReaderTensor

from convert.files import ConvertError, written_whole

log = logging.getLogger(__name__)

# Those that need no importance matrix.
TYPES = (
    *("Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q5_1", "Q5_0", "Q4_K_M", "Q4_K_S", "Q4_1", "Q4_0"),
    *("IQ4_XS", "IQ4_NL", "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K", "BF16", "F16"),
)
LOG_ERROR = 4  # ggml_log_level: 1 debug, 2 info, 3 warning, 4 error, 5 goes on with the line before


@dataclass(frozen=True)
class Share:
    """How much of a file is of one type."""

    tensors: int
    bytes: int


@dataclass(frozen=True)
class Fallback:
    """A matrix that llama.cpp could not give a type of the asked-for kind, with its row length."""

    tensor: str
    row: int
    type: str


@dataclass(frozen=True)
class Receipt:
    """What a quantised file holds.

    Attributes:
        file: its name.
        type: the nominal type asked for; llama.cpp mixes others in on purpose, as in every ``_M``.
        actual: tensors and bytes by the type they really have, norms and biases (always F32) included.
        fallbacks: where a tensor's rows did not fit.
        parameters: numbers in the model.
        bits_per_weight: of the tensor data, without the file's header and vocabulary.
        file_bytes: the whole file.
        sha256: of the whole file.
    """

    file: str
    type: str
    actual: dict[str, Share]
    fallbacks: tuple[Fallback, ...]
    parameters: int
    bits_per_weight: float
    file_bytes: int
    sha256: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    def write(self, path: Path) -> None:
        """Write the receipt as JSON."""
        with written_whole(path) as partial:
            partial.write_text(json.dumps(self.as_dict(), indent=2) + "\n", encoding="utf-8")


def quantize(source: Path, out: Path, type: str = "Q8_0") -> Receipt:
    """Write ``source`` (F32, F16 or BF16) to ``out`` in another type, and report what it then holds.

    Args:
        type: one of ``TYPES``, as llama.cpp names them.

    Raises:
        ConvertError: an unknown type, a source that llama.cpp refuses, or a full disk; ``out`` is then not touched.
    """
    if type not in TYPES:
        raise ConvertError(f"Type {type!r} is not known; it can be {', '.join(TYPES)}.")
    if not source.is_file():
        raise ConvertError(f"{source} is not a file.")
    if out.exists() and out.samefile(source):
        raise ConvertError("The quantised file cannot take its source's name, or the full weights would be lost.")
    with written_whole(out) as partial:
        _run_llama(source, partial, type)
        return _receipt(partial, out.name, type)


def _run_llama(source: Path, out: Path, type: str) -> None:
    import llama_cpp

    llama_cpp.llama_backend_init()
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = LlamaFileType[f"MOSTLY_{type}"].value
    with _llama_log() as errors:
        status = llama_cpp.llama_model_quantize(str(source).encode(), str(out).encode(), ctypes.byref(params))
    if status != 0:
        reason = re.sub(r"^\w+: (failed to quantize: )?", "", errors[-1]) if errors else "no reason given"
        raise ConvertError(f"llama.cpp could not quantise {source} to {type}: {reason}.")


@contextmanager
def _llama_log() -> Iterator[list[str]]:
    """Turn llama.cpp's output into log lines, collecting its errors, and give the earlier receiver back at the end."""
    import llama_cpp

    errors: list[str] = []

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
    def receive(level: int, text: bytes, _user_data: ctypes.c_void_p) -> None:
        line = text.decode(errors="replace").strip()
        if level == LOG_ERROR:
            errors.append(line)
        elif line.startswith("["):  # "[ 12/ 290] blk.3.attn_q.weight - ...", its progress
            log.info("%s", line)

    before, user_data = llama_cpp.llama_log_callback(), ctypes.c_void_p()
    llama_cpp.llama_log_get(ctypes.byref(before), ctypes.byref(user_data))
    llama_cpp.llama_log_set(receive, ctypes.c_void_p())
    try:
        yield errors
    finally:
        llama_cpp.llama_log_set(before, user_data)


def _receipt(path: Path, name: str, type: str) -> Receipt:
    tensors = GGUFReader(path).tensors
    actual: dict[str, Share] = {}
    for tensor in tensors:
        share = actual.get(tensor.tensor_type.name, Share(0, 0))
        actual[tensor.tensor_type.name] = Share(share.tensors + 1, share.bytes + int(tensor.n_bytes))
    parameters = sum(int(tensor.n_elements) for tensor in tensors)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Receipt(
        file=name,
        type=type,
        actual=dict(sorted(actual.items())),
        fallbacks=tuple(Fallback(t.name, int(t.shape[0]), t.tensor_type.name) for t in tensors if _fell_back(t, type)),
        parameters=parameters,
        bits_per_weight=round(8 * sum(share.bytes for share in actual.values()) / parameters, 3),
        file_bytes=path.stat().st_size,
        sha256=digest,
    )


def _fell_back(tensor: ReaderTensor, nominal: str) -> bool:
    """Whether a matrix has a type of smaller blocks than the nominal one's, or Q8_0 in the place of a Q6_K."""
    if len(tensor.shape) < 2:
        return False
    actual, wanted = tensor.tensor_type, GGMLQuantizationType[re.sub(r"_[SML]$", "", nominal)]
    smaller: bool = GGML_QUANT_SIZES[actual][0] < GGML_QUANT_SIZES[wanted][0]
    return smaller or (actual.name == "Q8_0" and nominal != "Q8_0")
