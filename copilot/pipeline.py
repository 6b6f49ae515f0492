"""The analysis pipeline: EEG files and a person in, events out, the draft record last.

``analyse`` calls three steps: ``encode`` (EEG to text and the classifier's evidence), ``predict`` (prompts to
probabilities) and ``write`` (probabilities to prose). Evaluation and training call the same ones, so that what is
measured is what runs. Web app, command line, batch and benchmarks consume the events of ``analyse``; closing the
generator stops the work.
"""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from copilot import emotions, model_metadata, prompt
from copilot.assessment import write_without_emotion
from copilot.deidentify import remove_identity
from copilot.eeg import sandbox, text_encoding
from copilot.eeg.classifier import Classifier
from copilot.eeg.emotion_classifier import EmotionClassifier
from copilot.eeg.features import Array, Normal, differential_entropy, electrode_channels, person_normal
from copilot.eeg.preprocessing.quality import is_same_signal
from copilot.eeg.recording_files import find_recording_files
from copilot.eeg.sandbox import Prepared
from copilot.eeg.states import StateModels, find_states
from copilot.eeg.types import MIN_CHANNELS, Recording, RecordingError
from copilot.events import Event, PromptReady, RecordReady, ResultReady, SignalReady, StageBegun, StageProgress
from copilot.evidence import Evidence
from copilot.facts import collect_facts
from copilot.facts.emotion import find_reason
from copilot.i18n import N_, Translator
from copilot.i18n.messages import NOT_CALIBRATED
from copilot.i18n.terms import term
from copilot.llm.base import CutOff, Engine, Message, ModelInfo, PromptProgress, Scores, Token
from copilot.person import PatientIdentity, Person
from copilot.record.draft import draft
from copilot.result import Result, grade_result, is_asleep, parse_answer
from copilot.settings import Settings, SettingsError

TOO_FEW_KNOWN = N_(
    "Only {count} of the electrodes that the models know are in this recording; at least {least} of the 10-20 system "
    "are needed."
)
NOTE_LABELS_ALIKE = N_(
    "The model server tells these apart by their first letters only, so they share one probability: {labels}."
)
WORDS_LEFT_OUT = N_(
    "This language model reads English only: what was written in other letters stands in the record, but not in its "
    "prompt."
)


#: Stages in their order, with the text that a user sees.
STAGES = {
    "read": N_("Reading the file"),
    "clean": N_("Cleaning the signal"),
    "encode": N_("Turning EEG into text"),
    "score": N_("Weighing nine emotions"),
    "write": N_("Writing the assessment"),
}

#: Seconds each stage takes on two cores for three minutes of 19 channels, measured with the bundled model.
ESTIMATES = {"read": 1.0, "clean": 3.0, "encode": 0.2, "score": 0.5, "write": 3.0}

MAX_ANSWER_TOKENS = 320


T = TypeVar("T")


@dataclass(frozen=True)
class EncodedEeg:
    """A recording in the form that the model reads.

    Attributes:
        texts: the EEG as text, one for each segment that is read by itself.
        codec: name of the text encoding.
        compared_with: ``person`` or ``population``, what the EEG was normalised to.
        evidence: the classifier's nine probabilities, shape (9,); None if it was not asked.
        situation: what they are calibrated for, one of ``settings.PROTOCOLS``.
        named: whether they single out an emotion.
        states: words from ``prompt.list_states``.
    """

    texts: tuple[str, ...]
    codec: str
    compared_with: str
    evidence: emotions.Probabilities | None
    situation: str = "faced-films"
    named: bool = True
    states: tuple[str, ...] = ()

    def build_prompts(
        self, person: Person, *, with_evidence: bool = True, explain_poor: bool = False
    ) -> list[list[Message]]:
        """Return the messages, one conversation for each text.

        Args:
            person: as the model may read them.
            with_evidence: whether the prompt contains the classifier's evidence.
            explain_poor: whether to explain what a poor signal means.
        """
        return [
            prompt.build_messages(
                person,
                text,
                codec=self.codec,
                compared_with=self.compared_with,
                evidence=self.evidence if with_evidence else None,
                situation=self.situation,
                named=self.named,
                states=self.states,
                segment=(number, len(self.texts)),
                explain_poor=explain_poor,
            )
            for number, text in enumerate(self.texts, start=1)
        ]


@dataclass(frozen=True)
class Prediction:
    """Nine calibrated probabilities, shape (9,), and the labels that this model's tokenizer cannot distinguish."""

    probabilities: emotions.Probabilities
    alike: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What the model wrote, including its given beginning; whether it was cut off; seconds until its first token."""

    text: str
    cut_off: bool
    first_token_s: float


def analyse(
    files: Sequence[Path],
    person: Person,
    *,
    engine: Engine,
    settings: Settings,
    classifier: Classifier,
    baselines: Sequence[Path] = (),
    codec: str | None = None,
    sfreq: float | None = None,
    channels: Sequence[str] | None = None,
    trial: int | None = None,
    patient: PatientIdentity | None = None,
    language: str = "en",
) -> Iterator[Event]:
    """Analyse one recording.

    Args:
        files: the files of one recording.
        person: what the form asked.
        engine: the language model.
        settings: limits and read-out.
        classifier: gives the evidence, and the population's normal if there is no baseline of the person.
        baselines: other recordings of the same person, the main file of each.
        codec: name of the text encoding; by default the one that the model file names, else ``patterns``.
        sfreq: sampling rate in Hz, for arrays that do not state it.
        channels: names of the channels, likewise.
        trial: which trial of an array is the recording, counted from 1; a baseline is a file with one recording.
        patient: name, number and similar, for the record alone.
        language: of the record's labels and of the sentences in it.

    Raises:
        CopilotError: of its kinds RecordingError, PersonError, EngineError, SettingsError.
    """
    started = time.perf_counter()
    model, patient = engine.info, patient or PatientIdentity()
    codec = _choose_codec(codec, model.metadata)

    # 1. Read and clean the recording and its baselines, each in a child process under limits.
    prepared, others = yield from _prepare_recordings(files, baselines, settings, sfreq, channels, trial)
    quality = prepared.quality

    # 2. The EEG as text, the classifier's evidence, and the prompts.
    yield StageBegun("encode", ESTIMATES["encode"])
    model_person, notes = _prepare_person(person, patient, model.metadata)
    entropies = _compute_entropies(prepared, others)
    states = find_states(prepared.cleaned, quality.trust, entropies, StateModels.load())
    films, alone = settings.protocol == "faced-films", settings.readout == "model"
    emotion_classifier = EmotionClassifier.load()
    informative = films or (not alone and emotion_classifier.is_better_than_guessing(len(others)))
    encoded = _encode_recording(prepared, others, entropies, states, classifier, emotion_classifier, codec, settings)
    explain_poor = quality.trust == "poor" and not model.trained_for_eeg
    prompts = encoded.build_prompts(model_person, with_evidence=not alone, explain_poor=explain_poor)
    yield PromptReady(prompts[-1], codec, encoded.texts[-1])
    warnings = tuple(model_metadata.find_differences(model.metadata, classifier.sha256))
    notes += [
        N_("{channel} was read in place of {name}.", channel=channel, name=name)
        for name, channel in electrode_channels(prepared.cleaned.channels).items()
        if channel != name
    ]
    notes += [*_note_model_limits(model, codec, settings.readout), *warnings]
    if is_asleep(states):
        notes.append(N_("The person slept or was drowsy for most of this recording, which says nothing about emotion."))
    if not others:
        notes.append(
            N_("No other recording of this person was given; with one the reading is more accurate.")
            if films
            else N_("No other recording of this person was given; without one, this EEG tells nothing about emotion.")
        )

    # 3. Nine probabilities: shown at once, before any prose.
    yield StageBegun("score", ESTIMATES["score"] * len(prompts))
    readout = settings.readout if films or alone else "decoder"
    if readout == "decoder" and encoded.evidence is not None:
        prediction = Prediction(encoded.evidence)
    else:
        # What is known of the person is no evidence: it must not move the numbers.
        of_nobody = encoded.build_prompts(Person(), with_evidence=not alone, explain_poor=explain_poor)
        prediction = yield from predict(engine, of_nobody)
    if prediction.alike:
        notes.append(N_(NOTE_LABELS_ALIKE, labels=tuple(term("emotion", label) for label in prediction.alike)))
    fed_as_trained = codec == model.metadata.get("codec") and not warnings
    result = Result(
        probabilities=prediction.probabilities,
        readout=readout,
        assessment="",
        suggestions=(),
        raw="",
        timings={"clean_s": prepared.read_s + prepared.clean_s},
        model=model.name,
        model_sha256=model.sha256,
        prompt_sha256=prompt.hash_messages([message for messages in prompts for message in messages]),
        codec=codec,
        notes=tuple(dict.fromkeys(notes)),
        calibrated=readout == "decoder" or (films and "temperature" in model.metadata and fed_as_trained),
        decoder_sha256=classifier.sha256 if films or alone else emotion_classifier.sha256,
        trust=quality.trust,
        states=states,
        situation=settings.protocol,
        informative=informative,
        reliability="" if films else NOT_CALIBRATED if alone else emotion_classifier.describe_reliability(len(others)),
    )
    yield ResultReady(result, complete=False)

    # 4. The prose after the label, then everything as a draft record.
    yield StageBegun("write", ESTIMATES["write"])
    begun = time.perf_counter() - started
    if films or result.confidence != "unclear":
        trust = "poor" if result.asleep else quality.trust
        answer = yield from write(engine, prompts[-1], result.probabilities, trust)
        assessment, suggestions = parse_answer(answer.text)
    else:
        reason = find_reason(result, entropies, emotion_classifier)
        assessment, suggestions = write_without_emotion(result, reason, Translator(language))
        answer = Answer("\n".join([prompt.NO_EMOTION, assessment, *suggestions]), cut_off=False, first_token_s=0.0)
    result = replace(
        result,
        assessment=assessment,
        suggestions=suggestions,
        raw=answer.text,
        timings={
            **result.timings,
            "first_token_s": begun + answer.first_token_s,
            "total_s": time.perf_counter() - started,
        },
        notes=(*result.notes, N_("The answer was longer than is allowed or was broken off, and is cut off at its end."))
        if answer.cut_off
        else result.notes,
    )
    yield ResultReady(result, complete=True)
    now = datetime.now(UTC)
    facts = collect_facts(
        person,
        prepared.cleaned,
        quality,
        result,
        entropies=entropies,
        population=classifier.population,
        emotion_classifier=emotion_classifier,
        model=model,
        settings=settings,
    )
    record = draft(person, prepared.cleaned, quality, result, now=now, patient=patient, language=language)
    yield RecordReady(record, facts)


def prepare_prompt(
    files: Sequence[Path],
    person: Person,
    *,
    settings: Settings,
    metadata: Mapping[str, str],
    classifier: Classifier,
    baselines: Sequence[Path] = (),
    codec: str | None = None,
    sfreq: float | None = None,
    channels: Sequence[str] | None = None,
    trial: int | None = None,
) -> Iterator[Event]:
    """Prepare the prompt as ``analyse`` does, for a model that runs elsewhere: the last event is ``PromptReady``.

    Args:
        metadata: of the model file, without the prefix; the others are as in ``analyse``.
    """
    codec = _choose_codec(codec, metadata)
    prepared, others = yield from _prepare_recordings(files, baselines, settings, sfreq, channels, trial)
    yield StageBegun("encode", ESTIMATES["encode"])
    model_person, _ = _prepare_person(person, PatientIdentity(), metadata)
    entropies = _compute_entropies(prepared, others)
    trust = prepared.quality.trust
    encoded = _encode_recording(
        prepared,
        others,
        entropies,
        find_states(prepared.cleaned, trust, entropies, StateModels.load()),
        classifier,
        EmotionClassifier.load(),
        codec,
        settings,
    )
    prompts = encoded.build_prompts(
        model_person,
        with_evidence=settings.readout != "model",
        explain_poor=trust == "poor" and "codec" not in metadata,
    )
    yield PromptReady(prompts[-1], codec, encoded.texts[-1])


def encode(
    entropy: Array,
    normal: Normal,
    classifier: Classifier,
    codec: str,
    *,
    recording: Recording | None = None,
    baselines: Sequence[Recording] = (),
    states: tuple[str, ...] = (),
    evidence: bool = True,
) -> EncodedEeg:
    """Turn features into the text and the evidence that the model reads.

    Args:
        entropy: differential entropy, shape (30, seconds, 5), NaN where absent or not usable.
        normal: what to compare with: the person's own normal or the population's.
        classifier: contains the principal patterns and gives the evidence.
        codec: name of the text encoding.
        recording: the cleaned signal, which the wavelet encodings read.
        baselines: cleaned recordings of the same person, likewise.
        states: words from ``prompt.list_states``.
        evidence: whether to ask the classifier.
    """
    signal = text_encoding.Signal(recording, entropy, normal, classifier.measure_patterns(entropy, normal), baselines)
    return EncodedEeg(
        text_encoding.CODECS[codec](signal),
        codec,
        normal.source,
        classifier.predict(entropy, normal) if evidence else None,
        states=states,
    )


def predict(engine: Engine, prompts: Sequence[list[Message]]) -> Generator[Event, None, Prediction]:
    """Score the nine labels after each prompt; return the mean of the calibrated probabilities.

    Args:
        engine: the language model; the temperature in its file calibrates it.
        prompts: conversations that end with the user's message.
    """
    per_prompt: list[emotions.Probabilities] = []
    alike: tuple[str, ...] = ()
    for number, messages in enumerate(prompts):
        for event in engine.score(messages, prompt.LABEL_PREFIX, prompt.LABELS):
            if isinstance(event, Scores):
                alike = tuple(emotions.EMOTIONS[place] for place in event.alike)
                per_prompt.append(model_metadata.calibrate_scores(event, engine.info.metadata))
                continue
            yield event
            if isinstance(event, PromptProgress):
                yield StageProgress("score", (number + event.done / max(1, event.total)) / len(prompts))
    return Prediction(np.mean(per_prompt, axis=0), alike)


def write(
    engine: Engine, messages: list[Message], probabilities: emotions.Probabilities, trust: str = "good"
) -> Generator[Event, None, Answer]:
    """Stream the prose after the most probable label; return the whole answer.

    Args:
        engine: the language model.
        messages: the prompt.
        probabilities: nine, shape (9,); the answer begins with the first emotion, so that it cannot name another.
        trust: the recording's quality, ``good``, ``fair`` or ``poor``.
    """
    started, first_token_s = time.perf_counter(), None
    text, cut_off = prompt.begin_answer(probabilities, trust), False
    for event in engine.generate(messages, text, max_tokens=MAX_ANSWER_TOKENS):
        if isinstance(event, CutOff):
            cut_off = True
            continue
        if isinstance(event, Token):
            first_token_s = first_token_s or time.perf_counter() - started
            text += event.text
        yield event
    return Answer(text, cut_off, first_token_s or time.perf_counter() - started)


def run_to_end(step: Generator[Any, None, T]) -> T:
    """Run ``predict`` or ``write`` to its end, ignore its events, and return its result."""
    while True:
        try:
            next(step)
        except StopIteration as stop:
            value: T = stop.value
            return value


def _choose_codec(asked_for: str | None, metadata: Mapping[str, str]) -> str:
    """Return the text encoding asked for, else the model's own, else the default."""
    name = asked_for or metadata.get("codec", text_encoding.DEFAULT)
    if name not in text_encoding.CODECS:
        raise SettingsError(
            N_("There is no codec {name!r}; choose one of: {choices}.", name=name, choices=tuple(text_encoding.CODECS))
        )
    return name


def _prepare_recordings(
    files: Sequence[Path],
    baselines: Sequence[Path],
    settings: Settings,
    sfreq: float | None,
    channels: Sequence[str] | None,
    trial: int | None,
) -> Generator[Event, None, tuple[Prepared, list[Prepared]]]:
    """Read and clean the recording, then its baselines.

    A baseline with the same signal as the recording or another baseline is refused: it would count twice.

    Args:
        files: the files of the recording.
        baselines: the main file of each baseline.
        settings: limits of size and length.
        sfreq: sampling rate in Hz, for arrays that do not state it.
        channels: names of the channels, likewise.
        trial: which trial of an array is the recording, counted from 1.
    """
    limits: dict[str, Any] = {"sfreq": sfreq, "channels": channels}
    limits |= {"max_mb": settings.max_upload_mb, "max_minutes": settings.max_minutes}
    begun, found = "", []
    for event in sandbox.prepare(files, trial=trial, **limits):
        if isinstance(event, Prepared):
            found.append(event)
            yield SignalReady(event.raw, event.cleaned, event.quality)
            continue
        if event.stage != begun:
            begun = event.stage
            yield StageBegun(begun, ESTIMATES[begun])
        yield StageProgress(event.stage, event.fraction, event.detail)
    for number, baseline in enumerate(baselines, start=1):
        which = {"number": number, "total": len(baselines)}
        try:
            for event in sandbox.prepare(find_recording_files(baseline), **limits):
                if not isinstance(event, Prepared):
                    yield StageProgress("clean", event.fraction, N_("baseline {number} of {total}", **which))
                    continue
                if is_same_signal(event.raw, found[0].raw):
                    raise RecordingError(
                        N_("it is the recording itself; give another recording of the same person, or none.")
                    )
                if any(is_same_signal(event.raw, other.raw) for other in found[1:]):
                    raise RecordingError(N_("it is the same recording as another baseline; give each only once."))
                found.append(event)
        except RecordingError as error:
            raise RecordingError(
                N_("Baseline {number} of {total} cannot be used: {reason}", **which, reason=error.args[0])
            ) from error
    return found[0], found[1:]


def _compute_entropies(prepared: Prepared, baselines: Sequence[Prepared]) -> list[Array]:
    """Compute the differential entropy of a recording, then of its baselines."""
    if len(found := electrode_channels(prepared.cleaned.channels)) < MIN_CHANNELS:
        raise RecordingError(N_(TOO_FEW_KNOWN, count=len(found), least=MIN_CHANNELS))
    return [differential_entropy(one.cleaned, one.quality.clean) for one in (prepared, *baselines)]


def _encode_recording(
    prepared: Prepared,
    baselines: Sequence[Prepared],
    entropies: Sequence[Array],
    states: Sequence[Evidence],
    classifier: Classifier,
    emotion_classifier: EmotionClassifier,
    codec: str,
    settings: Settings,
) -> EncodedEeg:
    """Encode a recording, compared with the person's own normal over all recordings, with the evidence about it.

    Without baselines it is compared with the population's normal.

    Args:
        prepared: the recording.
        baselines: other recordings of the person.
        entropies: of all of them, from ``_compute_entropies``.
        states: what was found about the person's state.
        classifier: the classifier of film clips.
        emotion_classifier: the classifier of recordings of any kind.
        codec: name of the text encoding.
        settings: the situation and the read-out.
    """
    entropy, *others = entropies
    films, trust = settings.protocol == "faced-films", prepared.quality.trust
    encoded = encode(
        entropy,
        person_normal([entropy, *others]) if others else classifier.population,  # this recording too, as in training
        classifier,
        codec,
        recording=prepared.cleaned,
        baselines=[one.cleaned for one in baselines],
        states=prompt.list_states(states, trust),
        evidence=films and settings.readout != "model",
    )
    encoded = replace(encoded, situation=settings.protocol)
    if films:
        return encoded
    evidence = emotion_classifier.predict(entropy, others)
    informative = emotion_classifier.is_better_than_guessing(len(others))
    confidence = grade_result(evidence, settings.protocol, trust, states, informative=informative)
    return replace(encoded, evidence=evidence, named=confidence != "unclear")


def _prepare_person(person: Person, patient: PatientIdentity, metadata: Mapping[str, str]) -> tuple[Person, list[str]]:
    """Return the person as the model may and can read them, with a note if words had to be left out.

    Names, numbers and birth dates never reach a prompt; the record keeps the person's words. A model trained here was
    trained on Latin letters only, and fails on others.
    """
    unidentified = person.map_texts(lambda text: remove_identity(text, name=patient.name, number=patient.number))
    if "codec" not in metadata:
        return unidentified, []
    legible = unidentified.map_texts(lambda text: "" if _is_mostly_non_latin(text) else text)
    return legible, [WORDS_LEFT_OUT] if legible != unidentified else []


def _is_mostly_non_latin(text: str) -> bool:
    """Return whether most letters are beyond Latin Extended-B."""
    letters = [character for character in text if character.isalpha()]
    return 2 * sum(character > "\u024f" for character in letters) > len(letters)


def _note_model_limits(model: ModelInfo, codec: str, readout: str) -> Iterator[str]:
    """Yield what a reader must know about this model and its prompts."""
    if not model.trained_for_eeg:
        known = (
            N_("was not trained for EEG")
            if model.sha256
            else N_("runs on a server, and may not have been trained for EEG")
        )
        rest = (
            N_("without the decoder's evidence its reading is a guess")
            if readout == "model"
            else N_("what it says rests on the decoder's evidence")
        )
        yield N_("This language model {known}; {rest}.", known=known, rest=rest)
    elif codec != model.metadata["codec"]:
        yield N_(
            "This model was trained on the codec {trained}, not on {used}.", trained=model.metadata["codec"], used=codec
        )
