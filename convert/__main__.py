"""Convert a fine-tuned checkpoint to files that llama.cpp, Ollama and the Hub run: ``python -m convert VERB --help``.

One verb, one module, each also an importable function with the same arguments.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from convert.files import ConvertError
from copilot.command_line import BAD_INPUT, SUCCESS, Parser, drop_output, explain_error, interrupt_on_signals

#: Exit status where a verb ran and its answer was no.
FAILED_CHECK = 1
#: Verb (also the name of its module) -> what it does, as the help shows it.
VERBS = {
    "plan": "which pruned shapes reload, run and quantise well",
    "merge": "a LoRA adapter into the checkpoint it was trained on",
    "trim": "a vocabulary cut to what a corpus needs",
    "gguf": "a checkpoint to one GGUF file, or an adapter to a GGUF LoRA",
    "quantize": "a GGUF file to smaller types, each with a receipt of what it contains and computes",
    "check": "whether a GGUF file gives the numbers, tokens and chats of its checkpoint",
    "ollama": "a Modelfile, and the files that Ollama reads on the Hub",
    "publish": "a folder of files to the Hugging Face Hub",
    "all": "base and adapter to a folder ready for all of these",
}


class _Parser(Parser):
    """A parser that raises errors in the arguments, because ``--json`` prints them too."""

    def error(self, message: str) -> NoReturn:
        raise ConvertError(f"{message[0].upper()}{message[1:]}; {self.prog} --help says more.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and print its result.

    Args:
        arguments: the command line without the program's name; by default that of the process.

    Returns:
        The exit status: 0; 1 where the verb's question was answered with no; 2, after one sentence on standard error,
        where the input cannot be used or the work was interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    with interrupt_on_signals():
        try:
            options = vars(_parse_arguments(given))
            verb, as_json = options.pop("run"), options.pop("json")
            report = verb(**options)
            _print_text(json.dumps(report.as_dict(), indent=2) if as_json else "\n".join(report.lines()))
        except (Exception, KeyboardInterrupt) as error:
            return _print_error(explain_error(error), given)
        return SUCCESS if report.passed else FAILED_CHECK


def _parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line and import the verb it names, and no other: some need torch, which takes seconds.

    ``add_arguments`` of the verb's module declares the options and sets the function that takes them as ``run``.
    """
    called = Path(sys.argv[0]).stem
    parser = _Parser(prog=called if called == "eeg-copilot-convert" else "python -m convert", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for name, help in VERBS.items():
        verb = verbs.add_parser(name, help=help, description=help)
        if arguments[:1] == [name]:
            importlib.import_module(f"convert.{name}").add_arguments(verb)
            verb.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser.parse_args(arguments)


def _print_text(text: str) -> None:
    """Print to standard output.

    Raises:
        ConvertError: it cannot be written, for example because the disk is full.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        drop_output()
    except OSError as error:
        raise ConvertError(f"It is done, but the result could not be printed: {error.strerror}.") from error


def _print_error(sentence: str, arguments: Sequence[str]) -> int:
    """Print an error, also as JSON where that was asked for, and return the exit status."""
    print(sentence, file=sys.stderr)
    if "--json" in arguments:
        _print_text(json.dumps({"error": sentence}))
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
