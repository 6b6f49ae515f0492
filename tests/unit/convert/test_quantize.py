"""A quantised file is what its receipt says: what llama.cpp did to every tensor is told, or there is no file."""

import hashlib
import json
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest

from convert.__main__ import main
from convert.files import ConvertError
from convert.quantize import Quantization, quantize
from convert.quantize.quantizer import BASE, NEED_IMATRIX, dry_run
from convert.speed import usable_threads
from copilot import child_process
from copilot.files import FileError
from tests.helpers.tiny_model import write_tiny_gguf

ROOT = Path(__file__).parents[3]
LAYERS = 8


def tiny(path, **options):
    """A short context keeps the measurement short: conversations are cut to it."""
    return write_tiny_gguf(path, context=128, **options)


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Rows are multiples of 256, so that every type is possible."""
    return tiny(tmp_path_factory.mktemp("wide") / "tiny-f16.gguf", hidden=256, layers=1)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """Rows of 64 and 256."""
    return tiny(tmp_path_factory.mktemp("narrow") / "tiny-f16.gguf", hidden=64)


@pytest.fixture(scope="module")
def made(wide):
    return quantize(wide, ["Q8_0", "Q4_K_M"], wide.parent / "out")


@pytest.fixture(scope="module")
def fallen(narrow):
    return quantize(narrow, ["Q4_K_M"], narrow.parent / "out")


def hole(path, *, hidden, ffn, tied):
    """A Qwen2 model of eight layers whose weights were never written: a header, and a hole as long as they would be."""
    writer = gguf.GGUFWriter(path, "qwen2")
    for add, value in (
        (writer.add_context_length, 512),
        (writer.add_embedding_length, hidden),
        (writer.add_feed_forward_length, ffn),
        (writer.add_block_count, LAYERS),
        (writer.add_head_count, 4),
        (writer.add_head_count_kv, 2),
        (writer.add_layer_norm_rms_eps, 1e-6),
    ):
        add(value)
    shapes = {"token_embd": (300, hidden)} | ({} if tied else {"output": (300, hidden)})
    for block in range(LAYERS):
        rows = {"attn_q": hidden, "attn_k": hidden // 2, "attn_v": hidden // 2, "attn_output": hidden}
        rows |= {"ffn_gate": ffn, "ffn_up": ffn}
        shapes |= {f"blk.{block}.{name}": (count, hidden) for name, count in rows.items()}
        shapes[f"blk.{block}.ffn_down"] = (hidden, ffn)
    for name, shape in shapes.items():
        writer.add_tensor_info(f"{name}.weight", shape, np.dtype(np.float16), 2 * shape[0] * shape[1])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + sum(2 * rows * columns + 32 for rows, columns in shapes.values()))
    return path


def dry_runs(path, cases):
    return [dry_run(path, type, imatrix=imatrix) for type, imatrix in cases]


@pytest.mark.parametrize("tied", [True, False])
def test_what_falls_back_is_what_gets_another_type_than_in_a_model_whose_rows_all_fit(tmp_path, tied):
    """For every type: llama.cpp's choice for the wide model is what it wanted for the narrow one."""
    cases = [(type, type in NEED_IMATRIX) for type in BASE] if tied else [("Q4_K_M", False), ("IQ2_S", True)]
    cases += [(type, True) for type in ("Q4_0", "Q5_0", "IQ4_NL", "IQ4_XS") if tied]  # chosen otherwise with a matrix
    fitting = child_process.run(dry_runs, hole(tmp_path / "fitting.gguf", hidden=256, ffn=512, tied=tied), cases)
    narrow = child_process.run(dry_runs, hole(tmp_path / "narrow.gguf", hidden=192, ffn=200, tied=tied), cases)
    for case, wanted, got in zip(cases, fitting, narrow, strict=True):
        assert not any(tensor.fell_back for tensor in wanted), case
        assert {t.name: t.wanted for t in got} == {t.name: t.type for t in wanted}, case
        for tensor in got:
            fits = tensor.shape[0] % gguf.GGML_QUANT_SIZES[tensor.wanted][0] == 0
            assert tensor.fell_back is not fits, (case, tensor)


def test_a_dry_run_tells_the_bytes_of_the_file(made, wide):
    planned = child_process.run(dry_run, wide, "Q4_K_M")
    written = gguf.GGUFReader(wide.parent / "out" / "tiny-Q4_K_M.gguf").tensors
    assert {t.name: (t.type, t.bytes) for t in planned} == {t.name: (t.tensor_type, t.n_bytes) for t in written}


@pytest.mark.parametrize("type", ["Q8_0", "Q4_K_M"])
def test_the_receipt_tells_what_is_in_the_file(made, wide, type):
    path = wide.parent / "out" / f"tiny-{type}.gguf"
    receipt = json.loads(path.with_name(f"tiny-{type}.receipt.json").read_text())
    tensors = gguf.GGUFReader(path).tensors
    found = {name: [t.n_bytes for t in tensors if t.tensor_type.name == name] for name in receipt["actual"]}
    assert {n: (s["tensors"], s["bytes"]) for n, s in receipt["actual"].items()} == {
        name: (len(sizes), sum(sizes)) for name, sizes in found.items()
    }
    assert sum(len(sizes) for sizes in found.values()) == len(tensors)
    assert receipt["nominal"] == receipt["actual"]
    assert receipt["fallbacks"] == []
    assert receipt["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert receipt["source"]["sha256"] == hashlib.sha256(wide.read_bytes()).hexdigest()
    assert receipt["file_bytes"] == path.stat().st_size
    numbers = sum(int(t.n_elements) for t in tensors)
    assert receipt["parameters"] == numbers
    assert receipt["bits_per_weight"] == pytest.approx(8 * sum(map(sum, found.values())) / numbers, abs=1e-3)


def test_fewer_bits_compute_something_further_from_the_source(made):
    q8, q4 = (receipt.measured for receipt in made.receipts)
    assert 0 < q8.mean_kl < q4.mean_kl < q4.p99_kl
    assert q4.same_top1 < q8.same_top1 <= 1


def test_rows_that_do_not_fit_are_told_with_what_they_hold_instead(fallen, narrow):
    (receipt,) = fallen.receipts
    told = {(f.tensor, f.row, f.wanted, f.got) for f in receipt.fallbacks}
    assert ("blk.0.attn_q.weight", 64, "Q4_K", "Q5_0") in told
    assert ("output.weight", 64, "Q6_K", "Q8_0") in told
    assert {row for _, row, _, _ in told} == {64}
    types = {t.name: t.tensor_type.name for t in gguf.GGUFReader(narrow.parent / "out" / receipt.file).tensors}
    assert all(types[tensor] == got for tensor, _, _, got in told)
    assert receipt.nominal["Q4_K"].tensors > receipt.actual["Q4_K"].tensors
    assert "Q4_K_M: Its name misleads: 14 of 16 matrices" in " ".join("\n".join(fallen.lines()).split())


def test_one_table_recommends_a_file(made, wide):
    folder = wide.parent / "out"
    table = json.loads((folder / "quantization.json").read_text())
    assert table == json.loads(json.dumps(made.as_dict()))
    assert (folder / table["recommended"]).is_file() if table["recommended"] else "None keeps" in table["reason"]
    page = (folder / "quantization.md").read_text()
    for word in ("| Q8_0 |", "| Q4_K_M |", "48 simulated conversations", f"{usable_threads()} threads", made.reason):
        assert word in page


@pytest.mark.parametrize("failing", [".gguf", ".json"])
def test_no_receipt_is_left_that_is_not_of_the_file_beside_it(narrow, tmp_path, monkeypatch, failing):
    """A file of that name lies there already, with its receipt, when the new one, or its receipt, gets no name."""
    (tmp_path / "tiny-Q8_0.gguf").write_bytes(b"an earlier one")
    (tmp_path / "tiny-Q8_0.receipt.json").write_text('{"sha256": "of the earlier one"}')
    rename = Path.replace

    def refusing(path, target):
        if Path(target).suffix == failing:
            raise OSError(28, "No space left on device", str(path))
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", refusing)
    with pytest.raises(FileError, match="No space left"):
        quantize(narrow, ["Q8_0"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny-Q8_0.gguf"]


def judged(made, *figures):
    """The first receipt again and again, as if it had these figures: megabytes, divergence, agreement."""
    base = made.receipts[0]
    return Quantization(
        made.source,
        tuple(
            replace(
                base, type=f"T{i}", file_bytes=size, measured=replace(base.measured, mean_kl=kl, label_agreement=same)
            )
            for i, (size, kl, same) in enumerate(figures)
        ),
    )


def test_the_smallest_file_within_both_limits_is_recommended(made):
    report = judged(made, (9, 0.0001, 1.0), (5, 0.009, 0.98), (4, 0.02, 1.0), (3, 0.001, 0.9))
    assert report.recommended.type == "T1"
    assert "the smallest of 4" in report.reason
    assert "0.009 nats, 98%" in report.reason


def test_nothing_is_recommended_where_every_file_computes_something_else(made):
    report = judged(made, (9, 0.05, 1.0), (5, 0.5, 0.5))
    assert report.recommended is None
    assert report.as_dict()["recommended"] is None
    assert "the closest is T0 (0.05 nats" in report.reason


def test_no_fallback_refuses_before_anything_is_written(narrow, tmp_path, capsys):
    arguments = ["quantize", str(narrow), "--types", "Q8_0,Q4_K_M", "--out", str(tmp_path / "out"), "--no-fallback"]
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert "blk.0.attn_q.weight (rows of 64: Q5_0 for Q4_K)" in message
    assert "and 9 more" in message
    assert not (tmp_path / "out").exists()


def test_the_command_line_prints_what_it_wrote(narrow, tmp_path, capsys):
    assert main(["quantize", str(narrow), "--types", "q8_0", "--out", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "quantization.json").read_text())
    names = ["quantization.json", "quantization.md", "tiny-Q8_0.gguf", "tiny-Q8_0.receipt.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def unknown_architecture(path):
    writer = gguf.GGUFWriter(path, "nonesuch")
    writer.add_tensor("token_embd.weight", np.zeros((4, 64), np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def no_tensors(path):
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def not_a_number(path):
    """The file is whole, and one of its last weights is no number."""
    tiny(path)
    data = bytearray(path.read_bytes())
    data[-2:] = np.float16(np.nan).tobytes()
    path.write_bytes(data)


def cut_short(path):
    path.write_bytes(tiny(path).read_bytes()[:-5000])


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (unknown_architecture, "unknown model architecture: 'nonesuch'"),
        (no_tensors, "no weights"),
        (not_a_number, "invalid data"),
        (cut_short, "cut short"),
        (empty, "no GGUF file"),
        (lambda path: None, "is not a file"),
    ],
)
def test_a_source_that_cannot_be_quantised_is_refused_in_one_sentence(tmp_path, capfd, make, reason):
    source = tmp_path / "model-f16.gguf"
    make(source)
    assert main(["quantize", str(source), "--types", "Q8_0", "--out", str(tmp_path / "out")]) == 2
    said = [line for line in capfd.readouterr().err.splitlines() if not line.startswith("ggml_")]
    assert len(said) == 1
    assert reason in said[0]
    assert not [*tmp_path.glob("out/*"), *tmp_path.glob("out/.*")]


def test_a_quantised_file_is_not_quantised_again(made, wide, tmp_path):
    with pytest.raises(ConvertError, match=r"quantised already \(Q8_0\)"):
        quantize(wide.parent / "out" / "tiny-Q8_0.gguf", ["Q4_K_M"], tmp_path)


def test_the_source_is_not_overwritten(tmp_path):
    source = tiny(tmp_path / "tiny-F16.gguf")
    before = source.read_bytes()
    with pytest.raises(ConvertError, match="the source itself"):
        quantize(source, ["F16"])
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    ("types", "reason"),
    [(["Q9_9"], "not known"), (["Q8_0", "IQ2_XXS"], "IQ2_XXS cannot be made without an importance")],
)
def test_types_that_cannot_be_made_are_refused_before_the_others_are(narrow, tmp_path, types, reason):
    with pytest.raises(ConvertError, match=reason):
        quantize(narrow, types, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def start(source, out, before="pass"):
    code = f"import sys; {before}; from convert.__main__ import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", code, "quantize", str(source), "--types", "Q8_0", "--out", str(out)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_full_disk_costs_a_sentence_and_leaves_no_file(wide, tmp_path):
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({10**5}, {resource.RLIM_INFINITY}))"
    process = start(wide, tmp_path, limit)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors.strip().splitlines() == [
        "The Q8_0 file could not be written: the disk is full, or there is a limit on the size of files."
    ]
    assert list(tmp_path.iterdir()) == []


def children(process):
    text = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(pid) for pid in text.split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_ends_its_child_and_leaves_no_file(wide, tmp_path, ending):
    process = start(wide, tmp_path)
    wait_until(lambda: list(tmp_path.glob(".*.partial")) and children(process))
    (child,) = children(process)
    process.send_signal(ending)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert errors.strip() == "Interrupted; nothing unfinished was kept."
    assert list(tmp_path.iterdir()) == []
    wait_until(lambda: not Path(f"/proc/{child}").exists())


def wait_until(happened):
    for _ in range(600):
        if happened():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within 30 seconds")
