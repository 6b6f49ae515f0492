"""Score the product as it ships, through the GGUF and the prompt alone, on people it never saw.

``python -m copilot.training.evaluate --features FILE.npz --model models/X.gguf --subjects 80-99 --report out.json``

Beside each score stands the same run with the EEG blanked, with the EEG shuffled over all trials (people and clips
together) and with demographics only: what a model reaches there, it did not reach by reading EEG. FACED's clips are
the same for everybody, so that a good part of every score is *which clip*, not which emotion.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from copilot import emotions, feeding, prompt
from copilot.eeg.codecs import bands_text
from copilot.eeg.decoder import Decoder, DecoderError
from copilot.eeg.features import Normal
from copilot.engine.base import Engine, EngineError, Message, Scores, Token
from copilot.engine.opening import open_engine
from copilot.person import Person
from copilot.settings import Settings, SettingsError
from copilot.training.faced import SEGMENTS, WHOLE_CLIP, CorpusError, Faced, Trial, describe, load, parse_subjects
from copilot.training.metrics import Floats, Ints, balanced_accuracy, calibration_error, macro_f1

UNITS = {"segment-10s": SEGMENTS, "clip-30s": WHOLE_CLIP}

#: Which runs are made: condition, with and without the decoder's line, and how the label is read out.
RUNS = (
    ("baseline", True, ("logits", "greedy", "top-k-50")),
    ("baseline", False, ("logits", "greedy", "top-k-50")),
    ("no-baseline", True, ("logits",)),
    ("no-baseline", False, ("logits",)),
    ("eeg-blanked", True, ("logits",)),
    ("eeg-blanked", False, ("logits",)),
    ("eeg-shuffled", True, ("logits",)),
    ("eeg-shuffled", False, ("logits",)),
    ("demographics-only", False, ("logits",)),
)

HEADING = "{:18} {:8} {:12} {:9} {:>6} {:>6} {:>6} {:>6} {:>5}"
HEADING_WORDS = ("condition", "evidence", "unit", "read-out", "nine", "three", "F1", "ECE", "n")

Row = dict[str, str | float | int | bool | None]


@dataclass(frozen=True)
class Item:
    """One trial as the prompt sees it."""

    person: Person
    eeg_text: str
    compared_with: str
    evidence: emotions.Probabilities
    truth: int


def evaluate(faced: Faced, engine: Engine, decoder: Decoder, progress: Callable[[str], None]) -> list[Row]:
    """All rows of the report."""
    rows: list[Row] = []
    total = sum(len(faced.subjects) * len(faced.emotions) * len(s) for s in UNITS.values()) * len(RUNS)
    begun, done = time.monotonic(), 0
    for unit, spans in UNITS.items():
        trials = list(faced.trials(spans))
        for condition in dict.fromkeys(run[0] for run in RUNS):
            items = make_items(trials, condition, faced.normals(), decoder)
            truth = np.array([item.truth for item in items])
            if condition != "demographics-only":
                evidence = np.stack([item.evidence for item in items])
                rows += _rows(condition, True, unit, "decoder", evidence, evidence.argmax(axis=1), truth)
            for _, with_evidence, readouts in (run for run in RUNS if run[0] == condition):
                answers = [read_out(engine, item, with_evidence, readouts, seed) for seed, item in enumerate(items)]
                rows += _summarise(answers, condition, with_evidence, unit, truth)
                done += len(items)
                left = (time.monotonic() - begun) / done * (total - done)
                progress(f"{condition}, {unit}{', evidence' if with_evidence else ''}: about {left:.0f} s left")
    return rows


def make_items(trials: Sequence[Trial], condition: str, normals: dict[int, Normal], decoder: Decoder) -> list[Item]:
    """The trials as a condition shows them."""
    items = []
    for trial in trials:
        normal = decoder.population if condition == "no-baseline" else normals[trial.subject]
        entropy = np.full_like(trial.de, np.nan) if condition in ("eeg-blanked", "demographics-only") else trial.de
        text = "" if condition == "demographics-only" else bands_text(entropy, normal)
        evidence = decoder.probabilities(entropy, normal)
        items.append(Item(somebody(trial.subject), text, normal.source, evidence, trial.emotion))
    if condition != "eeg-shuffled":
        return items
    order = np.random.default_rng(0).permutation(len(items))
    return [
        replace(a, eeg_text=items[i].eeg_text, evidence=items[i].evidence) for a, i in zip(items, order, strict=True)
    ]


def somebody(subject: int) -> Person:
    """Gender and age drawn at random for each subject: the features file has none, and they must not matter."""
    rng = np.random.default_rng(subject)
    return Person(gender=str(rng.choice(["female", "male"])), age=int(rng.integers(18, 40)))


def read_out(engine: Engine, item: Item, with_evidence: bool, readouts: Sequence[str], seed: int) -> dict[str, Floats]:
    """Nine probabilities for each read-out; greedy and top-k answers are a one at the emotion named, or all zeros."""
    messages = prompt.build(
        item.person,
        item.eeg_text,
        codec="bands",
        compared_with=item.compared_with,
        evidence=item.evidence if with_evidence else None,
    )
    answers = {"logits": _logits(engine, messages)}
    if "greedy" in readouts:
        answers["greedy"] = _named(engine, messages, temperature=0.0, seed=seed)
    if "top-k-50" in readouts:
        answers["top-k-50"] = _named(engine, messages, temperature=1.0, seed=seed)
    return answers


def _logits(engine: Engine, messages: list[Message]) -> Floats:
    *_, last = engine.score(messages, prompt.LABEL_PREFIX, prompt.LABELS)
    assert isinstance(last, Scores)
    return feeding.label_probabilities(last, engine.info.metadata)


def _named(engine: Engine, messages: list[Message], temperature: float, seed: int) -> Floats:
    events = engine.generate(messages, prompt.LABEL_PREFIX, max_tokens=4, temperature=temperature, top_k=50, seed=seed)
    text = "".join(event.text for event in events if isinstance(event, Token)).lower()
    found = [(text.find(emotion), k) for k, emotion in enumerate(emotions.EMOTIONS) if emotion in text]
    return np.eye(len(emotions.EMOTIONS))[min(found)[1]] if found else np.zeros(len(emotions.EMOTIONS))


def _summarise(
    answers: Sequence[dict[str, Floats]], condition: str, with_evidence: bool, unit: str, truth: Ints
) -> Iterator[Row]:
    for readout in answers[0]:
        probabilities = np.stack([answer[readout] for answer in answers])
        predicted = np.where(probabilities.any(axis=1), probabilities.argmax(axis=1), -1)
        yield from _rows(condition, with_evidence, unit, readout, probabilities, predicted, truth)


def _rows(
    condition: str, with_evidence: bool, unit: str, readout: str, probabilities: Floats, predicted: Ints, truth: Ints
) -> Iterator[Row]:
    """A row for nine classes and one for three."""
    classes = np.array([*emotions.CLASS_OF, -1])
    three = np.stack([emotions.three_classes(p) for p in probabilities])
    chosen = three.argmax(axis=1) if readout in ("logits", "decoder") else classes[predicted]
    for count, probs, named, right in ((9, probabilities, predicted, truth), (3, three, chosen, classes[truth])):
        yield {
            "condition": condition,
            "evidence": with_evidence,
            "unit": unit,
            "readout": readout,
            "classes": count,
            "balanced_accuracy": round(balanced_accuracy(named, right), 4),
            "macro_f1": round(macro_f1(named, right), 4),
            "ece": round(calibration_error(probs, right), 4) if readout in ("logits", "decoder") else None,
            "n": len(right),
        }


def table(rows: Sequence[Row]) -> str:
    """The rows as text, nine classes and three beside each other."""
    lines = [HEADING.format(*HEADING_WORDS)]
    for nine, three in zip(rows[::2], rows[1::2], strict=True):
        scores = [f"{score:.3f}" for score in (nine["balanced_accuracy"], three["balanced_accuracy"], nine["macro_f1"])]
        ece = "-" if nine["ece"] is None else f"{nine['ece']:.3f}"
        evidence = "yes" if nine["evidence"] else "no"
        lines.append(
            HEADING.format(nine["condition"], evidence, nine["unit"], nine["readout"], *scores, ece, nine["n"])
        )
    return "\n".join([*lines, "Balanced accuracy; chance is 0.111 for nine classes and 0.333 for three."])


def main(arguments: list[str] | None = None) -> int:
    """Run the evaluation and write the report; exit status 2 and a sentence on bad input."""
    defaults = Settings()
    parser = argparse.ArgumentParser(prog="python -m copilot.training.evaluate", description=__doc__.split("\n")[0])
    parser.add_argument("--features", type=Path, required=True, help="npz in the layout of FACED's features")
    parser.add_argument("--model", type=Path, default=defaults.model, help="GGUF file")
    parser.add_argument("--decoder", type=Path, default=defaults.decoder, help="the decoder's weights")
    parser.add_argument("--subjects", help="like 80-99 (default: all in the file)")
    parser.add_argument("--report", type=Path, required=True, help="JSON file to write")
    options = parser.parse_args(arguments)
    try:
        settings = Settings.from_environment()
        options.report.parent.mkdir(parents=True, exist_ok=True)  # before the work, not after it
        faced = load(options.features)
        if options.subjects:
            faced = faced.of(parse_subjects(options.subjects))
        decoder = Decoder.load(options.decoder)
        engine = open_engine(replace(settings, model=options.model, server=""))
        begun = time.monotonic()
        rows = evaluate(faced, engine, decoder, lambda line: print(line, file=sys.stderr, flush=True))
    except (CorpusError, DecoderError, EngineError, SettingsError) as error:
        print(error, file=sys.stderr)
        return 2
    report = {
        "features": options.features.name,
        "subjects": describe(faced.subjects),
        "people": len(faced.subjects),
        "model": engine.info.name,
        "model_sha256": engine.info.sha256,
        "prompt_version": prompt.PROMPT_VERSION,
        "seconds": round(time.monotonic() - begun, 1),
        "rows": rows,
    }
    options.report.write_text(json.dumps(report, indent=1) + "\n")
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
