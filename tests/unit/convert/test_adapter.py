"""A base in GGUF with the adapter in GGUF computes what peft computes, or there is no file."""

import ctypes
import json
import shutil
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest

pytest.importorskip("torch", reason="conversion needs requirements-dev.txt")
pytest.importorskip("peft", reason="conversion needs requirements-dev.txt")

from convert.__main__ import main
from convert.files import ConvertError
from convert.gguf import to_gguf
from convert.gguf.adapter import adapter_to_gguf
from convert.gguf_file import read_gguf
from copilot import child_process
from copilot.llm.llama_cpp import NativeModel
from tests.helpers.llama_cpp_converter import SOURCE
from tests.helpers.tiny_adapter import load, logits, make_adapter
from tests.helpers.tiny_checkpoint import make_checkpoint

# peft asks transformers for a property by its old name, and warns of what is refused here
pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
TOKENS = list(range(0, 400, 7))
#: What peft can make of it, and the base it is for.
KINDS = {
    "all modules": ("qwen2", {"target_modules": ALL}),
    "turned rows": ("narrow", {"target_modules": ALL}),
    "llama": ("llama", {"target_modules": ALL}),
    "rank-stabilised": ("qwen2", {"target_modules": ["q_proj", "down_proj"], "use_rslora": True}),
    "ranks and alphas by pattern": (
        "qwen2",
        {
            "target_modules": ALL,
            "rank_pattern": {"q_proj": 7, "layers.1.mlp.up_proj": 2},
            "alpha_pattern": {"v_proj": 3},
        },
    ),
    "head": ("qwen2", {"target_modules": ["lm_head", "v_proj"]}),
}
REFUSED = {
    "DoRA": ({"target_modules": ["q_proj"], "use_dora": True}, "use_dora = True"),
    "biases": ({"target_modules": ["q_proj"], "bias": "lora_only"}, "bias = lora_only"),
    "bias of B": ({"target_modules": ["q_proj"], "lora_bias": True}, "lora_bias = True"),
    "whole modules": ({"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]}, "modules_to_save"),
    "some tokens": ({"target_modules": ["q_proj"], "trainable_token_indices": [1, 2]}, "trainable_token_indices"),
    "embedding": ({"target_modules": ["embed_tokens"]}, "embed_tokens.lora_embedding_A"),
    "moved base": ({"target_modules": ["q_proj"], "init_lora_weights": "pissa"}, "init_lora_weights = pissa"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("adapters")


@pytest.fixture(scope="module")
def bases(folder):
    """Checkpoints by name, none with tied embeddings, each with its GGUF in F32."""
    made = {
        "qwen2": make_checkpoint(folder / "qwen2", tied=False),
        "narrow": make_checkpoint(folder / "narrow", tied=False, heads=2, kv_heads=1, head_dim=16),
        "llama": make_checkpoint(folder / "llama", tied=False, llama=True),
    }
    for path in made.values():
        to_gguf(path, path.with_suffix(".gguf"), type="f32")
    return made


@pytest.fixture(scope="module")
def adapter(folder, bases):
    return make_adapter(bases["qwen2"], folder / "plain", target_modules=ALL)


@pytest.fixture
def copy(adapter, tmp_path):
    return Path(shutil.copytree(adapter, tmp_path / "copy"))


def adapted_logits(base, adapter, tokens):
    """What llama.cpp computes with the adapter on top; shape (tokens, vocabulary)."""
    import llama_cpp

    native = NativeModel(base, threads=1, context=128, exact=True)
    loaded = llama_cpp.llama_adapter_lora_init(native._model, str(adapter).encode())
    if not loaded:
        raise ConvertError("llama.cpp refuses the adapter.")
    one = (ctypes.POINTER(ctypes.c_void_p) * 1)(ctypes.cast(loaded, ctypes.POINTER(ctypes.c_void_p)))
    assert llama_cpp.llama_set_adapters_lora(native._context, one, 1, (ctypes.c_float * 1)(1.0)) == 0
    return np.stack([row.copy() for row in native.all_logits(tokens)])


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("kind", KINDS)
def test_base_and_adapter_compute_what_peft_computes(bases, tmp_path, kind):
    from peft import PeftModel

    base, options = bases[KINDS[kind][0]], KINDS[kind][1]
    folder = make_adapter(base, tmp_path / "adapter", **options)
    adapter_to_gguf(folder, base, tmp_path / "adapter.gguf", type="f32")
    ours = child_process.run(adapted_logits, base.with_suffix(".gguf"), tmp_path / "adapter.gguf", TOKENS)
    plain = logits(load(base), TOKENS)
    theirs = logits(PeftModel.from_pretrained(load(base), folder), TOKENS)
    assert np.abs(plain - theirs).max() > 0.1 * theirs.std()
    assert np.abs(ours - theirs).max() < 0.01 * theirs.std()
    assert (ours.argmax(1) == theirs.argmax(1)).all()


def test_the_numbers_are_the_adapters_in_the_type_asked_for(bases, adapter, tmp_path):
    from safetensors.numpy import load_file

    report = adapter_to_gguf(adapter, bases["qwen2"], tmp_path / "adapter.gguf")
    stored = load_file(adapter / "adapter_model.safetensors")[
        "base_model.model.model.layers.1.mlp.up_proj.lora_B.weight"
    ]
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(tmp_path / "adapter.gguf").tensors}
    assert report.tensors == len(tensors) == 2 * 2 * len(ALL)
    assert {tensor.tensor_type.name for tensor in tensors.values()} == {"F16"}
    assert (tensors["blk.1.ffn_up.weight.lora_b"].data == stored.astype(np.float16)).all()


def test_it_says_what_it_is_and_what_it_belongs_to(bases, adapter, tmp_path):
    adapter_to_gguf(adapter, bases["qwen2"], tmp_path / "adapter.gguf")
    metadata = read_gguf(tmp_path / "adapter.gguf").metadata
    assert metadata["general.type"] == "adapter"
    assert metadata["adapter.type"] == "lora"
    assert metadata["adapter.lora.alpha"] == 16.0
    assert metadata["general.architecture"] == "qwen2"
    assert metadata["general.base_model.0.name"] == "Tiny Copilot"
    assert not any(str(bases["qwen2"]) in str(value) for value in metadata.values())


def test_a_base_on_the_hub_is_named_as_there(bases, copy, tmp_path):
    card = copy / "README.md"
    card.write_text(card.read_text().replace(str(bases["qwen2"]), "Qwen/Qwen2-0.5B"))
    adapter_to_gguf(copy, bases["qwen2"], tmp_path / "adapter.gguf")
    metadata = read_gguf(tmp_path / "adapter.gguf").metadata
    assert metadata["general.base_model.0.repo_url"] == "https://huggingface.co/Qwen/Qwen2-0.5B"


@pytest.mark.parametrize("name", ["qwen2", "llama"])
@pytest.mark.parametrize("kind", ["f32", "f16", "bf16"])
def test_llama_cpps_own_converter_writes_the_same(bases, tmp_path, name, kind):
    script = SOURCE / "convert_lora_to_gguf.py"
    if not script.is_file():
        pytest.skip(f"llama.cpp's converter is not in {SOURCE}; make build/llama.cpp fetches it")
    folder = make_adapter(bases[name], tmp_path / "adapter", target_modules=ALL)
    card = folder / "README.md"
    card.write_text(card.read_text().replace(str(bases[name]), "Qwen/Qwen2-0.5B"))
    ours, theirs = tmp_path / "ours.gguf", tmp_path / "theirs.gguf"
    adapter_to_gguf(folder, bases[name], ours, type=kind)
    command = [sys.executable, script, folder, "--base", bases[name], "--outfile", theirs, "--outtype", kind]
    process = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.returncode == 0, process.stdout
    assert tensors_of(ours) == tensors_of(theirs)
    mine = read_gguf(ours).metadata
    differing = {key: value for key, value in read_gguf(theirs).metadata.items() if mine.get(key) != value}
    assert differing == {}
    assert mine.keys() - read_gguf(theirs).metadata.keys() <= {"general.file_type"}


def tensors_of(path):
    tensors = gguf.GGUFReader(path).tensors
    return {tensor.name: (tensor.tensor_type, tuple(tensor.shape), tensor.data.tobytes()) for tensor in tensors}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_a_gguf_lora_cannot_hold_is_refused(bases, tmp_path, kind):
    options, reason = REFUSED[kind]
    folder = make_adapter(bases["qwen2"], tmp_path / "adapter", **options)
    with pytest.raises(ConvertError, match=reason):
        adapter_to_gguf(folder, bases["qwen2"], tmp_path / "adapter.gguf")
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_a_setting_that_nobody_knows_yet_is_refused(bases, copy, tmp_path):
    edit(copy / "adapter_config.json", use_something_new=True)
    with pytest.raises(ConvertError, match="use_something_new"):
        adapter_to_gguf(copy, bases["qwen2"], tmp_path / "adapter.gguf")


def test_the_head_of_tied_embeddings_is_refused(tmp_path):
    base = make_checkpoint(tmp_path / "tied")
    adapter = make_adapter(base, tmp_path / "adapter", target_modules=["lm_head"])
    with pytest.raises(ConvertError, match="untie them first"):
        adapter_to_gguf(adapter, base, tmp_path / "adapter.gguf")


def spoil_weights(folder):
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-500])


def spoil_pair(folder):
    from safetensors.numpy import load_file, save_file

    weights = load_file(folder / "adapter_model.safetensors")
    del weights["base_model.model.model.layers.0.mlp.up_proj.lora_A.weight"]
    save_file(weights, folder / "adapter_model.safetensors")


def spoil_numbers(folder):
    from safetensors.numpy import load_file, save_file

    weights = load_file(folder / "adapter_model.safetensors")
    weights["base_model.model.model.layers.0.mlp.up_proj.lora_A.weight"][1, 2] = np.inf
    save_file(weights, folder / "adapter_model.safetensors")


def spoil_kind(folder):
    edit(folder / "adapter_config.json", peft_type="LOHA")


def spoil_alpha(folder):
    edit(folder / "adapter_config.json", lora_alpha=0)


def spoil_pattern(folder):
    edit(folder / "adapter_config.json", alpha_pattern={"(": 3})


def spoil_config(folder):
    (folder / "adapter_config.json").unlink()


def remove_weights(folder):
    (folder / "adapter_model.safetensors").unlink()


def spoil_card(folder):
    (folder / "README.md").write_text("---\nlicense: [\n---\n")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoil_weights, "damaged or cut short"),
        (spoil_pair, "layers.0.mlp.up_proj has only one"),
        (spoil_numbers, "not finite"),
        (spoil_kind, "type LOHA"),
        (spoil_alpha, "lora_alpha"),
        (spoil_pattern, "alpha_pattern"),
        (spoil_config, "adapter_config.json cannot be read"),
        (remove_weights, "has no adapter_model.safetensors"),
        (spoil_card, "front matter"),
    ],
)
def test_what_is_damaged_is_one_sentence_and_no_file(bases, copy, tmp_path, capsys, spoil, reason):
    spoil(copy)
    out = tmp_path / "out" / "adapter.gguf"
    assert main(["gguf", str(bases["qwen2"]), "--adapter", str(copy), "--out", str(out)]) == 2
    message = capsys.readouterr().err.strip()
    assert reason in message
    assert len(message.splitlines()) == 1
    assert not list(out.parent.glob("*"))


def test_a_head_trained_on_another_base_is_refused(bases, tmp_path):
    adapter = make_adapter(bases["qwen2"], tmp_path / "adapter", target_modules=["lm_head"])
    other = make_checkpoint(tmp_path / "other", tied=False, initializer_range=0.3)
    with pytest.raises(ConvertError, match=r"trained on another lm_head\.weight"):
        adapter_to_gguf(adapter, other, tmp_path / "adapter.gguf")


def test_an_adapter_of_another_base_is_refused(bases, adapter, tmp_path):
    with pytest.raises(ConvertError, match="does not belong to this base"):
        adapter_to_gguf(adapter, bases["narrow"], tmp_path / "adapter.gguf")


def test_the_command_line_writes_it(bases, adapter, tmp_path, capsys):
    out = tmp_path / "adapter.gguf"
    assert main(["gguf", str(bases["qwen2"]), "--adapter", str(adapter), "--out", str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["bytes"] == out.stat().st_size
    assert report["architecture"] == "qwen2"
