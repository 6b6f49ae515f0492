"""A model on a server that speaks OpenAI's chat protocol: llama-server, Ollama, vLLM (see ``RemoteEngine``)."""

import json
import math
import re
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from copilot.i18n import english, sentence
from copilot.llm.base import CutOff, EngineError, Message, ModelInfo, PromptProgress, Scores, Token, printable
from copilot.llm.http_stream import TURN_SECONDS, exchange, refused

#: The most alternatives that the protocol gives for a token.
TOP = 20
#: Tokens written to find the label: room for a server that does not continue the prefix but repeats it.
SCORED_TOKENS = 12
#: Every token that is not among the alternatives is less probable than the last of them: this much, as a guess.
FLOOR_MARGIN = 1.0
#: Rounding may put the logarithm of a probability this far above 0.
ROUNDING = 1e-3
#: Characters that a token can have on average at most; more was not asked for.
TOKEN_LENGTH = 32

#: The server does not say how far it is.
_READING = PromptProgress(0, 1)
#: What begins like a token of some model's template: ``<|im_end|>``, ``<start_of_turn>``, ``<<SYS>>``, ``</s>``,
#: ``<think>``, ``[/INST]``, ``[TOOL_CALLS]``, ``[gMASK]``, ``[|user|]``. HTML with longer names is among it.
_CONTROL = re.compile(r"<(?=[|\uff5c]|<?/?(?:[sS]|[\w:.-]{2,60})>)|\[(?=\||/?[A-Za-z_]{0,40}[A-Z]{2}[A-Z_]{0,40}\])")


class RemoteEngine:
    """One model on a server (see ``copilot.llm.base.Engine``); the server queues streams, so nothing waits here.

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
        with _protocol():
            alternatives = alternatives_after(prefix, _tokens(text)[: 4 * SCORED_TOKENS])
        yield Scores(label_logprobs(labels, alternatives), alike_labels(labels, alternatives))

    def generate(
        self,
        messages: Sequence[Message],
        prefix: str = "",
        *,
        max_tokens: int = 400,
        temperature: float = 0.0,
        top_k: int = 50,
        seed: int = 0,
    ) -> Iterator[PromptProgress | Token | CutOff]:
        """See ``Engine.generate``. A server that repeats the prefix instead of continuing it is understood.

        What a server sends beyond ``max_tokens`` is not read.
        """
        body = self._body(messages, prefix, max_tokens=max_tokens, temperature=temperature)
        body |= {"stream": True, "seed": seed} | ({"top_k": top_k} if temperature > 0 else {})
        stream, written, told = _Stream(), "", time.monotonic()
        with (
            closing(exchange(self._url, self._key, body)) as lines,
            closing(without_repeated(prefix, map(stream.text, lines))) as pieces,
        ):
            for piece in pieces:
                if text := printable(piece or "")[: max_tokens * TOKEN_LENGTH - len(written)]:
                    written += text
                    yield Token(text)
                elif time.monotonic() - told >= TURN_SECONDS:
                    yield _READING
                else:
                    continue
                told = time.monotonic()
                if len(written) >= max_tokens * TOKEN_LENGTH:
                    stream.complete = False
                    break
        if not written.strip():
            raise EngineError(sentence(english.SERVER_EMPTY))
        if not stream.complete:
            yield CutOff()

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
    whole = text.encode(errors="replace").decode()  # half a surrogate pair can come in through JSON
    return _CONTROL.sub(lambda found: f"{found.group()}\u200b", whole)


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
    return dict(_alternative(**top) for top in tokens[slot]["top_logprobs"])


def _alternative(token: str, logprob: float, **_: Any) -> tuple[str, float]:
    """A token and the logarithm of its probability.

    Raises:
        ValueError: they are none.
    """
    if not isinstance(token, str) or isinstance(logprob, bool) or not isinstance(logprob, int | float):
        raise ValueError("an alternative is a text and a number")
    if not math.isfinite(logprob) or logprob > ROUNDING:
        raise ValueError("a log-probability is above 0 or not finite")
    return token, min(0.0, float(logprob))


def label_logprobs(labels: Sequence[str], alternatives: Mapping[str, float]) -> npt.NDArray[np.float64]:
    """Log-probability of each label, shape (labels,), from alternatives for its first token.

    An alternative counts for the label that it begins (case aside), and in equal parts for several; a label that no
    alternative begins gets a floor below the last of them.

    Raises:
        EngineError: no alternative begins a label: this model does not answer in the expected form.
    """
    shares: list[list[float]] = [[] for _ in labels]
    for logprob, meant in _meant(labels, alternatives):
        for i in meant:
            shares[i].append(logprob - np.log(len(meant)))
    if not any(shares):
        raise EngineError(sentence(english.SERVER_NO_LABELS))
    floor = min(alternatives.values()) - FLOOR_MARGIN
    return np.array([np.logaddexp.reduce(share) if share else floor for share in shares])


def alike_labels(labels: Sequence[str], alternatives: Mapping[str, float]) -> tuple[int, ...]:
    """Places of labels that have most of their probability from an alternative that begins several of them."""
    alone, shared = np.full((2, len(labels)), -np.inf)
    for logprob, meant in _meant(labels, alternatives):
        for i in meant:
            counted = alone if len(meant) == 1 else shared
            counted[i] = np.logaddexp(counted[i], logprob - np.log(len(meant)))
    return tuple(int(i) for i in np.flatnonzero(shared > alone))


def _meant(labels: Sequence[str], alternatives: Mapping[str, float]) -> Iterator[tuple[float, list[int]]]:
    """Each alternative's log-probability and the places of the labels that it begins, where it begins any."""
    for text, logprob in alternatives.items():
        word = text.strip().lower()
        meant = [i for i, label in enumerate(labels) if word and label.strip().lower().startswith(word)]
        if meant:
            yield logprob, meant


def _no_logprobs() -> EngineError:
    return EngineError(sentence(english.SERVER_NO_PROBABILITIES))


def _tokens(text: str) -> list[dict[str, Any]]:
    """The tokens of a whole answer, with their alternatives."""
    choice = _choice(text)
    tokens = (choice.get("logprobs") or {}).get("content")
    if not tokens:
        raise _no_logprobs()
    return list(tokens)


@dataclass
class _Stream:
    """What a stream of server-sent events said of its end.

    Attributes:
        complete: whether the answer came to its own end, neither cut at a limit nor broken off.
    """

    complete: bool = False
    _reason: str = ""

    def text(self, line: str | None) -> str | None:
        """The text in one line; None where there is no line yet.

        Raises:
            EngineError: the line is an error or not of the protocol.
        """
        if line is None:
            return None
        data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
        if data == "[DONE]":
            self.complete = self._reason in ("", "stop")
        if data in ("", "[DONE]"):
            return ""
        with _protocol():
            choice = _choice(data)
            if reason := choice.get("finish_reason"):
                self._reason = str(reason)
                self.complete = self._reason == "stop"
            content = (choice.get("delta") or {}).get("content")
            if not isinstance(content, str | None):
                raise TypeError("the text is none")
            return content or ""


def _choice(text: str) -> dict[str, Any]:
    """The first choice of an answer or of a part of one; empty where there is none."""
    with _protocol():
        answer = json.loads(text)
        if answer.get("error"):
            raise refused(500, text, "")
        return dict(next(iter(answer["choices"]), {}))


@contextmanager
def _protocol() -> Iterator[None]:
    """Turn whatever an answer of another form leads to into one sentence."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise EngineError(sentence(english.SERVER_PROTOCOL)) from error
