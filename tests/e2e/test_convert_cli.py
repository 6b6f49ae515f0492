"""The command line of ``convert`` as people and programs meet it: statuses, one sentence, files whole or not at all."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from convert.__main__ import VERBS, main
from convert.files import ConvertError, read_json
from tests.helpers.tiny_model import write_tiny_gguf

ROOT = Path(__file__).parents[2]


def start(*arguments, **options):
    return subprocess.Popen([sys.executable, "-m", "convert", *map(str, arguments)], cwd=ROOT, **options)


def one_line(text):
    assert text.count("\n") == 1
    assert "Traceback" not in text
    return text


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb, capsys):
    with pytest.raises(SystemExit) as ending:
        main([verb, "--help"])
    assert ending.value.code == 0
    assert "--json" in capsys.readouterr().out


def test_help_does_not_wait_for_torch():
    code = "import sys, convert.__main__ as m\ntry: m.main(['--help'])\nfinally: print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert out.endswith("False\n")
    assert all(verb in out for verb in VERBS)


@pytest.mark.parametrize(
    "arguments", [[], ["conjure"], ["gguf"], ["gguf", "x", "--out", "y", "--type", "q8"], ["ollama", "a", "b", "c"]]
)
def test_arguments_that_make_no_sense_cost_one_line_and_status_2(arguments, capsys):
    assert main(arguments) == 2
    assert "--help says more" in one_line(capsys.readouterr().err)


def test_a_program_that_asks_for_json_gets_its_refusals_as_json(capsys):
    assert main(["gguf", "absent", "--out", "x.gguf", "--json"]) == 2
    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"] == one_line(captured.err).strip()
    assert "absent is not a folder" in captured.err


def test_a_reader_who_has_enough_is_no_error(tmp_path):
    model = write_tiny_gguf(tmp_path / "tiny.gguf")
    read, write = os.pipe()
    os.close(read)
    process = start("ollama", model, "--out", tmp_path / "out", stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 0


def test_a_result_that_cannot_be_printed_says_so(tmp_path):
    model = write_tiny_gguf(tmp_path / "tiny.gguf")
    with Path("/dev/full").open("w") as full:
        process = start("ollama", model, "--out", tmp_path / "out", stdout=full, stderr=subprocess.PIPE, text=True)
        assert "could not be printed" in process.communicate(timeout=60)[1].splitlines()[0]
    assert process.returncode == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_however_it_is_ended_nothing_unfinished_stays(tmp_path, number):
    model = write_tiny_gguf(tmp_path / "tiny.gguf", layers=2)
    process = start("quantize", model, "--types", "Q8_0,Q4_0,Q5_0,Q4_1", stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list(tmp_path.glob(".*.partial")):
        time.sleep(0.01)
    process.send_signal(number)
    assert "Interrupted" in one_line(process.communicate(timeout=60)[1])
    assert process.returncode == 2
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("text", ["[1]", "{", "", "[" * 200_000, '"\\ud800"'])
def test_json_that_is_not_an_object_is_a_sentence(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConvertError, match=r"config\.json"):
        read_json(tmp_path / "config.json")
