"""Quantise a GGUF file to smaller types, each with a receipt of what it contains and computes.

``python -m convert quantize model-f16.gguf --types Q8_0,Q5_K_M,Q4_K_M --out DIR``

Every file gets a receipt in the same folder (``convert.receipts``), and one table of all (``quantization.json`` and
``.md``) recommends a type. A file gets its name only after it was read back and measured.
"""

import argparse
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

from gguf import GGMLQuantizationType

from convert.files import ConvertError
from convert.gguf_file import GgufFile, read_gguf
from convert.quantize.evaluate import measure
from convert.quantize.imatrix import ImportanceMatrix, measure_importance
from convert.quantize.quantizer import (
    BASE,
    IGNORE_IMATRIX,
    NEED_IMATRIX,
    DryTensor,
    dry_run,
    refuse_unknown_types,
    run_quantizer,
)
from convert.receipts import ENDING, QUANTIZATION, Fallback, Receipt, Source, sum_by_type, write_receipt
from convert.report import VerbResult, align_columns, format_table, in_millions
from copilot import child_process
from copilot.files import hash_file, write_atomically

#: Types of a source that can be quantised.
FULL = frozenset((GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.BF16))
#: Limit on the mean divergence of a recommended file from its source, in nats per token. By Pinsker's inequality at
#: most sqrt(0.01 / 2) = 7 % of the probability is then on other tokens.
MAX_KL = 0.01
#: Least share of conversations in which a recommended file must find the same emotion as its source.
MIN_AGREEMENT = 0.97

HEADINGS = (
    *("type", "MB", "bits/weight", "mean KL", "99% KL", "perplexity", "same top-1", "same label", "prompt/s"),
    *("decode/s", "fallbacks"),
)


@dataclass(frozen=True)
class Quantization(VerbResult):
    """The receipts of one source's quantised files, in the order in which the types were given."""

    source: Source
    receipts: tuple[Receipt, ...]

    @property
    def recommended(self) -> Receipt | None:
        """The receipt of the smallest file within the limits; None where there is none."""
        fitting = [
            receipt
            for receipt in self.receipts
            if receipt.measured.mean_kl <= MAX_KL and receipt.measured.label_agreement >= MIN_AGREEMENT
        ]
        return min(fitting, key=lambda receipt: receipt.file_bytes, default=None)

    @property
    def closest(self) -> Receipt:
        """The receipt of the file with the smallest mean divergence."""
        return min(self.receipts, key=lambda receipt: receipt.measured.mean_kl)

    @property
    def reason(self) -> str:
        """The reason for the recommendation, or why there is none."""
        limits = f"a mean divergence of at most {MAX_KL} nats and the same emotion in at least {MIN_AGREEMENT:.0%}"
        best = self.recommended or self.closest
        figures = f"{best.measured.mean_kl:.2g} nats, {best.measured.label_agreement:.0%}"
        if not self.recommended:
            return f"None keeps within {limits} of the conversations; the closest is {best.type} ({figures})."
        return (
            f"{best.type}: the smallest of {len(self.receipts)} with {limits} of the conversations ({figures})."
            + _describe_fallbacks(best)
        )

    @property
    def notes(self) -> list[str]:
        """Sentences on the columns, the conditions of the measurement, and the types with fallbacks."""
        first = self.receipts[0].measured
        on = first.measured_on
        cut = f" ({on.cut} of them shortened to the model's context)" if on.cut else ""
        return [
            f"Measured against {self.source.file} ({in_millions(self.source.bytes)} MB, perplexity "
            f"{first.source_perplexity:.4g}) on the answers of {on.conversations} simulated conversations{cut}, "
            f"{on.answer_tokens} tokens; divergence (KL) in nats a token.",
            f"Speeds in tokens a second, and as a multiple of the source's in the same run: {on.speed}; processor with "
            f"{' '.join(on.processor)}.",
            *(f"{receipt.type}:{_describe_fallbacks(receipt)}" for receipt in self.receipts if receipt.fallbacks),
        ]

    def lines(self) -> list[str]:
        """Return the table, the conditions of the measurement and the recommendation as lines of text."""
        notes = [line for note in (*self.notes, f"Recommended: {self.reason}") for line in ("", *wrap(note, 110))]
        return [*align_columns([HEADINGS, *map(_format_row, self.receipts)]), *notes]

    def as_dict(self) -> dict[str, Any]:
        """Return the content of ``quantization.json``."""
        return {
            "source": vars(self.source),
            "recommended": self.recommended.file if self.recommended else None,
            "reason": self.reason,
            "receipts": [asdict(receipt) for receipt in self.receipts],
        }


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
    file, folder = _read_source(source), out or source.parent
    stem = re.sub(r"[-.](f32|f16|bf16)$", "", source.stem, flags=re.IGNORECASE)
    outs = {type: folder / f"{stem}-{type}.gguf" for type in types}
    for path in outs.values():
        if path.exists() and path.samefile(source):
            raise ConvertError(f"{path} is the source itself, whose full weights would be lost; give another --out.")
    plans = {
        type: child_process.run(dry_run, source, type, imatrix=bool(imatrix) and type not in IGNORE_IMATRIX)
        for type in outs
    }
    for type, plan in plans.items():
        found = [f"{f.tensor} (rows of {f.row}: {f.got} for {f.wanted})" for f in _list_fallbacks(plan)]
        if found and no_fallback:
            named = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
            raise ConvertError(f"{type} does not fit this model, nothing was written: {named}.")
    matrix = measure_importance(file, imatrix) if imatrix else None
    origin = Source(source.name, hash_file(source), source.stat().st_size)
    receipts = [
        _quantize_to_type(file, origin, path, type, plans[type], None if type in IGNORE_IMATRIX else matrix)
        for type, path in outs.items()
    ]
    quantization = Quantization(origin, tuple(receipts))
    with write_atomically(folder / QUANTIZATION) as partial:
        write_receipt(partial, quantization.as_dict())
    table = format_table(HEADINGS, [_format_row(receipt) for receipt in receipts], numbers=True)
    notes = [*quantization.notes, f"**Recommended:** {quantization.reason}\n"]
    with write_atomically((folder / QUANTIZATION).with_suffix(".md")) as partial:
        partial.write_text("\n\n".join([f"# {source.name}, quantised", table, *notes]), encoding="utf-8")
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
        "--types", required=True, type=parse_type_names, metavar="Q8_0,Q5_K_M,...", help=", ".join(BASE)
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the files (default: that of the source)")
    parser.add_argument(
        "--imatrix", type=Path, metavar="TEXT", help="text to measure on which weights matter; the lowest types need it"
    )
    parser.add_argument(
        "--no-fallback", action="store_true", help="write nothing where a type does not fit the model's shape"
    )
    parser.set_defaults(run=quantize)


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


def _quantize_to_type(
    source: GgufFile, origin: Source, out: Path, type: str, plan: Sequence[DryTensor], matrix: ImportanceMatrix | None
) -> Receipt:
    """Quantise to one type, read the file back and measure it; then give it its name, and last write its receipt.

    Raises:
        ConvertError: the file is not whole, or contains other tensors than the dry run predicted.
    """
    receipt_path = out.with_name(f"{out.stem}{ENDING}")
    with write_atomically(out) as partial:
        child_process.run(run_quantizer, source.path, partial, type, matrix.columns if matrix else None)
        measured = measure(source, partial, type)
        file = read_gguf(partial)
        if {t.name: (t.shape, t.type) for t in file.tensors} != {t.name: (t.shape, t.type) for t in plan}:
            raise ConvertError(
                f"llama.cpp wrote other tensors into {out.name} than its dry run reported; the file was not kept."
            )
        receipt = Receipt(
            file=out.name,
            type=type,
            source=origin,
            imatrix=matrix.text if matrix else None,
            nominal=sum_by_type((tensor.wanted.name, tensor.wanted_bytes) for tensor in plan),
            actual=sum_by_type((tensor.type.name, tensor.bytes) for tensor in file.tensors),
            fallbacks=_list_fallbacks(plan),
            parameters=file.parameters,
            bits_per_weight=round(8 * sum(tensor.bytes for tensor in file.tensors) / file.parameters, 3),
            file_bytes=partial.stat().st_size,
            sha256=hash_file(partial),
            measured=measured,
        )
        receipt_path.unlink(missing_ok=True)  # it belongs to an earlier file, which is replaced now
    with write_atomically(receipt_path) as partial:
        write_receipt(partial, asdict(receipt))
    return receipt


def _list_fallbacks(planned: Iterable[DryTensor]) -> tuple[Fallback, ...]:
    """Return the tensors whose rows do not fit the wanted type."""
    return tuple(Fallback(t.name, t.shape[0], t.wanted.name, t.type.name) for t in planned if t.fell_back)


def _describe_fallbacks(receipt: Receipt) -> str:
    """Describe the matrices that have another type than the file's name says; empty where there are none."""
    if not receipt.fallbacks:
        return ""
    rows = ", ".join(str(row) for row in sorted({fallback.row for fallback in receipt.fallbacks}))
    pairs = ", ".join(sorted({f"{fallback.got} for {fallback.wanted}" for fallback in receipt.fallbacks}))
    matrices = sum(share.tensors for name, share in receipt.actual.items() if name != "F32")
    return (
        f" Its name misleads: {len(receipt.fallbacks)} of {matrices} matrices fell back, rows of {rows} numbers "
        f"holding {pairs}."
    )


def _format_row(receipt: Receipt) -> Sequence[str]:
    """Return the cells of one type, in the order of ``HEADINGS``."""
    measured = receipt.measured
    ours, theirs = measured.speed, measured.source_speed
    return (
        receipt.type,
        in_millions(receipt.file_bytes),
        f"{receipt.bits_per_weight:.2f}",
        f"{measured.mean_kl:.2g}",
        f"{measured.p99_kl:.2g}",
        f"{measured.perplexity:.4g}",
        f"{measured.same_top1:.1%}",
        f"{measured.label_agreement:.1%}",
        f"{ours.prompt:.0f} ({ours.prompt / theirs.prompt:.2f}x)",
        f"{ours.decode:.0f} ({ours.decode / theirs.decode:.2f}x)",
        str(len(receipt.fallbacks) or "-"),
    )
