"""Merge a LoRA adapter into its base with peft, in float32, and verify the merged model.

The merged model must compute what the adapted model computed. This check finds losses that are silent elsewhere, such
as an adapter on one of two tied embeddings.
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
from convert.files import ConvertError, read_json
from copilot.text import first_line

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
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
class Adapter:
    """A folder that peft saved a LoRA adapter to.

    Attributes:
        folder: the folder.
        trained_on: the base and revision that its configuration names.
    """

    folder: Path
    trained_on: str

    @classmethod
    def open(cls, folder: Path) -> "Adapter":
        """Read the configuration; the weights are not read.

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
        return cls(folder, f"{base}, revision {revision}" if revision else str(base))


@dataclass(frozen=True)
class MergedModel:
    """A merged and verified model, not yet rounded to the type it is saved in.

    Attributes:
        model: transformers' model in float32.
        modules: kind of module -> count of adapted modules.
        ranks: the different ranks of the adapted modules.
        scales: the different factors of the product BA, which follow from rank and alpha.
        wanted: the adapted model's logits, shape (prompts, positions, vocabulary).
        effect: difference of the base and the adapted model.
        proof: difference of the adapted and the merged model.
    """

    model: Any
    modules: dict[str, int]
    ranks: tuple[int, ...]
    scales: tuple[float, ...]
    wanted: Logits
    effect: Difference
    proof: Difference

    def round_tensor(self, name: str, stored: Any) -> Any:
        """Round a tensor to the type that it is saved in; the model computes with the rounded numbers afterwards.

        Args:
            name: the tensor's name.
            stored: the base's tensor (torch), whose type is used.

        Returns:
            The rounded tensor (torch), in the shape of ``stored``.

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
        """Compare the adapted model with the merged model in its present state."""
        return Difference.between(self.wanted, _compute_logits(self.model))


def merge_and_verify(checkpoint: Checkpoint, adapter: Adapter) -> MergedModel:
    """Add the adapter to the base's weights and verify the result.

    The sum is W + s BA (Hu et al. 2021, arXiv 2106.09685, eq. 3) or a variant of it.

    Raises:
        ConvertError: the two do not fit, or the merged model would compute something else, or its embedding and head
            would no longer be tied.
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
    # A tied weight has one name only: this comparison finds what is untied, missing or additional.
    kept = {name: tuple(tensor.shape) for name, tensor in merged.named_parameters()} == checkpoint.shape.tensors()
    if not kept or proof.largest > TOLERANCE:
        raise ConvertError(
            f"Merging {adapter.folder} would change what the model computes or untie its embeddings "
            f"(logits differ by {proof.largest:.2g} standard deviations); "
            "where the base ties embedding and output head, train neither."
        )
    return MergedModel(merged, modules, ranks, scales, wanted, Difference.between(before, wanted), proof)


def load_model(checkpoint: Checkpoint) -> Any:
    """Load the checkpoint as a model of transformers, in float32.

    Raises:
        ConvertError: transformers cannot load it, or its folder contains an adapter, which transformers would apply.
    """
    import torch
    import transformers

    if (checkpoint.folder / ADAPTER_CONFIG).exists():  # transformers would apply it
        raise ConvertError(f"{checkpoint.folder} contains an adapter, too; give base and adapter folders of their own.")
    if not sys.stderr.isatty():
        transformers.utils.logging.disable_progress_bar()
    kind = getattr(transformers, checkpoint.shape.architecture)
    try:
        model = kind.from_pretrained(checkpoint.folder, dtype=torch.float32, local_files_only=True)
    except Exception as error:  # every layer below has its own kinds of errors
        raise ConvertError(f"{checkpoint.folder} cannot be loaded as a model: {first_line(error)}") from error
    return model.eval()


def _compute_logits(model: Any) -> Logits:
    """Compute the logits on seeded random tokens, shape (prompts, positions, vocabulary)."""
    import torch

    size = (PROMPTS, min(PROMPT_TOKENS, model.config.max_position_embeddings))
    prompts = np.random.default_rng(SEED).integers(0, model.config.vocab_size, size)
    with torch.no_grad():
        logits: Logits = model(input_ids=torch.from_numpy(prompts), use_cache=False).logits.numpy()
    return logits


def _load_adapter(model: Any, adapter: Path, checkpoint: Checkpoint) -> Any:
    """Load the adapter on top of the model.

    Raises:
        ConvertError: peft cannot load it, or not all of it.
    """
    from peft import PeftModel

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what is refused below
            adapted = PeftModel.from_pretrained(model, adapter, torch_device="cpu").eval()
    except Exception as error:  # every layer below has its own kinds of errors
        raise ConvertError(f"{adapter} is no adapter for this base: {first_line(error)}") from error
    _refuse_unused_weights(adapted, adapter, checkpoint)
    return adapted


def _refuse_unused_weights(adapted: Any, adapter: Path, checkpoint: Checkpoint) -> None:
    """Refuse an adapter that peft loaded only in part, or that contains other weights; peft reports neither.

    Where embeddings were adapted, peft saves a copy of the base's own beside the adapter. It must be an exact copy.
    """
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

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


def _merge_adapter(adapted: Any, adapter: Path) -> Any:
    """Merge the adapter into the model's weights and tie them again."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about tied weights: they are tied again here, and the caller verifies it
            merged = adapted.merge_and_unload()
            merged.tie_weights()
    except Exception as error:  # every layer below has its own kinds of errors
        raise ConvertError(f"{adapter} cannot be merged: {first_line(error)}") from error
    return merged
