"""Train the model of ``copilot.safety.classifier``: ``python -m copilot.training.train_safety``.

multilingual-e5-small, with the word pieces that English, Chinese and some neighbours need, is fine-tuned with one more
layer on the mean of its hidden states, and written as GGUF.

The sentences are in ``safety_sentences.jsonl``, each with the letter of its writer; ``old`` marks most of those in
``tests/data/safety_sentences.toml``. Some questions of ``templates/questions.jsonl`` are harmless ones too, but for the
intents in which people may write of danger. The limits are set on scores from a model that was trained without the
sentence's writer. ``tests/data/safety_unseen.jsonl`` has the sentences of other writers.
"""

import json
import random
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import gguf
import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch.nn import functional

from convert.progress import track_progress
from convert.speed import usable_threads
from copilot.command_line import Parser, command
from copilot.files import write_atomically
from copilot.safety import classifier as reader
from copilot.text import is_chinese
from copilot.training import multilingual_e5
from copilot.training.multilingual_e5 import SPECIAL

SENTENCES = Path(__file__).with_name("safety_sentences.jsonl")
QUESTION = "question"
QUESTIONS = Path(__file__).with_name("templates") / "questions.jsonl"
#: One question of so many is among the harmless sentences, none of those with which somebody may write of danger.
EACH_QUESTION = 6
UNCERTAIN_INTENTS = (
    *("sad", "angry", "afraid", "lonely", "stress", "insult"),
    *("medication", "alcohol_drugs", "illness", "doctor", "therapy"),
)
#: Shares of harmless sentences that read like danger, and of sentences of danger that read like harmless ones.
FALSE_ALARMS, MISSED = 0.03, 0.1
#: One writer of so many is left out when the limits are set.
LEFT_OUT = 4
LAYERS = 12
#: Word pieces that are kept: the most frequent of those in Latin, Chinese and Japanese characters.
PIECES = 24_000
KEPT = re.compile("\u2581?[\x21-\x7e\u00a1-\u017f\u2010-\u203f\u3001-\u30ff\u3400-\u9fff\uff01-\uff5e]*")
EPOCHS, BATCH, RATE, HEAD_RATE = 3, 32, 1e-4, 2e-3
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


def read_questions(path: Path = QUESTIONS) -> list[Sentence]:
    """Read some of the questions to the chat, as harmless sentences; their writers are ``question 1``, and so on."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    harmless = [row for row in rows if row["intent"] not in UNCERTAIN_INTENTS]
    return [Sentence(row["text"], False, f"{QUESTION} {row['writer']}") for row in harmless[::EACH_QUESTION]]


class SafetyModel:
    """A fine-tuned sentence model; ``score`` is the log of the odds that a sentence is about danger."""

    def __init__(self, sentences: Sequence[Sentence], seed: int = 0) -> None:
        torch.manual_seed(seed)
        rng = random.Random(seed)
        self.pieces, self.scores, self.model = _load_base([reader.normalise(sentence.text) for sentence in sentences])
        self.tokenizer = _make_tokenizer(self.pieces, self.scores)
        self.head = torch.nn.Linear(self.model.config.hidden_size, 1)
        layers = self.model.encoder.parameters()
        groups = [{"params": layers, "lr": RATE}, {"params": self.head.parameters(), "lr": HEAD_RATE}]
        optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
        steps = EPOCHS * (len(sentences) // BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [RATE, HEAD_RATE], total_steps=steps, pct_start=0.1)
        self.model.train()
        batches = [batch for _ in range(EPOCHS) for batch in _batches(sentences, rng)]
        for batch in track_progress(batches, "Batches"):
            wanted = torch.tensor([float(sentence.danger) for sentence in batch])
            with torch.autocast("cpu", torch.bfloat16):
                scores = self.forward(batch)
            loss = functional.binary_cross_entropy_with_logits(scores.float(), wanted)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        self.model.eval()

    def forward(self, sentences: Sequence[Sentence]) -> torch.Tensor:
        """Return the scores with their gradients, shape (sentences,)."""
        encoded = self.tokenizer.encode_batch([reader.normalise(sentence.text) for sentence in sentences])
        there = torch.tensor([one.attention_mask for one in encoded])
        tokens = torch.tensor([one.ids for one in encoded])
        hidden = self.model(input_ids=tokens, attention_mask=there).last_hidden_state  # (sentences, pieces, width)
        mean = (hidden.float() * there.unsqueeze(-1)).sum(1) / there.sum(1, keepdim=True)
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
        config = self.model.config
        writer = gguf.GGUFWriter(path, "bert")
        writer.add_name("EEG Emotion Copilot: words of danger")
        writer.add_license("mit")
        writer.add_context_length(reader.LONGEST)
        writer.add_embedding_length(config.hidden_size)
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_block_count(config.num_hidden_layers)
        writer.add_head_count(config.num_attention_heads)
        writer.add_layer_norm_eps(config.layer_norm_eps)
        writer.add_causal_attention(False)
        writer.add_pooling_type(gguf.PoolingType.MEAN)
        writer.add_tokenizer_model("t5")
        writer.add_tokenizer_pre("default")
        writer.add_token_list(self.pieces)
        writer.add_token_scores(self.scores.tolist())
        kinds = [gguf.TokenType.CONTROL] * len(SPECIAL) + [gguf.TokenType.NORMAL] * (len(self.pieces) - len(SPECIAL))
        kinds[SPECIAL.index("<unk>")] = gguf.TokenType.UNKNOWN
        writer.add_token_types(kinds)
        writer.add_token_type_count(config.type_vocab_size)
        writer.add_add_space_prefix(True)
        writer.add_remove_extra_whitespaces(True)
        for name, piece in (("bos", "<s>"), ("eos", "</s>"), ("unk", "<unk>"), ("sep", "</s>"), ("pad", "<pad>")):
            getattr(writer, f"add_{name}_token_id")(SPECIAL.index(piece))
        writer.add_add_bos_token(True)
        writer.add_add_eos_token(True)
        names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, config.num_hidden_layers)
        for name, tensor in self.model.state_dict().items():
            values = tensor.numpy()
            if name.endswith("position_embeddings.weight"):
                values = values[: reader.LONGEST]
            found = names.get_name(name, try_suffixes=(".weight", ".bias"))
            if values.ndim == 1 or "position" in name or "token_type" in name:
                writer.add_tensor(found, values)
                continue
            kind = gguf.GGMLQuantizationType.Q5_1 if "word_embeddings" in name else gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(found, gguf.quants.quantize(values, kind), raw_dtype=kind)  # Q8_0 computes faster
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        weights = self.head.weight.detach().numpy()[0] * SCALE
        return np.append(weights, self.head.bias.detach().numpy()).astype(np.float32)


def _load_base(texts: Sequence[str]) -> tuple[list[str], npt.NDArray[np.float32], torch.nn.Module]:
    """Load multilingual-e5-small without the word pieces that are not needed.

    Args:
        texts: normalised; the pieces of these are kept, then the most frequent others.
    """
    pieces, scores, model = multilingual_e5.load(LAYERS)
    encoded = _make_tokenizer(pieces, scores).encode_batch(list(texts), add_special_tokens=False)
    used = {row for one in encoded for row in one.ids} | set(range(len(SPECIAL)))
    fitting = (row for row in np.argsort(-scores, kind="stable").tolist() if KEPT.fullmatch(pieces[row]))
    others = [row for row in fitting if row not in used]
    kept = sorted([*used, *others[: max(0, PIECES - len(used))]])
    known = model.embeddings.word_embeddings.weight.detach()[kept].clone()
    model.embeddings.word_embeddings = torch.nn.Embedding.from_pretrained(known)
    model.embeddings.requires_grad_(False)  # the vectors of pieces that are rare here keep their meaning
    model.config.vocab_size = len(kept)
    return [pieces[row] for row in kept], scores[kept], model


def _make_tokenizer(pieces: Sequence[str], scores: npt.NDArray[np.float32]) -> Tokenizer:
    """Return a tokenizer as llama.cpp's ``t5``: the most probable pieces, of which each word begins with a mark."""
    vocabulary = list(zip(pieces, scores.tolist(), strict=True))
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=SPECIAL.index("<unk>")))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    ends = [(piece, SPECIAL.index(piece)) for piece in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    tokenizer.enable_padding(pad_id=SPECIAL.index("<pad>"), pad_token="<pad>")
    tokenizer.enable_truncation(reader.LONGEST)
    return tokenizer


def _batches(sentences: Sequence[Sentence], rng: random.Random) -> list[list[Sentence]]:
    """Return all sentences in batches of similar length, in random order; if one is incomplete, one is left out."""
    order = rng.sample(list(sentences), len(sentences))
    batches = []
    for start in range(0, len(order), 8 * BATCH):
        block = sorted(order[start : start + 8 * BATCH], key=lambda sentence: len(sentence.text))
        batches += [block[first : first + BATCH] for first in range(0, len(block), BATCH)]
    return rng.sample(batches, len(batches))[: len(sentences) // BATCH]


def find_limits(sentences: Sequence[Sentence]) -> dict[str, tuple[float, float, float]]:
    """Find for each language the scores below which a sentence is harmless and above which it is danger.

    The sentences of some writers are scored by a model that was trained without them. As few questions to the chat as
    other harmless sentences are above the upper limit.

    Returns:
        The lower limit, the upper limit, and the share of sentences of danger above the upper limit, for ``english``
        (which is every language but Chinese) and ``chinese``.
    """
    writers = sorted({sentence.writer for sentence in sentences})[::LEFT_OUT]
    model = SafetyModel([sentence for sentence in sentences if sentence.writer not in writers])
    limits = {}
    for language in ("english", "chinese"):
        left_out = [
            sentence
            for sentence in sentences
            if sentence.writer in writers and is_chinese(sentence.text) == (language == "chinese")
        ]
        scores, danger = model.score(left_out), np.array([sentence.danger for sentence in left_out])
        question = np.array([sentence.writer.startswith(QUESTION) for sentence in left_out])
        harmless = [scores[~danger & of_chat] for of_chat in (question, ~question) if (~danger & of_chat).any()]
        low, high = np.quantile(scores[danger], MISSED), max(np.quantile(one, 1 - FALSE_ALARMS) for one in harmless)
        limits[language] = float(min(low, high)), float(high), float((scores[danger] > high).mean())
        print(
            f"{language}: {len(left_out)} sentences of writers {', '.join(writers)}; {limits[language][2]:.3f} of "
            f"danger above {high:.2f}, {FALSE_ALARMS} of the others",
            flush=True,
        )
    return limits


@command()
def main(arguments: Sequence[str] | None = None) -> None:
    """Train the model, print its figures and write its files."""
    parser = Parser(
        prog="python -m copilot.training.train_safety", description="Train the model that reads for danger."
    )
    parser.add_argument("--sentences", type=Path, default=SENTENCES)
    parser.add_argument("--out", type=Path, default=reader.MODEL.parent, help="folder of the two files")
    given = parser.parse_args(arguments)
    torch.set_num_threads(usable_threads())
    sentences = [*read_sentences(given.sentences), *read_questions()]
    limits = find_limits(sentences)
    model = SafetyModel(sentences)
    with write_atomically(given.out / reader.MODEL.name) as partial:
        weights = model.write(partial)
    written = {f"{name}_limits": np.array(found[:2], np.float32) - weights[-1] for name, found in limits.items()}
    with write_atomically(given.out / reader.WEIGHTS.name) as partial, partial.open("wb") as file:
        np.savez_compressed(file, weights=weights[:-1], **written)


if __name__ == "__main__":
    sys.exit(main())
