"""Read an emotion out of a model: from the labels' probabilities, or from the emotion that a written answer names."""

from collections.abc import Callable

import numpy as np

from copilot import emotions, prompt
from copilot.llm.base import Engine, Message, Token
from copilot.pipeline import predict, run_to_end

#: Most tokens of an answer of which only the label is used.
LABEL_TOKENS = 4


def read_probabilities(engine: Engine, messages: list[Message], seed: int = 0) -> emotions.Probabilities:
    """Return the calibrated probabilities of the nine labels at the label slot, shape (9,).

    Args:
        engine: runs the language model.
        messages: the prompt.
        seed: not used; nothing is sampled.
    """
    return run_to_end(predict(engine, [messages])).probabilities


def read_greedy(engine: Engine, messages: list[Message], seed: int = 0) -> emotions.Probabilities:
    """Return a one at the emotion that the most likely text names, shape (9,); all zeros if it names none.

    Args:
        engine: runs the language model.
        messages: the prompt.
        seed: seeds the engine, which samples nothing here.
    """
    return _read_named_emotion(engine, messages, 0.0, seed)


def read_top_k_50(engine: Engine, messages: list[Message], seed: int = 0) -> emotions.Probabilities:
    """Return as ``read_greedy``, for a text sampled from the 50 likeliest tokens at temperature 1 (the paper).

    Args:
        engine: runs the language model.
        messages: the prompt.
        seed: seeds the sampling.
    """
    return _read_named_emotion(engine, messages, 1.0, seed)


READOUTS: dict[str, Callable[[Engine, list[Message], int], emotions.Probabilities]] = {
    "logits": read_probabilities,
    "greedy": read_greedy,
    "top-k-50": read_top_k_50,
}


def _read_named_emotion(
    engine: Engine, messages: list[Message], temperature: float, seed: int
) -> emotions.Probabilities:
    """Generate the beginning of an answer and return a one at the emotion that it names first, shape (9,)."""
    events = engine.generate(
        messages, prompt.LABEL_PREFIX, max_tokens=LABEL_TOKENS, temperature=temperature, top_k=50, seed=seed
    )
    text = "".join(event.text for event in events if isinstance(event, Token)).lower()
    found = [(text.find(emotion), k) for k, emotion in enumerate(emotions.EMOTIONS) if emotion in text]
    return np.eye(len(emotions.EMOTIONS))[min(found)[1]] if found else np.zeros(len(emotions.EMOTIONS))
