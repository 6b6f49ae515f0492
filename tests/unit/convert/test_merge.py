"""A merged checkpoint computes what the adapted model computed and talks as it did, or there is none."""

import hashlib
import json
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("peft", reason="merging needs requirements-dev.txt")

from convert.__main__ import main
from convert.checkpoint import Checkpoint
from convert.files import ConvertError
from convert.merge import merge
from copilot import child_process
from tests.helpers.tiny_adapter import load, logits, make_adapter
from tests.helpers.tiny_checkpoint import make_checkpoint

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning",  # peft asks transformers by an old name
    "ignore::UserWarning:peft",  # of adapters that are refused here
)

TOKENS = list(range(0, 400, 7))
TARGETS = ["q_proj", "v_proj", "down_proj"]
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_checkpoint(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def adapter(base):
    return make_adapter(base, base.parent / "adapter", target_modules=TARGETS)


@pytest.fixture
def base_copy(base, tmp_path):
    return Path(shutil.copytree(base, tmp_path / "base"))


@pytest.fixture
def adapter_copy(adapter, tmp_path):
    return Path(shutil.copytree(adapter, tmp_path / "adapter"))


def adapted_logits(base, adapter):
    from peft import PeftModel

    return logits(PeftModel.from_pretrained(load(base), adapter), TOKENS)


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def assert_refused(base, adapter, out, reason):
    with pytest.raises(ConvertError, match=reason):
        merge(base, adapter, out)
    assert not list(out.parent.glob(f"*{out.name}*"))


def test_merged_weights_compute_what_the_adapted_model_computed(base, adapter, tmp_path):
    report = merge(base, adapter, tmp_path / "merged")
    merged, expected = load(tmp_path / "merged"), adapted_logits(base, adapter)
    assert np.abs(logits(load(base), TOKENS) - expected).max() > 0.1 * expected.std()
    assert np.abs(logits(merged, TOKENS) - expected).max() < 1e-4 * expected.std()
    assert report.proof.largest < 1e-4 < 0.1 < report.effect.largest
    assert report.proof.same_top == 1


def test_embeddings_stay_tied_and_everything_else_stays_as_it_was(base, adapter, tmp_path):
    report = merge(base, adapter, tmp_path / "merged")
    merged = load(tmp_path / "merged")
    assert report.tied
    assert merged.lm_head.weight is merged.model.embed_tokens.weight
    for name in (*TOKENIZER_FILES, "generation_config.json", "config.json", "README.md"):
        assert (tmp_path / "merged" / name).read_bytes() == (base / name).read_bytes()
    modes = {path.stat().st_mode for path in (tmp_path / "merged").iterdir()}
    assert len(modes) == 1, "who may read the settings may read the weights"
    before, after = load(base).state_dict(), merged.state_dict()
    changed = {name.split(".")[-2] for name in before if not before[name].equal(after[name])}
    assert changed == set(TARGETS)


def test_the_report_tells_what_was_merged(base, adapter, tmp_path):
    report = merge(base, adapter, tmp_path / "merged")
    assert report.modules == {"q_proj": 2, "v_proj": 2, "down_proj": 2}
    assert (report.ranks, report.scales, report.types) == ((4,), (4.0,), ("F32",))
    assert (report.eos, report.stops) == ("<|im_end|>", (1,))
    assert report.trained_on == str(base)
    written = (tmp_path / "merged" / "model.safetensors").read_bytes()
    assert report.files == {"model.safetensors": hashlib.sha256(written).hexdigest()}


def test_the_command_line_merges_and_prints_json(base, adapter, tmp_path, capsys):
    arguments = ["merge", "--base", str(base), "--adapter", str(adapter), "--out", str(tmp_path / "merged"), "--json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["modules"]["q_proj"] == 2
    assert main(arguments) == 2
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        {"use_dora": True},
        {"use_rslora": True},
        {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"q_proj": 32}},
        {"bias": "lora_only"},
        {"modules_to_save": ["norm"]},
    ],
)
def test_variants_of_lora_are_merged_rightly(base, tmp_path, options):
    adapter = make_adapter(base, tmp_path / "adapter", target_modules=TARGETS, **options)
    merge(base, adapter, tmp_path / "merged")
    expected = adapted_logits(base, adapter)
    assert np.abs(logits(load(tmp_path / "merged"), TOKENS) - expected).max() < 1e-4 * expected.std()


@pytest.mark.parametrize(
    "options",
    [
        {"target_modules": [*TARGETS, "lm_head", "embed_tokens"]},
        {"target_modules": TARGETS, "modules_to_save": ["lm_head"]},
    ],
)
def test_of_an_untied_base_head_and_embedding_can_be_trained(tmp_path, options):
    base = make_checkpoint(tmp_path / "base", tied=False)
    adapter = make_adapter(base, tmp_path / "adapter", **options)
    report = merge(base, adapter, tmp_path / "merged")
    expected = adapted_logits(base, adapter)
    assert not report.tied
    assert np.abs(logits(load(tmp_path / "merged"), TOKENS) - expected).max() < 1e-4 * expected.std()


@pytest.mark.parametrize(
    "options",
    [
        {"target_modules": ["embed_tokens"]},
        {"target_modules": ["lm_head"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens", "lm_head"]},
    ],
)
def test_an_adapter_on_tied_embeddings_is_refused(base, tmp_path, options):
    adapter = make_adapter(base, tmp_path / "adapter", **options)
    assert_refused(base, adapter, tmp_path / "merged", "untie its embeddings")


def pruned(folder):
    """Five of seven query heads are left: 80 wide in a model of 64."""
    import torch
    from transformers import AutoConfig, Qwen2ForCausalLM

    make_checkpoint(folder)
    config = AutoConfig.from_pretrained(folder)
    config.num_attention_heads, config.num_key_value_heads, config.head_dim = 5, 1, 16
    torch.manual_seed(1)
    Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


def test_a_pruned_base_whose_heads_are_not_as_wide_as_the_model_is_merged(tmp_path):
    base = pruned(tmp_path / "base")
    adapter = make_adapter(base, tmp_path / "adapter", target_modules=["q_proj", "o_proj"])
    merge(base, adapter, tmp_path / "merged")
    expected = adapted_logits(base, adapter)
    assert Checkpoint.open(tmp_path / "merged").shape.q_width == 80
    assert np.abs(logits(load(tmp_path / "merged"), TOKENS) - expected).max() < 1e-4 * expected.std()


def test_a_bf16_base_in_several_files_stays_so_and_its_rounding_is_reported(base_copy, adapter, tmp_path):
    import torch

    model = load(base_copy).to(torch.bfloat16)
    (base_copy / "model.safetensors").unlink()
    model.save_pretrained(base_copy, max_shard_size="60KB")
    report = merge(base_copy, adapter, tmp_path / "merged")
    weights = {path.name for path in base_copy.glob("*.safetensors*")}
    assert len(weights) > 3
    assert {path.name for path in (tmp_path / "merged").glob("*.safetensors*")} == weights
    assert report.types == ("BF16",)
    assert {tensor.dtype for tensor in Checkpoint.open(tmp_path / "merged").stored.values()} == {"BF16"}
    expected = adapted_logits(base_copy, adapter)
    rounding = np.abs(logits(load(tmp_path / "merged"), TOKENS) - expected).max() / expected.std()
    assert 1e-3 < report.rounding.largest < 0.1
    assert report.rounding.largest == pytest.approx(rounding, rel=0.5)


def enlarged(weights):
    return {name: weight * (1e6 if ".up_proj.lora_B" in name else 1) for name, weight in weights.items()}


def test_a_sum_that_does_not_fit_the_bases_type_is_refused_rather_than_made_infinite(tmp_path):
    base = make_checkpoint(tmp_path / "base", dtype="float16")
    adapter = make_adapter(base, tmp_path / "adapter", target_modules=["up_proj"])
    change_weights(adapter, enlarged, "adapter_model.safetensors")
    assert_refused(base, adapter, tmp_path / "merged", r"up_proj\.weight does not fit float16")


def test_a_head_stored_beside_the_embedding_it_is_tied_to_is_left_out(base_copy, adapter, tmp_path):
    change_weights(base_copy, lambda weights: weights | {"lm_head.weight": weights["model.embed_tokens.weight"].copy()})
    merge(base_copy, adapter, tmp_path / "merged")
    assert "lm_head.weight" not in Checkpoint.open(tmp_path / "merged").stored


def change_weights(folder, change, name="model.safetensors"):
    from safetensors.numpy import load_file, save_file

    save_file(change(load_file(folder / name)), folder / name, metadata={"format": "pt"})


UP = "model.layers.0.mlp.up_proj.weight"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda weights: {k: v for k, v in weights.items() if k != UP}, "not complete.*up_proj"),
        (lambda weights: weights | {UP: weights[UP][:-1]}, "up_proj.*wants"),
        (lambda weights: weights | {"model.layers.9.extra": weights[UP]}, "does not belong to this model"),
        (lambda weights: weights | {"lm_head.weight": weights["model.embed_tokens.weight"] + 1}, "tied.*differ"),
        (lambda weights: weights | {UP: weights[UP] * np.nan}, "not finite"),
    ],
)
def test_a_damaged_base_is_refused_instead_of_completed(base_copy, adapter, tmp_path, change, reason):
    change_weights(base_copy, change)
    assert_refused(base_copy, adapter, tmp_path / "merged", reason)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda weights: dict(list(weights.items())[1:]), "does not belong to this base"),
        (lambda weights: weights | {"base_model.model.model.layers.7.x.lora_A.weight": np.ones(2)}, "does not belong"),
        (lambda weights: {k: v[:, :-1] for k, v in weights.items()}, "no adapter for this base"),
        (lambda weights: {k: v * np.nan for k, v in weights.items()}, "not finite"),
    ],
)
def test_an_adapter_whose_weights_do_not_fit_is_refused(base, adapter_copy, tmp_path, change, reason):
    change_weights(adapter_copy, change, "adapter_model.safetensors")
    assert_refused(base, adapter_copy, tmp_path / "merged", reason)


def test_a_truncated_adapter_is_refused(base, adapter_copy, tmp_path):
    path = adapter_copy / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert_refused(base, adapter_copy, tmp_path / "merged", "no adapter for this base")


def test_an_adapter_for_another_base_is_refused(base, tmp_path):
    deeper = make_checkpoint(tmp_path / "deeper", layers=3)
    adapter = make_adapter(deeper, tmp_path / "adapter", target_modules=["q_proj"])
    assert_refused(base, adapter, tmp_path / "merged", "does not belong to this base")


def test_an_adapter_of_another_width_is_refused_with_the_first_matrix_that_does_not_fit(base, tmp_path):
    wider = make_checkpoint(tmp_path / "wider", hidden=128)
    adapter = make_adapter(wider, tmp_path / "adapter", target_modules=["q_proj"])
    assert_refused(base, adapter, tmp_path / "merged", r"layers\.0\.self_attn\.q_proj.*\[4, 128\].*\[4, 64\]")


def test_an_adapter_that_brings_embeddings_of_a_resized_vocabulary_is_refused(base, adapter_copy, tmp_path):
    name = "base_model.model.model.embed_tokens.weight"
    for rows, reason in ((424, "embed_tokens.weight is not what the base has"), (430, "no adapter for this base")):
        change_weights(
            adapter_copy,
            lambda weights, rows=rows: weights | {name: np.ones((rows, 64), np.float32)},
            "adapter_model.safetensors",
        )
        assert_refused(base, adapter_copy, tmp_path / "merged", reason)


def test_pickled_adapter_weights_are_refused(base, adapter_copy, tmp_path):
    (adapter_copy / "adapter_model.safetensors").rename(adapter_copy / "adapter_model.bin")
    assert_refused(base, adapter_copy, tmp_path / "merged", "pickled")
    (adapter_copy / "adapter_model.bin").unlink()
    assert_refused(base, adapter_copy, tmp_path / "merged", "has no adapter_model")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"peft_type": "IA3"}, "IA3"),
        ({"alora_invocation_tokens": [1, 2]}, "aLoRA"),
        ({"layer_replication": [[0, 2], [0, 2]]}, r"layers\.2\..* is not what the base has"),
        ({"r": 8}, "no adapter for this base"),
    ],
)
def test_adapters_that_merging_would_change_are_refused(base, adapter_copy, tmp_path, changes, reason):
    edit(adapter_copy / "adapter_config.json", **changes)
    assert_refused(base, adapter_copy, tmp_path / "merged", reason)


def test_an_adapter_lying_in_the_base_folder_is_not_added_unasked(base_copy, adapter, tmp_path):
    for path in adapter.glob("adapter_*"):
        shutil.copy(path, base_copy)
    assert_refused(base_copy, adapter, tmp_path / "merged", "contains an adapter, too")


def bring_tokenizer(base, adapter):
    for name in TOKENIZER_FILES:
        shutil.copy(base / name, adapter / name)


def spoil_tokens(folder):
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace("<eeg>", "<ecg>"))


def spoil_size(folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["added_tokens"].pop()
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def spoil_merges(folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["merges"].reverse()
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def spoil_eos(folder):
    edit(folder / "tokenizer_config.json", eos_token="<|endoftext|>")


def spoil_template(folder):
    path = folder / "chat_template.jinja"
    path.write_text(path.read_text().replace("assistant\n", "assistant: "))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoil_tokens, "the token '<e.g>'"),
        (spoil_size, "number of tokens .419 here, 418 there"),
        (spoil_merges, "merges"),
        (spoil_eos, r"end of an answer .<\|im_end\|> here, <\|endoftext\|> there"),
        (spoil_template, "the chat template"),
    ],
)
def test_an_adapter_trained_with_another_tokenizer_or_template_is_refused(base, adapter_copy, tmp_path, spoil, reason):
    bring_tokenizer(base, adapter_copy)
    spoil(adapter_copy)
    assert_refused(base, adapter_copy, tmp_path / "merged", reason)


def test_the_adapters_tokenizer_and_template_are_taken_where_the_base_has_none(base_copy, adapter_copy, tmp_path):
    bring_tokenizer(base_copy, adapter_copy)
    merge(base_copy, adapter_copy, tmp_path / "both")
    (base_copy / "chat_template.jinja").unlink()
    merge(base_copy, adapter_copy, tmp_path / "without-template")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (base_copy / name).unlink()
    merge(base_copy, adapter_copy, tmp_path / "without-tokenizer")
    for out in ("both", "without-template", "without-tokenizer"):
        for name in TOKENIZER_FILES:
            assert (tmp_path / out / name).read_bytes() == (adapter_copy / name).read_bytes()


def test_a_base_that_stops_elsewhere_than_its_tokenizer_says_is_refused(base_copy, adapter, tmp_path):
    edit(base_copy / "config.json", eos_token_id=0)
    edit(base_copy / "generation_config.json", eos_token_id=[0])
    assert_refused(base_copy, adapter, tmp_path / "merged", r"ends answers with <\|im_end\|> .1., but .* stop at 0")
    edit(base_copy / "generation_config.json", eos_token_id=[0, 1])
    assert merge(base_copy, adapter, tmp_path / "merged").stops == (0, 1)


def no_id(folder):
    edit(folder / "generation_config.json", eos_token_id=[[1]])


def eos_in_numbers(folder):
    edit(folder / "tokenizer_config.json", eos_token=1)


def template_in_a_list(folder):
    (folder / "chat_template.jinja").unlink()
    edit(folder / "tokenizer_config.json", chat_template=["x"])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(no_id, "no token's id"), (eos_in_numbers, "1 as eos_token"), (template_in_a_list, "chat_template that is no")],
)
def test_settings_of_another_kind_are_refused(base_copy, adapter, tmp_path, spoil, reason):
    spoil(base_copy)
    assert_refused(base_copy, adapter, tmp_path / "merged", reason)


def test_of_several_templates_the_default_one_is_kept(base_copy, adapter, tmp_path):
    (base_copy / "chat_template.jinja").unlink()
    named = [{"name": "tools", "template": "{{ tools }}"}, {"name": "default", "template": "{{ messages }}"}]
    edit(base_copy / "tokenizer_config.json", chat_template=named)
    merge(base_copy, adapter, tmp_path / "merged")
    assert (tmp_path / "merged" / "chat_template.jinja").read_text() == "{{ messages }}"


def test_more_tokens_than_rows_are_refused(base_copy, adapter, tmp_path):
    tokenizer = json.loads((base_copy / "tokenizer.json").read_text())
    last = tokenizer["added_tokens"][-1]
    tokenizer["added_tokens"] += [last | {"id": last["id"] + i, "content": f"<{i}>"} for i in range(1, 9)]
    (base_copy / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert_refused(base_copy, adapter, tmp_path / "merged", "427 tokens, the embedding only 424 rows")


def test_the_network_is_never_asked(base, adapter_copy, tmp_path, monkeypatch):
    edit(adapter_copy / "adapter_config.json", base_model_name_or_path="Qwen/Qwen2-0.5B", revision="a1b2c3")
    asked = []
    monkeypatch.setattr(socket.socket, "connect", lambda _self, address: asked.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *host, **_: asked.append(host) or [])
    report = merge(base, adapter_copy, tmp_path / "merged")
    assert asked == []
    assert report.trained_on == "Qwen/Qwen2-0.5B, revision a1b2c3"


def merge_on_a_full_disk(base, adapter, out):
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    merge(base, adapter, out)


def test_a_full_disk_leaves_nothing_behind(base, adapter, tmp_path):
    with pytest.raises(ConvertError, match="could not be written"):
        child_process.run(merge_on_a_full_disk, base, adapter, tmp_path / "merged")
    assert not list(tmp_path.iterdir())


def test_folders_that_are_not_there_are_one_sentence(base, tmp_path, capsys):
    out = str(tmp_path / "out")
    assert main(["merge", "--base", str(tmp_path / "no"), "--adapter", str(base), "--out", out]) == 2
    assert main(["merge", "--base", str(base), "--adapter", str(tmp_path / "no"), "--out", out]) == 2
    assert capsys.readouterr().err.count("\n") == 2
    assert not list(tmp_path.iterdir())
