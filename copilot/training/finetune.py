"""Teach a causal language model the corpus: all its weights, or a LoRA adapter.

Two losses at once: the next token of every answer, and at the label slot the whole distribution over nine emotions, so
that the probabilities read out there are meant as probabilities.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from copilot import prompt
from copilot.engine.base import Message
from copilot.training.base import TURN_END, TURN_START
from copilot.training.examples import Example, Material

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

#: Examples that are sorted by length before they are cut into batches, so that little is padding.
POOL = 1024
#: Lengths are sorted this coarsely: finer, and a batch of evidence lines would be all flat or all peaked ones.
BUCKET = 64


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn."""

    steps: int
    rate: float
    tokens: int = 8192
    """Tokens a step, padding included."""
    drills: float = 0.0
    """Share of examples that only teach to read the evidence line."""
    talks: float = 0.0
    """Share of examples that are mostly questions and answers."""
    warmup: int = 100
    weight_decay: float = 0.05
    seed: int = 0


@dataclass(frozen=True)
class Encoded:
    """One example as numbers: token ids, which of them are learned, the label slot and its target."""

    ids: list[int]
    learned: list[bool]
    slot: int
    target: np.ndarray[Any, np.dtype[np.float64]]


def encode(example: Example, tokenizer: PreTrainedTokenizerFast) -> Encoded:
    """Tokens of a conversation in the chat format; only the assistant's turns are learned."""
    ids: list[int] = []
    learned: list[bool] = []
    slot = 0
    for message in example.messages:
        head, body = turn(message, tokenizer)
        mine = message["role"] == "assistant"
        if mine and not slot:
            slot = len(ids) + len(head) + len(tokenizer(prompt.LABEL_PREFIX, add_special_tokens=False).input_ids)
        ids += head + body
        learned += [False] * len(head) + [mine] * (len(body) - 1) + [False]
    return Encoded(ids, learned, slot, example.target)


def turn(message: Message, tokenizer: PreTrainedTokenizerFast) -> tuple[list[int], list[int]]:
    """The tokens that open a turn, and its content with what closes it (the last one is the newline behind)."""
    head = tokenizer(f"{TURN_START}{message['role']}\n", add_special_tokens=False).input_ids
    body = tokenizer(f"{message['content']}{TURN_END}\n", add_special_tokens=False).input_ids
    return head, body


def batches(examples: Iterator[Example], tokenizer: PreTrainedTokenizerFast, tokens: int) -> Iterator[list[Encoded]]:
    """Batches of about ``tokens`` tokens, of examples of like length, in an order that depends on nothing but them."""
    order = np.random.default_rng(0)
    while True:
        pool = sorted((encode(next(examples), tokenizer) for _ in range(POOL)), key=lambda e: len(e.ids) // BUCKET)
        cut: list[list[Encoded]] = [[]]
        for example in pool:
            if (len(cut[-1]) + 1) * max(len(e.ids) for e in [*cut[-1], example]) > tokens:
                cut.append([])
            cut[-1].append(example)
        for index in order.permutation(len(cut)):
            yield cut[index]


def train(model: Any, tokenizer: PreTrainedTokenizerFast, material: Material, schedule: Schedule, what: str) -> None:
    """Run a schedule in place; prints a line with loss and time left every 50 steps."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device).train()
    weights = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=schedule.rate, weight_decay=schedule.weight_decay, betas=(0.9, 0.98))
    rates = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, schedule))
    labels = torch.tensor(label_tokens(tokenizer), device=device)
    torch.manual_seed(schedule.seed)
    begun, shown = time.monotonic(), [0.0, 0.0]
    for step, batch in enumerate(
        batches(material.examples(schedule.seed, schedule.drills, schedule.talks), tokenizer, schedule.tokens), start=1
    ):
        with torch.autocast(device, dtype=torch.bfloat16):
            answer, label = losses(model, batch, labels, device)
        (answer + label).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        rates.step()
        optimiser.zero_grad(set_to_none=True)
        now = [answer.item(), label.item()]
        shown = [0.95 * a + 0.05 * b for a, b in zip(shown, now, strict=True)] if step > 1 else now
        if step % 50 == 0 or step == schedule.steps:
            left = (time.monotonic() - begun) / step * (schedule.steps - step) / 60
            losses_now = f"answer {shown[0]:.3f}, label {shown[1]:.3f}"
            print(
                f"{what}: step {step}/{schedule.steps}, {losses_now}, {left:.0f} min left", file=sys.stderr, flush=True
            )
        if step == schedule.steps:
            break
    model.to("cpu").eval()


def losses(model: Any, batch: list[Encoded], labels: torch.Tensor, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy of the answers' tokens, and of the label slots against their nine probabilities."""
    import torch
    from torch.nn.functional import cross_entropy

    width = max(len(e.ids) for e in batch)
    ids = torch.tensor([e.ids + [0] * (width - len(e.ids)) for e in batch], device=device)
    learned = torch.tensor([e.learned + [False] * (width - len(e.ids)) for e in batch], device=device)
    slots = torch.tensor([e.slot for e in batch], device=device)
    targets = torch.tensor(np.stack([e.target for e in batch]), dtype=torch.float32, device=device)
    rows = torch.arange(len(batch), device=device)
    learned[rows, slots] = False  # the slot has a loss of its own
    # Padding stands behind the text, where a causal model cannot see it: no attention mask is needed.
    hidden = _body(model)(input_ids=ids).last_hidden_state
    head = model.get_output_embeddings()
    answer = cross_entropy(head(hidden[:, :-1][learned[:, 1:]]).float(), ids[:, 1:][learned[:, 1:]])
    log_probabilities = head(hidden[rows, slots - 1]).float().log_softmax(dim=-1)[:, labels]
    label = -(targets * log_probabilities).sum(dim=-1).mean()
    return answer, label


def label_tokens(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """The one token of each label.

    Raises:
        ValueError: a label takes several tokens.
    """
    ids = [tokenizer(label, add_special_tokens=False).input_ids for label in prompt.LABELS]
    if any(len(i) != 1 for i in ids):
        raise ValueError("Each emotion has to be one token; the tokenizer's corpus is too small.")
    return [i[0] for i in ids]


def _body(model: Any) -> Any:
    """The transformer below the output layer, with or without an adapter round it."""
    return (model.get_base_model() if hasattr(model, "get_base_model") else model).model


def _rate(step: int, schedule: Schedule) -> float:
    """Linear warm-up, then a cosine down to a twentieth."""
    if step < schedule.warmup:
        return (step + 1) / schedule.warmup
    done = (step - schedule.warmup) / max(1, schedule.steps - schedule.warmup)
    return 0.05 + 0.475 * (1 + float(np.cos(np.pi * min(1.0, done))))


def adapter(model: Any, dropout: float = 0.05) -> Any:
    """Wrap a model with LoRA, rank 8, alpha 32 as in the paper (its dropout of 0.5 is a setting here)."""
    from peft import LoraConfig, get_peft_model

    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    return get_peft_model(
        model, LoraConfig(r=8, lora_alpha=32, lora_dropout=dropout, target_modules=targets, task_type="CAUSAL_LM")
    )
