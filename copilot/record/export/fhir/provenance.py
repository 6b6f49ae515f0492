"""Who made what: the model as Device, and Provenance with the clinicians who wrote and verified."""

from copilot.i18n import N_, Translator, english
from copilot.record.export.fhir import codes
from copilot.record.export.fhir.codes import Json
from copilot.record.export.fhir.entries import make_entry, make_reference, written_at
from copilot.record.export.fhir.narrative import Narrative, make_line
from copilot.record.export.fhir.patient import make_signature_line, make_signers, reference_signer
from copilot.record.model import WRITTEN, Record

FHIR_DEVICE = N_("AI model that infers emotion from EEG, not a medical device")


def make_device(record: Record) -> Json:
    """The model and the software that ran it: one Device for all the records they made, hence in English always."""
    translate = Translator("en")
    versions = {
        translate(english.ABOUT_MODEL_FILE): record.model_sha256,
        translate(english.ABOUT_SOFTWARE): record.software,
    }
    name = record.model or translate(english.NONE)
    told = {translate(english.ABOUT_MODEL): name, **versions}
    return make_entry(
        record,
        "Device",
        Narrative("en", translate(FHIR_DEVICE), tuple(make_line(label, value) for label, value in told.items())),
        status="active",
        deviceName=[{"name": name, "type": "model-name"}],
        type=codes.make_concept(translate(FHIR_DEVICE)),
        version=[{"type": codes.make_concept(label), "value": value} for label, value in versions.items() if value],
    )


def make_provenance(record: Record, translate: Translator, made: list[Json]) -> Json:
    """Authors of the entries in ``made``: the model, whoever wrote in the record, and once signed its verifier."""
    written = [field for field in record.fields if field.origin.kind == WRITTEN and field.value]
    names = sorted({field.origin.by for field in written} - {""})
    authors = [make_reference(record, "Device"), *({"display": name} for name in names)]
    agents = [_make_agent(codes.AUTHOR, who) for who in authors]
    verifiers = [_make_agent(codes.VERIFIER, reference_signer(record))] if record.signature else []
    return make_entry(
        record,
        "Provenance",
        Narrative(record.language, translate(N_("Who made this record")), _make_lines(record, translate, names)),
        contained=make_signers(record),
        target=[{"reference": each["fullUrl"], "type": each["resource"]["resourceType"]} for each in made],
        occurredDateTime=record.created,
        recorded=written_at(record),
        agent=agents + verifiers,
        entity=[
            _make_entity("source", codes.PROMPTS, record.prompt_sha256),
            _make_entity("source", codes.CLASSIFIERS, record.decoder_sha256),
            _make_entity("revision", codes.SIGNED_RECORDS, record.amends),
        ],
    )


def _make_agent(role: Json, who: Json) -> Json:
    return {"type": codes.make_concept(role["display"], role), "who": who}


def _make_entity(role: str, system: str, sha256: str) -> Json:
    return {"role": role, "what": {"identifier": {"system": system, "value": sha256}}} if sha256 else {}


def _make_lines(record: Record, translate: Translator, names: list[str]) -> tuple[str, ...]:
    signed = record.signature.sha256 if record.signature else ""
    return (
        make_line(translate(N_("AI model, author")), record.model),
        make_line(translate(N_("Clinicians who wrote in it")), ", ".join(names)),
        make_signature_line(record, translate),
        make_line(translate(english.SIGNATURE_DIGEST), signed),
        make_line(translate(english.ABOUT_AMENDS), record.amends),
        make_line(translate(english.ABOUT_PROMPT), record.prompt_sha256),
        make_line(translate(english.ABOUT_DECODER), record.decoder_sha256),
    )
