"""What every entry of the bundle has: a name that stays the same, a request that updates in place, a narrative.

A server finds what an earlier import made by an identifier that follows from the record's id alone (RFC 9562, UUID
version 5). It differs from the entry's own ``urn:uuid`` on purpose: some servers replace that one by their own id
wherever they see it.
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
    """One entry of the bundle: a resource and the request that creates or updates it.

    Args:
        record: what it is made from.
        kind: type of the resource.
        narrative: what a person reads of it.
        key: tells apart several of one kind.
        by_ai: whether a model asserted what it says.
        elements: the resource's own; those that are empty are left out.
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
    """The name by which a server finds it again; a Patient's is the person's pseudonym."""
    return f"{_make_uuid(record, kind)}.{key or kind.lower()}"


def make_reference(record: Record, kind: str, key: str = "") -> Json:
    """A reference to another entry of the bundle; the server puts its own id there."""
    return {"reference": f"urn:uuid:{_make_uuid(record, kind, 'entry', key)}", "type": kind}


def get_stage(record: Record) -> str:
    """``draft``, ``signed`` or ``amended``: a key of the statuses in ``codes``."""
    if not record.signature:
        return "draft"
    return "amended" if record.version > 1 else "signed"


def written_at(record: Record) -> str:
    """When the record got its present form, as FHIR's ``instant``: its last change, or when it was drafted."""
    return record.changed


def _make_uuid(record: Record, kind: str, *more: str) -> str:
    """Random as the record's id, and the same whenever it is asked for; a model's does not depend on the record."""
    of = (record.model, record.model_sha256, record.software) if kind == "Device" else (record.id,)
    return str(uuid.uuid5(_NAMESPACE, "\n".join((kind, *more, *of))))


def _remove_empty(value: Any) -> Any:
    """Without what is empty, which FHIR's JSON forbids, and with printable text only."""
    if isinstance(value, dict):
        return {key: filled for key, each in value.items() if (filled := _remove_empty(each)) not in ("", [], {}, None)}
    if isinstance(value, list):
        return [filled for each in value if (filled := _remove_empty(each)) not in ("", [], {}, None)]
    return clean_text(value) if isinstance(value, str) else value
