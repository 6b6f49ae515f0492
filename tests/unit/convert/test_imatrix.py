"""Importance is what the checkpoint's own layers see, it reaches llama.cpp, and the file is better for it."""

import hashlib
import json

import gguf
import numpy as np
import pytest

from convert.files import ConvertError
from convert.gguf_file import read_gguf
from convert.quantize import quantize
from convert.quantize.imatrix import CHUNK, measure_importance
from convert.quantize.quantizer import run_quantizer
from copilot import child_process
from tests.helpers.tiny_checkpoint import TEXT, make_checkpoint
from tests.helpers.tiny_model import write_tiny_gguf

#: Matrix in llama.cpp's words -> the layer that multiplies by it in Hugging Face's.
LAYERS = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_tiny_gguf(tmp_path_factory.mktemp("imatrix") / "tiny-f16.gguf", hidden=256, layers=1, context=128)


@pytest.fixture(scope="module")
def text(source):
    path = source.parent / "text.txt"
    path.write_text(TEXT * 8, encoding="utf-8")
    return path


def hugging_face_importance(folder, text):
    """Mean squares of what goes into every linear layer, over chunks as llama.cpp reads them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    tokens = AutoTokenizer.from_pretrained(folder)(text, add_special_tokens=False)["input_ids"]
    seen = {}
    for block, layer in enumerate(model.model.layers):
        for name, place in LAYERS.items():
            rows = seen.setdefault(f"blk.{block}.{name}.weight", [])
            layer.get_submodule(place).register_forward_hook(lambda _, inputs, __, rows=rows: rows.append(inputs[0][0]))
    with torch.no_grad():
        for start in range(0, len(tokens), CHUNK):
            model(input_ids=torch.tensor([tokens[start : start + CHUNK]]))
    return {name: (torch.cat(rows).double() ** 2).mean(dim=0).numpy() for name, rows in seen.items()}, len(tokens)


def test_importance_is_the_mean_square_of_what_the_checkpoints_layers_see(tmp_path):
    pytest.importorskip("transformers", reason="conversion needs requirements-dev.txt")
    from convert.gguf import to_gguf

    folder = make_checkpoint(tmp_path / "tiny")
    to_gguf(folder, tmp_path / "tiny-f32.gguf", type="f32")
    (tmp_path / "text.txt").write_text(TEXT * 8, encoding="utf-8")
    measured = measure_importance(read_gguf(tmp_path / "tiny-f32.gguf"), tmp_path / "text.txt")
    expected, tokens = hugging_face_importance(folder, TEXT * 8)
    assert measured.text.tokens == tokens > CHUNK
    assert measured.text.sha256 == hashlib.sha256((TEXT * 8).encode()).hexdigest()
    assert measured.columns.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(measured.columns[name], values, rtol=1e-3, err_msg=name)


def weighted_error(source, quantised, importance):
    """Squared errors of all matrices of the blocks, each column times its importance."""
    total = 0.0
    exact = {tensor.name: tensor for tensor in gguf.GGUFReader(source).tensors}
    for tensor in gguf.GGUFReader(quantised).tensors:
        if tensor.name in importance:
            before, after = (gguf.dequantize(t.data, t.tensor_type) for t in (exact[tensor.name], tensor))
            total += float((importance[tensor.name] * (before - after) ** 2).sum())
    return total


def test_the_matrix_moves_errors_to_where_they_matter_less(source, text, tmp_path):
    importance = measure_importance(read_gguf(source), text).columns
    child_process.run(run_quantizer, source, tmp_path / "plain.gguf", "Q3_K_S")
    child_process.run(run_quantizer, source, tmp_path / "weighted.gguf", "Q3_K_S", importance)
    plain, weighted = (weighted_error(source, tmp_path / f"{name}.gguf", importance) for name in ("plain", "weighted"))
    assert weighted < 0.95 * plain


def test_the_lowest_types_become_possible_and_receipts_name_the_text(source, text, tmp_path):
    report = quantize(source, ["IQ2_XXS", "Q8_0"], tmp_path, imatrix=text)
    low, high = (json.loads((tmp_path / f"tiny-{type}.receipt.json").read_text()) for type in ("IQ2_XXS", "Q8_0"))
    assert low["imatrix"]["file"] == "text.txt"
    assert low["imatrix"]["sha256"] == hashlib.sha256(text.read_bytes()).hexdigest()
    assert low["actual"]["IQ2_XXS"]["tensors"] > 0
    assert high["imatrix"] is None  # it rounds every number to the nearest, whatever its importance
    assert report.receipts[0].bits_per_weight < 4


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "is not a file"), (b"", "is empty"), (b"\xff\xfe\x00", "not a text in UTF-8")]
)
def test_a_text_that_cannot_be_read_costs_a_sentence_and_no_file(source, tmp_path, content, reason):
    text = tmp_path / "text.txt"
    if content is not None:
        text.write_bytes(content)
    with pytest.raises(ConvertError, match=reason):
        quantize(source, ["Q4_K_M"], tmp_path / "out", imatrix=text)
    assert not (tmp_path / "out").exists()
