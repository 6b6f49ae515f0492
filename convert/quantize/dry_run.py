"""What llama.cpp's quantiser would make of every tensor, in its own words, before anything is written.

Where a tensor's rows do not fit the type that llama.cpp wants for it, another is put in its place, with a warning and
exit status 0. Which one is wanted depends on the type of the file, the architecture, the layer, and whether there is an
importance matrix; so llama.cpp is asked. No weights are read, and a file whose data are a hole will do.
"""

import re
from dataclasses import dataclass
from math import prod
from pathlib import Path

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from convert import child_process
from convert.files import ConvertError
from convert.gguf_file import TensorInfo, read_gguf
from convert.quantize.quantizer import BASE, NEED_IMATRIX, refuse_unknown_types, run_quantizer

#: "[ 12/ 290] blk.3.attn_q.weight - [ 64, 64, 1, 1], type = f16, size = 0.01 MiB -> 0.01 MiB (q5_0)"; no arrow where
#: the type stays.
_DECISION = re.compile(r"\[ *\d+/ *\d+\] (\S+) +- \[.*\], type = +(\w+), size = [^(]*(?:\((\w+)\))?$")
#: "warning: blk.3.attn_q.weight - ncols 64 not divisible by 256 (required for type q4_K) -> falling back to q5_0"
_FALLBACK = re.compile(r"warning: (\S+) +- ncols .*\(required for type +(\w+)\)")


@dataclass(frozen=True)
class DryTensor:
    """One tensor as it would be in the quantised file.

    Attributes:
        name: llama.cpp's.
        shape: in ggml's order, row length first.
        type: what it would be stored as.
        bytes: its size in that type.
        wanted: the type that llama.cpp would choose if the rows fitted.
    """

    name: str
    shape: tuple[int, ...]
    type: GGMLQuantizationType
    bytes: int
    wanted: GGMLQuantizationType

    @property
    def fell_back(self) -> bool:
        """Whether its rows do not fit the wanted type."""
        return bool(self.type != self.wanted)

    @property
    def wanted_bytes(self) -> int:
        """Its size if its rows fitted."""
        block, size = GGML_QUANT_SIZES[self.wanted]
        return int(prod(self.shape) * size // block)


def dry_run(path: Path, type: str, *, imatrix: bool = False) -> tuple[DryTensor, ...]:
    """Ask llama.cpp, in a child process, what each tensor would become.

    Args:
        path: GGUF file in F32, F16 or BF16.
        type: a key of ``convert.quantize.quantizer.BASE``.
        imatrix: as if there were an importance matrix, with which llama.cpp wants other types for some tensors.

    Returns:
        The tensors in the order of the file.

    Raises:
        ConvertError: an unknown type, or a file that llama.cpp refuses.
    """
    return child_process.run(dry_run_in_process, path, type, imatrix=imatrix)


def dry_run_in_process(path: Path, type: str, *, imatrix: bool = False) -> tuple[DryTensor, ...]:
    """The same in this process, for one that is a child itself and asks often; see ``dry_run``."""
    refuse_unknown_types([type])
    tensors = read_gguf(path).tensors
    lines = run_quantizer(path, None, type, {} if imatrix else None)
    decided = {found[1]: _parse_type(found[3] or found[2]) for line in lines if (found := _DECISION.match(line))}
    replaced = {found[1]: _parse_type(found[2]) for line in lines if (found := _FALLBACK.match(line))}
    if missing := {tensor.name for tensor in tensors} - decided.keys():
        raise ConvertError(f"llama.cpp did not say what becomes of {min(missing)}.")
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
    block, size = GGML_QUANT_SIZES[type]
    return DryTensor(tensor.name, tensor.shape, type, tensor.numbers // block * size, replaced or type)


def _find_silent_fallback(output: TensorInfo, type: str) -> GGMLQuantizationType | None:
    """The type that the output matrix does not get, where its rows do not fit the type of the file.

    llama.cpp then gives it Q8_0 without a word. It normally gets a better type than the rest.
    """
    block, _ = GGML_QUANT_SIZES[GGMLQuantizationType[BASE[type]]]
    if type == "Q8_0" or output.shape[0] % block == 0:
        return None
    lowest = NEED_IMATRIX - {"Q2_K_S", "IQ3_XS"}
    return GGMLQuantizationType.Q5_K if type in lowest else GGMLQuantizationType.Q6_K


def _parse_type(name: str) -> GGMLQuantizationType:
    """The type that ggml writes in mixed case."""
    return GGMLQuantizationType[name.upper()]
