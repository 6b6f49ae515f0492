"""Identify what a record is made from: if that changed, the recording is read again (see ``compute_cache_key``)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from copilot import __version__
from copilot.batch.worker import Task
from copilot.eeg.recording_files import find_recording_files
from copilot.settings import Settings

#: Settings that change the content of a record; the others only change how fast it is made.
DECISIVE = ("server", "server_model", "readout", "language", "max_minutes")


def describe_run(settings: Settings) -> dict[str, object]:
    """Return what all records of a run are made with: model, classifier, software and settings.

    Raises:
        EngineError, ClassifierError: the model or the classifier is missing.
    """
    from copilot.eeg.classifier import Classifier
    from copilot.llm.gguf_header import open_model_file

    model = "" if settings.server else open_model_file(settings.model).sha256
    chosen = {name: getattr(settings, name) for name in DECISIVE}
    return {"model": model, "decoder": Classifier.load(settings.decoder).sha256, "software": __version__, **chosen}


def compute_cache_key(task: Task, made_with: Mapping[str, object]) -> str:
    """Return the SHA-256 of the contents of a task's files, the data about the person, and ``made_with``.

    Raises:
        OSError: a file cannot be read.
    """
    others = [part for path in task.baselines for part in find_recording_files(path)]
    files, baselines = ([_hash_path(path) for path in paths] for paths in (task.files, others))
    everything = [asdict(task.person), asdict(task.patient), files, baselines, made_with]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def _hash_path(path: Path) -> str:
    """Return the SHA-256 of a file, or of all files in a folder that is one recording."""
    if path.is_dir():
        parts = [_hash_path(part) for part in sorted(path.rglob("*")) if part.is_file()]
        return hashlib.sha256("".join(parts).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
