"""Make what all resources consist of: codes, narratives, references and entries of the bundle.

**Codes** are from public code systems if one certainly fits, else from our own. No public code exists for an emotion
inferred from EEG. Our code systems have URLs under ``.invalid``, a domain that can never be registered (RFC 6761): a
code system's URL only has to be unique and constant; no server has to exist. LOINC and HL7 codes are those in R4's own
value sets; ``AIAST`` came later (HL7 Terminology, v3-ObservationValue).

**Entries** have a constant name, a request that updates in place, and a narrative. A server finds the resources of an
earlier import by an identifier that follows from the record's id alone (RFC 9562, UUID version 5). It differs from the
entry's own ``urn:uuid`` on purpose: some servers replace every occurrence of that one with their own id.
"""

import uuid
from collections.abc import Iterable
from html import escape
from typing import Any

from copilot.i18n import Translator, messages
from copilot.record.model import SUGGESTED, Field, Record
from copilot.text import normalise_line

Json = dict[str, Any]

BASE = "https://eeg-emotion-copilot.invalid/fhir"

#: System of the names of a bundle's resources; the person's name is a pseudonym.
PARTS = f"{BASE}/part"
#: Systems of the digests of a signed record, a prompt and a classifier.
SIGNED_RECORDS, PROMPTS, CLASSIFIERS = f"{BASE}/signed-record", f"{BASE}/prompt", f"{BASE}/decoder"
#: Systems of the measures and of the qualities of a recording.
MEASURES, QUALITIES = f"{BASE}/measure", f"{BASE}/quality"

HL7 = "http://terminology.hl7.org/CodeSystem"
UCUM = "http://unitsofmeasure.org"
XHTML = "http://www.w3.org/1999/xhtml"

ASSERTED_BY_AI = {
    "system": f"{HL7}/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
EEG_STUDY = {"system": "http://loinc.org", "code": "11523-8", "display": "EEG study"}
ELECTRONEURO = {"system": f"{HL7}/v2-0074", "code": "EN", "display": "Electroneuro (EEG, EMG,EP,PSG)"}
PROCEDURE = {"system": f"{HL7}/observation-category", "code": "procedure", "display": "Procedure"}
AUTHOR = {"system": f"{HL7}/provenance-participant-type", "code": "author", "display": "Author"}
VERIFIER = {"system": f"{HL7}/provenance-participant-type", "code": "verifier", "display": "Verifier"}
UNKNOWN_VALUE = {"system": f"{HL7}/data-absent-reason", "code": "unknown", "display": "Unknown"}
#: The record does not contain whether the person was in a clinic or at home.
UNKNOWN_CLASS = {"system": f"{HL7}/v3-NullFlavor", "code": "UNK", "display": "unknown"}

#: Fields with prose of the model, which is in English.
PROSE = ("assessment", "suggestions")

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, BASE)


def make_concept(text: str, coding: Json | None = None) -> Json:
    """Return a CodeableConcept: text for people, and a code if there is one."""
    return {"coding": [coding], "text": text} if coding else {"text": text}


def make_quantity(value: float, unit: str) -> Json:
    """Return a Quantity; ``unit`` is a UCUM code that is also the unit as people read it."""
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def get_status(record: Record, draft: str = "preliminary") -> str:
    """Return the status of a resource: ``draft``, or ``final`` or ``amended`` if the record is signed."""
    if not record.signature:
        return draft
    return "amended" if record.version > 1 else "final"


def make_entry(
    record: Record,
    kind: str,
    title: str,
    lines: Iterable[str],
    /,
    *,
    key: str = "",
    language: str = "",
    by_ai: bool = False,
    **elements: Any,
) -> Json:
    """Return one entry of the bundle: a resource and the request that creates or updates it.

    Args:
        record: the record, from which names and references follow.
        kind: type of the resource.
        title: title of the narrative, simple XHTML for people (https://hl7.org/fhir/R4/narrative.html).
        lines: lines of the narrative (see ``make_line``); empty ones are left out.
        key: distinguishes several resources of one type.
        language: language of the resource; empty: the record's.
        by_ai: whether a model asserted its content.
        elements: elements of this type of resource; empty ones are left out.
    """
    name, language = make_name(record, kind, key), language or record.language
    named, search = {"identifier": [{"system": PARTS, "value": name}]}, "identifier"
    meta: Json = {"security": [ASSERTED_BY_AI] if by_ai else []}
    if kind == "Provenance":
        named, search = {}, "_tag"
        meta["tag"] = [{"system": PARTS, "code": name}]
    items = "".join(f"<li>{line}</li>" for line in lines if line)
    body = f"<p><b>{_escape_xhtml(title)}</b></p>" + (f"<ul>{items}</ul>" if items else "")
    narrative = f'<div xmlns="{XHTML}" {_language_attributes(language)}>{body}</div>'
    text = {"status": "generated", "div": narrative}
    resource = {"meta": meta, "language": language, "text": text, **named, **elements}
    return {
        "fullUrl": make_reference(record, kind, key)["reference"],
        "resource": {"resourceType": kind, **_remove_empty(resource)},
        "request": {"method": "PUT", "url": f"{kind}?{search}={PARTS}%7C{name}"},
    }


def make_name(record: Record, kind: str, key: str = "") -> str:
    """Return the name by which a server finds a resource; a Patient's name is the person's pseudonym."""
    return f"{_make_uuid(record, kind)}.{key or kind.lower()}"


def make_reference(record: Record, kind: str, key: str = "") -> Json:
    """Return a reference to another entry of the bundle; the server replaces it with its own id."""
    return {"reference": f"urn:uuid:{_make_uuid(record, kind, 'entry', key)}", "type": kind}


def make_line(label: str, value: str, language: str = "") -> str:
    """Return one line of a narrative as XHTML, empty if there is no value.

    Args:
        label: label in the narrative's language.
        value: text of the line.
        language: language of the value; empty: the narrative's language.
    """
    if not clean_text(value):
        return ""
    text = f"<span {_language_attributes(language)}>{_escape_xhtml(value)}</span>" if language else _escape_xhtml(value)
    return f"{_escape_xhtml(label)}: {text}"


def make_field_line(field: Field, translate: Translator) -> str:
    """Return a line for a field with its origin; text that waits for review is left out."""
    if not field.accepted:
        return make_line(field.label, translate(messages.PENDING))
    prose = field.origin.kind == SUGGESTED and field.key in PROSE
    return make_line(
        f"{field.label} ({translate(messages.ORIGIN[field.origin.kind])})", field.value, "en" if prose else ""
    )


def clean_text(text: str) -> str:
    """Return the printable lines that are not empty: FHIR and XML accept them as a string."""
    return "\n".join(filter(None, (normalise_line(part) for part in text.splitlines())))


def _make_uuid(record: Record, kind: str, *more: str) -> str:
    """Return a UUID that follows from the record's id; a Device's UUID follows from model and software instead."""
    of = (record.model, record.model_sha256, record.software) if kind == "Device" else (record.id,)
    return str(uuid.uuid5(_NAMESPACE, "\n".join((kind, *more, *of))))


def _remove_empty(value: Any) -> Any:
    """Return the value with printable text only and without empty elements, which FHIR's JSON forbids."""
    if isinstance(value, dict):
        return {key: filled for key, each in value.items() if (filled := _remove_empty(each)) not in ("", [], {}, None)}
    if isinstance(value, list):
        return [filled for each in value if (filled := _remove_empty(each)) not in ("", [], {}, None)]
    return clean_text(value) if isinstance(value, str) else value


def _language_attributes(language: str) -> str:
    """Return the XHTML attributes that state a language."""
    return f'lang="{language}" xml:lang="{language}"'


def _escape_xhtml(text: str) -> str:
    """Return text as XHTML, with line breaks."""
    return escape(clean_text(text)).replace("\n", "<br/>")
