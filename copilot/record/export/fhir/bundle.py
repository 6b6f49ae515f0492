"""A record as a FHIR R4 transaction bundle (HL7 FHIR 4.0.1, https://hl7.org/fhir/R4), to be posted to a server's root.

Patient (a pseudonym), Encounter, Device (the model), Observations, DiagnosticReport, DocumentReference (the PDF),
CarePlan (a proposal) and Provenance; never a Condition, because nothing here diagnoses.
``copilot.record.export.fhir`` makes each.

**Twice is once.** Every entry is a conditional update: ``PUT Observation?identifier=SYSTEM|NAME`` creates the resource,
or updates the one that an earlier import made, so that a signed version takes the place of its draft. Provenance has
no identifier in R4 and goes by ``_tag``, by which every resource can be found. References between entries go by
``urn:uuid`` and become the server's own ids. Medplum's own router does all of it (a test imports with it), in a project
without the feature ``transaction-bundles``: with it, a transaction of conditional updates has eight entries at most.
HAPI FHIR finds by ``identifier`` and ``_tag``.

**What a model asserted** carries the security label ``AIAST`` and is ``preliminary`` or ``partial`` until the record
is signed. Text of the model that no clinician accepted is left out, but for the PDF, which marks it. An amendment that
is not signed yet is refused, because a server would show a draft in place of the signed version. Import the newest
version last: a server goes by the order in which it is given them. When the
EEG was taken is not in a record: nothing has an ``effective`` time, and ``issued`` is when the record got this form.
"""

import json

from copilot.i18n import N_, Translator
from copilot.record.export.fhir.care_plan import make_care_plan
from copilot.record.export.fhir.diagnostic_report import make_diagnostic_report
from copilot.record.export.fhir.document_reference import make_document_reference
from copilot.record.export.fhir.observation import make_observations
from copilot.record.export.fhir.patient import make_encounter, make_patient
from copilot.record.export.fhir.provenance import make_device, make_provenance
from copilot.record.figures import Figures
from copilot.record.model import Record, RecordError, without_identity

FHIR_SIGN_FIRST = N_(
    "Sign this amendment first: a server would show its draft in place of the signed version that it already has."
)


def to_fhir(record: Record, figures: Figures | None = None) -> bytes:
    """The record as a FHIR R4 transaction bundle, JSON in UTF-8; the same record gives the same bytes.

    Args:
        record: any version of a record; its name and number stay out.
        pictures: for the PDF inside, which leaves them out where it would be longer than servers take.

    Raises:
        RecordError: a field is missing that every draft has, or it is an amendment that is not signed yet.
    """
    if record.version > 1 and not record.signature:
        raise RecordError(N_(FHIR_SIGN_FIRST))
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
