"""Load a model file for the first time in a process of its own: llama.cpp aborts on some damaged files.

The process runs ``python -m copilot.llm.trial_load PATH THREADS CONTEXT``; its exit status is the outcome.
"""

import contextlib
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np

from copilot.i18n import N_, messages
from copilot.llm.base import EngineError

#: Exit statuses: llama.cpp does not load the file, and the context does not fit into memory.
_UNKNOWN, _MEMORY = 3, 4
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
    import_path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    command = [sys.executable, "-m", "copilot.llm.trial_load", str(path), str(threads), str(context)]
    try:
        status = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ
            | {"PYTHONPATH": import_path, "GGML_NO_BACKTRACE": "1"},  # without it an abort starts the debugger
            timeout=_SECONDS + path.stat().st_size / _BYTES_A_SECOND,
            start_new_session=True,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        status = _UNKNOWN
    if status == _MEMORY:
        raise EngineError(N_(messages.MODEL_MEMORY, context=context))
    if status:
        raise EngineError(N_(messages.MODEL_UNKNOWN, name=path.name))
    _passed.add(key)


def _main(path: Path, threads: int, context: int) -> int:
    """Do with the file what an engine does; return the exit status of this process."""
    from copilot.llm import chat_template
    from copilot.llm.gguf_header import open_model_file
    from copilot.llm.llama_cpp import NativeModel

    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(ValueError, OSError):  # systems without such limits
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (pages + path.stat().st_size,) * 2)
    try:
        native = NativeModel(path, threads=threads, context=context)
    except ValueError:
        return _UNKNOWN
    except MemoryError:
        return _MEMORY
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
    return 0 if np.isfinite(logits).all() else _UNKNOWN


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
