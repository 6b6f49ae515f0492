"""Define codes: from public code systems if one certainly fits, else from our own.

No public code exists for an emotion inferred from EEG. Our code systems have URLs under ``.invalid``, a domain that
can never be registered (RFC 6761): a code system's URL only has to be unique and constant; no server has to exist.
LOINC and HL7 codes are those in R4's own value sets; ``AIAST`` came later (HL7 Terminology, v3-ObservationValue).
"""

from typing import Any

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

#: Statuses of a draft, of a signed record, and of a signed amendment.
OBSERVATION = {"draft": "preliminary", "signed": "final", "amended": "amended"}
REPORT = {"draft": "partial", "signed": "final", "amended": "amended"}
DOCUMENT = {"draft": "preliminary", "signed": "final", "amended": "amended"}


def make_concept(text: str, coding: Json | None = None) -> Json:
    """Return a CodeableConcept: text for people, and a code if there is one."""
    return {"coding": [coding], "text": text} if coding else {"text": text}


def make_quantity(value: float, unit: str, code: str) -> Json:
    """Return a Quantity in a UCUM unit.

    Args:
        value: the number.
        unit: unit as people read it.
        code: unit as UCUM codes it.
    """
    return {"value": value, "unit": unit, "system": UCUM, "code": code}
