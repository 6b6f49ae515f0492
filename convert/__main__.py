"""From a fine-tuned checkpoint to a file that llama.cpp runs: ``python -m convert VERB --help``.

One verb, one module, each also an importable function with the same arguments.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from convert import quantize as quantization
from convert import to_gguf as conversion
from convert.files import ConvertError, read_json
from convert.merge import merge


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; the exit status is 2, after one sentence, where the input cannot be used."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(message)s")
    logging.getLogger("convert").setLevel(logging.INFO)
    try:
        options.run(options)
    except ConvertError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m convert", description="From a checkpoint to a GGUF file.")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    _add_merge(verbs)
    _add_gguf(verbs)
    _add_quantize(verbs)
    return parser


def _add_merge(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verb = verbs.add_parser("merge", help="a LoRA adapter into the checkpoint it was trained on")
    verb.add_argument("--base", type=Path, required=True, help="folder of the checkpoint")
    verb.add_argument("--adapter", type=Path, required=True, help="folder of the adapter, as peft saves it")
    verb.add_argument("--out", type=Path, required=True, help="folder to make")
    verb.set_defaults(run=lambda options: merge(options.base, options.adapter, options.out))


def _add_gguf(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verb = verbs.add_parser("gguf", help="a Qwen2 checkpoint to one GGUF file")
    verb.add_argument("model_dir", type=Path, help="folder of the checkpoint")
    verb.add_argument("--out", type=Path, required=True, help="file to write")
    verb.add_argument("--type", choices=conversion.TYPES, default="f16", help="of the matrices (default: %(default)s)")
    verb.add_argument("--metadata", type=Path, help="JSON object of text values to write as eeg_copilot.* keys")
    verb.set_defaults(run=_run_gguf)


def _add_quantize(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verb = verbs.add_parser("quantize", help="a GGUF file to a smaller type, with a receipt of what it then holds")
    verb.add_argument("source", type=Path, help="GGUF file in f32, f16 or bf16")
    verb.add_argument("--out", type=Path, required=True, help="file to write")
    kinds = ", ".join(quantization.TYPES)
    verb.add_argument("--type", choices=quantization.TYPES, default="Q8_0", metavar="TYPE", help=f"{kinds} (Q8_0)")
    verb.add_argument("--receipt", type=Path, help="write the receipt to this file, as JSON")
    verb.set_defaults(run=_run_quantize)


def _run_gguf(options: argparse.Namespace) -> None:
    metadata = read_json(options.metadata) if options.metadata else {}
    if not all(isinstance(value, str) for value in metadata.values()):
        raise ConvertError(f"{options.metadata} may hold only text values; put the others in quotes.")
    conversion.to_gguf(options.model_dir, options.out, type=options.type, metadata=metadata)


def _run_quantize(options: argparse.Namespace) -> None:
    receipt = quantization.quantize(options.source, options.out, options.type)
    for name, share in receipt.actual.items():
        print(f"{name:6} {share.tensors:5} tensors {share.bytes / 1e6:10.3f} MB")
    for fallback in receipt.fallbacks:
        print(f"{fallback.tensor} fell back to {fallback.type}: its rows of {fallback.row} do not fit {receipt.type}.")
    print(f"{options.out}: {receipt.file_bytes / 1e6:.3f} MB, {receipt.bits_per_weight} bits per weight")
    if options.receipt:
        receipt.write(options.receipt)


if __name__ == "__main__":
    sys.exit(main())
