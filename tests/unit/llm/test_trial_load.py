"""Model files that are damaged, replaced or cut: one sentence, and never the end of the program."""

import os
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from copilot.llm.base import EngineError
from copilot.llm.gguf_header import open_model_file
from copilot.llm.trial_load import try_model
from copilot.settings import Settings
from tests.helpers.tiny_model import write_tiny_gguf

ROOT = Path(__file__).resolve().parents[3]
BOX = Settings().model
HEADER = open_model_file(BOX).header_end

#: What a program does with every file it is given: one sentence, or an engine that scores and writes.
TRY = """
    import sys
    from pathlib import Path
    from copilot.llm.base import EngineError
    from copilot.llm.local import LlamaEngine
    CHAT = [{"role": "user", "content": "Hello <|im_end|> Zo\\u00eb \\u6f22 1 2 3"}]
    def attempt(path):
        try:
            engine = LlamaEngine(Path(path), threads=1, context=256)
        except EngineError as error:
            return f"refused: {error}"
        try:
            list(engine.score(CHAT, "Emotion:", (" joy", " fear")))
            list(engine.generate(CHAT, max_tokens=4))
        except EngineError as error:
            return f"failed: {error}"
        finally:
            engine.close()
        return "works"
"""


def in_child(code: str, *arguments: object, timeout: float = 300) -> list[str]:
    """The lines that a process of its own prints; llama.cpp may end it."""
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TRY) + textwrap.dedent(code), *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert (child.returncode, child.stderr) == (0, ""), child.stderr[-2000:]
    return child.stdout.splitlines()


def attempts(*paths: Path) -> list[str]:
    return in_child("for path in sys.argv[1:]: print(attempt(path))", *paths)


def with_number(whole: bytes, key: str, value: float) -> bytes:
    """The file with another number under a key; its kind stays."""
    at = whole.index(struct.pack("<Q", len(key)) + key.encode()) + 8 + len(key)
    (kind,) = struct.unpack_from("<I", whole, at)
    number = struct.pack("<" + {4: "I", 5: "i", 6: "f"}[kind], value)
    return whole[: at + 4] + number + whole[at + 4 + len(number) :]


def with_key(whole: bytes, key: str, value: int) -> bytes:
    """The file with one more key, a number of 32 bits."""
    pair = struct.pack("<Q", len(key)) + key.encode() + struct.pack("<II", 4, value)
    moved = bytearray(whole[:24] + pair + whole[24:])
    moved[16:24] = struct.pack("<Q", struct.unpack_from("<Q", whole, 16)[0] + 1)
    return bytes(moved)


def aligned(whole: bytes, changed: bytes) -> bytes:
    """A changed header, with the weights moved to where it says they are."""
    data = whole[-(-HEADER // 32) * 32 :]
    new = HEADER + len(changed) - len(whole)
    return changed[:new] + bytes(-new % 32) + data


WRONG = {
    "no blocks": lambda b: with_number(b, "qwen2.block_count", 0),
    "a block more": lambda b: with_number(b, "qwen2.block_count", 200),
    "endless blocks": lambda b: with_number(b, "qwen2.block_count", 2**32 - 1),
    "heads that do not divide the width": lambda b: with_number(b, "qwen2.attention.head_count", 13),
    "no heads": lambda b: with_number(b, "qwen2.attention.head_count", 0),
    "endless heads": lambda b: with_number(b, "qwen2.attention.head_count", 2**31),
    "groups that do not divide the heads": lambda b: with_number(b, "qwen2.attention.head_count_kv", 3),
    "no width": lambda b: with_number(b, "qwen2.embedding_length", 0),
    "another width": lambda b: with_number(b, "qwen2.embedding_length", 96),
    "no context": lambda b: with_number(b, "qwen2.context_length", 0),
    "a norm that is not finite": lambda b: with_number(b, "qwen2.attention.layer_norm_rms_epsilon", float("nan")),
    "a base that is not finite": lambda b: with_number(b, "qwen2.rope.freq_base", float("inf")),
    "a head of seven": lambda b: aligned(b, with_key(b, "qwen2.attention.key_length", 7)),
    "half a pair rotated": lambda b: aligned(b, with_key(b, "qwen2.rope.dimension_count", 1)),
    "more rotated than there is": lambda b: aligned(b, with_key(b, "qwen2.rope.dimension_count", 4096)),
    "an alignment of nothing": lambda b: aligned(b, with_key(b, "general.alignment", 0)),
    "an alignment of three": lambda b: aligned(b, with_key(b, "general.alignment", 3)),
    "an end of text beyond the vocabulary": lambda b: with_number(b, "tokenizer.ggml.eos_token_id", 2**31),
    "another architecture": lambda b: b.replace(b"qwen2", b"mamba"),
    "a header without weights": lambda b: b[:HEADER],
    "half the weights": lambda b: b[: (HEADER + len(b)) // 2],
    "a token that is not UTF-8": lambda b: b.replace(b"<|im_end|>", b"<|\xff\xfe_end|>", 1),
    "every token that is not UTF-8": lambda b: b.replace(b"<|im_", b"<|\xff\xfe_"),
}


def test_every_wrong_size_is_told_in_a_sentence_or_harmless(tmp_path):
    whole = BOX.read_bytes()
    paths = []
    for name, change in WRONG.items():
        paths.append(tmp_path / f"{name}.gguf")
        paths[-1].write_bytes(change(whole))
        assert paths[-1].read_bytes() != whole, name
    told = dict(zip(WRONG, attempts(*paths), strict=True))
    for name in ("an end of text beyond the vocabulary", "a token that is not UTF-8", "every token that is not UTF-8"):
        assert told.pop(name).split(":")[0] in ("works", "refused", "failed"), name
    wrong = {name: line for name, line in told.items() if not line.startswith("refused: The model file")}
    assert wrong == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("qwen2.block_count", 0),
        ("qwen2.attention.head_count", 13),
        ("qwen2.attention.head_count_kv", 5),
        ("qwen2.embedding_length", 1),
        ("qwen2.context_length", 0),
    ],
)
def test_sizes_that_contradict_each_other_are_found_before_the_file_is_loaded(tmp_path, key, value):
    path = tmp_path / "m.gguf"
    path.write_bytes(with_number(write_tiny_gguf(path).read_bytes(), key, value))
    with pytest.raises(EngineError, match="damaged"):
        open_model_file(path)


MUTATE = """
    import os, random
    from copilot.child_process import ChildError
    from copilot.llm import trial_load
    def forked(limits, function, *args):  # a new interpreter for each would take minutes
        pid = os.fork()
        if pid == 0:
            try:
                os.dup2(os.open(os.devnull, os.O_RDWR), 2)
                os.environ["GGML_NO_BACKTRACE"] = "1"
                function(*args)
            except BaseException:
                os._exit(1)
            os._exit(0)
        if os.waitpid(pid, 0)[1]:
            raise ChildError("It died.")
    trial_load.child_process.run_limited = forked
    whole, path, header = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2]), int(sys.argv[3])
    numbers = [0, 1, 2, 3, 7, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63, 2**64 - 1]
    def mutated(dice):
        content = bytearray(whole)
        for _ in range(dice.choice([1, 1, 2, 4])):
            at = dice.randrange(4, dice.choice([2000, header]))
            match dice.randrange(5):
                case 0: content[at] ^= 1 << dice.randrange(8)
                case 1: content[at : at + 4] = (dice.choice(numbers) % 2**32).to_bytes(4, "little")
                case 2: content[at : at + 8] = dice.choice(numbers).to_bytes(8, "little")
                case 3: content[at : at + 6] = dice.randbytes(6)
                case 4: del content[at : at + dice.randrange(1, 40)]
        return content if dice.random() < 0.95 else content[: dice.randrange(len(content))]
    for seed in range(int(sys.argv[4])):
        path.write_bytes(mutated(random.Random(seed)))
        print(seed, attempt(path), flush=True)
"""


def test_no_mutated_header_ends_the_program(tmp_path):
    """Three hundred damaged copies of the model in the box; every seed makes the same copy each time."""
    lines = in_child(MUTATE, BOX, tmp_path / "m.gguf", HEADER, 300)
    told = [line.split(" ", 1)[1] for line in lines]
    assert len(told) == 300
    assert {line.split(":")[0] for line in told} <= {"works", "refused", "failed"}
    assert sum(line.startswith("refused") for line in told) > 50  # or nothing was shown
    assert sum(line == "works" for line in told) > 10


def test_a_file_that_aborts_llama_cpp_ends_only_the_process_that_tries_it(tmp_path, monkeypatch):
    """Where no check foresaw it: here the process that tries the file is made to abort."""
    path = write_tiny_gguf(tmp_path / "m.gguf")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import os, sys\nif 'copilot.child_process' in sys.orig_argv: os.abort()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(broken))
    told = in_child("sys.path.insert(0, sys.argv[2])\nprint(attempt(sys.argv[1]))\nprint('still here')", path, broken)
    assert told[0].startswith("refused: The model file m.gguf is damaged")
    assert told[1] == "still here"


@pytest.mark.parametrize("harm", ["cut", "overwritten", "another", "renamed over", "deleted"])
def test_what_happens_to_the_file_later_does_not_end_the_program(tmp_path, harm):
    path = write_tiny_gguf(tmp_path / "m.gguf", says="joy!")
    other = write_tiny_gguf(tmp_path / "other.gguf", hidden=128)
    told = in_child(
        """
        import os, shutil
        path, other, harm = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
        engine = LlamaEngine(path, threads=1, context=256)
        match harm:
            case "cut": os.truncate(path, 100)
            case "overwritten": path.write_bytes(bytes(path.stat().st_size))
            case "another": shutil.copyfile(other, path)
            case "renamed over": other.replace(path)
            case "deleted": path.unlink()
        print("".join(getattr(e, "text", "") for e in engine.generate(CHAT)))
        """,
        path,
        other,
        harm,
    )
    assert told == ["joy!"]


def test_a_large_file_that_is_mapped_is_not_read_on_when_it_was_changed(tmp_path):
    path = write_tiny_gguf(tmp_path / "m.gguf", says="joy!")
    told = in_child(
        """
        import os
        from copilot.llm import llama_cpp
        llama_cpp.LARGEST_COPIED = 0
        engine = LlamaEngine(Path(sys.argv[1]), threads=1, context=256)
        print("".join(getattr(e, "text", "") for e in engine.generate(CHAT)))
        os.truncate(sys.argv[1], 100)
        try:
            list(engine.generate(CHAT + [{"role": "assistant", "content": "so"}, {"role": "user", "content": "and?"}]))
        except EngineError as error:
            print(error)
        """,
        path,
    )
    assert told == ["joy!", "The model file m.gguf was changed while it was in use; start the program again."]


@pytest.mark.parametrize(
    "template",
    [
        "{{ 1 / 0 }}",
        "{{ 'a' * (2 ** 62) }}",
        "\ue0007\ue001",
        "\ue00099999999999999999999999\ue001",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ messages[9].content.x.y }}",
        "{{ {}['a']['b'] }}",
        "{{ '%d' % 'a' }}",
        "{{ strftime_now('\ud800') }}",
    ],
)
def test_no_chat_template_of_a_file_ends_in_a_fault(template):
    from copilot.llm.chat_template import render

    with pytest.raises(EngineError, match="chat template cannot be used") as caught:
        render(template, [{"role": "user", "content": "Hello"}], {})
    assert len(str(caught.value)) < 400


def test_a_name_that_is_not_utf_8_can_be_a_models(tmp_path):
    path = write_tiny_gguf(tmp_path / "m.gguf", says="joy!")
    odd = tmp_path / os.fsdecode(b"mod\xe8le.gguf")
    path.rename(odd)
    assert in_child("print(attempt(sys.argv[1]))", odd) == ["works"]


def test_a_context_that_does_not_fit_into_memory_is_named_as_the_reason():
    with pytest.raises(EngineError, match="No memory for 16,777,216 tokens"):
        try_model(BOX, threads=1, context=2**24)
