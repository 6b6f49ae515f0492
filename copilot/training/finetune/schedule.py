"""Schedules of training: number of steps and learning rates of one stage, and a whole fine-tuning from a file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from math import cos, pi
from pathlib import Path

from copilot.training.faced import CorpusError

#: Schedules that come with the program.
SCHEDULES = Path(__file__).parent / "schedules"
NAMES = ("paper", "ours")
#: Share of the highest learning rate at the end.
LAST_SHARE = 0.05


@dataclass(frozen=True)
class Schedule:
    """One stage of training: linear warm-up to ``rate``, then a cosine down to a twentieth of it.

    Attributes:
        steps: number of optimiser steps (AdamW, Loshchilov & Hutter 2019, arXiv 1711.05101).
        rate: highest learning rate.
        warmup: steps until the highest rate is reached.
        weight_decay: AdamW's, the decoupled form of an L2 penalty.
        l1: weight of the sum of all trained weights' absolute values in the loss.
        seed: seeds dropout and everything else that is random.
    """

    steps: int
    rate: float
    warmup: int = 100
    weight_decay: float = 0.05
    l1: float = 0.0
    seed: int = 0

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        done = min(1.0, (step - self.warmup) / max(1, self.steps - self.warmup))
        return self.rate * (LAST_SHARE + (1 - LAST_SHARE) * (1 + cos(pi * done)) / 2)


@dataclass(frozen=True)
class Passes:
    """Passes over a corpus, as a schedule's file states them.

    Attributes:
        epochs: number of passes.
        rate: highest learning rate.
        warmup: share of the steps until the highest rate is reached.
        weight_decay: as in ``Schedule``.
        l1: as in ``Schedule``.
        sampling_hz: only people who were recorded at this rate; None takes everybody.
    """

    epochs: int
    rate: float
    warmup: float = 0.1
    weight_decay: float = 0.0
    l1: float = 0.0
    sampling_hz: float | None = None

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.epochs != int(self.epochs) or self.rate <= 0 or not 0 <= self.warmup <= 1:
            raise ValueError("epochs is a whole number from 1 on, rate above 0, warmup a share of the steps")
        if self.weight_decay < 0 or self.l1 < 0:
            raise ValueError("weight_decay and l1 are not below 0")

    def schedule(self, steps: int, seed: int) -> Schedule:
        """Return the schedule of these passes for a number of steps."""
        warmup = round(self.warmup * steps)
        return Schedule(steps, self.rate, warmup, self.weight_decay, self.l1, seed)


@dataclass(frozen=True)
class Lora:
    """The adapter.

    Attributes:
        rank: rank of its matrices.
        alpha: its weights are multiplied by alpha / rank.
        dropout: share of its inputs that are dropped.
    """

    rank: int
    alpha: int
    dropout: float

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha <= 0 or not 0 <= self.dropout < 1:
            raise ValueError("rank and alpha are above 0, dropout is from 0 to below 1")


@dataclass(frozen=True)
class FinetunePlan:
    """A whole fine-tuning.

    Attributes:
        tokens: most tokens in a batch of each process, padding included.
        adapter: the adapter that the steps train.
        text: passes of all weights over plain text, first, in strategy 2.
        steps: passes of the adapter over the corpus, one after the other.
    """

    tokens: int
    adapter: Lora
    text: Passes
    steps: tuple[Passes, ...]

    @classmethod
    def read(cls, name: str) -> FinetunePlan:
        """Read a schedule that comes with the program, or a file of the same form.

        Args:
            name: one of ``NAMES``, or the path of a TOML file.

        Raises:
            CorpusError: there is no such file, or it does not have that form.
        """
        path = SCHEDULES / f"{name}.toml" if name in NAMES else Path(name)
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
            steps = tuple(Passes(**step) for step in values.pop("steps"))
            adapter, text = Lora(**values.pop("adapter")), Passes(**values.pop("text"))
            plan = cls(adapter=adapter, text=text, steps=steps, **values)
            if not steps or plan.tokens < 1:
                raise ValueError("there is a step at least, and a token in a batch")
        except OSError as error:
            raise CorpusError(f"The schedule {path} cannot be read: {error.strerror}.") from error
        except (KeyError, TypeError, ValueError) as error:
            reason = str(error).replace("Passes.__init__()", "a step").replace("Lora.__init__()", "the adapter")
            raise CorpusError(f"{path} is no schedule ({reason}); {SCHEDULES / 'paper.toml'} is an example.") from error
        return plan
