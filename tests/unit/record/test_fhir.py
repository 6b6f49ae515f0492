"""A record as a FHIR R4 bundle: what it says, what it leaves out, and what happens when it is imported."""

import base64
import copy
import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path
from uuid import UUID
from xml.etree import ElementTree

import numpy as np
import pypdfium2 as pdfium
import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

from copilot import NOTICE, emotions
from copilot.i18n import N_, Translator, messages
from copilot.person import PatientIdentity, Person
from copilot.record import review
from copilot.record.export.fhir import to_fhir
from copilot.record.export.fhir.elements import BASE
from copilot.record.export.fhir.observation import make_observations
from copilot.record.export.fhir.patient import make_encounter, make_patient
from copilot.record.export.fhir.provenance import make_provenance
from copilot.record.export.fhir.reports import make_care_plan, make_diagnostic_report
from copilot.record.model import Figures, RecordError
from tests.helpers.fhir_definitions import FOLDER, Definitions
from tests.helpers.fhir_server import Server
from tests.helpers.records import NOW, REVIEWER, drafted, reviewed, signed

KINDS = {
    **dict.fromkeys(("Patient", "Encounter", "Device", "DiagnosticReport", "DocumentReference", "CarePlan"), 1),
    **{"Provenance": 1, "Observation": 15},
}
AI = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
PROSE = "It is 99 % joy, says the prose."
XHTML = "{http://www.w3.org/1999/xhtml}"

DRAFT = drafted(decoder_sha256="c" * 64)
EDITED = review.edit(review.delete(DRAFT, "probabilities", REVIEWER, NOW), "follow_up", "In two weeks.", REVIEWER, NOW)
SIGNED = signed(DRAFT)
AMENDED = signed(review.edit(review.amend(SIGNED, REVIEWER, NOW), "valence", "cannot be told", REVIEWER, NOW))
RECORDS = {
    "draft": DRAFT,
    "edited": EDITED,
    "signed": SIGNED,
    "amended": AMENDED,
    "poor, in Chinese": drafted(trust="poor", joy=0.12, language="zh"),
    "little known": drafted(Person(), model_sha256="", prompt_sha256="", assessment="", suggestions=(), notes=()),
}
every_record = pytest.mark.parametrize("name", RECORDS)
needs_definitions = pytest.mark.skipif(not FOLDER.exists(), reason="`make build/fhir` gets R4's definitions")


@cache
def written(name):
    return to_fhir(RECORDS[name])


def resources(content, kind=None):
    found = [entry["resource"] for entry in json.loads(content)["entry"]]
    return [resource for resource in found if kind in (None, resource["resourceType"])]


def only(content, kind):
    (resource,) = resources(content, kind)
    return resource


def observation(content, code):
    return next(each for each in resources(content, "Observation") if each["code"]["coding"][0]["code"] == code)


def every(value, name):
    """Values of ``name`` at any depth."""
    if isinstance(value, dict):
        yield from (each for key, each in value.items() if key == name)
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from every(each, name)


def said(content):
    """All text of a bundle but the document's bytes."""
    return re.sub(r'"data": "[^"]*"', "", content.decode())


def chart(content):
    """The text of the PDF inside."""
    (attachment,) = every(only(content, "DocumentReference")["content"], "attachment")
    document = pdfium.PdfDocument(base64.b64decode(attachment["data"]))
    try:
        return "\n".join(page.get_textpage().get_text_range() for page in document)
    finally:
        document.close()


@pytest.fixture(scope="module")
def definitions():
    return Definitions()


# What a validator says


@every_record
def test_the_classes_of_r4b_take_it(name):
    assert len(Bundle.model_validate_json(written(name)).entry) == sum(KINDS.values())


@needs_definitions
@every_record
def test_hl7s_definitions_find_no_fault(name, definitions):
    faults = [fault for resource in resources(written(name)) for fault in definitions.faults(resource)]
    assert faults == []
    bundle = json.loads(written(name))
    for entry in bundle["entry"]:
        del entry["resource"]
    assert list(definitions.faults(bundle)) == []


@needs_definitions
@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        ("Observation", lambda resource: resource.update(status="done")),
        ("Observation", lambda resource: resource["text"].update(status="made")),
        ("Observation", lambda resource: resource["category"][0]["coding"][0].update(display="Surgery")),
        ("DocumentReference", lambda resource: resource.update(docStatus="draft")),
        ("DiagnosticReport", lambda resource: resource.update(issued="yesterday")),
        ("DiagnosticReport", lambda resource: resource["contained"][0].update(title="Dr")),
        ("Provenance", lambda resource: resource["agent"][0].pop("who")),
        ("Encounter", lambda resource: resource.update(type=resource["type"][0])),
        ("Patient", lambda resource: resource.update(birthDate="1.1.2006")),
    ],
)
def test_those_definitions_would_find_one(kind, spoil, definitions):
    resource = copy.deepcopy(resources(written("signed"), kind)[0])
    spoil(resource)
    assert list(definitions.faults(resource))


@needs_definitions
@pytest.mark.skipif(not shutil.which("node"), reason="Medplum's router runs in Node.js")
def test_medplum_imports_updates_and_finds_no_fault(tmp_path):
    files = []
    for number, name in enumerate(("draft", "draft", "signed", "amended")):
        files.append(tmp_path / f"{number}.json")
        files[-1].write_bytes(written(name))
    command = ["node", str(Path(__file__).parents[2] / "helpers" / "fhir_medplum.cjs"), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    results = json.loads(done.stdout)
    assert [set(result["statuses"]) for result in results] == [{"201"}, {"200"}, {"200"}, {"200"}]
    assert [result["faults"] for result in results] == [[]] * 4
    first, again, then, at_last = (plain(result["stored"]) for result in results)
    assert first == again
    assert set(first) == set(then) == set(at_last)
    assert {each["status"] for each in then.values() if each["resourceType"] == "Observation"} == {"final"}
    assert {each["status"] for each in at_last.values() if each["resourceType"] == "DiagnosticReport"} == {"amended"}


def plain(stored):
    """Resources by their id, without the server's own version and time."""
    server = ("versionId", "lastUpdated", "author")
    made = {}
    for resource in stored:
        meta = {name: value for name, value in resource.get("meta", {}).items() if name not in server}
        made[resource["id"]] = {**resource, "meta": meta}
    return made


# What R4 asks for and such classes let through


@every_record
def test_every_reference_leads_somewhere(name):
    entries = json.loads(written(name))["entry"]
    urls = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in entries}
    assert len(urls) == len(entries)
    for entry in entries:
        contained = {each["id"]: each["resourceType"] for each in entry["resource"].get("contained", [])}
        for target in every(entry["resource"], "reference"):
            assert target.removeprefix("#") in contained if target.startswith("#") else target in urls
        assert {f"#{each}" for each in contained} <= set(every(entry["resource"], "reference"))
    for url in urls:
        assert UUID(url.removeprefix("urn:uuid:")).version == 5
        assert url.removeprefix("urn:uuid:") not in written(name).decode().replace(url, "")


@every_record
def test_every_resource_has_a_narrative_that_is_xhtml(name):
    for resource in resources(written(name)):
        root = ElementTree.fromstring(resource["text"]["div"])
        assert (root.tag, root.get("lang")) == (f"{XHTML}div", resource["language"])
        assert {each.tag.removeprefix(XHTML) for each in root.iter()} <= {"div", "p", "b", "ul", "li", "br", "span"}
        assert "".join(root.itertext()).strip()


@every_record
def test_there_is_one_of_each_and_never_a_condition(name):
    kinds = [resource["resourceType"] for resource in resources(written(name))]
    assert {kind: kinds.count(kind) for kind in kinds} == KINDS


@pytest.mark.parametrize(
    ("name", "report", "observation", "document", "encounter"),
    [
        ("draft", "partial", "preliminary", "preliminary", "in-progress"),
        ("signed", "final", "final", "final", "finished"),
        ("amended", "amended", "amended", "amended", "finished"),
    ],
)
def test_statuses_tell_draft_from_signed_from_amended(name, report, observation, document, encounter):
    content = written(name)
    assert only(content, "DiagnosticReport")["status"] == report
    assert {each["status"] for each in resources(content, "Observation")} - {"entered-in-error"} == {observation}
    assert only(content, "DocumentReference")["docStatus"] == document
    assert only(content, "Encounter")["status"] == encounter
    assert (only(content, "CarePlan")["status"], only(content, "CarePlan")["intent"]) == ("draft", "proposal")


def test_an_amendment_is_refused_until_it_is_signed():
    amendment = review.amend(SIGNED, REVIEWER, NOW)
    with pytest.raises(RecordError, match="Sign this amendment first"):
        to_fhir(amendment)
    assert to_fhir(signed(amendment))


# Numbers and where they come from


def test_numbers_are_those_that_were_found():
    content = written("draft")
    for name, probability in zip(emotions.EMOTIONS, DRAFT.findings.probabilities, strict=True):
        value = observation(content, f"emotion-{name}")["valueQuantity"]
        assert value["value"] == pytest.approx(100 * probability, abs=0.05)
        assert (value["system"], value["code"]) == ("http://unitsofmeasure.org", "%")
    classes = [observation(content, f"class-{name}")["valueQuantity"]["value"] for name in emotions.THREE_CLASSES]
    assert classes == [28.0, 7.0, 65.0]
    assert observation(content, "valence")["valueQuantity"]["value"] == 0.37
    assert observation(content, "clean-share")["valueQuantity"]["value"] == 95.0
    assert observation(content, "quality")["valueCodeableConcept"]["coding"][0]["code"] == "good"


def test_what_a_model_asserted_says_so_and_what_was_measured_does_not():
    labelled = {
        each["code"]["coding"][0]["code"]: each.get("meta", {}).get("security")
        for each in resources(written("draft"), "Observation")
    }
    assert {code for code, label in labelled.items() if label is None} == {"quality", "clean-share"}
    assert [label for label in labelled.values() if label] == [[AI]] * 13
    for kind in ("DiagnosticReport", "DocumentReference"):
        assert only(written("draft"), kind)["meta"]["security"] == [AI]
    assert only(written("signed"), "CarePlan")["meta"]["security"] == [AI]


@pytest.mark.parametrize(
    ("record", "told", "sentence"),
    [
        (drafted(joy=0.44, calibrated=True), None, messages.CALIBRATED),
        (
            drafted(joy=0.12),
            N_("No emotion stands out above the uncertainty of this reading."),
            messages.NOT_CALIBRATED,
        ),
        (
            drafted(trust="poor"),
            "Poor recording: do not rely on what it says about emotion. "
            "No emotion stands out above the uncertainty of this reading.",
            messages.NOT_CALIBRATED,
        ),
    ],
    ids=["calibrated", "uncertain", "poor"],
)
def test_an_inferred_number_says_how_far_to_trust_it(record, told, sentence):
    entries = {each["request"]["url"].rpartition(".")[2]: each for each in make_observations(record, Translator("en"))}
    inferred = entries["emotion-joy"]["resource"]
    assert [each["text"] for each in inferred["note"]] == [sentence]
    assert [each["text"] for each in inferred.get("interpretation", [])] == ([told] if told else [])
    assert inferred["method"]["text"] == messages.READOUT_SHORT["both"]


def test_what_a_clinician_deleted_or_replaced_has_no_value_any_more():
    deleted, replaced = observation(written("edited"), "emotion-joy"), observation(written("amended"), "valence")
    for withdrawn in (deleted, replaced):
        assert withdrawn["status"] == "entered-in-error"
        assert withdrawn["dataAbsentReason"]["text"] == N_("A clinician deleted or replaced this in review.")
        assert not [name for name in withdrawn if name.startswith("value")]
        assert "meta" not in withdrawn
    results = [each["reference"] for each in only(written("edited"), "DiagnosticReport")["result"]]
    assert len(results) == 15 - 9
    assert "44.0" not in deleted["text"]["div"]


# Words


def test_text_that_waits_for_review_is_nobodys_finding():
    content = written("draft")
    assert "conclusion" not in only(content, "DiagnosticReport")
    assert "activity" not in only(content, "CarePlan")
    assert not any(text in said(content) for text in (PROSE, "Rest.", "Walk."))
    assert f"Assessment: {messages.PENDING}" in only(content, "DiagnosticReport")["text"]["div"]
    assert PROSE in chart(content)
    assert messages.PENDING in chart(content)


def test_an_emotion_that_no_clinician_accepted_is_stated_nowhere_but_in_the_document():
    record = review.accept(DRAFT, "assessment", REVIEWER, NOW)
    for each in (DRAFT, record):
        assert DRAFT.headline not in said(to_fhir(each))
        assert DRAFT.headline in chart(to_fhir(each))
    conclusion = only(to_fhir(record), "DiagnosticReport")["conclusion"]
    assert conclusion == f"Assessment ({messages.ORIGIN['suggested']}): {PROSE}"
    told = only(to_fhir(review.accept(record, "emotion", REVIEWER, NOW)), "DiagnosticReport")
    assert DRAFT.headline in told["text"]["div"]
    assert told["conclusion"].startswith(DRAFT.headline)


def test_text_that_a_clinician_accepted_stays_marked_as_the_models():
    content = written("signed")
    conclusion = only(content, "DiagnosticReport")["conclusion"]
    assert conclusion.splitlines()[0] == SIGNED.headline
    assert f"Assessment ({messages.ORIGIN['suggested']}): {PROSE}" in conclusion
    steps = [each["detail"]["description"] for each in only(content, "CarePlan")["activity"]]
    assert steps == ["Rest.", "Walk."]
    assert messages.PENDING not in said(content)


def test_what_a_clinician_wrote_is_the_clinicians():
    record = review.edit(DRAFT, "suggestions", "Come again.", REVIEWER, NOW)
    content = to_fhir(review.edit(record, "assessment", "Tired, not sad.", REVIEWER, NOW))
    proposal = only(content, "CarePlan")
    assert [each["detail"]["description"] for each in proposal["activity"]] == ["Come again."]
    assert "author" not in proposal
    assert "meta" not in proposal
    assert "Assessment (written by the clinician): Tired, not sad." in only(content, "DiagnosticReport")["conclusion"]
    assert PROSE not in said(content)
    agents = only(content, "Provenance")["agent"]
    assert [each["type"]["text"] for each in agents] == ["Author", "Author"]
    assert agents[1]["who"] == {"display": REVIEWER.name}


def test_a_poor_reading_is_concluded_with_that_first():
    record = reviewed(drafted(trust="poor", joy=0.12))
    conclusion = make_diagnostic_report(record, Translator("en"))["resource"]["conclusion"]
    assert conclusion.startswith(N_("Poor recording: do not rely on what it says about emotion."))


def test_the_complaint_is_why_and_the_document_says_what_it_is():
    assert only(written("draft"), "Encounter")["reasonCode"] == [{"text": "sleeps badly"}]
    assert NOTICE in only(written("draft"), "DiagnosticReport")["text"]["div"]
    assert only(written("draft"), "DocumentReference")["description"] == NOTICE
    assert messages.STATUS["draft"] in chart(written("draft")).lower().replace(" - ", ", ")
    assert "Signed by Dr Ada Weiss" in chart(written("signed"))


def test_pictures_go_into_the_document_while_servers_take_it():
    rng = np.random.default_rng(0)
    for size, shown in ((40, 2), (1200, 0)):
        png = BytesIO()
        Image.fromarray(rng.integers(0, 255, (size, size, 3), np.uint8)).save(png, "PNG")  # does not compress
        content = to_fhir(DRAFT, Figures(png.getvalue(), png.getvalue()))
        (attachment,) = every(only(content, "DocumentReference")["content"], "attachment")
        pdf = base64.b64decode(attachment["data"])
        assert (attachment["contentType"], attachment["size"]) == ("application/pdf", len(pdf))
        assert base64.b64decode(attachment["hash"]) == hashlib.sha1(pdf).digest()
        assert len(attachment["data"]) <= 2**20
        document = pdfium.PdfDocument(pdf)
        assert len([each for page in document for each in page.get_objects([FPDF_PAGEOBJ_IMAGE])]) == shown
        document.close()


def test_chinese_is_chinese_but_for_the_models_prose():
    content = to_fhir(reviewed(drafted(language="zh")))
    assert {each["language"] for each in resources(content) if each["resourceType"] != "Device"} == {"zh"}
    assert only(content, "Device")["language"] == "en"
    root = ElementTree.fromstring(only(content, "DiagnosticReport")["text"]["div"])
    (prose,) = [each for each in root.iter(f"{XHTML}span") if each.get("lang") == "en"]
    assert prose.text == PROSE


# Who


def test_the_model_is_the_author_and_who_signed_the_verifier():
    content = written("signed")
    entries = json.loads(content)["entry"]
    model = next(entry["fullUrl"] for entry in entries if entry["resource"]["resourceType"] == "Device")
    origin = only(content, "Provenance")
    assert [(each["type"]["text"], each["who"]["reference"]) for each in origin["agent"]] == [
        ("Author", model),
        ("Verifier", "#signer"),
    ]
    (practitioner,) = origin["contained"]
    assert practitioner["name"] == [{"text": "Dr Ada Weiss"}]
    assert practitioner["qualification"][0]["code"]["text"] == "Neurologist"
    assert only(content, "DiagnosticReport")["resultsInterpreter"][0]["reference"] == "#signer"
    assert SIGNED.signature.sha256 in origin["text"]["div"]
    assert [each["type"]["text"] for each in only(written("draft"), "Provenance")["agent"]] == ["Author"]


def test_provenance_tells_prompt_decoder_and_amended_version_and_the_device_its_model():
    origin = only(written("amended"), "Provenance")
    entities = [(each["role"], *each["what"]["identifier"].values()) for each in origin["entity"]]
    assert entities == [
        ("source", f"{BASE}/prompt", "b" * 64),
        ("source", f"{BASE}/decoder", "c" * 64),
        ("revision", f"{BASE}/signed-record", SIGNED.signature.sha256),
    ]
    assert f"{messages.ABOUT_DECODER}: {'c' * 64}" in origin["text"]["div"]
    assert "entity" not in only(written("little known"), "Provenance")
    device = only(written("draft"), "Device")
    assert device["deviceName"] == [{"name": "tiny", "type": "model-name"}]
    assert [each["value"] for each in device["version"]] == ["a" * 64, DRAFT.software]


def test_name_number_and_birth_date_are_nowhere():
    who = PatientIdentity(name="Wilhelmina Zx Quorndon", number="QX-7712390")
    record = drafted(Person("female", 20), patient=who)
    record = review.edit(record, "number", "QX-7712391", REVIEWER, NOW)
    for each in (record, signed(record)):
        content = to_fhir(each)
        assert not traces(content)
        assert only(content, "Patient")["birthDate"] == "2006"
        assert "name" not in only(content, "Patient")


def traces(content):
    """What is left of the person's names and numbers, in the resources and in the document."""
    text = re.sub(r"\s", "", said(content) + chart(content)).lower()
    return [
        each for each in ("wilhelmina", "quorndon", "qx-7712390", "qx-7712391", "ottoline", "brace") if each in text
    ]


def test_names_and_numbers_in_free_text_are_left_out_also_those_that_were_corrected():
    who = PatientIdentity("Wilhelmina Zx Quorndon", "QX-7712390", laboratory="TSH 1.2 of Quorndon, chart QX-7712390")
    record = drafted(Person("female", 20), patient=who)
    for key, text in {
        "name": "Ottoline Brace",
        "complaint": "Wilhelmina Zx Quorndon, now Brace, has headaches",
        "emotion": "Ottoline is tired",
        "assessment": "Mrs Quorndon is calm.",
        "number": "QX-7712391",
        "follow_up": "Call Mrs Brace (QX-7712391)",
    }.items():
        record = review.edit(record, key, text, REVIEWER, NOW)
    deleted = review.delete(review.delete(record, "name", REVIEWER, NOW), "number", REVIEWER, NOW)
    for each in (record, signed(record), signed(deleted), signed(review.amend(signed(deleted), REVIEWER, NOW))):
        content = to_fhir(each)
        assert not traces(content)
        for rest in ("TSH 1.2 of", "has headaches", "is tired", "is calm.", "Call Mrs"):
            assert rest in chart(content)
            assert rest in said(content) or rest.startswith("TSH")


def test_the_document_shows_whose_digest_was_signed():
    text = re.sub(r"\s", "", chart(written("signed")))
    assert SIGNED.signature.sha256 in text
    assert (
        re.sub(r"\s", "", N_("This copy leaves out name and number; a signature on it is that of the original."))
        in text
    )


@pytest.mark.parametrize(
    ("age", "year"), [("20", "2006"), ("0", "2026"), ("89", "1937"), ("90", None), ("about 40", None), ("", None)]
)
def test_the_birth_year_is_known_from_a_plain_age_below_90(age, year):
    record = review.edit(DRAFT, "age", age, REVIEWER, NOW)
    assert make_patient(record, Translator("en"))["resource"].get("birthDate") == year


@pytest.mark.parametrize(
    ("gender", "code"), [("female", "female"), ("unspecified", "unknown"), ("Other", "other"), ("two-spirit", None)]
)
def test_gender_is_fhirs_word_for_it_where_there_is_one(gender, code):
    record = review.edit(DRAFT, "gender", gender, REVIEWER, NOW)
    assert make_patient(record, Translator("en"))["resource"].get("gender") == code


def test_gender_is_understood_in_the_records_language():
    resource = make_patient(drafted(Person("male"), language="zh"), Translator("zh"))["resource"]
    assert resource["gender"] == "male"


# Importing


def test_importing_twice_changes_nothing():
    server = Server()
    assert server.transact(written("draft")) == (22, 0)
    before = copy.deepcopy(server.stored)
    assert server.transact(written("draft")) == (0, 22)
    assert server.stored == before
    assert set(server.versions.values()) == {1}


def test_a_signed_version_takes_the_place_of_its_draft_and_an_amended_one_of_that():
    server = Server()
    server.transact(written("draft"))
    where = set(server.stored)
    for name, status in (("signed", "final"), ("amended", "amended")):
        assert server.transact(written(name)) == (0, 22)
        assert set(server.stored) == where
        assert server.only("DiagnosticReport")["status"] == status
    assert [each["code"]["text"] for each in server.of_kind("Observation") if each["status"] == "entered-in-error"] == [
        N_("Valence from -1 to +1, inferred from EEG")
    ]
    assert server.versions[next(at for at in where if at.startswith("Device/"))] == 1


def test_another_record_is_another_person_read_by_the_same_model():
    server = Server()
    server.transact(written("draft"))
    assert server.transact(to_fhir(drafted())) == (21, 1)
    assert len(server.of_kind("Patient")) == 2
    assert len(server.of_kind("Device")) == 1


def test_the_same_record_gives_the_same_bytes():
    assert to_fhir(DRAFT) == written("draft")


# What comes from outside

HOSTILE = '</div><script>alert("1")</script>&nbsp;\x00\x1b\ud7ff\ufffe\u202e {"a": 1} urn:uuid:1 | , $ \\ 名'


def test_markup_and_control_characters_stay_text():
    record = drafted(
        Person("other", 30, HOSTILE, HOSTILE, HOSTILE),
        patient=PatientIdentity(laboratory=HOSTILE),
        assessment=HOSTILE,
        suggestions=(HOSTILE, "\x00", " "),
        notes=(HOSTILE,),
    )
    record = replace(record, model=HOSTILE, software=HOSTILE, headline=HOSTILE)
    content = to_fhir(signed(record))
    Bundle.model_validate_json(content)
    Server().transact(content)
    assert not re.search(r"\\u00[01]|[\u202e\ufffe]", content.decode())
    for resource in resources(content):
        root = ElementTree.fromstring(resource["text"]["div"])
        assert {each.tag.removeprefix(XHTML) for each in root.iter()} <= {"div", "p", "b", "ul", "li", "br", "span"}


@settings(max_examples=60)
@given(text=st.text(max_size=40), other=st.text(max_size=40))
def test_any_text_gives_xhtml_and_no_empty_string(text, other):
    say = Translator("en")
    record = drafted(Person(appearance=text, complaint=other), assessment=text, suggestions=(other,), model=text)
    record = reviewed(replace(record, headline=other))
    entries = [make(record, say) for make in (make_patient, make_encounter, make_diagnostic_report, make_care_plan)]
    for entry in [*entries, make_provenance(record, say, entries)]:
        ElementTree.fromstring(entry["resource"]["text"]["div"])
        strings = list(_strings(entry["resource"]))
        assert all(each.strip() and each.replace("\n", " ").isprintable() for each in strings)


def _strings(value):
    if isinstance(value, str):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(each)


def test_a_record_that_lacks_a_field_is_refused_in_a_sentence():
    sections = tuple(section for section in DRAFT.sections if section.key != "basic")
    with pytest.raises(RecordError, match="has no field"):
        to_fhir(replace(DRAFT, sections=sections))
