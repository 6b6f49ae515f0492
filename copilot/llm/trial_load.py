"""Load a model file for the first time in a child process: llama.cpp aborts on some damaged files."""

import contextlib
import os
from pathlib import Path

import numpy as np

from copilot import child_process
from copilot.child_process import ChildError, Limits
from copilot.i18n import N_, messages
from copilot.llm.base import EngineError

#: Seconds that it may take, and bytes of a model that add one second.
_SECONDS, _BYTES_A_SECOND = 60.0, 20 * 10**6

#: Letters that together use every byte of UTF-8, in letters of one to four bytes: a tokenizer may lack some.
_LETTERS = "".join(map(chr, (*range(1, 0x800), *range(0x800, 0x10000, 0x7F), *range(0x10000, 0x110000, 0xFFF))))

_passed: set[tuple[object, ...]] = set()


def get_file_state(path: Path) -> tuple[object, ...]:
    """Return values that differ after the file was changed or replaced."""
    status = path.stat()
    return path.absolute(), status.st_ino, status.st_size, status.st_mtime_ns


def try_model(path: Path, *, threads: int, context: int) -> None:
    """Load the file, read a short prompt and write a token, in a process that may abort.

    A file that passed is not tried again.

    Args:
        path: GGUF file.
        threads: CPU threads.
        context: tokens to allocate.

    Raises:
        EngineError: the process died, or took too long or too much memory, or llama.cpp does not load the file.
    """
    key = (*get_file_state(path), context)
    if key in _passed:
        return
    size = path.stat().st_size
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") + size
    limits = Limits(memory / child_process.GB, _SECONDS + size / _BYTES_A_SECOND, quiet=True)
    try:
        child_process.run_limited(limits, load_and_compute, path, threads, context)
    except EngineError:
        raise
    except (ChildError, RuntimeError) as error:
        raise EngineError(N_(messages.MODEL_UNKNOWN, name=path.name)) from error
    _passed.add(key)


def load_and_compute(path: Path, threads: int, context: int) -> None:
    """Do with the file what an engine does; only for a child process.

    Raises:
        EngineError: the context does not fit into memory, or llama.cpp does not load the file or computes no numbers.
    """
    from copilot.llm import chat_template
    from copilot.llm.gguf_header import open_model_file
    from copilot.llm.llama_cpp import NativeModel

    unknown = EngineError(N_(messages.MODEL_UNKNOWN, name=path.name))
    try:
        native = NativeModel(path, threads=threads, context=context)
    except ValueError as error:
        raise unknown from error
    except MemoryError as error:
        raise EngineError(N_(messages.MODEL_MEMORY, context=context)) from error
    text = "Hello."
    with contextlib.suppress(EngineError):  # a broken template is reported when it is used
        chat = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": text}]
        pieces = chat_template.render(open_model_file(path).chat_template, chat, native.boundary_texts)  # type: ignore[arg-type]
        text = "".join(piece.text for piece in pieces)
    native.tokenize(_LETTERS, control=False)
    tokens = native.tokenize(text, control=True)[: min(32, context - 1)]
    native.read(tokens)
    logits = native.logits()
    for token in range(logits.size):
        native.get_bytes(token)
    native.read([int(logits.argmax())])
    if not np.isfinite(logits).all():
        raise unknown
