"""Prune a Qwen2 or Llama checkpoint's weights, write them, and check what was written, in a process of its own.

The process is separate because it takes a model's memory, and because torch-pruning may not end on an untested shape.

torch-pruning's dependency graph (Fang et al. 2023, https://arxiv.org/abs/2301.12900) groups what can only be removed
together: a number of the residual stream in all layers at once, a feed-forward unit, a query head. Of each group the
members with the least L2 norm are removed.
"""

from __future__ import annotations

import resource
import sys
import warnings
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.checkpoint import Checkpoint
from convert.files import ConvertError
from convert.progress import track_progress
from convert.shape import Shape
from convert.weights import rewrite_weights
from copilot.text import first_line

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

#: Length in tokens of the prompt whose logits are compared.
TOKENS = 32
#: Module -> widths of its outputs and inputs, the rows and columns of its weight; norms have only ``hidden``.
WIDTHS = {
    "embed_tokens": ("tokens", "hidden"),
    "lm_head": ("tokens", "hidden"),
    "q_proj": ("heads", "hidden"),
    "k_proj": ("kv_heads", "hidden"),
    "v_proj": ("kv_heads", "hidden"),
    "o_proj": ("hidden", "heads"),
    "gate_proj": ("ffn", "hidden"),
    "up_proj": ("ffn", "hidden"),
    "down_proj": ("hidden", "ffn"),
}


@dataclass(frozen=True)
class KeptIndices:
    """Indices into the unpruned model, in ascending order.

    Attributes:
        head_dim: width of a head; heads are kept whole.
        hidden: kept numbers of the residual stream.
        ffn: kept feed-forward units of each layer.
        heads: kept query heads of each layer.
        kv_heads: kept key/value heads of each layer.
    """

    head_dim: int
    hidden: tuple[int, ...]
    ffn: tuple[tuple[int, ...], ...]
    heads: tuple[tuple[int, ...], ...]
    kv_heads: tuple[tuple[int, ...], ...]

    def cut(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        """Return what is kept of a weight or bias of the unpruned model.

        Args:
            name: its name in the model.
            tensor: its values, of the unpruned shape.
        """
        import torch

        *path, module, _ = name.split(".")
        layer = int(path[2]) if "layers" in path else 0
        for axis, width in enumerate(WIDTHS.get(module, ("hidden",))[: tensor.ndim]):
            if width != "tokens":
                tensor = tensor.index_select(axis, torch.tensor(self._indices(width, layer)))
        return tensor

    def _indices(self, width: str, layer: int) -> list[int]:
        """Return the kept rows or columns of a width in a layer."""
        if width == "hidden":
            return list(self.hidden)
        kept: tuple[int, ...] = getattr(self, width)[layer]
        size = 1 if width == "ffn" else self.head_dim
        return [start * size + i for start in kept for i in range(size)]


@dataclass(frozen=True)
class WrittenWeights:
    """The pruned weights on disk.

    Attributes:
        heads: query heads that each layer kept, counted from 0 in the base.
        files: names of the weights' files and their SHA-256.
        peak_bytes: most memory that this process used, in bytes.
    """

    heads: tuple[tuple[int, ...], ...]
    files: dict[str, str]
    peak_bytes: int


def write_pruned(folder: Path, out: Path, ratio: float, round_to: int) -> WrittenWeights:
    """Prune a checkpoint's weights and write them; for a process of its own.

    Args:
        folder: folder of the checkpoint.
        out: folder to write to, which already has the new configuration.
        ratio: share of every width, and of the query heads, to remove.
        round_to: hidden and feed-forward widths are cut further, to a multiple of this.

    Raises:
        ConvertError: Hugging Face cannot load one of the two, or loads something else than was pruned.
    """
    from transformers import AutoConfig
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    base = Checkpoint.open(folder)
    try:
        AutoConfig.from_pretrained(out, local_files_only=True)  # before the work: would it take what will be left?
    except Exception as error:  # every layer below has its own kinds of errors
        raise ConvertError(f"Hugging Face does not take the shape that would be left: {first_line(error)}") from error
    model, _ = _load_model(folder)
    kept = prune_model(model, base.shape, ratio, round_to)
    files = rewrite_weights(base, out, kept.cut)
    refuse_difference(model, out)
    unit = 1 if sys.platform == "darwin" else 1024
    return WrittenWeights(kept.heads, files, unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def prune_model(model: PreTrainedModel, shape: Shape, ratio: float, round_to: int) -> KeptIndices:
    """Prune a model in place, and return what was kept of it.

    Args:
        model: a model in float32 with eager attention, from which the graph can be read.
        shape: shape of the model.
        ratio: share of every width, and of the query heads, to remove.
        round_to: hidden and feed-forward widths are cut further, to a multiple of this.
    """
    import torch
    import torch_pruning

    # 1. torch-pruning's pruner for the model.
    heads: dict[Any, int] = {}
    for layer in model.model.layers:
        attention = layer.self_attn
        heads |= {attention.q_proj: shape.heads, attention.k_proj: shape.kv_heads, attention.v_proj: shape.kv_heads}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Unwrapped parameters")  # the norms' weights; they are cut with the widths
        pruner = torch_pruning.pruner.BasePruner(
            model,
            torch.zeros(1, 8, dtype=torch.long),
            importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
            pruning_ratio=ratio,
            head_pruning_ratio=ratio,
            num_heads=heads,
            prune_num_heads=True,
            prune_head_dims=False,
            ignored_layers=[model.lm_head],
            round_to=round_to,
            forward_fn=_run_without_rotary,
        )

    # 2. What it removes, group by group.
    removed: dict[Any, Container[int]] = {}
    for group in track_progress(pruner.step(interactive=True), "Pruning", 2 * shape.layers + 1):
        outputs = ((dep.target.module, idxs) for dep, idxs in group if pruner.DG.is_out_channel_pruning_fn(dep.handler))
        removed.update((module, frozenset(idxs)) for module, idxs in outputs)
        group.prune()

    # 3. What is left.
    def find_kept(module: Any, count: int, size: int = 1) -> tuple[int, ...]:
        return tuple(i for i in range(count) if i * size not in removed.get(module, ()))

    layers = list(model.model.layers)
    kept = KeptIndices(
        head_dim=shape.head_dim,
        hidden=find_kept(model.model.embed_tokens, shape.hidden),
        ffn=tuple(find_kept(layer.mlp.up_proj, shape.ffn) for layer in layers),
        heads=tuple(find_kept(layer.self_attn.q_proj, shape.heads, shape.head_dim) for layer in layers),
        kv_heads=tuple(find_kept(layer.self_attn.k_proj, shape.kv_heads, shape.head_dim) for layer in layers),
    )
    for i, layer in enumerate(layers):
        layer.self_attn.num_key_value_groups = len(kept.heads[i]) // len(kept.kv_heads[i])
    model.tie_weights()  # the pruner made two tensors of embedding and head
    return kept


def refuse_difference(model: PreTrainedModel, folder: Path) -> None:
    """Refuse a checkpoint that differs from the model in memory.

    Raises:
        ConvertError: weights are missing, surplus or different, or the loaded model computes other logits.
    """
    import torch

    reloaded, report = _load_model(folder)
    for kind in ("missing_keys", "mismatched_keys", "unexpected_keys"):
        if names := report[kind]:
            raise ConvertError(f"Hugging Face does not load {min(map(str, names))} as it was pruned.")
    theirs = reloaded.state_dict()
    for name, tensor in model.state_dict().items():
        if not torch.equal(theirs[name], tensor):
            raise ConvertError(f"{name} was loaded with other numbers than the pruner left.")
    tokens = torch.arange(min(TOKENS, model.config.vocab_size))[None]
    with torch.no_grad():
        logits, reloaded_logits = (network(tokens, use_cache=False).logits for network in (model, reloaded))
    if not torch.equal(logits, reloaded_logits):
        raise ConvertError("The model that was loaded computes other logits than the one that was pruned.")


def _load_model(folder: Path) -> tuple[PreTrainedModel, dict[str, Any]]:
    """Load a model in float32, which represents all stored types; return it and Hugging Face's report on weights."""
    import torch
    from transformers import AutoModelForCausalLM

    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # every layer below has its own kinds of errors
        raise ConvertError(f"Hugging Face does not load it: {first_line(error)}") from error
    return model, report


def _run_without_rotary(model: PreTrainedModel, tokens: torch.Tensor) -> torch.Tensor:
    """Compute the logits that the graph is read from, without rotary embedding.

    Rotary embedding mixes numbers only within a head, so no group depends on it; but torch-pruning 1.6.1 treats its two
    halves as whole layers where two query heads share a key head, and then never ends.
    """
    module = sys.modules[type(model).__module__]
    rotary = module.apply_rotary_pos_emb
    module.apply_rotary_pos_emb = lambda query, key, *_: (query, key)  # type: ignore[attr-defined]
    try:
        logits: torch.Tensor = model(tokens, use_cache=False).logits
        return logits
    finally:
        module.apply_rotary_pos_emb = rotary  # type: ignore[attr-defined]
