"""Use a model on a server with OpenAI's chat protocol: llama-server, Ollama, vLLM (see ``RemoteEngine``)."""

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

from copilot.i18n import N_
from copilot.i18n import messages as shared_messages
from copilot.llm.base import CutOff, EngineError, Message, ModelInfo, PromptProgress, Scores, Token, remove_unprintable
from copilot.llm.http_stream import TURN_SECONDS, make_status_error, stream_answer

#: The most alternatives that the protocol gives for a token.
TOP = 20
#: Tokens written to find the label: enough for a server that does not continue the prefix but repeats it.
SCORED_TOKENS = 12
#: How much less probable than the last alternative every other token is taken to be; a guess.
FLOOR_MARGIN = 1.0
#: Rounding may put the logarithm of a probability this far above 0.
ROUNDING = 1e-3
#: The most characters that a token can have on average; anything beyond was not asked for.
TOKEN_LENGTH = 32

#: A server does not report its progress.
_READING = PromptProgress(0, 1)
#: Text that begins like a token of some model's template: ``<|im_end|>``, ``<start_of_turn>``, ``<<SYS>>``, ``</s>``,
#: ``<think>``, ``[/INST]``, ``[TOOL_CALLS]``, ``[gMASK]``, ``[|user|]``. HTML with longer names matches too.
_CONTROL = re.compile(r"<(?=[|\uff5c]|<?/?(?:[sS]|[\w:.-]{2,60})>)|\[(?=\||/?[A-Za-z_]{0,40}[A-Z]{2}[A-Z_]{0,40}\])")


class RemoteEngine:
    """One model on a server (see ``copilot.llm.base.Engine``); the server queues streams, so none waits here.

    Limits: metadata of the model file are not transferred; labels are scored by their first token, among the twenty
    most probable ones; progress of the prompt is unknown.
    """

    def __init__(self, url: str, *, model: str, key: str = "", context: int = 4096) -> None:
        """Store where the server is; the first call connects.

        Args:
            url: base of the interface, e.g. ``http://127.0.0.1:11434/v1``.
            model: its name on the server.
            key: bearer token, where the server requires one.
            context: the context of the model on the server, tokens.
        """
        self._url = url
        self._key = key
        self._info = ModelInfo(name=model, context=context)

    @property
    def info(self) -> ModelInfo:
        """Return the model's identity."""
        return self._info

    def score(
        self, messages: Sequence[Message], prefix: str, labels: Sequence[str]
    ) -> Iterator[PromptProgress | Scores]:
        """See ``Engine.score``; the server has to give log-probabilities."""
        body = self._body(messages, prefix, max_tokens=SCORED_TOKENS, temperature=0.0)
        text = ""
        with closing(stream_answer(self._url, self._key, body | {"logprobs": True, "top_logprobs": TOP})) as lines:
            try:
                for line in lines:
                    if line is None:
                        yield _READING
                    text += line or ""
            except EngineError as error:
                raise (_make_no_logprobs_error() if "logprob" in str(error) else error) from error
        with _report_protocol_errors():
            alternatives = find_alternatives(prefix, _parse_tokens(text)[: 4 * SCORED_TOKENS])
        yield Scores(score_labels(labels, alternatives), find_alike_labels(labels, alternatives))

    def generate(
        self,
        messages: Sequence[Message],
        prefix: str = "",
        *,
        max_tokens: int = 400,
        temperature: float = 0.0,
        top_k: int = 50,
        seed: int = 0,
        choices: Sequence[str] = (),
    ) -> Iterator[PromptProgress | Token | CutOff]:
        """See ``Engine.generate``. A server that repeats the prefix instead of continuing it is understood.

        Text beyond ``max_tokens`` is not read. The protocol cannot bind a server to ``choices``: the first one is the
        answer, and the server is not asked.
        """
        if choices:
            yield Token(choices[0])
            return
        body = self._body(messages, prefix, max_tokens=max_tokens, temperature=temperature)
        body |= {"stream": True, "seed": seed} | ({"top_k": top_k} if temperature > 0 else {})
        stream, written, last_event = _StreamParser(), "", time.monotonic()
        with (
            closing(stream_answer(self._url, self._key, body)) as lines,
            closing(remove_repeated_prefix(prefix, map(stream.parse_line, lines))) as pieces,
        ):
            for piece in pieces:
                if text := remove_unprintable(piece or "")[: max_tokens * TOKEN_LENGTH - len(written)]:
                    written += text
                    yield Token(text)
                elif time.monotonic() - last_event >= TURN_SECONDS:
                    yield _READING
                else:
                    continue
                last_event = time.monotonic()
                if len(written) >= max_tokens * TOKEN_LENGTH:
                    stream.complete = False
                    break
        if not written.strip():
            raise EngineError(
                N_("The model server sent an empty answer; look at its model, or correct EEG_COPILOT_SERVER.")
            )
        if not stream.complete:
            yield CutOff()

    def close(self) -> None:
        """Do nothing: nothing is kept between calls."""

    def _body(self, messages: Sequence[Message], prefix: str, *, max_tokens: int, temperature: float) -> dict[str, Any]:
        """Build the request, its control tokens broken up, with the prefix as the assistant's unfinished message.

        Servers differ in how they are asked to continue a message: llama-server and Ollama do so by default, vLLM needs
        the two flags, and unknown fields are ignored.

        Args:
            messages: the chat so far.
            prefix: the beginning of the answer.
            max_tokens: the longest answer.
            temperature: 0 is greedy.
        """
        turns = [{"role": m["role"], "content": break_control_tokens(m["content"])} for m in messages]
        body = {"model": self._info.name, "messages": turns, "max_tokens": max_tokens, "temperature": temperature}
        if prefix:
            turns.append({"role": "assistant", "content": prefix})
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        return body


def break_control_tokens(text: str) -> str:
    """Insert a zero-width space into what a server would read as a control token (``<|im_end|>``, ``[INST]``)."""
    whole = text.encode(errors="replace").decode()  # half a surrogate pair can come in through JSON
    return _CONTROL.sub(lambda found: f"{found.group()}\u200b", whole)


def remove_repeated_prefix(prefix: str, pieces: Iterable[str | None]) -> Generator[str | None, None, None]:
    """Pass pieces of an answer on (None too), but not ``prefix`` where the answer begins by repeating it."""
    awaited, pending = prefix.strip(), ""
    for piece in pieces:
        if piece is None or not awaited:
            yield piece
            continue
        pending += piece
        beginning = pending.lstrip()
        if len(beginning) < len(awaited) and awaited.startswith(beginning):
            continue
        yield beginning.removeprefix(awaited) if beginning.startswith(awaited) else pending
        awaited, pending = "", ""
    yield pending


def find_alternatives(prefix: str, tokens: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the log-probability of each alternative for the first word after ``prefix``.

    Args:
        prefix: the beginning of the answer, whether or not the server repeats it.
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
        raise _make_no_logprobs_error()
    return dict(_parse_alternative(**top) for top in tokens[slot]["top_logprobs"])


def _parse_alternative(token: str, logprob: float, **_: Any) -> tuple[str, float]:
    """Return a token and the logarithm of its probability.

    Raises:
        ValueError: they are invalid.
    """
    if not isinstance(token, str) or isinstance(logprob, bool) or not isinstance(logprob, int | float):
        raise ValueError("an alternative is a text and a number")
    if not math.isfinite(logprob) or logprob > ROUNDING:
        raise ValueError("a log-probability is above 0 or not finite")
    return token, min(0.0, float(logprob))


def score_labels(labels: Sequence[str], alternatives: Mapping[str, float]) -> npt.NDArray[np.float64]:
    """Return the log-probability of each label, shape (labels,), from alternatives for its first token.

    An alternative counts for the label that it begins (case aside), and in equal parts for several; a label that no
    alternative begins gets a floor below the last of them.

    Raises:
        EngineError: no alternative begins a label: this model does not answer in the expected form.
    """
    shares: list[list[float]] = [[] for _ in labels]
    for logprob, meant in _match_labels(labels, alternatives):
        for i in meant:
            shares[i].append(logprob - np.log(len(meant)))
    if not any(shares):
        raise EngineError(N_("The server's model names none of the labels; set EEG_COPILOT_READOUT=decoder."))
    floor = min(alternatives.values()) - FLOOR_MARGIN
    return np.array([np.logaddexp.reduce(share) if share else floor for share in shares])


def find_alike_labels(labels: Sequence[str], alternatives: Mapping[str, float]) -> tuple[int, ...]:
    """Return places of labels that have most of their probability from an alternative that begins several of them."""
    alone, shared = np.full((2, len(labels)), -np.inf)
    for logprob, meant in _match_labels(labels, alternatives):
        for i in meant:
            counted = alone if len(meant) == 1 else shared
            counted[i] = np.logaddexp(counted[i], logprob - np.log(len(meant)))
    return tuple(int(i) for i in np.flatnonzero(shared > alone))


def _match_labels(labels: Sequence[str], alternatives: Mapping[str, float]) -> Iterator[tuple[float, list[int]]]:
    """Yield each alternative's log-probability and the places of the labels that it begins, where it begins any."""
    for text, logprob in alternatives.items():
        word = text.strip().lower()
        meant = [i for i, label in enumerate(labels) if word and label.strip().lower().startswith(word)]
        if meant:
            yield logprob, meant


def _make_no_logprobs_error() -> EngineError:
    return EngineError(N_("The model server gives no probabilities; set EEG_COPILOT_READOUT=decoder."))


def _parse_tokens(text: str) -> list[dict[str, Any]]:
    """Return the tokens of a whole answer, with their alternatives.

    Raises:
        EngineError: there are none.
    """
    choice = _parse_choice(text)
    tokens = (choice.get("logprobs") or {}).get("content")
    if not tokens:
        raise _make_no_logprobs_error()
    return list(tokens)


@dataclass
class _StreamParser:
    """Parser of server-sent events that records how the answer ended.

    Attributes:
        complete: whether the answer came to its own end, neither cut at a limit nor broken off.
    """

    complete: bool = False
    _reason: str = ""

    def parse_line(self, line: str | None) -> str | None:
        """Return the text in one line; None where there is no line yet.

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
        with _report_protocol_errors():
            choice = _parse_choice(data)
            if reason := choice.get("finish_reason"):
                self._reason = str(reason)
                self.complete = self._reason == "stop"
            content = (choice.get("delta") or {}).get("content")
            if not isinstance(content, str | None):
                raise TypeError("the text is none")
            return content or ""


def _parse_choice(text: str) -> dict[str, Any]:
    """Return the first choice of an answer or of a part of one; empty where there is none.

    Raises:
        EngineError: the answer is an error or not of the protocol.
    """
    with _report_protocol_errors():
        answer = json.loads(text)
        if answer.get("error"):
            raise make_status_error(500, text, "")
        return dict(next(iter(answer["choices"]), {}))


@contextmanager
def _report_protocol_errors() -> Iterator[None]:
    """Convert errors from an answer of another form into an ``EngineError``."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise EngineError(shared_messages.SERVER_PROTOCOL) from error
