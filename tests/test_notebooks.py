"""Each notebook runs from top to bottom and shows what it promises."""

import re
from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient", reason="notebooks need requirements-dev.txt")
nbformat = pytest.importorskip("nbformat")

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"

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


def printed(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(output["text"] for output in outputs if output.output_type == "stream")


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
    pictures = [o for cell in notebook.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(pictures) == 1
    assert not list(tmp_path.glob("convert-notebook-*")), "it cleans up after itself"
