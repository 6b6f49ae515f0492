"""Define the interface of an engine: it reads chat messages, scores labels and writes text, one stream at a time.

An engine knows nothing of EEG. Every method is a generator: the caller sees progress between chunks of the prompt,
and closing the generator (Stop, a closed tab) ends the work within 200 ms, also while the prompt is being read.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypedDict

import numpy as np
import numpy.typing as npt

from copilot.errors import CopilotError

METADATA_PREFIX = "eeg_copilot."
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\ufffb]"
)


class Message(TypedDict):
    """One message of a chat. Its content is data: control tokens in it are never parsed as tokens."""

    role: Literal["system", "user", "assistant"]
    content: str


class EngineError(CopilotError, RuntimeError):
    """The model cannot do what was asked; the message is one plain sentence that says what to do."""


class ContextError(EngineError):
    """The prompt does not fit in the model's context; raised before any of it is read."""


@dataclass(frozen=True)
class ModelInfo:
    """The identity of a model, and the metadata that describe its prompt.

    Attributes:
        name: shown to users, e.g. ``eeg-emotion-copilot``.
        sha256: of the model file; empty for a remote model.
        context: tokens that fit.
        metadata: the file's own ``eeg_copilot.*`` keys, without the prefix; empty for an ordinary chat model.
    """

    name: str
    sha256: str = ""
    context: int = 4096
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def trained_for_eeg(self) -> bool:
        """Return whether the file has the keys that describe how EEG is encoded for it."""
        return "codec" in self.metadata


@dataclass(frozen=True)
class Waiting:
    """Another stream is using the engine."""


@dataclass(frozen=True)
class PromptProgress:
    """``done`` of ``total`` prompt tokens are read (those kept from an earlier call count as read)."""

    done: int
    total: int


@dataclass(frozen=True)
class Token:
    """A piece of text, whole characters only."""

    text: str


@dataclass(frozen=True)
class CutOff:
    """The answer is incomplete: it reached a limit of length, or a server broke it off. This is then the last event."""


@dataclass(frozen=True)
class Scores:
    """Log-probability of each label as the continuation of the prompt, natural logarithm.

    Whole labels are scored (all their tokens), and not normalised among themselves.

    Attributes:
        logprobs: one for each label, shape (labels,).
        alike: places of labels that the engine cannot tell apart, because only their common beginning was scored.
    """

    logprobs: npt.NDArray[np.float64]
    alike: tuple[int, ...] = ()


def remove_unprintable(text: str) -> str:
    """Remove from text of a model or a server what could steer a terminal or reverse the order of letters.

    Removed are control characters except line breaks and tabs, marks of direction (Unicode Standard Annex 9), and
    halves of surrogate pairs, which no file can contain.
    """
    return _UNPRINTABLE.sub("", text)


class Engine(Protocol):
    """A language model, local or remote."""

    @property
    def info(self) -> ModelInfo:
        """Return the model's identity."""
        ...

    def score(
        self, messages: Sequence[Message], prefix: str, labels: Sequence[str]
    ) -> Iterator[Waiting | PromptProgress | Scores]:
        """Score ``labels`` as continuations of the assistant's ``prefix``; the last event is ``Scores``.

        Args:
            messages: the chat so far.
            prefix: the beginning of the assistant's answer.
            labels: the possible continuations.

        Raises:
            ContextError: the prompt does not fit.
            EngineError: the model gives no probabilities.
        """
        ...

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
        """Write the assistant's answer, which begins with ``prefix`` (not repeated in the tokens).

        A follow-up whose messages begin like those of the last call re-reads only the rest.

        Args:
            messages: the chat so far.
            prefix: the beginning of the answer.
            max_tokens: the longest answer.
            temperature: 0 is greedy.
            top_k: tokens to draw from, where the temperature is above 0.
            seed: of the draws.
            choices: the only possible answers, where given: the tokens together are exactly one of these texts, whole
                and never cut off. Decoding is greedy: where the texts differ, the most probable of their next tokens.
                A server cannot be bound to them: there the answer is the first one, and nothing is requested.

        Raises:
            ContextError: the prompt does not fit; a server reports that by any other EngineError.
            EngineError: the server fails.
        """
        ...

    def close(self) -> None:
        """Free the model."""
        ...
