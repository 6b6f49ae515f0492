"""llama.cpp's own converter, run in a process of its own, to compare with: ``make build/llama.cpp`` fetches it.

Two things are changed in that process. It imports ``sentencepiece`` only to find that there is no tokenizer.model: an
empty stand-in saves the package. And it knows how a tokenizer cuts text by a hash of what the tokenizer makes of one
long text, which no tokenizer made for a test can match: for these, it is told.
"""

import json
import os
import runpy
import subprocess
import sys
import types
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = Path(os.environ.get("LLAMA_CPP_SOURCE", ROOT / "build" / "llama.cpp"))
SCRIPT = SOURCE / "convert_hf_to_gguf.py"


def command(jobs):
    """What to run for jobs: dictionaries with ``folder``, ``out``, ``type`` and, for a made-up tokenizer, ``pre``."""
    import pytest

    if not SCRIPT.is_file():
        pytest.skip(f"llama.cpp's converter is not in {SOURCE}; make build/llama.cpp fetches it")
    plain = [{key: str(value) for key, value in job.items()} for job in jobs]
    return [sys.executable, "-m", "tests.helpers.llama_cpp_converter", json.dumps(plain)]


def convert_all(jobs):
    """Run it on each job."""
    process = subprocess.run(command(jobs), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.returncode == 0, process.stdout


def main():
    sys.path.insert(0, str(SOURCE))
    script = runpy.run_path(str(SCRIPT))
    from conversion.base import TextModel

    sys.modules["sentencepiece"] = types.ModuleType("sentencepiece")
    sys.modules["sentencepiece"].SentencePieceProcessor = None
    recognise = TextModel.get_vocab_base_pre
    for job in json.loads(sys.argv[1]):
        told = job.get("pre")
        TextModel.get_vocab_base_pre = (lambda _self, _tokenizer, told=told: told) if told else recognise
        sys.argv[1:] = [job["folder"], "--outfile", job["out"], "--outtype", job["type"]]
        script["main"]()


if __name__ == "__main__":
    main()
