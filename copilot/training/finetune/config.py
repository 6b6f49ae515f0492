"""Describe a fine-tuning task, and divide it into parts, each with its batches."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copilot.files import hash_file
from copilot.training.faced import CorpusError
from copilot.training.finetune import collate, examples
from copilot.training.finetune.collate import Encoded
from copilot.training.finetune.examples import Corpus
from copilot.training.finetune.schedule import FinetunePlan, Passes
from copilot.training.finetune.trainer import make_accelerator

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

#: Names in the work folder: of the base before and after training on plain text.
START, TEXT = "start", "text"


@dataclass(frozen=True)
class FinetuneTask:
    """A fine-tuning task as the command line gives it.

    Attributes:
        base: a folder, a name on the Hub, or ``new``.
        corpus: the corpus to learn from.
        plan: the schedule's steps.
        text: plain text to train all weights on first (strategy 2), or None (strategy 1).
        out: folder to make.
    """

    base: str
    corpus: Corpus
    plan: FinetunePlan
    text: Path | None
    out: Path

    @property
    def work(self) -> Path:
        """Folder of the results so far, until the task is done."""
        return self.out.with_name(f"{self.out.name}.work")

    @property
    def tuned_base(self) -> Path | None:
        """Folder of the adapter's base in the work folder; None where the base is the folder that was named."""
        name = TEXT if self.text else START
        return None if Path(self.base).is_dir() and not self.text else self.work / name

    def facts(self) -> dict[str, Any]:
        """Return everything that the result depends on."""
        return {
            "base": self.base,
            "corpus_sha256": self.corpus.receipt["sha256"],
            "strategy": 2 if self.text else 1,
            "text_sha256": hash_file(self.text) if self.text else None,
            "schedule": json.loads(json.dumps(asdict(self.plan))),
            "processes": make_accelerator().num_processes,
            "decoder_sha256": self.corpus.receipt.get("source", {}).get("decoder_sha256"),
            **{key: self.corpus.receipt[key] for key in ("prompt_version", "system_sha256", "codec")},
        }


@dataclass(frozen=True)
class TaskPart:
    """One part of the task.

    Attributes:
        number: position in the task, 0 for plain text; it seeds the part.
        name: name of its result in the work folder.
        passes: passes over the data.
        batches: all batches in their order.
    """

    number: int
    name: str
    passes: Passes
    batches: list[list[Encoded]]

    @property
    def steps(self) -> int:
        """Number of optimiser steps; batches that cannot be divided equally among processes are not learned."""
        return len(self.batches) // int(make_accelerator().num_processes)


def make_parts(task: FinetuneTask, tokenizer: PreTrainedTokenizerFast, longest: int) -> list[TaskPart]:
    """Return all parts of the task, with their batches.

    Args:
        task: the task.
        tokenizer: the base's.
        longest: most tokens that the base reads.

    Raises:
        CorpusError: the corpus has nothing for a step, or less than the processes can share.
    """
    plan, parts = task.plan, []
    if task.text:
        pieces = examples.read_text_pieces(task.text, tokenizer)
        parts.append(TaskPart(0, TEXT, plan.text, collate.batch_epochs(pieces, plan.text.epochs, plan.tokens, 0)))
    encoded = task.corpus.encode_examples(tokenizer, longest)
    for number, step in enumerate(plan.steps, start=1):
        wanted = [example for hz, example in encoded if step.sampling_hz in (None, hz)]
        if not wanted:
            raise CorpusError(
                f"Step {number} of the schedule is for people recorded at {step.sampling_hz} Hz, and the corpus names "
                "no such people; make it with --info, or take another schedule."
            )
        parts.append(
            TaskPart(number, f"step-{number}", step, collate.batch_epochs(wanted, step.epochs, plan.tokens, number))
        )
    if not all(part.steps for part in parts):
        raise CorpusError(
            f"There is less to learn than {make_accelerator().num_processes} processes can share; start fewer."
        )
    return parts
