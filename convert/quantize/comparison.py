"""Compare the quantised files of one model in a table, and recommend one of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

from convert.quantize.provenance import Receipt, Source
from convert.verb_result import AlwaysPassed
from copilot.files import write_atomically

#: Limit on the mean divergence of a recommended file from its source, in nats per token. By Pinsker's inequality at
#: most sqrt(0.01 / 2) = 7 % of the probability is then on other tokens.
MAX_KL = 0.01
#: Least share of conversations in which a recommended file must find the same emotion as its source.
MIN_AGREEMENT = 0.97

HEADINGS = (
    *(
        "type",
        "MB",
        "bits/weight",
        "mean KL",
        "99% KL",
        "perplexity",
        "same top-1",
        "same label",
        "prompt/s",
        "decode/s",
    ),
    "fallbacks",
)


@dataclass(frozen=True)
class Quantization(AlwaysPassed):
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
    def reason(self) -> str:
        """The reason for the recommendation, or why there is none."""
        limits = f"a mean divergence of at most {MAX_KL} nats and the same emotion in at least {MIN_AGREEMENT:.0%}"
        best = self.recommended
        if best is None:
            closest = min(self.receipts, key=lambda receipt: receipt.measured.mean_kl)
            return (
                f"None keeps within {limits} of the conversations; the closest is {closest.type} "
                f"({closest.measured.mean_kl:.2g} nats, {closest.measured.label_agreement:.0%})."
            )
        measured = best.measured
        return (
            f"{best.type}: the smallest of {len(self.receipts)} with {limits} of the conversations "
            f"({measured.mean_kl:.2g} nats, {measured.label_agreement:.0%})." + _describe_fallbacks(best)
        )

    def lines(self) -> list[str]:
        """Return the table, the conditions of the measurement and the recommendation as lines of text."""
        rows = [HEADINGS, *(_format_row(receipt) for receipt in self.receipts)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
        table = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        notes = [line for note in (*self._notes(), f"Recommended: {self.reason}") for line in ("", *wrap(note, 110))]
        return [*table, *notes]

    def markdown(self) -> str:
        """Return the same as a Markdown page."""
        rows = [HEADINGS, ("---:",) * len(HEADINGS), *(_format_row(receipt) for receipt in self.receipts)]
        table = [f"| {' | '.join(row)} |" for row in rows]
        notes = [line for note in self._notes() for line in (note, "")]
        return "\n".join(
            [f"# {self.source.file}, quantised", "", *table, "", *notes, f"**Recommended:** {self.reason}", ""]
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values, ready for JSON."""
        return {
            "source": vars(self.source),
            "recommended": self.recommended.file if self.recommended else None,
            "reason": self.reason,
            "receipts": [receipt.as_dict() for receipt in self.receipts],
        }

    def write(self, folder: Path) -> None:
        """Write ``quantization.json`` and ``quantization.md`` to a folder."""
        texts = {"json": json.dumps(self.as_dict(), indent=2) + "\n", "md": self.markdown()}
        for ending, text in texts.items():
            with write_atomically(folder / f"quantization.{ending}") as partial:
                partial.write_text(text, encoding="utf-8")

    def _notes(self) -> list[str]:
        """Explain the columns, the conditions of the measurement, and the types with fallbacks."""
        first = self.receipts[0].measured
        on = first.measured_on
        cut = f" ({on.cut} of them shortened to the model's context)" if on.cut else ""
        return [
            f"Measured against {self.source.file} ({self.source.bytes / 1e6:.1f} MB, perplexity "
            f"{first.source_perplexity:.4g}) on the answers of {on.conversations} simulated conversations{cut}, "
            f"{on.answer_tokens} tokens; divergence (KL) in nats a token.",
            f"Speeds in tokens a second, and as a multiple of the source's in the same run: {on.speed}; processor with "
            f"{' '.join(on.processor)}.",
            *(f"{receipt.type}:{_describe_fallbacks(receipt)}" for receipt in self.receipts if receipt.fallbacks),
        ]


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
    measured = receipt.measured
    speeds = (
        f"{ours:.0f} ({ours / theirs:.2f}x)"
        for ours, theirs in (
            (measured.speed.prompt, measured.source_speed.prompt),
            (measured.speed.decode, measured.source_speed.decode),
        )
    )
    return (
        receipt.type,
        f"{receipt.file_bytes / 1e6:.1f}",
        f"{receipt.bits_per_weight:.2f}",
        f"{measured.mean_kl:.2g}",
        f"{measured.p99_kl:.2g}",
        f"{measured.perplexity:.4g}",
        f"{measured.same_top1:.1%}",
        f"{measured.label_agreement:.1%}",
        *speeds,
        str(len(receipt.fallbacks) or "-"),
    )
