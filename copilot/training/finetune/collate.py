"""Encode conversations for training: tokens, which of them are learned, the label slot; and cut them into batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from copilot import emotions, prompt
from copilot.llm.base import Message
from copilot.training.base_model import TURN_END, TURN_START
from copilot.training.faced import CorpusError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

#: Number of examples that are sorted by length before they are cut into batches, so that there is little padding.
POOL = 1024
#: Lengths are sorted in steps of so many tokens: with finer ones a batch of evidence lines would have only flat or only
#: peaked ones.
BUCKET = 64


@dataclass(frozen=True)
class Encoded:
    """One example as numbers.

    Attributes:
        ids: tokens, shape (tokens,).
        learned: whether each token is learned, shape (tokens,).
        slot: index of the label's token.
        target: probabilities taught there, shape (9,); of zeros, the label is learned as any other token.
    """

    ids: npt.NDArray[np.int32]
    learned: npt.NDArray[np.bool_]
    slot: int
    target: npt.NDArray[np.float64]


def encode(messages: Sequence[Message], target: emotions.Probabilities, tokenizer: PreTrainedTokenizerFast) -> Encoded:
    """Encode a conversation in the chat format (ChatML); only the assistant's turns are learned.

    Args:
        messages: the conversation.
        target: probabilities for the label slot, shape (9,).
        tokenizer: the base's.
    """
    ids: list[int] = []
    learned: list[bool] = []
    slot = 0
    for message in messages:
        head = tokenize(f"{TURN_START}{message['role']}\n", tokenizer)
        body = tokenize(f"{message['content']}{TURN_END}\n", tokenizer)  # the newline is not learned
        is_assistant = message["role"] == "assistant"
        if is_assistant and not slot:
            slot = len(ids) + len(head) + len(tokenize(prompt.LABEL_PREFIX, tokenizer))
        ids += head + body
        learned += [False] * len(head) + [is_assistant] * (len(body) - 1) + [False]
    return Encoded(np.array(ids, np.int32), np.array(learned), slot, target)


def tokenize(text: str, tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Return the tokens of a text, without special tokens before or behind."""
    ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
    return ids


def find_label_tokens(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Return the first token of each label; in most tokenizers each of the nine is one token.

    Raises:
        CorpusError: two labels begin with the same token, so that a single slot cannot tell them apart.
    """
    first = [tokenize(label, tokenizer)[0] for label in prompt.LABELS]
    if len(set(first)) < len(first):
        raise CorpusError("This tokenizer begins two of the nine emotions with the same token; take another base.")
    return first


def refuse_other_template(messages: Sequence[Message], tokenizer: PreTrainedTokenizerFast) -> None:
    """Refuse a tokenizer whose own chat template writes other tokens than this training, in training or in use.

    Raises:
        CorpusError: there is no template, or it writes other tokens.
    """
    if not tokenizer.chat_template:
        raise CorpusError("The base has no chat template; take one that was made for conversations.")
    from jinja2 import TemplateError

    def apply_template(part: Sequence[Message], ask: bool) -> list[int]:
        text: str = tokenizer.apply_chat_template(list(part), tokenize=False, add_generation_prompt=ask)
        return tokenize(text, tokenizer)

    ids = encode(messages, emotions.uniform_probabilities(), tokenizer).ids.tolist()
    try:
        asked, whole = apply_template(messages[:-1], True), apply_template(messages, False)
    except (TemplateError, TypeError, ValueError) as error:
        raise CorpusError(f"The base's chat template cannot be used ({error}); take another base.") from error
    if whole != ids or asked != ids[: len(asked)]:
        raise CorpusError(
            "The base's chat template writes a conversation otherwise than this training does "
            f"({TURN_START}role ... {TURN_END}); take a base that uses that format."
        )


def generate_batches(
    examples: Iterable[tuple[Sequence[Message], emotions.Probabilities]],
    tokenizer: PreTrainedTokenizerFast,
    tokens: int,
) -> Iterator[list[Encoded]]:
    """Yield batches without end, in an order that depends only on the examples.

    Args:
        examples: conversations and targets, without end.
        tokenizer: the base's.
        tokens: most tokens of a batch, padding included.
    """
    order, examples = np.random.default_rng(0), iter(examples)
    while True:
        pool = [encode(messages, target, tokenizer) for messages, target in islice(examples, POOL)]
        yield from cut_batches(pool, tokens, order)


def batch_epochs(examples: Sequence[Encoded], epochs: int, tokens: int, seed: int) -> list[list[Encoded]]:
    """Return batches that contain every example once per epoch, each epoch in another order.

    Args:
        examples: the examples.
        epochs: number of passes.
        tokens: most tokens of a batch, padding included.
        seed: seeds the order.
    """
    order = np.random.default_rng(seed)
    made: list[list[Encoded]] = []
    for _ in range(epochs):
        shuffled = order.permutation(len(examples))
        for start in range(0, len(examples), POOL):
            made += cut_batches((examples[i] for i in shuffled[start : start + POOL]), tokens, order)
    return made


def cut_batches(examples: Iterable[Encoded], tokens: int, order: np.random.Generator) -> list[list[Encoded]]:
    """Cut examples into batches of similar length, in random order.

    Args:
        examples: the examples.
        tokens: most tokens of a batch, padding included.
        order: random numbers for the order of the batches.
    """
    cut: list[list[Encoded]] = [[]]
    width = 0
    for example in sorted(examples, key=lambda e: len(e.ids) // BUCKET):
        width = max(width, len(example.ids))
        if cut[-1] and (len(cut[-1]) + 1) * width > tokens:
            cut.append([])
            width = len(example.ids)
        cut[-1].append(example)
    return [cut[index] for index in order.permutation(len(cut))]
