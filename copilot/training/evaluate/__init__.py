"""Score models as they ship, through the GGUF and the prompt alone, on people they were not trained on.

``python -m copilot.training.evaluate --features FILE.npz --model models/X.gguf --subjects 80-99 --report out.json``

The command writes ``out.json`` (every row, confusion matrices, calibration curves), ``out.md`` (findings, then tables)
and the figures in ``out/``. The report compares each score with three controls: EEG blanked, EEG shuffled over all
trials (people and clips together) and demographics only; a score that a control reaches too does not come from EEG. It
also compares with references that were fitted on the same features. All people watched FACED's same clips, so that a
good part of every score is recognising *which clip*, not which emotion.
"""

import argparse
import json
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from convert.files import ConvertError
from convert.progress import progress_bar, track_progress
from convert.speed import processor
from copilot import prompt
from copilot.command_line import Parser, command
from copilot.eeg.classifier import Classifier
from copilot.eeg.states import StateModels
from copilot.files import write_atomically
from copilot.llm import open_engine
from copilot.settings import Settings
from copilot.training.evaluate import answers, new_films, published_baselines, report
from copilot.training.evaluate.ablations import LEAKY_RUNS, RUNS, UNQUANTISED_RUNS
from copilot.training.evaluate.acceptance import refuse_report
from copilot.training.evaluate.figures import draw
from copilot.training.evaluate.model import ModelUnderTest, count_readouts
from copilot.training.evaluate.scores import Predictions
from copilot.training.evaluate.summary import Report, list_findings
from copilot.training.faced import CorpusError, Faced, describe, load, parse_subjects

ANSWERS = 500


def merge_people(features: Faced, more: Faced | None) -> Faced:
    """Return the people of two files, each person once.

    Raises:
        CorpusError: the files do not have the same clips.
    """
    if more is None:
        return features
    if not np.array_equal(features.emotions, more.emotions):
        raise CorpusError("The file of --train has other clips than that of --features; both have to be FACED's.")
    new = ~np.isin(more.subjects, features.subjects)
    de, subjects = np.concatenate([features.de, more.de[new]]), np.concatenate([features.subjects, more.subjects[new]])
    return Faced(de, subjects, features.emotions)


def make_report(options: argparse.Namespace) -> Report:
    """Evaluate everything that the command line asks for and return the report as plain values.

    Raises:
        CorpusError, ConvertError, ClassifierError, EngineError, SettingsError: some input cannot be used.
    """
    settings, begun = Settings.from_environment(), time.monotonic()

    # 1. The people to score; every model file is opened before the work, to fail early.
    features = load(options.features)
    scored = features.select(parse_subjects(options.subjects)) if options.subjects else features
    tasks = [(path, RUNS, options.answers) for path in options.model or [Settings().model]]
    tasks += [(options.against, UNQUANTISED_RUNS, 0)] if options.against else []
    if len({path.name for path, *_ in tasks}) < len(tasks):
        raise CorpusError("Two models have the same file name, so that rows could not be told apart; copy one of them.")
    tasks += [(options.leaky, LEAKY_RUNS, 0)] if options.leaky else []
    features = merge_people(features, load(options.train) if options.train else None)
    folds = published_baselines.make_folds(features, scored, all_splits=options.splits)
    classifier = Classifier.load(options.decoder)
    engines = [open_engine(replace(settings, model=path, server="")) for path, *_ in tasks]

    # 2. Each model's predictions and answers, then the references' predictions.
    predictions: list[Predictions] = []
    models = []
    for (path, runs, count), engine in zip(tasks, engines, strict=True):
        model = ModelUnderTest(path.name, engine, classifier)
        facts = model.facts(path)
        with closing(engine):
            with progress_bar(f"{path.name}: reading", count_readouts(scored, runs)) as progress:
                own = list(model.predict(scored, runs, progress.update))
            asked = track_progress(answers.write_answers(model, scored, count), f"{path.name}: answering", count)
            written = list(asked)
        summary = answers.summarise(written) if written else None
        models.append(facts | {"details": report.collect_details(own), "answers": summary})
        predictions += own
    references, notes = published_baselines.compare(features, folds)
    others = [int(s) for s in features.subjects if s not in scored.subjects]
    any_kind = new_films.score_new_films(features.select(others), scored) if options.splits and others else []

    # 3. Their rows, and the facts about the models.
    rows = [row for one in (*predictions, *references) for row in one.rows()]
    notes += [f"{facts['file']}: {warning}" for facts in models for warning in facts["warnings"]]
    return {
        "features": options.features.name,
        "subjects": describe(scored.subjects),
        "people": len(scored.subjects),
        "model": models[0]["name"],
        "model_sha256": models[0]["sha256"],
        "prompt_version": prompt.PROMPT_VERSION,
        "machine": f"{settings.threads} threads, {processor()}",
        "seconds": round(time.monotonic() - begun, 1),
        "rows": rows,
        "any_rows": any_kind,
        "states": StateModels.load().measured,
        "models": models,
        "quantisation": options.against and report.compare_quantisation(rows, models[0]["file"], options.against.name),
        "notes": published_baselines.list_left_out(folds, scored) + notes,
    }


def make_new_films_report(options: argparse.Namespace) -> Report:
    """Fit the classifier for any recording without the films that it scores, and return the report as plain values.

    Raises:
        CorpusError: some input cannot be used.
    """
    if not options.fit:
        raise CorpusError("--held-out-films needs --fit, the features of the people to fit on.")
    features = load(options.features)
    scored = features.select(parse_subjects(options.subjects)) if options.subjects else features
    fitted_on = load(options.fit)
    return {
        "features": options.features.name,
        "subjects": describe(scored.subjects),
        "people": len(scored.subjects),
        "fit": options.fit.name,
        "fitted_on": describe(fitted_on.subjects),
        "rows": new_films.score_new_films(fitted_on, scored),
        "states": StateModels.load().measured,
    }


def write_report(options: argparse.Namespace) -> Report:
    """Make the report and write it: the JSON file, and beside it the Markdown and the figures (not of held-out films).

    Raises:
        CorpusError, ConvertError, ClassifierError, EngineError, SettingsError: some input cannot be used, or the disk
            refuses.
    """
    path: Path = options.report
    if path.suffix != ".json":
        raise ConvertError(f"The report is a JSON file, and {path.name} does not end in .json; name it like out.json.")
    with write_atomically(path) as partial:  # before the work, to fail early
        found = make_new_films_report(options) if options.held_out_films else make_report(options)
        partial.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.held_out_films:
        return found
    beside = path.with_suffix("")
    draw(found, beside)
    with write_atomically(path.with_suffix(".md")) as partial:
        partial.write_text(report.format_report(found, beside.name), encoding="utf-8")
    return found


@command("Interrupted; no report was written.")
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the evaluation and write the report."""
    defaults = Settings()
    parser = Parser(
        prog="python -m copilot.training.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--features", type=Path, required=True, help="npz in the layout of FACED's features")
    parser.add_argument("--subjects", help="people to score, like 80-99 (default: all in the file)")
    parser.add_argument("--report", type=Path, required=True, help="JSON file to write, such as out.json")
    parser.add_argument(
        "--model", type=Path, action="append", help="GGUF file; may be given again (default: the bundled model)"
    )
    parser.add_argument("--decoder", type=Path, default=defaults.decoder, help="the classifier's file")
    parser.add_argument(
        "--against", type=Path, help="the first model before quantisation, to measure what quantisation costs"
    )
    parser.add_argument("--leaky", type=Path, help="GGUF file trained on prompts that contain the label: a warning row")
    parser.add_argument(
        "--train", type=Path, help="features of subjects 0-79 for the references, if --features lacks them"
    )
    parser.add_argument(
        "--splits",
        action="store_true",
        help="references also in ten folds, by subject and clip, and at random; and any recording, films new (slow)",
    )
    parser.add_argument(
        "--answers", type=int, default=ANSWERS, help="whole answers to write and check (default: %(default)s)"
    )
    parser.add_argument(
        "--accept", action="store_true", help="end with an error where the report misses what the bundled model needs"
    )
    parser.add_argument(
        "--held-out-films",
        action="store_true",
        help="score the classifier for any recording alone, fitted on other people (--fit) and other films",
    )
    parser.add_argument("--fit", type=Path, help="npz of the people to fit on, for --held-out-films")
    options = parser.parse_args(arguments)
    found = write_report(options)
    if options.held_out_films:
        print("\n".join(new_films.describe_rows(found["rows"])))
        print(f"\nWritten: {options.report}")
        return
    print(report.format_rows(found["rows"]))
    print("Balanced accuracy with 95 % intervals over people; chance is 0.111 for nine classes and 0.333 for three.\n")
    print("\n".join(f"- {finding}" for finding in list_findings(found)))
    print(f"\nWritten: {options.report}, the same as .md, and figures in {options.report.with_suffix('')}")
    if options.accept:
        refuse_report(found)
