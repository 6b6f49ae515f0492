"""Test whether a corpus, and models' states over it, fall into clusters that are the nine emotions, as the paper does.

``python -m copilot.training.clusters --corpus corpus.jsonl --model models/X.gguf --out clusters``

Prompt and treatment of each record become a vector: by all-MiniLM-L6-v2, and by each model. K-Means and spectral
clustering divide the vectors into nine clusters. Two controls are scored too: the prompt alone, because a treatment is
written for its emotion, and shuffled emotions, which show the scores that chance reaches.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from convert.files import ConvertError
from convert.report import align_columns, format_table
from copilot.command_line import Parser, command
from copilot.emotions import EMOTIONS
from copilot.files import new_folder
from copilot.training.faced import CorpusError
from copilot.training.hidden_states import (
    SENTENCE_MODEL,
    Embedded,
    open_language_model,
    open_sentence_model,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RECORDS = 1000
CLUSTERS = len(EMOTIONS)
SEED = 0
SHUFFLES = 100

#: Colours of the nine are colour-blind safe (Paul Tol's muted scheme), and each has a shape of its own, too.
COLOURS = ("#332288", "#88CCEE", "#44AA99", "#117733", "#999933", "#DDCC77", "#CC6677", "#882255", "#AA4499")
SHAPES = "osD^v<>PX"

MEANING = (
    "Such a map shows whether texts, or a model's states over them, fall into groups, and the index whether these are "
    "the emotions; it is no evidence that anybody read EEG, because a treatment is written for its emotion and names "
    "it, and a prompt may carry a decoder's evidence."
)
COLUMNS = {
    "silhouette_clusters": "silhouette of clusters",
    "silhouette_emotions": "of emotions",
    "silhouette_by_chance": "by chance",
    "ari": "adjusted Rand index",
    "ari_by_chance": "by chance",
}
#: Ten for each cluster; t-SNE also needs more points than its perplexity of 30.
FEWEST = 10 * CLUSTERS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Row = dict[str, str | int | float]


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
    emotions, rows = np.array([record.emotion for record in records]), []
    with new_folder(out) as folder:
        for (name, embed), (text, words) in product(embeddings.items(), TEXTS.items()):
            print(f"{text}: reading with {name}, and clustering", file=sys.stderr, flush=True)
            found, clusters, points = score_embedding(embed([words(record) for record in records]), emotions)
            title = f"{text}, read by {name}\n{len(records)} of {total} records of {corpus.name}"
            draw(folder / figure_name(name, text), points, emotions, clusters, title)
            rows += [{"embedding": name, "text": text, **row} for row in found]
        result = {
            "corpus": corpus.name,
            "records": len(records),
            "of": total,
            "splits": Counter(record.split for record in records),
            "emotions": Counter(EMOTIONS[record.emotion] for record in records),
            "clusters": CLUSTERS,
            "seed": SEED,
            "meaning": MEANING,
            "rows": rows,
        }
        (folder / "clusters.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        (folder / "clusters.md").write_text(format_report(result), encoding="utf-8")
    return result


def score_embedding(embedded: Embedded, emotions: Ints) -> tuple[list[Row], dict[str, Ints], Floats]:
    """Cluster one embedding and score the clusters.

    Spectral clustering (von Luxburg 2007, arXiv 0711.0189) uses exp(-d^2 / median d^2) as the similarity of vectors.
    Scores are the silhouette (Rousseeuw 1987) of the clusters and of the emotions, and the adjusted Rand index (Hubert
    & Arabie 1985) between these two; 95 % of ``SHUFFLES`` shuffled emotions are below ``*_by_chance``.

    Args:
        embedded: the vectors.
        emotions: indices into ``EMOTIONS``, shape (records,).

    Returns:
        Rows of the report, the clusters by method, and a t-SNE map (van der Maaten & Hinton 2008), shape (records, 2).

    Raises:
        CorpusError: there are fewer different vectors than clusters.
    """
    from scipy.spatial.distance import pdist, squareform
    from sklearn.cluster import KMeans, SpectralClustering
    from sklearn.manifold import TSNE
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    vectors = embedded.vectors
    different = len(np.unique(vectors, axis=0))
    if different < CLUSTERS:
        raise CorpusError(f"Only {different} of the texts differ; {CLUSTERS} clusters need a corpus that varies more.")

    # 1. The clusters by each method.
    distances = squareform(pdist(vectors.astype(np.float64)))
    squared = distances**2
    similarity = np.exp(-squared / np.median(squared[squared > 0]))
    clusters = {
        "K-Means": KMeans(CLUSTERS, n_init=10, random_state=SEED).fit_predict(vectors),
        "spectral": SpectralClustering(CLUSTERS, affinity="precomputed", n_init=10, random_state=SEED).fit_predict(
            similarity
        ),
    }
    points: Floats = TSNE(random_state=SEED).fit_transform(vectors).astype(np.float64)

    # 2. How well clusters and emotions are separated, and shuffled emotions.
    def silhouette(groups: Ints) -> float:
        return float(silhouette_score(distances, groups, metric="precomputed"))

    rng = np.random.default_rng(SEED)
    shuffled = [rng.permutation(emotions) for _ in range(SHUFFLES)]
    facts: Row = {"n": len(emotions), "different": different, "tokens": embedded.limit, "cut": embedded.cut}
    of_emotions = silhouette(emotions)
    by_chance = float(np.quantile([silhouette(groups) for groups in shuffled], 0.95))
    rows: list[Row] = []
    for method, groups in clusters.items():
        rows.append(
            facts
            | {
                "method": method,
                "silhouette_clusters": silhouette(groups),
                "silhouette_emotions": of_emotions,
                "silhouette_by_chance": by_chance,
                "ari": float(adjusted_rand_score(emotions, groups)),
                "ari_by_chance": float(np.quantile([adjusted_rand_score(o, groups) for o in shuffled], 0.95)),
            }
        )
    return rows, clusters, points


def draw(path: Path, points: Floats, emotions: Ints, clusters: Mapping[str, Ints], title: str) -> None:
    """Write the same map as a PNG, once coloured by emotion and once by the clusters of each method.

    Args:
        path: file to write.
        points: positions in the map, shape (records, 2).
        emotions: indices into ``EMOTIONS``, shape (records,).
        clusters: method -> number of each record's cluster, shape (records,).
        title: text, model and number of records.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(13, 5.6), dpi=120, layout="constrained")
    panels = drawn.subplots(1, 1 + len(clusters), squeeze=False)[0]
    _draw_panel(panels[0], points, emotions, EMOTIONS, "coloured by emotion")
    for axes, (method, groups) in zip(panels[1:], clusters.items(), strict=True):
        names = [f"cluster {k + 1}" for k in range(len(EMOTIONS))]
        _draw_panel(axes, points, groups, names, f"coloured by cluster, {method}")
    drawn.suptitle(title, fontsize=12)
    drawn.supxlabel("t-SNE: neighbours stay near; far distances and the axes mean nothing", fontsize=9)
    FigureCanvasAgg(drawn).print_png(path)


def _draw_panel(axes: Axes, points: Floats, groups: Ints, names: Sequence[str], title: str) -> None:
    """Draw the map once, coloured by ``groups`` (records,), whose names are in the legend."""
    for k, name in enumerate(names):
        x, y = points[groups == k].T
        axes.scatter(x, y, s=14, c=COLOURS[k], marker=SHAPES[k], linewidths=0, alpha=0.8, label=name)
    axes.set(title=title, xticks=[], yticks=[])
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=3, fontsize=9, frameon=False)


def figure_name(embedding: str, text: str) -> str:
    """Return the file name of a figure, which has letters, digits, dots and hyphens only."""
    return f"{re.sub(r'[^A-Za-z0-9.]+', '-', f'{embedding} {text}')}.png"


def format_report(result: Mapping[str, Any]) -> str:
    """Return the whole report as Markdown, with the figures."""
    head = ["embedding", "text", "clusters by", *COLUMNS.values(), "cut"]
    figures = dict.fromkeys((row["embedding"], row["text"]) for row in result["rows"])
    return "\n".join(
        [
            "# Do the clusters follow the emotions?",
            "",
            *_describe_data(result),
            "",
            format_table(head, [_format_cells(row) for row in result["rows"]]),
            "",
            *(f"![{text}, read by {name}]({figure_name(name, text)})\n" for name, text in figures),
        ]
    )


def format_lines(result: Mapping[str, Any]) -> str:
    """Return the rows as a table for a terminal, and below it the data that they were measured on."""
    head = ["embedding", "text", "clusters by", "silhouette", "of emotions", "by chance", "ARI", "by chance", "cut"]
    rows = align_columns([head, *map(_format_cells, result["rows"])], right=False)
    return "\n".join([*rows, "", *_describe_data(result)])


def _format_cells(row: Mapping[str, Any]) -> list[str]:
    scores = [f"{row[name]:z.3f}" for name in COLUMNS]
    return [row["embedding"], row["text"], row["method"], *scores, f"{row['cut']} of {row['n']}"]


def _describe_data(result: Mapping[str, Any]) -> list[str]:
    """Return sentences on the data, the scores and their meaning."""
    splits = ", ".join(f"{count} {name}" for name, count in sorted(result["splits"].items()))
    return [
        f"{result['records']} of {result['of']} records of {result['corpus']} ({splits}), drawn at random; "
        f"{result['clusters']} clusters, seed {result['seed']}.",
        "Silhouettes and the adjusted Rand index are 1 at best, and about 0 or below where there is nothing. By chance:"
        " 95 % of shuffled emotions stay below. Cut: texts longer than the model reads, which lost their middle.",
        result["meaning"],
    ]


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


if __name__ == "__main__":
    sys.exit(main())
