"""Prune a checkpoint's weights, write them, and prove what was written; for a process of its own.

In its own process because it takes a model's memory, and because torch-pruning may not end on a shape nobody tried.
"""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.checkpoint import Checkpoint
from convert.files import ConvertError, first_line
from convert.weights import rewrite
from copilot.training.prune import select

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: In the prompt whose logits are compared.
TOKENS = 32


@dataclass(frozen=True)
class WrittenWeights:
    """What was done.

    Attributes:
        heads: query heads that each layer kept, counted from 0 in the base.
        files: names of the weights' files and their SHA-256.
        peak_bytes: of memory, by this process.
    """

    heads: tuple[tuple[int, ...], ...]
    files: dict[str, str]
    peak_bytes: int


def write_pruned(folder: Path, out: Path, ratio: float, round_to: int) -> WrittenWeights:
    """Prune the checkpoint in ``folder`` into ``out``, which has the new configuration; for a process of its own.

    Raises:
        ConvertError: Hugging Face does not load one of the two, or not what was pruned.
    """
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    base = Checkpoint.open(folder)
    _refuse_unknown_shape(out)
    model, _ = _load_model(folder)
    kept = select.prune(model, base.shape, ratio, round_to)
    files = rewrite(base, out, kept.cut)
    refuse_difference(model, out)
    unit = 1 if sys.platform == "darwin" else 1024
    return WrittenWeights(kept.heads, files, unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def refuse_difference(model: PreTrainedModel, folder: Path) -> None:
    """Refuse a checkpoint that gives back anything but the model in memory.

    Raises:
        ConvertError: Hugging Face would invent weights that are missing, or finds others, or computes others from them.
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
    """Refuse a configuration before the work that Hugging Face would refuse after it."""
    from transformers import AutoConfig

    try:
        AutoConfig.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # every layer below has its own kinds of errors
        raise ConvertError(f"Hugging Face does not take the shape that would be left: {first_line(error)}") from error


def _load_model(folder: Path) -> tuple[PreTrainedModel, dict[str, Any]]:
    """A model in float32, which all stored types fit in, and what Hugging Face says of its weights."""
    import torch
    from transformers import AutoModelForCausalLM

    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # every layer below has its own kinds of errors
        raise ConvertError(f"Hugging Face does not load it: {first_line(error)}") from error
    return model, report
