"""Every message has its Chinese translation, and what is shown in Chinese is Chinese throughout."""

import io
import json
import os
import pickle
import re
import string
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from babel.messages.extract import extract_from_file

from copilot import NOTICE, chat, cli, emotions, person, pipeline
from copilot.chat.replies import read_topics
from copilot.eeg import plots, sandbox, simulate
from copilot.eeg.classifier import Classifier
from copilot.eeg.preprocessing import clean
from copilot.eeg.types import Recording, RecordingError
from copilot.events import RecordReady, ResultReady, SignalReady
from copilot.i18n import N_, NP_, Translator, detect_language, read_catalogue
from copilot.i18n import messages as shared_messages
from copilot.i18n.fonts import chinese_font
from copilot.i18n.terms import term
from copilot.llm.base import ModelInfo, Token
from copilot.person import Person
from copilot.record import review
from copilot.record.draft import SOFTWARE, draft
from copilot.record.export.json_format import from_json
from copilot.record.export.markdown import to_markdown
from copilot.record.model import Record
from copilot.settings import ROOT, Settings
from copilot.web.record_panel import STATEMENT
from tests.helpers.facts import make_facts
from tests.helpers.fake_engine import FakeEngine

say = Translator("zh")
CATALOGUE = read_catalogue("zh")


def messages() -> dict[tuple[str, str], list[str]]:
    """Every (context, English text) that the product marks for translation, and where."""
    found: dict[tuple[str, str], list[str]] = {}
    marks = {"python": {"N_": None, "NP_": ((1, "c"), 2)}, "jinja2": {"_": None}}
    sources = [("python", path) for path in sorted((ROOT / "copilot").rglob("*.py"))]
    sources += [("jinja2", path) for path in sorted((ROOT / "copilot").rglob("*.j2"))]
    for method, path in sources:
        for line, text, _, context in extract_from_file(method, path, keywords=marks[method]):
            one = text[0] if isinstance(text, tuple) else text
            found.setdefault((context or "", one), []).append(f"{path.name}:{line}")
    return found


MESSAGES = messages()


def fields(template: str) -> set[str | None]:
    return {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}


def has_chinese(text: str) -> bool:
    return detect_language(text) == "zh"


# The catalogue


def test_every_message_is_translated() -> None:
    assert len(MESSAGES) > 600
    assert {key: where for key, where in MESSAGES.items() if key not in CATALOGUE} == {}


def test_nothing_is_translated_that_the_product_does_not_show() -> None:
    assert sorted(CATALOGUE.keys() - MESSAGES.keys()) == []


def test_a_translation_has_the_same_fields() -> None:
    assert [key for key, translated in CATALOGUE.items() if fields(key[1]) != fields(translated)] == []


def test_every_translation_is_chinese() -> None:
    name, signs = "EEG Emotion Copilot", {", ", "{name} ({fault})", "{first} {second}", "{level} {where} ({z:+.1f})"}
    assert {text for (_, text), translated in CATALOGUE.items() if not has_chinese(translated)} == {name, *signs}
    assert [text for (_, text), translated in CATALOGUE.items() if text == translated] == [name]


def test_values_of_closed_lists_have_a_message_each() -> None:
    lists = {"emotion": emotions.EMOTIONS, "class": emotions.THREE_CLASSES, "confidence": emotions.CONFIDENCES}
    lists |= {"gender": person.GENDERS, "quality": ("good", "fair", "poor")}
    assert [value for kind, values in lists.items() for value in values if term(kind, value) != value] == []


def test_a_value_is_never_looked_up() -> None:
    signed = N_(shared_messages.SIGNED_BY, name="joy", role="other", at="x")
    assert signed == "Signed by joy, other, on x"
    assert "joy" in say(signed)
    assert "other" in say(signed)
    assert say("joy") == "joy"


def test_one_word_can_have_two_translations() -> None:
    assert say(term("emotion", "neutral")) == say(term("class", "neutral")) == "中性"
    assert say(NP_("no such context", "neutral")) == "neutral"


# Sentences


def test_a_sentence_is_english_and_can_be_said_in_chinese() -> None:
    parts = tuple(N_(shared_messages.ELECTRODE_FAULT, name=name, fault=N_("no signal")) for name in ("Cz", "T7"))
    told = N_(
        N_("{bad} of {total} electrodes gave no usable signal and were left out: {which}."),
        bad=2,
        total=19,
        which=parts,
    )
    assert told == ("2 of 19 electrodes gave no usable signal and were left out: Cz (no signal), T7 (no signal).")
    assert say(told) == "19 个电极中有 2 个没有可用信号，已略去：Cz（无信号）、T7（无信号）。"


def test_a_sentence_survives_a_pipe_and_an_error() -> None:
    error = RecordingError(
        N_(
            N_("The recording lasts {seconds:.1f} s; at least {least} s are needed, and two minutes are better."),
            seconds=3.21,
            least=10,
        )
    )
    came = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert str(came) == "The recording lasts 3.2 s; at least 10 s are needed, and two minutes are better."
    assert say(came.args[0]) == "记录时长为 3.2 秒；至少需要 10 秒，最好有两分钟。"


@pytest.mark.parametrize("text", ["", "{", "{name}", "}{", "{0}", "Fz {x!r}"])
def test_braces_in_what_people_type_stay_as_they_are(text: str) -> None:
    told = N_("Gender is {gender!r}; choose one of: {choices}.", gender=text, choices=("a", text))
    assert told == f"Gender is {text!r}; choose one of: a, {text}."
    assert say(told) == f"性别为 {text!r}；请选择其一：a、{text}。"


def test_text_that_is_nobodys_sentence_is_said_as_it_is() -> None:
    assert say("The model's own prose.") == "The model's own prose."
    assert say("{unknown}") == "{unknown}"


@pytest.mark.parametrize(("text", "code"), [("", "en"), ("How sure?", "en"), ("你好", "zh"), ("EEG 是什么", "zh")])
def test_the_language_of_a_question_is_told_by_its_characters(text: str, code: str) -> None:
    assert detect_language(text) == code


# What comes out of the reader's process


def test_an_error_of_the_readers_process_can_be_said_in_chinese(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.edf"
    wrong.write_bytes(b"nothing of the kind")
    with pytest.raises(RecordingError, match=r"named \.edf but does not begin like EDF") as caught:
        list(sandbox.prepare([wrong]))
    assert say(caught.value.args[0]).startswith("文件扩展名为 .edf，但开头不像 EDF：")


# A whole walk


def simulated() -> Recording:
    bad = {"T7": "noisy", "P4": "flat", "F8": "railed"}
    return simulate.simulate(seconds=20, blinks_per_minute=25, line_uv=30, muscle_uv=10, bad_channels=bad, seed=3)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made, path = simulated(), tmp_path_factory.mktemp("eeg") / "recording.npz"
    np.savez(path, data=made.data, sfreq=made.sfreq, channels=np.array(made.channels))
    return path


@pytest.fixture(scope="module")
def records(example: Path) -> dict[str, Record]:
    """The same walk's record in both languages."""
    settings, who = Settings(protocol="faced-films"), Person("female", 20)
    known = {"engine": FakeEngine(), "settings": settings, "classifier": Classifier.load(settings.decoder)}
    seen = {type(event): event for event in pipeline.analyse([example], who, **known, language="zh")}
    signal, read = seen[SignalReady], seen[ResultReady]
    english_one = draft(who, signal.cleaned, signal.quality, read.result, now=datetime.now(UTC))
    return {"en": english_one, "zh": seen[RecordReady].record}


def english_words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z]{2,}", text)


def test_a_record_in_chinese_is_chinese_throughout(records: dict[str, Record]) -> None:
    record = records["zh"]
    prose = {"assessment", "suggestions"}
    assert not any(has_chinese(record.field(key).value) for key in prose)  # the model's own words
    ours = [
        replace(section, fields=tuple(field for field in section.fields if field.key not in prose))
        for section in record.sections
    ]
    text = to_markdown(replace(record, sections=tuple(ours)))
    allowed = {
        *english_words(" ".join(record.findings.electrodes)),
        *("Hz", "AI", "NumPy", "SHA"),  # a unit, a word that Chinese has taken over, a kind of file, a digest
        *english_words(f"{SOFTWARE} {record.model} {record.codec} {record.id} {record.prompt_sha256} {record.created}"),
        *english_words(f"{record.model_sha256} {record.decoder_sha256}"),
    }
    assert sorted(set(english_words(text)) - allowed) == []
    assert say(NOTICE) in text


def test_a_signed_record_tells_its_changes_in_chinese(records: dict[str, Record]) -> None:
    clinician, now = review.Reviewer("林医生", "神经科医师"), datetime.now(UTC)
    record = review.edit(records["zh"], "follow_up", "一周后复查", clinician, now)
    for field in record.pending:
        record = review.accept(record, field.key, clinician, now)
    record = review.sign(
        record,
        clinician,
        say(STATEMENT),
        now,
    )
    text = to_markdown(review.amend(record, clinician, now)).split(f"## {say(shared_messages.CHANGES)}")[1]
    assert "更改后: 一周后复查" in text
    assert say(shared_messages.ACTION["amended"]) in text
    about = text.index(f"## {say(shared_messages.ABOUT_RECORD)}")
    assert english_words(re.sub(r"[\d-]+T[\d:]+Z", "", text[:about])) == []


def test_the_same_record_in_english_says_the_same(records: dict[str, Record]) -> None:
    processing = {code: records[code].field("processing").value.splitlines() for code in records}
    assert processing["en"] == [
        "The values were taken as microvolts, which fits their size.",
        "Mains hum at 50 Hz was found and removed.",
        "The signal was limited to 0.5 to 47 Hz, at 250 samples a second.",
        "3 of 19 electrodes gave no usable signal and were estimated from their neighbours: "
        "F8 (clipped), T7 (noisy), P4 (no signal).",
        "Independent component analysis took out: 1 of eye movement and 3 of muscle tension.",
        "Voltages are against the average of all electrodes.",
        "20 of 20 seconds are usable.",
        "The signal is fair: take what is read from it with care.",
    ]
    assert len(processing["zh"]) == len(processing["en"])
    assert records["zh"].findings == records["en"].findings
    assert [field.key for field in records["zh"].fields] == [field.key for field in records["en"].fields]
    assert not has_chinese(to_markdown(records["en"]))


def test_figures_have_the_letters_of_their_language() -> None:
    raw = simulated()
    cleaned, quality = clean.clean(raw)
    figures = (
        plots.draw_signal(raw, cleaned, quality, language="zh"),
        plots.draw_band_power(cleaned, quality, language="zh"),
    )
    assert [text.get_text() for text in figures[0].legends[0].get_texts()][:2] == ["读入时", "清理后"]
    assert figures[0].axes[0].get_xlabel() == "秒"
    assert figures[1].axes[2].get_title().startswith("α 波，8-14 Hz\n")
    for figure in figures:  # a glyph that no font has would be a warning, which is an error here
        assert plots.encode_png(figure).startswith(b"\x89PNG")


def test_bars_of_few_channels_have_them_too() -> None:
    raw = simulate.simulate(seconds=30, channels=("Pz", "O1"))
    figure = plots.draw_band_power(*clean.clean(raw), language="zh")
    assert figure.axes[0].get_xticklabels()[0].get_text() == "δ 波\n1-4 Hz"
    assert plots.encode_png(figure).startswith(b"\x89PNG")


def test_the_font_is_found_without_the_package_that_would_change_every_figure() -> None:
    assert chinese_font().read_bytes()[:4] == b"\0\1\0\0"  # TrueType
    assert "zhplot" not in sys.modules


# The chat

OPENING = [
    {"role": "system", "content": "s"},
    {"role": "user", "content": "p"},
    {"role": "assistant", "content": "Emotion: joy\nConfidence: leaning\nAssessment: Calm."},
]


#: As the model in the box is; another may know Chinese.
TRAINED = ModelInfo("fake", metadata={"codec": "patterns"})


def asked(engine: FakeEngine, question: str) -> str:
    events = chat.ask(engine, OPENING, question, make_facts())
    return "".join(event.text for event in events if isinstance(event, Token))


def test_a_question_in_chinese_is_answered_in_chinese() -> None:
    engine = FakeEngine(answers=["It means calm."], info=TRAINED)
    assert "记录时长为 40 秒" in asked(engine, "录了多长时间？")
    assert asked(engine, "今天天气怎么样？") == say(chat.NOT_ABOUT)
    assert not engine.calls  # it would have answered nonsense
    assert asked(FakeEngine(answers=["请慢慢来。"]), "这周很累") == "请慢慢来。"


def test_a_question_in_chinese_reaches_the_model_in_english() -> None:
    engine = FakeEngine(info=TRAINED)
    answer = asked(engine, "最近总是睡不好")
    assert answer in {text["zh"] for text in read_topics()["sleep_advice"].texts}
    assert engine.calls[-1].messages[-1]["content"].isascii()


# The command line


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("EEG_COPILOT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("EEG_COPILOT_LANGUAGE", "zh")
    monkeypatch.setenv("EEG_COPILOT_PROTOCOL", "faced-films")
    monkeypatch.setattr("copilot.llm.open_engine", lambda settings: FakeEngine(answers=["Calm."]))


@pytest.mark.usefixtures("chinese")
def test_the_command_line_speaks_the_language_of_the_settings(
    example: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("你有多确定？\n"))
    assert cli.main(["chat", str(example), "--age", "20"]) == 0
    out, err = capsys.readouterr()
    allowed = {"Hz", "AI", "FACED", "fake", "Calm", *english_words(" ".join(simulate.TEN_TWENTY))}
    shown = re.sub("（事实：.*）", "", out)  # keys, which programs and people can look up
    assert sorted({*english_words(shown), *english_words(err)} - allowed) == []
    columns = [
        line[: line.index("%")].encode("gb18030") for line in out.splitlines() if re.match(r"\S+ +[\d.]+ %", line)
    ]
    assert len({len(line) for line in columns}) == 1  # two bytes a character, as it is two columns wide


@pytest.mark.usefixtures("chinese")
def test_the_record_in_json_is_in_the_language_of_the_settings(
    example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["analyse", str(example), "--json"]) == 0
    record = from_json(json.dumps(json.loads(capsys.readouterr().out)["record"]))
    assert (record.language, record.field("age").label) == ("zh", "年龄")


@pytest.mark.usefixtures("chinese")
def test_an_error_is_said_in_the_language_of_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["analyse", "nowhere.edf", "--age", "200"]) == 2
    assert capsys.readouterr().err == "年龄为 200；请填写 0 到 120 之间的整数。\n"
