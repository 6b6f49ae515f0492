"""Save and load the state from which a killed run resumes: trained weights, optimiser, random numbers, progress.

``accelerate`` writes and reads most of it, separately for each process.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copilot.training.faced import CorpusError

if TYPE_CHECKING:
    from accelerate import Accelerator

PROGRESS, WEIGHTS, UNFINISHED = "progress.json", "trained.safetensors", "unfinished"
#: Weight of the newest batch in the losses that are shown.
SMOOTHING = 0.05


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
