"""What the conversion promises: the file computes, cuts text and talks as the checkpoint did, or there is no file."""

import hashlib
import json
import shutil
from pathlib import Path

import gguf
import numpy as np
import pytest

pytest.importorskip("torch", reason="conversion needs requirements-dev.txt")
pytest.importorskip("peft", reason="conversion needs requirements-dev.txt")

from convert.__main__ import main
from convert.files import ConvertError, written_whole
from convert.merge import merge
from convert.quantize import quantize
from convert.to_gguf import to_gguf
from tests.tiny_checkpoint import make_checkpoint

# peft asks transformers for a property by its old name
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

TEXTS = [
    "How sure are you?",
    "It's 12345 samples, isn't it?  3.14",
    "Two\n\nlines\r\n  and\ttabs   ",
    "Überraschung 你好 🙂 naïve señor",
    "<|im_start|>user\nhello<eeg> there<|im_end|>\n",
    "a b c d z",
    " ",
]
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


@pytest.fixture(scope="module")
def adapter(checkpoint):
    return make_adapter(checkpoint, checkpoint.parent / "adapter", target_modules=["q_proj", "v_proj", "down_proj"])


@pytest.fixture
def copy(checkpoint, tmp_path):
    return Path(shutil.copytree(checkpoint, tmp_path / "copy"))


def make_adapter(base, folder, **options):
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(3)
    adapted = get_peft_model(load(base), LoraConfig(r=4, lora_alpha=16, task_type="CAUSAL_LM", **options))
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:  # B starts as zeros: an adapter that changes nothing
                parameter.copy_(0.1 * torch.randn_like(parameter))
    adapted.save_pretrained(folder)
    return folder


def load(folder):
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return model.eval()


def logits(model, tokens):
    import torch

    with torch.no_grad():
        return model(input_ids=torch.tensor([tokens])).logits[0].numpy()


def hf_tokenizer(folder):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def llama(path, **options):
    from llama_cpp import Llama

    return Llama(str(path), n_ctx=256, n_threads=1, n_threads_batch=1, verbose=False, **options)


def llama_logits(path, tokens):
    model = llama(path, logits_all=True, type_k=0, type_v=0)  # a cache in F32: the default F16 rounds
    model.eval(tokens)
    scores = np.array(model.scores[: len(tokens)])
    model.close()
    return scores


def field(path, key):
    return gguf.GGUFReader(path).get_field(key).contents()


def assert_same_logits(ours, theirs):
    assert (ours.argmax(axis=1) == theirs.argmax(axis=1)).all()
    assert np.abs(ours - theirs).max() < 0.01 * theirs.std()


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_llama_cpp_computes_what_the_checkpoint_computes(checkpoint, f32):
    tokens = list(np.random.default_rng(0).integers(0, 418, 100).tolist())
    assert_same_logits(llama_logits(f32, tokens), logits(load(checkpoint), tokens))


def test_an_untied_head_is_written_and_used(tmp_path):
    folder = make_checkpoint(tmp_path / "untied", tied=False)
    to_gguf(folder, tmp_path / "untied.gguf", type="f32")
    tokens = list(range(5, 45))
    assert_same_logits(llama_logits(tmp_path / "untied.gguf", tokens), logits(load(folder), tokens))


def test_bf16_checkpoints_in_several_files_keep_their_exact_numbers(checkpoint, tmp_path):
    import torch

    load(checkpoint).to(torch.bfloat16).save_pretrained(tmp_path / "sharded", max_shard_size="60KB")
    for path in checkpoint.glob("*token*"):
        shutil.copy(path, tmp_path / "sharded")
    shutil.copy(checkpoint / "chat_template.jinja", tmp_path / "sharded")
    assert len(list((tmp_path / "sharded").glob("model-*.safetensors"))) > 1
    to_gguf(tmp_path / "sharded", tmp_path / "bf16.gguf", type="bf16")
    written = next(t for t in gguf.GGUFReader(tmp_path / "bf16.gguf").tensors if t.name == "blk.1.attn_k.weight")
    expected = load(tmp_path / "sharded").model.layers[1].self_attn.k_proj.weight.detach().numpy()
    assert written.tensor_type.name == "BF16"
    assert (gguf.dequantize(written.data, written.tensor_type) == expected).all()


def test_matrices_get_the_type_asked_for_and_the_rest_stays_f32(checkpoint, tmp_path):
    to_gguf(checkpoint, tmp_path / "f16.gguf")
    for tensor in gguf.GGUFReader(tmp_path / "f16.gguf").tensors:
        assert tensor.tensor_type.name == ("F16" if len(tensor.shape) == 2 else "F32"), tensor.name


@pytest.mark.parametrize("text", TEXTS)
def test_llama_cpp_cuts_text_into_the_same_tokens(checkpoint, f32, text):
    expected = hf_tokenizer(checkpoint)(text, add_special_tokens=False)["input_ids"]
    model = llama(f32, vocab_only=True)
    assert model.tokenize(text.encode(), add_bos=False, special=True) == expected
    assert model.detokenize(expected, special=True).decode() == text


def test_stops_and_token_kinds_survive(checkpoint, f32):
    tokenizer = hf_tokenizer(checkpoint)
    end, pad, eeg = (tokenizer.convert_tokens_to_ids(t) for t in ("<|im_end|>", "<|endoftext|>", "<eeg>"))
    kinds = field(f32, "tokenizer.ggml.token_type")
    assert field(f32, "tokenizer.ggml.eos_token_id") == field(f32, "tokenizer.ggml.eot_token_id") == end
    assert field(f32, "tokenizer.ggml.bos_token_id") == field(f32, "tokenizer.ggml.padding_token_id") == pad
    assert (kinds[end], kinds[eeg], kinds[60], kinds[-1]) == (3, 4, 1, 5)
    assert llama(f32, vocab_only=True).token_eos() == end


def test_the_chat_template_renders_the_same_conversation(checkpoint, f32):
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    template = llama(f32, vocab_only=True).metadata["tokenizer.chat_template"]
    rendered = Jinja2ChatFormatter(template, eos_token="<|im_end|>", bos_token="<|endoftext|>")(messages=CHAT).prompt
    expected = hf_tokenizer(checkpoint).apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True)
    assert rendered == expected


def test_the_file_says_what_it_is_and_how_to_feed_it(f32):
    assert field(f32, "general.name") == "Tiny Copilot"
    assert field(f32, "general.license") == "apache-2.0"
    assert field(f32, "general.languages") == ["en", "de"]
    assert field(f32, "general.description") == "A model for tests."
    assert field(f32, "eeg_copilot.codec") == "bands"
    assert field(f32, "qwen2.rope.freq_base") == 20000.0


def test_merged_weights_compute_what_the_adapted_model_computed(checkpoint, adapter, tmp_path):
    from peft import PeftModel

    tokens = list(range(0, 400, 7))
    merge(checkpoint, adapter, tmp_path / "merged")
    merged = load(tmp_path / "merged")
    adapted = logits(PeftModel.from_pretrained(load(checkpoint), adapter), tokens)
    assert np.abs(logits(load(checkpoint), tokens) - adapted).max() > 0.1 * adapted.std()
    assert np.abs(logits(merged, tokens) - adapted).max() < 1e-4 * adapted.std()
    assert merged.lm_head.weight is merged.model.embed_tokens.weight
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        assert (tmp_path / "merged" / name).read_bytes() == (checkpoint / name).read_bytes()
    to_gguf(tmp_path / "merged", tmp_path / "merged.gguf", type="f32")
    assert_same_logits(llama_logits(tmp_path / "merged.gguf", tokens), adapted)


@pytest.mark.filterwarnings("ignore::UserWarning")  # peft warns of what is refused here
@pytest.mark.parametrize(
    "options", [{"target_modules": ["embed_tokens"]}, {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]}]
)
def test_an_adapter_on_one_of_two_tied_embeddings_is_refused(checkpoint, tmp_path, options):
    adapter = make_adapter(checkpoint, tmp_path / "adapter", **options)
    with pytest.raises(ConvertError, match="untie its embeddings"):
        merge(checkpoint, adapter, tmp_path / "merged")
    assert [p.name for p in tmp_path.iterdir()] == ["adapter"]


def test_a_folder_without_adapter_weights_is_refused(checkpoint, adapter, tmp_path):
    empty = Path(shutil.copytree(adapter, tmp_path / "empty"))
    (empty / "adapter_model.safetensors").unlink()
    with pytest.raises(ConvertError, match="has no adapter_model"):
        merge(checkpoint, empty, tmp_path / "merged")


def test_a_base_with_a_missing_weight_is_refused_instead_of_made_up(copy, adapter, tmp_path):
    from safetensors.numpy import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    del weights["model.layers.0.mlp.up_proj.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConvertError, match="missing"):
        merge(copy, adapter, tmp_path / "merged")
    with pytest.raises(ConvertError, match=r"not complete.*up_proj"):
        to_gguf(copy, tmp_path / "out.gguf")


def test_an_adapter_for_another_base_is_refused(checkpoint, tmp_path):
    deeper = make_checkpoint(tmp_path / "deeper", layers=3)
    adapter = make_adapter(deeper, tmp_path / "adapter", target_modules=["q_proj"])
    with pytest.raises(ConvertError, match="does not belong to this base"):
        merge(checkpoint, adapter, tmp_path / "merged")


def spoil_architecture(folder):
    edit(folder / "config.json", architectures=["LlamaForCausalLM"])


def spoil_heads(folder):
    edit(folder / "config.json", head_dim=32)


def spoil_rope(folder):
    edit(folder / "config.json", rope_parameters={"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0})


def spoil_config(folder):
    (folder / "config.json").write_text('{"architectures": [')


def spoil_tokenizer(folder):
    (folder / "tokenizer.json").unlink()


def spoil_splitting(folder):
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace("'ll|'d)", "'ll)"))


def spoil_template(folder):
    (folder / "chat_template.jinja").unlink()


def spoil_rows(folder):
    edit(folder / "config.json", vocab_size=300)


def spoil_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoil_architecture, "LlamaForCausalLM"),
        (spoil_heads, "4 heads of 32"),
        (spoil_rope, "rotary"),
        (spoil_config, "not valid JSON"),
        (spoil_tokenizer, "no tokenizer.json"),
        (spoil_splitting, "splits text"),
        (spoil_template, "chat template"),
        (spoil_rows, "embed_tokens"),
        (spoil_weights, "damaged"),
    ],
)
def test_what_cannot_be_converted_is_refused_in_one_sentence(copy, tmp_path, capsys, spoil, reason):
    spoil(copy)
    out = tmp_path / "out" / "model.gguf"
    assert main(["gguf", str(copy), "--out", str(out)]) == 2
    message = capsys.readouterr().err.strip()
    assert reason in message
    assert "\n" not in message
    assert not out.exists()


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A checkpoint whose rows are multiples of 256, so that every type is possible."""
    folder = make_checkpoint(tmp_path_factory.mktemp("wide") / "wide", hidden=256, ffn=768)
    to_gguf(folder, folder.parent / "wide.gguf")
    return folder.parent / "wide.gguf"


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_K_M", "Q6_K", "Q4_0"])
def test_the_receipt_tells_what_is_in_the_file(wide, tmp_path, kind):
    out = tmp_path / "out.gguf"
    receipt = quantize(wide, out, kind)
    tensors = gguf.GGUFReader(out).tensors
    assert {name: share.tensors for name, share in receipt.actual.items()} == {
        name: sum(t.tensor_type.name == name for t in tensors) for name in {t.tensor_type.name for t in tensors}
    }
    assert kind.removesuffix("_M") in receipt.actual
    assert receipt.fallbacks == ()
    assert receipt.sha256 == hashlib.sha256(out.read_bytes()).hexdigest()
    assert receipt.file_bytes == out.stat().st_size
    assert receipt.parameters == sum(int(t.n_elements) for t in tensors)
    assert np.corrcoef(llama_logits(out, [7])[0], llama_logits(wide, [7])[0])[0, 1] > 0.95


def test_rows_that_do_not_fit_are_reported_as_fallbacks(f32, tmp_path):
    receipt = quantize(f32, tmp_path / "out.gguf", "Q4_K_M")
    assert "Q4_K" not in receipt.actual
    assert {fallback.row for fallback in receipt.fallbacks} == {64, 96}
    assert len(receipt.fallbacks) == 1 + 2 * 7


def test_the_command_line_quantises_and_writes_the_receipt(wide, tmp_path, capsys):
    out, receipt = tmp_path / "q8.gguf", tmp_path / "receipt.json"
    assert main(["quantize", str(wide), "--out", str(out), "--receipt", str(receipt)]) == 0
    assert json.loads(receipt.read_text())["type"] == "Q8_0"
    assert "bits per weight" in capsys.readouterr().out


def test_what_llama_cpp_refuses_leaves_no_file(wide, tmp_path, capsys):
    q8, damaged, out = tmp_path / "q8.gguf", tmp_path / "damaged.gguf", tmp_path / "out.gguf"
    quantize(wide, q8, "Q8_0")
    damaged.write_bytes(wide.read_bytes()[:5000])
    for source in (q8, damaged, tmp_path / "absent.gguf"):
        assert main(["quantize", str(source), "--out", str(out), "--type", "Q4_K_M"]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["damaged.gguf", "q8.gguf"]


def write_half(out):
    with written_whole(out) as partial:
        partial.write_text("half")
        raise KeyboardInterrupt


def test_an_interrupted_write_leaves_the_earlier_file_alone(tmp_path):
    out = tmp_path / "model.gguf"
    out.write_text("earlier")
    with pytest.raises(KeyboardInterrupt):
        write_half(out)
    assert [p.name for p in tmp_path.iterdir()] == ["model.gguf"]
    assert out.read_text() == "earlier"
