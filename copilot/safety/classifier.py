"""Classify how much a text reads like words of danger, by a small trained model (see ``judge_text``).

``danger.gguf`` is multilingual-e5-small (Wang et al. 2024, arXiv 2402.05672), fine-tuned on sentences in English and
Chinese; ``weights.npz`` has the last layer and the limits. ``python -m copilot.training.train_safety`` makes both files
and measures them.
"""

import atexit
import os
import re
import unicodedata
from functools import cache
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from copilot.safety.normalise import APOSTROPHES, load_simplified
from copilot.text import is_chinese

MODEL, WEIGHTS = (Path(__file__).with_name(name) for name in ("danger.gguf", "weights.npz"))
#: Word pieces of a text that are read.
LONGEST = 256
Judgement = Literal["danger", "unclear", "harmless"]
#: Characters of a text from which it is read in larger pieces and once, so that it does not take seconds.
LONG = 1000
#: A sentence, with those before it if they are short (of a long text, shorter than 100 characters); a long one is cut.
_PIECE, _LARGER_PIECE = (
    re.compile(rf".{{1,{least}}}.{{0,{300 - least}}}?(?:[.!?\u3002\uff01\uff1f;\uff1b\n]+\s*|$)|.{{1,300}}", re.DOTALL)
    for least in (25, 100)
)
#: HTML tags, images in Markdown, addresses and more than 40 letters without a space, which are no words of a person.
_MARKUP = re.compile(
    r"</?[a-zA-Z][\w-]{0,30}(?:\s[^<>]{0,200}=[^<>]{0,200})?/?>|!\[[^\[\]]{0,200}\]\([^()\s]{0,300}\)|https?://\S{1,500}"
    r"|[!-~]{41,1000}"
)
_in_use = Lock()


def judge_text(text: str) -> Judgement:
    """Judge a text by each of its sentences, and by two short neighbours together; the worst of them counts.

    A text of more than ``LONG`` characters is judged by several sentences together.

    ``danger``: 97 of 100 harmless sentences read less like it. ``harmless``: 90 of 100 sentences of danger read more
    like it. Both were measured on people whose sentences the models had not seen; figures: docs/safety.md.
    """
    text = _MARKUP.sub(" ", text)
    long = len(text) > LONG
    pieces = [piece for piece in (_LARGER_PIECE if long else _PIECE).findall(text) if len(piece.strip()) > 1]
    together = [] if long else [pair for pair in map("".join, pairwise(pieces)) if len(pair) <= 300]
    found = {_judge_sentence(piece) for piece in (*pieces, *together)}
    return next((judgement for judgement in ("danger", "unclear") if judgement in found), "harmless")


def normalise(sentence: str) -> str:
    """Return a sentence as the model reads it: lower-case letters, simplified characters, plain marks and spaces."""
    plain = unicodedata.normalize("NFKC", APOSTROPHES.sub("'", sentence)).lower().translate(load_simplified())
    return " ".join("".join(c for c in plain if unicodedata.category(c) != "Cf").split())


def _judge_sentence(sentence: str) -> Judgement:
    files = _load_weights()
    limits = files["chinese_limits" if is_chinese(sentence) else "english_limits"]
    with _in_use:
        score = files["weights"] @ np.array(_load_model().embed(normalise(sentence), normalize=True))
    return "harmless" if score < limits[0] else "unclear" if score <= limits[1] else "danger"


@cache
def _load_weights() -> dict[str, npt.NDArray[np.float32]]:
    with np.load(WEIGHTS) as file:
        return {name: file[name] for name in file.files}


@cache
def _load_model() -> Any:
    from llama_cpp import Llama

    sizes = dict.fromkeys(("n_ctx", "n_batch", "n_ubatch"), LONGEST)
    model = Llama(str(MODEL), embedding=True, n_threads=min(2, os.cpu_count() or 1), verbose=False, **sizes)
    atexit.register(model.close)  # before llama.cpp is unloaded
    return model
