"""Choose what pruning keeps of a Qwen2 or Llama model with torch-pruning's dependency graph, and cut it out of tensors.

The graph (Fang et al. 2023, https://arxiv.org/abs/2301.12900) groups what can only be removed together: a number of the
residual stream in all layers at once, a feed-forward unit, a query head. Of each group the members with the least L2
norm are removed.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Container
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from convert.progress import track_progress
from convert.shape import Shape

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

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


def prune(model: PreTrainedModel, shape: Shape, ratio: float, round_to: int) -> KeptIndices:
    """Prune a model in place, and return what was kept of it.

    Args:
        model: a model in float32 with eager attention, from which the graph can be read.
        shape: shape of the model.
        ratio: share of every width, and of the query heads, to remove.
        round_to: hidden and feed-forward widths are cut further, to a multiple of this.
    """
    pruner = _make_pruner(model, shape, ratio, round_to)
    removed: dict[Any, Container[int]] = {}
    for group in track_progress(pruner.step(interactive=True), "Pruning", 2 * shape.layers + 1):
        outputs = ((dep.target.module, idxs) for dep, idxs in group if pruner.DG.is_out_channel_pruning_fn(dep.handler))
        removed.update((module, frozenset(idxs)) for module, idxs in outputs)
        group.prune()

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


def _make_pruner(model: PreTrainedModel, shape: Shape, ratio: float, round_to: int) -> Any:
    """Return torch-pruning's pruner for the model; arguments as in ``prune``."""
    import torch
    import torch_pruning

    heads: dict[Any, int] = {}
    for layer in model.model.layers:
        attention = layer.self_attn
        heads |= {attention.q_proj: shape.heads, attention.k_proj: shape.kv_heads, attention.v_proj: shape.kv_heads}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Unwrapped parameters")  # the norms' weights; they are cut with the widths
        return torch_pruning.pruner.BasePruner(
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
