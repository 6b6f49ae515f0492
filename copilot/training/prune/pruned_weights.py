"""Prune a checkpoint's weights, write them, and check what was written, in a process of its own.

The process is separate because it takes a model's memory, and because torch-pruning may not end on an untested shape.
"""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.checkpoint import Checkpoint
from convert.files import ConvertError
from convert.weights import rewrite_weights
from copilot.text import first_line
from copilot.training.prune import select

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: Length in tokens of the prompt whose logits are compared.
TOKENS = 32


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
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    base = Checkpoint.open(folder)
    _refuse_unknown_shape(out)
    model, _ = _load_model(folder)
    kept = select.prune(model, base.shape, ratio, round_to)
    files = rewrite_weights(base, out, kept.cut)
    refuse_difference(model, out)
    unit = 1 if sys.platform == "darwin" else 1024
    return WrittenWeights(kept.heads, files, unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


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


def _refuse_unknown_shape(folder: Path) -> None:
    """Refuse, before the work, a configuration that Hugging Face would refuse after it."""
    from transformers import AutoConfig

    try:
        AutoConfig.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # every layer below has its own kinds of errors
        raise ConvertError(f"Hugging Face does not take the shape that would be left: {first_line(error)}") from error


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
