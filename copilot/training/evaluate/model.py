"""Run a model file on every trial of every condition, and collect the facts about the file."""

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
from copilot.training.evaluate.ablations import UNITS, Pass, PromptedTrial, make_prompted_trials, select_possible_runs
from copilot.training.evaluate.labels import READOUTS
from copilot.training.evaluate.metrics import Ints
from copilot.training.evaluate.rows import Predictions
from copilot.training.faced import TRAIN_SUBJECTS, Faced, describe

Advance = Callable[[int], object]
"""Called with the number of read-outs that were done since the last call."""

#: End of a split's name where the model was trained on people who are scored.
LEAKS = "(leaks)"


@dataclass(frozen=True)
class ModelUnderTest:
    """A language model and the classifier whose evidence is in its prompts.

    Attributes:
        name: name of the model file.
        engine: runs the language model.
        classifier: gives the evidence.
    """

    name: str
    engine: Engine
    classifier: Classifier

    @property
    def codec(self) -> str:
        """Name of the text encoding that the model was trained on."""
        return self.engine.info.metadata.get("codec", text_encoding.DEFAULT)

    def predict(self, faced: Faced, runs: Sequence[Pass], advance: Advance) -> Iterator[Predictions]:
        """Yield the predictions of all runs, unit by unit and condition by condition.

        The runs of a condition process each trial together: their prompts begin alike, and an engine reads the same
        beginning only once.

        Args:
            faced: features of the people to score.
            runs: what to run; runs that need more clips than the features have are skipped.
            advance: called with the number of read-outs that were done.

        Raises:
            CorpusError, EngineError: the features cannot be written in the model's text encoding, or the model fails.
        """
        runs = select_possible_runs(runs, len(faced.emotions))
        for unit in UNITS:
            for condition in dict.fromkeys(run.condition for run in runs):
                trials = make_prompted_trials(faced, unit, condition, self.classifier, self.codec)
                yield from self._predict_condition(
                    trials, unit, [run for run in runs if run.condition == condition], advance
                )

    def _predict_condition(
        self, trials: Sequence[PromptedTrial], unit: str, runs: Sequence[Pass], advance: Advance
    ) -> Iterator[Predictions]:
        """Yield the predictions of all runs of one condition, trial by trial."""
        found: dict[tuple[Pass, str], list[emotions.Probabilities]] = {
            (r, name): [] for r in runs for name in r.readouts
        }
        for seed, trial in enumerate(trials):
            for run, readout in found:
                found[run, readout].append(self._read_out(trial, run.evidence, readout, seed))
            advance(len(found))
        truth, subjects = np.array([trial.truth for trial in trials]), np.array([trial.subject for trial in trials])
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

    def _read_out(self, trial: PromptedTrial, with_evidence: bool, readout: str, seed: int) -> emotions.Probabilities:
        """Return the probabilities of one trial by one read-out, shape (9,)."""
        if readout == "decoder":
            return trial.evidence
        return READOUTS[readout](self.engine, trial.messages(with_evidence), seed)

    def facts(self, path: Path) -> dict[str, Any]:
        """Return the facts about the model file: names, checksum, size, text encoding, warnings.

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
            "warnings": list(model_metadata.find_differences(info.metadata, self.classifier.sha256)),
        }


def count_readouts(faced: Faced, runs: Sequence[Pass]) -> int:
    """Return how many read-outs the runs make, to estimate the time that they take."""
    trials = len(faced.subjects) * len(faced.emotions) * sum(map(len, UNITS.values()))
    return trials * sum(len(run.readouts) for run in select_possible_runs(runs, len(faced.emotions)))


def split_name(subjects: Ints) -> str:
    """Return the name of the product's split, training people / scored people, as ``subjects 0-79 / 80-99``."""
    seen = f" {LEAKS}" if np.isin(subjects, TRAIN_SUBJECTS).any() else ""
    return f"subjects {describe(np.array(TRAIN_SUBJECTS))} / {describe(np.unique(subjects))}{seen}"
