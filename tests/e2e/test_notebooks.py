"""Each notebook runs from top to bottom and shows what it promises."""

import re
from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient", reason="notebooks need requirements-dev.txt")
nbformat = pytest.importorskip("nbformat")

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",  # jupyter's packages about each other
    "ignore::ResourceWarning",
)


def run(name, monkeypatch, tmp_path):
    """Execute a notebook where a reader would, in its own folder; give it with its outputs."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
    return notebook


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def printed(notebook):
    return "\n".join(output["text"] for output in outputs(notebook) if output.output_type == "stream")


def shown(notebook, kind):
    return [output["data"][kind] for output in outputs(notebook) if kind in output.get("data", {})]


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_a_notebook_opens_with_the_command_that_does_the_same_and_holds_no_old_output(path):
    cells = nbformat.read(path, as_version=4).cells
    assert re.search(r"^python -m (convert|copilot)", cells[0].source, flags=re.MULTILINE)
    assert not any(cell.get("outputs") for cell in cells)


def test_the_conversion_walks_from_checkpoint_to_publication(monkeypatch, tmp_path):
    notebook = run("convert.ipynb", monkeypatch, tmp_path)
    text = printed(notebook)
    assert not re.search("DIFFERS|Traceback", text)
    assert {"logits", "tokens", "template", "stops"} <= set(re.findall(r"^(\w+) +same ", text, flags=re.MULTILINE))
    assert re.search(r"^ *Q4_0 +\d+\.\d", text, flags=re.MULTILINE), "a row of the table of quantisations"
    assert re.search(r'^FROM "\./copilot-\w+\.gguf"$', text, flags=re.MULTILINE)
    assert "Dry run, nothing was sent" in text
    assert len(shown(notebook, "image/png")) == 1
    assert not list(tmp_path.glob("convert-notebook-*")), "it cleans up after itself"


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    """The notebook on training, on made-up features, and where it wrote."""
    folder = tmp_path_factory.mktemp("training")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.delenv("FEATURES", raising=False)
        return run("training.ipynb", monkeypatch, folder), folder


def score(summary, line):
    """Balanced accuracy of nine emotions from ten seconds, in a line of the table."""
    return float(re.search(rf"^\| {line} +\| ([\d.]+)", summary, flags=re.MULTILINE)[1])


def test_training_says_that_figures_of_made_up_features_mean_nothing(training):
    warnings = [text for text in shown(training[0], "text/markdown") if text.startswith("**Made-up features")]
    assert len(warnings) == 2, "where they are made, and where they are scored"


def test_no_prompt_of_the_corpus_favours_an_emotion(training):
    even, records = re.search(
        r"^(\d+) of (\d+) prompts name all nine", printed(training[0]), flags=re.MULTILINE
    ).groups()
    assert even == records != "0"


def test_the_pruned_model_is_smaller_and_the_losses_of_its_fine_tuning_fall(training):
    text = printed(training[0])
    before, after = re.search(r"^parameters +([\d,]+) -> ([\d,]+)", text, flags=re.MULTILINE).groups()
    assert int(after.replace(",", "")) < 0.5 * int(before.replace(",", ""))
    losses = [
        [float(loss) for loss in found] for found in re.findall(r"step \d+/\d+, answer (\S+), label ([\d.]+)", text)
    ]
    assert losses[-1][0] < losses[0][0]
    assert losses[-1][1] < losses[0][1]


def test_the_box_reads_planted_emotions_and_its_controls_guess(training):
    made_up, measured = [text for text in shown(training[0], "text/markdown") if "| EEG blanked" in text]
    assert score(made_up, "as it ships, with the person's baseline") > 0.3
    for summary in (made_up, measured):
        for control in ("EEG blanked", "EEG shuffled over people and clips", "demographics only"):
            assert score(summary, control) < 0.2, control


def test_training_shows_its_figures_and_cleans_up(training):
    notebook, folder = training
    assert len(shown(notebook, "image/png")) == 4 + 1 + 2, "the report's, the real thing's, the clusters'"
    assert "all-MiniLM-L6-v2  prompt alone" in printed(notebook)
    assert not list(folder.glob("training-notebook-*"))
