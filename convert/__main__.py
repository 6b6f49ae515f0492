"""From a fine-tuned checkpoint to files that llama.cpp, Ollama and the Hub run: ``python -m convert VERB --help``.

One verb, one module, each also an importable function with the same arguments.
"""

import argparse
import contextlib
import importlib
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import NoReturn

from convert.files import ConvertError, first_line

#: Verb, which is also the name of its module, and what it does.
VERBS = {
    "plan": "which pruned shapes reload, run and quantise well",
    "merge": "a LoRA adapter into the checkpoint it was trained on",
    "trim": "a vocabulary cut to what a corpus needs",
    "gguf": "a checkpoint to one GGUF file, or an adapter to a GGUF LoRA",
    "quantize": "a GGUF file to smaller types, each with a receipt of what it then holds and computes",
    "check": "whether a GGUF file computes, reads and talks as its checkpoint does",
    "ollama": "a Modelfile, and the files that Ollama reads on the Hub",
    "publish": "a folder of files to the Hugging Face Hub",
    "all": "base and adapter to a folder ready for all of these",
}


class _Parser(argparse.ArgumentParser):
    """Arguments that cannot be understood are refused like everything else: in one sentence."""

    def error(self, message: str) -> NoReturn:
        raise ConvertError(f"{message[0].upper()}{message[1:]}; {self.prog} --help says more.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    Returns:
        0, or 1 where the verb's question was answered with no, or 2, after one sentence, where the input cannot be
        used or the work was interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    with _interruptible():
        try:
            options = _parse(given)
            report = options.run(options)
            _say(json.dumps(report.as_dict(), indent=2) if options.json else "\n".join(report.lines()))
        except ConvertError as error:
            return _refuse(str(error), given)
        except KeyboardInterrupt:
            return _refuse("Interrupted; nothing unfinished was kept.", given)
        except MemoryError:
            return _refuse("There is not enough memory for this model.", given)
        except Exception as error:
            logging.getLogger("convert").debug("Unforeseen", exc_info=error)
            kind = type(error).__name__
            return _refuse(f"This should not happen, please report it: {kind}: {first_line(error)}.", given)
        return 0 if report.passed else 1


def _parse(arguments: list[str]) -> argparse.Namespace:
    """Only the verb that is asked for is imported: some need torch, which takes seconds."""
    parser = _Parser(prog="python -m convert", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for name, help in VERBS.items():
        verb = verbs.add_parser(name, help=help, description=help)
        if arguments[:1] == [name]:
            verb_module = importlib.import_module(f"convert.{name}")
            verb_module.add_arguments(verb)
            verb.add_argument("--json", action="store_true", help="print the result as JSON")
            verb.set_defaults(run=verb_module.run)
    return parser.parse_args(arguments)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Being asked to end, or losing the terminal, is like Ctrl-C: what is unfinished is removed."""
    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) != signal.SIG_IGN]  # nohup
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:  # as by ``| head``: who reads has enough; Python must not try again at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise ConvertError(f"It is done, but the result could not be printed: {error.strerror}.") from error


def _refuse(sentence: str, arguments: Sequence[str]) -> int:
    print(sentence, file=sys.stderr)
    if "--json" in arguments:
        _say(json.dumps({"error": sentence}))
    return 2


if __name__ == "__main__":
    sys.exit(main())
