"""Codes: from public code systems where one surely fits, else from our own.

No public code exists for an emotion inferred from EEG. Ours live under ``.invalid``, a name that nobody can ever own
(RFC 6761), because a code system's URL only has to be unique and stay the same; nothing has to answer there.
LOINC and HL7 codes are those in R4's own value sets; ``AIAST`` came later (HL7 Terminology, v3-ObservationValue).
"""

from typing import Any

Json = dict[str, Any]

BASE = "https://eeg-emotion-copilot.invalid/fhir"

#: Names of a bundle's resources; the person's is a pseudonym.
PARTS = f"{BASE}/part"
#: Sha256 of what a record rests on.
SIGNED_RECORDS, PROMPTS, CLASSIFIERS = f"{BASE}/signed-record", f"{BASE}/prompt", f"{BASE}/decoder"
#: What was measured or inferred, and how good a recording is.
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
#: Whether somebody came to a clinic or sat at home is not in the record.
UNKNOWN_CLASS = {"system": f"{HL7}/v3-NullFlavor", "code": "UNK", "display": "unknown"}

#: Statuses of a draft, of what is signed, and of an amendment that is signed.
OBSERVATION = {"draft": "preliminary", "signed": "final", "amended": "amended"}
REPORT = {"draft": "partial", "signed": "final", "amended": "amended"}
DOCUMENT = {"draft": "preliminary", "signed": "final", "amended": "amended"}


def make_concept(text: str, coding: Json | None = None) -> Json:
    """A CodeableConcept: words for people, and a code where there is one."""
    return {"coding": [coding], "text": text} if coding else {"text": text}


def make_quantity(value: float, unit: str, code: str) -> Json:
    """A Quantity in a UCUM unit."""
    return {"value": value, "unit": unit, "system": UCUM, "code": code}
