"""Make the Patient, the Encounter and the Practitioner who signed."""

from copilot.i18n import N_, Translator, messages
from copilot.i18n.terms import term
from copilot.person import GENDERS
from copilot.record.export.fhir.elements import (
    UNKNOWN_CLASS,
    Json,
    make_concept,
    make_entry,
    make_field_line,
    make_line,
    make_name,
    make_reference,
)
from copilot.record.model import Record

FHIR_ENCOUNTER = N_("An EEG was read for emotion, and a record of it drafted")

#: Fields with what the person reported, which the encounter contains.
ENCOUNTER_FIELDS = ("appearance", "complaint", "history", "laboratory")


def make_patient(record: Record, translate: Translator) -> Json:
    """Return a Patient: a pseudonym, gender and perhaps birth year, never name, number or birth date.

    The record has no birth date: the year is the latest possible one, if the age is a number below 90. The gender has
    no code if a clinician wrote another text.
    """
    gender, age = record.field("gender").value, record.field("age").value
    words = {translate(term("gender", word)).casefold(): word for word in GENDERS} | {word: word for word in GENDERS}
    code = words.get(gender.casefold(), "").replace("unspecified", "unknown")
    known = age.isascii() and age.isdecimal() and int(age) < 90
    year = str(int(record.created[:4]) - int(age)) if known else ""
    lines = (
        make_line(translate(N_("Pseudonym")), make_name(record, "Patient")),
        make_line(translate(messages.FIELD_GENDER), gender),
        make_line(translate(N_("Birth year at the latest, from the age")), year),
    )
    title = translate(N_("A person, by a pseudonym"))
    return make_entry(record, "Patient", title, lines, gender=code, birthDate=year)


def make_encounter(record: Record, translate: Translator) -> Json:
    """Return an Encounter: from the draft of the record to its first signature, with what the person reported."""
    signed = next((change.at for change in record.history if change.action == "signed"), "")
    kind: Json = {"class": UNKNOWN_CLASS}  # "class" is a keyword of Python
    return make_entry(
        record,
        "Encounter",
        translate(FHIR_ENCOUNTER),
        [make_field_line(field, translate) for field in record.fields if field.key in ENCOUNTER_FIELDS],
        status="finished" if signed else "in-progress",
        **kind,
        type=[make_concept(translate(FHIR_ENCOUNTER))],
        subject=make_reference(record, "Patient"),
        period={"start": record.created, "end": signed},
        reasonCode=[make_concept(record.field("complaint").value)],
    )


def make_signers(record: Record) -> list[Json]:
    """Return the Practitioner who signed, to be contained in other resources; an empty list for a draft.

    The Practitioner is contained because a typed name identifies no person outside this record.
    """
    signed = record.signature
    if signed is None:
        return []
    role = [{"code": make_concept(signed.role)}]
    return [{"resourceType": "Practitioner", "id": "signer", "name": [{"text": signed.name}], "qualification": role}]


def reference_signer(record: Record) -> Json:
    """Return a reference to the contained Practitioner who signed, empty for a draft."""
    return {"reference": "#signer", "type": "Practitioner"} if record.signature else {}


def make_signature_line(record: Record, translate: Translator) -> str:
    """Return a narrative line with the signer and the time, empty for a draft."""
    signed = record.signature
    who = translate(messages.SIGNED_BY, name=signed.name, role=signed.role, at=signed.at) if signed else ""
    return make_line(translate(messages.SIGNATURE), who)
