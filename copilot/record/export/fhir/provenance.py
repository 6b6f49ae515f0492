"""Who made what: the model as Device, and Provenance with the clinicians who wrote and verified."""

from copilot.i18n import N_, Translator, english
from copilot.record.export.fhir import codes
from copilot.record.export.fhir.codes import Json
from copilot.record.export.fhir.entries import entry, reference, written_at
from copilot.record.export.fhir.narrative import Narrative, line
from copilot.record.export.fhir.patient import by_signer, signature_line, signers
from copilot.record.model import WRITTEN, Record

FHIR_DEVICE = N_("AI model that infers emotion from EEG, not a medical device")


def device(record: Record) -> Json:
    """The model and the software that ran it: one Device for all the records they made, hence in English always."""
    say = Translator("en")
    versions = {say(english.ABOUT_MODEL_FILE): record.model_sha256, say(english.ABOUT_SOFTWARE): record.software}
    name = record.model or say(english.NONE)
    told = {say(english.ABOUT_MODEL): name, **versions}
    return entry(
        record,
        "Device",
        Narrative("en", say(FHIR_DEVICE), tuple(line(label, value) for label, value in told.items())),
        status="active",
        deviceName=[{"name": name, "type": "model-name"}],
        type=codes.concept(say(FHIR_DEVICE)),
        version=[{"type": codes.concept(label), "value": value} for label, value in versions.items() if value],
    )


def provenance(record: Record, say: Translator, made: list[Json]) -> Json:
    """Authors of the entries in ``made``: the model, whoever wrote in the record, and once signed its verifier."""
    written = [field for field in record.fields if field.origin.kind == WRITTEN and field.value]
    names = sorted({field.origin.by for field in written} - {""})
    authors = [reference(record, "Device"), *({"display": name} for name in names)]
    agents = [_agent(codes.AUTHOR, who) for who in authors]
    verifiers = [_agent(codes.VERIFIER, by_signer(record))] if record.signature else []
    return entry(
        record,
        "Provenance",
        Narrative(record.language, say(N_("Who made this record")), _lines(record, say, names)),
        contained=signers(record),
        target=[{"reference": each["fullUrl"], "type": each["resource"]["resourceType"]} for each in made],
        occurredDateTime=record.created,
        recorded=written_at(record),
        agent=agents + verifiers,
        entity=[
            _entity("source", codes.PROMPTS, record.prompt_sha256),
            _entity("source", codes.DECODERS, record.decoder_sha256),
            _entity("revision", codes.SIGNED_RECORDS, record.amends),
        ],
    )


def _agent(role: Json, who: Json) -> Json:
    return {"type": codes.concept(role["display"], role), "who": who}


def _entity(role: str, system: str, sha256: str) -> Json:
    return {"role": role, "what": {"identifier": {"system": system, "value": sha256}}} if sha256 else {}


def _lines(record: Record, say: Translator, names: list[str]) -> tuple[str, ...]:
    signed = record.signature.sha256 if record.signature else ""
    return (
        line(say(N_("AI model, author")), record.model),
        line(say(N_("Clinicians who wrote in it")), ", ".join(names)),
        signature_line(record, say),
        line(say(english.SIGNATURE_DIGEST), signed),
        line(say(english.ABOUT_AMENDS), record.amends),
        line(say(english.ABOUT_PROMPT), record.prompt_sha256),
        line(say(english.ABOUT_DECODER), record.decoder_sha256),
    )
