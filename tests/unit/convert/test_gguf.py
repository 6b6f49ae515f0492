"""What the conversion promises: the file computes, cuts text and talks as the checkpoint did, or there is no file."""

import hashlib
import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import gguf
import numpy as np
import pytest

pytest.importorskip("torch", reason="conversion needs requirements-dev.txt")

from convert.__main__ import main
from convert.files import ConvertError
from convert.gguf import to_gguf
from convert.gguf.vocabulary import PRE_TOKENIZERS
from convert.gguf_file import read_gguf
from copilot.llm.llama_cpp import NativeModel
from tests.external.test_llama_cpp_converter import LLAMA3
from tests.helpers.qwen2_tokenizer import ROWS, make_qwen2_tokenizer
from tests.helpers.same_logits import PROMPTS, assert_same_logits, load
from tests.helpers.tiny_checkpoint import SHAPES, TEMPLATE, make_checkpoint, make_llama_tokenizer, make_tokenizer

ROOT = Path(__file__).parents[3]
CHAT = [
    {"role": "system", "content": "You read EEG."},
    {"role": "user", "content": "Am I calm?\nSay it plainly."},
    {"role": "assistant", "content": "Rather calm."},
    {"role": "user", "content": "How sure?"},
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return make_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny")


@pytest.fixture(scope="module")
def f32(checkpoint):
    out = checkpoint.parent / "tiny-f32.gguf"
    to_gguf(checkpoint, out, type="f32", metadata={"codec": "bands", "prompt_version": "1"})
    return out


@pytest.fixture
def copy(checkpoint, tmp_path):
    return Path(shutil.copytree(checkpoint, tmp_path / "copy"))


def hf_tokenizer(folder):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def tensors(path):
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


# --- what the file computes -------------------------------------------------------------------------------------------


def pruned_qwen2():
    return {"heads": 2, "kv_heads": 1, "head_dim": 16}


def untied_qwen2():
    return {"tied": False}


def qwen2_for_longer_texts():
    return {"head_dim": 16, "rope_parameters": LLAMA3}


def llama():
    return {"llama": True}


def llama_with_biases():
    return {"llama": True, "attention_bias": True}


def llama_for_longer_texts():
    return {"llama": True, "head_dim": 32, "rope_parameters": LLAMA3}


@pytest.mark.parametrize(
    ("options", "architecture"),
    [
        (dict, "qwen2"),
        (untied_qwen2, "qwen2"),
        (pruned_qwen2, "llama"),
        (qwen2_for_longer_texts, "llama"),
        (llama, "llama"),
        (llama_with_biases, "llama"),
        (llama_for_longer_texts, "llama"),
    ],
)
def test_llama_cpp_computes_and_tokenizes_as_transformers_does(tmp_path, options, architecture):
    folder = make_checkpoint(tmp_path / "model", **options())
    assert to_gguf(folder, tmp_path / "model.gguf", type="f32").architecture == architecture
    assert_same_logits(folder, tmp_path / "model.gguf")


@pytest.mark.parametrize("shape", SHAPES)
def test_so_it_does_in_the_pruned_shapes_with_qwen2_s_own_vocabulary(tmp_path, shape):
    folder = make_checkpoint(tmp_path / "model", **SHAPES[shape], tokenizer=make_qwen2_tokenizer(), rows=ROWS)
    to_gguf(folder, tmp_path / "model.gguf", type="f32")
    assert_same_logits(folder, tmp_path / "model.gguf")


def test_bf16_checkpoints_in_several_files_keep_their_exact_numbers(checkpoint, tmp_path):
    import torch

    load(checkpoint).to(torch.bfloat16).save_pretrained(tmp_path / "sharded", max_shard_size="60KB")
    for path in (*checkpoint.glob("*token*"), checkpoint / "chat_template.jinja"):
        shutil.copy(path, tmp_path / "sharded")
    assert len(list((tmp_path / "sharded").glob("model-*.safetensors"))) > 1
    to_gguf(tmp_path / "sharded", tmp_path / "bf16.gguf", type="bf16")
    written = tensors(tmp_path / "bf16.gguf")["blk.1.attn_k.weight"]
    expected = load(tmp_path / "sharded").model.layers[1].self_attn.k_proj.weight.detach().numpy()
    assert written.tensor_type.name == "BF16"
    assert (gguf.dequantize(written.data, written.tensor_type) == expected).all()


def test_matrices_get_the_type_asked_for_and_the_rest_stays_f32(checkpoint, tmp_path):
    to_gguf(checkpoint, tmp_path / "f16.gguf")
    for tensor in tensors(tmp_path / "f16.gguf").values():
        assert tensor.tensor_type.name == ("F16" if len(tensor.shape) == 2 else "F32"), tensor.name


# --- how it cuts text and talks ---------------------------------------------------------------------------------------


def steps_of(name):
    from tokenizers import Regex, pre_tokenizers

    made = {
        "digits": lambda: pre_tokenizers.Digits(individual_digits=True),
        "words as bytes": lambda: pre_tokenizers.ByteLevel(add_prefix_space=False),
        "bytes": lambda: pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    }
    steps, whole_words = next(key for key, value in PRE_TOKENIZERS.items() if value == name)
    found = [made[step]() if step in made else pre_tokenizers.Split(Regex(step), "isolated") for step in steps]
    return found, whole_words


@pytest.mark.parametrize("name", PRE_TOKENIZERS.values())
def test_each_known_way_to_cut_text_gives_the_same_tokens(tmp_path, name):
    steps, whole_words = steps_of(name)
    tokenizer = make_llama_tokenizer(steps, whole_words=whole_words)
    make_checkpoint(tmp_path / "model", llama=True, tokenizer=tokenizer)
    to_gguf(tmp_path / "model", tmp_path / "model.gguf")
    assert read_gguf(tmp_path / "model.gguf").metadata["tokenizer.ggml.pre"] == name
    model = NativeModel(tmp_path / "model.gguf", threads=1, context=64)
    for prompt in PROMPTS:
        assert model.tokenize(prompt, control=True) == tokenizer.encode(prompt, add_special_tokens=False)
    assert model.first_token == tokenizer.bos_token_id
    model.close()


def test_stops_and_token_kinds_survive(tmp_path):
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(["<|looks_like_control|>"])
    make_checkpoint(tmp_path / "model", tokenizer=tokenizer)
    to_gguf(tmp_path / "model", tmp_path / "model.gguf")
    names = ("<|im_end|>", "<|endoftext|>", "<eeg>", "<|looks_like_control|>")
    end, pad, eeg, control = (tokenizer.convert_tokens_to_ids(name) for name in names)
    keys = read_gguf(tmp_path / "model.gguf").metadata
    kinds = keys["tokenizer.ggml.token_type"]
    assert keys["tokenizer.ggml.eos_token_id"] == keys["tokenizer.ggml.eot_token_id"] == end
    assert keys["tokenizer.ggml.bos_token_id"] == keys["tokenizer.ggml.padding_token_id"] == pad
    assert keys["tokenizer.ggml.add_bos_token"] is False
    assert [kinds[i] for i in (end, control, eeg, 60, -1)] == [3, 3, 4, 1, 5]
    model = NativeModel(tmp_path / "model.gguf", threads=1, context=64)
    assert model.ends_answer(end)
    assert len(model.tokenize("<|looks_like_control|>", control=False)) > 1
    model.close()


def test_the_chat_template_renders_the_same_conversation(checkpoint, f32):
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    template = read_gguf(f32).metadata["tokenizer.chat_template"]
    rendered = Jinja2ChatFormatter(template, eos_token="<|im_end|>", bos_token="<|endoftext|>")(messages=CHAT).prompt
    expected = hf_tokenizer(checkpoint).apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True)
    assert template == TEMPLATE
    assert rendered == expected


def test_the_file_says_what_it_is_and_how_to_feed_it(f32):
    keys = read_gguf(f32).metadata
    assert keys["general.name"] == "Tiny Copilot"
    assert keys["general.license"] == "apache-2.0"
    assert keys["general.languages"] == ["en", "de"]
    assert keys["general.description"] == "A model for tests."
    assert keys["eeg_copilot.codec"] == "bands"
    assert keys["qwen2.rope.freq_base"] == 20000.0


def test_a_checkpoint_without_a_card_is_called_as_its_folder(copy, tmp_path):
    (copy / "README.md").unlink()
    edit(copy / "config.json", _name_or_path="")
    to_gguf(copy, tmp_path / "model.gguf")
    assert read_gguf(tmp_path / "model.gguf").metadata["general.name"].lower() == "copy"


@pytest.mark.parametrize(
    ("card", "name"),
    [("---\nlicense: mit\n---\n", "Given"), ("", "Given"), ("---\nname: Its Own\n---\n", "Its Own")],
)
def test_a_name_that_is_given_counts_where_the_card_has_none(copy, tmp_path, card, name):
    (copy / "README.md").write_text(card)
    to_gguf(copy, tmp_path / "model.gguf", name="Given")
    assert read_gguf(tmp_path / "model.gguf").metadata["general.name"] == name


# --- the command line -------------------------------------------------------------------------------------------------


def test_the_report_says_what_was_written(checkpoint, tmp_path, capsys):
    out, keys = tmp_path / "model.gguf", tmp_path / "keys.json"
    keys.write_text('{"codec": "letters"}')
    assert main(["gguf", str(checkpoint), "--out", str(out), "--type", "bf16", "--metadata", str(keys), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert report["bytes"] == out.stat().st_size
    assert report["tensors"] == len(read_gguf(out).tensors)
    assert report["parameters"] == read_gguf(out).parameters
    assert (report["type"], report["architecture"]) == ("bf16", "qwen2")
    assert read_gguf(out).metadata["eeg_copilot.codec"] == "letters"


def test_the_same_checkpoint_gives_the_same_bytes(checkpoint, tmp_path):
    first, second = (to_gguf(checkpoint, tmp_path / name) for name in ("a.gguf", "b.gguf"))
    assert first.sha256 == second.sha256


# --- what is refused --------------------------------------------------------------------------------------------------


def config(**changes):
    return lambda folder: edit(folder / "config.json", **changes)


def tokenizer_json(change):
    def spoil(folder):
        path = folder / "tokenizer.json"
        value = json.loads(path.read_text())
        change(value)
        path.write_text(json.dumps(value))

    return spoil


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


def remove(name):
    return lambda folder: (folder / name).unlink()


def sentencepiece(folder):
    (folder / "tokenizer.json").rename(folder / "tokenizer.model")


def no_end_of_text(folder):
    edit(folder / "tokenizer_config.json", eos_token=None)
    edit(folder / "config.json", eos_token_id=None)


def truncate(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def header(change):
    """Rewrite the header of the safetensors file, its data as they are."""

    def spoil(folder):
        path = folder / "model.safetensors"
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        changed = json.dumps(change(json.loads(data[8 : 8 + length]))).encode()
        path.write_bytes(struct.pack("<Q", len(changed)) + changed + data[8 + length :])

    return spoil


def place(name, start, end):
    return header(lambda tensors: tensors | {name: tensors[name] | {"data_offsets": [start, end]}})


def shaped(name, shape):
    return header(lambda tensors: tensors | {name: tensors[name] | {"shape": shape}})


def long_header(folder):
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 2**62) + b"{}")


def a_number_that_is_not_finite(folder):
    from safetensors.numpy import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][3] = np.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def outdated_file(folder):
    shutil.copy(folder / "model.safetensors", folder / "model-00001-of-00002.safetensors")


def index_to_elsewhere(folder):
    """An index that names a file outside the folder, which holds all the weights."""
    (folder / "model.safetensors").rename(folder.parent / "elsewhere.safetensors")
    names = {"model.norm.weight": "../elsewhere.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))


NORM = "model.norm.weight"
REFUSED = {
    "another architecture": (config(architectures=["BertModel"]), "BertModel"),
    "no architecture": (config(architectures=7), "nameless"),
    "heads that do not fit the weights": (config(head_dim=32), "k_proj"),
    "heads that share keys unevenly": (config(num_key_value_heads=3), "evenly"),
    "a rotary embedding of another kind": (config(rope_parameters={"rope_type": "yarn", "rope_theta": 1e4}), "llama3"),
    "half a llama3 scaling": (config(rope_parameters={"rope_type": "llama3", "rope_theta": 1e4}), "low_freq_factor"),
    "a rotary embedding that is a list": (config(rope_parameters=[1]), "Rotary"),
    "kinds of layers in a number": (config(layer_types=5), "layer_types"),
    "sliding windows": (config(use_sliding_window=True), "windows"),
    "feed-forward biases": (config(mlp_bias=True), "feed-forward biases"),
    "a width of zero": (config(hidden_size=0), "hidden_size"),
    "a width in words": (config(hidden_size="64"), "hidden_size"),
    "a negative context": (config(max_position_embeddings=-1), "max_position_embeddings"),
    "more heads than numbers": (config(num_attention_heads=10**6), "head_dim"),
    "billions of layers": (config(num_hidden_layers=2 * 10**9), "layers"),
    "a norm that divides by nothing": (config(rms_norm_eps=None), "rms_norm_eps"),
    "a number too large for 64 bits": (config(vocab_size=10**40), "vocab_size"),
    "fewer rows than tokens": (config(vocab_size=300), "embed_tokens"),
    "half a configuration": (write("config.json", '{"architectures": ['), "not valid JSON"),
    "a configuration that is a list": (write("config.json", "[]"), "config.json"),
    "no configuration": (remove("config.json"), "cannot be read"),
    "no weights": (remove("model.safetensors"), "not complete"),
    "truncated weights": (truncate, "damaged"),
    "a header longer than the file": (long_header, "damaged"),
    "numbers beyond the file": (place(NORM, 0, 2**60), "damaged"),
    "numbers before the file": (place(NORM, -256, 0), "damaged"),
    "numbers that are another tensor's": (place(NORM, 0, 256), "damaged"),
    "negative sizes": (shaped(NORM, [-64]), "damaged"),
    "sizes that overflow": (shaped(NORM, [2**63, 2**63]), "damaged"),
    "sizes in words": (shaped(NORM, "64"), "damaged"),
    "numbers that are not finite": (a_number_that_is_not_finite, "finite"),
    "the same tensor in two files": (outdated_file, "outdated"),
    "an index that leads elsewhere": (index_to_elsewhere, "not complete"),
    "no tokenizer": (remove("tokenizer.json"), "no tokenizer.json"),
    "a SentencePiece tokenizer": (sentencepiece, "SentencePiece"),
    "half a tokenizer": (write("tokenizer.json", '{"model": {"type": "BPE", "vocab": {"a": '), "damaged"),
    "a tokenizer nested too deeply": (write("tokenizer.json", '{"post_processor": ' + "[" * 50_000), "damaged"),
    "a tokenizer that is a list": (write("tokenizer.json", "[]"), "damaged"),
    "another kind of tokenizer": (tokenizer_json(lambda t: t["model"].update(type="Unigram")), "BPE"),
    "a tokenizer that lowers letters": (
        tokenizer_json(lambda t: t.update(normalizer={"type": "Lowercase"})),
        "changes",
    ),
    "another way to cut text": (tokenizer_json(lambda t: t["model"].update(ignore_merges=True)), "splits text"),
    "an id in words": (
        tokenizer_json(lambda t: t["model"]["vocab"].update(a="x")),
        "has id x",
    ),
    "an id beyond the embedding": (tokenizer_json(lambda t: t["model"]["vocab"].update(zzz=10**9)), "rows"),
    "a negative id": (tokenizer_json(lambda t: t["model"]["vocab"].update(zzz=-1)), "rows"),
    "two tokens with one id": (tokenizer_json(lambda t: t["model"]["vocab"].update(zzz=60)), "same id"),
    "a merge of nothing": (tokenizer_json(lambda t: t["model"]["merges"].append(["zz", "qq"])), "merges 'zz' and 'qq'"),
    "a merge of three": (tokenizer_json(lambda t: t["model"]["merges"].append(["a", "b", "c"])), "damaged"),
    "added tokens in words": (tokenizer_json(lambda t: t.update(added_tokens=["<eeg>"])), "damaged"),
    "half a tokenizer_config": (write("tokenizer_config.json", '{"eos_'), "damaged"),
    "no chat template": (remove("chat_template.jinja"), "chat template"),
    "no end-of-text token": (no_end_of_text, "end-of-text"),
    "a damaged card": (write("README.md", "---\nlicense: [\n---\n"), "README.md"),
    "a licence that is a number": (write("README.md", "---\nlicense: {a: 5}\n---\n"), "README.md"),
    "a temperature in words": (write("generation_config.json", '{"temperature": "hot"}'), "generation_config"),
    "a temperature beyond float32": (write("generation_config.json", '{"temperature": 1e300}'), "generation_config"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_converted_is_refused_in_one_sentence(copy, tmp_path, capsys, case):
    spoil, reason = REFUSED[case]
    spoil(copy)
    out = tmp_path / "out" / "model.gguf"
    assert main(["gguf", str(copy), "--out", str(out)]) == 2
    printed = capsys.readouterr()
    assert reason in printed.err
    assert len(printed.err.strip().splitlines()) == 1
    assert len(printed.err) < 400
    assert printed.out == ""
    assert not out.parent.exists() or list(out.parent.iterdir()) == []


def test_numbers_too_large_for_f16_are_refused_rather_than_made_infinite(tmp_path):
    from safetensors.numpy import load_file, save_file

    folder = make_checkpoint(tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.1.mlp.up_proj.weight"][0, 0] = 70_000
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConvertError, match=r"ffn_up.*F16; try f32 or bf16"):
        to_gguf(folder, tmp_path / "f16.gguf")
    to_gguf(folder, tmp_path / "bf16.gguf", type="bf16")


def test_a_file_of_the_checkpoint_is_never_replaced(copy, capsys):
    before = (copy / "model.safetensors").read_bytes()
    assert main(["gguf", str(copy), "--out", str(copy / "model.safetensors")]) == 2
    assert "belongs to the checkpoint" in capsys.readouterr().err
    assert (copy / "model.safetensors").read_bytes() == before


def test_metadata_that_is_not_text_is_refused(checkpoint, tmp_path, capsys):
    (tmp_path / "keys.json").write_text('{"temperature": 0.7}')
    out = tmp_path / "model.gguf"
    assert main(["gguf", str(checkpoint), "--out", str(out), "--metadata", str(tmp_path / "keys.json")]) == 2
    assert "text" in capsys.readouterr().err
    assert not out.exists()


# --- interrupted, out of disk -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Large enough to be interrupted in the middle."""
    return make_checkpoint(tmp_path_factory.mktemp("large") / "model", hidden=256, layers=1, rows=100_000)


def start(folder, out, **options):
    command = [sys.executable, "-m", "convert", "gguf", str(folder), "--out", str(out), "--type", "bf16"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_interrupted_it_leaves_nothing_and_the_earlier_file_alone(large, tmp_path, number):
    out = tmp_path / "model.gguf"
    out.write_text("earlier")
    process = start(large, out)
    until = time.monotonic() + 60
    while not any(path.stat().st_size > 2**20 for path in tmp_path.glob(".*.partial")) and time.monotonic() < until:
        time.sleep(0.001)
    process.send_signal(number)
    printed, errors = process.communicate(timeout=60)
    assert (process.returncode, printed, errors) == (2, "", "Interrupted; nothing unfinished was kept.\n")
    assert out.read_text() == "earlier"
    assert os.listdir(tmp_path) == ["model.gguf"]


def test_out_of_disk_it_says_so_and_leaves_nothing(large, tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (10 * 2**20, 10 * 2**20))

    process = start(large, tmp_path / "model.gguf", preexec_fn=limit)
    printed, errors = process.communicate(timeout=60)
    assert (process.returncode, printed) == (2, "")
    assert "could not be written: File too large." in errors
    assert len(errors.splitlines()) == 1
    assert os.listdir(tmp_path) == []
