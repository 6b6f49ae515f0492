"""Find the type that llama.cpp's quantiser would choose for every tensor, before anything is written.

Where a tensor's rows do not fit the type that llama.cpp wants for it, llama.cpp uses another one, with a warning and
exit status 0. Which type it wants depends on the type of the file, the architecture, the layer, and whether there is an
importance matrix. Therefore this module makes a dry run of llama.cpp and parses its log. No weights are read: a sparse
file without data suffices.
"""

import re
from dataclasses import dataclass
from math import prod
from pathlib import Path

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from convert.files import ConvertError
from convert.gguf_file import TensorInfo, read_gguf
from convert.quantize.quantizer import BASE, NEED_IMATRIX, refuse_unknown_types, run_quantizer
from copilot import child_process

#: As "[ 12/ 290] blk.3.attn_q.weight - [ 64, 64, 1, 1], type = f16, size = 0.01 MiB -> 0.01 MiB (q5_0)"; without
#: an arrow where the type stays.
_DECISION = re.compile(r"\[ *\d+/ *\d+\] (\S+) +- \[.*\], type = +(\w+), size = [^(]*(?:\((\w+)\))?$")
#: As "warning: blk.3.attn_q.weight - ncols 64 not divisible by 256 (required for type q4_K) -> falling back to q5_0"
_FALLBACK = re.compile(r"warning: (\S+) +- ncols .*\(required for type +(\w+)\)")


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
    """Find the type that each tensor would get, in a child process.

    Args:
        path: GGUF file in F32, F16 or BF16.
        type: a key of ``convert.quantize.quantizer.BASE``.
        imatrix: whether there will be an importance matrix, with which llama.cpp wants other types for some tensors.

    Returns:
        The tensors in the order of the file.

    Raises:
        ConvertError: the type is unknown, or llama.cpp refuses the file.
    """
    return child_process.run(dry_run_in_process, path, type, imatrix=imatrix)


def dry_run_in_process(path: Path, type: str, *, imatrix: bool = False) -> tuple[DryTensor, ...]:
    """Do the same as ``dry_run`` in this process; for a child process that makes many dry runs.

    Args:
        path: as for ``dry_run``.
        type: as for ``dry_run``.
        imatrix: as for ``dry_run``.

    Raises:
        ConvertError: as ``dry_run``.
    """
    refuse_unknown_types([type])
    tensors = read_gguf(path).tensors
    lines = run_quantizer(path, None, type, {} if imatrix else None)
    decided = {found[1]: _parse_type(found[3] or found[2]) for line in lines if (found := _DECISION.match(line))}
    replaced = {found[1]: _parse_type(found[2]) for line in lines if (found := _FALLBACK.match(line))}
    if missing := {tensor.name for tensor in tensors} - decided.keys():
        raise ConvertError(f"llama.cpp did not report the type of {min(missing)}.")
    output = "output.weight" if "output.weight" in decided else "token_embd.weight"  # a tied embedding is both
    return tuple(
        _make_dry_tensor(
            tensor,
            decided[tensor.name],
            (_find_silent_fallback(tensor, type) if tensor.name == output else None) or replaced.get(tensor.name),
        )
        for tensor in tensors
    )


def _make_dry_tensor(
    tensor: TensorInfo, type: GGMLQuantizationType, replaced: GGMLQuantizationType | None
) -> DryTensor:
    """Make the result of one tensor; ``replaced`` is the wanted type where the tensor did not get it."""
    block, size = GGML_QUANT_SIZES[type]
    return DryTensor(tensor.name, tensor.shape, type, tensor.numbers // block * size, replaced or type)


def _find_silent_fallback(output: TensorInfo, type: str) -> GGMLQuantizationType | None:
    """Return the type that the output matrix would get if its rows fitted it; None where they do.

    Where they do not fit, llama.cpp uses Q8_0 without a warning. Normally the output matrix gets a better type than the
    other matrices.
    """
    block, _ = GGML_QUANT_SIZES[GGMLQuantizationType[BASE[type]]]
    if type == "Q8_0" or output.shape[0] % block == 0:
        return None
    lowest = NEED_IMATRIX - {"Q2_K_S", "IQ3_XS"}
    return GGMLQuantizationType.Q5_K if type in lowest else GGMLQuantizationType.Q6_K


def _parse_type(name: str) -> GGMLQuantizationType:
    """Return the type whose name ggml writes in mixed case."""
    return GGMLQuantizationType[name.upper()]
