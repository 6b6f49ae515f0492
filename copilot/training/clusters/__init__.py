"""Test whether a corpus, and models' states over it, fall into clusters that are the nine emotions, as the paper does.

``python -m copilot.training.clusters --corpus corpus.jsonl --model models/X.gguf --out clusters``

Prompt and treatment of each record become a vector: by all-MiniLM-L6-v2, and by each model. K-Means and spectral
clustering divide the vectors into nine clusters. Two controls are scored too: the prompt alone, because a treatment is
written for its emotion, and shuffled emotions, which show the scores that chance reaches.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from convert.command_line import Parser, command
from convert.files import ConvertError, new_folder
from copilot.emotions import EMOTIONS
from copilot.training.clusters.cluster_report import MEANING, draw, figure_name, format_lines, format_report
from copilot.training.clusters.scores import CLUSTERS, SEED, Row, score_embedding
from copilot.training.clusters.vectors import SENTENCE_MODEL, Embedding, open_language_model, open_sentence_model
from copilot.training.faced import CorpusError

RECORDS = 1000
#: Ten for each cluster; t-SNE also needs more points than its perplexity of 30.
FEWEST = 10 * CLUSTERS


@dataclass(frozen=True)
class CorpusRecord:
    """One line of the corpus; ``emotion`` is an index into ``EMOTIONS``, ``split`` is the name in the corpus."""

    prompt: str
    treatment: str
    emotion: int
    split: str


#: Name of a text -> how it is taken from a record.
TEXTS: dict[str, Callable[[CorpusRecord], str]] = {
    "prompt + treatment": lambda record: f"{record.prompt}\n{record.treatment}",
    "prompt alone": lambda record: record.prompt,
}


def read_records(path: Path, count: int) -> tuple[list[CorpusRecord], int]:
    """Read records drawn at random by a fixed seed, in the order of the file.

    Args:
        path: the corpus.
        count: most records to draw.

    Returns:
        The records, and the number of lines in the file.

    Raises:
        CorpusError: the file cannot be read, a drawn line is no record, or there are fewer than ``FEWEST``.
    """
    try:
        with path.open(encoding="utf-8") as file:
            total = sum(1 for _ in file)
            if min(count, total) < FEWEST:
                raise CorpusError(f"{min(count, total)} records are too few for {CLUSTERS} clusters; give {FEWEST}.")
            drawn = set(random.Random(SEED).sample(range(total), min(count, total)))
            file.seek(0)
            return [_parse_record(line, number + 1) for number, line in enumerate(file) if number in drawn], total
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not text; give JSON lines as copilot.training.dataset writes them.") from error


def _parse_record(line: str, number: int) -> CorpusRecord:
    """Parse and check the ``number``-th line of the corpus."""
    try:
        value = json.loads(line)
        prompt, treatment = value["prompt"].strip(), value["treatment"].strip()
        emotion = EMOTIONS.index(value["emotion_label"])
        if not (prompt and treatment):
            raise ValueError("empty")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CorpusError(
            f"Line {number} of the corpus is no record; each needs prompt, treatment and one of the nine emotion_label."
        ) from error
    return CorpusRecord(prompt, treatment, emotion, str(value.get("split", "split not stated")))


def write_report(corpus: Path, models: Sequence[Path], count: int, out: Path) -> dict[str, Any]:
    """Write the folder ``out`` with ``clusters.json``, ``clusters.md`` and a figure for each embedding.

    Args:
        corpus: JSON lines.
        models: GGUF files or checkpoint folders.
        count: most records to draw from the corpus.
        out: folder to make.

    Returns:
        The contents of ``clusters.json``.

    Raises:
        ConvertError: a model cannot be used, or the folder cannot be made.
        CorpusError: the corpus cannot be used.
    """
    embeddings = {SENTENCE_MODEL: open_sentence_model()}
    embeddings |= {model.resolve().name: open_language_model(model) for model in models}
    if len(embeddings) <= len(models):
        raise ConvertError("Two models have the same name; rename one, so that the report can tell them apart.")
    records, total = read_records(corpus, count)
    with new_folder(out) as folder:
        rows = _score_embeddings(folder, embeddings, records, f"{len(records)} of {total} records of {corpus.name}")
        result = {"corpus": corpus.name, "records": len(records), "of": total, **_count_records(records), "rows": rows}
        (folder / "clusters.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        (folder / "clusters.md").write_text(format_report(result), encoding="utf-8")
    return result


def _score_embeddings(
    folder: Path, embeddings: dict[str, Embedding], records: Sequence[CorpusRecord], data: str
) -> list[Row]:
    """Embed every text by every model; return the rows and write the figures.

    Args:
        folder: folder of the figures.
        embeddings: name -> model.
        records: the records.
        data: description of the records, for the figures' titles.
    """
    emotions = np.array([record.emotion for record in records])
    rows: list[Row] = []
    for (name, embed), (text, words) in product(embeddings.items(), TEXTS.items()):
        print(f"{text}: reading with {name}, and clustering", file=sys.stderr, flush=True)
        found, clusters, points = score_embedding(embed([words(record) for record in records]), emotions)
        draw(folder / figure_name(name, text), points, emotions, clusters, f"{text}, read by {name}\n{data}")
        rows += [{"embedding": name, "text": text, **row} for row in found]
    return rows


def _count_records(records: Sequence[CorpusRecord]) -> dict[str, Any]:
    """Return the counts and settings that the report states."""
    return {
        "splits": Counter(record.split for record in records),
        "emotions": Counter(EMOTIONS[record.emotion] for record in records),
        "clusters": CLUSTERS,
        "seed": SEED,
        "meaning": MEANING,
    }


@command()
def main(arguments: Sequence[str] | None = None) -> None:
    """Write the report and print its table."""
    parser = Parser(prog="python -m copilot.training.clusters", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--corpus", type=Path, required=True, help="JSON lines as copilot.training.dataset writes them")
    parser.add_argument(
        "--model",
        type=Path,
        action="append",
        default=[],
        metavar="FILE_OR_FOLDER",
        help="GGUF file or checkpoint folder whose hidden states are clustered as well; may be repeated",
    )
    parser.add_argument(
        "--count", type=int, default=RECORDS, help="records to draw from the corpus at random (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to make, with the report and its figures")
    options = parser.parse_args(arguments)
    print(format_lines(write_report(options.corpus, options.model, options.count, options.out)))
