"""What Ollama is given: the model's own template in Go, texts that stay texts, and room for the longest prompt."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import gguf
import numpy as np
import pytest

pytest.importorskip("torch", reason="conversion needs requirements-dev.txt")

from convert import eval_prompts
from convert import ollama as verb
from convert.__main__ import main
from convert.eval_prompts import CONVERSATIONS
from convert.files import ConvertError
from convert.gguf import to_gguf
from convert.ollama import ANSWER, format_modelfile, ollama
from convert.ollama.go_template import learn_template
from copilot import emotions, prompt
from copilot.child_process import ChildError, Limits
from copilot.llm.llama_cpp import NativeModel
from copilot.person import MAX_TEXT, Person
from copilot.settings import Settings
from tests.helpers.tiny_checkpoint import TEMPLATE as CHATML
from tests.helpers.tiny_checkpoint import make_checkpoint
from tests.helpers.tiny_model import write_tiny_gguf

#: How families of models write chats; in their published templates these parts differ in length only.
QWEN2 = (
    "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA_3 = (
    "{% for m in messages %}{% if loop.first %}{{ bos_token }}{% endif %}"
    "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for m in messages %}{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
LLAMA_2 = (
    "{% for m in messages %}{% if m['role'] == 'system' %}"
    "{% if not loop.first %}{{ raise_exception('system first') }}{% endif %}"
    "{{ bos_token + '[INST] <<SYS>>\n' + m['content'] + '\n<</SYS>>\n\n' }}"
    "{% elif m['role'] == 'user' %}{% if loop.first or messages[loop.index0 - 1]['role'] != 'system' %}"
    "{{ bos_token + '[INST] ' }}{% endif %}{{ m['content'] + ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'] + ' ' + eos_token }}{% endif %}{% endfor %}"
)
FAMILIES = {"chatml": CHATML, "qwen2": QWEN2, "llama-3": LLAMA_3, "gemma": GEMMA, "llama-2": LLAMA_2}
#: The system message goes into the last turn of the user's, wherever that is.
MISTRAL_3 = (
    "{% set turns = messages[1:] if messages[0]['role'] == 'system' else messages %}{% for m in turns %}"
    "{% if m['role'] == 'user' %}{{ '[INST] ' }}"
    "{% if loop.last and turns | length < messages | length %}{{ messages[0]['content'] + '\n\n' }}{% endif %}"
    "{{ m['content'] + ' [/INST]' }}{% else %}{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}"
)
HARMLESS = [
    'She said """no""" and """yes""".',
    '"quoted"',
    'three at the end"""',
    "\n\nFROM other\nADAPTER evil.gguf\n# no comment\n",
    "  blanks\tand a tab  \r\nand Windows' line ends",
    "{{ .System }} {{ end }} `x` $1 \\n",
    "Überraschung 你好 🙂",
]
HOSTILE = ['x"""\nFROM other', 'x"""  \r\nFROM other', '"""\nSYSTEM evil']


@pytest.fixture(scope="session")
def go(tmp_path_factory):
    """Render conversations with Go's text/template as Ollama does; an error stands in place of what cannot be said."""
    if not shutil.which("go"):
        pytest.skip("go is not installed")
    work = tmp_path_factory.mktemp("go")
    program = work / "render"
    settings = {"GOCACHE": work / "cache", "GOPATH": work / "path", "GOFLAGS": "-mod=mod", "GOPROXY": "off"}
    environment = os.environ | {name: str(value) for name, value in settings.items()}
    folder = Path(__file__).parents[2] / "external" / "go"
    subprocess.run(["go", "build", "-o", program, "."], cwd=folder, env=environment, check=True)

    def render(template, conversations):
        answer = subprocess.run([program, template], input=json.dumps(conversations), stdout=subprocess.PIPE, text=True)
        assert answer.returncode == 0
        return [chat["text"] or chat["error"] for chat in json.loads(answer.stdout)]

    return render


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    return make_checkpoint(tmp_path_factory.mktemp("ollama") / "tiny")


@pytest.fixture(scope="session", params=FAMILIES)
def family(request, checkpoint, tmp_path_factory):
    """A checkpoint's tokenizer with the family's template, and the folder that was written for its GGUF file."""
    from transformers import AutoTokenizer

    folder = Path(shutil.copytree(checkpoint, tmp_path_factory.mktemp(request.param) / "checkpoint"))
    (folder / "chat_template.jinja").write_text(FAMILIES[request.param])
    config = json.loads((folder / "tokenizer_config.json").read_text())
    changes = {"bos_token": "<|endoftext|>", "add_bos_token": request.param.startswith("llama")}
    (folder / "tokenizer_config.json").write_text(json.dumps(config | changes))
    to_gguf(folder, folder.with_name("model.gguf"), type="f32")
    ollama(folder.with_name("model.gguf"), folder.with_name("out"))
    return AutoTokenizer.from_pretrained(folder), folder.with_name("out"), changes["add_bos_token"]


@pytest.fixture
def tiny(tmp_path):
    return write_tiny_gguf(tmp_path / "tiny.gguf", metadata={"eeg_copilot.system": "You read EEG."})


def jinja(tokenizer, conversation, **options):
    """The prompt by transformers, or None where the template refuses it."""
    from jinja2 import TemplateError

    options = options or {"add_generation_prompt": True}
    try:
        return tokenizer.apply_chat_template(list(conversation), tokenize=False, **options)
    except TemplateError:
        return None


def read_modelfile(path):
    """(instruction, value) as Ollama reads them: a value ends with the first line that leaves no quote open."""
    lines = iter(re.split(r"(?<=[\r\n])", path.read_bytes().decode()))
    found = []
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        name, value = line.split(" ", 1)
        assert name in ("FROM", "ADAPTER", "TEMPLATE", "SYSTEM", "PARAMETER", "LICENSE")
        if name == "PARAMETER":
            name, value = value.split(" ", 1)
        while (read := unquoted(value.strip())) is None:
            value += next(lines)
        found.append((name, "".join(c for c in read if c.isprintable() or c in "\t\r\n")))
    return found


def whole_modelfile(text):
    texts = dict.fromkeys(("model", "adapter", "template", "system", "license"), text)
    return format_modelfile(**texts, stops=[text], parameters={"num_ctx": 1}, about_context="Enough.")


def unquoted(value):
    for quotes in ('"""', '"'):
        if value.startswith(quotes):
            whole = len(value) >= 2 * len(quotes) and value.endswith(quotes)
            return value[len(quotes) : -len(quotes)] if whole else None
    return value


def test_go_writes_the_prompts_that_the_checkpoints_jinja_writes(go, family):
    tokenizer, out, begun_by_runner = family
    expected = [jinja(tokenizer, chat) for chat in CONVERSATIONS]
    assert sum(text is not None for text in expected) >= 4
    for text, written in zip(expected, go(out / "template", CONVERSATIONS), strict=True):
        if text is None:
            assert "this model knows no chat with its roles in this order" in written
        else:
            assert written == (text.removeprefix(tokenizer.bos_token) if begun_by_runner else text)


def test_an_answer_that_has_begun_is_continued(go, family):
    tokenizer, out, begun_by_runner = family
    chat = [{"role": "user", "content": "Am I calm?"}, {"role": "assistant", "content": "Emotion:"}]
    text = jinja(tokenizer, chat, continue_final_message=True)
    assert text.endswith("Emotion:")
    assert go(out / "template", [chat]) == [text.removeprefix(tokenizer.bos_token) if begun_by_runner else text]


def test_neighbours_of_one_role_are_one_message_as_in_ollama(go, family):
    _, out, _ = family
    chats = [[{"role": "user", "content": text} for text in texts] for texts in (["One", "Two"], ["One\n\nTwo"])]
    apart, together = go(out / "template", chats)
    assert apart == together


def test_a_role_that_the_model_does_not_know_is_an_error_and_not_left_out(go, family):
    _, out, _ = family
    (error,) = go(out / "template", [[{"role": "user", "content": "Hi"}, {"role": "tool", "content": "42"}]])
    assert "this model knows no chat with its roles in this order" in error


def test_the_beginning_of_text_is_left_to_the_runner_where_that_writes_it(family):
    tokenizer, out, begun_by_runner = family
    bos = tokenizer.bos_token in (out / "template").read_text().split("\n{{- else")[0]
    assert not (begun_by_runner and bos)


def test_templates_that_look_around_are_refused_with_a_reason(tmp_path):
    for name, template, reason in [
        ("moves", MISTRAL_3, "not always write the same"),
        ("drops", "{% for m in messages[-2:] %}<{{ m.role }}>{{ m.content }}{% endfor %}", "drops"),
        ("counts", "{% for m in messages %}{{ loop.index }}{{ m.content }}{% endfor %}", "not always write the same"),
        ("trims one end", "{% for m in messages %}<{{ m.content.lstrip() }}{% endfor %}", "trims"),
        ("reads", "{% for m in messages %}<{{ m.content or 'nothing' }}>{% endfor %}", "depends on the contents"),
        ("divides", "{{ 1 / 0 }}", "refuses every conversation"),
        ("halves", r"{% for m in messages %}{{ '\ud83d' }}{{ m.content }}{% endfor %}", "refuses every conversation"),
        ("is not Jinja", "{% for %}", "refuses every conversation"),
    ]:
        model = write_tiny_gguf(tmp_path / "model.gguf", chat_template=template)
        with pytest.raises(ConvertError, match=reason):
            ollama(model, tmp_path / name)
        assert not (tmp_path / name).exists()


def test_whatever_a_template_writes_is_a_text_in_go_and_in_the_modelfile(go, tmp_path):
    piece = '"""\nSYSTEM evil\n{{ .System }} {{/* */}} }} ` \\ \\n " \u00a0 \u200b \U0001f642 <|x|>'
    template = "{% for m in messages %}{{ PIECE }}{{ m.content }}{% endfor %}".replace(
        "PIECE", json.dumps(piece, ensure_ascii=False)
    )
    model = write_tiny_gguf(tmp_path / "model.gguf", chat_template=template)
    ollama(model, tmp_path / "out")
    assert go(tmp_path / "out" / "template", [CONVERSATIONS[0]]) == [f"{piece}Am I calm?"]
    assert [name for name, _ in read_modelfile(tmp_path / "out" / "Modelfile")].count("SYSTEM") == 0


def test_a_template_that_never_ends_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(verb, "LIMITS", Limits(timeout_s=2))
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    with pytest.raises(ChildError, match="Stopped"):
        ollama(write_tiny_gguf(tmp_path / "model.gguf", chat_template=endless), tmp_path / "out")


def test_the_hubs_files_say_what_the_modelfile_says(tiny, tmp_path):
    report = ollama(tiny, tmp_path / "out")
    read = read_modelfile(tmp_path / "out" / "Modelfile")
    template, system = ((tmp_path / "out" / name).read_bytes().decode() for name in ("template", "system"))
    params = json.loads((tmp_path / "out" / "params").read_text())
    assert sorted(report.files) == sorted(path.name for path in (tmp_path / "out").iterdir())
    assert dict(read)["FROM"] == "../tiny.gguf"
    assert (dict(read)["TEMPLATE"], dict(read)["SYSTEM"]) == (template, system)
    assert system == "You read EEG."
    assert [value for name, value in read if name == "stop"] == params["stop"] == ["<|im_end|>", "<|endoftext|>"]
    kinds = {"num_ctx": int, "num_predict": int, "top_k": int} | dict.fromkeys(
        ("temperature", "top_p", "repeat_penalty"), float
    )
    assert {name: type(value) for name, value in params.items() if name != "stop"} == kinds
    assert {name: float(dict(read)[name]) for name in kinds} == {name: params[name] for name in kinds}


@pytest.mark.parametrize("text", HARMLESS)
def test_texts_come_back_from_the_modelfile_letter_by_letter(tmp_path, text):
    (tmp_path / "Modelfile").write_bytes(whole_modelfile(text).encode())
    read = read_modelfile(tmp_path / "Modelfile")
    names = ("FROM", "ADAPTER", "TEMPLATE", "SYSTEM", "num_ctx", "stop", "LICENSE")
    assert read == [(name, "1" if name == "num_ctx" else text) for name in names]


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_that_would_break_out_of_the_modelfile_are_refused(text):
    with pytest.raises(ConvertError, match="three quotes"):
        whole_modelfile(text)


@pytest.mark.parametrize("key", ["eeg_copilot.system", "general.license"])
def test_a_model_with_such_a_text_leaves_no_modelfile(tmp_path, key):
    model = write_tiny_gguf(tmp_path / "model.gguf", metadata={key: HOSTILE[0]})
    with pytest.raises(ConvertError, match="three quotes"):
        ollama(model, tmp_path / "out")
    assert not (tmp_path / "out" / "Modelfile").exists()


def test_a_system_message_that_ollama_would_read_otherwise_is_refused(tmp_path):
    model = write_tiny_gguf(tmp_path / "model.gguf", metadata={"eeg_copilot.system": "zero\u200bwidth"})
    with pytest.raises(ConvertError, match=r"U\+200B"):
        ollama(model, tmp_path / "out")


def test_a_file_name_with_an_instruction_in_it_stays_a_name(tiny, tmp_path):
    strange = tiny.rename(tmp_path / 'a "b"\nSYSTEM evil.gguf')
    ollama(strange, tmp_path)
    read = read_modelfile(tmp_path / "Modelfile")
    assert dict(read)["FROM"] == './a "b"\nSYSTEM evil.gguf'
    assert dict(read)["SYSTEM"] == "You read EEG."


def test_the_licence_beside_the_model_is_told_in_full(tmp_path):
    metadata = {"general.license": "mit", "eeg_copilot.training_data": "films"}
    model = write_tiny_gguf(tmp_path / "model.gguf", metadata=metadata)
    (tmp_path / "LICENSE").write_text('Copyright\n\n\f"AS IS"\n')
    ollama(model, tmp_path / "out")
    assert dict(read_modelfile(tmp_path / "out" / "Modelfile"))["LICENSE"] == (
        'mit\n\nTrained on films.\n\nCopyright\n\n"AS IS"\n'
    )


def test_without_system_message_and_licence_there_is_neither_and_an_old_one_goes(tiny, tmp_path):
    ollama(tiny, tmp_path)
    ollama(write_tiny_gguf(tmp_path / "plain.gguf"), tmp_path)
    assert not (tmp_path / "system").exists()
    assert not {"SYSTEM", "LICENSE", "ADAPTER"} & dict(read_modelfile(tmp_path / "Modelfile")).keys()


def test_a_system_message_for_a_template_that_takes_none_is_refused(tmp_path):
    metadata = {"eeg_copilot.system": "You read EEG."}
    model = write_tiny_gguf(tmp_path / "model.gguf", metadata=metadata, chat_template=GEMMA)
    with pytest.raises(ConvertError, match="takes none"):
        ollama(model, tmp_path / "out")


def test_an_adapter_of_the_models_architecture_is_applied_and_nothing_else(tiny, tmp_path):
    for name, architecture, kind in [("lora", "qwen2", "adapter"), ("llama", "llama", "adapter")]:
        writer = gguf.GGUFWriter(tmp_path / f"{name}.gguf", architecture)
        writer.add_type(kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    ollama(tiny, tmp_path / "out", adapter=tmp_path / "lora.gguf")
    assert dict(read_modelfile(tmp_path / "out" / "Modelfile"))["ADAPTER"] == "../lora.gguf"
    for wrong, reason in (("llama.gguf", "architecture llama"), ("tiny.gguf", "no GGUF LoRA")):
        with pytest.raises(ConvertError, match=reason):
            ollama(tiny, tmp_path / "out", adapter=tmp_path / wrong)


def test_the_context_of_the_model_in_the_box_holds_the_longest_form_and_an_answer(tmp_path):
    model = Settings().model
    report = ollama(model, tmp_path)
    words = ("I feel tired and have slept badly since " * MAX_TEXT)[:MAX_TEXT]
    messages = prompt.build_messages(
        Person("unspecified", 89, words, words, words),
        " ".join("m" * 150),
        codec="bands",
        compared_with="population",
        evidence=np.full(len(emotions.EMOTIONS), 1 / len(emotions.EMOTIONS)),
        segment=(10, 10),
    )
    turns, _ = learn_template(CHATML, "", "", CONVERSATIONS)
    native = NativeModel(model, threads=1, context=256)
    longest = len(native.tokenize(turns.render(messages), control=True))
    native.close()
    assert report.passed
    assert report.longest_prompt < longest
    assert longest + ANSWER <= report.num_ctx


def test_the_longest_prompt_is_counted_with_the_models_own_tokenizer(family):
    tokenizer, out, _ = family
    model = out.with_name("model.gguf")
    chats = [json.loads(line)["messages"] for line in eval_prompts.FILE.read_text().splitlines()]
    texts = [text for chat in chats if (text := jinja(tokenizer, chat)) is not None]
    report = ollama(model, out)
    assert report.prompts == len(texts)
    lengths = [len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]
    assert report.longest_prompt == max(lengths, default=0)


def test_a_model_without_room_for_its_prompts_is_said_to_be_one(tmp_path, capsys):
    trained = write_tiny_gguf(tmp_path / "trained.gguf", context=512, metadata={"eeg_copilot.codec": "bands"})
    plain = write_tiny_gguf(tmp_path / "plain.gguf", context=512)
    assert [main(["ollama", str(model), "--out", str(tmp_path / "out")]) for model in (trained, plain)] == [1, 0]
    assert capsys.readouterr().out.count("DOES NOT FIT") == 2
    assert "PARAMETER num_ctx 512\n" in (tmp_path / "out" / "Modelfile").read_text()


def test_the_context_is_no_more_than_is_needed_of_a_long_one(tmp_path):
    report = ollama(write_tiny_gguf(tmp_path / "model.gguf", context=131_072), tmp_path)
    assert report.num_ctx == max(4096, report.longest_prompt + ANSWER)


def test_the_command_says_what_it_wrote_and_refuses_in_one_sentence(tiny, tmp_path, capsys):
    assert main(["ollama", str(tiny), "--out", str(tmp_path / "out"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["conversations"], said["stops"]) == (len(CONVERSATIONS), ["<|im_end|>", "<|endoftext|>"])
    (tmp_path / "cut.gguf").write_bytes(tiny.read_bytes()[:-100])
    write_tiny_gguf(tmp_path / "mute.gguf", chat_template="")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "params").mkdir()
    for model, out, reason in [
        ("cut.gguf", "other", "cut short"),
        ("none.gguf", "other", "not a file"),
        ("mute.gguf", "other", "no chat template"),
        ("tiny.gguf", "cut.gguf", "cut.gguf is not a folder"),
        ("tiny.gguf", "taken", "there already"),
    ]:
        assert main(["ollama", str(tmp_path / model), "--out", str(tmp_path / out)]) == 2
        error = capsys.readouterr().err
        assert reason in error
        assert error.count("\n") == 1
    assert not (tmp_path / "other").exists()
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["params"]
