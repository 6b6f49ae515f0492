"""Merge a LoRA adapter into the checkpoint it was trained on.

``python -m convert merge --base DIR --adapter DIR --out DIR``

peft adds the adapter in float32: W + s BA (Hu et al. 2021, arXiv 2106.09685, eq. 3), or a variant of it. The weights
are written only after the merged model was found to compute what the adapted model computed. This finds losses that are
silent elsewhere, such as an adapter on one of two tied embeddings. The folder gets its name only after the weights were
read back from the disk bit for bit.
"""

import argparse
import shutil
import time
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.checkpoint import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    CONFIG,
    GENERATION,
    Checkpoint,
    TokenizerFiles,
    load_model,
    stop_ids,
)
from convert.files import ConvertError, read_json
from convert.report import VerbResult
from convert.weights import rewrite_weights
from copilot.files import new_folder
from copilot.text import first_line

#: In standard deviations of the logits; float32 rounding of W + BA stays well below it.
TOLERANCE = 1e-3
PROMPTS, PROMPT_TOKENS, SEED = 4, 32, 0

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Difference:
    """The difference of two models' logits on a few prompts of seeded random tokens.

    Attributes:
        largest: largest difference of two logits, in standard deviations of the first model's logits.
        same_top: share of positions where both models rank the same token first, 0 to 1.
    """

    largest: float
    same_top: float

    @classmethod
    def between(cls, one: Logits, other: Logits) -> "Difference":
        """Compare the logits of two models.

        Args:
            one: logits of the first model, shape (prompts, positions, vocabulary).
            other: logits of the second model, of the same shape.

        Raises:
            ConvertError: some logits are not finite, or all are the same.
        """
        same = one.argmax(axis=-1) == other.argmax(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):  # refused below
            largest = float(np.abs(one - other).max() / one.std())
        if not isfinite(largest):
            raise ConvertError("Logits are not finite, or all the same, so that no two models can be compared by them.")
        return cls(largest, float(same.mean()))

    def __str__(self) -> str:
        return f"{self.largest:.2g} standard deviations at most, same top token at {self.same_top:.1%} of positions"


@dataclass(frozen=True)
class MergeResult(VerbResult):
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
    checkpoint, trained_on = Checkpoint.open(base), _read_adapter_base(adapter)
    tokenizer_files, others = TokenizerFiles.read(base), TokenizerFiles.read(adapter)
    if words := tokenizer_files.describe_difference(others):
        raise ConvertError(
            f"Base ({base}) and adapter ({adapter}) differ in {words}; "
            "keep what the adapter was trained with, in both folders."
        )
    if tokenizer_files.tokenizer is None:
        tokenizer_files = others
    else:
        tokenizer_files = replace(tokenizer_files, template=tokenizer_files.template or others.template)
    with new_folder(out) as partial:
        stops = _write_other_files(checkpoint, tokenizer_files, partial)
        model = load_model(checkpoint)
        before = _compute_logits(model)
        adapted = _load_adapter(model, adapter, checkpoint)
        modules, ranks, scales = _describe_layers(adapted)
        wanted = _compute_logits(adapted)
        merged, proof = _merge_adapter(adapted, wanted, adapter, checkpoint)
        effect = Difference.between(before, wanted)

        def round_tensor(name: str, stored: Any) -> Any:
            """Round a merged tensor to the type of the base's; the model then computes with the rounded numbers."""
            parameter = merged.get_parameter(name).data
            rounded = parameter.to(stored.dtype)
            if not rounded.isfinite().all():
                kind = str(stored.dtype).removeprefix("torch.")
                raise ConvertError(
                    f"{name} does not fit {kind} after merging; save the base as bfloat16 or float32 first."
                )
            parameter.copy_(rounded)
            return rounded

        files = rewrite_weights(checkpoint, partial, round_tensor)
        Checkpoint.open(partial)  # checks that it is whole, and tied as before
        return MergeResult(
            base=str(base),
            adapter=str(adapter),
            out=str(out),
            trained_on=trained_on,
            modules=modules,
            ranks=ranks,
            scales=scales,
            effect=effect,
            proof=proof,
            rounding=Difference.between(wanted, _compute_logits(merged)),
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
    parser.set_defaults(run=merge)


def _read_adapter_base(folder: Path) -> str:
    """Return the base and revision that an adapter's configuration names; its weights are not read.

    Raises:
        ConvertError: the folder contains no adapter, an adapter of another kind, or pickled weights only.
    """
    config = read_json(folder / ADAPTER_CONFIG)
    if config.get("peft_type") != "LORA":
        raise ConvertError(f"{folder} is an adapter of type {config.get('peft_type')}; only LORA can be merged.")
    if config.get("alora_invocation_tokens"):
        raise ConvertError(f"{folder} works only after certain tokens (aLoRA); merged it would always work.")
    if (folder / ADAPTER_WEIGHTS).with_suffix(".bin").is_file() and not (folder / ADAPTER_WEIGHTS).is_file():
        raise ConvertError(f"{folder} has pickled weights, which can run code; save them as {ADAPTER_WEIGHTS}.")
    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise ConvertError(f"{folder} has no {ADAPTER_WEIGHTS}; name the folder that peft saved the adapter to.")
    revision = config.get("revision")
    base = config.get("base_model_name_or_path") or "a base that it does not name"
    return f"{base}, revision {revision}" if revision else str(base)


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


def _load_adapter(model: Any, adapter: Path, checkpoint: Checkpoint) -> Any:
    """Load the adapter on top of the model.

    Raises:
        ConvertError: peft cannot load it, or loaded it only in part, or it contains other weights; peft reports neither
            of these. Where embeddings were adapted, peft saves a copy of the base's own beside the adapter. It must be
            an exact copy.
    """
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what is refused below
            adapted = PeftModel.from_pretrained(model, adapter, torch_device="cpu").eval()
    except Exception as error:  # every layer below has its own kinds of errors
        raise ConvertError(f"{adapter} is no adapter for this base: {first_line(error)}") from error
    # By default peft would look the base up on the Hub to decide about the embeddings.
    mismatched = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    with safe_open(adapter / ADAPTER_WEIGHTS, framework="pt") as file:
        mismatched ^= set(file.keys())
        for name in mismatched & set(file.keys()):
            original = name.removeprefix("base_model.model.").replace(".base_layer.", ".")
            if checkpoint.shape.tied:
                original = original.replace("lm_head.", "model.embed_tokens.")
            copy = file.get_tensor(name).float().numpy()
            if original in checkpoint.stored and np.array_equal(copy, checkpoint.read_rows(original)):
                mismatched.remove(name)
    if mismatched:
        raise ConvertError(f"{adapter} does not belong to this base: {min(mismatched)} is not what the base has there.")
    return adapted


def _describe_layers(adapted: Any) -> tuple[dict[str, int], tuple[int, ...], tuple[float, ...]]:
    """Return kind of module -> count of adapted ones, their different ranks, and their different factors of BA."""
    from peft.tuners.lora import LoraLayer

    layers = {name: module for name, module in adapted.named_modules() if isinstance(module, LoraLayer)}
    return (
        dict(Counter(name.rpartition(".")[2] for name in layers)),
        tuple(sorted({rank for layer in layers.values() for rank in layer.r.values()})),
        tuple(sorted({scale for layer in layers.values() for scale in layer.scaling.values()})),
    )


def _merge_adapter(adapted: Any, wanted: Logits, adapter: Path, checkpoint: Checkpoint) -> tuple[Any, Difference]:
    """Merge the adapter into the model's weights, tie them again, and verify that the model computes ``wanted``.

    Returns:
        The merged model, and its difference from the adapted one.

    Raises:
        ConvertError: the merged model would compute something else, or its embedding and head would no longer be tied.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about tied weights: they are tied again here, and verified below
            merged = adapted.merge_and_unload()
            merged.tie_weights()
    except Exception as error:  # every layer below has its own kinds of errors
        raise ConvertError(f"{adapter} cannot be merged: {first_line(error)}") from error
    proof = Difference.between(wanted, _compute_logits(merged))
    # A tied weight has one name only: this comparison finds what is untied, missing or additional.
    kept = {name: tuple(tensor.shape) for name, tensor in merged.named_parameters()} == checkpoint.shape.tensors()
    if not kept or proof.largest > TOLERANCE:
        raise ConvertError(
            f"Merging {adapter} would change what the model computes or untie its embeddings "
            f"(logits differ by {proof.largest:.2g} standard deviations); "
            "where the base ties embedding and output head, train neither."
        )
    return merged, proof


def _compute_logits(model: Any) -> Logits:
    """Compute the logits on seeded random tokens, shape (prompts, positions, vocabulary)."""
    import torch

    size = (PROMPTS, min(PROMPT_TOKENS, model.config.max_position_embeddings))
    prompts = np.random.default_rng(SEED).integers(0, model.config.vocab_size, size)
    with torch.no_grad():
        logits: Logits = model(input_ids=torch.from_numpy(prompts), use_cache=False).logits.numpy()
    return logits


def _join(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
