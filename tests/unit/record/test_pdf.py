"""The PDF of a record, opened with PDFium: what stands in it, where, and what a reader sees."""

import ctypes
import hashlib
import io
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pypdfium2
import pytest
from PIL import Image
from pypdfium2 import raw

from copilot import NOTICE
from copilot.i18n import N_, Translator, messages
from copilot.person import PatientIdentity, Person
from copilot.record.export.json_format import from_json, to_json
from copilot.record.export.pdf import to_pdf
from copilot.record.export.pdf.page import INK, LEFT, TONES
from copilot.record.export.pdf.sections import NAME, TRACK
from copilot.record.model import Figures, without_identity
from copilot.record.review import accept, amend, delete, edit
from copilot.text import percent
from tests.helpers import records
from tests.helpers.records import NOW, REVIEWER, signed

SCALE = 3
SHARES = (0.05, 0.04, 0.06, 0.1, 0.11, 0.08, 0.12, 0.34, 0.1)
PERSONS = {
    "en": Person("female", 20, "tired", "sleeps badly", "migraine"),
    "zh": Person("male", 31, "疲倦，紧张", "三周以来睡眠不好，注意力难以集中", "自幼偏头痛；未服药"),
}


def drafted(language="en", trust="good", shares=SHARES, **particulars):
    given = PatientIdentity(**{"name": "Maria Petrova", "number": "C-2041", **particulars})
    record = records.drafted(PERSONS[language], trust, given, language, probabilities=np.array(shares))
    return replace(record, id="3f2a91c0-5d1e-4c57-9a55-0d6f0a4ad001")


def pictures():
    def png(size):
        drawn = io.BytesIO()
        Image.new("RGBA", size, "#7030a0").save(drawn, "png")
        return drawn.getvalue()

    return Figures(png((1200, 1464)), png((1200, 960)))


def pages(pdf):
    return [page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(pdf)]


def bare(text):
    """Without white space, which line breaks and columns change, and without bullets."""
    return re.sub(r"[\s•]", "", text)


def text_of(record, drawn=None):
    return bare("".join(pages(to_pdf(record, drawn))))


def pixels(page):
    return np.asarray(page.render(scale=SCALE).to_pil().convert("RGB")).astype(int)


def near(image, colour, within=12):
    return np.abs(image - [int(colour[i : i + 2], 16) for i in (1, 3, 5)]).max(axis=2) <= within


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_ordinary_record_takes_two_pages_each_with_its_number_the_records_id_and_the_notice(language):
    record, say = drafted(language), Translator(language)
    told = pages(to_pdf(record, pictures()))
    assert len(told) == 2
    for number, page in enumerate(told, start=1):
        assert f"{number} / 2" in page
        assert record.id in page
        assert bare(say(N_("Research tool, not a medical device"))) in bare(page)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("drawn", [None, pictures()], ids=["without pictures", "with pictures"])
def test_everything_in_the_record_can_be_found_in_its_text(language, drawn):
    record = drafted(language, laboratory="TSH 1.2 mU/l 正常", expenses="€ 120")
    say, text = Translator(language), text_of(record, drawn)
    for said in (record.headline, *record.notes, say(NOTICE), say(messages.ABOUT_PROSE)):
        assert bare(said) in text
    for section in record.sections:
        assert bare(section.title) in text
        for field in section.fields:
            assert bare(field.label) in text
            for line in field.value.splitlines() or [say(messages.LEFT_EMPTY)]:
                assert bare(line) in text, field.key
    for made in (record.model, record.model_sha256, record.prompt_sha256, record.software, record.codec):
        assert bare(made) in text


def test_laboratory_and_expenses_have_no_heading_unless_they_were_entered():
    text = text_of(drafted())
    assert "Laboratory" not in text
    assert "Expenses" not in text


def test_a_draft_says_on_every_page_that_it_is_one():
    for page in pages(to_pdf(drafted(), pictures())):
        assert page.count(N_("Draft - not signed")) == 2  # above, and across the page
        assert "Draft medical record" in page


def test_a_signed_record_says_who_signed_what_and_when_and_nothing_of_a_draft():
    record = signed(drafted())
    told = pages(to_pdf(record, pictures()))
    assert all(N_("Signed") in page and N_("Draft - not signed") not in page for page in told)
    who = "Signed by Dr Ada Weiss, Neurologist, on 2026-03-01 10:30 UTC"
    for said in (who, record.signature.statement, record.signature.sha256):
        assert bare(said) in bare(told[0])


def test_what_the_model_suggested_is_marked_until_it_is_accepted_or_rewritten():
    record = drafted()
    marks = text_of(record).count(bare(messages.PENDING))
    assert marks == len(record.pending) == 6
    record = accept(record, "suggestions", REVIEWER, NOW)
    record = edit(record, "assessment", "Calm on examination.", REVIEWER, NOW)
    text = text_of(record)
    assert text.count(bare(messages.PENDING)) == len(record.pending) == 4
    assert bare("AI-suggested, accepted by Dr Ada Weiss, 2026-03-01") in text
    assert bare("Written by Dr Ada Weiss, 2026-03-01Calm on examination.") in text
    assert bare(messages.PENDING) not in text_of(signed(record))


def test_a_doubtful_reading_says_so_before_anything_else_of_it():
    record = drafted(trust="poor", shares=[1 / 9] * 9)
    first = bare(pages(to_pdf(record, pictures()))[0])
    assert (
        bare(
            N_("Poor recording: do not rely on what it says about emotion.")
            + N_("No emotion stands out above the uncertainty of this reading.")
        )
        in first.split(bare(N_("Basic information")))[0]
    )


def test_an_amendment_points_to_the_version_that_it_amends():
    before = signed(drafted())
    text = text_of(amend(before, REVIEWER, NOW + timedelta(days=1)))
    assert bare(f"amends the signed version {before.signature.sha256[:8]}") in text
    assert before.signature.sha256 in text
    assert "Version2" in text
    assert bare(N_("Draft - not signed")) in text


HOSTILE = {
    "a very long word": "x" * 600,
    "markup": "<b>bold</b> **bold** __under__ --- [click](javascript:alert(1)) {nb} \\(x\\) %PDF-1.7 endobj (((",
    "Hebrew": "שלום עולם, הוא ישן היטב",
    "Arabic": "مرحبا بالعالم، المستشفى",
    "right to left over several lines": "שלום עולם " * 60,
    "Chinese in an English record": "三周以来睡眠不好，注意力难以集中。" * 12,
    "combining and wide letters": "Zażółć gęślą jaźń, ѣ, ἀρχή, ½ µV ≥ 3 → 4",
}


@pytest.mark.parametrize("typed", HOSTILE.values(), ids=HOSTILE)
def test_what_somebody_typed_is_text_and_all_of_it_can_be_read(typed):
    record = edit(drafted(), "complaint", typed, REVIEWER, NOW)
    assert bare(record.field("complaint").value) in text_of(record)


def test_letters_that_no_font_has_are_seen_to_be_missing():
    record = edit(drafted(), "complaint", "before 🧠🫠 ᚠ 𒀀 after", REVIEWER, NOW)
    told = "".join(pages(to_pdf(record)))
    assert re.search(r"before \ufffd\ufffd .* after", told)


def test_any_character_at_all_can_be_in_a_record():
    letters = "".join(chr(code) for code in range(1, 0x30000, 61) if not 0xD800 <= code < 0xE000)
    record = drafted()
    basic = record.sections[0]
    fields = (replace(basic.fields[0], label=letters[:200], value=letters), *basic.fields[1:])
    sections = (replace(basic, title=letters[:200], fields=fields), *record.sections[1:])
    record = replace(record, headline=letters[:900], notes=(letters[-900:],), model=letters[:900], sections=sections)
    assert all(record.id in page for page in pages(to_pdf(record, pictures())))


def test_long_texts_run_over_pages_and_lose_nothing():
    record, words = drafted(), [f"word{number}" for number in range(420)]
    for field in record.fields:
        record = edit(record, field.key, " ".join(words), REVIEWER, NOW)
    told = pages(to_pdf(record, pictures()))
    assert 10 < len(told) < 40
    assert f"{len(told)} / {len(told)}" in told[-1]
    told_words, headed = (Counter(re.findall(r"word\d+", text)) for text in ("".join(told), record.headline))
    assert told_words - headed == dict.fromkeys(words, len(record.fields))
    assert len(record.headline) < 200


def test_fields_that_share_a_line_stay_together_wherever_the_page_ends():
    for lines in range(26, 36):
        record = edit(drafted(), "history", "\n".join("line" for _ in range(lines)), REVIEWER, NOW)
        told = pages(to_pdf(record))
        assert len(told) == 2
        together = [re.search("Kind of file EDF Length 60 s", page) for page in told]
        assert sum(map(bool, together)) == 1


def test_the_documents_properties_name_the_record_and_nobody():
    record = signed(drafted())
    pdf = to_pdf(record, pictures())
    document = pypdfium2.PdfDocument(pdf)
    told = {name: value for name, value in document.get_metadata_dict().items() if value}
    assert told["Title"] == f"Medical record {record.id}"
    assert told["CreationDate"].startswith("D:20260301103000")
    assert told["Creator"] == record.software
    titles = [item.get_title() for item in document.get_toc()]
    assert titles == [*(section.title for section in record.sections), messages.ABOUT_RECORD]
    for who in ("Petrova", "C-2041", "Weiss"):
        assert who not in f"{told} {titles}"
        assert who.encode() not in pdf
        assert who.encode("utf-16-be") not in pdf
    assert "MariaPetrova" in text_of(record)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_screen_readers_are_told_the_language_the_headings_and_what_the_pictures_show(language):
    record, say = drafted(language), Translator(language)
    pdf = to_pdf(record, pictures())
    assert f"/Lang ({language})".encode() in pdf
    kinds = [element for page in pypdfium2.PdfDocument(pdf) for element in elements(page)]
    assert [kind for kind, _ in kinds].count("H1") == 1
    assert [kind for kind, _ in kinds].count("H2") == len(record.sections) + 1
    assert [alt for kind, alt in kinds if kind == "Figure"] == [say(messages.SIGNAL_ALT), say(messages.BANDS_ALT)]


def elements(page):
    """Kind and alternative text of a page's structure elements."""
    tree = raw.FPDF_StructTree_GetForPage(page)
    document = raw.FPDF_StructTree_GetChildAtIndex(tree, 0)
    found = []
    for index in range(raw.FPDF_StructElement_CountChildren(document)):
        if element := raw.FPDF_StructElement_GetChildAtIndex(document, index):
            found.append(
                (said(raw.FPDF_StructElement_GetType, element), said(raw.FPDF_StructElement_GetAltText, element))
            )
    raw.FPDF_StructTree_Close(tree)
    return found


def said(ask, element):
    size = ask(element, None, 0)
    buffer = ctypes.create_string_buffer(size)
    ask(element, buffer, size)
    return buffer.raw[: max(0, size - 2)].decode("utf-16-le")


def bars_of(page):
    """The page's pixels from where bars begin to where the longest possible ends."""
    begin, end = (round(place / 25.4 * 72 * SCALE) for place in (LEFT + NAME, LEFT + NAME + TRACK))
    return pixels(page)[:, begin + 1 : end]


def bar_lengths(page):
    """Pixels that each bar is long, from top to bottom."""
    image = bars_of(page)
    tone = np.logical_or.reduce([near(image, colour) for colour in TONES.values()])
    lengths = [int(np.flatnonzero(row).max()) + 1 if row[0] else 0 for row in tone]
    edges = np.flatnonzero(np.diff([0, *(np.array(lengths) > 0), 0]))
    return [int(np.median(lengths[a:b])) for a, b in edges.reshape(-1, 2) if b - a > 5]


@pytest.mark.parametrize("shares", [SHARES, (0.9, *[0.0125] * 8)], ids=["uncertain", "certain"])
def test_bars_are_as_long_as_their_emotions_are_probable(shares):
    page = pypdfium2.PdfDocument(to_pdf(drafted(shares=shares), pictures()))[1]
    lengths, expected = bar_lengths(page), sorted(shares, reverse=True)
    assert lengths == pytest.approx([lengths[0] * share / expected[0] for share in expected], abs=3)


def test_the_chance_line_stands_where_a_bar_of_one_ninth_ends():
    page = pypdfium2.PdfDocument(to_pdf(drafted(shares=[1 / 9] * 9), pictures()))[1]
    dark = near(bars_of(page), INK, 60).sum(axis=0)
    assert abs(int(np.argmax(dark)) - bar_lengths(page)[0]) <= 4


SHOWN_BY = {"probabilities": messages.CHANCE, "three_class": "negative neutral positive", "valence": "-1 0 +1"}


@pytest.mark.parametrize("text", ["", "Not to be relied on: the cap slipped."], ids=["deleted", "rewritten"])
@pytest.mark.parametrize("key", SHOWN_BY)
def test_a_number_that_a_clinician_took_out_is_not_drawn_any_more_but_the_others_are(key, text):
    record = drafted()
    told = text_of(edit(record, key, text, REVIEWER, NOW))
    assert all(bare(drawn) in text_of(record) for drawn in SHOWN_BY.values())
    assert [name for name, drawn in SHOWN_BY.items() if bare(drawn) not in told] == [key]
    assert bare(f"Written by Dr Ada Weiss, 2026-03-01{text or messages.LEFT_EMPTY}") in told
    assert (bare(f"anger {percent(SHARES[0])}") in told) == (key != "probabilities")


def test_where_a_clinician_took_out_all_numbers_nothing_is_drawn():
    def is_red(record):
        return any(near(pixels(page), TONES["negative"]).any() for page in pypdfium2.PdfDocument(to_pdf(record)))

    record = drafted()
    assert is_red(record)
    for key in SHOWN_BY:
        record = delete(record, key, REVIEWER, NOW)
    assert not is_red(record)


def test_probabilities_that_a_clinician_wrote_as_they_were_stay_to_be_read():
    record = drafted()
    was = record.field("probabilities").value
    record = edit(edit(record, "probabilities", "unknown", REVIEWER, NOW), "probabilities", was, REVIEWER, NOW)
    assert bare(was) in text_of(record)
    assert bare(messages.CHANCE) not in text_of(record)


def test_a_copy_without_name_and_number_says_so_beside_the_digest_of_the_original():
    record = signed(drafted())
    told = bare(pages(to_pdf(without_identity(record), pictures()))[0])
    note = "This copy leaves out name and number; a signature on it is that of the original."
    assert bare(f"{record.signature.sha256} {note}") in told
    assert bare(N_("This copy leaves out name and number; a signature on it is that of the original.")) in text_of(
        without_identity(drafted())
    )
    assert bare(N_("This copy leaves out name and number; a signature on it is that of the original.")) not in text_of(
        record
    )
    assert "MariaPetrova" not in told


def test_the_first_page_shows_the_pictures():
    page = pypdfium2.PdfDocument(to_pdf(drafted(), pictures()))[0]
    shown = near(pixels(page), "#7030a0", 40)
    assert shown.mean() > 0.15
    assert shown[:, : shown.shape[1] // 2].any()
    assert shown[:, shown.shape[1] // 2 :].any()


def test_a_record_that_was_kept_gives_the_same_bytes_in_another_process_time_zone_and_place(tmp_path):
    record = signed(drafted("zh"))
    (tmp_path / "record.json").write_text(to_json(record), encoding="utf-8")
    code = (
        "import hashlib, pathlib;"
        "from copilot.record.export.json_format import from_json;"
        "from copilot.record.export.pdf import to_pdf;"
        "text = pathlib.Path('record.json').read_text(encoding='utf-8');"
        "print(hashlib.sha256(to_pdf(from_json(text))).hexdigest())"
    )
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(__file__))))
    environment = {**os.environ, "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "PYTHONPATH": here}
    child = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert child.stdout.strip() == hashlib.sha256(to_pdf(from_json(to_json(record)))).hexdigest()
    assert child.stderr == ""
