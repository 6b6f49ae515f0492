"""Report the result of ``plan`` as a table for people and as plain values, and recommend a shape."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from importlib.metadata import version
from textwrap import wrap
from typing import Any

from convert.plan.file_size import FileSize
from convert.shape import Shape

#: The types whose sizes the table shows; ``--json`` contains all.
SHOWN = ("Q8_0", "Q5_K_M", "Q4_K_M", "Q4_0")
HEADINGS = ("ratio", "round", "hidden", "heads", "FFN", "params", "HF", "llama.cpp", *SHOWN)
WIDTH = 116


@dataclass(frozen=True)
class Judgement:
    """The findings about a possible shape.

    Attributes:
        hugging_face: why Hugging Face does not reload it; None where it does.
        llama_cpp: why llama.cpp does not run it; None where it does.
        sizes: quantised type -> size.
    """

    hugging_face: str | None
    llama_cpp: str | None
    sizes: Mapping[str, FileSize]

    @property
    def all_k_quants_genuine(self) -> bool:
        """Whether the length of every row fits all types with blocks of 256."""
        return all(size.genuine for type, size in self.sizes.items() if "_K" in type)


@dataclass(frozen=True)
class PlanRow:
    """One shape of the plan.

    Attributes:
        ratio: ratio of pruning; None for the unpruned shape.
        round_to: the number that its widths are multiples of; None for the unpruned shape.
        shape: the shape after pruning.
        impossible: why the shape must not be made; None where it is possible.
        judgement: the findings; None where it is not possible.
    """

    ratio: Fraction | None
    round_to: int | None
    shape: Shape
    impossible: str | None
    judgement: Judgement | None

    @property
    def fits(self) -> bool:
        """Whether it can be reloaded and run, and every K-quant of it has the types that its name states."""
        j = self.judgement
        return bool(j and not j.hugging_face and not j.llama_cpp and j.all_k_quants_genuine)

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values, ready for JSON."""
        names = ("hidden", "heads", "kv_heads", "head_dim", "ffn", "layers", "vocabulary", "q_width", "parameters")
        judged = asdict(self.judgement) if self.judgement else {"hugging_face": None, "llama_cpp": None, "sizes": {}}
        for type, size in judged["sizes"].items():
            size["genuine"] = self.judgement.sizes[type].genuine  # type: ignore[union-attr]
        return {
            "ratio": str(self.ratio) if self.ratio else None,
            "round_to": self.round_to,
            **{name: getattr(self.shape, name) for name in names},
            "gguf_architecture": self.shape.gguf_architecture,
            "impossible": self.impossible,
            "reloads_in_hugging_face": bool(self.judgement and not self.judgement.hugging_face),
            "runs_in_llama_cpp": bool(self.judgement and not self.judgement.llama_cpp),
            "fits": self.fits,
            **judged,
        }


@dataclass(frozen=True)
class PruningPlan:
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
        aim = f"the {self.half / 1e6:.1f} M parameters that pruning by a half aims at"
        best = self.recommended
        if best is None:
            return f"None of these reloads, runs and takes every K-quant; {aim} cannot be had with them."
        judgement, shape = best.judgement, best.shape
        assert judgement
        how = f"ratio {best.ratio} rounded to {best.round_to}" if best.ratio else "the shape as it is"
        q4 = judgement.sizes["Q4_K_M"]
        return (
            f"{how}: {_format_shape(shape)} with {shape.parameters / 1e6:.1f} M parameters. Of the "
            f"{self._fitting_count} that Hugging Face reloads, llama.cpp runs and every K-quant fits, it is nearest to "
            f"{aim}; as Q4_K_M "
            f"{q4.file_bytes / 1e6:.1f} MB, {q4.bits_per_weight:.2f} bits per weight."
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
        cells = [list(HEADINGS), *(_format_row(row, first) for row in self.rows)]
        whole = [row for row in cells if len(row) == len(HEADINGS)]  # without those that end in a reason
        widths = [max(len(row[i]) for row in whole) for i in range(len(HEADINGS))]
        table = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=False)).rstrip() for row in cells]
        notes = [*self._notes(), f"Recommended: {self.reason}"]
        return [*table, *(line for note in notes for line in ("", *wrap(note, WIDTH)))]

    @property
    def _fitting_count(self) -> str:
        count = len({row.shape for row in self.rows if row.fits})
        return f"{count} shape{'s' if count > 1 else ''}"

    def _notes(self) -> list[str]:
        """Explain the marks, the tests that were made, and the reasons of failures."""
        tokenizer = "without a tokenizer, which is not known here"
        if self.tokenizer_bytes is not None:
            tokenizer = f"with the tokenizer's {self.tokenizer_bytes / 1e6:.1f} MB"
        shape = self.rows[0].shape
        tried = {row.shape for row in self.rows if row.judgement}
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
        if any(row.judgement and row.shape.q_width != row.shape.hidden for row in self.rows):
            notes.append("Where heads together are not as wide as hidden, config.json has to give head_dim.")
        reasons = {
            row.shape: (row.judgement.hugging_face, row.judgement.llama_cpp) for row in self.rows if row.judgement
        }
        return notes + [f"{_format_shape(s)}: {why}" for s, whys in reasons.items() for why in whys if why]


def _format_row(row: PlanRow, first: Shape) -> list[str]:
    shape, judgement = row.shape, row.judgement
    unchanged = _find_unchanged(shape, first) if row.ratio else set()
    cells = [
        str(row.ratio or "as is"),
        str(row.round_to or ""),
        f"{shape.hidden}{'=' * ('hidden' in unchanged)}",
        f"{shape.heads}{'=' * ('heads' in unchanged)}/{shape.kv_heads} x {shape.head_dim}",
        f"{shape.ffn}{'=' * ('ffn' in unchanged)}",
    ]
    if judgement is None:
        return [*cells, f"impossible: {row.impossible}"]
    runs = "no" if judgement.llama_cpp else shape.gguf_architecture
    cells += [f"{shape.parameters / 1e6:.1f} M", "no" if judgement.hugging_face else "yes", runs]
    sizes = [judgement.sizes[type] for type in SHOWN]
    return cells + [
        f"{size.file_bytes / 1e6:.1f} {size.bits_per_weight:.2f}{' ' if size.genuine else '*'}" for size in sizes
    ]


def _find_unchanged(shape: Shape, first: Shape) -> set[str]:
    """Return the names of the widths that pruning did not change."""
    return {name for name in ("hidden", "heads", "ffn") if getattr(shape, name) == getattr(first, name)}


def _format_shape(shape: Shape) -> str:
    return f"{shape.hidden}/{shape.heads}/{shape.kv_heads}/{shape.ffn}"
