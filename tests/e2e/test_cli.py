"""The command line, on a simulated recording and an engine without a model."""

import io
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import pytest

from copilot import NOTICE, cli, pipeline
from copilot.cli_output import ProgressBar, print_text
from copilot.eeg import simulate as simulation
from copilot.eeg.simulate import simulate
from copilot.emotions import EMOTIONS
from copilot.events import StageBegun, StageProgress
from copilot.llm.base import EngineError, ModelInfo, PromptProgress, Token
from copilot.record.export.json_format import from_json
from copilot.safety import find_help
from copilot.settings import ROOT
from tests.helpers.fake_engine import FakeEngine

WHO = ("--age", "20", "--gender", "female")


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    made, path = simulate(seconds=20, seed=4), tmp_path_factory.mktemp("eeg") / "recording.npz"
    np.savez(path, data=made.data, sfreq=made.sfreq, channels=np.array(made.channels), units=np.array("uV"))
    return str(path)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    for name in os.environ:
        if name.startswith("EEG_COPILOT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("EEG_COPILOT_PROTOCOL", "faced-films")  # where the language model always writes


@pytest.fixture
def engine(monkeypatch):
    return use(monkeypatch, FakeEngine())


def use(monkeypatch, engine):
    monkeypatch.setattr("copilot.llm.open_engine", lambda settings: engine)
    return engine


def run(*arguments):
    """Exit status of a command, however it ends."""
    try:
        return cli.main(arguments)
    except SystemExit as end:
        return end.code


def child(*arguments, **options):
    """The same in a process of its own."""
    command = [sys.executable, "-m", "copilot", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, **options)


def test_a_recording_of_any_kind_is_the_default_and_names_no_emotion_without_a_gain(
    engine, recording, capsys, monkeypatch
):
    monkeypatch.delenv("EEG_COPILOT_PROTOCOL")
    assert run("analyse", recording, *WHO) == 0
    out, _ = capsys.readouterr()
    parts = ["Quality: ", "Eyes", "does not single out an emotion", "right in 11 of 100, guessing 11", "Assessment:"]
    parts += ["Suggestions:", "two or three minutes of rest", NOTICE]
    assert [out.index(part) for part in parts] == sorted(out.index(part) for part in parts)
    assert not any(emotion in out for emotion in EMOTIONS)
    assert engine.calls == []


def test_the_protocol_can_be_given(engine, recording, capsys, monkeypatch):
    monkeypatch.delenv("EEG_COPILOT_PROTOCOL")
    assert run("analyse", recording, *WHO, "--protocol", "faced-films", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["situation"], found["emotion"], found["confidence"]) == ("faced-films", "joy", "clear")
    assert run("analyse", recording, *WHO, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["situation"], found["confidence"]) == ("any", "unclear")
    assert {state["source"] for state in found["states"]} <= {"eyes", "sleep", "effort"}


def test_analyse_prints_quality_bars_assessment_and_notice_in_this_order(engine, recording, capsys):
    assert run("analyse", recording, *WHO) == 0
    out, err = capsys.readouterr()
    parts = ["Quality: ", "joy ", "█", "Film recognised: joy", "Assessment:", "settled, pleasant state", NOTICE]
    assert [out.index(part) for part in parts] == sorted(out.index(part) for part in parts)
    assert all(emotion in out for emotion in EMOTIONS)
    assert [line.split(" (about")[0] for line in err.splitlines()] == list(pipeline.STAGES.values())
    assert engine.closed


@pytest.mark.parametrize("name", cli.EXAMPLES)
def test_an_example_needs_no_file(engine, name, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert run("analyse", "--example", name, "--json") == 0
    assert json.loads(capsys.readouterr().out)["quality"]["trust"] == ("poor" if name == "poor-contact" else "good")
    assert not list(tmp_path.iterdir())


def test_the_examples_are_those_of_the_page():
    assert set(cli.EXAMPLES) == set(simulation.EXAMPLES)


@pytest.mark.parametrize("arguments", [(), ("{recording}", "--example", "busy")])
def test_either_a_file_or_an_example(engine, recording, arguments, capsys):
    assert run("analyse", *(argument.format(recording=recording) for argument in arguments)) == 2
    assert "--example NAME" in capsys.readouterr().err


def test_json_prints_one_object_with_everything(engine, recording, capsys):
    assert run("analyse", recording, *WHO, "--appearance", "tired", "--json") == 0
    out = capsys.readouterr().out
    result = json.loads(out)
    assert out.count("\n") == 1
    assert list(result["probabilities"]) == list(EMOTIONS)
    assert sum(result["probabilities"].values()) == pytest.approx(1)
    assert result["probabilities"][result["emotion"]] == max(result["probabilities"].values())
    assert result["emotion"] == "joy"
    assert result["three_class"] == "positive"
    assert 0 < result["valence"] <= 1
    assert "settled, pleasant state" in result["assessment"]
    assert len(result["suggestions"]) == 2
    assert result["quality"]["trust"] in ("good", "fair", "poor")
    assert 0 < result["timings"]["clean_s"] <= result["timings"]["first_token_s"] <= result["timings"]["total_s"]
    assert (result["model"], result["notice"], len(result["prompt_sha256"])) == ("fake", NOTICE, 64)
    fields = {field.key: field.value for field in from_json(json.dumps(result["record"])).fields}
    assert (fields["age"], fields["gender"], fields["appearance"]) == ("20", "female", "tired")


def test_prompt_prints_what_the_model_is_asked_and_nothing_else(engine, recording, capsys):
    arguments = (recording, *WHO, "--appearance", "tired")
    assert run("prompt", *arguments) == 0
    printed = capsys.readouterr().out
    assert run("analyse", *arguments) == 0
    assert printed == engine.calls[-1].messages[-1]["content"]
    assert "tired" in printed


def test_a_codec_and_a_baseline_change_the_prompt(recording, tmp_path, capsys):
    other = tmp_path / "other.npz"
    made = simulate(seconds=20, alpha_uv=20, seed=5)
    np.savez(other, data=made.data, sfreq=made.sfreq, channels=np.array(made.channels), units=np.array("uV"))
    printed = []
    for more in ((), ("--codec", "wavelet"), ("--baseline", str(other))):
        assert run("prompt", recording, *WHO, *more) == 0
        printed.append(capsys.readouterr().out)
    assert len(set(printed)) == 3
    assert "EEG codec wavelet" in printed[1]
    assert "own baseline" in printed[2]


def test_an_array_takes_its_rate_and_electrodes_from_the_command_line(tmp_path, capsys):
    made, path = simulate(seconds=20), tmp_path / "array.npy"
    np.save(path, made.data)
    assert run("prompt", str(path), *WHO, "--sfreq", "250", "--channels", ",".join(made.channels)) == 0
    assert "EEG codec patterns" in capsys.readouterr().out


def talk(monkeypatch, text):
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_chat_answers_piped_questions_and_remembers_them(monkeypatch, recording, capsys):
    engine = use(monkeypatch, FakeEngine(answers=["Assessment: Calm.", "Take your time.", "A walk may help."]))
    talk(monkeypatch, "I had a hard week\n\nWhat could help?\nexit\nnever asked\n")
    assert run("chat", recording, *WHO) == 0
    out = capsys.readouterr().out
    parts = ["Calm.", NOTICE, "> I had a hard week", "Take your time.", "> What could help?", "A walk may help."]
    assert [out.index(part) for part in parts] == sorted(out.index(part) for part in parts)
    assert "never asked" not in out
    roles = [message["role"] for message in engine.calls[-1].messages]
    assert roles == ["system", "user", "assistant", "user"]
    assert engine.calls[-1].messages[2]["content"].strip() == "Take your time."


def test_chat_in_json_lists_the_facts_of_each_answer(monkeypatch, recording, capsys):
    trained = ModelInfo("ours", "f" * 64, metadata={"codec": "patterns"})
    use(monkeypatch, FakeEngine(answers=["Assessment: Calm."], info=trained))
    talk(monkeypatch, "How long was the recording?\n哪种情绪排第二？\nI want to kill myself\n")
    assert run("chat", recording, *WHO, "--json") == 0
    length, second, danger = map(json.loads, capsys.readouterr().out.splitlines())
    assert length["understood"] == ["length"]
    assert length["facts"][0]["key"] == "length"
    assert length["facts"][0]["sentence"] in length["answer"]
    assert second["facts"][0]["key"] == "rank.2"
    assert "概率" in second["answer"]
    assert danger["facts"] == []
    assert len(danger["answer"]) > 100


def test_ctrl_c_stops_an_answer_and_the_chat_goes_on(monkeypatch, recording, capsys):
    class Impatient(FakeEngine):
        def generate(self, messages, prefix="", **options):
            if messages[-1]["content"].endswith("Tell me everything"):
                yield Token("Well. And")
                raise KeyboardInterrupt
            yield from super().generate(messages, prefix, **options)

    use(monkeypatch, Impatient(answers=["Assessment: Calm.", "Short."]))
    talk(monkeypatch, "Tell me everything\nShorter?\n")
    assert run("chat", recording, *WHO) == 0
    out = capsys.readouterr().out
    assert "Well.\nStopped.\n" in out
    assert "> Shorter?\nShort." in out


def test_an_answer_that_fails_is_explained_and_the_chat_goes_on(monkeypatch, recording, capsys):
    class Overfull(FakeEngine):
        def generate(self, messages, prefix="", **options):
            if messages[-1]["content"].endswith("xxx"):
                raise EngineError("The model is gone; start it again.")
            yield from super().generate(messages, prefix, **options)

    use(monkeypatch, Overfull(answers=["Assessment: Calm.", "Short."]))
    talk(monkeypatch, "x" * 2000 + "\nxxx\nShorter?\n")
    assert run("chat", recording, *WHO) == 0
    out, err = capsys.readouterr()
    assert "The question has 2000 characters; at most 1000 are read." in err
    assert err.endswith("The model is gone; start it again.\n")
    assert "> Shorter?\nShort." in out


def test_chat_on_a_terminal_prompts_and_leaves_at_the_end_of_input(monkeypatch, engine, recording, capsys):
    typed = iter(["Is this a diagnosis?"])

    def answer(prompt):
        print(prompt, end="")
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", answer)
    assert run("chat", recording, *WHO) == 0
    assert "Ctrl-D or exit leaves" in capsys.readouterr().out
    assert engine.calls[-1].messages[-1]["content"].endswith("Is this a diagnosis?")


def test_words_of_danger_in_the_chat_are_answered_without_the_model(monkeypatch, engine, recording, capsys):
    talk(monkeypatch, "I want to kill myself\n")
    monkeypatch.setenv("LC_ALL", "en_NZ.UTF-8")
    assert run("chat", recording, *WHO) == 0
    answer = capsys.readouterr().out.split("kill myself")[1]
    assert "112" in answer
    assert "1737" in answer
    assert [call.kind for call in engine.calls] == ["score", "generate"]


def test_words_of_danger_in_the_form_are_answered_before_everything_else(monkeypatch, engine, recording, capsys):
    danger = ("--complaint", "I want to kill myself")
    monkeypatch.setenv("LC_ALL", "en_NZ.UTF-8")
    fixed = find_help(danger[1], "NZ").text
    assert "1737" in fixed
    for command in ("analyse", "chat"):
        talk(monkeypatch, "")
        assert run(command, recording, *WHO, *danger) == 0
        assert capsys.readouterr().out.startswith(f"{fixed}\n\nQuality: ")
    assert run("analyse", recording, *WHO, *danger, "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["emotion"] == "joy"
    assert err.startswith(fixed)


def test_prompt_refuses_a_codec_of_several_prompts(recording, capsys):
    assert run("prompt", recording, *WHO, "--codec", "wavelet-segments") == 2
    out, err = capsys.readouterr()
    assert_one_sentence(out, err)
    assert "use analyse" in err


BAD_INPUT = {
    "no such file": ("missing.edf", *WHO),
    "a folder": (".", *WHO),
    "an age that is no number": ("a.edf", "--age", "twenty", "--gender", "female"),
    "an impossible age": ("a.edf", "--age", "140", "--gender", "female"),
    "an unknown gender": ("a.edf", "--age", "20", "--gender", "x"),
    "a text that is too long": ("a.edf", *WHO, "--history", "x" * 601),
    "no person": ("a.edf",),
    "no file": WHO,
    "an unknown option": ("a.edf", *WHO, "--volume", "11"),
    "a rate that is no number": ("a.npy", *WHO, "--sfreq", "fast"),
    "a trial that is no number": ("a.npy", *WHO, "--trial", "second"),
    "a rate of nothing": ("a.npy", *WHO, "--sfreq", "nan"),
}


@pytest.mark.parametrize("command", ["analyse", "prompt", "chat"])
@pytest.mark.parametrize("arguments", BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_one_sentence_and_status_2(engine, command, arguments, capsys):
    assert run(command, *arguments) == 2
    assert_one_sentence(*capsys.readouterr())


def assert_one_sentence(out, err):
    assert out == ""
    assert err.count("\n") == 1
    assert err.endswith(".\n")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("name", "content"), [("a.edf", b""), ("a.edf", b"garbage"), ("a.exe", b"MZ"), ("a.npz", b"PK")]
)
def test_files_that_are_no_eeg_are_one_sentence_and_status_2(engine, name, content, tmp_path, capsys):
    path = tmp_path / name
    path.write_bytes(content)
    assert run("analyse", str(path), *WHO) == 2
    assert_one_sentence(*capsys.readouterr())


def test_a_recording_that_is_too_short_is_one_sentence_and_status_2(engine, tmp_path, capsys):
    made, path = simulate(seconds=6), tmp_path / "short.npz"
    np.savez(path, data=made.data, sfreq=made.sfreq, channels=np.array(made.channels), units=np.array("uV"))
    assert run("analyse", str(path), *WHO) == 2
    assert_one_sentence(*capsys.readouterr())


@pytest.mark.parametrize("more", [("--codec", "morse"), ("--baseline", "missing.edf")])
def test_what_is_wrong_beside_the_recording_is_one_sentence_too(engine, recording, more, capsys):
    assert run("analyse", recording, *WHO, *more, "--json") == 2
    assert_one_sentence(*capsys.readouterr())


@pytest.mark.parametrize("variable", ["EEG_COPILOT_THREADS", "EEG_COPILOT_READOUT"])
def test_a_bad_setting_is_one_sentence_and_status_2(engine, monkeypatch, variable, recording, capsys):
    monkeypatch.setenv(variable, "many")
    assert run("analyse", recording, *WHO) == 2
    out, err = capsys.readouterr()
    assert_one_sentence(out, err)
    assert variable in err


@pytest.mark.parametrize("variable", ["EEG_COPILOT_MODEL", "EEG_COPILOT_DECODER"])
def test_a_missing_model_is_one_sentence_and_status_2(monkeypatch, variable, recording, tmp_path, capsys):
    if variable == "EEG_COPILOT_DECODER":
        use(monkeypatch, FakeEngine())
    monkeypatch.setenv(variable, str(tmp_path / "none.gguf"))
    assert run("analyse", recording, *WHO) == 2
    assert_one_sentence(*capsys.readouterr())


def test_ctrl_c_ends_an_analysis_quietly_with_status_130(monkeypatch, recording, capsys):
    class Interrupted(FakeEngine):
        def score(self, messages, prefix, labels):
            yield PromptProgress(1, 3)
            raise KeyboardInterrupt

    engine = use(monkeypatch, Interrupted())
    assert run("analyse", recording, *WHO) == 130
    assert "Traceback" not in capsys.readouterr().err
    assert engine.closed


def test_a_fault_of_the_program_is_told_without_a_traceback(monkeypatch, recording, capsys):
    class Faulty(FakeEngine):
        def score(self, messages, prefix, labels):
            raise ZeroDivisionError("division by zero")
            yield

    use(monkeypatch, Faulty())
    assert run("analyse", recording, *WHO) == 1
    err = capsys.readouterr().err
    assert "fault of the program" in err
    assert "Traceback" not in err


def test_on_a_terminal_progress_stays_in_one_line_and_goes_away(capsys):
    progress = ProgressBar(in_place=True)
    for event in (
        StageBegun("clean", 3.2),
        StageProgress("clean", 0.4, "finding bad channels"),
        PromptProgress(10, 200),
    ):
        progress.show(event)
    progress.clear()
    progress.clear()
    out, err = capsys.readouterr()
    assert "Cleaning the signal (about 3 s) 40% finding bad channels" in err
    assert err.rstrip("\r\x1b[2K").endswith("(about 3 s) 5%")
    assert "\n" not in err
    assert err.endswith("\r\x1b[2K")
    assert not err.endswith("\r\x1b[2K" * 2)
    assert out == ""


def test_a_model_cannot_steer_the_terminal(capsys):
    print_text("a\x1b[2Jb\x07\u202ec\n")
    assert capsys.readouterr().out == "a[2Jbc\n\n"


def test_help_names_the_commands():
    result = child("--help")
    assert result.returncode == 0
    assert all(command in result.stdout for command in ("analyse", "prompt", "chat"))
    assert " ".join(NOTICE.split()) in " ".join(result.stdout.split())


def test_help_imports_nothing_heavy():
    code = "import sys, copilot.cli; print(sorted({'numpy', 'mne', 'llama_cpp'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_real_process_refuses_with_one_sentence(tmp_path):
    path = tmp_path / "broken.edf"
    path.write_bytes(b"0       " + b"x" * 300)
    result = child("prompt", str(path), *WHO)
    assert result.returncode == 2
    assert_one_sentence(result.stdout, result.stderr)


def test_a_reader_that_leaves_early_is_no_error(recording):
    command = [sys.executable, "-m", "copilot", "prompt", recording, *WHO]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(60) == 141
    assert "Traceback" not in errors
    assert "Broken" not in errors
