"""What the product does with a file that somebody gives it, and what must be true of the outcome (see ``examine``)."""

import tempfile
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import copilot
from copilot.eeg import reader
from copilot.eeg.preprocessing import clean
from copilot.eeg.types import MIN_SECONDS, Recording, RecordingError
from copilot.i18n import Translator
from copilot.llm.base import EngineError
from copilot.llm.gguf_header import open_model_file
from copilot.llm.local import LlamaEngine
from copilot.record import review
from copilot.record.database import StoreError
from copilot.record.export.json_format import from_json, to_json
from copilot.record.export.registry import EXPORTS
from copilot.record.model import RecordError
from copilot.record.store import Store
from copilot.web import record_review
from copilot.web.session import Session
from tests.fuzz.seeds import PERSON, RECORDINGS

REFUSALS = (RecordingError, EngineError, RecordError, StoreError)
#: One sentence that refuses, in letters; the longest says what is read.
LONGEST_SENTENCE = 600

OWN_CODE = Path(copilot.__file__).parent
#: ``recording.read`` makes one sentence of every exception, so a mistake of our own would look like a damaged file.
MISTAKES = (ArithmeticError, NameError, AttributeError, TypeError, AssertionError, LookupError)
#: (type, function): raised in our own code by damaged files alone, and meant to be.
EXPECTED: dict[tuple[str, str], str] = {}


class Fault(Exception):
    """The product did what it must not do; the message says what."""


def examine(kind: str, paths: list[Path], thorough: bool) -> str:
    """Do what the product does with these files, and return ``read`` or ``refused``.

    Args:
        kind: of ``seeds.KINDS``.
        paths: the files.
        thorough: also the steps that take long: cleaning, PDF, writing with the model.

    Raises:
        Fault: the outcome is neither what it must be nor one plain sentence.
    """
    read: Callable[[list[Path], bool], None] = _read_recording if kind in RECORDINGS else _READERS[kind]
    try:
        read(paths, thorough)
    except REFUSALS as error:
        _check_refusal(error)
        return "refused"
    except Fault:
        raise
    except Exception as error:
        raise Fault(f"traceback: {_told(error)}") from error
    return "read"


def _told(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {last.name}, {Path(last.filename).name}:{last.lineno}: {str(error)[:200]}"


def _check_refusal(error: Exception) -> None:
    """It is one plain sentence without anything of the person, and no mistake of our own is behind it."""
    text = str(error)
    if not text.strip() or "\n" in text.strip() or len(text) > LONGEST_SENTENCE or "Traceback" in text:
        raise Fault(f"not one plain sentence: {text[:300]!r}")
    if not isinstance(error, (EngineError, StoreError)):  # these name a file of whoever runs the program
        _check_nameless(text)
    cause = error.__cause__ or error.__context__
    while cause:
        last = traceback.extract_tb(cause.__traceback__)[-1]
        mistake = isinstance(cause, MISTAKES) and Path(last.filename).is_relative_to(OWN_CODE)
        if mistake and (type(cause).__name__, last.name) not in EXPECTED:
            raise Fault(f"mistake of our own behind a sentence: {_told(cause)}")
        cause = cause.__cause__ or cause.__context__


def _check_nameless(text: str) -> None:
    if PERSON.lower() in text.lower() or tempfile.gettempdir() in text:
        raise Fault(f"quotes the file or the person: {text[:300]!r}")


def _read_recording(paths: list[Path], thorough: bool) -> None:
    read = reader.read(paths)
    _check_nameless(" ".join((read.source, *map(str, read.notes), *read.channels)))
    _check_signal(read)
    if thorough:
        cleaned, _ = clean.clean(read, lambda *_: None)
        _check_signal(cleaned)


def _check_signal(read: Recording) -> None:
    data = read.data
    promised = {
        "float32": data.dtype == np.float32,
        "finite": bool(np.isfinite(data).all()),
        "4 channels or more, each with a name of its own": len(set(read.channels)) == len(data) >= 4,
        "10 seconds or more": read.seconds >= MIN_SECONDS,
    }
    if broken := [what for what, holds in promised.items() if not holds]:
        raise Fault(f"a recording that is not {', not '.join(broken)}")


def _read_model_header(paths: list[Path], thorough: bool) -> None:
    file = open_model_file(paths[0])
    for _ in (file.name, file.trained_context, file.chat_template, file.own_metadata, file.sha256):
        pass


def _load_model(paths: list[Path], thorough: bool) -> None:
    engine = LlamaEngine(paths[0], threads=1, context=256)
    for _ in engine.generate([{"role": "user", "content": "Hello <|im_end|> 1 2 3"}], max_tokens=8):
        pass
    engine.close()


def _read_record(paths: list[Path], thorough: bool) -> None:
    """Open a record as a visitor may, show it, review and sign it, and write it in every way."""
    try:
        text = paths[0].read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return  # refused where a file is opened
    record = from_json(text)
    for kind, export in EXPORTS.items():
        if kind != "pdf" or thorough:
            export.write(record, None)
    say, visit = Translator(record.language), Session(record=record)
    for part in (
        record_review.render_state(say, visit),
        record_review.render_progress(say, record),
        record_review.render_history(say, record),
    ):
        part.encode()
    if record.signature:
        return
    reviewer, now = review.Reviewer("Dr Ada Weiss", "Neurologist"), datetime.now(UTC)
    for field in record.pending:
        record = review.accept(record, field.key, reviewer, now)
    from_json(to_json(review.sign(record, reviewer, "I have reviewed it.", now)))


def _read_store(paths: list[Path], thorough: bool) -> None:
    store = Store(paths[0].parent)
    for entry in store.find():
        for version in store.versions(entry.id):
            store.open(version.id, version.version)
    store.export_all()


_READERS = {
    "gguf": _read_model_header,
    "gguf-load": _load_model,
    "record": _read_record,
    "store": _read_store,
}
