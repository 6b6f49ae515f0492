"""A model file under test: what it is, and what it reads in every trial of every condition."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convert.gguf_file import read_gguf
from copilot import emotions, model_metadata
from copilot.eeg import text_encoding
from copilot.eeg.classifier import Classifier
from copilot.llm.base import Engine
from copilot.training.evaluate.ablations import UNITS, Pass, PromptedTrial, make_items, possible
from copilot.training.evaluate.labels import READOUTS
from copilot.training.evaluate.metrics import Ints
from copilot.training.evaluate.rows import Predictions
from copilot.training.faced import TRAIN_SUBJECTS, Faced, describe

Advance = Callable[[int], object]
"""Told how many more read-outs are done."""

#: How a split's name ends where people who are scored were learned from.
LEAKS = "(leaks)"


@dataclass(frozen=True)
class ModelUnderTest:
    """A language model and the decoder whose evidence stands in its prompts; ``name`` is the file's."""

    name: str
    engine: Engine
    decoder: Classifier

    @property
    def codec(self) -> str:
        """How the model wants EEG to be written."""
        return self.engine.info.metadata.get("codec", text_encoding.DEFAULT)

    def readings(self, faced: Faced, runs: Sequence[Pass], advance: Advance) -> Iterator[Predictions]:
        """Everything it reads, unit by unit and condition by condition.

        The runs of a condition go through the trials together: their prompts begin alike, and an engine reads the same
        beginning only once.

        Raises:
            CorpusError, EngineError: the features cannot be written in the model's codec, or the model fails.
        """
        runs = possible(runs, len(faced.emotions))
        for unit in UNITS:
            for condition in dict.fromkeys(run.condition for run in runs):
                items = make_items(faced, unit, condition, self.decoder, self.codec)
                yield from self._condition(items, unit, [run for run in runs if run.condition == condition], advance)

    def _condition(
        self, items: Sequence[PromptedTrial], unit: str, runs: Sequence[Pass], advance: Advance
    ) -> Iterator[Predictions]:
        found: dict[tuple[Pass, str], list[emotions.Probabilities]] = {
            (r, name): [] for r in runs for name in r.readouts
        }
        for seed, item in enumerate(items):
            for run, readout in found:
                found[run, readout].append(self._read(item, run.evidence, readout, seed))
            advance(len(found))
        truth, subjects = np.array([item.truth for item in items]), np.array([item.subject for item in items])
        for (run, readout), each in found.items():
            yield Predictions(
                run.condition,
                run.evidence,
                unit,
                readout,
                self.name,
                split_name(subjects),
                np.stack(each),
                truth,
                subjects,
            )

    def _read(self, item: PromptedTrial, with_evidence: bool, readout: str, seed: int) -> emotions.Probabilities:
        if readout == "decoder":
            return item.evidence
        return READOUTS[readout](self.engine, item.messages(with_evidence), seed)

    def facts(self, path: Path) -> dict[str, Any]:
        """What is on the label: name, size, codec.

        Raises:
            ConvertError: the file cannot be read.
        """
        info = self.engine.info
        return {
            "file": self.name,
            "name": info.name,
            "sha256": info.sha256,
            "bytes": path.stat().st_size,
            "parameters": read_gguf(path).parameters,
            "codec": self.codec,
            "trained_for_eeg": info.trained_for_eeg,
            "warnings": list(model_metadata.find_differences(info.metadata, self.decoder.sha256)),
        }


def count(faced: Faced, runs: Sequence[Pass]) -> int:
    """How many times something is read out, to know how long it takes."""
    trials = len(faced.subjects) * len(faced.emotions) * sum(map(len, UNITS.values()))
    return trials * sum(len(run.readouts) for run in possible(runs, len(faced.emotions)))


def split_name(subjects: Ints) -> str:
    """Whom the product was fitted on and who is read, as ``subjects 0-79 / 80-99``."""
    seen = f" {LEAKS}" if np.isin(subjects, TRAIN_SUBJECTS).any() else ""
    return f"subjects {describe(np.array(TRAIN_SUBJECTS))} / {describe(np.unique(subjects))}{seen}"
