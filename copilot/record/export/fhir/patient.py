"""Whom the record is about and when it was made: Patient and Encounter."""

from copilot.i18n import N_, Translator, english
from copilot.i18n.terms import term
from copilot.person import GENDERS
from copilot.record.export.fhir import codes
from copilot.record.export.fhir.codes import Json
from copilot.record.export.fhir.entries import make_entry, make_name, make_reference
from copilot.record.export.fhir.narrative import Narrative, make_field_line, make_line
from copilot.record.model import Record

FHIR_ENCOUNTER = N_("An EEG was read for emotion, and a record of it drafted")


#: What the person told, which is what the encounter is about.
ENCOUNTER_FIELDS = ("appearance", "complaint", "history", "laboratory")


def make_patient(record: Record, translate: Translator) -> Json:
    """The person by a pseudonym, with gender and perhaps birth year: never with name, number or birth date."""
    year = _estimate_birth_year(record)
    lines = (
        make_line(translate(N_("Pseudonym")), make_name(record, "Patient")),
        make_line(translate(english.FIELD_GENDER), _get_value(record, "gender")),
        make_line(translate(N_("Birth year at the latest, from the age")), year),
    )
    return make_entry(
        record,
        "Patient",
        Narrative(record.language, translate(N_("A person, by a pseudonym")), lines),
        gender=_code_gender(record, translate),
        birthDate=year,
    )


def make_encounter(record: Record, translate: Translator) -> Json:
    """The making of this record, from its draft to its first signature, and what the person told for it."""
    signed = next((change.at for change in record.history if change.action == "signed"), "")
    told = [field for field in record.fields if field.key in ENCOUNTER_FIELDS]
    kind: Json = {"class": codes.UNKNOWN_CLASS}  # a word of Python's own
    return make_entry(
        record,
        "Encounter",
        Narrative(
            record.language, translate(FHIR_ENCOUNTER), tuple(make_field_line(field, translate) for field in told)
        ),
        status="finished" if signed else "in-progress",
        **kind,
        type=[codes.make_concept(translate(FHIR_ENCOUNTER))],
        subject=make_reference(record, "Patient"),
        period={"start": record.created, "end": signed},
        reasonCode=[codes.make_concept(_get_value(record, "complaint"))],
    )


def _get_value(record: Record, key: str) -> str:
    return record.field(key).value


def _code_gender(record: Record, translate: Translator) -> str:
    """FHIR's word; none where a clinician wrote something else."""
    value = _get_value(record, "gender").casefold()
    known = {translate(term("gender", word)).casefold(): word for word in GENDERS} | {word: word for word in GENDERS}
    return known.get(value, "").replace("unspecified", "unknown")


def _estimate_birth_year(record: Record) -> str:
    """At the latest, from a plain age below 90; the record has no birth date."""
    age = _get_value(record, "age")
    if not (age.isascii() and age.isdecimal() and int(age) < 90):
        return ""
    return str(int(record.created[:4]) - int(age))


def make_signers(record: Record) -> list[Json]:
    """Who signed, to be contained in the resources that tell of it: a typed name is nobody outside this record."""
    signed = record.signature
    if signed is None:
        return []
    role = [{"code": codes.make_concept(signed.role)}]
    return [{"resourceType": "Practitioner", "id": "signer", "name": [{"text": signed.name}], "qualification": role}]


def reference_signer(record: Record) -> Json:
    """A reference to who signed, empty before."""
    return {"reference": "#signer", "type": "Practitioner"} if record.signature else {}


def make_signature_line(record: Record, translate: Translator) -> str:
    """Who signed and when, for a narrative."""
    signed = record.signature
    who = translate(english.SIGNED_BY, name=signed.name, role=signed.role, at=signed.at) if signed else ""
    return make_line(translate(english.SIGNATURE), who)
