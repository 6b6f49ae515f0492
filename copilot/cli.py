"""The command line: ``python -m copilot analyse recording.edf --age 20 --gender female``.

``analyse`` analyses one recording, ``prompt`` prints the model's prompt, ``chat`` answers questions about a
result, ``batch`` analyses a folder of recordings, ``serve`` starts the web app. Exit status: 0, 1 after a fault of this
program, 2 for input or settings that cannot be used or a batch that was stopped, 130 after Ctrl-C.
"""

import argparse
import json
import math
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from copilot import NOTICE, __version__
from copilot.command_line import BAD_INPUT, Parser, drop_output
from copilot.i18n import N_, Translator

CHAT_HINT = N_("Ask about this reading; Ctrl-C stops an answer, Ctrl-D or exit leaves.")
ANSWER_STOPPED = N_("Stopped.")


# Modules for signals and models are imported in the functions that need them, so that --help is quick.
if TYPE_CHECKING:
    from copilot.chat import Answered, Turn
    from copilot.events import Event
    from copilot.facts import Facts
    from copilot.llm.base import Engine, Message

RESUME_HINT = "The same command again resumes: what failed or is missing is read, what changed is read again."
PEOPLE_COLUMNS = (
    "columns file or participant_id, then any of age, gender, appearance, complaint, history, baseline (more files, "
    "with ; between), name, number; default: the folder's participants.tsv"
)
#: Simulated recordings, as ``copilot.eeg.simulate`` calls them.
EXAMPLES = ("eyes-closed", "busy", "poor-contact")

FAULT, INTERRUPTED, BROKEN_PIPE = 1, 130, 141

E = TypeVar("E")


@dataclass
class LastEvents:
    """The last event of each kind."""

    events: "dict[type, Event]"

    def get(self, kind: type[E]) -> E:
        """Return the last event of this kind."""
        event = self.events[kind]
        assert isinstance(event, kind)
        return event


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a bar or a name that cannot be printed must not end the run
    options = make_parser().parse_args(arguments)
    try:
        options.command(options)
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        return _print_error(error, _make_translator())
    return 0


def analyse(options: argparse.Namespace) -> None:
    """Analyse one recording and print the result."""
    from copilot import pipeline
    from copilot.llm import open_engine

    _offer_help(options, sys.stderr if options.json else sys.stdout)
    with _make_inputs(options) as inputs, closing(open_engine(inputs["settings"])) as engine:
        translate = Translator(inputs["settings"].language or "en")
        events = pipeline.analyse(**inputs, engine=engine, language=translate.language)
        last_events = _show_events(events, translate, human=not options.json)
    if options.json:
        print(json.dumps(_make_json(last_events), ensure_ascii=False))


def prompt(options: argparse.Namespace) -> None:
    """Print the user message alone: Ollama adds the model's own template and system text."""
    from copilot.events import PromptReady
    from copilot.llm.gguf_header import open_model_file
    from copilot.pipeline import prepare_prompt
    from copilot.settings import SettingsError

    with _make_inputs(options) as inputs:
        model = inputs["settings"].model
        # The model may be in Ollama only; without its file here the defaults apply.
        metadata = open_model_file(model).own_metadata if model.is_file() else {}
        if (options.codec or metadata.get("codec")) == "wavelet-segments":
            raise SettingsError(
                N_("The codec wavelet-segments makes ten prompts, not one; use analyse or another codec.")
            )
        translate = Translator(inputs["settings"].language or "en")
        last_events = _show_events(prepare_prompt(**inputs, metadata=metadata), translate, human=False)
    # Ollama takes a line break at the end as part of the message; no message in training had one.
    print(last_events.get(PromptReady).messages[-1]["content"], end="\n" if sys.stdout.isatty() else "")


def chat(options: argparse.Namespace) -> None:
    """Analyse a recording, then answer questions about it until the input ends or a line is ``exit``."""
    from copilot import pipeline
    from copilot.chat import Turn
    from copilot.events import PromptReady, RecordReady, ResultReady
    from copilot.llm import open_engine

    _offer_help(options, sys.stderr if options.json else sys.stdout)
    with _make_inputs(options) as inputs, closing(open_engine(inputs["settings"])) as engine:
        translate = Translator(inputs["settings"].language or "en")
        events = pipeline.analyse(**inputs, engine=engine, language=translate.language)
        last_events = _show_events(events, translate, human=not options.json)
        raw: Message = {"role": "assistant", "content": last_events.get(ResultReady).result.raw}
        opening = [*last_events.get(PromptReady).messages, raw]
        facts, turns = last_events.get(RecordReady).facts, list[Turn]()
        for question in _read_questions(sys.stdin, translate, quiet=options.json):
            answer = _answer_question(engine, opening, question, facts, turns, translate, quiet=options.json)
            if options.json:
                print(json.dumps(answer.as_json(), ensure_ascii=False), flush=True)
            turns.append(Turn(question, answer.text, answer.answered.asked))


def batch(options: argparse.Namespace) -> None:
    """Analyse a folder of recordings: write a draft record of each, and one summary."""
    from copilot.batch.run import run
    from copilot.settings import Settings

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = Settings.from_environment()
    print(run(options.folder, options.out, settings, table=options.people, workers=options.workers, ray=options.ray))


def serve(_: argparse.Namespace) -> None:
    """Serve the web app until Ctrl-C."""
    from copilot.web import app

    sys.exit(app.serve())


def make_parser() -> Parser:
    """Return the parser of all commands."""
    called = Path(sys.argv[0]).stem
    prog = called if called == "eeg-copilot" else "python -m copilot"
    parser = Parser(prog=prog, description=f"EEG Emotion Copilot {__version__}. {NOTICE}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for run, text in (
        (analyse, "read a recording: emotion with its uncertainty, assessment, draft record"),
        (prompt, "print the exact prompt: ... | ollama run eeg-emotion-copilot"),
        (chat, "read a recording, then talk about the result"),
    ):
        command = commands.add_parser(run.__name__, help=text, description=text[0].upper() + text[1:])
        command.set_defaults(command=run)
        _add_input(command)
        if run is not prompt:
            what = "one JSON object" if run is analyse else "a line of JSON for each question"
            command.add_argument("--json", action="store_true", help=f"print {what} instead of text")

    text = "read a folder of recordings, plain or BIDS: a draft record of each, and one summary"
    command = commands.add_parser("batch", help=text, description=f"{text[0].upper()}{text[1:]}. {RESUME_HINT}")
    command.set_defaults(command=batch)
    add = command.add_argument
    add("folder", type=Path, metavar="FOLDER", help="the folder of the recordings")
    add("--people", type=Path, metavar="TABLE", help=f"a .csv or .tsv; {PEOPLE_COLUMNS}")
    add("--out", type=Path, metavar="DIR", required=True, help="for records and summary: a new folder, or the last one")
    add(
        "--workers",
        type=lambda text: _parse_count(text, 10_000, "a number of recordings"),
        default=0,
        metavar="N",
        help="recordings at once; default: by cores and memory",
    )
    add("--ray", default="", metavar="ADDRESS", help="run on a Ray cluster: auto, host:port, ray://...")
    text = "serve the web app; settings are in the environment"
    commands.add_parser("serve", help=text, description=text[0].upper() + text[1:]).set_defaults(command=serve)
    return parser


def _add_input(command: argparse.ArgumentParser) -> None:
    """Add the arguments of all commands but ``batch``: a person and an EEG."""
    add = command.add_argument
    add("files", nargs="*", type=Path, metavar="FILE", help="the recording; all its files, where a format has several")
    add("--example", choices=EXAMPLES, help="a simulated recording instead of a file of your own")
    add("--age", type=_parse_years, help="whole years")
    add("--gender", default="unspecified", help="female, male, other or unspecified")
    add("--appearance", default="", metavar="TEXT", help="how they look or feel, in their own words")
    add("--complaint", default="", metavar="TEXT", help="what brings them here, in their own words")
    add("--history", default="", metavar="TEXT", help="what came before, in their own words")
    add("--baseline", nargs="+", type=Path, default=[], metavar="FILE", help="other recordings of the same person")
    add(
        "--protocol",
        choices=("any", "faced-films"),
        help="faced-films: the recording is one of FACED's film clips from its first second (research)",
    )
    add(
        "--codec",
        metavar="NAME",
        help="how EEG becomes text: patterns, bands, wavelet, wavelet-segments; default: the model's",
    )
    add("--sfreq", type=_parse_hertz, metavar="HZ", help="samples a second, for files that do not say")
    add(
        "--channels",
        type=lambda text: [name.strip() for name in text.split(",")],
        metavar="A,B,C",
        help="electrodes, for files that do not name them",
    )
    add(
        "--trial",
        type=lambda text: _parse_count(text, 100_000, "the number of a trial"),
        metavar="N",
        help="which trial, for arrays that hold several",
    )


def _parse_years(text: str) -> int:
    """Return the text as a number of years."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of years") from None


def _parse_count(text: str, limit: int, what: str) -> int:
    """Return the text as a whole number from 1 to below ``limit``; ``what`` names it in the message of an error."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) < limit):
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return int(text)


def _parse_hertz(text: str) -> float:
    try:
        hertz = float(text)
    except ValueError:
        hertz = 0.0
    if not 0 < hertz < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of samples a second")
    return hertz


def _offer_help(options: argparse.Namespace, stream: TextIO) -> None:
    """Print the safety text first if the person's words contain words of danger."""
    from copilot.safety import find_help
    from copilot.safety.region import find_terminal_region

    words = "\n".join((options.appearance, options.complaint, options.history))
    if found := find_help(words, find_terminal_region()):
        print(f"{found.text}\n", file=stream, flush=True)


@contextmanager
def _make_inputs(options: argparse.Namespace) -> "Iterator[dict[str, Any]]":
    """Yield the arguments that ``analyse`` and ``prepare_prompt`` share, checked before a model is opened."""
    from copilot.eeg.classifier import Classifier
    from copilot.eeg.simulate import write_example
    from copilot.person import Person
    from copilot.settings import Settings, SettingsError

    if bool(options.files) == bool(options.example):
        raise SettingsError(
            N_("Name a recording or --example NAME, not both.")
            if options.files
            else N_("Name a recording, or --example NAME for a simulated one.")
        )
    settings = Settings.from_environment()
    inputs = {
        "files": options.files,
        "person": Person(options.gender, options.age, options.appearance, options.complaint, options.history),
        "settings": replace(settings, protocol=options.protocol or settings.protocol),
        "classifier": Classifier.load(settings.decoder),
        "baselines": options.baseline,
        "codec": options.codec,
        "sfreq": options.sfreq,
        "channels": options.channels,
        "trial": options.trial,
    }
    if not options.example:
        yield inputs
        return
    with tempfile.TemporaryDirectory(prefix="eeg-copilot-") as folder:
        yield {**inputs, "files": [write_example(options.example, Path(folder))]}


def _show_events(events: "Iterator[Event]", translate: Translator, *, human: bool) -> LastEvents:
    """Show events as they come; return the last of each kind."""
    from copilot.cli_output import ProgressBar, ResultPrinter

    progress, printer = ProgressBar(translate=translate), ResultPrinter(translate)
    last_events = LastEvents({})
    try:
        for event in events:
            progress.show(event)
            last_events.events[type(event)] = event
            if human:
                printer.show(event)
    finally:
        progress.clear()
    return last_events


def _make_json(last_events: LastEvents) -> dict[str, Any]:
    """Return the object that ``--json`` prints."""
    from copilot.emotions import EMOTIONS
    from copilot.events import RecordReady, ResultReady, SignalReady
    from copilot.record.export.json_format import as_dict

    result, facts = last_events.get(ResultReady).result, last_events.get(RecordReady).facts
    return {
        "notice": NOTICE,
        "probabilities": dict(zip(EMOTIONS, map(float, result.probabilities), strict=True)),
        "emotion": facts["emotion"].value,
        "situation": result.situation,
        "confidence": result.confidence,
        "reliability": Translator("en")(facts["reliability"].sentence),
        "three_class": facts["three_class"].value,
        "valence": result.valence,
        "facts": facts.to_json(Translator("en")),
        "states": [
            {
                "source": state.source,
                "finding": state.finding,
                "probability": state.probability,
                "reliability": state.reliability,
            }
            for state in result.states
        ],
        "readout": result.readout,
        "assessment": result.assessment,
        "suggestions": list(result.suggestions),
        "notes": list(result.notes),
        "record": as_dict(last_events.get(RecordReady).record),
        "quality": last_events.get(SignalReady).quality.as_dict(),
        "timings": {name: round(seconds, 3) for name, seconds in result.timings.items()},
        "model": result.model,
        "model_sha256": result.model_sha256,
        "prompt_sha256": result.prompt_sha256,
    }


def _read_questions(stdin: TextIO, translate: Translator, *, quiet: bool) -> Iterator[str]:
    """Yield lines until the end or ``exit``; those of a pipe are printed too, so that the output is a conversation."""
    from copilot.cli_output import print_text

    typed = stdin.isatty()
    if typed and not quiet:
        print_text(f"\n{translate(CHAT_HINT)}")
    while True:
        try:
            line = input("" if quiet else "\n> ") + "\n" if typed else stdin.readline()
        except EOFError:
            return
        question = line.strip()
        if not line or question.lower() == "exit":
            return
        if question:
            if not quiet:
                print_text("" if typed else f"\n> {question}")
            yield question


@dataclass
class GivenAnswer:
    """An answer of the chat: its text, what it rests on, and the sentence of an error that ended it."""

    question: str
    answered: "Answered"
    text: str = ""
    error: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return what ``chat --json`` prints for one question."""
        from copilot.facts import Facts

        return {
            "question": self.question,
            "answer": self.text,
            "understood": [one.intent for one in self.answered.asked],
            "facts": Facts(self.answered.facts).to_json(Translator(self.answered.language)),
            "next_questions": list(self.answered.next_questions),
            "error": self.error,
        }


def _answer_question(
    engine: "Engine",
    opening: "Sequence[Message]",
    question: str,
    facts: "Facts",
    turns: "Sequence[Turn]",
    translate: Translator,
    *,
    quiet: bool,
) -> GivenAnswer:
    """Stream one answer and return it.

    Args:
        engine: the language model.
        opening: the result's messages and its raw answer.
        question: what the person typed.
        facts: about the result.
        turns: earlier ones.
        translate: translator for the language of the output.
        quiet: whether nothing is printed.
    """
    from copilot.chat import Answered, ask
    from copilot.chat.understanding import OUTSIDE
    from copilot.cli_output import ProgressBar, ResultPrinter, print_text
    from copilot.llm.base import EngineError, Token
    from copilot.safety.region import find_terminal_region

    answer = GivenAnswer(question, Answered())
    progress, report = ProgressBar(translate(N_("Reading the question")), translate), ResultPrinter(translate)
    try:
        for event in ask(engine, opening, question, facts, turns, find_terminal_region()):
            if isinstance(event, Answered):
                answer.answered = event
                continue
            progress.show(event)
            answer.text += event.text if isinstance(event, Token) else ""
            if not quiet:
                report.show(event)
        if not quiet:
            print_text("")
            if any(one.intent == OUTSIDE for one in answer.answered.asked):
                print_text("\n".join(f"- {offered}" for offered in answer.answered.next_questions))
            if used := answer.answered.facts:
                print_text(translate(N_("(facts: {keys})", keys=tuple(fact.key for fact in used))))
    except KeyboardInterrupt:
        answer.error = translate(ANSWER_STOPPED)
        print(f"\n{answer.error}", file=sys.stderr if quiet else sys.stdout)
    except EngineError as error:
        answer.error = translate(error.args[0])
        _print_error(error, translate)
    finally:
        progress.clear()
    return answer


def _make_translator() -> Translator:
    """Return the translator for an error that ends a command: of the settings, English if they cannot be read."""
    from copilot.settings import Settings, SettingsError

    try:
        return Translator(Settings.from_environment().language or "en")
    except SettingsError:
        return Translator("en")


def _print_error(error: Exception, translate: Translator) -> int:
    """Print the error in one sentence; return the exit status."""
    from copilot.errors import CopilotError
    from copilot.text import normalise_line

    if isinstance(error, CopilotError):
        print(normalise_line(translate(error.args[0])), file=sys.stderr)  # it may quote a server or a model file
        return BAD_INPUT
    what = f"{type(error).__name__}: {error}"
    fault = translate(N_("This is a fault of the program, please report it: {what}"), what=what)
    print(normalise_line(fault), file=sys.stderr)
    return FAULT
