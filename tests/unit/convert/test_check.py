"""A right file passes, and a file made wrong in one way fails with exactly that named."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import gguf
import numpy as np
import pytest

pytest.importorskip("torch", reason="conversion needs requirements-dev.txt")

from convert.__main__ import main
from convert.check import chat_template, check, compare_running
from convert.check.chat_template import compare_template
from convert.check.header import KINDS, compare_metadata, compare_vocabulary
from convert.check.logits import compare_scores
from convert.check.tokens import TokenizerPair, compare_pairs, compare_tokens
from convert.check.weights import compare_weights, rounding_bound
from convert.checkpoint import Checkpoint
from convert.eval_prompts import CONVERSATIONS
from convert.files import ConvertError
from convert.gguf import to_gguf
from convert.gguf_file import read_gguf
from convert.report import Finding
from copilot import child_process
from copilot.llm.llama_cpp import NativeModel
from tests.helpers.qwen2_tokenizer import ROWS, VOCABULARY, make_qwen2_tokenizer
from tests.helpers.tiny_checkpoint import make_checkpoint

CHECKS = ["metadata", "weights", "vocabulary", "tokens", "template", "stops"]
Q8_0 = gguf.GGMLQuantizationType.Q8_0
UP = "blk.{}.ffn_up.weight"
Q = "blk.0.attn_q.weight"


def edit(source, out, keys=None, tensors=None):
    """Copy a GGUF file with other values (None: without the key) and other numbers (None: without the tensor)."""
    keys, tensors = keys or {}, tensors or {}
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(out, reader.get_field("general.architecture").contents())
    for field in reader.fields.values():
        value = keys.get(field.name, field.contents())
        if value is not None and not field.name.startswith("GGUF.") and field.name != "general.architecture":
            writer.add_key_value(field.name, value, field.types[0], field.types[-1] if len(field.types) > 1 else None)
    for tensor in reader.tensors:
        numbers = tensors.get(tensor.name, tensor.data)
        if numbers is not None:
            writer.add_tensor(tensor.name, np.ascontiguousarray(numbers), raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def to_q8_0(source, out):
    """Quantise all matrices with the gguf package, which is slow and needs no llama.cpp."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(out, "qwen2")
    for field in reader.fields.values():
        value = gguf.LlamaFileType.MOSTLY_Q8_0 if field.name == "general.file_type" else field.contents()
        if not field.name.startswith("GGUF.") and field.name != "general.architecture":
            writer.add_key_value(field.name, value, field.types[0], field.types[-1] if len(field.types) > 1 else None)
    for tensor in reader.tensors:
        matrix = len(tensor.shape) > 1
        numbers = gguf.quantize(tensor.data, Q8_0) if matrix else tensor.data
        writer.add_tensor(tensor.name, numbers, raw_dtype=Q8_0 if matrix else tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def numbers(path, name):
    return next(tensor.data.copy() for tensor in gguf.GGUFReader(path).tensors if tensor.name == name)


def value(path, key):
    return gguf.GGUFReader(path).get_field(key).contents()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("check")


@pytest.fixture(scope="module")
def checkpoint(folder):
    return make_checkpoint(folder / "tiny")


@pytest.fixture(scope="module")
def narrow(folder):
    """Query heads narrower than the model, which makes the file's architecture ``llama`` with turned rows."""
    return make_checkpoint(folder / "narrow", heads=2, kv_heads=1, head_dim=16)


@pytest.fixture(scope="module")
def files(folder, checkpoint, narrow):
    made = {}
    for name, source in (("f32", checkpoint), ("f16", checkpoint), ("narrow", narrow)):
        made[name] = folder / f"{name}.gguf"
        to_gguf(source, made[name], type="f16" if name == "f16" else "f32", metadata={"codec": "bands"})
    made["Q8_0"] = to_q8_0(made["f32"], folder / "q8_0.gguf")
    return made


def turned_back(path, name, head_dim=16):
    """Rows in Hugging Face's order, as a converter leaves them that forgets to turn them."""
    rows = numbers(path, name)
    return rows.reshape(-1, head_dim // 2, 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def one_changed(path, name, row, column):
    changed = numbers(path, name)
    changed[row, column] += 1
    return changed


def defects(files):
    """Name -> the file it is made from, its keys and numbers, and check -> what it says."""
    f32, f16, q8_0, narrow = (files[name] for name in ("f32", "f16", "Q8_0", "narrow"))
    merges = value(f32, "tokenizer.ggml.merges")
    kinds = value(f32, "tokenizer.ggml.token_type")
    template = value(f32, "tokenizer.chat_template")
    first, second = UP.format(0), UP.format(1)
    swapped = {first: numbers(f32, second), second: numbers(f32, first)}
    return {
        "swapped": (f32, {}, swapped, {"weights": f"{first} (F32), row 0, column 0: ", "logits": "prompt 1, position"}),
        "unturned": (narrow, {}, {Q: turned_back(narrow, Q)}, {"weights": f"{Q} (F32), row 1", "logits": "prompt 1,"}),
        "one number": (f16, {}, {Q: one_changed(f16, Q, 3, 5)}, {"weights": f"{Q} (F16), row 3, column 5: "}),
        "empty": (
            q8_0,
            {},
            {first: numbers(q8_0, first) * 0},
            {"weights": f"{first} (Q8_0) is off by 100% of its size"},
        ),
        "noise": (
            q8_0,
            {},
            {"token_embd.weight": np.roll(numbers(q8_0, "token_embd.weight"), 7, axis=0)},
            {"weights": "token_embd.weight (Q8_0) is off by 1", "precision": "times as far"},
        ),
        "no tensor": (
            f32,
            {},
            {Q: None},
            {"weights": f"{Q} is missing in the file", "running": f"{Q} is missing in the file"},
        ),
        "base": (
            f32,
            {"qwen2.rope.freq_base": 1e4},
            {},
            {
                "metadata": "rope.freq_base is 10000 in the file, 20000 in the checkpoint",
                "logits": "prompt 1, position 1:",
            },
        ),
        "base of a quantised file": (
            q8_0,
            {"qwen2.rope.freq_base": 1e4},
            {},
            {"metadata": "rope.freq_base", "logits": "prompt 1, position 1:"},
        ),
        "eps": (
            f32,
            {"qwen2.attention.layer_norm_rms_epsilon": 1e-2},
            {},
            {"metadata": "rms_epsilon is 0.01 in the file, 1e-06 in the checkpoint", "logits": "prompt 1, position 0:"},
        ),
        "context": (f32, {"qwen2.context_length": 999}, {}, {"metadata": "context_length is 999 in the file, 512 in"}),
        "name": (f32, {"general.name": " "}, {}, {"metadata": "general.name is missing"}),
        "type": (f16, {"general.file_type": 0}, {}, {"metadata": "calls itself ALL_F32, but its matrices are 15 F16"}),
        "own key": (
            f32,
            {"eeg_copilot.codec": "[1, 2"},
            {},
            {"metadata": "eeg_copilot.codec begins as JSON and is not"},
        ),
        "merge": (
            f32,
            {"tokenizer.ggml.merges": merges[:5] + merges[6:]},
            {},
            {
                "vocabulary": f"merge 5 is {merges[6]!r} in the file, {merges[5]!r} in the checkpoint",
                "tokens": "token ",
                "template": ": token ",
            },
        ),
        "kind": (
            f32,
            {"tokenizer.ggml.token_type": [*kinds[:418], 1, *kinds[419:]]},
            {},
            {
                "vocabulary": "token 418 ('<eeg>') is NORMAL in the file, USER_DEFINED in the",
                "tokens": "'<eeg>': token 0",
            },
        ),
        "eos": (
            f32,
            {"tokenizer.ggml.eos_token_id": 40},
            {},
            {"stops": "the eos token is 40 ('G') in the file, 1 ('<|im_e"},
        ),
        "bos": (
            f32,
            {"tokenizer.ggml.add_bos_token": True},
            {},
            {"stops": "a text begins with 0 ('<|endoftext|>') in"},
        ),
        "template": (
            f32,
            {"tokenizer.chat_template": template.replace("\n{{ m['content']", " {{ m['content']")},
            {},
            {"template": "conversation 1: character 16 differs: '<|im_start|>user Am I calm?<|im_end|' in the file"},
        ),
        "no template": (f32, {"tokenizer.chat_template": None}, {}, {"template": "the file's template refuses it"}),
        "failing template": (
            f32,
            {"tokenizer.chat_template": "{% for i in range(10**9) %}{% endfor %}"},
            {},
            {"template": "conversation 1: the file's template refuses it"},
        ),
    }


NAMES = [
    *("swapped", "unturned", "one number", "empty", "noise", "no tensor", "base", "base of a quantised file", "eps"),
    *("context", "name", "type", "own key", "merge", "kind", "eos", "bos", "template", "no template"),
    "failing template",
]


def compare_all(pairs):
    """Every check of every file, in the one child process that this is called in."""
    findings = []
    for path, against in pairs:
        header, checkpoint = read_gguf(path), Checkpoint.open(against)
        found = [compare_metadata(header, checkpoint), compare_weights(header, checkpoint)]
        try:
            with tempfile.TemporaryDirectory() as scratch:
                found += compare_running(path, against, None, Path(scratch))
        except ConvertError as error:
            found.append(Finding("running", 1, "", str(error)))
        findings.append({finding.check: finding for finding in found})
    return findings


@pytest.fixture(scope="module")
def found(folder, files, checkpoint, narrow):
    """What the checks find in every file, right or wrong."""
    made = {name: (path, narrow if name == "narrow" else checkpoint) for name, path in files.items()}
    for name, (source, keys, tensors, _) in defects(files).items():
        against = narrow if source == files["narrow"] else checkpoint
        made[name] = (edit(source, folder / f"{name}.gguf", keys, tensors), against)
    return dict(zip(made, child_process.run(compare_all, list(made.values())), strict=True))


@pytest.mark.parametrize("name", ["f32", "f16", "Q8_0", "narrow"])
def test_a_right_file_passes_every_check(found, name):
    findings = found[name]
    precision = [] if name in ("f32", "narrow") else ["precision"]
    assert list(findings) == [*CHECKS, *precision, "logits"]
    assert [finding.difference for finding in findings.values() if not finding.passed] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_file_fails_with_its_defect_named(found, files, name):
    expected = defects(files)[name][3]
    differences = {check: finding.difference for check, finding in found[name].items() if not finding.passed}
    print(differences.keys() - expected.keys(), differences)
    assert differences.keys() == expected.keys()
    for check_name, words in expected.items():
        assert words in differences[check_name]


def test_all_listed_defects_are_tried(files):
    assert set(defects(files)) == set(NAMES)


def test_only_what_a_defect_touches_differs(found):
    for name in ("context", "name", "own key", "eos", "bos", "one number"):
        assert sum(not finding.passed for finding in found[name].values()) == 1


def test_the_checks_have_compared_something(found):
    compared = {check_name: finding.compared for check_name, finding in found["f16"].items()}
    assert compared["weights"] == 2 + 2 * 12
    assert compared["vocabulary"] == 424
    assert compared["tokens"] > 500
    assert compared["template"] == len(CONVERSATIONS) == 10
    assert compared["logits"] == compared["precision"] > 500


def test_a_comparison_of_nothing_has_not_passed():
    assert not Finding("template", 0, "0 of 10 conversations rendered").passed


def test_figures_say_how_near_the_two_are(found):
    exact, lossy = found["Q8_0"]["logits"].values, found["Q8_0"]["precision"].values
    assert exact["largest"] < 1e-3 < lossy["largest"]
    assert 0 < lossy["kl"] < 0.1 * lossy["unrelated_kl"]
    assert "largest error 0." in found["Q8_0"]["weights"].figure


def test_only_what_was_compared_for_equality_is_called_the_same(found):
    verdicts = {
        name: {check: finding.verdict for check, finding in findings.items()} for name, findings in found.items()
    }
    assert verdicts["Q8_0"]["weights"] == verdicts["Q8_0"]["precision"] == verdicts["f16"]["precision"] == "within"
    assert verdicts["Q8_0"]["logits"] == verdicts["f16"]["weights"] == "same"
    assert verdicts["noise"]["weights"] == verdicts["noise"]["precision"] == "DIFFERS"


@pytest.mark.parametrize("template", ["{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
                                      "{{ 'x' * 7000000000 }}"])  # fmt: skip
def test_a_template_that_never_ends_or_takes_all_memory_is_named(files, checkpoint, tmp_path, monkeypatch, template):
    """In the checkpoint too: it is not rendered there then."""
    monkeypatch.setattr(chat_template, "LIMITS", child_process.Limits(memory_gb=4, timeout_s=5))
    other = Path(shutil.copytree(checkpoint, tmp_path / "other"))
    (other / "chat_template.jinja").write_text(template)
    path = edit(files["f32"], tmp_path / "hostile.gguf", {"tokenizer.chat_template": template})
    with pytest.raises(ConvertError, match=r"The chat template of .*hostile.gguf needs more than 5 seconds or 4 GiB"):
        compare_running(path, other, None, tmp_path)


@pytest.mark.parametrize("other", [{"rows": 500}, {"ffn": 128}, {"layers": 3}])
def test_models_of_different_shapes_are_told_apart_and_not_run(files, tmp_path, capsys, other):
    against = make_checkpoint(tmp_path / "other", **other)
    capsys.readouterr()  # transformers' progress
    assert main(["check", str(files["Q8_0"]), "--against", str(against), "--json"]) == 1
    shown = capsys.readouterr()
    assert shown.err == ""
    findings = {finding["check"]: finding for finding in json.loads(shown.out)["findings"]}
    assert list(findings) == ["metadata", "weights", "vocabulary", "running"]
    assert not findings["weights"]["passed"]
    assert not findings["running"]["passed"]
    assert ("rows" in other) is not findings["vocabulary"]["passed"]
    assert findings["running"]["difference"].endswith((" in the checkpoint", " is missing in the file"))


def test_what_llama_cpp_does_not_normalise_is_a_note_and_no_fault(found):
    assert any("NFC" in note for note in found["f32"]["tokens"].notes)


@pytest.mark.parametrize("kind", [gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q4_0])
def test_rounding_passes_and_another_tensor_does_not(kind):
    weights = np.random.default_rng(0).standard_t(4, (64, 256)).astype(np.float32)
    error = np.sqrt(
        np.square(gguf.dequantize(gguf.quantize(weights, kind), kind) - weights).mean() / (weights**2).mean()
    )
    assert error < rounding_bound(kind) < 0.5


def scores(*rows):
    return np.array(rows, np.float32)


def test_two_tokens_that_are_equally_likely_may_change_places():
    wanted = scores([1.0, 0.9999, -1.0, 0.3])
    tied = compare_scores(wanted, scores([0.9999, 1.0, -1.0, 0.3]), "prompt 1")
    assert (tied.difference, tied.same_top, tied.ties) == ("", 0, 1)
    turned = compare_scores(wanted, scores([0.99, 1.0, -1.0, 0.99]), "prompt 1")
    assert "token 3 scores 0.99 in the file, 0.3 in the checkpoint" in turned.difference
    assert "ranks token 3 first, the checkpoint token 0" in compare_scores(wanted, wanted[:, ::-1], "p").difference


def test_scores_that_are_no_numbers_differ():
    assert compare_scores(scores([1.0, 2.0]), scores([1.0, np.nan]), "p").difference
    assert compare_scores(scores([1.0, np.nan]), scores([1.0, np.nan]), "p").difference


def test_interrupted_it_leaves_nothing_behind(files, checkpoint, tmp_path):
    command = [sys.executable, "-m", "convert", "check", str(files["f16"]), "--against", str(checkpoint)]
    process = subprocess.Popen(command, env=os.environ | {"TMPDIR": str(tmp_path)}, stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.iterdir()) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "Interrupted" in errors
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_passes_a_right_file(files, checkpoint, capsys):
    assert main(["check", str(files["f32"]), "--against", str(checkpoint), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["passed"]
    assert [finding["check"] for finding in report["findings"]] == [*CHECKS, "logits"]


def test_the_command_line_fails_a_file_of_another_checkpoint(files, checkpoint, tmp_path, capsys):
    other = Path(shutil.copytree(checkpoint, tmp_path / "other"))
    weights = other / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-4:] = np.float32(9).tobytes()
    weights.write_bytes(raw)
    assert main(["check", str(files["f32"]), "--against", str(other)]) == 1
    shown = capsys.readouterr().out
    assert "weights     DIFFERS" in shown
    assert "9 in the checkpoint" in shown


def test_models_whose_scores_are_all_the_same_cannot_be_compared(checkpoint, tmp_path):
    from safetensors.numpy import load_file, save_file

    silent = Path(shutil.copytree(checkpoint, tmp_path / "silent"))
    weights = load_file(silent / "model.safetensors")
    save_file({k: np.zeros_like(v) for k, v in weights.items()}, silent / "model.safetensors", {"format": "pt"})
    to_gguf(silent, tmp_path / "silent.gguf", type="f32")
    findings = {finding.check: finding for finding in check(tmp_path / "silent.gguf", against=silent).findings}
    assert findings["weights"].passed
    assert "nothing to compare" in findings["logits"].difference


def test_an_end_of_turn_at_which_llama_cpp_goes_on_is_found(files, checkpoint, tmp_path):
    """The template ends turns with a token that is no end in the file, and the configuration with another."""
    other = Path(shutil.copytree(checkpoint, tmp_path / "other"))
    template = other / "chat_template.jinja"
    template.write_text(template.read_text().replace("<|im_end|>", "<eeg>"))
    path = edit(files["f32"], tmp_path / "f.gguf", {"tokenizer.chat_template": template.read_text()})
    findings = {finding.check: finding for finding in child_process.run(compare_running, path, other, None, tmp_path)}
    assert findings["template"].passed
    assert "does not stop at token 418 ('<eeg>'), which ends answers by the template" in findings["stops"].difference


@pytest.fixture
def sides(files, checkpoint):
    """The file loaded, and both tokenizers side by side."""
    from transformers import AutoTokenizer

    native = NativeModel(files["f32"], threads=1, context=32)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    yield native, TokenizerPair(native, tokenizer, value(files["f32"], KINDS)), tokenizer
    native.close()


def test_expected_tokens_in_a_file_are_compared(sides, tmp_path):
    native, pair, tokenizer = sides
    texts, inputs = ["How sure?", " ", "\n", "<|im_end|>"], tmp_path / "words.inp"
    ids = [tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"] for text in texts]
    inputs.write_text("".join(f"{text}\n__ggml_vocab_test__\n" for text in texts), newline="")
    for line, difference in ((ids[2], ""), ([1, 2], "'\\n': token 0 is")):
        lines = [*ids[:2], line, ids[3]]
        inputs.with_suffix(".out").write_text("".join(f" {' '.join(map(str, line))}\n" for line in lines))
        finding = compare_pairs(native, pair, inputs)
        assert finding.compared == 4
        assert finding.passed is not bool(difference)
        assert difference in finding.difference
    inputs.with_suffix(".out").write_text(" 1 2\n")
    with pytest.raises(ConvertError, match="4 texts"):
        compare_pairs(native, pair, inputs)


def damaged(files, folder):
    whole = files["f32"].read_bytes()
    return {
        "cut short": whole[:-1000],
        "no GGUF": b"GGUF" + b"\xff" * 5000,
        "is not a file": None,
    }


@pytest.mark.parametrize("reason", ["cut short", "no GGUF", "is not a file"])
def test_a_file_that_cannot_be_read_is_one_sentence(files, checkpoint, folder, capsys, reason):
    path = folder / f"{reason}.gguf"
    content = damaged(files, folder)[reason]
    if content is not None:
        path.write_bytes(content)
    assert main(["check", str(path), "--against", str(checkpoint)]) == 2
    shown = capsys.readouterr()
    assert reason in shown.err
    assert len(shown.err.strip().splitlines()) == 1
    assert shown.out == ""


@pytest.mark.parametrize("name", ["f32", "narrow"])
def test_no_place_for_temporary_files_is_one_sentence(files, checkpoint, folder, capsys, monkeypatch, name):
    """Also where the file differs: that is no reason why llama.cpp could not run."""
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "gone"))
    assert main(["check", str(files[name]), "--against", str(checkpoint)]) == 2
    shown = capsys.readouterr()
    assert "Temporary files could not be written" in shown.err
    assert len(shown.err.strip().splitlines()) == 1
    assert shown.out == ""


def test_a_tokenizer_that_fails_without_a_word_is_told_by_the_kind_of_its_error(
    files, checkpoint, tmp_path, monkeypatch
):
    from transformers import AutoTokenizer

    def fail(*_, **__):
        raise KeyError

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", fail)
    with pytest.raises(ConvertError, match=r"has no tokenizer that can be loaded: KeyError"):
        compare_running(files["f32"], checkpoint, None, tmp_path)


def test_a_file_that_only_llama_cpp_refuses_is_one_sentence(files, checkpoint, tmp_path, capsys):
    path = edit(files["f32"], tmp_path / "f.gguf", {"tokenizer.ggml.model": None})
    assert main(["check", str(path), "--against", str(checkpoint)]) == 2
    assert "llama.cpp cannot load" in capsys.readouterr().err


def test_qwen2s_real_vocabulary_passes_with_llama_cpps_own_pairs(tmp_path):
    tokenizer = make_qwen2_tokenizer()
    checkpoint = make_checkpoint(tmp_path / "real", layers=1, tokenizer=tokenizer, rows=ROWS)
    to_gguf(checkpoint, tmp_path / "real.gguf")
    header, native = read_gguf(tmp_path / "real.gguf"), NativeModel(tmp_path / "real.gguf", threads=1, context=32)
    pair = TokenizerPair(native, tokenizer, header.metadata[KINDS])
    pairs = compare_pairs(native, pair, VOCABULARY.with_name(f"{VOCABULARY.name}.inp"))
    template = compare_template(header, native, pair, tokenizer)
    findings = [pairs, template, compare_tokens(pair, tokenizer), compare_vocabulary(header, tokenizer, ROWS)]
    native.close()
    assert [finding.difference for finding in findings if not finding.passed] == []
    assert pairs.compared == 46
    assert any("'</s>'" in note for note in template.notes)
