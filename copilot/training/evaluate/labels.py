"""How an emotion is read out of a model: the labels' probabilities, or what a written answer names."""

from collections.abc import Callable

import numpy as np

from copilot import emotions, prompt
from copilot.llm.base import Engine, Message, Token
from copilot.pipeline import predict, run_to_end

#: Tokens of an answer that is only asked for its label.
LABEL_TOKENS = 4


def logits(engine: Engine, messages: list[Message], seed: int = 0) -> emotions.Probabilities:
    """Return the calibrated probabilities of the nine labels at the answer's first slot; nothing is drawn."""
    return run_to_end(predict(engine, [messages])).probabilities


def greedy(engine: Engine, messages: list[Message], seed: int = 0) -> emotions.Probabilities:
    """A one at the emotion that the most likely text names, all zeros if it names none."""
    return _named(engine, messages, 0.0, seed)


def top_k_50(engine: Engine, messages: list[Message], seed: int = 0) -> emotions.Probabilities:
    """As ``greedy``, of a text drawn from the 50 likeliest tokens at temperature 1, as the paper does."""
    return _named(engine, messages, 1.0, seed)


READOUTS: dict[str, Callable[[Engine, list[Message], int], emotions.Probabilities]] = {
    "logits": logits,
    "greedy": greedy,
    "top-k-50": top_k_50,
}


def _named(engine: Engine, messages: list[Message], temperature: float, seed: int) -> emotions.Probabilities:
    events = engine.generate(
        messages, prompt.LABEL_PREFIX, max_tokens=LABEL_TOKENS, temperature=temperature, top_k=50, seed=seed
    )
    text = "".join(event.text for event in events if isinstance(event, Token)).lower()
    found = [(text.find(emotion), k) for k, emotion in enumerate(emotions.EMOTIONS) if emotion in text]
    return np.eye(len(emotions.EMOTIONS))[min(found)[1]] if found else np.zeros(len(emotions.EMOTIONS))
