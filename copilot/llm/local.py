"""A GGUF model in this process, through llama.cpp (see ``LlamaEngine``)."""

import codecs
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from copilot.i18n import english, sentence
from copilot.llm import chat_template
from copilot.llm.base import (
    ContextError,
    CutOff,
    EngineError,
    Message,
    ModelInfo,
    PromptProgress,
    Scores,
    Token,
    Waiting,
    printable,
)
from copilot.llm.gguf_header import open_model_file
from copilot.llm.llama_cpp import BATCH, NativeModel
from copilot.llm.trial_load import state, try_model

#: The longest that a chunk of the prompt should take, since a stream stops only between chunks: a generator cannot be
#: closed while it runs, so llama.cpp's abort callback would have nobody to call for it.
CHUNK_SECONDS = 0.15
#: Tokens in the first chunk, before the model's speed is known, and in the smallest: on a busy machine the time of a
#: chunk hardly depends on its size, and one token at a time would take for ever.
FIRST_CHUNK, SMALLEST_CHUNK = 8, 4
#: How often a stream that waits for another reports itself.
WAITING_SECONDS = 0.1

_log = logging.getLogger(__name__)


class LlamaEngine:
    """One GGUF model, one stream at a time (see ``copilot.llm.base.Engine``).

    Two threads on one llama.cpp context crash the process, so a lock is held from the first chunk of a stream to its
    last token; a stream that waits for it says so ten times a second.
    """

    def __init__(self, path: Path, *, threads: int, context: int) -> None:
        """Load the model.

        Args:
            path: GGUF file. llama.cpp trusts it: never one that a web user chose.
            threads: CPU threads.
            context: tokens to allocate; no more than the model was trained for are used.

        Raises:
            EngineError: the file is missing, damaged or no model that llama.cpp knows, or it changes meanwhile.
        """
        file = open_model_file(path)
        trained_context = file.trained_context or context
        context = min(context, trained_context)
        self._path = path
        try:
            self._state = state(path)
            try_model(path, threads=threads, context=context)
            self._native = NativeModel(path, threads=threads, context=context)
            self._check_unchanged()
            sha256 = file.sha256
        except OSError as error:
            raise EngineError(sentence(english.NO_MODEL_FILE, path=str(path))) from error
        except ValueError as error:
            raise EngineError(sentence(english.MODEL_UNKNOWN, name=path.name)) from error
        except MemoryError as error:
            raise EngineError(sentence(english.MODEL_MEMORY, context=context)) from error
        if not file.chat_template:
            _log.warning("%s has no chat template; ChatML is used, and answers may be poor.", path.name)
        self._template = file.chat_template
        self._info = ModelInfo(file.name, sha256, context, file.own_metadata)
        self._may_grow = context < trained_context
        self._chunk = FIRST_CHUNK
        self._lock = threading.Lock()
        self._closed = False

    @property
    def info(self) -> ModelInfo:
        """Which model this is."""
        return self._info

    def score(
        self, messages: Sequence[Message], prefix: str, labels: Sequence[str]
    ) -> Iterator[Waiting | PromptProgress | Scores]:
        """See ``Engine.score``. The prompt is read once; of a label, all tokens but its last are read on top of it."""
        yield from self._wait()
        with self._turn():
            prompt = self._prompt(messages, prefix)
            endings = [self._ending(prefix, label) for label in labels]
            if not all(endings):  # a tokenizer that does not know the letters
                raise EngineError(sentence(english.MODEL_FAILED))
            self._check_room(len(prompt) + max(map(len, endings), default=0))
            yield from self._read(prompt)
            first = log_softmax(self._logits())
            logprobs = np.array([first[ending[0]] for ending in endings])
            for i, ending in enumerate(endings):
                for known in range(1, len(ending)):
                    yield from self._read(prompt + ending[:known])
                    logprobs[i] += log_softmax(self._logits())[ending[known]]
            yield Scores(logprobs)

    def generate(
        self,
        messages: Sequence[Message],
        prefix: str = "",
        *,
        max_tokens: int = 400,
        temperature: float = 0.0,
        top_k: int = 50,
        seed: int = 0,
    ) -> Iterator[Waiting | PromptProgress | Token | CutOff]:
        """See ``Engine.generate``. An answer that reaches the end of the context stops there."""
        yield from self._wait()
        with self._turn():
            prompt = self._prompt(messages, prefix)
            self._check_room(len(prompt) + 1)
            yield from self._read(prompt)
            random = np.random.default_rng(seed)
            characters, cut_off = codecs.getincrementaldecoder("utf-8")("replace"), False
            for _ in range(min(max_tokens, self._info.context - len(prompt))):
                token = choose(self._logits(), temperature, top_k, random)
                if self._native.ends_answer(token):
                    break
                if text := printable(characters.decode(self._native.bytes_of(token))):
                    yield Token(text)
                self._append([token])
            else:
                cut_off = True
            if rest := characters.decode(b"", final=True):
                yield Token(rest)
            if cut_off:
                yield CutOff()

    def close(self) -> None:
        """Free the model: now, or where a stream is running, as soon as that stream has noticed and ended."""
        self._closed = True
        if self._lock.acquire(blocking=False):
            self._native.close()

    def _wait(self) -> Iterator[Waiting]:
        """Take the lock; the caller enters ``_turn`` next, without a yield between."""
        while not self._lock.acquire(timeout=WAITING_SECONDS):
            self._check_open()
            yield Waiting()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        try:
            self._check_open()
            yield
        finally:
            self._lock.release()
            if self._closed:
                self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError(sentence(english.MODEL_CLOSED))

    def _check_unchanged(self) -> None:
        """Refuse to read on from a file that is another one now.

        Raises:
            EngineError: it was changed or replaced since it was loaded.
        """
        try:
            changed = state(self._path) != self._state
        except OSError:
            changed = True
        if changed:
            raise EngineError(sentence(english.MODEL_CHANGED, name=self._path.name))

    def _check_room(self, tokens: int) -> None:
        if tokens > self._info.context:
            full = english.CONTEXT_FULL_FOR_NOW if self._may_grow else english.CONTEXT_FULL
            raise ContextError(sentence(full, needed=tokens, context=self._info.context))

    def _prompt(self, messages: Sequence[Message], prefix: str) -> list[int]:
        """Tokens of the chat and the beginning of the answer; control tokens come from the template alone."""
        pieces = chat_template.render(self._template, messages, self._native.boundary_texts)
        pieces.append(chat_template.PromptPiece(prefix, False))
        tokens = [token for piece in pieces for token in self._native.tokenize(piece.text, control=piece.control)]
        first = self._native.first_token
        return tokens if first is None or tokens[:1] == [first] else [first, *tokens]

    def _ending(self, prefix: str, label: str) -> list[int]:
        """Tokens that ``label`` adds to ``prefix``: taken together, as some tokenizers put a space before a text."""
        return self._native.tokenize(prefix + label, control=False)[len(self._native.tokenize(prefix, control=False)) :]

    def _read(self, tokens: list[int]) -> Iterator[PromptProgress]:
        """Make the context hold exactly ``tokens``; only the last and those it does not hold already are read."""
        self._native.keep(min(shared_prefix(self._native.held, tokens), len(tokens) - 1))
        while (done := len(self._native.held)) < len(tokens):
            yield PromptProgress(done, len(tokens))
            self._read_chunk(tokens[done : done + self._chunk])
        yield PromptProgress(done, len(tokens))

    def _read_chunk(self, tokens: list[int]) -> None:
        """Read, and fit the size of the next chunk to the time that this one took."""
        began = time.perf_counter()
        self._append(tokens)
        seconds = time.perf_counter() - began
        if seconds > CHUNK_SECONDS:
            self._chunk = max(SMALLEST_CHUNK, self._chunk // 2)
        elif seconds < CHUNK_SECONDS / 2 and len(tokens) == self._chunk:
            self._chunk = min(BATCH, self._chunk * 2)

    def _logits(self) -> npt.NDArray[np.float64]:
        """Scores of every token as the next; shape (vocabulary,), finite.

        Raises:
            EngineError: they are not finite: the weights are damaged.
        """
        logits = self._native.logits()
        if not np.isfinite(logits).all():
            raise EngineError(sentence(english.MODEL_FAILED))
        return logits

    def _append(self, tokens: list[int]) -> None:
        self._check_open()
        if self._native.is_mapped:
            self._check_unchanged()
        try:
            self._native.read(tokens)
        except RuntimeError as error:
            raise EngineError(sentence(english.MODEL_FAILED)) from error


def shared_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens two sequences have in common at their beginning."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def log_softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Log-probabilities, shape as given."""
    shifted = logits - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()), np.float64)


def choose(logits: npt.NDArray[np.float64], temperature: float, top_k: int, random: np.random.Generator) -> int:
    """The next token: the best at temperature 0, else drawn from the ``top_k`` best."""
    if temperature <= 0:
        return int(np.argmax(logits))
    best = np.argpartition(-logits, min(top_k, logits.size) - 1)[:top_k]
    return int(random.choice(best, p=np.exp(log_softmax(logits[best] / temperature))))
