"""From a fine-tuned checkpoint to files that llama.cpp, Ollama and the Hub run: ``python -m convert VERB --help``.

One verb, one module, each also an importable function with the same arguments.
"""

import argparse
import importlib
import json
import logging
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from convert.files import ConvertError

#: Verb -> its module and what it does.
VERBS = {
    "plan": ("plan", "which pruned shapes reload, run and quantise well"),
    "merge": ("merge", "a LoRA adapter into the checkpoint it was trained on"),
    "trim": ("trim", "a vocabulary cut to what a corpus needs"),
    "gguf": ("to_gguf", "a checkpoint to one GGUF file, or an adapter to a GGUF LoRA"),
    "quantize": ("quantize", "a GGUF file to smaller types, each with a receipt of what it then holds and computes"),
    "check": ("check", "whether a GGUF file computes, reads and talks as its checkpoint does"),
    "ollama": ("ollama", "a Modelfile, and the files that Ollama reads on the Hub"),
    "publish": ("publish", "a folder of files to the Hugging Face Hub"),
    "all": ("everything", "base and adapter to a folder ready for all of these"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    Returns:
        0, or 1 where the verb's question was answered with no, or 2, after one sentence, where the input cannot be
        used or the work was interrupted.
    """
    options = _parse(list(sys.argv[1:] if arguments is None else arguments))
    logging.basicConfig(format="%(message)s")
    logging.getLogger("convert").setLevel(logging.INFO)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        report = options.run(options)
    except ConvertError as error:
        return _refuse(str(error), options.json)
    except KeyboardInterrupt:
        return _refuse("Interrupted; nothing unfinished was kept.", options.json)
    except MemoryError:
        return _refuse("There is not enough memory for this model.", options.json)
    finally:
        signal.signal(signal.SIGTERM, before)
    print(json.dumps(report.as_dict(), indent=2) if options.json else "\n".join(report.lines()))
    return 0 if report.passed else 1


def _parse(arguments: list[str]) -> argparse.Namespace:
    """Only the verb that is asked for is imported: some need torch, which takes seconds."""
    parser = argparse.ArgumentParser(prog="python -m convert", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for name, (module, help) in VERBS.items():
        verb = verbs.add_parser(name, help=help, description=help)
        if arguments[:1] == [name]:
            verb_module = importlib.import_module(f"convert.{module}")
            verb_module.add_arguments(verb)
            verb.add_argument("--json", action="store_true", help="print the result as JSON")
            verb.set_defaults(run=verb_module.run)
    return parser.parse_args(arguments)


def _refuse(sentence: str, as_json: bool) -> int:
    print(sentence, file=sys.stderr)
    if as_json:
        print(json.dumps({"error": sentence}))
    return 2


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
