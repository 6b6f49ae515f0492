"""A LoRA adapter on its base, in float32 and by peft: what it adapts, what it computes, and the two as one.

A merge is worth nothing without its proof: the merged model must compute what the adapted one computed. That catches
what is lost elsewhere without a word, such as an adapter on one of two tied embeddings.
"""

import sys
import warnings
from collections import Counter
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.checkpoint import Checkpoint
from convert.files import ConvertError, first_line, read_json

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
TOLERANCE = 1e-3  # of the logits' standard deviation; float32 rounding of W + BA stays well under it
PROMPTS, PROMPT_TOKENS, SEED = 4, 32, 0

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Difference:
    """How far apart two models are on the probe, a few prompts of seeded random tokens.

    Attributes:
        largest: difference of two logits, in standard deviations of the first model's logits.
        same_top: share of positions where both rank the same token first.
    """

    largest: float
    same_top: float

    @classmethod
    def between(cls, one: Logits, other: Logits) -> "Difference":
        """Compare logits of shape (prompts, positions, vocabulary).

        Raises:
            ConvertError: there are infinite ones among them, or none differs from another.
        """
        same = one.argmax(axis=-1) == other.argmax(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):  # refused here
            largest = float(np.abs(one - other).max() / one.std())
        if not isfinite(largest):
            raise ConvertError("Logits are not finite, or all the same, so that no two models can be compared by them.")
        return cls(largest, float(same.mean()))

    def __str__(self) -> str:
        return f"{self.largest:.2g} standard deviations at most, same top token at {self.same_top:.1%} of positions"


@dataclass(frozen=True)
class Adapter:
    """A folder that peft saved a LoRA adapter to.

    Attributes:
        folder: where it is.
        trained_on: the base and revision it names itself.
    """

    folder: Path
    trained_on: str

    @classmethod
    def open(cls, folder: Path) -> "Adapter":
        """Look at the folder; no weights are read.

        Raises:
            ConvertError: no adapter, another kind of adapter, or one that would have to be unpickled.
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
        return cls(folder, f"{base}, revision {revision}" if revision else str(base))


@dataclass(frozen=True)
class MergedModel:
    """A merged model, proved, and not yet rounded to the type it is saved in.

    Attributes:
        model: of transformers', float32.
        modules: kind of module -> how many of them were adapted.
        ranks: of the adapted modules.
        scales: what the product BA was multiplied with, by rank and alpha.
        wanted: the adapted model's logits on the probe.
        effect: base against adapted model.
        proof: adapted against merged model.
    """

    model: Any
    modules: dict[str, int]
    ranks: tuple[int, ...]
    scales: tuple[float, ...]
    wanted: Logits
    effect: Difference
    proof: Difference

    def round_tensor(self, name: str, stored: Any) -> Any:
        """The tensor ``name`` in the type of ``stored``; from then on the model computes with these numbers.

        Raises:
            ConvertError: a number is too large for that type.
        """
        parameter = self.model.get_parameter(name).data
        rounded = parameter.to(stored.dtype)
        if not rounded.isfinite().all():
            kind = str(stored.dtype).removeprefix("torch.")
            raise ConvertError(f"{name} does not fit {kind} after merging; save the base as bfloat16 or float32 first.")
        parameter.copy_(rounded)
        return rounded

    def measure_rounding(self) -> Difference:
        """Adapted model against this one as it is now."""
        return Difference.between(self.wanted, _compute_logits(self.model))


def merge_and_verify(checkpoint: Checkpoint, adapter: Adapter) -> MergedModel:
    """Add the adapter to the base's weights: W + s BA (Hu et al. 2021, arXiv 2106.09685, eq. 3), and variants of it.

    Raises:
        ConvertError: the two do not fit, or the sum would compute something else or untie embedding and head.
    """
    from peft.tuners.lora import LoraLayer

    model = load_model(checkpoint)
    before = _compute_logits(model)
    adapted = _load_adapter(model, adapter.folder, checkpoint)
    layers = {name: module for name, module in adapted.named_modules() if isinstance(module, LoraLayer)}
    modules = dict(Counter(name.rpartition(".")[2] for name in layers))
    ranks = tuple(sorted({rank for layer in layers.values() for rank in layer.r.values()}))
    scales = tuple(sorted({scale for layer in layers.values() for scale in layer.scaling.values()}))
    wanted = _compute_logits(adapted)
    merged = _merge_adapter(adapted, adapter.folder)
    proof = Difference.between(wanted, _compute_logits(merged))
    # One name only for a tied weight: whatever is untied, missing or more than before shows here.
    kept = {name: tuple(tensor.shape) for name, tensor in merged.named_parameters()} == checkpoint.shape.tensors()
    if not kept or proof.largest > TOLERANCE:
        raise ConvertError(
            f"Merging {adapter.folder} would change what the model computes or untie its embeddings "
            f"(logits differ by {proof.largest:.2g} standard deviations); "
            "where the base ties embedding and output head, train neither."
        )
    return MergedModel(merged, modules, ranks, scales, wanted, Difference.between(before, wanted), proof)


def load_model(checkpoint: Checkpoint) -> Any:
    """The checkpoint as transformers' model, in float32.

    Raises:
        ConvertError: transformers cannot load it, or would put an adapter that lies beside it on top.
    """
    import torch
    import transformers

    if (checkpoint.folder / ADAPTER_CONFIG).exists():  # transformers would add it
        raise ConvertError(f"{checkpoint.folder} holds an adapter, too; give base and adapter folders of their own.")
    if not sys.stderr.isatty():
        transformers.utils.logging.disable_progress_bar()
    kind = getattr(transformers, checkpoint.shape.architecture)
    try:
        model = kind.from_pretrained(checkpoint.folder, dtype=torch.float32, local_files_only=True)
    except Exception as error:  # every layer below has its own kinds of errors
        raise ConvertError(f"{checkpoint.folder} cannot be loaded as a model: {first_line(error)}") from error
    return model.eval()


def _compute_logits(model: Any) -> Logits:
    import torch

    size = (PROMPTS, min(PROMPT_TOKENS, model.config.max_position_embeddings))
    prompts = np.random.default_rng(SEED).integers(0, model.config.vocab_size, size)
    with torch.no_grad():
        logits: Logits = model(input_ids=torch.from_numpy(prompts), use_cache=False).logits.numpy()
    return logits


def _load_adapter(model: Any, adapter: Path, checkpoint: Checkpoint) -> Any:
    from peft import PeftModel

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is refused below
            adapted = PeftModel.from_pretrained(model, adapter, torch_device="cpu").eval()
    except Exception as error:  # every layer below has its own kinds of errors
        raise ConvertError(f"{adapter} is no adapter for this base: {first_line(error)}") from error
    _refuse_unused_weights(adapted, adapter, checkpoint)
    return adapted


def _refuse_unused_weights(adapted: Any, adapter: Path, checkpoint: Checkpoint) -> None:
    """Refuse an adapter of which peft loaded only a part, or which brings more than its own: peft tells of neither.

    Where embeddings were adapted, peft saves a copy of the base's own beside the adapter. It has to be a true one.
    """
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

    # Left to decide about embeddings by itself, peft would look the base up on the Hub.
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


def _merge_adapter(adapted: Any, adapter: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tied weights: they are tied again here, and proved to be
            merged = adapted.merge_and_unload()
            merged.tie_weights()
    except Exception as error:  # every layer below has its own kinds of errors
        raise ConvertError(f"{adapter} cannot be merged: {first_line(error)}") from error
    return merged
