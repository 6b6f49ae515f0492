"""Compare the logits of llama.cpp and a GGUF file with those of Hugging Face and the checkpoint.

There are two comparisons. *logits*: does the file, without the rounding of its type, compute the same function? Its
copy in float32 and Hugging Face with the numbers of that copy must agree. *precision*: how far is the unchanged file
from the unchanged checkpoint?
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType
from scipy.special import log_softmax

from convert.check.weights import is_float32, read_pieces, write_f32_copy
from convert.checkpoint import Checkpoint, load_model
from convert.eval_prompts import CONVERSATIONS
from convert.files import ConvertError
from convert.gguf.writer import ROPE_FREQS, gguf_tensors, interleave_pairs, turns_rows
from convert.gguf_file import GgufFile
from convert.progress import track_progress
from convert.report import Finding
from convert.speed import usable_threads

Floats = npt.NDArray[np.float32]

SEED = 0
RANDOM_PROMPTS, LONGEST = 10, 100
#: Limit on the difference of two logits, in standard deviations of a prompt's logits. Sums in another order differ by
#: less than a hundredth of it.
BOUND = 0.01
#: The same for two tokens to count as equally likely: the last bit then decides which of them is first.
TIE = 0.001
#: Limit on the divergence from the checkpoint, as a share of that between the checkpoint's own answers at neighbouring
#: positions, which are unrelated: a file as far from the checkpoint as that has lost what the model learned.
BROKEN = 1.0


@dataclass(frozen=True)
class Distance:
    """The difference of two models' logits over all prompts.

    Attributes:
        positions: count of the positions.
        largest: largest difference of two logits, in standard deviations of the first model's logits on that prompt.
        same_top: count of the positions where both rank the same token first.
        ties: count of the positions where they do not, and the two tokens are equally likely (``TIE``).
        kl: mean Kullback-Leibler divergence from the first to the second model, in nats.
        unrelated: mean divergence from the first model to itself one position before, in nats.
        difference: the first difference that is larger than ``BOUND`` or no tie; empty where there is none.
    """

    positions: int
    largest: float
    same_top: int
    ties: int
    kl: float
    unrelated: float
    difference: str


def compare_logits(file: GgufFile, checkpoint: Checkpoint, tokenizer: Any, scratch: Path) -> Iterator[Finding]:
    """Compare the logits on 20 prompts: ten conversations and ten sequences of random tokens.

    Args:
        file: header of the GGUF file.
        checkpoint: the checkpoint to compare with.
        tokenizer: its tokenizer (transformers).
        scratch: folder for the copy in float32, which takes four bytes per number of the model.

    Returns:
        The findings, one after the other.

    Raises:
        ConvertError: one of them cannot be run.
    """
    rng = np.random.default_rng(SEED)
    texts = ["\n".join(message["content"] for message in messages) or "nothing" for messages in CONVERSATIONS]
    prompts = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    sizes = np.linspace(LONGEST / RANDOM_PROMPTS, LONGEST, RANDOM_PROMPTS).astype(int)
    prompts += [rng.integers(0, checkpoint.shape.vocabulary, size).tolist() for size in sizes]
    prompts = [prompt[: min(LONGEST, checkpoint.shape.context)] for prompt in prompts]
    model = load_model(checkpoint)
    distance = _measure_distance(model, file.path, prompts, "Comparing logits")
    if is_float32(file):
        yield _make_logits_finding(distance, "the file", len(prompts))
        return
    share = distance.same_top / distance.positions
    lost = distance.kl / distance.unrelated if distance.unrelated else np.inf
    figure = f"KL divergence {distance.kl:.2g} nats ({lost:.2g} of unrelated answers'), same top token at {share:.1%}"
    broken = f"the file's answers are {lost:.1f} times as far from the checkpoint's as unrelated answers are"
    values = {"kl": distance.kl, "unrelated_kl": distance.unrelated, "same_top": share, "largest": distance.largest}
    difference = "" if lost < BROKEN else broken
    yield Finding("precision", distance.positions, figure, difference, values=values, rounded=True)
    copy = scratch / "f32.gguf"
    write_f32_copy(file, copy)
    _load_file_weights(model, file, checkpoint)
    yield _make_logits_finding(
        _measure_distance(model, copy, prompts, "Comparing in float32"), "its weights in float32", len(prompts)
    )


def _make_logits_finding(distance: Distance, what: str, prompts: int) -> Finding:
    """Make the finding of *logits*; ``what`` is what was compared."""
    figure = (
        f"{what}, {prompts} prompts: largest difference {distance.largest:.2g} standard deviations, "
        f"same top token at {distance.same_top} of {distance.positions} positions"
    )
    if distance.ties:
        figure += f" ({distance.ties} ties)"
    values = {"largest": distance.largest, "same_top": distance.same_top / distance.positions}
    return Finding("logits", distance.positions, figure, distance.difference, values=values)


def _measure_distance(model: Any, path: Path, prompts: Sequence[list[int]], task: str) -> Distance:
    """Compare a model of transformers and a GGUF file on all prompts."""
    import torch

    from copilot.llm.llama_cpp import NativeModel

    try:
        native = NativeModel(path, threads=usable_threads(), context=max(map(len, prompts)), exact=True)
    except ValueError as error:
        raise ConvertError(f"{error}.") from error
    parts = []
    for i, prompt in track_progress(enumerate(prompts, 1), task, len(prompts)):
        ours = np.stack([row.copy() for row in native.all_logits(prompt)])
        with torch.no_grad():
            theirs: Floats = model(input_ids=torch.tensor([prompt]), use_cache=False).logits[0].numpy()
        parts.append(compare_scores(theirs, ours, f"prompt {i}"))
    native.close()
    positions = sum(part.positions for part in parts)
    return Distance(
        positions=positions,
        largest=max(part.largest for part in parts),
        same_top=sum(part.same_top for part in parts),
        ties=sum(part.ties for part in parts),
        kl=sum(part.kl * part.positions for part in parts) / positions,
        unrelated=sum(part.unrelated * part.positions for part in parts) / positions,
        difference=next((part.difference for part in parts if part.difference), ""),
    )


def compare_scores(wanted: Floats, found: Floats, prompt: str) -> Distance:
    """Compare the logits of the checkpoint and of the file on one prompt.

    Args:
        wanted: logits of the checkpoint, shape (positions, vocabulary).
        found: logits of the file, of the same shape.
        prompt: name of the prompt, for the description of a difference.
    """
    spread = float(wanted.std())
    if wanted.shape != found.shape:
        words = f"the file scores {found.shape[1]} tokens, the checkpoint {wanted.shape[1]}"
        return Distance(len(wanted), np.inf, 0, 0, np.inf, 0.0, words)
    off = np.abs(wanted - found)
    tops, positions = found.argmax(1), np.arange(len(wanted))
    behind = wanted.max(1) - wanted[positions, tops]
    turned = behind > TIE * spread
    difference = ""
    if not (spread > 0 and np.isfinite(spread)):
        difference = f"{prompt}: the checkpoint's scores are all the same or no numbers; there is nothing to compare"
    elif wrong := np.flatnonzero(~(off.max(1) <= BOUND * spread) | turned).tolist():
        first = wrong[0]
        one, other = wanted[first], found[first]
        if turned[first]:
            difference = f"the file ranks token {other.argmax()} first, the checkpoint token {one.argmax()}"
        else:
            token = int(np.nan_to_num(off[first], nan=np.inf).argmax())
            difference = f"token {token} scores {other[token]:.5g} in the file, {one[token]:.5g} in the checkpoint"
        difference = f"{prompt}, position {first}: {difference}"
    p, q = (log_softmax(scores.astype(np.float64), axis=1) for scores in (wanted, found))
    return Distance(
        positions=len(wanted),
        largest=float(off.max() / spread),
        same_top=int((wanted.argmax(1) == tops).sum()),
        ties=int(((wanted.argmax(1) != tops) & ~turned).sum()),
        kl=_kl(p, q),
        unrelated=_kl(p, np.roll(p, 1, axis=0)),
        difference=difference,
    )


def _kl(p: npt.NDArray[np.float64], q: npt.NDArray[np.float64]) -> float:
    """Return the mean divergence in nats of two log-probabilities, shape (positions, vocabulary)."""
    return float((np.exp(p) * (p - q)).sum(1).mean())


def _load_file_weights(model: Any, file: GgufFile, checkpoint: Checkpoint) -> None:
    """Replace the weights of Hugging Face's model by those in the file, in Hugging Face's order of rows."""
    import torch

    shape, in_file = checkpoint.shape, {tensor.name: tensor for tensor in file.tensors}
    names = [tensor.name for tensor in gguf_tensors(checkpoint, GGMLQuantizationType.F32) if tensor.name != ROPE_FREQS]
    for name, (source, size) in zip(names, shape.tensors().items(), strict=True):
        numbers = np.concatenate(list(read_pieces(file, in_file[name]))).reshape(size)
        if turns_rows(shape, source):
            turned, numbers = numbers, np.empty_like(numbers)
            numbers[interleave_pairs(np.arange(len(numbers)), shape.head_dim)] = turned
        with torch.no_grad():
            model.get_parameter(source).copy_(torch.from_numpy(numbers))
