"""What a quantised model computes, beside the model it was made from, on the product's own conversations.

Both models read a prompt and its answer (see ``convert.eval_prompts``). At every token of the answer their
distributions over the vocabulary are compared, and at its first the scores of the emotion labels: token by token,
because a table over a vocabulary of 150,000 would not fit into memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from convert import child_process, eval_prompts
from convert.eval_prompts import EvalPrompt
from convert.files import ConvertError, sha256
from convert.gguf_file import GgufFile
from convert.progress import each
from convert.speed import Speed, conditions, side_by_side, usable_threads

if TYPE_CHECKING:
    from copilot.llm.llama_cpp import NativeModel

#: Tokens that a model reads at once, fewer where it was trained for fewer.
CONTEXT = 2048
ANY_TOKENS = range(256)

Floats = npt.NDArray[np.float64]
Models = tuple["NativeModel", "NativeModel"]


@dataclass(frozen=True)
class MeasuredOn:
    """What the figures hold for.

    Attributes:
        text: name of the file of conversations.
        text_sha256: of that file.
        conversations: how many there are.
        cut: how many of them were shortened, because the model was trained for too small a context.
        answer_tokens: at how many tokens the models were compared.
        speed: how the speeds were measured, and on what machine.
        processor: instruction sets and libraries that llama.cpp was built for and finds there.
    """

    text: str
    text_sha256: str
    conversations: int
    cut: int
    answer_tokens: int
    speed: str
    processor: tuple[str, ...]


@dataclass(frozen=True)
class Measurement:
    """A quantised model beside its source.

    Attributes:
        mean_kl: Kullback-Leibler divergence of its distribution from the source's, mean over the tokens, in nats.
        p99_kl: the 99th percentile.
        perplexity: of the answers.
        source_perplexity: the same for the source.
        same_top1: share of tokens where both find the same token most likely.
        label_agreement: share of conversations where both score the same label highest.
        speed: tokens a second.
        source_speed: the same for the source, in turns with it.
        measured_on: text and machine.
    """

    mean_kl: float
    p99_kl: float
    perplexity: float
    source_perplexity: float
    same_top1: float
    label_agreement: float
    speed: Speed
    source_speed: Speed
    measured_on: MeasuredOn


def measure(source: GgufFile, quantised: Path, name: str) -> Measurement:
    """Compare a quantised model, here called ``name``, with its source, in a child process.

    Raises:
        ConvertError: llama.cpp cannot run one of them, the source's chat template is broken, or scores are not numbers.
    """
    template = str(source.metadata.get("tokenizer.chat_template", ""))
    context = min(CONTEXT, source.trained_context or CONTEXT)
    # Any tokens do for the speed: a dense model takes the same time for all.
    speeds = side_by_side([(path, ANY_TOKENS) for path in (source.path, quantised)])
    return child_process.run(_compare_all, source.path, quantised, template, context, f"Comparing {name}", speeds)


def _compare_all(
    source: Path, quantised: Path, template: str, context: int, doing: str, speeds: Sequence[Speed]
) -> Measurement:
    models = _open(source, context), _open(quantised, context)
    whole = eval_prompts.read_probes(models[0], template)
    fitting = [probe.cut_to(context) for probe in whole]
    compared = [_compare(models, probe) for probe in each(fitting, doing)]
    if not all(np.isfinite(comparison.kl).all() for comparison in compared):
        raise ConvertError(f"{quantised.name} cannot be compared with its source: their scores are not all numbers.")
    return _summary(compared, speeds, _measured_on(whole, fitting))


def _measured_on(whole: Sequence[EvalPrompt], fitting: Sequence[EvalPrompt]) -> MeasuredOn:
    return MeasuredOn(
        text=eval_prompts.FILE.name,
        text_sha256=sha256(eval_prompts.FILE),
        conversations=len(whole),
        cut=sum(probe != cut for probe, cut in zip(whole, fitting, strict=True)),
        answer_tokens=sum(len(probe.answer) for probe in fitting),
        speed=conditions(),
        processor=_processor(),
    )


def _processor() -> tuple[str, ...]:
    import llama_cpp

    said = llama_cpp.llama_print_system_info().decode().split(":", 1)[-1]
    pairs = [part.split("=") for part in said.split("|") if "=" in part]
    return tuple(name.strip() for name, value in pairs if value.strip() != "0")


def _summary(compared: Sequence["_Comparison"], speeds: Sequence[Speed], on: MeasuredOn) -> Measurement:
    kl, surprise, same = (np.concatenate([getattr(c, name) for c in compared]) for name in ("kl", "surprise", "same"))
    return Measurement(
        mean_kl=float(kl.mean()),
        p99_kl=float(np.percentile(kl, 99)),
        perplexity=float(np.exp(surprise[:, 1].mean())),
        source_perplexity=float(np.exp(surprise[:, 0].mean())),
        same_top1=float(same.mean()),
        label_agreement=float(np.mean([comparison.same_label for comparison in compared])),
        speed=speeds[1],
        source_speed=speeds[0],
        measured_on=on,
    )


def _open(path: Path, context: int) -> "NativeModel":
    from copilot.llm.llama_cpp import NativeModel

    try:
        return NativeModel(path, threads=usable_threads(), context=context, exact=True)
    except ValueError as error:
        raise ConvertError(f"llama.cpp cannot run {path}.") from error


@dataclass(frozen=True)
class _Comparison:
    """One conversation; arrays over the tokens of its answer, ``surprise`` (nats) for the source and the quantised."""

    kl: Floats
    surprise: Floats
    same: npt.NDArray[np.bool_]
    same_label: bool


def _compare(models: Models, probe: EvalPrompt) -> _Comparison:
    for model in models:
        _read_prompt(model, probe.prompt)
    following = [probe.prompt[-1], *probe.answer[:-1]]
    rows = zip(*(model.all_logits(following, kept=len(probe.prompt) - 1) for model in models), strict=True)
    kl, surprise, same = [], [], []
    first: list[Floats] = []
    for token, pair in zip(probe.answer, rows, strict=True):
        p, q = (log_softmax(row.astype(np.float64)) for row in pair)
        kl.append(np.exp(p) @ (p - q))
        surprise.append((-p[token], -q[token]))
        same.append(p.argmax() == q.argmax())
        first = first or [p, q]
    best = [int(np.argmax(_label_scores(model, probe, row))) for model, row in zip(models, first, strict=True)]
    return _Comparison(np.array(kl), np.array(surprise), np.array(same), best[0] == best[1])


def _read_prompt(model: "NativeModel", prompt: Sequence[int]) -> None:
    """Make the context hold the prompt but for its last token, which is read with the answer: its scores count."""
    from copilot.llm.llama_cpp import BATCH

    model.keep(min(eval_prompts.shared(model.context_tokens, prompt), len(prompt) - 1))
    for start in range(len(model.context_tokens), len(prompt) - 1, BATCH):
        model.read(prompt[start : min(start + BATCH, len(prompt) - 1)])


def _label_scores(model: "NativeModel", probe: EvalPrompt, first: Floats) -> list[float]:
    """Log-probability of each label behind the prompt; ``first`` are those of its first token."""
    scores = []
    for label in probe.labels:
        score = first[label[0]]
        for token, row in zip(label[1:], model.all_logits(label[:-1], kept=len(probe.prompt)), strict=True):
            score += log_softmax(row.astype(np.float64))[token]
        scores.append(float(score))
    return scores
