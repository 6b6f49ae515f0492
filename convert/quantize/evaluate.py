"""Compare a quantised model with its source on the product's own conversations.

Both models read a prompt and its answer (see ``convert.eval_prompts``). At every token of the answer their
distributions over the vocabulary are compared, and at the first token also the scores of the emotion labels. This is
done token by token, because a table over a vocabulary of 150,000 would not fit into memory.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from convert import eval_prompts
from convert.eval_prompts import EvalPrompt
from convert.files import ConvertError
from convert.gguf_file import GgufFile
from convert.progress import track_progress
from convert.receipts import MeasuredOn, Measurement
from convert.speed import Speed, describe_conditions, measure_speeds, usable_threads
from copilot import child_process
from copilot.files import hash_file

if TYPE_CHECKING:
    from copilot.llm.llama_cpp import NativeModel

#: Context in tokens, smaller where a model was trained for a smaller one.
CONTEXT = 2048
ANY_TOKENS = range(256)

Floats = npt.NDArray[np.float64]
Models = tuple["NativeModel", "NativeModel"]


def measure(source: GgufFile, quantised: Path, name: str) -> Measurement:
    """Compare a quantised model with its source, in a child process.

    Args:
        source: header of the source.
        quantised: GGUF file of the quantised model.
        name: name of the quantised model for the progress bar.

    Raises:
        ConvertError: llama.cpp cannot run one of them, the source's chat template is broken, or some logits are not
            finite.
    """
    template = str(source.metadata.get("tokenizer.chat_template", ""))
    context = min(CONTEXT, source.trained_context or CONTEXT)
    # Any tokens are right for the speed: a dense model takes the same time for all.
    speeds = measure_speeds([(path, ANY_TOKENS) for path in (source.path, quantised)])
    return child_process.run(_compare_all, source.path, quantised, template, context, f"Comparing {name}", speeds)


def _compare_all(
    source: Path, quantised: Path, template: str, context: int, task: str, speeds: Sequence[Speed]
) -> Measurement:
    """Compare both models on all conversations; only for a child process."""
    import llama_cpp

    models = _open_model(source, context), _open_model(quantised, context)
    whole = eval_prompts.read_eval_prompts(models[0], template)
    fitting = [eval_prompt.shorten(context) for eval_prompt in whole]
    compared = [_compare_models(models, eval_prompt) for eval_prompt in track_progress(fitting, task)]
    kl, surprise, same = (np.concatenate(parts) for parts in list(zip(*compared, strict=True))[:3])
    if not np.isfinite(kl).all():
        raise ConvertError(f"{quantised.name} cannot be compared with its source: their scores are not all numbers.")
    info = llama_cpp.llama_print_system_info().decode().split(":", 1)[-1]
    features = [part.split("=") for part in info.split("|") if "=" in part]
    return Measurement(
        mean_kl=float(kl.mean()),
        p99_kl=float(np.percentile(kl, 99)),
        perplexity=float(np.exp(surprise[:, 1].mean())),
        source_perplexity=float(np.exp(surprise[:, 0].mean())),
        same_top1=float(same.mean()),
        label_agreement=float(np.mean([same_label for *_, same_label in compared])),
        speed=speeds[1],
        source_speed=speeds[0],
        measured_on=MeasuredOn(
            text=eval_prompts.FILE.name,
            text_sha256=hash_file(eval_prompts.FILE),
            conversations=len(whole),
            cut=sum(eval_prompt != cut for eval_prompt, cut in zip(whole, fitting, strict=True)),
            answer_tokens=sum(len(eval_prompt.answer) for eval_prompt in fitting),
            speed=describe_conditions(),
            processor=tuple(name.strip() for name, value in features if value.strip() != "0"),
        ),
    )


def _open_model(path: Path, context: int) -> "NativeModel":
    from copilot.llm.llama_cpp import NativeModel

    try:
        return NativeModel(path, threads=usable_threads(), context=context, exact=True)
    except ValueError as error:
        raise ConvertError(f"llama.cpp cannot run {path}.") from error


def _compare_models(models: Models, eval_prompt: EvalPrompt) -> tuple[Floats, Floats, npt.NDArray[np.bool_], bool]:
    """Compare the source and the quantised model on one conversation.

    Returns:
        Divergence at each token of the answer, in nats, shape (tokens,); negative log-probability of each token, in
        nats, for source and quantised model, shape (tokens, 2); whether both models find the same token most likely,
        shape (tokens,); whether both score the same label highest.
    """
    from copilot.llm.llama_cpp import BATCH

    prompt = eval_prompt.prompt
    for model in models:  # the last token is read with the answer, because its logits are compared
        model.keep(min(eval_prompts.count_shared(model.context_tokens, prompt), len(prompt) - 1))
        for start in range(len(model.context_tokens), len(prompt) - 1, BATCH):
            model.read(prompt[start : min(start + BATCH, len(prompt) - 1)])
    tokens = [prompt[-1], *eval_prompt.answer[:-1]]
    rows = zip(*(model.all_logits(tokens, kept=len(prompt) - 1) for model in models), strict=True)
    kl, surprise, same = [], [], []
    first: list[Floats] = []
    for token, pair in zip(eval_prompt.answer, rows, strict=True):
        p, q = (log_softmax(row.astype(np.float64)) for row in pair)
        kl.append(np.exp(p) @ (p - q))
        surprise.append((-p[token], -q[token]))
        same.append(p.argmax() == q.argmax())
        first = first or [p, q]
    best = []
    for model, after_prompt in zip(models, first, strict=True):
        scores = []  # log-probability of each label, in nats
        for label in eval_prompt.labels:
            rest = zip(label[1:], model.all_logits(label[:-1], kept=len(prompt)), strict=True)
            following = (log_softmax(row.astype(np.float64))[token] for token, row in rest)
            scores.append(sum(following, start=after_prompt[label[0]]))
        best.append(int(np.argmax(scores)))
    return np.array(kl), np.array(surprise), np.array(same), best[0] == best[1]
