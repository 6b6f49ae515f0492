"""Train a causal language model in place: all its weights, or those of its adapter.

There are two losses: the next token of every answer, and at the label slot the whole distribution over nine emotions,
so that the probabilities read out there are trained as probabilities. The loop uses ``accelerate``: started by
``accelerate launch`` it runs on many GPUs, each of which takes batches of its own. The state is saved every minute; a
run that was killed resumes from it and reaches the same weights that it would have reached.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from copilot.training.faced import CorpusError
from copilot.training.finetune.collate import Encoded
from copilot.training.finetune.schedule import Schedule

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

SAVE_SECONDS = 60.0
SHOW_SECONDS = 20.0
PROGRESS, WEIGHTS, UNFINISHED = "progress.json", "trained.safetensors", "unfinished"
#: Weight of the newest batch in the losses that are shown.
SMOOTHING = 0.05
#: On a CPU oneDNN caches what it compiled for each shape of a batch, by default 1024: gigabytes that are rarely reused.
ONEDNN = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "128"}


@dataclass
class RunProgress:
    """How far a run is.

    Attributes:
        run: its schedule and number of processes.
        step: number of steps that are done.
        answer: smoothed loss of the answers' tokens.
        label: smoothed loss of the label slots.
    """

    run: dict[str, Any]
    step: int = 0
    answer: float = 0.0
    label: float = 0.0

    def add(self, losses: Sequence[float]) -> None:
        """Count a step and smooth its losses, of answer and label."""
        share = SMOOTHING if self.step else 1.0
        self.answer, self.label = (
            (1 - share) * a + share * b for a, b in zip((self.answer, self.label), losses, strict=True)
        )
        self.step += 1


def train(
    model: Any,
    batches: Iterable[list[Encoded]],
    schedule: Schedule,
    labels: Sequence[int],
    state: Path,
    what: str,
    after: int = 0,
) -> RunProgress:
    """Run a schedule; print a line with losses and time left every 20 seconds.

    Args:
        model: a model of transformers or peft; its weights that require a gradient are trained.
        batches: the same ones every time; process i of n takes every n-th from the i-th on.
        schedule: steps and learning rates.
        labels: tokens of the nine labels, from ``collate.find_label_tokens``.
        state: folder of the run's state, which is loaded if it is there; the folder is not removed.
        what: the name that the lines begin with.
        after: steps of later schedules, which count for the time left.

    Returns:
        The progress at the end, with the smoothed losses.

    Raises:
        CorpusError: the state belongs to another run.
    """
    os.environ.update(ONEDNN)  # read at the first product of two matrices
    import torch

    # 1. Model, optimiser and the newest state, if there is one.
    accelerator = make_accelerator()
    torch.manual_seed(schedule.seed + accelerator.process_index)
    weights = [p for p in model.parameters() if p.requires_grad]
    adam = torch.optim.AdamW(weights, lr=schedule.rate, weight_decay=schedule.weight_decay, betas=(0.9, 0.98))
    with_losses, optimiser = accelerator.prepare(_wrap_with_losses(model.train(), labels), adam)
    save_only_trained_weights(accelerator, model)
    progress = load_newest_state(
        accelerator, state, RunProgress(asdict(schedule) | {"processes": accelerator.num_processes})
    )
    if progress.step:
        _print_line(accelerator, f"{what}: resuming from step {progress.step}")

    # 2. The steps that are left, on this process's share of the batches.
    first, count = progress.step, accelerator.num_processes
    begun = saved = time.monotonic()
    shown = 0.0
    for batch in islice(batches, first * count + accelerator.process_index, schedule.steps * count, count):
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate_at(progress.step)
        answer, label = with_losses(**_pad_batch(batch, accelerator.device))
        penalty = schedule.l1 * sum(p.abs().sum() for p in weights) if schedule.l1 else 0.0
        accelerator.backward(answer + label + penalty)
        accelerator.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        progress.add(accelerator.reduce(torch.stack([answer, label]).detach(), "mean").tolist())

        # 3. A line every 20 seconds and at the last step, and the state every minute.
        now = time.monotonic()
        if now - shown >= SHOW_SECONDS or progress.step >= schedule.steps:
            shown = now
            seconds = (now - begun) / (progress.step - first) * (schedule.steps - progress.step + after)
            left = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
            losses = f"answer {progress.answer:.3f}, label {progress.label:.3f}"
            _print_line(accelerator, f"{what}: step {progress.step}/{schedule.steps}, {losses}, {left} left")
        if accelerator.is_main_process and now - saved >= SAVE_SECONDS:  # its clock decides for all
            accelerator.set_trigger()
        if accelerator.check_trigger():
            saved = time.monotonic()
            save_state(accelerator, state, progress)
    accelerator.wait_for_everyone()
    model.to("cpu").eval()
    return progress


def make_accelerator() -> Accelerator:
    """Return the accelerator of the processes that train together: one, unless a launcher started more."""
    from accelerate import Accelerator

    return Accelerator(mixed_precision="bf16")


def add_adapter(model: Any, rank: int = 8, alpha: int = 32, dropout: float = 0.05, seed: int = 0) -> Any:
    """Add a LoRA adapter on every linear layer (Hu et al. 2021, arXiv 2106.09685).

    Args:
        model: a causal language model.
        rank: rank of the adapter's matrices.
        alpha: its weights are multiplied by alpha / rank.
        dropout: share of its inputs that are dropped.
        seed: seeds its weights.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    torch.manual_seed(seed)
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=targets, task_type="CAUSAL_LM")
    return get_peft_model(model, config)


def _wrap_with_losses(model: Any, labels: Sequence[int]) -> Any:
    """Return model and losses as one module: gradients are only shared between processes through ``forward``."""
    import torch

    class ModelWithLosses(torch.nn.Module):  # type: ignore[misc]  # mypy does not analyse torch
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, **batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return compute_losses(self.model, labels, **batch)

    return ModelWithLosses()


def _pad_batch(batch: list[Encoded], device: torch.device) -> dict[str, torch.Tensor]:
    """Return a batch padded to its longest example, as the tensors that ``compute_losses`` takes."""
    import torch

    width = max(len(e.ids) for e in batch)
    ids, learned = np.zeros((len(batch), width), np.int64), np.zeros((len(batch), width), bool)
    for row, example in enumerate(batch):
        ids[row, : len(example.ids)] = example.ids
        learned[row, : len(example.ids)] = example.learned
    arrays = {
        "ids": ids,
        "learned": learned,
        "slots": np.array([e.slot for e in batch]),
        "targets": np.stack([e.target for e in batch]).astype(np.float32),
    }
    return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}


def compute_losses(
    model: Any,
    labels: Sequence[int],
    ids: torch.Tensor,
    learned: torch.Tensor,
    slots: torch.Tensor,
    targets: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the cross-entropy of the answers' tokens, and of the label slots against their nine probabilities.

    Args:
        model: a causal language model.
        labels: tokens of the nine labels.
        ids: tokens, shape (examples, width); padding is behind the text.
        learned: whether each token is part of an answer, shape (examples, width).
        slots: index of each label's token, shape (examples,).
        targets: probabilities taught there, shape (examples, 9); of zeros, the slot's token is part of the answer.
    """
    import torch
    from torch.nn.functional import cross_entropy

    rows = torch.arange(len(ids), device=ids.device)
    learned = learned.clone()
    learned[rows, slots] &= targets.sum(dim=-1) == 0  # a slot with a target has a loss of its own
    # A causal model cannot see the padding, which is behind the text: no attention mask is needed.
    below = model.get_base_model() if hasattr(model, "get_base_model") else model  # with or without an adapter
    hidden = below.model(input_ids=ids).last_hidden_state
    head = model.get_output_embeddings()
    answer = cross_entropy(head(hidden[:, :-1][learned[:, 1:]]).float(), ids[:, 1:][learned[:, 1:]])
    log_probabilities = head(hidden[rows, slots - 1]).float().log_softmax(dim=-1)[:, list(labels)]
    return answer, -(targets * log_probabilities).sum(dim=-1).mean()


def _print_line(accelerator: Accelerator, line: str) -> None:
    if accelerator.is_main_process:
        print(line, file=sys.stderr, flush=True)


def save_only_trained_weights(accelerator: Accelerator, model: Any) -> None:
    """Make the accelerator save and load only the weights that change: an adapter's, not its base's."""
    import torch
    from safetensors.torch import load_file, save_file

    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}

    def write(_models: list[Any], states: list[Any], folder: str) -> None:
        states.clear()
        if accelerator.is_main_process:
            save_file({name: p.detach().cpu().contiguous() for name, p in trained.items()}, Path(folder) / WEIGHTS)

    def read(models: list[Any], folder: str) -> None:
        models.clear()
        with torch.no_grad():
            for name, tensor in load_file(Path(folder) / WEIGHTS).items():
                trained[name].copy_(tensor)

    accelerator.register_save_state_pre_hook(write)
    accelerator.register_load_state_pre_hook(read)


def save_state(accelerator: Accelerator, state: Path, progress: RunProgress) -> None:
    """Save the state beside, then rename it: if the process dies, the newest folder with a number has a whole state.

    Args:
        accelerator: the processes that train together.
        state: folder of the run's states.
        progress: how far the run is.
    """
    partial = state / UNFINISHED
    if accelerator.is_main_process:
        shutil.rmtree(partial, ignore_errors=True)
    accelerator.wait_for_everyone()
    accelerator.save_state(str(partial))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        (partial / PROGRESS).write_text(json.dumps(asdict(progress)))
        older = list(state.glob("[0-9]*"))
        partial.rename(state / f"{progress.step:09d}")
        for folder in older:
            shutil.rmtree(folder)


def load_newest_state(accelerator: Accelerator, state: Path, fresh: RunProgress) -> RunProgress:
    """Load the newest state, if there is one.

    Args:
        accelerator: the processes that train together.
        state: folder of the run's states.
        fresh: progress of a run that begins, which is returned where there is no state.

    Raises:
        CorpusError: the state belongs to another run.
    """
    newest = max(state.glob("[0-9]*"), default=None)
    if newest is None:
        return fresh
    found = RunProgress(**json.loads((newest / PROGRESS).read_text()))
    if found.run != fresh.run:
        raise CorpusError(f"{state} has the state of a run with another schedule; remove that folder to begin anew.")
    accelerator.load_state(str(newest))
    return found
