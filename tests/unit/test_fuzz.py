"""A short run of the fuzzer, always with the same cases; ``make fuzz`` runs others for longer."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.fuzz import seeds

ROOT = Path(__file__).parents[2]
#: Faults planted in our own functions: the module, the new function, what reads with it, what the fuzzer says.
PLANTED = {
    "a mistake in a reader": (
        "copilot.eeg.formats.edf",
        "def _parse_label(field): return 1 / (len(field) - 16)",
        "edf",
        "mistake of our own behind a sentence: ZeroDivisionError in _parse_label",
    ),
    "a file name in a sentence": (
        "copilot.eeg.formats.edf",
        "def _parse_label(field): raise RecordingError('The file ZYXWVUT.edf is damaged.')",
        "edf",
        "quotes the file or the person",
    ),
    "a file left behind": (
        "copilot.eeg.units",
        "def fill_gaps(data): import tempfile; tempfile.mkstemp(); return data, ()",
        "edf",
        "leaves 1 files behind",
    ),
    "infinity": ("copilot.eeg.units", "def to_microvolts(data, *_): return data + np.inf, ()", "edf", "not finite"),
    "a refusal of what is intact": (
        "copilot.eeg.units",
        "def to_microvolts(*_): raise RecordingError('No.')",
        "edf",
        "refuses an intact file",
    ),
    "two sentences": (
        "copilot.eeg.units",
        "def to_microvolts(*_): raise RecordingError('a\\nb')",
        "edf",
        "not one plain",
    ),
    "much memory": (
        "copilot.eeg.units",
        "def fill_gaps(data): b'x' * 2**30; return data, ()",
        "edf",
        "takes 1",
    ),
    "a crash": (
        "copilot.record.export.json_format",
        "def _refuse_duplicate_keys(pairs): import os; os.abort()",
        "record",
        "crash: SIGABRT",
    ),
    "a hang": (
        "copilot.record.export.json_format",
        "def _refuse_duplicate_keys(pairs): import time; time.sleep(9)",
        "record",
        "hangs",
    ),
    "a traceback": ("copilot.llm.gguf_header", "_Cursor._take_text = None", "gguf", "traceback: TypeError"),
}
#: One process for all of them, since importing takes seconds: each is planted, looked for, and taken out again.
LOOK_FOR_THEM = """
import contextlib, importlib, io, json, sys
from tests.fuzz import run
said = {}
for what, (name, code, kind, _) in json.loads(sys.argv[1]).items():
    module, output = importlib.import_module(name), io.StringIO()
    before = dict(vars(module))
    exec(compile(code, module.__file__, "exec"), vars(module))
    run.HANG_S = 2 if what == "a hang" else 60
    with contextlib.redirect_stdout(output):
        status = run.main(["--seed", "1", "--cases", "0", "--kinds", kind, "--out", sys.argv[2]])
    vars(module).update(before)
    said[what] = (status, output.getvalue())
print(json.dumps(said))
"""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, since the fuzzer forks."""
    python = [sys.executable, "-W", "ignore", *command]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(python, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)


def test_damaged_files_of_every_kind_are_read_or_refused_in_a_sentence(tmp_path):
    ended = run("-m", "tests.fuzz.run", "--seed", "1", "--cases", "15", "--out", str(tmp_path), "--kinds", *seeds.KINDS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "seed 1" in ended.stdout
    for kind in seeds.KINDS:
        assert f"\n{kind} " in ended.stdout


def test_planted_faults_are_found_and_kept(tmp_path):
    ended = run("-c", LOOK_FOR_THEM, json.dumps(PLANTED), str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    for what, (status, output) in json.loads(ended.stdout).items():
        assert PLANTED[what][3] in output, (what, output)
        assert status == 1, what
    assert (tmp_path / "edf-1-intact-0" / "ZYXWVUT.edf").is_file()


def test_a_case_depends_on_seed_kind_and_number_alone():
    from tests.fuzz.run import make_case

    intact = [[("a.csv", b"time,Fp1\n0,1\n1,2\n")]]
    cases = [make_case("table", intact, [b"other"], seed, 7) for seed in (1, 1, 2)]
    assert cases[0] == cases[1]
    assert cases[0] != cases[2]
