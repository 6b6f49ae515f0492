"""Run a model file on every trial of every condition, and collect the facts about the file."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convert.gguf_file import read_gguf
from copilot import emotions, model_metadata, prompt
from copilot.eeg import text_encoding
from copilot.eeg.classifier import Classifier
from copilot.llm.base import Engine, Message, Token
from copilot.pipeline import predict, run_to_end
from copilot.training.evaluate.ablations import UNITS, Pass, make_prompted_trials, select_possible_runs
from copilot.training.evaluate.scores import Ints, Predictions
from copilot.training.faced import TRAIN_SUBJECTS, Faced, describe

Advance = Callable[[int], object]
"""Called with the number of read-outs that were done since the last call."""

#: End of a split's name where the model was trained on people who are scored.
LEAKS = "(leaks)"
#: Read-outs of a written answer -> temperature; the second is the paper's, sampled from the 50 likeliest tokens.
WRITTEN = {"greedy": 0.0, "top-k-50": 1.0}
#: Most tokens of an answer of which only the label is used.
LABEL_TOKENS = 4


def read_emotion(engine: Engine, messages: list[Message], readout: str, seed: int = 0) -> emotions.Probabilities:
    """Read an emotion out of a model.

    Args:
        engine: runs the language model.
        messages: the prompt.
        readout: ``logits`` gives the calibrated probabilities of the nine labels; a key of ``WRITTEN`` a one at the
            emotion that a written answer names first, or all zeros if it names none.
        seed: seeds the sampling.

    Returns:
        Shape (9,).
    """
    if readout == "logits":
        return run_to_end(predict(engine, [messages])).probabilities
    events = engine.generate(
        messages, prompt.LABEL_PREFIX, max_tokens=LABEL_TOKENS, temperature=WRITTEN[readout], top_k=50, seed=seed
    )
    text = "".join(event.text for event in events if isinstance(event, Token)).lower()
    found = [(text.find(emotion), k) for k, emotion in enumerate(emotions.EMOTIONS) if emotion in text]
    return np.eye(len(emotions.EMOTIONS))[min(found)[1]] if found else np.zeros(len(emotions.EMOTIONS))


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
                read: dict[tuple[bool, str], list[emotions.Probabilities]] = {
                    (run.evidence, name): [] for run in runs if run.condition == condition for name in run.readouts
                }
                for seed, trial in enumerate(trials):
                    for (evidence, readout), found in read.items():
                        if readout == "decoder":
                            found.append(trial.evidence)
                        else:
                            found.append(read_emotion(self.engine, trial.messages(evidence), readout, seed))
                    advance(len(read))
                truth, subjects = np.array([t.truth for t in trials]), np.array([t.subject for t in trials])
                split = split_name(subjects)
                for (evidence, readout), found in read.items():
                    yield Predictions(
                        condition, evidence, unit, readout, self.name, split, np.stack(found), truth, subjects
                    )

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
