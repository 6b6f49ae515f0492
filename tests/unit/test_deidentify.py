"""Who somebody is does not travel: not in free text, nor from files and forms to prompts, logs, exports or disks."""

import base64
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date

import pypdfium2 as pdfium
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from copilot import pipeline
from copilot.deidentify import remove_identity
from copilot.person import PatientIdentity, Person
from copilot.record.export.fhir import to_fhir
from copilot.record.export.json_format import to_json
from copilot.record.export.markdown import to_markdown
from copilot.record.export.pdf import to_pdf
from copilot.record.export.registry import EXPORTS, file_name
from copilot.record.model import without_identity
from copilot.record.review import edit
from copilot.settings import Settings
from copilot.training import fit_classifier
from tests.helpers.eeg_files import TEN_TWENTY, scalp, write_edf
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.features_file import simulated_faced
from tests.helpers.records import NOW, REVIEWER


@pytest.fixture(scope="module")
def decoder():
    return fit_classifier.fit(simulated_faced(people=6, seed=0, strength=0.5))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("I am Rosa Lind and tired", "I am (name) and tired"),
        ("ROSA  LIND sleeps badly", "(name) sleeps badly"),
        ("Rosa sleeps badly, says Lind.", "(name) sleeps badly, says (name)."),
        ("LIND, rosa", "(name), (name)"),
        ("Chart 47-11b, ask rosa@example.org", "Chart (number), ask (address)"),
        ("born 12.03.1980 in Ulm", "born (date) in Ulm"),
        ("Date of birth: 1980-03-12", "Date of birth: (date)"),
        ("DOB March 12, 1980", "DOB (date)"),
        ("born on 12th March 1980", "born on (date)"),
        ("born in 1980", "born in (date)"),
        ("born 12 March, 1980", "born (date)"),
        ("born on the 12th of March 1980", "born on (date)"),
        ("born in Ulm, Germany, 12.03.1980", "born in Ulm, Germany, (date)"),
        ("geboren am 12. März 1980", "geboren am (date)"),
        ("1980年3月生", "(date)生"),
        ("1980年3月12日出生", "(date)出生"),
        ("生日：1980/3/12", "生日：(date)"),
        ("call +49 (30) 123-4567 at night", "call (number) at night"),
        ("insurance 1234567890", "insurance (number)"),
        ("RosaLind wrote this", "(name) wrote this"),
        ("file LIND_ROSA and lindrosa2", "file (name) and (name)2"),
        ("Rosa M. Lind and \uff32\uff4f\uff53\uff41\u3000\uff2c\uff49\uff4e\uff44", "(name) and (name)"),
        ("Rosa123", "(name)123"),
        ("Rósa Lïnd", "(name)"),
        ("SSN 123-45-6789", "SSN (number)"),
        ("call 0171-55-5566 or 555.12.3456 or 030 / 44 / 1234", "call (number) or (number) or (number)"),
        ("0171\u2013555\u00b75566", "(number)"),
        ("chart 47 11b, 4711B", "chart (number), (number)"),
        ("b. 2 May 1951", "b. (date)"),
        ("born in '51", "born in (date)"),
        ("née le 2 mai 1951 à Lyon", "née le (date) à Lyon"),
        ("nacida el 2 de mayo de 1951", "nacida el (date)"),
        ("*02.05.1951 in Ulm", "*(date) in Ulm"),
        ("生日：5月2日", "生日：(date)"),
        ("生于一九五一年五月二日", "生于(date)"),
        ("rosa (at) example.org", "(address)"),
    ],
)
def test_who_it_is_about_is_taken_out(text, left):
    assert remove_identity(text, name="Rosa Lind", number="47-11b") == left


def test_a_number_is_found_in_other_groups():
    assert (
        remove_identity("MRN 778 899 and 778-899, room 7788", number="MRN-778899") == "(number) and (number), room 7788"
    )


def test_umlauts_are_found_as_they_are_typed():
    assert remove_identity("Mueller, MÜLLER and Muller sleep", name="Jörg Müller") == "(name), (name) and (name) sleep"


@pytest.mark.parametrize(
    "letters",
    [
        "a" * 200_000,
        "a@" * 100_000,
        "1 " * 100_000,
        "1.2." * 50_000,
        "Rosa " * 40_000,
        "born " * 40_000,
        "born(" * 40_000,
    ],
    ids=lambda text: text[:5],
)
def test_time_is_in_proportion_to_the_length(letters):
    began = time.process_time()
    remove_identity(letters, name="Rosa Lind", number="47-11b")
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    "text",
    [
        "accident on 2019-03-01, since then 2 x 50 mg daily",
        "slept 5.5 h, pulse 70, 10 000 steps, 120/80",
        "a rosary and a rose; linden trees",
        "since March 2020; 3 children; first symptoms in 1998",
        "10,5 mg from 01.02.2024 to 03.02.2024",
        "seen on 2024-03-01 10 o'clock and 3/14/2024",
        "I may go in May; the notes of 12 marks * 3",
        "pain 7/10, mood 3/10, BP 120/80, since 1998",
    ],
)
def test_what_a_clinician_needs_stays(text):
    assert remove_identity(text, name="Rosa Lind", number="47-11b") == text


def test_chinese_names_are_found_without_spaces_around_them():
    assert remove_identity("我是王小明，睡不好", name="王小明") == "我是(name)，睡不好"
    assert remove_identity("小明睡不好", name="王小明") == "(name)睡不好"


def test_short_names_and_numbers_do_not_eat_other_words():
    assert (
        remove_identity("Li Na said: na is sodium, li is 0.3", name="Li Na") == "(name) said: na is sodium, li is 0.3"
    )
    assert remove_identity("Na sleeps 7 hours, 2.7 mg", name="Li Na", number="7") == "(name) sleeps 7 hours, 2.7 mg"


def test_a_form_that_was_valid_stays_valid():
    person = Person("female", 30, history="Eva " * 149)
    assert person.map_texts(lambda text: remove_identity(text, name="Eva")).history.startswith("(name) (name)")


@dataclass(frozen=True)
class Someone:
    """Who must not be found: each part is unlike anything that the program writes itself."""

    first: str
    last: str
    number: str
    born: date

    @property
    def traces(self):
        """Everything that would give them away."""
        days = (self.born.strftime(form) for form in ("%d.%m.%Y", "%Y-%m-%d", "%d-%b-%Y", "%d.%m.%y", "%Y年%m月%d日"))
        return (self.first, self.last, self.number, *days)


letters = st.text("bdfgjkqvwxz", min_size=6, max_size=9).map(str.capitalize)
someones = st.builds(
    Someone,
    letters,
    letters,
    st.from_regex(r"[1-9][0-9]{8}", fullmatch=True),
    st.dates(date(1930, 1, 1), date(2009, 1, 1)),
)


def recorded(folder, who):
    """An EDF+ with the person in its file name, header, annotations and a channel's label."""
    born = who.born.strftime("%d-%b-%Y").upper()
    return write_edf(
        folder / f"{who.first}_{who.last}_{who.born}_{who.number}.edf",
        [*scalp(), scalp(n_channels=1)[0]],
        250,
        [*TEN_TWENTY, f"{who.last} {who.number}"[:16]],
        patient=f"{who.number} F {born} {who.first}_{who.last}",
        recording=f"Startdate {born} {who.number} {who.first} {who.last}",
        date=who.born.strftime("%d.%m.%y"),
        annotations=f"+1\x14{who.first} {who.last}, born {who.born}\x14\x00".encode(),
    )


def person_of(who):
    said = who.born.strftime("%d.%m.%Y")
    return Person(
        "female",
        30,
        appearance=f"{who.first} {who.last} looks tired",
        complaint=f"I am {who.first}, born {said}, number {who.number}",
        history=f"chart {who.number}; {who.last.upper()}, {who.first.upper()} 出生 {who.born:%Y年%m月%d日}",
    )


def found(who, text):
    return [trace for trace in who.traces if trace.lower() in text.lower()]


def text_of_pdf(content):
    document = pdfium.PdfDocument(content)
    try:
        return "\n".join(page.get_textpage().get_text_range() for page in document)
    finally:
        document.close()


@settings(max_examples=6, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(someones)
def test_who_somebody_is_reaches_no_prompt_log_export_or_disk(tmp_path, decoder, caplog, capfd, monkeypatch, who):
    temporary = tmp_path / "temporary"
    temporary.mkdir(exist_ok=True)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    recording = recorded(tmp_path, who)
    engine = FakeEngine()
    own = PatientIdentity(
        name=f"{who.first} {who.last}",
        number=who.number,
        laboratory=f"Lab of {who.last}, born {who.born}, {who.number}",
        expenses=f"billed to {who.first}",
    )
    with caplog.at_level(logging.DEBUG):
        *_, last = pipeline.analyse(
            [recording],
            person_of(who),
            engine=engine,
            classifier=decoder,
            settings=Settings(protocol="faced-films"),
            patient=own,
        )
    recording.unlink()
    record = last.record
    assert engine.calls
    assert not found(who, str([call.messages for call in engine.calls]))
    assert not found(who, caplog.text + "".join(capfd.readouterr()))
    assert not list(temporary.rglob("*"))
    for kind in EXPORTS:
        assert not found(who, file_name(record, kind))
    assert (record.field("name").value, record.field("number").value) == (own.name, own.number)
    assert not found(who, to_json(without_identity(record)) + to_markdown(without_identity(record)))
    chart = text_of_pdf(to_pdf(record))
    words = person_of(who)
    said = (words.appearance, words.complaint, words.history)
    assert [record.field(key).value for key in ("appearance", "complaint", "history")] == list(said)  # as they said it
    for text in (own.name, own.number, own.laboratory, own.expenses, *said):
        chart = " ".join(chart.split()).replace(text, "", 1)
    assert not found(who, chart)
    written = edit(record, "assessment", f"{who.first} {who.last} ({who.number}) is calm", REVIEWER, NOW)
    bundle = to_fhir(edit(written, "name", "Somebody Else", REVIEWER, NOW)).decode()
    documents = [base64.b64decode(data) for data in re.findall(r'"data":\s*"([^"]+)"', bundle)]
    assert documents
    assert not found(who, bundle + "".join(map(text_of_pdf, documents)))


def test_the_command_line_says_nothing_of_the_person_either(tmp_path):
    who = Someone("Qwxbzk", "Vjdgfxq", "493827165", date(1961, 5, 17))
    command = [sys.executable, "-m", "copilot", "analyse", str(recorded(tmp_path, who)), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert done.returncode == 0
    assert json.loads(done.stdout)["record"]["status"] == "draft"
    assert not found(who, done.stdout + done.stderr)
    assert [path.name for path in tmp_path.iterdir()] == [recorded(tmp_path, who).name]
