"""A model on a server that speaks OpenAI's chat protocol: llama-server, Ollama, vLLM (see ``RemoteEngine``)."""

import json
import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import numpy.typing as npt

from copilot.engine.base import EngineError, Message, ModelInfo, PromptProgress, Scores, Token
from copilot.engine.exchange import exchange, refused
from copilot.language import english, sentence

#: The most alternatives that the protocol gives for a token.
TOP = 20
#: Tokens written to find the label: room for a server that does not continue the prefix but repeats it.
SCORED_TOKENS = 12
#: Every token that is not among the alternatives is less probable than the last of them: this much, as a guess.
FLOOR_MARGIN = 1.0

#: The server does not say how far it is.
_READING = PromptProgress(0, 1)
_CONTROL = re.compile(r"<(?=[|\uff5c]|/?s>|(?:start|end)_of_turn>)|\[(?=/?INST\])")


class RemoteEngine:
    """One model on a server (see ``copilot.engine.base.Engine``); the server queues streams, so nothing waits here.

    Limits: metadata of the model file do not come through; labels are scored by their first token, among the twenty
    most probable ones; progress of the prompt is unknown.
    """

    def __init__(self, url: str, *, model: str, key: str = "", context: int = 4096) -> None:
        """Remember where the server is; the first call connects.

        Args:
            url: base of the interface, e.g. ``http://127.0.0.1:11434/v1``.
            model: its name on the server.
            key: bearer token, where the server wants one.
            context: tokens that the server is known to hold.
        """
        self._url = url
        self._key = key
        self._info = ModelInfo(name=model, context=context)

    @property
    def info(self) -> ModelInfo:
        """Which model this is."""
        return self._info

    def score(
        self, messages: Sequence[Message], prefix: str, labels: Sequence[str]
    ) -> Iterator[PromptProgress | Scores]:
        """See ``Engine.score``; the server has to give log-probabilities."""
        body = self._body(messages, prefix, max_tokens=SCORED_TOKENS, temperature=0.0)
        text = ""
        with closing(exchange(self._url, self._key, body | {"logprobs": True, "top_logprobs": TOP})) as lines:
            try:
                for line in lines:
                    if line is None:
                        yield _READING
                    text += line or ""
            except EngineError as error:
                raise (_no_logprobs() if "logprob" in str(error) else error) from error
        yield Scores(label_logprobs(labels, alternatives_after(prefix, _tokens(text))))

    def generate(
        self,
        messages: Sequence[Message],
        prefix: str = "",
        *,
        max_tokens: int = 400,
        temperature: float = 0.0,
        top_k: int = 50,
        seed: int = 0,
    ) -> Iterator[PromptProgress | Token]:
        """See ``Engine.generate``. A server that repeats the prefix instead of continuing it is understood."""
        body = self._body(messages, prefix, max_tokens=max_tokens, temperature=temperature)
        body |= {"stream": True, "seed": seed} | ({"top_k": top_k} if temperature > 0 else {})
        with (
            closing(exchange(self._url, self._key, body)) as lines,
            closing(without_repeated(prefix, map(_written, lines))) as pieces,
        ):
            for piece in pieces:
                if piece is None:
                    yield _READING
                elif piece:
                    yield Token(piece)

    def close(self) -> None:
        """Nothing is held between calls."""

    def _body(self, messages: Sequence[Message], prefix: str, *, max_tokens: int, temperature: float) -> dict[str, Any]:
        """The request, its control tokens broken up, and the prefix as the assistant's unfinished turn.

        Servers differ in how they are told to continue a turn: llama-server and Ollama do so unasked, vLLM wants the
        two flags, and unknown fields are ignored.
        """
        turns = [{"role": m["role"], "content": without_control(m["content"])} for m in messages]
        body = {"model": self._info.name, "messages": turns, "max_tokens": max_tokens, "temperature": temperature}
        if prefix:
            turns.append({"role": "assistant", "content": prefix})
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        return body


def without_control(text: str) -> str:
    """The text with a space of no width in what a server would read as a control token (``<|im_end|>``, ``[INST]``)."""
    return _CONTROL.sub(lambda found: f"{found.group()}\u200b", text)


def without_repeated(prefix: str, pieces: Iterable[str | None]) -> Generator[str | None, None, None]:
    """Pass pieces of an answer on (None too), but not ``prefix`` where the answer begins by repeating it."""
    awaited, held = prefix.strip(), ""
    for piece in pieces:
        if piece is None or not awaited:
            yield piece
            continue
        held += piece
        beginning = held.lstrip()
        if len(beginning) < len(awaited) and awaited.startswith(beginning):
            continue
        yield beginning.removeprefix(awaited) if beginning.startswith(awaited) else held
        awaited, held = "", ""
    yield held


def alternatives_after(prefix: str, tokens: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Log-probability of each alternative for the first word after ``prefix``.

    Args:
        prefix: what the answer begins with, whether or not the server repeats it.
        tokens: the answer as the protocol's ``logprobs.content``.

    Raises:
        EngineError: there are no alternatives.
    """
    starts = [""]
    for token in tokens:
        starts.append(starts[-1] + token["token"])
    slot = next((i for i, start in enumerate(starts) if start.strip().endswith(prefix.strip()) and start), 0)
    while slot < len(tokens) and not tokens[slot]["token"].strip():
        slot += 1
    if slot >= len(tokens) or not tokens[slot].get("top_logprobs"):
        raise _no_logprobs()
    return {top["token"]: float(top["logprob"]) for top in tokens[slot]["top_logprobs"]}


def label_logprobs(labels: Sequence[str], alternatives: Mapping[str, float]) -> npt.NDArray[np.float64]:
    """Log-probability of each label, shape (labels,), from alternatives for its first token.

    An alternative counts for the label that it begins (case aside), and in equal parts for several; a label that no
    alternative begins gets a floor below the last of them.

    Raises:
        EngineError: no alternative begins a label: this model does not answer in the expected form.
    """
    shares: list[list[float]] = [[] for _ in labels]
    for text, logprob in alternatives.items():
        word = text.strip().lower()
        meant = [i for i, label in enumerate(labels) if word and label.strip().lower().startswith(word)]
        for i in meant:
            shares[i].append(logprob - np.log(len(meant)))
    if not any(shares):
        raise EngineError(sentence(english.SERVER_NO_LABELS))
    floor = min(alternatives.values()) - FLOOR_MARGIN
    return np.array([np.logaddexp.reduce(share) if share else floor for share in shares])


def _no_logprobs() -> EngineError:
    return EngineError(sentence(english.SERVER_NO_PROBABILITIES))


def _tokens(text: str) -> list[dict[str, Any]]:
    """The tokens of a whole answer, with their alternatives."""
    choice = _choice(text)
    tokens = (choice.get("logprobs") or {}).get("content")
    if not tokens:
        raise _no_logprobs()
    return list(tokens)


def _written(line: str | None) -> str | None:
    """The text in one line of a stream of server-sent events; None where there is no line yet."""
    if line is None:
        return None
    data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
    if data in ("", "[DONE]"):
        return ""
    return str((_choice(data).get("delta") or {}).get("content") or "")


def _choice(text: str) -> dict[str, Any]:
    """The first choice of an answer or of a part of one; empty where there is none."""
    try:
        answer = json.loads(text)
        if "error" in answer:
            raise refused(500, text, "")
        return dict(next(iter(answer["choices"]), {}))
    except (ValueError, TypeError, KeyError) as error:
        raise EngineError(sentence(english.SERVER_PROTOCOL)) from error
