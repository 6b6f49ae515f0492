"""Measure how fast llama.cpp runs some GGUF files, alternating between them in one process."""

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from convert.files import ConvertError
from convert.progress import track_progress
from copilot import child_process

ROUNDS = 5
PROMPT_TOKENS, DECODED_TOKENS = 256, 32
TOKENS = PROMPT_TOKENS + DECODED_TOKENS


@dataclass(frozen=True)
class Speed:
    """The speed of a model, medians over ``ROUNDS``.

    Attributes:
        prompt: tokens per second while a prompt is read.
        decode: tokens per second while an answer is written, token by token.
    """

    prompt: float
    decode: float


def measure_speeds(models: Sequence[tuple[Path, Sequence[int]]]) -> list[Speed]:
    """Measure the speed of GGUF files.

    Args:
        models: each file with its own token ids of the same text; they are repeated where they are too few.

    Returns:
        The speed of each file, in the same order.

    Raises:
        ConvertError: llama.cpp cannot load a file.
    """
    return child_process.run(_time_models, [(path, list(tokens)) for path, tokens in models])


def describe_conditions() -> str:
    """Describe how and on what machine the speed was measured."""
    return (
        f"llama.cpp, {usable_threads()} threads, {processor()}; medians of {ROUNDS} alternating rounds after one that "
        f"was not counted, {PROMPT_TOKENS} prompt tokens and {DECODED_TOKENS} decoded"
    )


def _time_models(models: list[tuple[Path, list[int]]]) -> list[Speed]:
    from copilot.llm.llama_cpp import NativeModel

    try:
        loaded = [NativeModel(path, threads=usable_threads(), context=TOKENS) for path, _ in models]
    except ValueError as error:
        raise ConvertError(f"{error}.") from error
    texts = [(tokens * (TOKENS // len(tokens) + 1))[:TOKENS] for _, tokens in models]
    rounds: list[list[tuple[float, float]]] = []
    for _ in track_progress(range(1 + ROUNDS), "Measuring speed"):
        rounds.append([])
        for model, text in zip(loaded, texts, strict=True):
            model.keep(0)
            begun = time.perf_counter()
            model.read(text[:PROMPT_TOKENS])
            model.logits()  # wherever a token would be chosen
            between = time.perf_counter()
            for token in text[PROMPT_TOKENS:]:
                model.read([token])
                model.logits()
            rounds[-1].append((between - begun, time.perf_counter() - between))  # prompt and answer
    counted = rounds[1:]  # the first is slower: the weights come from the disk, and the processor's clock rises
    return [
        Speed(PROMPT_TOKENS / median(p for p, _ in times), DECODED_TOKENS / median(d for _, d in times))
        for times in zip(*counted, strict=True)
    ]


def usable_threads() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def processor() -> str:
    """Return the manufacturer's name of this machine's processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
