"""One command from base and adapter to a folder that all the others take, or no folder at all."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import gguf
import pytest

pytest.importorskip("torch", reason="conversion needs requirements-dev.txt")
pytest.importorskip("peft", reason="conversion needs requirements-dev.txt")

from convert import all
from convert.__main__ import main
from convert.all import convert_all
from convert.files import ConvertError
from convert.gguf import to_gguf
from convert.publish import publish
from tests.helpers.tiny_adapter import make_adapter
from tests.helpers.tiny_checkpoint import make_checkpoint

# peft asks transformers for a property by its old name
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A base without a card, and an adapter that was trained somewhere private."""
    folder = tmp_path_factory.mktemp("parts")
    base = make_checkpoint(folder / "base")
    (base / "README.md").unlink()
    adapter = make_adapter(base, folder / "adapter", target_modules=["q_proj", "v_proj"])
    config = adapter / "adapter_config.json"
    config.write_text(
        json.dumps(json.loads(config.read_text()) | {"base_model_name_or_path": "/home/alice/secret/qwen"})
    )
    return base, adapter


@pytest.fixture(scope="module")
def release(parts, tmp_path_factory):
    out = tmp_path_factory.mktemp("release") / "my-copilot"
    return convert_all(*parts, out, types=["Q8_0", "Q4_0"], metadata={"note": "for tests"})


def test_the_folder_holds_what_each_of_them_takes(release):
    names = {path.name for path in release.out.iterdir()}
    assert names >= {"checkpoint", "my-copilot-f16.gguf", "my-copilot-Q8_0.gguf", "my-copilot-Q4_0.gguf"}
    assert names >= {"Modelfile", "template", "params", "quantization.json", "receipt.json"}
    assert f'FROM "./{release.model}"' in (release.out / "Modelfile").read_text()
    assert release.passed


def test_the_receipt_has_the_sha256_of_every_file_and_what_every_step_found(release):
    receipt = json.loads((release.out / "receipt.json").read_text())
    assert set(receipt["steps"]) == {"merge", "gguf", "check", "quantize", "ollama"}
    files = {path.relative_to(release.out).as_posix() for path in release.out.rglob("*") if path.is_file()}
    assert set(receipt["files"]) == files - {"receipt.json"}
    for name, file in receipt["files"].items():
        assert file["sha256"] == hashlib.sha256((release.out / name).read_bytes()).hexdigest()
    assert receipt["made_with"]["llama-cpp-python"]
    assert receipt == json.loads(json.dumps(release.as_dict()))


def test_the_receipt_tells_nothing_of_where_it_was_made(release):
    text = "".join(path.read_text() for path in release.out.glob("*.json"))
    assert not re.search(r"alice|secret|/tmp|partial|pytest", text)
    steps = json.loads((release.out / "receipt.json").read_text())["steps"]
    assert (steps["merge"]["base"], steps["merge"]["adapter"]) == ("base", "adapter")
    assert (steps["gguf"]["file"], steps["ollama"]["folder"]) == ("my-copilot-f16.gguf", "my-copilot")


def test_a_model_without_a_card_is_called_like_its_folder(release):
    reader = gguf.GGUFReader(release.out / release.model)
    assert reader.get_field("general.name").contents() == "my-copilot"
    assert reader.get_field("eeg_copilot.note").contents() == "for tests"


def test_the_folder_can_be_published_as_it_is(release):
    publication = publish(release.out, "somebody/my-copilot")
    sent = {file.path for file in publication.repositories[0].files}
    assert sent >= {release.model, "receipt.json", "Modelfile", "template", "params"}
    assert "secret" not in publication.card


def test_where_nothing_is_recommended_the_closest_is_taken(parts, tmp_path):
    release = convert_all(*parts, tmp_path / "out", types=["Q4_0", "Q4_1"])
    quantized = release.steps["quantize"]
    assert quantized.recommended is None, "random weights lose too much for a recommendation"
    divergence = {receipt.file: receipt.measured.mean_kl for receipt in quantized.receipts}
    assert release.model == min(divergence, key=divergence.get)
    assert release.why.startswith("None keeps within")


def test_the_command_prints_the_receipt_for_machines_and_refuses_a_folder_that_is_there(parts, tmp_path, capsys):
    base, adapter = map(str, parts)
    arguments = ["all", "--base", base, "--adapter", adapter, "--out", str(tmp_path / "out"), "--types", "q8_0"]
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == "out-Q8_0.gguf"
    assert main(arguments) == 2
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"types": ["Q9"]}, "Q9"),
        ({"types": ["IQ2_XS"]}, "without an importance matrix"),
        ({"imatrix": Path("absent.txt")}, "absent.txt is not a file"),
    ],
)
def test_what_cannot_be_quantised_is_refused_before_any_work(parts, tmp_path, monkeypatch, options, reason):
    monkeypatch.setattr(all, "merge", None)
    with pytest.raises(ConvertError, match=reason):
        convert_all(*parts, tmp_path / "out", **options)


def test_a_file_that_is_not_the_checkpoint_is_told_as_check_tells_it_and_leaves_no_folder(
    parts, tmp_path, monkeypatch, capsys
):
    def wrong(model_dir, out, **options):
        """A converter that makes a mistake: one tensor is another's."""
        from safetensors.numpy import load_file, save_file

        other = Path(shutil.copytree(model_dir, tmp_path / "other", dirs_exist_ok=True))
        weights = load_file(other / "model.safetensors")
        weights["model.layers.0.mlp.up_proj.weight"] = weights["model.layers.1.mlp.up_proj.weight"]
        save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
        return to_gguf(other, out, **options)

    monkeypatch.setattr(all, "to_gguf", wrong)
    with pytest.raises(ConvertError, match="is not what the checkpoint is, in its weights"):
        convert_all(*parts, tmp_path / "out", types=["Q8_0"])
    base, adapter = map(str, parts)
    arguments = ["all", "--json", "--base", base, "--adapter", adapter, "--out", str(tmp_path / "out")]
    assert main([*arguments, "--types", "Q8_0"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [finding["check"] for finding in told["findings"] if not finding["passed"]][:1] == ["weights"]
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
