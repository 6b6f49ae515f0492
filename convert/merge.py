"""Merge a LoRA adapter into the checkpoint it was trained on.

``python -m convert merge --base DIR --adapter DIR --out DIR``

The weights are written only after the merged model was found to compute what the adapted model computed. The folder
gets its name only after the weights were read back from the disk bit for bit.
"""

import argparse
import shutil
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from convert.checkpoint import Checkpoint
from convert.files import ConvertError, read_json
from convert.lora import PROMPT_TOKENS, PROMPTS, SEED, Adapter, Difference, merge_and_verify
from convert.tokenizer_files import CONFIG, GENERATION, TokenizerFiles, stop_ids
from convert.verb_result import AlwaysPassed
from convert.weights import rewrite_weights
from copilot.files import new_folder


@dataclass(frozen=True)
class MergeResult(AlwaysPassed):
    """The result of a merge and of its verification.

    Attributes:
        base: folder of the base.
        adapter: folder of the adapter.
        out: folder that was written.
        trained_on: the base and revision that the adapter's configuration names.
        modules: kind of module -> count of adapted modules.
        ranks: the different ranks of the adapted modules.
        scales: the different factors of the product BA.
        effect: difference of the base and the adapted model, in float32.
        proof: difference of the adapted and the merged model, in float32.
        rounding: difference of the adapted model and the model as saved.
        types: types of the numbers in the files.
        tied: whether the embedding is also the output head.
        eos: the token that ends an answer; None where no tokenizer names one.
        stops: ids of the tokens at which the configuration ends an answer.
        files: name of a weights' file -> its SHA-256.
        seconds: duration of the whole merge.
    """

    base: str
    adapter: str
    out: str
    trained_on: str
    modules: dict[str, int]
    ranks: tuple[int, ...]
    scales: tuple[float, ...]
    effect: Difference
    proof: Difference
    rounding: Difference
    types: tuple[str, ...]
    tied: bool
    eos: str | None
    stops: tuple[int, ...]
    files: dict[str, str]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values, ready for JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return the result as lines of text for people."""
        rows = {
            "merged": f"{self.adapter} into {self.base}",
            "trained on": self.trained_on,
            "modules": _join(f"{count} {kind}" for kind, count in self.modules.items()),
            "rank": f"{_join(self.ranks)}, scale {_join(self.scales)}",
            "effect": f"base to adapted: {self.effect}",
            "proof": f"adapted to merged: {self.proof}",
            "rounding": f"adapted to saved as {_join(self.types)}: {self.rounding}",
            "measured on": f"logits of {PROMPTS} prompts of {PROMPT_TOKENS} random tokens (seed {SEED}), in float32",
            "embeddings": "tied" if self.tied else "not tied, as in the base",
            "eos": f"{self.eos or 'named by no tokenizer'}; answers stop at {_join(self.stops) or 'no token'}",
            **{name: f"sha256 {digest}" for name, digest in self.files.items()},
            "written": f"{self.out}, in {self.seconds} s",
        }
        width = max(map(len, rows))
        return [f"{name:{width}}  {words}" for name, words in rows.items()]


def merge(base: Path, adapter: Path, out: Path) -> MergeResult:
    """Merge an adapter into the weights of its base and write the result as a new checkpoint.

    The sum is computed in float32; each tensor is saved in the base's own type.

    Args:
        base: folder of the checkpoint that the adapter was trained on.
        adapter: folder that peft saved the adapter to.
        out: the new folder, which must not exist.

    Raises:
        ConvertError, FileError: the two do not fit, weights would be re-initialised or untied, or ``out``
            cannot be written.
    """
    begun = time.monotonic()
    checkpoint, opened = Checkpoint.open(base), Adapter.open(adapter)
    tokenizer_files = _choose_tokenizer_files(TokenizerFiles.read(base), TokenizerFiles.read(adapter))
    with new_folder(out) as partial:
        stops = _write_other_files(checkpoint, tokenizer_files, partial)
        merged = merge_and_verify(checkpoint, opened)
        files = rewrite_weights(checkpoint, partial, merged.round_tensor)
        Checkpoint.open(partial)  # checks that it is whole, and tied as before
        return MergeResult(
            base=str(base),
            adapter=str(adapter),
            out=str(out),
            trained_on=opened.trained_on,
            modules=merged.modules,
            ranks=merged.ranks,
            scales=merged.scales,
            effect=merged.effect,
            proof=merged.proof,
            rounding=merged.measure_rounding(),
            types=tuple(sorted({tensor.dtype for tensor in checkpoint.stored.values()})),
            tied=checkpoint.shape.tied,
            eos=tokenizer_files.eos,
            stops=stops,
            files=files,
            seconds=round(time.monotonic() - begun, 1),
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("--base", type=Path, required=True, metavar="DIR", help="checkpoint the adapter was trained on")
    parser.add_argument("--adapter", type=Path, required=True, metavar="DIR", help="folder that peft saved it to")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write; not there yet")


def run(options: argparse.Namespace) -> MergeResult:
    """Run the verb with the options of the command line."""
    return merge(options.base, options.adapter, options.out)


def _choose_tokenizer_files(base: TokenizerFiles, adapter: TokenizerFiles) -> TokenizerFiles:
    """Return the base's tokenizer and template, or the adapter's where the base has none.

    Raises:
        ConvertError: both have them, and they differ.
    """
    if words := base.describe_difference(adapter):
        raise ConvertError(
            f"Base ({base.folder}) and adapter ({adapter.folder}) differ in {words}; "
            "keep what the adapter was trained with, in both folders."
        )
    if base.tokenizer is None:
        return adapter
    return replace(base, template=base.template or adapter.template)


def _write_other_files(checkpoint: Checkpoint, tokenizer_files: TokenizerFiles, folder: Path) -> tuple[int, ...]:
    """Write all files but the weights; return the ids of the tokens at which an answer ends.

    Raises:
        ConvertError: more tokens than rows, or a tokenizer that ends answers otherwise than the configuration.
    """
    for name in (CONFIG, GENERATION, "README.md"):
        if (checkpoint.folder / name).is_file():
            shutil.copyfile(checkpoint.folder / name, folder / name)
    tokenizer_files.copy_to(folder)
    tokens = tokenizer_files.tokenizer.get_vocab_size() if tokenizer_files.tokenizer else 0
    if tokens > checkpoint.shape.vocabulary:
        raise ConvertError(f"The tokenizer has {tokens} tokens, the embedding only {checkpoint.shape.vocabulary} rows.")
    generation = read_json(folder / GENERATION) if (folder / GENERATION).exists() else {}
    stops = tuple(sorted(stop_ids(checkpoint.config, generation)))
    if tokenizer_files.eos_id is not None and stops and tokenizer_files.eos_id not in stops:
        raise ConvertError(
            f"The tokenizer ends answers with {tokenizer_files.eos} ({tokenizer_files.eos_id}), but config.json and "
            f"{GENERATION} of {checkpoint.folder} stop at {_join(stops)}; make them agree."
        )
    return stops


def _join(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
