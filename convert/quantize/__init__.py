"""Quantise a GGUF file to smaller types, each with a receipt of what it contains and computes.

``python -m convert quantize model-f16.gguf --types Q8_0,Q5_K_M,Q4_K_M --out DIR``

Every file gets a receipt in the same folder, and one table of all (``quantization.json`` and ``.md``) recommends a
type. A file gets its name only after it was read back and measured.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from gguf import GGMLQuantizationType

from convert.files import ConvertError
from convert.gguf_file import GgufFile, read_gguf
from convert.quantize.comparison import Quantization
from convert.quantize.dry_run import DryTensor, dry_run
from convert.quantize.evaluate import measure
from convert.quantize.imatrix import ImportanceMatrix, measure_importance
from convert.quantize.provenance import Receipt, Source, list_fallbacks
from convert.quantize.quantizer import BASE, IGNORE_IMATRIX, NEED_IMATRIX, refuse_unknown_types, run_quantizer
from copilot import child_process
from copilot.files import hash_file, write_atomically

#: Types of a source that can be quantised.
FULL = frozenset((GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.BF16))


def quantize(
    source: Path,
    types: Sequence[str],
    out: Path | None = None,
    *,
    imatrix: Path | None = None,
    no_fallback: bool = False,
) -> Quantization:
    """Quantise a GGUF file to some types and write a receipt for each.

    Args:
        source: GGUF file in F32, F16 or BF16.
        types: keys of ``convert.quantize.quantizer.BASE``.
        out: folder for the files; by default that of ``source``.
        imatrix: UTF-8 text to measure importance on, which the lowest types need.
        no_fallback: refuse, before anything is written, a type that does not fit the model's shape.

    Raises:
        ConvertError, FileError: a type is unknown or needs ``imatrix``, the source is damaged or quantised already, or
            the disk is full. Types that were finished before are kept.
    """
    refuse_unusable_types(types, imatrix)
    file = _read_source(source)
    outs = _name_outputs(source, out or source.parent, types)
    plan = {type: dry_run(source, type, imatrix=bool(imatrix) and type not in IGNORE_IMATRIX) for type in outs}
    if no_fallback:
        _refuse_fallbacks(plan)
    matrix = measure_importance(file, imatrix) if imatrix else None
    origin = Source(source.name, hash_file(source), source.stat().st_size)
    receipts = [
        _quantize_to_type(file, origin, path, type, plan[type], None if type in IGNORE_IMATRIX else matrix)
        for type, path in outs.items()
    ]
    quantization = Quantization(origin, tuple(receipts))
    quantization.write(out or source.parent)
    return quantization


def refuse_unusable_types(types: Sequence[str], imatrix: Path | None) -> None:
    """Refuse types that cannot be made, before any work is done.

    Args:
        types: names of types.
        imatrix: text to measure importance on; None for none.

    Raises:
        ConvertError: a type is unknown or needs a text to measure importance on, or that text is missing.
    """
    refuse_unknown_types(types)
    if not imatrix and (needing := [type for type in types if type in NEED_IMATRIX]):
        raise ConvertError(f"{', '.join(needing)} cannot be made without an importance matrix; give --imatrix TEXT.")
    if imatrix and not imatrix.is_file():
        raise ConvertError(f"{imatrix} is not a file; --imatrix takes a text.")


def parse_type_names(text: str) -> list[str]:
    """Return the names of the types in a list like ``Q8_0, q4_k_m``."""
    return [name.strip().upper() for name in text.split(",")]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("source", type=Path, metavar="F16.gguf", help="a GGUF file in F32, F16 or BF16")
    parser.add_argument(
        "--types",
        required=True,
        type=parse_type_names,
        metavar="Q8_0,Q5_K_M,...",
        help=", ".join(BASE),
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the files (default: that of the source)")
    parser.add_argument(
        "--imatrix", type=Path, metavar="TEXT", help="text to measure on which weights matter; the lowest types need it"
    )
    parser.add_argument(
        "--no-fallback", action="store_true", help="write nothing where a type does not fit the model's shape"
    )


def run(options: argparse.Namespace) -> Quantization:
    """Run the verb with the options of the command line."""
    return quantize(
        options.source, options.types, options.out, imatrix=options.imatrix, no_fallback=options.no_fallback
    )


def _quantize_to_type(
    source: GgufFile, origin: Source, out: Path, type: str, plan: Sequence[DryTensor], matrix: ImportanceMatrix | None
) -> Receipt:
    """Quantise to one type, read the file back and measure it; then give it its name, and last write its receipt."""
    receipt_path = out.with_name(f"{out.stem}.receipt.json")
    with write_atomically(out) as partial:
        child_process.run(run_quantizer, source.path, partial, type, matrix.columns if matrix else None)
        receipt = Receipt.of(
            partial,
            out.name,
            plan,
            type=type,
            source=origin,
            imatrix=matrix.text if matrix else None,
            measured=measure(source, partial, type),
        )
        receipt_path.unlink(missing_ok=True)  # it belongs to an earlier file, which is replaced now
    receipt.write(receipt_path)
    return receipt


def _read_source(source: Path) -> GgufFile:
    """Read the header of the source, and refuse a file that is split or quantised already."""
    file = read_gguf(source)
    if not file.tensors:
        raise ConvertError(f"{source} contains no weights.")
    if file.metadata.get("split.count", 1) != 1:
        raise ConvertError(f"{source} is one part of several; join them first (llama-gguf-split --merge).")
    if quantised := {tensor.type.name for tensor in file.tensors if tensor.type not in FULL}:
        raise ConvertError(
            f"{source} is quantised already ({', '.join(sorted(quantised))}); start from the F16 or F32 file."
        )
    return file


def _name_outputs(source: Path, folder: Path, types: Sequence[str]) -> dict[str, Path]:
    """Return type -> path of its file, named like the source."""
    stem = re.sub(r"[-.](f32|f16|bf16)$", "", source.stem, flags=re.IGNORECASE)
    outs = {type: folder / f"{stem}-{type}.gguf" for type in types}
    for path in outs.values():
        if path.exists() and path.samefile(source):
            raise ConvertError(f"{path} is the source itself, whose full weights would be lost; give another --out.")
    return outs


def _refuse_fallbacks(plan: Mapping[str, Sequence[DryTensor]]) -> None:
    """Refuse types that do not fit the rows of some tensors.

    Raises:
        ConvertError: there are such tensors; the message names the first five.
    """
    for type, tensors in plan.items():
        found = [f"{f.tensor} (rows of {f.row}: {f.got} for {f.wanted})" for f in list_fallbacks(tensors)]
        if found:
            named = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
            raise ConvertError(f"{type} does not fit this model, nothing was written: {named}.")
