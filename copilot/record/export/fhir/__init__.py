"""Convert records to FHIR R4 transaction bundles (HL7 FHIR 4.0.1, https://hl7.org/fhir/R4) for a server's root.

Patient (a pseudonym), Encounter, Device (the model), Observations, DiagnosticReport, DocumentReference (the PDF),
CarePlan (a proposal) and Provenance; never a Condition, because this program makes no diagnosis.

**Importing twice is idempotent.** Every entry is a conditional update: ``PUT Observation?identifier=SYSTEM|NAME``
creates the resource or updates the one of an earlier import, so that a signed version replaces its draft. Provenance
has no identifier in R4 and is found by ``_tag``, by which every resource can be found. References between entries use
``urn:uuid`` and become the server's own ids. Medplum's own router supports all of this (a test imports with it), in a
project without the feature ``transaction-bundles``: with it, a transaction of conditional updates has at most eight
entries. HAPI FHIR searches by ``identifier`` and ``_tag``.

**Assertions of a model** have the security label ``AIAST`` and are ``preliminary`` or ``partial`` until the record is
signed. Text of the model that no clinician accepted is left out, except in the PDF, which marks it. An amendment that
is not signed yet is refused, because a server would show a draft in place of the signed version. Import the newest
version last: the last import determines what a server shows. A record does not contain the time of the EEG: no resource
has an ``effective`` time, and ``issued`` is the time of the record's last change.
"""

import json

from copilot.i18n import N_, Translator
from copilot.record.export.fhir.observation import make_observations
from copilot.record.export.fhir.patient import make_encounter, make_patient
from copilot.record.export.fhir.provenance import make_device, make_provenance
from copilot.record.export.fhir.reports import make_care_plan, make_diagnostic_report, make_document_reference
from copilot.record.model import Figures, Record, RecordError, without_identity

FHIR_SIGN_FIRST = N_(
    "Sign this amendment first: a server would show its draft in place of the signed version that it already has."
)


def to_fhir(record: Record, figures: Figures | None = None) -> bytes:
    """Return the record as a FHIR R4 transaction bundle, JSON in UTF-8; the same record gives the same bytes.

    Args:
        record: any version of a record; its name and number are left out.
        figures: figures for the PDF, which omits them if it would be longer than servers accept.

    Raises:
        RecordError: a field is missing that every draft has, or the record is an amendment that is not signed yet.
    """
    if record.version > 1 and not record.signature:
        raise RecordError(FHIR_SIGN_FIRST)
    record, translate = without_identity(record), Translator(record.language)
    context = [make_patient(record, translate), make_encounter(record, translate), make_device(record)]
    made = [
        *make_observations(record, translate),
        make_diagnostic_report(record, translate),
        make_document_reference(record, translate, figures),
        make_care_plan(record, translate),
    ]
    bundle = {
        "resourceType": "Bundle",
        "language": record.language,
        "type": "transaction",
        "entry": [*context, *made, make_provenance(record, translate, made)],
    }
    return json.dumps(bundle, ensure_ascii=False, indent=1).encode()
