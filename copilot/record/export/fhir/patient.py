"""Whom the record is about and when it was made: Patient and Encounter."""

from copilot.i18n import N_, Translator, english
from copilot.i18n.terms import term
from copilot.person import GENDERS
from copilot.record.export.fhir import codes
from copilot.record.export.fhir.codes import Json
from copilot.record.export.fhir.entries import entry, part, reference
from copilot.record.export.fhir.narrative import Narrative, field_line, line
from copilot.record.model import Record

FHIR_ENCOUNTER = N_("An EEG was read for emotion, and a record of it drafted")


#: What the person told, which is what the encounter is about.
TOLD = ("appearance", "complaint", "history", "laboratory")


def patient(record: Record, say: Translator) -> Json:
    """The person by a pseudonym, with gender and perhaps birth year: never with name, number or birth date."""
    year = _birth_year(record)
    lines = (
        line(say(N_("Pseudonym")), part(record, "Patient")),
        line(say(english.FIELD_GENDER), _value(record, "gender")),
        line(say(N_("Birth year at the latest, from the age")), year),
    )
    return entry(
        record,
        "Patient",
        Narrative(record.language, say(N_("A person, by a pseudonym")), lines),
        gender=_gender(record, say),
        birthDate=year,
    )


def encounter(record: Record, say: Translator) -> Json:
    """The making of this record, from its draft to its first signature, and what the person told for it."""
    signed = next((change.at for change in record.history if change.action == "signed"), "")
    told = [field for field in record.fields if field.key in TOLD]
    kind: Json = {"class": codes.UNKNOWN_CLASS}  # a word of Python's own
    return entry(
        record,
        "Encounter",
        Narrative(record.language, say(FHIR_ENCOUNTER), tuple(field_line(field, say) for field in told)),
        status="finished" if signed else "in-progress",
        **kind,
        type=[codes.concept(say(FHIR_ENCOUNTER))],
        subject=reference(record, "Patient"),
        period={"start": record.created, "end": signed},
        reasonCode=[codes.concept(_value(record, "complaint"))],
    )


def _value(record: Record, key: str) -> str:
    return record.field(key).value


def _gender(record: Record, say: Translator) -> str:
    """FHIR's word; none where a clinician wrote something else."""
    value = _value(record, "gender").casefold()
    known = {say(term("gender", word)).casefold(): word for word in GENDERS} | {word: word for word in GENDERS}
    return known.get(value, "").replace("unspecified", "unknown")


def _birth_year(record: Record) -> str:
    """At the latest, from a plain age below 90; the record has no birth date."""
    age = _value(record, "age")
    if not (age.isascii() and age.isdecimal() and int(age) < 90):
        return ""
    return str(int(record.created[:4]) - int(age))


def signers(record: Record) -> list[Json]:
    """Who signed, to be contained in the resources that tell of it: a typed name is nobody outside this record."""
    signed = record.signature
    if signed is None:
        return []
    role = [{"code": codes.concept(signed.role)}]
    return [{"resourceType": "Practitioner", "id": "signer", "name": [{"text": signed.name}], "qualification": role}]


def by_signer(record: Record) -> Json:
    """A reference to who signed, empty before."""
    return {"reference": "#signer", "type": "Practitioner"} if record.signature else {}


def signature_line(record: Record, say: Translator) -> str:
    """Who signed and when, for a narrative."""
    signed = record.signature
    who = say(english.SIGNED_BY, name=signed.name, role=signed.role, at=signed.at) if signed else ""
    return line(say(english.SIGNATURE), who)
