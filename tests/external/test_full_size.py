"""The conversion at full size, 24 layers and Qwen2's whole vocabulary: minutes and gigabytes, so only where asked for.

``FULL_SIZE=1 python -m pytest tests/external/test_full_size.py -s`` prints the figures it asserts.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="conversion needs requirements-dev.txt")
if not os.environ.get("FULL_SIZE"):
    pytest.skip("takes minutes; FULL_SIZE=1 runs it", allow_module_level=True)

from convert.gguf import to_gguf
from tests.helpers import llama_cpp_converter
from tests.helpers.qwen2_tokenizer import ROWS, make_qwen2_tokenizer
from tests.helpers.same_logits import assert_same_logits
from tests.helpers.tiny_checkpoint import SHAPES, make_checkpoint

ROOT = Path(__file__).parents[2]
#: Runs a command and prints its exit status, wall time in seconds and peak memory in bytes. In a process of its own,
#: because a child's peak counts that of the process it was forked from.
MEASURE = """
import json, resource, subprocess, sys, time
begun = time.monotonic()
status = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
seconds = time.monotonic() - begun
print(json.dumps([status, seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024]))
"""


@pytest.fixture(scope="module", params=SHAPES)
def checkpoint(request, tmp_path_factory):
    """Saved in bfloat16, as models are published: the smallest checkpoint of its shape."""
    folder = tmp_path_factory.mktemp("full") / request.param
    tokenizer = make_qwen2_tokenizer()
    return make_checkpoint(folder, **SHAPES[request.param], layers=24, rows=ROWS, tokenizer=tokenizer, dtype="bfloat16")


def measured(command):
    process = subprocess.run([sys.executable, "-c", MEASURE, *command], cwd=ROOT, capture_output=True, check=True)
    status, seconds, peak = json.loads(process.stdout)
    assert status == 0, command
    return seconds, peak


def test_llama_cpp_computes_what_transformers_computes(checkpoint, tmp_path):
    to_gguf(checkpoint, tmp_path / "f32.gguf", type="f32")
    largest = assert_same_logits(checkpoint, tmp_path / "f32.gguf")
    print(f"\n{checkpoint.name}: largest difference {largest:.2%} of a standard deviation")


def test_it_is_not_slower_than_llama_cpp_s_converter_and_takes_a_third_of_the_checkpoint_s_size(checkpoint, tmp_path):
    size = sum(path.stat().st_size for path in checkpoint.glob("*.safetensors"))
    _, bare = measured([sys.executable, "-c", "pass"])
    out = tmp_path / "model.gguf"
    for type in ("f16", "bf16", "f32"):
        theirs = measured(llama_cpp_converter.command([{"folder": checkpoint, "out": out, "type": type}]))
        ours = measured([sys.executable, "-m", "convert", "gguf", str(checkpoint), "--out", str(out), "--type", type])
        print(f"\n{checkpoint.name} {type}, checkpoint {size / 1e6:.0f} MB, bare interpreter {bare / 1e6:.0f} MB:")
        for who, (seconds, peak) in {"ours": ours, "llama.cpp's": theirs}.items():
            print(
                f"  {who:12} {seconds:6.1f} s, peak {peak / 1e6:6.0f} MB, {(peak - bare) / size:4.2f} of the checkpoint"
            )
        assert ours[0] <= theirs[0]
        assert ours[1] - bare <= size / 3
