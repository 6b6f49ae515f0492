"""Pruning takes away and changes nothing: what stays is the base's, bit for bit, and computes what it did in memory."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="pruning needs requirements-dev.txt")
pytest.importorskip("torch_pruning", reason="pruning needs requirements-dev.txt")

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from convert.files import ConvertError
from convert.gguf import to_gguf
from convert.plan import QWEN2, read_shape
from convert.plan.trials import make_config
from convert.shape import RATIOS, ROUNDINGS, Shape, prune_shape
from copilot import child_process
from copilot.files import hash_file
from copilot.training import prune, pruned_weights
from copilot.training.pruned_weights import refuse_difference
from tests.helpers.qwen2_tokenizer import ROWS, make_qwen2_tokenizer
from tests.helpers.same_logits import assert_same_logits, load
from tests.helpers.tiny_checkpoint import make_checkpoint

ROOT = Path(__file__).parents[3]
TOKENS = torch.arange(40)[None]
#: Name -> how the checkpoint is made, and how it is pruned.
MODELS = {
    "half of a Qwen2": (
        {"heads": 14, "kv_heads": 2, "hidden": 448, "ffn": 512, "dtype": "bfloat16"},
        Fraction(1, 2),
        4,
    ),
    "Llama with its own head": (
        {"heads": 4, "kv_heads": 4, "hidden": 128, "ffn": 200, "llama": True, "tied": False, "attention_bias": True},
        Fraction(1, 4),
        32,
    ),
}


class Pair:
    """A checkpoint, what pruning made of it, and what it said of that."""

    def __init__(self, folder: Path, name: str) -> None:
        config, self.ratio, self.round_to = MODELS[name]
        self.base, self.out = make_checkpoint(folder / "base", **config), folder / "pruned"
        self.report = prune.prune(str(self.base), self.ratio, self.out, self.round_to)
        self.old, self.new = (load_file(path / "model.safetensors") for path in (self.base, self.out))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return {name: Pair(tmp_path_factory.mktemp("pair"), name) for name in MODELS}


@pytest.fixture(params=MODELS)
def pair(request, pairs):
    return pairs[request.param]


@pytest.fixture
def half(pairs):
    return pairs["half of a Qwen2"]


def shape_of(folder):
    return Shape.read(json.loads((folder / "config.json").read_text()))


def logits(folder):
    with torch.no_grad():
        return load(folder)(TOKENS).logits.numpy()


def same_columns(new, old):
    """For each column of ``new`` the one of ``old`` that it is."""
    return rows_found(new.T, old.T)


def rows_found(new, old):
    places = {row.numpy().tobytes(): i for i, row in enumerate(old.float())}
    assert len(places) == len(old)
    return torch.tensor([places[row.numpy().tobytes()] for row in new.float()])


def test_every_weight_that_is_left_is_the_base_s(pair):
    """Which ones are left is found in the files; the rows and columns of all matrices must then agree on it."""
    old, new, shape = pair.old, pair.new, shape_of(pair.base)
    expected = {}
    hidden = same_columns(new["model.embed_tokens.weight"], old["model.embed_tokens.weight"])
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        if name in old:
            expected[name] = old[name][:, hidden]
    expected["model.norm.weight"] = old["model.norm.weight"][hidden]
    for layer in range(shape.layers):
        at = f"model.layers.{layer}."
        ffn = rows_found(new[at + "mlp.up_proj.weight"], old[at + "mlp.up_proj.weight"][:, hidden])
        heads = torch.tensor(pair.report.heads[layer])
        groups = shape.heads // shape.kv_heads
        kv_heads = heads if groups == 1 else torch.arange(shape.kv_heads)
        if groups > 1:  # every key/value head keeps equally many query heads
            assert torch.bincount(heads // groups).tolist() == [len(heads) // shape.kv_heads] * shape.kv_heads
        q, kv = (
            (which[:, None] * shape.head_dim + torch.arange(shape.head_dim)).flatten() for which in (heads, kv_heads)
        )
        for module, rows, columns in [
            ("self_attn.q_proj", q, hidden),
            ("self_attn.k_proj", kv, hidden),
            ("self_attn.v_proj", kv, hidden),
            ("self_attn.o_proj", hidden, q),
            ("mlp.gate_proj", ffn, hidden),
            ("mlp.up_proj", ffn, hidden),
            ("mlp.down_proj", hidden, ffn),
        ]:
            expected[f"{at}{module}.weight"] = old[f"{at}{module}.weight"][rows][:, columns]
            if f"{at}{module}.bias" in old:
                expected[f"{at}{module}.bias"] = old[f"{at}{module}.bias"][rows]
        for norm in ("input_layernorm", "post_attention_layernorm"):
            expected[f"{at}{norm}.weight"] = old[f"{at}{norm}.weight"][hidden]
    assert new.keys() == expected.keys() == old.keys()
    for name, tensor in expected.items():
        assert new[name].dtype == old[name].dtype
        assert torch.equal(new[name], tensor), name


def test_a_fresh_process_computes_from_the_folder_what_the_pruned_model_computed_in_memory(pair):
    model = load(pair.base)
    pruned_weights.prune_model(model, shape_of(pair.base), float(pair.ratio), pair.round_to)
    with torch.no_grad():
        ours = model(TOKENS).logits.numpy()
    assert ours.std() > 0.1
    assert child_process.run(logits, pair.out).tobytes() == ours.tobytes()


def test_the_configuration_has_the_shape_that_the_plan_tells(pair):
    shape = shape_of(pair.out)
    assert shape == prune_shape(shape_of(pair.base), float(pair.ratio), pair.round_to) == pair.report.after
    before, after = (json.loads((folder / "config.json").read_text()) for folder in (pair.base, pair.out))
    widths = {"hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads", "head_dim"}
    assert {name for name in after if after[name] != before.get(name)} <= widths
    assert {name: after[name] for name in before if name not in widths}.items() <= before.items()


def test_embedding_and_head_stay_tied_or_apart_as_they_were(pair):
    model = load(pair.out)
    tied = model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()
    assert tied == load(pair.base).config.tie_word_embeddings == ("lm_head.weight" not in pair.new)


def test_tokenizer_template_stops_and_card_come_along(half):
    for name in (
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
        "generation_config.json",
        "README.md",
    ):
        assert (half.out / name).read_bytes() == (half.base / name).read_bytes()
    assert not list(half.out.glob("*.bin"))


def test_the_receipt_says_what_was_done(half):
    told = json.loads((half.out / "pruning.json").read_text())
    assert told == json.loads(json.dumps(half.report.as_dict()))
    assert (told["ratio"], told["round_to"], told["torch_pruning"]) == ("1/2", 4, "1.6.1")
    assert told["files"] == {"model.safetensors": hash_file(half.out / "model.safetensors")}
    assert told["before"]["parameters"] == sum(tensor.numel() for tensor in half.old.values())
    assert told["after"]["parameters"] == sum(tensor.numel() for tensor in half.new.values())
    assert told["after"]["bf16_bytes"] == sum(tensor.nbytes for tensor in half.new.values())
    assert [len(heads) for heads in told["heads"]] == [6, 6]


def test_llama_cpp_computes_the_same_from_the_gguf_of_a_true_half(half, tmp_path):
    to_gguf(half.out, tmp_path / "half.gguf", type="f32")
    assert_same_logits(half.out, tmp_path / "half.gguf")


def random_model(shape, layers):
    torch.manual_seed(5)
    config = make_config(replace(shape, layers=layers, vocabulary=100, context=64)) | {"dtype": "float32"}
    kind = config.pop("model_type")
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **config), attn_implementation="eager").eval()


def kept_of(shape, ratio, round_to, layers=1):
    return pruned_weights.prune_model(random_model(shape, layers), replace(shape, layers=layers), ratio, round_to)


#: Shape -> ratios and roundings. In those of the second half, two or three query heads share a key head.
SHAPES = {
    "896/14/2/512": [(float(ratio), to) for ratio in RATIOS for to in ROUNDINGS],
    "448/7/1/512": [(1 / 7, 4), (0.5, 4), (6 / 7, 64)],
    "512/8/2/768": [(3 / 7, 4), (0.5, 256)],
    "256/4/4/512": [(0.5, 64), (0.25, 4), (6 / 7, 4)],
    "256/4/2/768": [(0.5, 4), (3 / 7, 64)],
    "64/4/2/96": [(0.5, 4), (0.25, 4)],
    "128/2/1/128": [(0.5, 4)],
    "256/8/4/128": [(0.5, 4)],
    "576/9/3/128": [(1 / 3, 4), (0.5, 4)],
}


def all_widths():
    widths = {}
    for name, cases in SHAPES.items():
        for case in cases:
            found = kept_of(read_shape(name), *case)
            widths[name, *case] = len(found.hidden), len(found.heads[0]), len(found.kv_heads[0]), len(found.ffn[0])
    return widths


def test_the_plan_s_shape_is_left_of_every_shape_at_every_ratio():
    limits = child_process.Limits(timeout_s=120)  # where the pruner knows no end, the test still does
    found = child_process.run_limited(limits, all_widths)
    for (name, ratio, round_to), widths in found.items():
        told = prune_shape(read_shape(name), ratio, round_to)
        assert widths == (told.hidden, told.heads, told.kv_heads, told.ffn), (name, ratio, round_to)
    assert len(found) == sum(map(len, SHAPES.values()))


def test_rotary_embedding_left_out_of_the_graph_changes_no_choice(monkeypatch):
    ours = [kept_of(QWEN2, ratio, to, layers=2) for ratio, to in ((0.5, 4), (3 / 7, 256))]
    monkeypatch.setattr(
        pruned_weights, "_run_without_rotary", lambda model, tokens: model(tokens, use_cache=False).logits
    )
    assert [kept_of(QWEN2, ratio, to, layers=2) for ratio, to in ((0.5, 4), (3 / 7, 256))] == ours


def test_what_goes_is_what_has_the_smallest_norm():
    shape = read_shape("512/8/2/768/2/100")
    model, random = random_model(shape, 2), torch.Generator().manual_seed(1)
    weak_hidden, weak_ffn = (torch.randperm(width, generator=random)[: width // 2] for width in (512, 768))
    weak_heads = [(0, 3, 5, 6), (1, 2, 4, 7)]
    with torch.no_grad():
        for heads, layer in zip(weak_heads, model.model.layers, strict=True):
            for matrix in (layer.self_attn.q_proj.weight, layer.self_attn.o_proj.weight.T):
                matrix.view(8, 64, -1)[list(heads)] *= 0.5
            for matrix in (layer.mlp.gate_proj.weight, layer.mlp.up_proj.weight, layer.mlp.down_proj.weight.T):
                matrix[weak_ffn] *= 0.5
            for matrix in (layer.self_attn.o_proj.weight, layer.mlp.down_proj.weight, layer.mlp.up_proj.weight.T):
                matrix[weak_hidden] *= 0.5
    found = pruned_weights.prune_model(model, shape, 0.5, 4)
    assert set(found.hidden) == set(range(512)) - set(weak_hidden.tolist())
    assert found.heads == tuple(tuple(sorted(set(range(8)) - set(heads))) for heads in weak_heads)
    assert [set(ffn) for ffn in found.ffn] == [set(range(768)) - set(weak_ffn.tolist())] * 2


def spoil_number(folder):
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.1.self_attn.k_proj.weight"][3, 4] += 1
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def drop_weight(folder):
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.self_attn.q_proj.bias"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def configure(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def drop_head_dim(folder):
    configure(folder, head_dim=None)


def turn_otherwise(folder):
    configure(folder, rope_parameters={"rope_type": "default", "rope_theta": 9.0})


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoil_number, r"layers\.1\.self_attn\.k_proj\.weight was loaded with other numbers"),
        (drop_weight, r"does not load model\.layers\.1\.self_attn\.q_proj\.bias as it was pruned"),
        (drop_head_dim, "Hugging Face does not load"),
        (turn_otherwise, "other logits"),
    ],
)
def test_a_folder_that_does_not_give_back_the_pruned_model_is_refused(half, tmp_path, capfd, spoil, reason):
    model, copy = load(half.out), tmp_path / "copy"
    shutil.copytree(half.out, copy)
    refuse_difference(model, copy)
    spoil(copy)
    with pytest.raises(ConvertError, match=reason):
        refuse_difference(model, copy)
    capfd.readouterr()  # Hugging Face's own report of it


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--ratio", "1.5"), "a ratio between 0 and 1"),
        (("--ratio", "0"), "a ratio between 0 and 1"),
        (("--ratio", "0.5", "--round-to", "0"), "a whole number to round to"),
        (("--ratio", "0.01", "--round-to", "96"), "removes nothing from this shape"),
        (("--ratio", "3/7", "--round-to", "9"), "fit no quantisation"),
        (
            ("--ratio", "0.5", "--model", "no/such/folder"),
            "no/such/folder is no folder here, and not available on the Hub",
        ),
        (("--ratio", "0.5", "--model", str(ROOT / "tests")), "config.json cannot be read"),
    ],
)
def test_what_cannot_be_pruned_is_one_sentence_and_no_folder(small, tmp_path, capfd, arguments, reason):
    assert_refused(small, tmp_path, capfd, reason, *arguments)


def test_a_shape_that_hugging_face_would_not_load_is_refused_before_the_work(tmp_path, capfd):
    with tempfile.TemporaryDirectory() as folder:
        llama = make_checkpoint(Path(folder), llama=True, heads=14, kv_heads=2, hidden=448)
        capfd.readouterr()
        reason = "(224) is not a multiple of the number of attention heads (6)"
        assert_refused(llama, tmp_path, capfd, reason, "--ratio", "0.5")


def assert_refused(model, tmp_path, capfd, reason, *arguments):
    assert prune.main(["--model", str(model), "--out", str(tmp_path / "out"), *arguments]) == 2
    said = capfd.readouterr().err.strip()
    assert reason in said
    assert "\n" not in said
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return make_checkpoint(tmp_path_factory.mktemp("small") / "small")


@pytest.mark.parametrize("ratio", ["half", "1/0", ""])
def test_what_is_no_share_is_refused(ratio, capsys):
    with pytest.raises(SystemExit, match="2"):
        prune.main(["--model", "x", "--ratio", ratio, "--out", "y"])
    assert "write it like 0.5 or 3/7" in capsys.readouterr().err


def test_a_folder_that_is_there_is_left_alone(half, capsys):
    before = sorted(half.out.iterdir())
    assert prune.main(["--model", str(half.base), "--ratio", "0.5", "--out", str(half.out)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert sorted(half.out.iterdir()) == before


def test_a_pruner_that_takes_too_long_is_stopped(half, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(prune, "TIMEOUT_S", 1.0)
    assert prune.main(["--model", str(half.base), "--ratio", "0.5", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.startswith("Stopped ")
    assert not list(tmp_path.iterdir())


def start(model, out, **environment):
    command = [
        sys.executable,
        "-m",
        "copilot.training.prune",
        "--model",
        str(model),
        "--ratio",
        "0.5",
        "--out",
        str(out),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_interrupted_it_leaves_nothing_behind(half, tmp_path):
    process = start(half.base, tmp_path / "out")
    while not list(tmp_path.iterdir()):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60)[1] == "Interrupted; nothing unfinished was kept.\n"
    assert process.returncode == 2
    assert not list(tmp_path.iterdir())


def test_a_name_is_looked_up_on_the_hub(half, tmp_path):
    """Offline, in the cache that an earlier download has left."""
    repository = tmp_path / "hub" / "models--somebody--tiny"
    shutil.copytree(half.base, repository / "snapshots" / "0123abc")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123abc")
    offline = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    process = start("somebody/tiny", tmp_path / "out", **offline)
    said, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (0, "")
    assert said.startswith("somebody/tiny: 1/2 cut")
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == (half.out / "model.safetensors").read_bytes()
    process = start("somebody/else", tmp_path / "other", **offline)
    complaints = process.communicate(timeout=60)[1]
    assert process.returncode == 2
    assert complaints.startswith("somebody/else is no folder here, and not available on the Hub")
    assert complaints.count("\n") == 1


@pytest.mark.skipif(not os.environ.get("FULL_SIZE"), reason="takes minutes; FULL_SIZE=1 runs it")
@pytest.mark.parametrize(("ratio", "round_to", "millions"), [("1/2", 4, 157.6), ("3/7", 256, 187.9)])
def test_qwen2_at_full_size(tmp_path, ratio, round_to, millions):
    base = make_checkpoint(
        tmp_path / "base",
        **{"hidden": 896, "heads": 14, "kv_heads": 2, "ffn": 4864, "layers": 24, "rows": ROWS, "dtype": "bfloat16"},
        tokenizer=make_qwen2_tokenizer(),
    )
    report = prune.prune(str(base), Fraction(ratio), tmp_path / "out", round_to)
    print("", *report.lines(), sep="\n")
    assert report.after.parameters / 1e6 == pytest.approx(millions, abs=0.05)
    to_gguf(tmp_path / "out", tmp_path / "out.gguf", type="f32")
    assert_same_logits(tmp_path / "out", tmp_path / "out.gguf")
