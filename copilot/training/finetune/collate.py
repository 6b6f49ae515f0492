"""Conversations as what a language model learns from: tokens, which of them are learned, the label slot, batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from copilot import emotions, prompt
from copilot.llm.base import Message
from copilot.training.faced import CorpusError
from copilot.training.tiny_qwen2 import TURN_END, TURN_START

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

#: Examples that are sorted by length before they are cut into batches, so that little is padding.
POOL = 1024
#: Lengths are sorted this coarsely: finer, and a batch of evidence lines would be all flat or all peaked ones.
BUCKET = 64


@dataclass(frozen=True)
class Encoded:
    """One example as numbers.

    Attributes:
        ids: tokens.
        learned: which of them are learned, shape as ``ids``.
        slot: where the label stands.
        target: the nine probabilities taught there; all zeros teach nothing.
    """

    ids: npt.NDArray[np.int32]
    learned: npt.NDArray[np.bool_]
    slot: int
    target: npt.NDArray[np.float64]


def encode(messages: Sequence[Message], target: emotions.Probabilities, tokenizer: PreTrainedTokenizerFast) -> Encoded:
    """A conversation in the chat format (ChatML); only the assistant's turns are learned."""
    ids: list[int] = []
    learned: list[bool] = []
    slot = 0
    for message in messages:
        head, body = turn(message, tokenizer)
        mine = message["role"] == "assistant"
        if mine and not slot:
            slot = len(ids) + len(head) + len(tokens_of(prompt.LABEL_PREFIX, tokenizer))
        ids += head + body
        learned += [False] * len(head) + [mine] * (len(body) - 1) + [False]
    return Encoded(np.array(ids, np.int32), np.array(learned), slot, target)


def turn(message: Message, tokenizer: PreTrainedTokenizerFast) -> tuple[list[int], list[int]]:
    """The tokens that open a turn, and its content with what closes it (the last one is the newline behind)."""
    head = tokens_of(f"{TURN_START}{message['role']}\n", tokenizer)
    return head, tokens_of(f"{message['content']}{TURN_END}\n", tokenizer)


def tokens_of(text: str, tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Nothing added before or behind."""
    ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
    return ids


def label_tokens(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """The token that each label begins with; most tokenizers have all nine as one token.

    Raises:
        CorpusError: two labels begin alike, so that no single place tells them apart.
    """
    first = [tokens_of(label, tokenizer)[0] for label in prompt.LABELS]
    if len(set(first)) < len(first):
        raise CorpusError("This tokenizer begins two of the nine emotions with the same token; take another base.")
    return first


def refuse_other_template(messages: Sequence[Message], tokenizer: PreTrainedTokenizerFast) -> None:
    """Compare what training writes with what the tokenizer's own chat template writes, in training and in use.

    Raises:
        CorpusError: there is no template, or it writes anything else.
    """
    if not tokenizer.chat_template:
        raise CorpusError("The base has no chat template; take one that was made for conversations.")
    ids = encode(messages, emotions.uniform_probabilities(), tokenizer).ids.tolist()
    asked = tokens_of(_rendered(messages[:-1], tokenizer, ask=True), tokenizer)
    if tokens_of(_rendered(messages, tokenizer), tokenizer) != ids or asked != ids[: len(asked)]:
        raise CorpusError(
            "The base's chat template writes a conversation otherwise than this training does "
            f"({TURN_START}role ... {TURN_END}); take a base that talks in that format."
        )


def _rendered(messages: Sequence[Message], tokenizer: PreTrainedTokenizerFast, ask: bool = False) -> str:
    from jinja2 import TemplateError

    try:
        text: str = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=ask)
    except (TemplateError, TypeError, ValueError) as error:
        raise CorpusError(f"The base's chat template cannot be used ({error}); take another base.") from error
    return text


def endless(
    examples: Iterable[tuple[Sequence[Message], emotions.Probabilities]],
    tokenizer: PreTrainedTokenizerFast,
    tokens: int,
) -> Iterator[list[Encoded]]:
    """Batches of examples without end, in an order that depends on nothing but them."""
    order, examples = np.random.default_rng(0), iter(examples)
    while True:
        pool = [encode(messages, target, tokenizer) for messages, target in islice(examples, POOL)]
        yield from batches(pool, tokens, order)


def passes(examples: Sequence[Encoded], epochs: int, tokens: int, seed: int) -> list[list[Encoded]]:
    """Batches that show every example so many times, each time in another order."""
    order = np.random.default_rng(seed)
    made: list[list[Encoded]] = []
    for _ in range(epochs):
        shuffled = order.permutation(len(examples))
        for start in range(0, len(examples), POOL):
            made += batches((examples[i] for i in shuffled[start : start + POOL]), tokens, order)
    return made


def batches(examples: Iterable[Encoded], tokens: int, order: np.random.Generator) -> list[list[Encoded]]:
    """Batches of at most ``tokens`` tokens with their padding, of examples of like length, in random order."""
    cut: list[list[Encoded]] = [[]]
    width = 0
    for example in sorted(examples, key=lambda e: len(e.ids) // BUCKET):
        width = max(width, len(example.ids))
        if cut[-1] and (len(cut[-1]) + 1) * width > tokens:
            cut.append([])
            width = len(example.ids)
        cut[-1].append(example)
    return [cut[index] for index in order.permutation(len(cut))]
