"""Fit the understanding of questions: ``python -m copilot.training.fit_understanding``.

A linear support vector machine for each language (one intent against all others) on the paraphrases in
``templates/questions.toml`` and those of further writers in ``templates/questions.jsonl``. Its small weights are left
out and the others are fitted again, so that the file stays small. The temperature, and the threshold below which a
question is ``outside``, are set on scores from models that were trained without the paraphrase and those like it, or
without its writer.
"""

import json
import random
import sys
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.svm import LinearSVC

from copilot.chat import understanding as reader
from copilot.chat.replies import read_topics
from copilot.command_line import Parser, command
from copilot.files import write_atomically

QUESTIONS = Path(__file__).with_name("templates") / "questions.toml"
OF_WRITERS = QUESTIONS.with_suffix(".jsonl")
FOLDS = 3
#: Cosine of two paraphrases of an intent from which they are similar.
SIMILAR = 0.7
#: Texts that are made of a paraphrase with names to fill in.
FILLED = 4
#: Paraphrases in which a feature occurs at least; a rarer one tells nothing about others.
OCCURRENCES = 2
WEIGHTS = {"en": 270_000, "zh": 280_000}
"""Weights that are kept: those with the largest effect on the paraphrases."""
PENALTY = 0.5
TEMPERATURES = np.geomspace(0.05, 1, 40)
#: Share of the held-out questions of no intent that are to be found; many of them share words with an intent.
OUTSIDE_FOUND = 0.9
#: An intent that is less probable is not answered alone, however many questions of no intent are found without it.
LEAST = 0.45
FILLERS = {
    "en": ("please", "hey", "so", "hi", "ok", "um", "well", "can you tell me", "i want to know", "just", "btw"),
    "zh": ("请问", "那", "嗯", "我想知道", "请", "麻烦", "您好，", "话说", "就是", "谢谢"),
}

Scores = npt.NDArray[np.float64]
Features = npt.NDArray[np.uint32]


class Paraphrase(NamedTuple):
    """A question with names to fill in, its intent, and the number of its writer; 0 for those of ``QUESTIONS``."""

    text: str
    intent: str
    writer: int = 0


class Model(NamedTuple):
    """Hashes of the known features, sorted, shape (features,); weights, (intents, features); bias, (intents,)."""

    hashes: npt.NDArray[np.uint32]
    weights: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64]


def read_paraphrases(language: str) -> list[Paraphrase]:
    """Read the paraphrases of a language, ``en`` or ``zh``, and the questions on the chat's buttons."""
    stored = tomllib.loads(QUESTIONS.read_text(encoding="utf-8"))
    rows = map(json.loads, OF_WRITERS.read_text(encoding="utf-8").splitlines())
    return [
        *(Paraphrase(line, name) for name, texts in stored.items() for line in texts[language].strip().splitlines()),
        *(Paraphrase(topic.question[language], intent) for intent, topic in read_topics().items()),
        *(Paraphrase(row["text"], row["intent"], row["writer"]) for row in rows if row["language"] == language),
    ]


def fill_in(text: str, language: str, rng: random.Random) -> str:
    """Replace the names in braces by random ones."""
    if "{" not in text:
        return text
    words = reader.load_words(language == "zh")
    names: dict[str, list[str]] = {"electrode": list(reader.ELECTRODES)}
    for phrase, (slot, value) in words.slots.items():
        if (slot, value) != ("rank", "1"):
            names.setdefault(slot, []).append(phrase)
    first, second = rng.sample(names["emotion"], 2)
    text = text.replace("{emotion}", first).replace("{emotion2}", second)
    for slot in ("rank", "band", "region", "electrode"):
        text = text.replace(f"{{{slot}}}", rng.choice(names[slot]))
    return text.replace("第第", "第")


def vary(text: str, language: str, rng: random.Random) -> str:
    """Return a text as somebody in a hurry may type it: with a filler word, a typing error, or both."""
    if rng.random() < 0.5:
        filler = rng.choice(FILLERS[language])
        space = " " if language == "en" else ""
        text = f"{filler}{space}{text}" if rng.random() < 0.7 else f"{text}{space}{filler}"
    elif language == "en" and len(text) > 8:
        place = rng.randrange(1, len(text) - 2)
        if text[place : place + 2].isalpha():
            changed = (text[place], text[place + 1] + text[place], text[place] * 2 + text[place + 1], text[place + 1])
            text = text[:place] + rng.choice(changed) + text[place + 2 :]
    return text


def read_features(text: str) -> Features:
    """Return the different hashes of a text's features, shape (features,)."""
    return np.unique(reader.hash_features(reader.extract_features(text)))


def make_matrix(texts: Sequence[Features], hashes: npt.NDArray[np.uint32]) -> Any:
    """Return a sparse matrix (texts, known features) of rows of length 1 or, with unknown features, less."""
    rows, columns, values = [], [], []
    for row, features in enumerate(texts):
        places = reader.find_places(features, hashes)
        places = places[places >= 0]
        rows.append(np.full(len(places), row))
        columns.append(places)
        values.append(np.full(len(places), 1 / np.sqrt(max(1, len(features)))))
    where = (np.concatenate(rows), np.concatenate(columns))
    return csr_matrix((np.concatenate(values), where), (len(texts), len(hashes)))


def group_similar(paraphrases: Sequence[Paraphrase], found: Sequence[Features]) -> npt.NDArray[np.int64]:
    """Return the number of the group of each paraphrase, shape (paraphrases,): those of an intent that are similar."""
    matrix = make_matrix(found, np.unique(np.concatenate(found)))
    intents = np.array([one.intent for one in paraphrases])
    groups = np.zeros(len(paraphrases), dtype=np.int64)
    for intent in np.unique(intents):
        rows = np.flatnonzero(intents == intent)
        similar = (matrix[rows] @ matrix[rows].T).toarray() > SIMILAR
        groups[rows] = groups.max() + 1 + connected_components(csr_matrix(similar))[1]
    return groups


def fit(texts: Sequence[Features], intents: Sequence[str], names: Sequence[str], most: int) -> Model:
    """Fit one intent against all others, keep the ``most`` weights with the largest effect, and fit these again."""
    counts = Counter(np.concatenate(texts).tolist())
    hashes = np.array(sorted(key for key, number in counts.items() if number >= OCCURRENCES), dtype=np.uint32)
    matrix, wanted = make_matrix(texts, hashes), np.array(intents)
    machine = LinearSVC(C=PENALTY, random_state=0).fit(matrix, wanted)
    effects = np.abs(machine.coef_) * np.sqrt([counts[key] for key in hashes.tolist()])
    kept = effects >= np.partition(effects, -most, axis=None)[-most] if effects.size > most else effects > 0
    weights, bias = np.zeros((len(names), len(hashes))), np.full(len(names), -2.0)
    columns_of = matrix.tocsc()
    for name, columns in zip(machine.classes_, kept, strict=True):
        one = LinearSVC(C=PENALTY, random_state=0).fit(columns_of[:, np.flatnonzero(columns)].tocsr(), wanted == name)
        weights[names.index(name), columns], bias[names.index(name)] = one.coef_[0], one.intercept_[0]
    used = weights.any(axis=0)
    return Model(hashes[used], weights[:, used], bias)


def predict(model: Model, texts: Sequence[Features]) -> Scores:
    """Return the score of each intent, shape (texts, intents)."""
    return np.asarray(make_matrix(texts, model.hashes) @ model.weights.T + model.bias)


def find_temperature(scores: Scores, wanted: npt.NDArray[np.int64]) -> float:
    """Return the temperature with which the wanted intents of held-out texts are most probable."""
    return float(min(TEMPERATURES, key=lambda t: -np.log(_softmax(scores / t)[np.arange(len(wanted)), wanted]).mean()))


def _softmax(scores: Scores) -> Scores:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def measure(probabilities: Scores, wanted: npt.NDArray[np.int64], outside: int, threshold: float) -> dict[str, float]:
    """Return the shares of questions of an intent that are right and that are answered wrongly, and of outside found.

    Args:
        probabilities: shape (texts, intents).
        wanted: the index of the intent of each text, shape (texts,).
        outside: the index of ``outside``.
        threshold: below it a question is outside.
    """
    given = np.where(probabilities.max(axis=1) < threshold, outside, probabilities.argmax(axis=1))
    inside = wanted != outside
    return {
        "right": float((given == wanted)[inside].mean()),
        "wrong": float(((given != wanted) & (given != outside))[inside].mean()),
        "outside_found": float((given == outside)[~inside].mean()),
    }


def fit_language(language: str, names: Sequence[str]) -> dict[str, Any]:
    """Fit and measure one language, print its figures, and return the arrays of its file."""
    rng = random.Random(0)
    paraphrases = read_paraphrases(language)
    intents = [one.intent for one in paraphrases]
    filled = [
        list(dict.fromkeys(fill_in(one.text, language, rng) for _ in range(FILLED if "{" in one.text else 1)))
        for one in paraphrases
    ]
    most = WEIGHTS[language]
    found = [[read_features(text) for text in texts] for texts in filled]
    groups = group_similar(paraphrases, [texts[0] for texts in found])
    scores = np.zeros((len(paraphrases), len(names)))
    writers = np.array([one.writer for one in paraphrases])
    folds = np.where(writers, writers, np.random.default_rng(0).permutation(groups.max() + 1)[groups]) % FOLDS
    for fold in range(FOLDS):
        trained = [(text, intents[n]) for n in np.flatnonzero(folds != fold) for text in found[n]]
        model = fit([text for text, _ in trained], [intent for _, intent in trained], names, most)
        left_out = np.flatnonzero(folds == fold)
        scores[left_out] = predict(model, [found[n][0] for n in left_out])
    wanted, outside = np.array([names.index(intent) for intent in intents]), names.index(reader.OUTSIDE)
    temperature = find_temperature(scores, wanted)
    probabilities = _softmax(scores / temperature)
    strangers = probabilities[wanted == outside]
    sure = np.where(strangers.argmax(axis=1) == outside, 0, strangers.max(axis=1))
    threshold = max(LEAST, float(np.quantile(sure, OUTSIDE_FOUND)))
    figures = measure(probabilities, wanted, outside, threshold)
    print(
        f"{language}: {len(paraphrases)} paraphrases in {groups.max() + 1} groups; held out: "
        + ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
        + f"; without a threshold {measure(probabilities, wanted, outside, 0)['right']:.3f} right; "
        f"temperature {temperature:.3f}, threshold {threshold:.3f}"
    )
    texts = [(text, intents[n]) for n, several in enumerate(filled) for text in several]
    varied = [(vary(one, language, rng), intent) for one, intent in texts]
    model = fit(
        [
            *(text for texts in found for text in texts),
            *(read_features(text) for text, _ in varied),
        ],
        [intent for _, intent in (*texts, *varied)],
        names,
        most,
    )
    scale = np.maximum(np.abs(model.weights).max(axis=1, keepdims=True), 1e-9) / 127
    numbers = np.round(model.weights / scale).astype(np.int8)
    columns, features = np.nonzero(numbers)
    order = np.lexsort((columns, features))
    return {
        f"{language}_hashes": np.diff(model.hashes, prepend=np.uint32(0)),
        f"{language}_counts": np.bincount(features, minlength=len(model.hashes)).astype(np.uint8),
        f"{language}_columns": columns[order].astype(np.uint8),
        f"{language}_weights": numbers[columns, features][order],
        f"{language}_scale": scale[:, 0].astype(np.float32),
        f"{language}_bias": model.bias.astype(np.float16),
        f"{language}_limits": np.array([temperature, threshold], np.float32),
    }


@command()
def main(arguments: Sequence[str] | None = None) -> None:
    """Fit both languages, print their figures and write their file."""
    parser = Parser(
        prog="python -m copilot.training.fit_understanding", description="Fit the understanding of questions."
    )
    parser.add_argument("--out", type=Path, default=reader.MODEL)
    given = parser.parse_args(arguments)
    names = sorted({one.intent for one in read_paraphrases("en")})
    written: dict[str, Any] = {"intents": np.array(names)}
    for language in ("en", "zh"):
        written |= fit_language(language, names)
    with write_atomically(given.out) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **written)
    print(f"{given.out}: {given.out.stat().st_size} bytes")


if __name__ == "__main__":
    sys.exit(main())
