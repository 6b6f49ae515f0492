"""The one walk through the house: files and a person in, events out.

The web app, the command line, the tests and the benchmarks all consume the events of ``analyse``; none has a pipeline
of its own. Closing the generator stops whatever is going on.
"""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from copilot import emotions, model_metadata, prompt
from copilot.deidentify import hidden
from copilot.eeg import sandbox, text_encoding
from copilot.eeg.classifier import Classifier
from copilot.eeg.discovery import with_companions
from copilot.eeg.duplicates import same_signal
from copilot.eeg.features import Array, Normal, differential_entropy, electrode_channels, person_normal
from copilot.eeg.preprocessing.clean import Quality
from copilot.eeg.sandbox import Prepared
from copilot.eeg.types import MIN_CHANNELS, Recording, RecordingError
from copilot.i18n import Sentence, english, sentence
from copilot.llm.base import CutOff, Engine, Message, ModelInfo, PromptProgress, Scores, Token, Waiting
from copilot.person import Person
from copilot.record.draft import draft
from copilot.record.model import Record
from copilot.record.patient_identity import PatientIdentity
from copilot.result import Result, parse_answer
from copilot.settings import Settings, SettingsError

#: Stages in the order they happen, with the words a person sees.
STAGES = english.STAGES

#: Seconds each stage takes on two cores for three minutes of 19 channels, measured with the model in the box.
ESTIMATES = {"read": 1.0, "clean": 3.0, "encode": 0.2, "score": 0.5, "write": 3.0}

MAX_ANSWER_TOKENS = 320


@dataclass(frozen=True)
class StageBegun:
    """A stage starts; ``estimate_s`` is how long it should take, seconds."""

    stage: str
    estimate_s: float


@dataclass(frozen=True)
class StageProgress:
    """``fraction`` (0 to 1) of a stage is done; ``detail`` says what is going on now, in a few words."""

    stage: str
    fraction: float
    detail: str = ""


@dataclass(frozen=True)
class SignalReady:
    """The cleaned signal and its quality: drawn before any AI text. ``raw`` is the signal as read."""

    raw: Recording
    cleaned: Recording
    quality: Quality


@dataclass(frozen=True)
class PromptReady:
    """The messages the model reads, the codec's name and the EEG text in them (of the last segment, if several)."""

    messages: list[Message]
    codec: str
    eeg_text: str


@dataclass(frozen=True)
class ResultReady:
    """A reading: once with probabilities and no prose (before ``write``), once complete."""

    reading: Result
    complete: bool


@dataclass(frozen=True)
class RecordReady:
    """The draft record; the last event."""

    record: Record


Event = (
    StageBegun
    | StageProgress
    | SignalReady
    | PromptReady
    | Waiting
    | PromptProgress
    | Token
    | ResultReady
    | RecordReady
)


@dataclass
class _Analysis:
    """What the walk has gathered so far."""

    codec: str
    started: float = field(default_factory=time.perf_counter)
    prepared: Prepared | None = None
    baselines: list[Prepared] = field(default_factory=list)
    prompts: list[list[Message]] = field(default_factory=list)
    evidence: emotions.Probabilities | None = None
    notes: list[str] = field(default_factory=list)
    warnings: tuple[Sentence, ...] = ()
    reading: Result | None = None
    decoder_sha256: str = ""

    def seconds(self) -> float:
        return time.perf_counter() - self.started


def analyse(
    files: Sequence[Path],
    person: Person,
    *,
    engine: Engine,
    settings: Settings,
    decoder: Classifier,
    baselines: Sequence[Path] = (),
    codec: str | None = None,
    sfreq: float | None = None,
    channels: Sequence[str] | None = None,
    trial: int | None = None,
    particulars: PatientIdentity | None = None,
    language: str = "en",
) -> Iterator[Event]:
    """Walk from an EEG file to a draft record.

    Args:
        files: the files of one recording.
        person: what the form asked.
        engine: the language model.
        settings: limits and read-out.
        decoder: the small decoder, which also knows what is normal.
        baselines: other recordings of the same person, the main file of each.
        codec: name of the codec; by default the one that the model file names, else the box's.
        sfreq: samples a second, for arrays that do not state it; channels: their names, likewise.
        trial: which trial of an array is the recording, counted from 1; a baseline is a file with one recording.
        particulars: what is meant for the record alone.
        language: of the record's labels and of what code writes in it.

    Raises:
        RecordingError, PersonError, EngineError, SettingsError: each a plain sentence.
    """
    walk = _Analysis(codec=_codec(codec, engine.info.metadata))
    unnamed = _unnamed(person, particulars or PatientIdentity())
    yield from _prepare(walk, files, baselines, settings, sfreq, channels, trial)
    yield from _encode(walk, _legible(walk, unnamed, engine.info.metadata), settings, decoder, engine.info.metadata)
    walk.warnings = tuple(model_metadata.warnings(engine.info.metadata, decoder.sha256))
    walk.notes += _notes(walk, engine.info, settings)
    yield from _read(walk, engine, settings)
    yield RecordReady(_record(walk, person, particulars, language))


def prepare_prompt(
    files: Sequence[Path],
    person: Person,
    *,
    settings: Settings,
    metadata: Mapping[str, str],
    decoder: Classifier,
    baselines: Sequence[Path] = (),
    codec: str | None = None,
    sfreq: float | None = None,
    channels: Sequence[str] | None = None,
    trial: int | None = None,
) -> Iterator[Event]:
    """The first half of ``analyse``, up to the prompt: the last event is ``PromptReady``. No engine is needed."""
    walk = _Analysis(codec=_codec(codec, metadata))
    person = _unnamed(person, PatientIdentity())
    yield from _prepare(walk, files, baselines, settings, sfreq, channels, trial)
    yield from _encode(walk, _legible(walk, person, metadata), settings, decoder, metadata)


def _unnamed(person: Person, given: PatientIdentity) -> Person:
    """The person without name, number or birth date in their own words, for the prompt; the record keeps the words."""
    return person.reworded(lambda text: hidden(text, name=given.name, number=given.number))


def _legible(walk: _Analysis, person: Person, metadata: Mapping[str, str]) -> Person:
    """The person as this model can read them: one trained here knows Latin letters only, and stumbles over others."""
    if "codec" not in metadata:
        return person
    legible = person.reworded(lambda text: "" if _mostly_foreign(text) else text)
    if legible != person:
        walk.notes.append(sentence(english.WORDS_LEFT_OUT))
    return legible


def _mostly_foreign(text: str) -> bool:
    letters = [character for character in text if character.isalpha()]
    return 2 * sum(character > "\u024f" for character in letters) > len(letters)  # the end of Latin Extended-B


def _codec(asked_for: str | None, metadata: Mapping[str, str]) -> str:
    """The codec asked for, else the model's own, else the default; checked before a file is opened."""
    name = asked_for or metadata.get("codec", text_encoding.DEFAULT)
    if name not in text_encoding.CODECS:
        raise SettingsError(sentence(english.NO_CODEC, name=name, choices=tuple(text_encoding.CODECS)))
    return name


def _prepare(
    walk: _Analysis,
    files: Sequence[Path],
    baselines: Sequence[Path],
    settings: Settings,
    sfreq: float | None,
    channels: Sequence[str] | None,
    trial: int | None,
) -> Iterator[Event]:
    """Read and clean the recording, then the baselines, none of which may be the same signal as another."""
    limits = {"sfreq": sfreq, "channels": channels}
    limits |= {"max_mb": settings.max_upload_mb, "max_minutes": settings.max_minutes}
    begun = ""
    for event in sandbox.prepare(files, trial=trial, **limits):  # type: ignore[arg-type]
        if isinstance(event, Prepared):
            walk.prepared = event
            yield SignalReady(event.raw, event.cleaned, event.quality)
            continue
        if event.stage != begun:
            begun = event.stage
            yield StageBegun(begun, ESTIMATES[begun])
        yield StageProgress(event.stage, event.fraction, event.detail)
    for number, baseline in enumerate(baselines, start=1):
        which = {"number": number, "total": len(baselines)}
        try:
            for event in sandbox.prepare(with_companions(baseline), **limits):  # type: ignore[arg-type]
                if isinstance(event, Prepared):
                    _check_new(event.raw, walk)
                    walk.baselines.append(event)
                else:
                    yield StageProgress("clean", event.fraction, sentence(english.BASELINE_NUMBER, **which))
        except RecordingError as error:
            raise RecordingError(sentence(english.BASELINE_UNUSABLE, **which, reason=error.args[0])) from error


def _check_new(baseline: Recording, walk: _Analysis) -> None:
    """Refuse a baseline that is the recording itself, or another baseline: it would count twice."""
    assert walk.prepared is not None
    if same_signal(baseline, walk.prepared.raw):
        raise RecordingError(sentence(english.BASELINE_IS_RECORDING))
    if any(same_signal(baseline, other.raw) for other in walk.baselines):
        raise RecordingError(sentence(english.BASELINE_TWICE))


def _encode(
    walk: _Analysis,
    person: Person,
    settings: Settings,
    decoder: Classifier,
    metadata: Mapping[str, str],
) -> Iterator[Event]:
    """Turn the cleaned signal into prompts."""
    yield StageBegun("encode", ESTIMATES["encode"])
    assert walk.prepared is not None
    cleaned = walk.prepared.cleaned
    found = electrode_channels(cleaned.channels)
    if len(found) < MIN_CHANNELS:
        raise RecordingError(sentence(english.TOO_FEW_KNOWN, count=len(found), least=MIN_CHANNELS))
    walk.notes += [
        sentence(english.NOTE_IN_PLACE_OF, channel=channel, name=name)
        for name, channel in found.items()
        if channel != name
    ]
    walk.decoder_sha256 = decoder.sha256
    entropy = differential_entropy(cleaned, walk.prepared.quality.clean)
    normal = _normal(walk, entropy, decoder)
    if settings.readout != "model":
        walk.evidence = decoder.probabilities(entropy, normal)
    others = [b.cleaned for b in walk.baselines]
    texts = text_encoding.CODECS[walk.codec](
        text_encoding.Signal(cleaned, entropy, normal, decoder.patterns(entropy, normal), others)
    )
    walk.prompts = [
        prompt.build(
            person,
            text,
            codec=walk.codec,
            compared_with=normal.source,
            evidence=walk.evidence,
            segment=(number, len(texts)),
            poor=walk.prepared.quality.trust == "poor" and "codec" not in metadata,
        )
        for number, text in enumerate(texts, start=1)
    ]
    yield PromptReady(walk.prompts[-1], walk.codec, texts[-1])


def _normal(walk: _Analysis, entropy: Array, decoder: Classifier) -> Normal:
    """The person's own normal over all the recordings given, this one among them as in training; else everybody's."""
    if not walk.baselines:
        return decoder.population
    return person_normal([entropy, *(differential_entropy(b.cleaned, b.quality.clean) for b in walk.baselines)])


def _notes(walk: _Analysis, model: ModelInfo, settings: Settings) -> Iterator[Sentence]:
    """What a reader must know about how this model was fed."""
    if not model.trained_for_eeg:
        known = english.UNTRAINED if model.sha256 else english.PERHAPS_UNTRAINED
        rest = english.RESTS_ON_NOTHING if settings.readout == "model" else english.RESTS_ON_DECODER
        yield sentence(english.NOTE_UNTRAINED, known=known, rest=rest)
    elif walk.codec != model.metadata["codec"]:
        yield sentence(english.NOTE_OTHER_CODEC, trained=model.metadata["codec"], used=walk.codec)
    yield from walk.warnings
    if not walk.baselines:
        yield sentence(english.NOTE_NO_BASELINE)


def _calibrated(walk: _Analysis, model: ModelInfo, settings: Settings) -> bool:
    """Whether these probabilities are of the kind that the evaluation measured."""
    if settings.readout == "decoder":
        return True
    fed_as_trained = walk.codec == model.metadata.get("codec") and not walk.warnings
    return "temperature" in model.metadata and fed_as_trained


def _read(walk: _Analysis, engine: Engine, settings: Settings) -> Iterator[Event]:
    """Score the labels, write the prose."""
    assert walk.prepared is not None
    yield StageBegun("score", ESTIMATES["score"] * len(walk.prompts))
    if settings.readout == "decoder" and walk.evidence is not None:
        probabilities = walk.evidence
    else:
        probabilities = yield from _score(walk, engine)
    reading = Result(
        probabilities=probabilities,
        readout=settings.readout,
        assessment="",
        suggestions=(),
        raw="",
        timings={"clean_s": walk.prepared.read_s + walk.prepared.clean_s},
        model=engine.info.name,
        model_sha256=engine.info.sha256,
        prompt_sha256=prompt.digest([message for messages in walk.prompts for message in messages]),
        codec=walk.codec,
        notes=tuple(dict.fromkeys(walk.notes)),
        calibrated=_calibrated(walk, engine.info, settings),
        decoder_sha256=walk.decoder_sha256,
        trust=walk.prepared.quality.trust,
    )
    yield ResultReady(reading, complete=False)
    reading = yield from _write(walk, engine, reading)
    walk.reading = reading
    yield ResultReady(reading, complete=True)


def _record(walk: _Analysis, person: Person, particulars: PatientIdentity | None, language: str) -> Record:
    """The draft, in this language."""
    assert walk.prepared is not None
    assert walk.reading is not None
    return draft(
        person,
        walk.prepared.cleaned,
        walk.prepared.quality,
        walk.reading,
        now=datetime.now(UTC),
        particulars=particulars,
        language=language,
    )


def _score(walk: _Analysis, engine: Engine) -> Generator[Event, None, emotions.Probabilities]:
    """Calibrated probabilities of the nine labels, the mean over the prompts (returned)."""
    each = []
    for number, messages in enumerate(walk.prompts):
        for event in engine.score(messages, prompt.LABEL_PREFIX, prompt.LABELS):
            if isinstance(event, Scores):
                if event.alike:
                    names = tuple(emotions.EMOTIONS[place] for place in event.alike)
                    walk.notes.append(sentence(english.NOTE_LABELS_ALIKE, labels=names))
                each.append(model_metadata.label_probabilities(event, engine.info.metadata))
                continue
            yield event
            if isinstance(event, PromptProgress):
                yield StageProgress("score", (number + event.done / max(1, event.total)) / len(walk.prompts))
    mean: emotions.Probabilities = np.mean(each, axis=0)
    return mean


def _write(walk: _Analysis, engine: Engine, reading: Result) -> Generator[Event, None, Result]:
    """Stream the prose behind the label; the complete reading is returned."""
    yield StageBegun("write", ESTIMATES["write"])
    prefix = prompt.label_prefix(reading.probabilities, reading.trust)
    text, notes, first_token_s = "", reading.notes, None
    for event in engine.generate(walk.prompts[-1], prefix, max_tokens=MAX_ANSWER_TOKENS):
        if isinstance(event, Token):
            first_token_s = first_token_s or walk.seconds()
            text += event.text
        if isinstance(event, CutOff):
            notes += (sentence(english.NOTE_CUT_OFF),)
        else:
            yield event
    assessment, suggestions = parse_answer(prefix + text)
    timings = {**reading.timings, "first_token_s": first_token_s or walk.seconds(), "total_s": walk.seconds()}
    return replace(
        reading, assessment=assessment, suggestions=suggestions, raw=prefix + text, timings=timings, notes=notes
    )
