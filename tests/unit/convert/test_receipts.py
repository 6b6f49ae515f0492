"""What is written as a receipt is read back, and only for the files that it was written for."""

import hashlib
import json
from dataclasses import asdict

import pytest

from convert.files import ConvertError
from convert.receipts import (
    Fallback,
    MeasuredOn,
    Measurement,
    Receipt,
    Share,
    Source,
    describe_release,
    read_receipts,
    sum_by_type,
    write_receipt,
)
from convert.speed import Speed

ON = MeasuredOn("talk.jsonl", "0" * 64, 48, 0, 12288, "llama.cpp, 2 threads", ("AVX2",))
MEASURED = Measurement(0.01, 0.05, 12.0, 11.5, 0.98, 1.0, Speed(100.0, 20.0), Speed(90.0, 18.0), ON)
RECEIPT = Receipt(
    file="m-Q8_0.gguf",
    type="Q8_0",
    source=Source("m-f16.gguf", "1" * 64, 200),
    imatrix=None,
    nominal={"Q8_0": Share(2, 90)},
    actual={"Q8_0": Share(2, 90)},
    fallbacks=(Fallback("output.weight", 64, "Q6_K", "Q8_0"),),
    parameters=1000,
    bits_per_weight=8.5,
    file_bytes=100,
    sha256="2" * 64,
    measured=MEASURED,
)


def read(folder, digests):
    texts = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.json")}
    return read_receipts(digests, texts)


def test_a_receipt_is_read_back_as_it_was_written(tmp_path):
    write_receipt(tmp_path / "m-Q8_0.receipt.json", asdict(RECEIPT))
    figures = read(tmp_path, {"m-Q8_0.gguf": "2" * 64})
    assert figures.receipts == {"m-Q8_0.gguf": json.loads(json.dumps(asdict(RECEIPT)))}
    assert (figures.proofs, figures.evaluation, figures.recommended) == ({}, {}, "")


def test_a_receipt_of_another_file_is_refused(tmp_path):
    write_receipt(tmp_path / "m-Q8_0.receipt.json", asdict(RECEIPT))
    with pytest.raises(ConvertError, match=r"written for another m-Q8_0\.gguf"):
        read(tmp_path, {"m-Q8_0.gguf": "3" * 64})
    with pytest.raises(ConvertError, match=r"written for another m-f16\.gguf"):
        read(tmp_path, {"m-f16.gguf": "2" * 64})


def test_the_recommendation_is_that_of_the_table_of_all_types(tmp_path):
    together = {"recommended": "m-Q8_0.gguf", "reason": "It is the smallest.", "receipts": [asdict(RECEIPT)]}
    (tmp_path / "in").mkdir()
    write_receipt(tmp_path / "in" / "quantization.json", together)
    figures = read(tmp_path, {"in/m-Q8_0.gguf": "2" * 64})
    assert (figures.recommended, figures.reason) == ("in/m-Q8_0.gguf", "It is the smallest.")


def test_a_release_names_every_file_and_no_place_on_the_machine(tmp_path):
    folder = tmp_path / ".m.1.partial"
    (folder / "checkpoint").mkdir(parents=True)
    (folder / "checkpoint" / "a.txt").write_text("a")
    merged = {"base": "/home/alice/base", "adapter": "adapter", "out": str(folder / "checkpoint")}
    steps = {"merge": merged | {"trained_on": "/home/alice/x, revision 1"}, "ollama": {"folder": str(folder)}}
    told = describe_release(folder, "m", steps, {"model": "m-Q8_0.gguf"})
    assert list(told) == ["steps", "made_with", "model", "files"]
    assert told["steps"]["merge"] == {"base": "base", "adapter": "adapter", "out": "checkpoint", "trained_on": "base"}
    assert told["steps"]["ollama"]["folder"] == "m"
    assert told["files"] == {"checkpoint/a.txt": {"bytes": 1, "sha256": hashlib.sha256(b"a").hexdigest()}}


def test_an_evaluation_of_another_model_is_refused(tmp_path):
    write_receipt(tmp_path / "evaluation.json", {"model_sha256": "4" * 64, "rows": []})
    assert read(tmp_path, {"m.gguf": "4" * 64}).evaluation["rows"] == []
    with pytest.raises(ConvertError, match="not among these files"):
        read(tmp_path, {"m.gguf": "5" * 64})


def test_types_are_summed_up_in_the_order_of_their_names():
    assert sum_by_type([("Q8_0", 5), ("F32", 1), ("Q8_0", 6)]) == {"F32": Share(1, 1), "Q8_0": Share(2, 11)}
