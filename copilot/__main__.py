"""The command line: ``python -m copilot analyse recording.edf --age 20 --gender female``.

``analyse`` reads one recording, ``prompt`` prints what the model would be asked, ``chat`` answers questions about a
reading, ``batch`` reads a folder of recordings. Exit status: 0, 2 for input or settings that cannot be used or a batch
that was stopped, 130 after Ctrl-C.
"""

import argparse
import json
import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from copilot import NOTICE, __version__

# What reads signals and runs models is imported inside the functions that need it: --help has to be quick.
if TYPE_CHECKING:
    from copilot.i18n import Translator
    from copilot.llm.base import Engine, Message
    from copilot.pipeline import Event
    from copilot.settings import Settings

AGAIN = "The same command again goes on where it was: what failed or is missing is read, what changed is read again."
PEOPLE = (
    "columns file or participant_id, then any of age, gender, appearance, complaint, history, baseline (more files, "
    "with ; between), name, number; default: the folder's participants.tsv"
)

FAULT, BAD_INPUT, INTERRUPTED, NOBODY_READS = 1, 2, 130, 141


class Parser(argparse.ArgumentParser):
    """Argparse whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, without the usage."""
        self.exit(BAD_INPUT, f"{message[0].upper()}{message[1:]}; {self.prog} --help says more.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
        sys.stdout.flush()
    except BrokenPipeError:  # what reads our output is gone; without dup2 Python complains when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        return _explain(error)
    return 0


def analyse(options: argparse.Namespace) -> None:
    """Read a recording and say what is in it."""
    _offer_help(options, sys.stderr if options.json else sys.stdout)
    given = _given(options)
    with closing(_open_engine(given["settings"])) as engine:
        seen = _follow(_walk(given, engine), human=not options.json)
    if options.json:
        print(json.dumps(_as_dict(seen), ensure_ascii=False))


def prompt(options: argparse.Namespace) -> None:
    """Print the user message and nothing else: Ollama adds the model's own template and system text."""
    from copilot.i18n import english, sentence
    from copilot.llm.gguf_header import open_model_file
    from copilot.pipeline import prepare_prompt
    from copilot.settings import SettingsError

    given = _given(options)
    model = given["settings"].model
    # The model may live in Ollama only; without its file here it is fed by the defaults.
    metadata = open_model_file(model).own_metadata if model.is_file() else {}
    if (options.codec or metadata.get("codec")) == "wavelet-segments":
        raise SettingsError(sentence(english.TEN_PROMPTS))
    seen = _follow(prepare_prompt(**given, metadata=metadata), human=False)
    # Ollama takes a line break at the end as part of the message, which the model never saw in training.
    print(seen["PromptReady"].messages[-1]["content"], end="\n" if sys.stdout.isatty() else "")


def chat(options: argparse.Namespace) -> None:
    """Read a recording, then answer questions about it until the input ends or says ``exit``."""
    _offer_help(options, sys.stdout)
    given = _given(options)
    with closing(_open_engine(given["settings"])) as engine:
        seen = _follow(_walk(given, engine), human=True)
        answer: Message = {"role": "assistant", "content": seen["ReadingReady"].reading.raw}
        conversation: list[Message] = [*seen["PromptReady"].messages, answer]
        for question in _questions(sys.stdin):
            conversation += _answer(engine, conversation, question, seen["SignalReady"].quality.trust)


def batch(options: argparse.Namespace) -> None:
    """Read a folder of recordings: a draft record of each, and one summary."""
    import signal

    from copilot.batch.run import run
    from copilot.settings import Settings

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings, where = Settings.from_environment(), {"workers": options.workers, "ray": options.ray}
    print(run(options.folder, options.out, settings, table=options.people, **where))


def _parser() -> Parser:
    parser = Parser(prog="python -m copilot", description=f"EEG Emotion Copilot {__version__}. {NOTICE}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for run, text in (
        (analyse, "read a recording: emotion with its uncertainty, assessment, draft record"),
        (prompt, "print the exact prompt: ... | ollama run eeg-emotion-copilot"),
        (chat, "read a recording, then talk about the reading"),
    ):
        command = commands.add_parser(run.__name__, help=text, description=text[0].upper() + text[1:])
        command.set_defaults(command=run)
        _add_input(command)
        if run is analyse:
            command.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    _add_batch(commands)
    return parser


def _add_batch(commands: "argparse._SubParsersAction[Parser]") -> None:
    text = "read a folder of recordings, plain or BIDS: a draft record of each, and one summary"
    command = commands.add_parser("batch", help=text, description=f"{text[0].upper()}{text[1:]}. {AGAIN}")
    command.set_defaults(command=batch)
    add = command.add_argument
    add("folder", type=Path, metavar="FOLDER", help="the one that holds the recordings")
    add("--people", type=Path, metavar="TABLE", help=f"a .csv or .tsv; {PEOPLE}")
    add("--out", type=Path, metavar="DIR", required=True, help="for records and summary: a new folder, or the last one")
    add("--workers", type=_workers, default=0, metavar="N", help="readers at once; default: by cores and memory")
    add("--ray", default="", metavar="ADDRESS", help="read on a Ray cluster: auto, host:port, ray://...")


def _add_input(command: argparse.ArgumentParser) -> None:
    """What all commands take: a person and an EEG."""
    add = command.add_argument
    add("files", nargs="+", type=Path, metavar="FILE", help="the recording; all its files, where a format has several")
    add("--age", type=_years, help="whole years")
    add("--gender", default="unspecified", help="female, male, other or unspecified")
    add("--appearance", default="", metavar="TEXT", help="how they look or feel, in their own words")
    add("--complaint", default="", metavar="TEXT", help="what brings them here, in their own words")
    add("--history", default="", metavar="TEXT", help="what came before, in their own words")
    add("--baseline", nargs="+", type=Path, default=[], metavar="FILE", help="other recordings of the same person")
    add(
        "--codec",
        metavar="NAME",
        help="how EEG becomes text: patterns, bands, wavelet, wavelet-segments; default: the model's",
    )
    add("--sfreq", type=_hertz, metavar="HZ", help="samples a second, for files that do not say")
    add("--channels", type=_names, metavar="A,B,C", help="electrodes, for files that do not name them")
    add("--trial", type=_trial, metavar="N", help="which trial, for arrays that hold several")


def _years(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of years") from None


def _workers(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 10_000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of readers")
    return int(text)


def _trial(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 100_000):
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a trial")
    return int(text)


def _hertz(text: str) -> float:
    try:
        hertz = float(text)
    except ValueError:
        hertz = 0.0
    if not 0 < hertz < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of samples a second")
    return hertz


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _offer_help(options: argparse.Namespace, stream: TextIO) -> None:
    """Words of danger in what the person wrote are answered before everything else."""
    from copilot.safety import find_help

    if found := find_help("\n".join((options.appearance, options.complaint, options.history))):
        print(f"{found.text}\n", file=stream, flush=True)


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments that ``analyse`` and ``prepare_prompt`` share, checked before a model is opened."""
    from copilot.eeg.classifier import Classifier
    from copilot.person import Person
    from copilot.settings import Settings

    settings = Settings.from_environment()
    return {
        "files": options.files,
        "person": Person(options.gender, options.age, options.appearance, options.complaint, options.history),
        "settings": settings,
        "decoder": Classifier.load(settings.decoder),
        "baselines": options.baseline,
        "codec": options.codec,
        "sfreq": options.sfreq,
        "channels": options.channels,
        "trial": options.trial,
    }


def _open_engine(settings: "Settings") -> "Engine":
    from copilot.llm import open_engine

    return open_engine.open_engine(settings)


def _walk(given: dict[str, Any], engine: "Engine") -> "Iterator[Event]":
    from copilot import pipeline

    return pipeline.analyse(**given, engine=engine, language=_voice().language)


def _voice() -> "Translator":
    """In the language that the settings choose; English where they cannot be read."""
    from copilot.i18n import Translator
    from copilot.settings import Settings, SettingsError

    try:
        return Translator(Settings.from_environment().language or "en")
    except SettingsError:
        return Translator("en")


def _follow(events: "Iterator[Event]", *, human: bool) -> dict[str, Any]:
    """Show events as they come; returns the last of each kind, by the name of its class."""
    from copilot.cli_output import ProgressBar, ResultPrinter

    voice = _voice()
    progress, report = ProgressBar(voice=voice), ResultPrinter(voice)
    seen: dict[str, Any] = {}
    try:
        for event in events:
            progress.show(event)
            seen[type(event).__name__] = event
            if human:
                report.show(event)
    finally:
        progress.clear()
    return seen


def _as_dict(seen: dict[str, Any]) -> dict[str, Any]:
    """The one object of ``--json``."""
    from copilot.emotions import EMOTIONS
    from copilot.record.export.json_format import as_dict

    reading = seen["ReadingReady"].reading
    return {
        "notice": NOTICE,
        "probabilities": dict(zip(EMOTIONS, map(float, reading.probabilities), strict=True)),
        "emotion": reading.emotion,
        "three_class": reading.three_class,
        "valence": reading.valence,
        "readout": reading.readout,
        "assessment": reading.assessment,
        "suggestions": list(reading.suggestions),
        "notes": list(reading.notes),
        "record": as_dict(seen["RecordReady"].record),
        "quality": seen["SignalReady"].quality.as_dict(),
        "timings": {name: round(seconds, 3) for name, seconds in reading.timings.items()},
        "model": reading.model,
        "model_sha256": reading.model_sha256,
        "prompt_sha256": reading.prompt_sha256,
    }


def _questions(stdin: TextIO) -> Iterator[str]:
    """Lines until the end or ``exit``; from a pipe each is printed too, so that the output reads as a conversation."""
    from copilot.cli_output import say
    from copilot.i18n import english

    typed = stdin.isatty()
    if typed:
        say(f"\n{_voice()(english.ASK)}")
    while line := _line(stdin, typed):
        question = line.strip()
        if question.lower() == "exit":
            return
        if question:
            say("" if typed else f"\n> {question}")
            yield question


def _line(stdin: TextIO, typed: bool) -> str:
    """One line with its end; empty when there are no more."""
    try:
        return input("\n> ") + "\n" if typed else stdin.readline()
    except EOFError:
        return ""


def _answer(engine: "Engine", conversation: "list[Message]", question: str, trust: str) -> "list[Message]":
    """Stream one answer; returns the turn to remember, nothing where the model gave none."""
    from copilot.chat import Fixed, ask
    from copilot.cli_output import ProgressBar, ResultPrinter, say
    from copilot.i18n import english
    from copilot.llm.base import EngineError, Token

    voice, words, by_model = _voice(), "", True
    progress, report = ProgressBar(voice(english.READING_QUESTION), voice), ResultPrinter(voice)
    try:
        for event in ask(engine, conversation, question, trust):
            progress.show(event)
            report.show(event)
            if isinstance(event, Token):
                words += event.text
                by_model = by_model and not isinstance(event, Fixed)
        say("")
    except KeyboardInterrupt:
        say(f"\n{voice(english.ANSWER_STOPPED)}")
    except EngineError as error:
        _explain(error)
    finally:
        progress.clear()
    if not (words and by_model):
        return []
    return [{"role": "user", "content": question}, {"role": "assistant", "content": words}]


def _explain(error: Exception) -> int:
    """Tell what went wrong in one sentence; returns the exit status."""
    from copilot.errors import CopilotError
    from copilot.i18n import english
    from copilot.text import normalise_line

    if isinstance(error, CopilotError):
        print(normalise_line(_voice()(error.args[0])), file=sys.stderr)  # it may quote a server or a model file
        return BAD_INPUT
    print(normalise_line(_voice()(english.PROGRAM_FAULT, what=f"{type(error).__name__}: {error}")), file=sys.stderr)
    return FAULT


if __name__ == "__main__":
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a bar or a name must not end the run
    sys.exit(main())
