"""Find pruned shapes of a model that can be reloaded, run and quantised, before the long work of pruning.

``python -m convert plan MODEL_DIR`` or ``python -m convert plan 896/14/2/4864`` (hidden/heads/kv/ffn)

Every shape that pruning can produce is tried in Hugging Face and in llama.cpp, with two layers of random weights
(``convert.plan.try_shape``). A dry run of llama.cpp's quantiser gives the types and sizes of each quantised file of all
layers (``convert.plan.file_size``).
"""

import argparse
import os
import re
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from convert.files import ConvertError, read_json
from convert.plan.file_size import compute_sizes, tokenizer_bytes
from convert.plan.plan_report import Judgement, PlanRow, PruningPlan
from convert.plan.pruned_shape import RATIOS, ROUNDINGS, find_obstacle, prune_shape
from convert.plan.try_shape import try_hugging_face, try_llama_cpp
from convert.progress import track_progress
from convert.shape import Shape

HALF = 0.5
#: The shape of https://huggingface.co/Qwen/Qwen2-0.5B; a shape in numbers takes the values it does not give from here.
QWEN2 = Shape(
    architecture="Qwen2ForCausalLM",
    layers=24,
    hidden=896,
    ffn=4864,
    heads=14,
    kv_heads=2,
    head_dim=64,
    vocabulary=151_936,
    context=131_072,
    rms_eps=1e-6,
    rope_base=1e6,
    tied=True,
    biased=True,
)
NUMBER = re.compile("[0-9]{1,10}")
FORM = "hidden/heads/kv/ffn, with /layers/vocabulary and then /head_dim if they are not 24, 151936 and hidden/heads"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument(
        "model", metavar="MODEL|SHAPE", help=f"folder of a checkpoint (its config.json is enough), or a shape: {FORM}"
    )


def run(options: argparse.Namespace) -> PruningPlan:
    """Run the verb with the options of the command line."""
    return plan(options.model)


def plan(model: str | Path) -> PruningPlan:
    """Judge a shape, and the shapes after pruning at every ratio and rounding of ``convert.plan.pruned_shape``.

    Args:
        model: folder of a checkpoint, of which only ``config.json`` and the tokenizer are read, or a shape in numbers
            (``read_shape``).

    Raises:
        ConvertError: the folder does not exist, or the shape is impossible; the message gives the reason.
    """
    begun = time.monotonic()
    shape, tokenizer = _read_model(str(model))
    if reason := find_obstacle(shape):
        raise ConvertError(reason)
    wanted: list[tuple[Fraction | None, int | None, Shape]] = [(None, None, shape)]
    wanted += [(ratio, to, prune_shape(shape, float(ratio), to)) for ratio in RATIOS for to in ROUNDINGS]
    possible = list(dict.fromkeys(found for *_, found in wanted if not find_obstacle(found)))
    judged = _judge_shapes(possible, tokenizer or 0)
    rows = tuple(PlanRow(ratio, to, found, find_obstacle(found), judged.get(found)) for ratio, to, found in wanted)
    return PruningPlan(
        model=str(model),
        rows=rows,
        half=prune_shape(shape, HALF, min(ROUNDINGS)).parameters,
        tokenizer_bytes=tokenizer,
        seconds=round(time.monotonic() - begun, 1),
    )


def read_shape(text: str) -> Shape:
    """Read a Qwen2 shape written as ``hidden/heads/kv/ffn[/layers/vocabulary[/head_dim]]``.

    Raises:
        ConvertError: there are too few or too many numbers, or they are no possible shape.
    """
    numbers = [int(number) if NUMBER.fullmatch(number) else 0 for number in text.split("/")]
    if len(numbers) not in (4, 6, 7) or not all(0 < number < 2**31 for number in numbers):
        raise ConvertError(f"{text[:80]} is no shape; write {FORM}.")
    hidden, heads, kv_heads, ffn = numbers[:4]
    layers, vocabulary = numbers[4:6] or (QWEN2.layers, QWEN2.vocabulary)
    if len(numbers) < 7 and hidden % heads:
        queries, keys = (count * (hidden // heads) for count in (heads, kv_heads))
        raise ConvertError(
            f"{hidden} cannot be divided among {heads} heads: Hugging Face would make queries {queries} and keys "
            f"{keys} wide, which no pruning leaves; give the width of a head as the seventh number."
        )
    return replace(
        QWEN2,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        ffn=ffn,
        layers=layers,
        vocabulary=vocabulary,
        head_dim=numbers[6] if len(numbers) == 7 else hidden // heads,
    )


def _read_model(model: str) -> tuple[Shape, int | None]:
    """Return the shape, and the bytes that its tokenizer adds to a file; None where the tokenizer is not known."""
    folder = Path(model)
    is_folder = os.path.isdir(model)  # unlike pathlib's, it raises no error where a name is too long
    if re.fullmatch(r"[0-9/]+", model) and not is_folder:
        return read_shape(model), None
    if not is_folder:
        raise ConvertError(f"{model[:80]} is neither a folder nor a shape; a shape is {FORM}.")
    shape = Shape.read(read_json(folder / "config.json"))
    has_tokenizer = (folder / "tokenizer.json").is_file()
    return shape, tokenizer_bytes(folder, shape.vocabulary) if has_tokenizer else None


def _judge_shapes(shapes: list[Shape], tokenizer: int) -> dict[Shape, Judgement]:
    """Judge possible shapes; ``tokenizer`` is the number of bytes that the tokenizer adds to each file."""
    sized = compute_sizes(shapes, tokenizer)  # first, because it takes only a second
    ran = [try_llama_cpp(shape) for shape in track_progress(shapes, "Trying llama.cpp", len(shapes))]
    judged = map(Judgement, try_hugging_face(shapes), ran, sized)
    return dict(zip(shapes, judged, strict=True))
