"""State what was typed about the person, the model, the prompt, the time it took and where data go."""

from collections.abc import Iterator

from copilot.emotions import is_uniform
from copilot.facts.types import Fact, join_sentences
from copilot.i18n import N_
from copilot.i18n.terms import term
from copilot.llm.base import ModelInfo
from copilot.person import Person
from copilot.prompt import NO_EMOTION
from copilot.result import Result
from copilot.settings import Settings

HASH_CHARACTERS = 12
"""Characters of a SHA-256 that are told."""

READ_BY = {
    "both": N_("The language model {name} gave the probabilities, with those of a classifier in its prompt."),
    "model": N_("The language model {name} alone gave the probabilities."),
    "decoder": N_(
        "A linear classifier computed the probabilities from the EEG; no language model was needed for them."
    ),
    "equal": N_("A linear classifier reads the EEG; here it could tell nothing, and all nine emotions are equal."),
}
ENCODINGS = {
    "patterns": N_("64 words for ten seconds, each for one pattern over electrodes, bands and seconds"),
    "bands": N_("one letter for each of 30 electrodes and five frequency bands"),
    "wavelet": N_("50 letters for each electrode, from a wavelet transform of the first 30 s"),
    "wavelet-segments": N_("500 letters for each electrode, from a wavelet transform of the first 30 s"),
}


def list_program_facts(person: Person, result: Result, model: ModelInfo, settings: Settings) -> Iterator[Fact]:
    """Yield these facts; arguments as in ``copilot.facts.collect_facts``."""
    wrote, scored = not result.raw.startswith(NO_EMOTION), result.readout != "decoder"

    # 1. What was typed
    said = N_("What was typed about the person does not move the probabilities: they come from the EEG alone.")
    yield Fact("words", "no", "", said)
    typed = {}
    if person.gender != "unspecified":
        typed["gender"] = N_("gender ({gender})", gender=term("gender", person.gender))
    if person.age is not None:
        typed["age"] = N_("age ({age})", age=person.age_text)
    if person.appearance:
        typed["appearance"] = N_("words on the appearance")
    if person.complaint:
        typed["complaint"] = N_("words on the complaint")
    if person.history:
        typed["history"] = N_("words on the history")
    said = N_("Nothing was typed about the person.")
    if typed:
        said = N_("This was typed about the person: {parts}.", parts=tuple(typed.values()))
    yield Fact("person", tuple(typed), "", said)

    # 2. The model and what it read
    equal = result.readout == "decoder" and is_uniform(result.probabilities)
    sentences = [N_(READ_BY["equal" if equal else result.readout], name=result.model)]
    if wrote:
        sentences.append(N_("The language model {name} wrote the assessment.", name=result.model))
    else:
        sentences.append(N_("Fixed rules wrote the assessment, because no emotion is named."))
    if (wrote or scored) and not model.trained_for_eeg:
        sentences.append(N_("This language model was not trained for EEG, as far as is known."))
    yield Fact("model", result.model, "", join_sentences(sentences))
    said = N_("The model's file is on another computer, so nothing is known of it.")
    if result.model_sha256:
        digest = result.model_sha256[:HASH_CHARACTERS]
        said = N_("The SHA-256 of the model file {name} begins with {digest}.", name=result.model, digest=digest)
    yield Fact("model.file", result.model_sha256 or None, "", said)
    said = N_(
        "The EEG becomes numbers, the strength of five frequency bands at each electrode in each second, and for the "
        "language model text (codec {codec}): {how}.",
        codec=result.codec,
        how=ENCODINGS[result.codec],
    )
    yield Fact("encoding", result.codec, "", said)
    digest = result.prompt_sha256[:HASH_CHARACTERS]
    said = N_(
        "The SHA-256 of the prompt begins with {digest}; the page and the command eeg-copilot prompt show all of it.",
        digest=digest,
    )
    if not (wrote or scored):
        said = join_sentences((N_("No language model was asked, because no emotion is named."), said))
    yield Fact("prompt", digest, "", said)
    said = N_(
        "The analysis took {total:.1f} s, of which reading and cleaning the recording took {clean:.1f} s.",
        total=result.timings["total_s"],
        clean=result.timings["clean_s"],
    )
    yield Fact("timing", result.timings["total_s"], "s", said)

    # 3. Data, purpose, notes
    sentences = [
        N_(
            "The recording, the form and this chat are in the memory of the computer that runs this program, until the "
            "visit ends; they are not kept."
        )
    ]
    if settings.on_space:
        sentences.append(N_("That computer is a server of Hugging Face, whose operators could see them."))
    if settings.server:
        sentences.append(
            N_("Prompts and questions go to the model server that was set; what it keeps is not known here.")
        )
    elif not settings.on_space:
        sentences.append(N_("Nothing is sent to the internet; only who runs that computer could see them."))
    if settings.store:
        said = N_(
            "A record is kept only if you choose to, and with it the pictures and, if you choose that too, the cleaned "
            "signal: in {folder}, not encrypted, for {days} days after its last change.",
            folder=str(settings.data),
            days=settings.keep_days,
        )
    else:
        said = N_("Records are not kept: download yours if you want to keep it.")
    yield Fact("storage", str(settings.data) if settings.store else None, "", join_sentences((*sentences, said)))
    said = N_(
        "This is a research tool and not a medical device. It is not for diagnosis, treatment, screening, lie "
        "detection, hiring, school, work or any decision about a person."
    )
    yield Fact("purpose", None, "", said)
    notes = [N_(note) for note in result.notes]
    said = join_sentences(notes or [N_("There are no notes on this result.")])
    yield Fact("notes", tuple(result.notes), "", said)
