"""An engine without a model: scripted answers and scores, the protocol of ``copilot.llm.base`` kept to the letter.

``FakeEngine(answers=["Assessment: calm."], scores={"joy": -0.2}, delay=0.05)`` answers at a readable pace, lets one
stream run at a time (others get ``Waiting``) and remembers every call, so that a test can ask what happened.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from copilot.llm.base import CutOff, EngineError, Message, ModelInfo, PromptProgress, Scores, Token, Waiting

Result = TypeVar("Result")

ANSWER = (
    "Assessment: The recording is in keeping with a settled, pleasant state. It describes minutes, not a person.\n"
    "Suggestions:\n- Keep a short diary of what does you good.\n- Repeat the recording on another day."
)


@dataclass(frozen=True)
class Call:
    """What was asked: ``kind`` is ``score`` or ``generate``."""

    kind: str
    messages: tuple[Message, ...]
    prefix: str


@dataclass
class FakeEngine:
    """Deterministic stand-in for a model.

    Attributes:
        answers: one per call of ``generate``, the last repeated for ever.
        scores: log-probability by label (surrounding space ignored); labels not named get ``floor``.
        delay: seconds before every progress event and every token.
        prompt_chunks: progress events before an answer.
        error: raised by ``score`` and ``generate`` instead of an answer, where given.
        calls: every call that got its turn, in order.
        stopped: streams that were closed before their end.
        most_at_once: the most streams that ever ran at the same time (1, unless the lock fails).
        closed: whether ``close`` was called.
    """

    answers: Sequence[str] = (ANSWER,)
    scores: Mapping[str, float] = field(default_factory=lambda: {"joy": -0.5, "tenderness": -1.5, "neutral": -2.0})
    floor: float = -6.0
    delay: float = 0.0
    prompt_chunks: int = 3
    error: EngineError | None = None
    info: ModelInfo = field(default_factory=lambda: ModelInfo(name="fake", sha256="f" * 64))
    calls: list[Call] = field(default_factory=list)
    stopped: int = 0
    most_at_once: int = 0
    closed: bool = False

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0

    def score(
        self, messages: Sequence[Message], prefix: str, labels: Sequence[str]
    ) -> Iterator[Waiting | PromptProgress | Scores]:
        """See ``Engine.score``."""
        yield from self._stream(Call("score", tuple(messages), prefix), lambda: [self._scored(labels)])

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
    ) -> Iterator[Waiting | PromptProgress | Token | CutOff]:
        """See ``Engine.generate``; a token is a word with its white space, and an answer of more is cut off.

        Of ``choices`` it takes the scripted answer if that is one of them, else the first.
        """
        call = Call("generate", tuple(messages), prefix)
        yield from self._stream(call, lambda: self._words(max_tokens, choices))

    def close(self) -> None:
        """See ``Engine.close``."""
        self.closed = True

    def _scored(self, labels: Sequence[str]) -> Scores:
        return Scores(np.array([self.scores.get(label.strip(), self.floor) for label in labels], dtype=float))

    def _words(self, most: int, choices: Sequence[str]) -> list[Token | CutOff]:
        answered = sum(call.kind == "generate" for call in self.calls) - 1
        answer = self.answers[min(answered, len(self.answers) - 1)]
        if choices:
            return [Token(answer if answer in choices else choices[0])]
        words: list[Token | CutOff] = [Token(word) for word in re.findall(r"\s*\S+|\s+$", answer)]
        return words if len(words) <= most else [*words[:most], CutOff()]

    def _stream(
        self, call: Call, results: Callable[[], Sequence[Result]]
    ) -> Iterator[Waiting | PromptProgress | Result]:
        while not self._lock.acquire(timeout=0.05):
            yield Waiting()
        try:
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
            self.calls.append(call)
            if self.error is not None:
                raise self.error
            for done in range(1, self.prompt_chunks + 1):
                time.sleep(self.delay)
                yield PromptProgress(done, self.prompt_chunks)
            for result in results():
                time.sleep(self.delay)
                yield result
        except GeneratorExit:
            self.stopped += 1
            raise
        finally:
            self._running -= 1
            self._lock.release()
