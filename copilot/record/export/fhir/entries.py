"""Make entries of the bundle: each has a constant name, a request that updates in place, and a narrative.

A server finds the resources of an earlier import by an identifier that follows from the record's id alone (RFC 9562,
UUID version 5). It differs from the entry's own ``urn:uuid`` on purpose: some servers replace every occurrence of that
one with their own id.
"""

import uuid
from typing import Any

from copilot.record.export.fhir.codes import ASSERTED_BY_AI, BASE, PARTS, Json
from copilot.record.export.fhir.narrative import Narrative, clean_text
from copilot.record.model import Record

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, BASE)


def make_entry(
    record: Record, kind: str, narrative: Narrative, *, key: str = "", by_ai: bool = False, **elements: Any
) -> Json:
    """Return one entry of the bundle: a resource and the request that creates or updates it.

    Args:
        record: the record, from which names and references follow.
        kind: type of the resource.
        narrative: text of the resource for people.
        key: distinguishes several resources of one type.
        by_ai: whether a model asserted its content.
        elements: elements of this type of resource; empty ones are left out.
    """
    name = make_name(record, kind, key)
    named, search = {"identifier": [{"system": PARTS, "value": name}]}, "identifier"
    meta: Json = {"security": [ASSERTED_BY_AI] if by_ai else []}
    if kind == "Provenance":
        named, search = {}, "_tag"
        meta["tag"] = [{"system": PARTS, "code": name}]
    resource = {"meta": meta, "language": narrative.language, "text": narrative.to_element(), **named, **elements}
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


def get_stage(record: Record) -> str:
    """Return ``draft``, ``signed`` or ``amended``: a key of the statuses in ``codes``."""
    if not record.signature:
        return "draft"
    return "amended" if record.version > 1 else "signed"


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
