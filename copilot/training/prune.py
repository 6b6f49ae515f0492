"""Prune a Qwen2 or Llama checkpoint: fewer query heads and narrower layers; the weights that are kept do not change.

``python -m copilot.training.prune --model DIR_OR_HUB_NAME --ratio 3/7 --round-to 256 --out DIR``

``--ratio 0.5`` alone is the pruning of the EEG Emotion Copilot's paper (https://arxiv.org/abs/2410.00166); ``python -m
convert plan`` shows which shapes run and quantise well. The kept weights are cut out of the checkpoint's own files. The
folder gets its name only when Hugging Face loads from it, bit for bit, the model that the pruner left in memory, logits
included.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

from convert.checkpoint import CONFIG, GENERATION, Checkpoint, TokenizerFiles
from convert.files import ConvertError
from convert.publish.hub import refuse_bad_name
from convert.receipts import write_receipt
from convert.report import VerbResult
from convert.shape import ROUNDINGS, Shape, find_obstacle, prune_shape
from copilot import child_process
from copilot.child_process import Limits
from copilot.command_line import Parser, command
from copilot.files import new_folder
from copilot.text import first_line
from copilot.training.pruned_weights import write_pruned

RECEIPT = "pruning.json"
#: Qwen2-0.5B takes 22 seconds on two cores; on an untested shape, torch-pruning may not end.
TIMEOUT_S = 1800.0
#: Bytes of address space for each parameter of the base: four copies in float32, of which two and a half are used.
BYTES_EACH = 16
#: Files of a repository that pruning reads; pickled weights are not among them.
FILES = ("*.safetensors", "*.json", "*.jinja", "merges.txt", "README.md")
BF16_BYTES = 2


@dataclass(frozen=True)
class Pruned(VerbResult):
    """What was pruned, and what is left.

    Attributes:
        base: folder or name on the Hub.
        out: folder that was written.
        ratio: share of every width, and of the query heads, that was to be removed.
        round_to: hidden and feed-forward widths are multiples of this.
        before: shape of the base.
        after: shape of the pruned model.
        heads: query heads that each layer kept, counted from 0 in the base.
        torch_pruning: version of torch-pruning.
        files: names of the weights' files and their SHA-256.
        peak_bytes: most memory in use, in bytes.
        seconds: duration of the whole pruning.
    """

    base: str
    out: str
    ratio: str
    round_to: int
    before: Shape
    after: Shape
    heads: tuple[tuple[int, ...], ...]
    torch_pruning: str
    files: dict[str, str]
    peak_bytes: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        values = asdict(self)
        for name, shape in (("before", self.before), ("after", self.after)):
            values[name] |= {"parameters": shape.parameters, "bf16_bytes": BF16_BYTES * shape.parameters}
        return values

    def lines(self) -> list[str]:
        """Return the lines that the command prints."""
        before, after = self.before, self.after
        share = f"{after.parameters / before.parameters:.1%}"
        gib = [f"{BF16_BYTES * shape.parameters / child_process.GB:.4g} GiB" for shape in (before, after)]
        return [
            f"{self.base}: {self.ratio} cut, widths rounded to {self.round_to}, by torch-pruning {self.torch_pruning}",
            f"hidden width    {before.hidden:,} -> {after.hidden:,}",
            f"feed-forward    {before.ffn:,} -> {after.ffn:,}",
            f"heads           {_format_heads(before)} -> {_format_heads(after)} (query/key-value x width)",
            f"parameters      {before.parameters:,} -> {after.parameters:,} ({share})",
            f"bf16 storage    {' -> '.join(gib)}",
            *(f"layer {i:2} keeps query heads {' '.join(map(str, heads))}" for i, heads in enumerate(self.heads)),
            "Loaded again: the same weights and logits, bit for bit.",
            *(f"{name}: sha256 {digest}" for name, digest in self.files.items()),
            f"Written to {self.out} in {self.seconds} s; peak {self.peak_bytes / child_process.GB:.1f} GiB of memory.",
        ]


def prune(model: str, ratio: Fraction, out: Path, round_to: int = min(ROUNDINGS)) -> Pruned:
    """Write a pruned checkpoint and its receipt as a new folder; the weights keep the base's types.

    Args:
        model: folder of a checkpoint, or its name on the Hub.
        ratio: share of every width, and of the query heads, to remove; between 0 and 1.
        out: folder to make.
        round_to: hidden and feed-forward widths are cut further, to a multiple of this.

    Raises:
        ConvertError: the model cannot be loaded or pruned like this, the result differs from the pruned model, or
            ``out`` cannot be written.
    """
    begun = time.monotonic()

    # 1. The base, and the shape that will be left; a shape that does not run is refused.
    base = Checkpoint.open(_find_checkpoint(model))
    after = prune_shape(base.shape, float(ratio), round_to)
    if after == base.shape:
        raise ConvertError(f"A ratio of {ratio} rounded to {round_to} removes nothing from this shape; take another.")
    if reason := find_obstacle(after):
        raise ConvertError(f"A ratio of {ratio} rounded to {round_to} cannot be used here: {reason}")
    with new_folder(out) as partial:
        # 2. All files but the weights: the configuration of the new shape, the others unchanged.
        widths = {
            "hidden_size": after.hidden,
            "intermediate_size": after.ffn,
            "num_attention_heads": after.heads,
            "num_key_value_heads": after.kv_heads,
            "head_dim": after.head_dim,
        }
        (partial / CONFIG).write_text(json.dumps(base.config | widths, indent=2) + "\n", encoding="utf-8")
        for name in (GENERATION, "README.md"):
            if (base.folder / name).is_file():
                shutil.copyfile(base.folder / name, partial / name)
        TokenizerFiles.read(base.folder).copy_to(partial)

        # 3. The weights, and the receipt.
        memory_gb = max(Limits.memory_gb, BYTES_EACH * base.shape.parameters / child_process.GB)
        written = child_process.run_limited(
            Limits(memory_gb, TIMEOUT_S), write_pruned, base.folder, partial, float(ratio), round_to
        )
        report = Pruned(
            base=model,
            out=str(out),
            ratio=str(ratio),
            round_to=round_to,
            before=base.shape,
            after=Checkpoint.open(partial).shape,
            torch_pruning=version("torch-pruning"),
            seconds=round(time.monotonic() - begun, 1),
            **vars(written),
        )
        write_receipt(partial / RECEIPT, report.as_dict(), indent=1)
    return report


def _find_checkpoint(model: str) -> Path:
    """Return the folder of a local checkpoint, or of one that is downloaded from the Hub."""
    if Path(model).is_dir():
        return Path(model)
    from huggingface_hub import snapshot_download

    try:
        refuse_bad_name(model)
        return Path(snapshot_download(model, allow_patterns=list(FILES)))
    except Exception as error:  # every layer below has its own kinds of errors
        raise ConvertError(f"{model} is no folder here, and not available on the Hub: {first_line(error)}") from error


def _format_heads(shape: Shape) -> str:
    return f"{shape.heads}/{shape.kv_heads} x {shape.head_dim}"


def _parse_ratio(text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no share; write it like 0.5 or 3/7") from error


@command()
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = Parser(prog="python -m copilot.training.prune", description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True, metavar="DIR|NAME", help="checkpoint: a folder, or a name on the Hub")
    parser.add_argument(
        "--ratio", type=_parse_ratio, required=True, help="share to remove, like 0.5 (the paper's) or 3/7"
    )
    parser.add_argument(
        "--round-to",
        type=int,
        default=min(ROUNDINGS),
        metavar="N",
        help="make widths multiples of this (default %(default)s; every K-quant needs 256)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write; not there yet")
    options = parser.parse_args(arguments)
    report = prune(options.model, options.ratio, options.out, options.round_to)
    print("\n".join(report.lines()))


if __name__ == "__main__":
    sys.exit(main())
