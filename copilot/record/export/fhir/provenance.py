"""Make the Device (the model) and the Provenance, which names the clinicians who wrote and verified."""

from copilot.i18n import N_, Translator, messages
from copilot.record.export.fhir.elements import (
    AUTHOR,
    CLASSIFIERS,
    PROMPTS,
    SIGNED_RECORDS,
    VERIFIER,
    Json,
    make_concept,
    make_entry,
    make_line,
    make_reference,
)
from copilot.record.export.fhir.patient import make_signature_line, make_signers, reference_signer
from copilot.record.model import WRITTEN, Record

FHIR_DEVICE = N_("AI model that infers emotion from EEG, not a medical device")


def make_device(record: Record) -> Json:
    """Return a Device: the model and its software; it is always in English, because many records share it."""
    translate = Translator("en")
    name = record.model or translate(messages.NONE)
    versions = {
        translate(messages.ABOUT_MODEL_FILE): record.model_sha256,
        translate(messages.ABOUT_SOFTWARE): record.software,
    }
    values = {translate(messages.ABOUT_MODEL): name, **versions}
    return make_entry(
        record,
        "Device",
        translate(FHIR_DEVICE),
        [make_line(label, value) for label, value in values.items()],
        language="en",
        status="active",
        deviceName=[{"name": name, "type": "model-name"}],
        type=make_concept(translate(FHIR_DEVICE)),
        version=[{"type": make_concept(label), "value": value} for label, value in versions.items() if value],
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
    agents = [(AUTHOR, make_reference(record, "Device")), *((AUTHOR, {"display": name}) for name in names)]
    if record.signature:
        agents.append((VERIFIER, reference_signer(record)))
    digests = (
        ("source", PROMPTS, record.prompt_sha256),
        ("source", CLASSIFIERS, record.decoder_sha256),
        ("revision", SIGNED_RECORDS, record.amends),
    )
    lines = (
        make_line(translate(N_("AI model, author")), record.model),
        make_line(translate(N_("Clinicians who wrote in it")), ", ".join(names)),
        make_signature_line(record, translate),
        make_line(translate(messages.SIGNATURE_DIGEST), record.signature.sha256 if record.signature else ""),
        make_line(translate(messages.ABOUT_AMENDS), record.amends),
        make_line(translate(messages.ABOUT_PROMPT), record.prompt_sha256),
        make_line(translate(messages.ABOUT_DECODER), record.decoder_sha256),
    )
    return make_entry(
        record,
        "Provenance",
        translate(N_("Who made this record")),
        lines,
        contained=make_signers(record),
        target=[{"reference": each["fullUrl"], "type": each["resource"]["resourceType"]} for each in made],
        occurredDateTime=record.created,
        recorded=record.changed,
        agent=[{"type": make_concept(role["display"], role), "who": who} for role, who in agents],
        entity=[
            {"role": role, "what": {"identifier": {"system": system, "value": sha256}}}
            for role, system, sha256 in digests
            if sha256
        ],
    )
