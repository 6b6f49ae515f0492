"""Make the Device (the model) and the Provenance, which names the clinicians who wrote and verified."""

from copilot.i18n import N_, Translator, messages
from copilot.record.export.fhir import codes
from copilot.record.export.fhir.codes import Json
from copilot.record.export.fhir.entries import make_entry, make_reference
from copilot.record.export.fhir.narrative import Narrative, make_line
from copilot.record.export.fhir.patient import make_signature_line, make_signers, reference_signer
from copilot.record.model import WRITTEN, Record

FHIR_DEVICE = N_("AI model that infers emotion from EEG, not a medical device")


def make_device(record: Record) -> Json:
    """Return a Device: the model and its software; it is always in English, because many records share it."""
    translate = Translator("en")
    versions = {
        translate(messages.ABOUT_MODEL_FILE): record.model_sha256,
        translate(messages.ABOUT_SOFTWARE): record.software,
    }
    name = record.model or translate(messages.NONE)
    values = {translate(messages.ABOUT_MODEL): name, **versions}
    return make_entry(
        record,
        "Device",
        Narrative("en", translate(FHIR_DEVICE), tuple(make_line(label, value) for label, value in values.items())),
        status="active",
        deviceName=[{"name": name, "type": "model-name"}],
        type=codes.make_concept(translate(FHIR_DEVICE)),
        version=[{"type": codes.make_concept(label), "value": value} for label, value in versions.items() if value],
    )


def make_provenance(record: Record, translate: Translator, made: list[Json]) -> Json:
    """Return a Provenance: the model and the clinicians who wrote as authors, the signer as verifier.

    Args:
        record: the record.
        translate: translator for the record's language.
        made: entries of which they are the authors.
    """
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
        recorded=record.changed,
        agent=agents + verifiers,
        entity=[
            _make_entity("source", codes.PROMPTS, record.prompt_sha256),
            _make_entity("source", codes.CLASSIFIERS, record.decoder_sha256),
            _make_entity("revision", codes.SIGNED_RECORDS, record.amends),
        ],
    )


def _make_agent(role: Json, who: Json) -> Json:
    """Return an agent of the Provenance."""
    return {"type": codes.make_concept(role["display"], role), "who": who}


def _make_entity(role: str, system: str, sha256: str) -> Json:
    """Return an entity of the Provenance, empty if there is no digest."""
    return {"role": role, "what": {"identifier": {"system": system, "value": sha256}}} if sha256 else {}


def _make_lines(record: Record, translate: Translator, names: list[str]) -> tuple[str, ...]:
    """Return the narrative lines of the Provenance; ``names`` are the clinicians who wrote."""
    signed = record.signature.sha256 if record.signature else ""
    return (
        make_line(translate(N_("AI model, author")), record.model),
        make_line(translate(N_("Clinicians who wrote in it")), ", ".join(names)),
        make_signature_line(record, translate),
        make_line(translate(messages.SIGNATURE_DIGEST), signed),
        make_line(translate(messages.ABOUT_AMENDS), record.amends),
        make_line(translate(messages.ABOUT_PROMPT), record.prompt_sha256),
        make_line(translate(messages.ABOUT_DECODER), record.decoder_sha256),
    )
