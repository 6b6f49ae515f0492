"""Classify how much a text reads like words of danger, by two small trained models (see ``judge_text``).

English is read by four layers of all-MiniLM-L6-v2 (Reimers & Gurevych 2019, arXiv 1908.10084), fine-tuned, in
``english.gguf``; Chinese by the weights of character sequences in ``weights.npz``, which also contains the last layer
for English. ``python -m copilot.training.train_safety`` makes both files and measures them.
"""

import atexit
import re
import zlib
from functools import cache
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from copilot.safety.normalise import normalise_chinese
from copilot.text import is_chinese

ENGLISH, WEIGHTS = (Path(__file__).with_name(name) for name in ("english.gguf", "weights.npz"))
#: Word pieces of a text that are read.
LONGEST = 256
#: Chinese: the longest sequence of characters, and how many weights the sequences share.
SEQUENCE, BUCKETS = 4, 2**16
Judgement = Literal["danger", "unclear", "harmless"]
#: A sentence, with those before it if they are short; a long one is cut.
_PIECE = re.compile(r".{1,25}.{0,275}?(?:[.!?\u3002\uff01\uff1f;\uff1b\n]+\s*|$)|.{1,300}", re.DOTALL)
#: HTML tags, images in Markdown and addresses, which are no words of a person.
_MARKUP = re.compile(
    r"</?[a-zA-Z][\w-]{0,30}(?:\s[^<>]{0,200}=[^<>]{0,200})?/?>|!\[[^\[\]]{0,200}\]\([^()\s]{0,300}\)|https?://\S{1,500}"
)
_in_use = Lock()


def judge_text(text: str) -> Judgement:
    """Judge a text by each of its sentences, and by two short neighbours together; the worst of them counts.

    ``danger``: 97 of 100 harmless sentences read less like it. ``harmless``: 90 of 100 sentences of danger read more
    like it. Both were measured on people whose sentences the models had not seen; figures: docs/safety.md.
    """
    pieces = [piece for piece in _PIECE.findall(_MARKUP.sub(" ", text)) if len(piece.strip()) > 1]
    together = [pair for pair in map("".join, pairwise(pieces)) if len(pair) <= 300]
    found = {_judge_sentence(piece) for piece in (*pieces, *together)}
    return next((judgement for judgement in ("danger", "unclear") if judgement in found), "harmless")


def _judge_sentence(sentence: str) -> Judgement:
    files, language = _load_weights(), "chinese" if is_chinese(sentence) else "english"
    weights, limits = files[language], files[f"{language}_limits"]
    if language == "chinese":
        score = weights[hash_sequences(sentence)].sum()
    else:
        with _in_use:
            score = weights @ np.array(_load_model().embed(sentence, normalize=True))
    return "harmless" if score < limits[0] else "unclear" if score <= limits[1] else "danger"


def hash_sequences(sentence: str) -> npt.NDArray[np.int64]:
    """Return the places of the weights of a Chinese sentence, shape (sequences,).

    There is one for each different sequence of 1 to 4 characters; the first 300 characters are read.
    """
    plain = normalise_chinese(sentence)[:300]
    found = {plain[start : start + n] for n in range(1, SEQUENCE + 1) for start in range(len(plain) - n + 1)}
    return np.array(sorted({zlib.crc32(part.encode()) % BUCKETS for part in found}), dtype=np.int64)


@cache
def _load_weights() -> dict[str, npt.NDArray[np.float32]]:
    with np.load(WEIGHTS) as file:
        return {name: file[name] for name in file.files}


@cache
def _load_model() -> Any:
    from llama_cpp import Llama

    sizes = dict.fromkeys(("n_ctx", "n_batch", "n_ubatch"), LONGEST)
    model = Llama(str(ENGLISH), embedding=True, n_threads=1, verbose=False, **sizes)
    atexit.register(model.close)  # before llama.cpp is unloaded
    return model
