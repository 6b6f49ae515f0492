"""Wrap llama.cpp's model and context as one object with the few calls of its C API that the engine needs.

The high-level ``llama_cpp.Llama`` is not used because it silences the whole process's output while it loads, keeps
a table of scores as large as batch times vocabulary, and fails to stop while it reads a prompt.
"""

import ctypes
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

# On a busy machine, threads that spin while they wait for each other take ten to forty times as long as threads that
# sleep (measured on two cores with two other programs running). OpenMP reads this once, when llama.cpp is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import llama_cpp as C

#: The most tokens that llama.cpp gets at once.
BATCH = 256
#: Bytes of a model file that is read into memory; a larger one is mapped, so that processes share it.
LARGEST_COPIED = 10**9

_log = logging.getLogger(__name__)


class NativeModel:
    """A loaded model and the tokens in its context. Not safe for two threads at once: the caller must lock it.

    Attributes:
        context_tokens: the tokens that are in the context, in order.
        is_mapped: whether the file is read while the model is used, so that it must not change.
    """

    def __init__(
        self,
        path: Path,
        *,
        threads: int,
        context: int,
        exact: bool = False,
        watch: "C.ggml_backend_sched_eval_callback | None" = None,
    ) -> None:
        """Load the model.

        Args:
            path: GGUF file.
            threads: for reading and for writing.
            context: tokens that fit.
            exact: keep what was read in float32, for comparisons; by default llama.cpp rounds it to float16.
            watch: called by llama.cpp before and after every step of the computation.

        Raises:
            ValueError: llama.cpp cannot load the file.
            MemoryError: the context does not fit into memory.
        """
        C.llama_log_set(_to_logging, ctypes.c_void_p(0))
        C.llama_backend_init()
        self.context_tokens: list[int] = []
        # A mapped file that is truncated or overwritten would end this process at its next step.
        self.is_mapped = path.stat().st_size > LARGEST_COPIED
        params = C.llama_model_default_params()
        # llama.cpp's AMX kernels fail with an illegal instruction on quantised weights if the compiler dropped their
        # tile configuration (llama.cpp pull request 26954; seen with GCC 12). Plain buffers leave them unused.
        params.use_extra_bufts = b"AMX_INT8 = 1" not in C.llama_print_system_info()
        params.load_mode = C.LLAMA_LOAD_MODE_MMAP if self.is_mapped else C.LLAMA_LOAD_MODE_NONE
        self._model = C.llama_model_load_from_file(os.fsencode(path), params)
        if not self._model:
            raise ValueError(f"llama.cpp cannot load {path}")
        params = C.llama_context_default_params()
        params.n_ctx = context
        params.n_batch = params.n_ubatch = BATCH
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = C.LLAMA_FLASH_ATTN_TYPE_DISABLED  # slower for chunks of 16 to 32 tokens
        if exact:
            params.type_k = params.type_v = C.GGML_TYPE_F32
        if watch is not None:
            self._watch = params.cb_eval = watch  # kept: llama.cpp has only a pointer to it
        self._context = C.llama_init_from_model(self._model, params)
        if not self._context:
            C.llama_model_free(self._model)
            raise MemoryError(f"llama.cpp cannot make a context of {context} tokens")
        self._vocabulary = C.llama_model_get_vocab(self._model)
        self._vocabulary_size = C.llama_vocab_n_tokens(self._vocabulary)

    def tokenize(self, text: str, *, control: bool) -> list[int]:
        """Return the tokens of ``text``; control tokens (``<|im_start|>``) are only recognised with ``control``."""
        data = text.encode(errors="replace")  # half a surrogate pair can come in through JSON
        tokens = (C.llama_token * (len(data) + 8))()  # some tokenizers put a space, of up to three bytes, before a text
        count = C.llama_tokenize(self._vocabulary, data, len(data), tokens, len(tokens), False, control)
        return list(tokens[:count])

    @property
    def first_token(self) -> int | None:
        """Return the token that every text must begin with, or None if the model needs none."""
        return C.llama_vocab_bos(self._vocabulary) if C.llama_vocab_get_add_bos(self._vocabulary) else None

    @property
    def boundary_texts(self) -> dict[str, str]:
        """Return the texts that chat templates call ``bos_token`` and ``eos_token``; empty where the model has none."""
        ends = {"bos_token": C.llama_vocab_bos(self._vocabulary), "eos_token": C.llama_vocab_eos(self._vocabulary)}
        return {name: self.get_text(token) if token >= 0 else "" for name, token in ends.items()}

    @property
    def end_tokens(self) -> list[int]:
        """Return the tokens that end a text or a turn, those of them that the file names."""
        named = (C.llama_vocab_eos(self._vocabulary), C.llama_vocab_eot(self._vocabulary))
        return sorted({token for token in named if token >= 0})

    def get_text(self, token: int) -> str:
        """Return the token as the file spells it; a vocabulary of bytes has letters for them."""
        return str(C.llama_vocab_get_text(self._vocabulary, token).decode("utf-8", "replace"))

    def get_bytes(self, token: int) -> bytes:
        """Return the bytes that a token adds to the answer: maybe part of a character, none for a control token."""
        piece = ctypes.create_string_buffer(1024)
        length = C.llama_token_to_piece(self._vocabulary, token, piece, len(piece), 0, False)
        return piece.raw[:length]

    def ends_text(self, token: int) -> bool:
        """Return whether the file marks the token as an end of a text or of a turn, at which every program stops."""
        return bool(C.llama_vocab_is_eog(self._vocabulary, token))

    def ends_answer(self, token: int) -> bool:
        """Return whether the token ends the answer: any end-of-text token, and any other control token."""
        return self.ends_text(token) or bool(C.llama_vocab_is_control(self._vocabulary, token))

    def keep(self, count: int) -> None:
        """Remove all but the first ``count`` tokens from the context; all of them if the model cannot remove a part."""
        memory = C.llama_get_memory(self._context)
        if not C.llama_memory_seq_rm(memory, 0, count, -1):
            C.llama_memory_clear(memory, True)
            count = 0
        del self.context_tokens[count:]

    def read(self, tokens: Sequence[int]) -> None:
        """Append at most ``BATCH`` tokens to the context.

        Raises:
            RuntimeError: llama.cpp failed; the context is as it was before.
        """
        array = (C.llama_token * len(tokens))(*tokens)  # named, because the batch is only a pointer to it
        status = C.llama_decode(self._context, C.llama_batch_get_one(array, len(tokens)))
        if status != 0:
            self.keep(len(self.context_tokens))
            raise RuntimeError(f"llama_decode returned {status}")
        self.context_tokens.extend(tokens)

    def logits(self) -> npt.NDArray[np.float64]:
        """Return the scores of every token as the next one, shape (vocabulary,); valid after ``read``."""
        pointer = C.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(pointer, shape=(self._vocabulary_size,)).astype(np.float64)

    def all_logits(self, tokens: Sequence[int], kept: int = 0) -> Iterator[npt.NDArray[np.float32]]:
        """Yield the scores of every token after each of ``tokens``, shape (vocabulary,) each.

        The tokens are read into an empty context, or behind its first ``kept`` tokens.

        There is one row at a time, because a table of a long text over a large vocabulary would not fit into memory; a
        row is only valid until the next is requested.

        Raises:
            RuntimeError: llama.cpp failed.
        """
        self.keep(kept)
        for start in range(0, len(tokens), BATCH):
            part = tokens[start : start + BATCH]
            batch = C.llama_batch_init(len(part), 0, 1)
            try:
                batch.n_tokens = len(part)
                for i, token in enumerate(part):
                    batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, len(self.context_tokens) + i, 1
                    batch.seq_id[i][0], batch.logits[i] = 0, True
                status = C.llama_decode(self._context, batch)
            finally:
                C.llama_batch_free(batch)
            if status != 0:
                self.keep(0)
                raise RuntimeError(f"llama_decode returned {status}")
            self.context_tokens.extend(part)
            for i in range(len(part)):
                yield np.ctypeslib.as_array(C.llama_get_logits_ith(self._context, i), shape=(self._vocabulary_size,))

    def close(self) -> None:
        """Free the memory; the object cannot be used afterwards."""
        C.llama_free(self._context)
        C.llama_model_free(self._model)


def _log_line(_level: int, text: bytes, _data: object) -> None:
    _log.debug(text.decode("utf-8", "replace").rstrip())


_to_logging = C.llama_log_callback(_log_line)  # never freed: llama.cpp keeps a pointer to it
