"""What a plan says of a shape: pruning really leaves it, both sides really load it, its sizes are llama.cpp's own."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="conversion needs requirements-dev.txt")
pytest.importorskip("torch_pruning", reason="conversion needs requirements-dev.txt")

from convert.__main__ import main
from convert.gguf import to_gguf
from convert.plan import QWEN2, PlanRow, PruningPlan, plan, read_shape
from convert.plan.trials import (
    TYPES,
    check_computation,
    check_reload,
    compute_sizes,
    make_config,
    tokenizer_bytes,
    try_hugging_face,
    try_llama_cpp,
    write_test_checkpoint,
)
from convert.quantize.quantizer import run_quantizer
from convert.shape import RATIOS, ROUNDINGS, Llama3Scaling, Shape, find_obstacle, prune_shape
from copilot import child_process
from tests.helpers.qwen2_tokenizer import make_qwen2_tokenizer
from tests.helpers.tiny_checkpoint import make_checkpoint

ROOT = Path(__file__).parents[3]
TRUE_HALF = prune_shape(QWEN2, 0.5, 4)


@pytest.fixture(scope="module")
def qwen2(tmp_path_factory):
    """The plan of Qwen2-0.5B, from nothing but its config.json."""
    folder = tmp_path_factory.mktemp("qwen2")
    (folder / "config.json").write_text(json.dumps(make_config(QWEN2)))
    return plan(folder)


def widths(shape):
    return shape.hidden, shape.q_width, shape.kv_width, shape.ffn


def really_pruned(shape, ratio, round_to):
    """Prune two layers of the shape, with a small vocabulary, as a pruner of Qwen2 has to be set up."""
    import torch
    import torch_pruning
    from transformers import AutoModelForCausalLM, Qwen2Config

    config = Qwen2Config(**make_config(replace(shape, layers=2, vocabulary=100, context=64)) | {"dtype": "float32"})
    config.use_cache = False
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    heads = {}
    for layer in model.model.layers:
        attention = layer.self_attn
        heads |= {attention.q_proj: shape.heads, attention.k_proj: shape.kv_heads, attention.v_proj: shape.kv_heads}
    torch_pruning.pruner.BasePruner(
        model,
        torch.arange(8)[None],
        importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
        pruning_ratio=ratio,
        head_pruning_ratio=ratio,
        num_heads=heads,
        prune_num_heads=True,
        prune_head_dims=False,
        ignored_layers=[model.lm_head],
        round_to=round_to,
    ).step()
    layer = model.model.layers[1]
    attention = layer.self_attn
    assert attention.o_proj.in_features == attention.q_proj.out_features
    assert model.lm_head.in_features == attention.q_proj.in_features == layer.mlp.down_proj.out_features
    assert attention.k_proj.out_features == attention.v_proj.out_features
    return (
        attention.q_proj.in_features,
        attention.q_proj.out_features,
        attention.k_proj.out_features,
        layer.mlp.gate_proj.out_features,
    )


QWEN2_WIDTHS = [(896, 14, 2, 4864, n / 7, to) for n, to in [(1, 256), (2, 64), (3, 4), (3, 256), (4, 64), (5, 4)]]


@pytest.mark.filterwarnings("ignore:Unwrapped parameters detected:UserWarning")
@pytest.mark.parametrize(
    ("hidden", "heads", "kv_heads", "ffn", "ratio", "round_to"),
    [
        *QWEN2_WIDTHS,
        (896, 14, 2, 4864, 0.5, 4),
        (896, 14, 2, 4864, 6 / 7, 64),  # one query head for each key/value head: all stay
        (896, 14, 2, 4864, 6 / 7, 256),  # nothing of hidden would be left: all of it stays
        (448, 7, 1, 512, 1 / 7, 4),
        (448, 7, 1, 512, 6 / 7, 4),
        (512, 8, 2, 768, 3 / 7, 4),
        (256, 4, 4, 512, 0.5, 64),  # nothing shared: key/value heads go with the query heads
    ],
)
def test_the_pruner_leaves_the_shape_that_the_plan_tells(hidden, heads, kv_heads, ffn, ratio, round_to):
    shape = read_shape(f"{hidden}/{heads}/{kv_heads}/{ffn}")
    assert really_pruned(shape, ratio, round_to) == widths(prune_shape(shape, ratio, round_to))


@pytest.mark.parametrize(
    ("ratio", "round_to", "expected"),
    [(0.5, 4, (448, 384, 128, 2432)), (3 / 7, 256, (512, 512, 128, 2560)), (3 / 7, 4, (512, 512, 128, 2776))],
)
def test_known_shapes_of_qwen2(ratio, round_to, expected):
    assert widths(prune_shape(QWEN2, ratio, round_to)) == expected


@pytest.mark.parametrize(("ratio", "round_to"), [(0, 4), (1, 4), (-0.5, 4), (0.5, 0)])
def test_what_is_no_ratio_or_rounding_is_refused(ratio, round_to):
    with pytest.raises(ValueError, match="between 0 and 1"):
        prune_shape(QWEN2, ratio, round_to)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("444/148", "444/148 is no shape; write hidden/heads/kv/ffn"),
        ("896//14/2/4864", "is no shape"),
        ("896/14/2/4864/", "is no shape"),
        ("/896/14/2/4864", "is no shape"),
        ("9" * 5000 + "/14/2/4864", "is no shape"),
        ("448/6/2/2432", "queries 444 and keys 148 wide, which no pruning leaves"),
        ("444/6/2/2432", "Rows of 444 numbers fit no quantisation"),
        ("448/6/2/2432/24/151936/74", "Rows of 444 numbers fit no quantisation"),
        ("444/12/4/2432", "Heads of 37 are odd"),
        ("448/7/2/2432", "7 query heads cannot share 2 key/value heads evenly"),
        ("0/1/1/1", "is no shape"),
        ("512/8/2/2560/2000/300", "more than any model has"),
        ("no/such/folder", "neither a folder nor a shape"),
    ],
)
def test_impossible_shapes_are_refused_with_the_reason(capsys, text, reason):
    assert main(["plan", text]) == 2
    message = capsys.readouterr().err.strip()
    assert reason in message
    assert "\n" not in message


def test_a_checkpoint_that_was_reloaded_with_invented_heads_is_refused(tmp_path, capsys):
    config = make_config(TRUE_HALF)
    del config["head_dim"]  # 448 // 6 = 74
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert main(["plan", str(tmp_path)]) == 2
    assert "Rows of 444" in capsys.readouterr().err


def test_the_first_row_is_the_shape_as_it_is_and_the_others_are_every_ratio_and_rounding(qwen2):
    assert qwen2.rows[0].shape == QWEN2
    assert [(row.ratio, row.round_to) for row in qwen2.rows[1:]] == [(r, to) for r in RATIOS for to in ROUNDINGS]
    assert len(qwen2.rows) == 1 + 7 * 3
    for row in qwen2.rows[1:]:
        assert row.shape == prune_shape(QWEN2, float(row.ratio), row.round_to)


def test_it_takes_the_shape_next_to_half_whose_k_quants_are_all_genuine(qwen2):
    assert (qwen2.recommended.ratio, qwen2.recommended.round_to) == (Fraction(3, 7), 256)
    fitting = {row.shape.parameters for row in qwen2.rows if row.fits}
    assert qwen2.recommended.shape.parameters == min(fitting, key=lambda n: abs(n - TRUE_HALF.parameters))
    assert "512/8/2/2560" in qwen2.reason
    assert qwen2.passed


def test_every_shape_of_qwen2_was_tried_on_both_sides(qwen2):
    for row in qwen2.rows:
        assert (row.impossible, row.hugging_face, row.llama_cpp) == (None, None, None)


def test_a_k_quant_is_genuine_where_all_rows_are_multiples_of_256(qwen2):
    for row in qwen2.rows:
        shape = row.shape
        rows_fit = all(width % 256 == 0 for width in (shape.hidden, shape.q_width, shape.ffn))
        assert row.sizes["Q4_K_M"].genuine == rows_fit, shape


def test_the_table_fits_a_terminal_and_ends_with_the_recommendation(qwen2):
    lines = qwen2.lines()
    table = lines[: 1 + len(qwen2.rows)]
    assert max(map(len, lines)) <= 120
    assert table[1].split()[:2] == ["as", "is"]
    best = next(line for line in table if "2560" in line)
    assert best.split()[:8] == ["3/7", "256", "512", "8/2", "x", "64", "2560", "187.9"]
    assert "*" not in best
    assert "*" in next(line for line in table if "2776" in line)
    assert "896=" in table[-1]
    assert any(line.startswith("Recommended: ratio 3/7 rounded to 256") for line in lines)


def test_the_json_has_every_row_and_every_type(qwen2):
    told = json.loads(json.dumps(qwen2.as_dict()))
    half = next(row for row in told["rows"] if row["ratio"] == "1/2" and row["round_to"] == 4)
    assert (half["q_width"], half["hidden"], half["gguf_architecture"]) == (384, 448, "llama")
    assert half["reloads_in_hugging_face"]
    assert half["runs_in_llama_cpp"]
    assert set(half["sizes"]) == set(TYPES)
    assert not half["sizes"]["Q4_K_M"]["genuine"]
    assert told["recommended"]["ffn"] == 2560


def test_a_row_that_is_impossible_says_why_in_the_table():
    narrow = prune_shape(read_shape("512/8/2/768"), 3 / 7, 4)
    assert find_obstacle(narrow).startswith("Rows of 292 numbers fit no quantisation")
    (sized,) = compute_sizes([QWEN2])
    first = PlanRow(None, None, QWEN2, llama_cpp="llama.cpp does not load it.", sizes=sized)
    report = PruningPlan("x", (first, PlanRow(Fraction(3, 7), 4, narrow, find_obstacle(narrow))), 10**8, None, 1.0)
    lines = report.lines()
    assert lines[2].endswith(f"impossible: {find_obstacle(narrow)}")
    assert "896/14/2/4864: llama.cpp does not load it." in lines
    assert any(line.startswith("Recommended: None of these") for line in lines)
    assert not report.passed


@pytest.mark.parametrize(
    ("text", "parameters", "q4_k_m", "bits", "q8_0"),
    [
        ("448/7/1/2432", 157.6, 144.9, 7.06, 173.5),
        ("512/8/2/2776", 195.9, 185.6, 7.34, 246.2),
        ("512/8/2/2816", 197.4, 141.8, 5.51, 215.8),
    ],
)
def test_sizes_with_qwen2s_tokenizer_are_those_of_files_that_were_made(
    tokenizer_size, text, parameters, q4_k_m, bits, q8_0
):
    shape = read_shape(text)
    (sized,) = compute_sizes([shape], tokenizer_size)
    assert round(shape.parameters / 1e6, 1) == parameters
    assert round(sized["Q4_K_M"].file_bytes / 1e6, 1) == q4_k_m
    assert round(sized["Q4_K_M"].bits_per_weight, 2) == bits
    assert round(sized["Q8_0"].file_bytes / 1e6, 1) == q8_0


@pytest.fixture(scope="module")
def tokenizer_size(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    make_qwen2_tokenizer().save_pretrained(folder)
    return tokenizer_bytes(folder, QWEN2.vocabulary)


def test_the_file_that_is_made_in_the_end_has_the_size_that_was_told(tmp_path):
    folder = make_checkpoint(tmp_path / "wide", hidden=256, ffn=800)
    source, out = tmp_path / "f16.gguf", tmp_path / "q4.gguf"
    to_gguf(folder, source)
    child_process.run(run_quantizer, source, out, "Q4_K_M")
    shape = Shape.read(json.loads((folder / "config.json").read_text()))
    (sized,) = compute_sizes([shape], tokenizer_bytes(folder, shape.vocabulary))
    assert sized["Q4_K_M"].fallbacks == 2  # ffn_down of both layers
    assert abs(out.stat().st_size - sized["Q4_K_M"].file_bytes) < 500  # name, licence and description


def test_hugging_face_reloads_the_true_half_only_where_the_configuration_gives_the_width_of_its_heads(tmp_path):
    write_test_checkpoint(TRUE_HALF, tmp_path)
    assert check_reload(tmp_path) is None
    config = json.loads((tmp_path / "config.json").read_text())
    del config["head_dim"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert "does not load" in check_reload(tmp_path)


def test_a_scaled_rotary_embedding_is_tried_as_it_is():
    scaling = Llama3Scaling(factor=8.0, low=1.0, high=4.0, context=32)
    shape = replace(TRUE_HALF, heads=7, kv_heads=1, ffn=64, rope_scaling=scaling)
    assert Shape.read(make_config(shape)) == shape
    assert try_llama_cpp(shape) is None
    assert try_hugging_face([shape]) == [None]


def test_a_llama_whose_width_its_heads_do_not_divide_is_loaded_by_llama_cpp_only():
    shape = replace(TRUE_HALF, architecture="LlamaForCausalLM", biased=False, ffn=64)
    (reason,) = try_hugging_face([shape])
    assert "does not load" in reason
    assert "not a multiple of the number of attention heads" in reason
    assert try_llama_cpp(shape) is None


def test_llama_cpp_is_really_asked(tmp_path):
    assert try_llama_cpp(replace(TRUE_HALF, ffn=64)) is None
    path = tmp_path / "trial.gguf"
    write_test_checkpoint(replace(TRUE_HALF, ffn=64), tmp_path)
    to_gguf(tmp_path, path)
    assert child_process.run(check_computation, path) is None
    whole = path.read_bytes()
    path.write_bytes(whole[:-200_000] + b"\xff" * 200_000)  # not a number, in both F16 and F32
    assert "not finite" in child_process.run(check_computation, path)
    path.write_bytes(whole[:-200_000])
    assert "does not load" in child_process.run(check_computation, path)


def start(tmp_path, *before, model="896/14/2/4864"):
    command = [*before, sys.executable, "-m", "convert", "plan", model]
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def test_a_full_disk_is_one_sentence(tmp_path):
    process = start(tmp_path, "sh", "-c", 'ulimit -f 200; exec "$@"', "sh")
    message = process.communicate(timeout=60)[1].strip()
    assert process.returncode == 2
    assert message.startswith("Temporary files could not be written")
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("named", [True, False])
def test_where_no_folder_takes_temporary_files_it_says_so(tmp_path, named):
    model = str(make_checkpoint(tmp_path / "model")) if named else "896/14/2/4864"
    process = start(tmp_path, "sh", "-c", 'ulimit -f 0; exec "$@"', "sh", model=model)
    message = process.communicate(timeout=60)[1].strip()
    assert process.returncode == 2
    assert message.startswith("Temporary files could not be written")
    assert "No usable temporary directory" in message
    assert "\n" not in message


def test_interrupted_it_leaves_nothing_behind(tmp_path):
    process = start(tmp_path)
    while not list(tmp_path.rglob("trial.gguf")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    message = process.communicate(timeout=60)[1].strip()
    assert (process.returncode, message) == (2, "Interrupted; nothing unfinished was kept.")
    assert list(tmp_path.iterdir()) == []
