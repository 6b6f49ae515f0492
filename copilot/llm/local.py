"""Run a GGUF model in this process, through llama.cpp (see ``LlamaEngine``)."""

import codecs
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from copilot.i18n import N_
from copilot.i18n import messages as shared_messages
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
    remove_unprintable,
)
from copilot.llm.gguf_header import open_model_file
from copilot.llm.llama_cpp import BATCH, NativeModel
from copilot.llm.trial_load import get_file_state, try_model

MODEL_FAILED = N_("The model failed on this text; try again with a shorter one.")
CONTEXT_FULL_FOR_NOW = N_(
    "This needs {needed:,} tokens and the model's context holds {context:,}; shorten the texts or raise "
    "EEG_COPILOT_CONTEXT."
)


#: The longest that a chunk of the prompt should take, since a stream stops only between chunks: a generator cannot be
#: closed while it runs, so llama.cpp's abort callback would never be called.
CHUNK_SECONDS = 0.15
#: Tokens in the first chunk, before the model's speed is known, and in the smallest: on a busy machine the time of a
#: chunk hardly depends on its size, and one token at a time would take for ever.
FIRST_CHUNK, SMALLEST_CHUNK = 8, 4
#: How often a stream that waits for another yields ``Waiting``.
WAITING_SECONDS = 0.1

_log = logging.getLogger(__name__)


class LlamaEngine:
    """One GGUF model, one stream at a time (see ``copilot.llm.base.Engine``).

    Two threads on one llama.cpp context crash the process, so a lock is held from the first chunk of a stream to its
    last token; a stream that waits for it yields ``Waiting`` ten times a second.
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
            self._state = get_file_state(path)
            try_model(path, threads=threads, context=context)
            self._native = NativeModel(path, threads=threads, context=context)
            self._check_unchanged()
            sha256 = file.sha256
        except OSError as error:
            raise EngineError(N_(shared_messages.NO_MODEL_FILE, path=str(path))) from error
        except ValueError as error:
            raise EngineError(N_(shared_messages.MODEL_UNKNOWN, name=path.name)) from error
        except MemoryError as error:
            raise EngineError(N_(shared_messages.MODEL_MEMORY, context=context)) from error
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
        """Return the model's identity."""
        return self._info

    def score(
        self, messages: Sequence[Message], prefix: str, labels: Sequence[str]
    ) -> Iterator[Waiting | PromptProgress | Scores]:
        """See ``Engine.score``. The prompt is read once; of a label, all tokens but its last are read on top of it."""
        yield from self._take_lock()
        with self._hold_lock():
            prompt = self._tokenize_prompt(messages, prefix)
            endings = [self._tokenize_label(prefix, label) for label in labels]
            if not all(endings):  # the tokenizer lacks the letters
                raise EngineError(MODEL_FAILED)
            self._check_fits(len(prompt) + max(map(len, endings), default=0))
            yield from self._read_tokens(prompt)
            first = log_softmax(self._get_logits())
            logprobs = np.array([first[ending[0]] for ending in endings])
            for i, ending in enumerate(endings):
                for known in range(1, len(ending)):
                    yield from self._read_tokens(prompt + ending[:known])
                    logprobs[i] += log_softmax(self._get_logits())[ending[known]]
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
        choices: Sequence[str] = (),
    ) -> Iterator[Waiting | PromptProgress | Token | CutOff]:
        """See ``Engine.generate``. An answer that reaches the end of the context stops there."""
        yield from self._take_lock()
        with self._hold_lock():
            prompt = self._tokenize_prompt(messages, prefix)
            if choices:
                yield from self._choose_text(prompt, prefix, choices)
                return
            self._check_fits(len(prompt) + 1)
            yield from self._read_tokens(prompt)
            random = np.random.default_rng(seed)
            characters, cut_off = codecs.getincrementaldecoder("utf-8")("replace"), False
            for _ in range(min(max_tokens, self._info.context - len(prompt))):
                token = choose_token(self._get_logits(), temperature, top_k, random)
                if self._native.ends_answer(token):
                    break
                if text := remove_unprintable(characters.decode(self._native.get_bytes(token))):
                    yield Token(text)
                self._append([token])
            else:
                cut_off = True
            if rest := characters.decode(b"", final=True):
                yield Token(rest)
            if cut_off:
                yield CutOff()

    def _choose_text(self, prompt: list[int], prefix: str, choices: Sequence[str]) -> Iterator[PromptProgress | Token]:
        """Yield one of ``choices`` in pieces: what all remaining texts share is not asked of the model.

        Where they differ, those remain that go on with the most probable of their next tokens; a text that is the
        beginning of another one goes on with a token that ends the answer. What is yielded are the texts' own
        characters: a tokenizer may not return them as they were (a space before a text, half a surrogate pair).
        """
        remaining = [(text, self._tokenize_label(prefix, text)) for text in choices]
        self._check_fits(len(prompt) + max(len(tokens) for _, tokens in remaining))
        written = 0
        while True:
            (text, tokens), *others = remaining
            shared = min((count_shared_prefix(text, other) for other, _ in others), default=len(text))
            if shared > written:
                yield Token(text[written:shared])
                written = shared
            known = min((count_shared_prefix(tokens, other) for _, other in others), default=len(tokens))
            following = [other[known] if len(other) > known else None for _, other in remaining]
            if len(set(following)) == 1:  # one text is left, or several that the tokenizer cannot tell apart
                break
            yield from self._read_tokens(prompt + tokens[:known])
            logits = self._get_logits()
            end = max(logits[self._native.end_tokens], default=-np.inf)
            best = max(following, key=lambda token: end if token is None else logits[token])
            remaining = [one for one, token in zip(remaining, following, strict=True) if token == best]
        if rest := remaining[0][0][written:]:
            yield Token(rest)

    def close(self) -> None:
        """Free the model: now, or where a stream is running, as soon as that stream has ended."""
        self._closed = True
        if self._lock.acquire(blocking=False):
            self._native.close()

    def _take_lock(self) -> Iterator[Waiting]:
        """Take the lock; the caller enters ``_hold_lock`` next, without a yield between.

        Yields ``Waiting`` while another stream has it.
        """
        while not self._lock.acquire(timeout=WAITING_SECONDS):
            self._check_open()
            yield Waiting()

    @contextmanager
    def _hold_lock(self) -> Iterator[None]:
        """Release the lock at the end, and free the model where ``close`` was called meanwhile."""
        try:
            self._check_open()
            yield
        finally:
            self._lock.release()
            if self._closed:
                self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError(N_("The model has been closed; start the program again."))

    def _check_unchanged(self) -> None:
        """Refuse to go on reading a file that has changed.

        Raises:
            EngineError: it was changed or replaced since it was loaded.
        """
        try:
            changed = get_file_state(self._path) != self._state
        except OSError:
            changed = True
        if changed:
            raise EngineError(
                N_(
                    "The model file {name} was changed while it was in use; start the program again.",
                    name=self._path.name,
                )
            )

    def _check_fits(self, tokens: int) -> None:
        if tokens > self._info.context:
            full = (
                CONTEXT_FULL_FOR_NOW
                if self._may_grow
                else N_("This needs {needed:,} tokens and the model's context holds {context:,}; shorten the texts.")
            )
            raise ContextError(N_(full, needed=tokens, context=self._info.context))

    def _tokenize_prompt(self, messages: Sequence[Message], prefix: str) -> list[int]:
        """Return the tokens of the chat and the answer's beginning; control tokens come from the template alone."""
        pieces = chat_template.render(self._template, messages, self._native.boundary_texts)
        pieces.append(chat_template.PromptPiece(prefix, False))
        tokens = [token for piece in pieces for token in self._native.tokenize(piece.text, control=piece.control)]
        first = self._native.first_token
        return tokens if first is None or tokens[:1] == [first] else [first, *tokens]

    def _tokenize_label(self, prefix: str, label: str) -> list[int]:
        """Return the tokens that ``label`` adds to ``prefix``.

        Both are tokenised together, as some tokenizers put a space before a text.
        """
        return self._native.tokenize(prefix + label, control=False)[len(self._native.tokenize(prefix, control=False)) :]

    def _read_tokens(self, tokens: list[int]) -> Iterator[PromptProgress]:
        """Make ``tokens`` the whole context; only the last and those that are not in it already are read."""
        self._native.keep(min(count_shared_prefix(self._native.context_tokens, tokens), len(tokens) - 1))
        while (done := len(self._native.context_tokens)) < len(tokens):
            yield PromptProgress(done, len(tokens))
            chunk, began = tokens[done : done + self._chunk], time.perf_counter()
            self._append(chunk)
            seconds = time.perf_counter() - began  # the next chunk is adapted to it
            if seconds > CHUNK_SECONDS:
                self._chunk = max(SMALLEST_CHUNK, self._chunk // 2)
            elif seconds < CHUNK_SECONDS / 2 and len(chunk) == self._chunk:
                self._chunk = min(BATCH, self._chunk * 2)
        yield PromptProgress(done, len(tokens))

    def _get_logits(self) -> npt.NDArray[np.float64]:
        """Return the scores of every token as the next one; shape (vocabulary,), finite.

        Raises:
            EngineError: they are not finite: the weights are damaged.
        """
        logits = self._native.logits()
        if not np.isfinite(logits).all():
            raise EngineError(MODEL_FAILED)
        return logits

    def _append(self, tokens: list[int]) -> None:
        self._check_open()
        if self._native.is_mapped:
            self._check_unchanged()
        try:
            self._native.read(tokens)
        except RuntimeError as error:
            raise EngineError(MODEL_FAILED) from error


def count_shared_prefix(a: Sequence[object], b: Sequence[object]) -> int:
    """Return how many items (tokens, characters) two sequences have in common at their beginning."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def log_softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Convert scores, shape (vocabulary,), to log-probabilities, same shape."""
    shifted = logits - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()), np.float64)


def choose_token(logits: npt.NDArray[np.float64], temperature: float, top_k: int, random: np.random.Generator) -> int:
    """Choose the next token: the best at temperature 0, else drawn from the ``top_k`` best.

    Args:
        logits: scores, shape (vocabulary,).
        temperature: divisor of the scores.
        top_k: how many tokens to draw from.
        random: generator of the draw.
    """
    if temperature <= 0:
        return int(np.argmax(logits))
    best = np.argpartition(-logits, min(top_k, logits.size) - 1)[:top_k]
    return int(random.choice(best, p=np.exp(log_softmax(logits[best] / temperature))))
