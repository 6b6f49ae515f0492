"""Find pruned shapes of a model that can be reloaded, run and quantised, before the long work of pruning.

``python -m convert plan MODEL_DIR`` or ``python -m convert plan 896/14/2/4864`` (hidden/heads/kv/ffn)

Every shape that pruning can produce is tried in Hugging Face and in llama.cpp, with two layers of random weights
(``convert.plan.trials``). A dry run of llama.cpp's quantiser gives the types and sizes of each quantised file of all
layers.
"""

import argparse
import os
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from importlib.metadata import version
from itertools import product
from pathlib import Path
from textwrap import wrap
from typing import Any

from convert.files import ConvertError, read_json
from convert.plan.trials import FileSize, compute_sizes, tokenizer_bytes, try_hugging_face, try_llama_cpp
from convert.progress import track_progress
from convert.report import VerbResult, align_columns, in_millions
from convert.shape import RATIOS, ROUNDINGS, Shape, find_obstacle, prune_shape

HALF = 0.5
#: The shape of https://huggingface.co/Qwen/Qwen2-0.5B; a shape in numbers takes the values it does not give from here.
QWEN2 = Shape(
    architecture="Qwen2ForCausalLM",
    layers=24,
    hidden=896,
    ffn=4864,
    heads=14,
    kv_heads=2,
    head_dim=64,
    vocabulary=151_936,
    context=131_072,
    rms_eps=1e-6,
    rope_base=1e6,
    tied=True,
    biased=True,
)
NUMBER = re.compile("[0-9]{1,10}")
FORM = "hidden/heads/kv/ffn, with /layers/vocabulary and then /head_dim if they are not 24, 151936 and hidden/heads"
#: The types whose sizes the table shows; ``--json`` contains all.
SHOWN = ("Q8_0", "Q5_K_M", "Q4_K_M", "Q4_0")
HEADINGS = ("ratio", "round", "hidden", "heads", "FFN", "params", "HF", "llama.cpp", *SHOWN)
WIDTH = 116


@dataclass(frozen=True)
class PlanRow:
    """One shape of the plan, and the findings about it.

    Attributes:
        ratio: ratio of pruning; None for the unpruned shape.
        round_to: the number that its widths are multiples of; None for the unpruned shape.
        shape: the shape after pruning.
        impossible: why the shape must not be made; None where it is possible. Only then it was tried.
        hugging_face: why Hugging Face does not reload it; None where it does.
        llama_cpp: why llama.cpp does not run it; None where it does.
        sizes: quantised type -> size.
    """

    ratio: Fraction | None
    round_to: int | None
    shape: Shape
    impossible: str | None = None
    hugging_face: str | None = None
    llama_cpp: str | None = None
    sizes: Mapping[str, FileSize] = field(default_factory=dict)

    @property
    def fits(self) -> bool:
        """Whether it can be reloaded and run, and every K-quant of it has the types that its name states."""
        genuine = all(size.genuine for type, size in self.sizes.items() if "_K" in type)  # blocks of 256
        return genuine and not (self.impossible or self.hugging_face or self.llama_cpp)

    def as_dict(self) -> dict[str, Any]:
        """Return the row as plain values, ready for JSON."""
        names = ("hidden", "heads", "kv_heads", "head_dim", "ffn", "layers", "vocabulary", "q_width", "parameters")
        return {
            "ratio": str(self.ratio) if self.ratio else None,
            "round_to": self.round_to,
            **{name: getattr(self.shape, name) for name in (*names, "gguf_architecture")},
            "impossible": self.impossible,
            "reloads_in_hugging_face": not (self.impossible or self.hugging_face),
            "runs_in_llama_cpp": not (self.impossible or self.llama_cpp),
            "fits": self.fits,
            "hugging_face": self.hugging_face,
            "llama_cpp": self.llama_cpp,
            "sizes": {type: asdict(size) for type, size in self.sizes.items()},
        }


@dataclass(frozen=True)
class PruningPlan(VerbResult):
    """The plan of one model.

    Attributes:
        model: the folder or shape that was given.
        rows: the unpruned shape, then the pruned ones by ratio and rounding.
        half: count of the parameters that pruning by a half leaves, which is the aim.
        tokenizer_bytes: size of the tokenizer in each file; None where it is not known, and not included.
        seconds: duration on this machine.
    """

    model: str
    rows: tuple[PlanRow, ...]
    half: int
    tokenizer_bytes: int | None
    seconds: float

    @property
    def recommended(self) -> PlanRow | None:
        """The fitting shape whose parameters are nearest to those of pruning by a half; None where none fits."""
        fitting = [row for row in self.rows if row.fits]
        return min(fitting, key=lambda row: abs(row.shape.parameters - self.half), default=None)

    @property
    def passed(self) -> bool:
        """Whether there is a shape to recommend."""
        return self.recommended is not None

    @property
    def reason(self) -> str:
        """The reason for the recommendation, or why there is none."""
        aim = f"the {in_millions(self.half)} M parameters that pruning by a half aims at"
        best = self.recommended
        if best is None:
            return f"None of these reloads, runs and takes every K-quant; {aim} cannot be had with them."
        shape = best.shape
        how = f"ratio {best.ratio} rounded to {best.round_to}" if best.ratio else "the shape as it is"
        q4, count = best.sizes["Q4_K_M"], len({row.shape for row in self.rows if row.fits})
        return (
            f"{how}: {_format_shape(shape)} with {in_millions(shape.parameters)} M parameters. Of the "
            f"{count} shape{'s' if count > 1 else ''} that Hugging Face reloads, llama.cpp runs and every K-quant fits,"
            f" it is nearest to {aim}; as Q4_K_M {in_millions(q4.file_bytes)} MB, {q4.bits_per_weight:.2f} bits per "
            "weight."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values, ready for JSON."""
        return {
            "model": self.model,
            "rows": [row.as_dict() for row in self.rows],
            "half_parameters": self.half,
            "tokenizer_bytes": self.tokenizer_bytes,
            "recommended": self.recommended.as_dict() if self.recommended else None,
            "reason": self.reason,
            "seconds": self.seconds,
        }

    def lines(self) -> list[str]:
        """Return the table, the explanation of its marks and the recommendation as lines of text."""
        first = self.rows[0].shape
        table = align_columns([HEADINGS, *(_format_row(row, first) for row in self.rows)])
        notes = [*self._notes(), f"Recommended: {self.reason}"]
        return [*table, *(line for note in notes for line in ("", *wrap(note, WIDTH)))]

    def _notes(self) -> list[str]:
        """Explain the marks, the tests that were made, and the reasons of failures."""
        tokenizer = "without a tokenizer, which is not known here"
        if self.tokenizer_bytes is not None:
            tokenizer = f"with the tokenizer's {in_millions(self.tokenizer_bytes)} MB"
        shape = self.rows[0].shape
        tried = {row.shape: (row.hugging_face, row.llama_cpp) for row in self.rows if not row.impossible}
        notes = [
            f"Sizes: MB of the file {tokenizer}, and bits per weight, from llama.cpp's dry run on all {shape.layers} "
            f"layers and {shape.vocabulary:,} tokens. *: rows that do not fit hold another type than the name says.",
            f"HF, llama.cpp: {len(tried)} shapes of two layers with random weights, saved and reloaded bit for bit by "
            f"transformers {version('transformers')}, and run by llama-cpp-python {version('llama-cpp-python')} as the "
            f"architecture that is named; all in {self.seconds:.0f} s.",
        ]
        if any(_find_unchanged(row.shape, shape) for row in self.rows[1:]):
            notes.append(
                "=: left as it was; torch-pruning cuts no width to nothing, and no query heads down to one for each "
                "key/value head."
            )
        if any(shape.q_width != shape.hidden for shape in tried):
            notes.append("Where heads together are not as wide as hidden, config.json has to give head_dim.")
        return notes + [f"{_format_shape(s)}: {why}" for s, whys in tried.items() for why in whys if why]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument(
        "model", metavar="MODEL|SHAPE", help=f"folder of a checkpoint (its config.json is enough), or a shape: {FORM}"
    )
    parser.set_defaults(run=plan)


def plan(model: str | Path) -> PruningPlan:
    """Judge a shape, and the shapes after pruning at every ratio and rounding of ``convert.shape``.

    Args:
        model: folder of a checkpoint, of which only ``config.json`` and the tokenizer are read, or a shape in numbers
            (``read_shape``).

    Raises:
        ConvertError: the folder does not exist, or the shape is impossible; the message gives the reason.
    """
    begun = time.monotonic()
    shape, tokenizer = _read_model(str(model))
    if reason := find_obstacle(shape):
        raise ConvertError(reason)
    rows = [PlanRow(None, None, shape)]
    for ratio, to in product(RATIOS, ROUNDINGS):
        pruned = prune_shape(shape, float(ratio), to)
        rows.append(PlanRow(ratio, to, pruned, find_obstacle(pruned)))
    possible = list(dict.fromkeys(row.shape for row in rows if not row.impossible))
    sized = compute_sizes(possible, tokenizer or 0)  # first, because it takes only a second
    ran = [try_llama_cpp(shape) for shape in track_progress(possible, "Trying llama.cpp", len(possible))]
    found = dict(zip(possible, zip(try_hugging_face(possible), ran, sized, strict=True), strict=True))
    for i, row in enumerate(rows):
        if not row.impossible:
            hugging_face, llama_cpp, sizes = found[row.shape]
            rows[i] = replace(row, hugging_face=hugging_face, llama_cpp=llama_cpp, sizes=sizes)
    return PruningPlan(
        model=str(model),
        rows=tuple(rows),
        half=prune_shape(shape, HALF, min(ROUNDINGS)).parameters,
        tokenizer_bytes=tokenizer,
        seconds=round(time.monotonic() - begun, 1),
    )


def read_shape(text: str) -> Shape:
    """Read a Qwen2 shape written as ``hidden/heads/kv/ffn[/layers/vocabulary[/head_dim]]``.

    Raises:
        ConvertError: there are too few or too many numbers, or they are no possible shape.
    """
    numbers = [int(number) if NUMBER.fullmatch(number) else 0 for number in text.split("/")]
    if len(numbers) not in (4, 6, 7) or not all(0 < number < 2**31 for number in numbers):
        raise ConvertError(f"{text[:80]} is no shape; write {FORM}.")
    hidden, heads, kv_heads, ffn = numbers[:4]
    layers, vocabulary = numbers[4:6] or (QWEN2.layers, QWEN2.vocabulary)
    if len(numbers) < 7 and hidden % heads:
        queries, keys = (count * (hidden // heads) for count in (heads, kv_heads))
        raise ConvertError(
            f"{hidden} cannot be divided among {heads} heads: Hugging Face would make queries {queries} and keys "
            f"{keys} wide, which no pruning leaves; give the width of a head as the seventh number."
        )
    return replace(
        QWEN2,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        ffn=ffn,
        layers=layers,
        vocabulary=vocabulary,
        head_dim=numbers[6] if len(numbers) == 7 else hidden // heads,
    )


def _read_model(model: str) -> tuple[Shape, int | None]:
    """Return the shape, and the bytes that its tokenizer adds to a file; None where the tokenizer is not known."""
    folder = Path(model)
    is_folder = os.path.isdir(model)  # unlike pathlib's, it raises no error where a name is too long
    if re.fullmatch(r"[0-9/]+", model) and not is_folder:
        return read_shape(model), None
    if not is_folder:
        raise ConvertError(f"{model[:80]} is neither a folder nor a shape; a shape is {FORM}.")
    shape = Shape.read(read_json(folder / "config.json"))
    has_tokenizer = (folder / "tokenizer.json").is_file()
    return shape, tokenizer_bytes(folder, shape.vocabulary) if has_tokenizer else None


def _format_row(row: PlanRow, first: Shape) -> list[str]:
    """Return the cells of a row; ``first`` is the unpruned shape."""
    shape = row.shape
    unchanged = _find_unchanged(shape, first) if row.ratio else set()
    cells = [
        str(row.ratio or "as is"),
        str(row.round_to or ""),
        f"{shape.hidden}{'=' * ('hidden' in unchanged)}",
        f"{shape.heads}{'=' * ('heads' in unchanged)}/{shape.kv_heads} x {shape.head_dim}",
        f"{shape.ffn}{'=' * ('ffn' in unchanged)}",
    ]
    if row.impossible:
        return [*cells, f"impossible: {row.impossible}"]
    runs = "no" if row.llama_cpp else shape.gguf_architecture
    cells += [f"{in_millions(shape.parameters)} M", "no" if row.hugging_face else "yes", runs]
    sizes = [row.sizes[type] for type in SHOWN]
    return cells + [
        f"{in_millions(size.file_bytes)} {size.bits_per_weight:.2f}{' ' if size.genuine else '*'}" for size in sizes
    ]


def _find_unchanged(shape: Shape, first: Shape) -> set[str]:
    """Return the names of the widths that pruning did not change."""
    return {name for name in ("hidden", "heads", "ffn") if getattr(shape, name) == getattr(first, name)}


def _format_shape(shape: Shape) -> str:
    return f"{shape.hidden}/{shape.heads}/{shape.kv_heads}/{shape.ffn}"
