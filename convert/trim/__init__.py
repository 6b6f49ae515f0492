"""Cut a checkpoint's vocabulary to the tokens a corpus needs; any other text can still be tokenised.

``python -m convert trim --model DIR --corpus FILE [FILE ...] --out DIR``

A small model consists mostly of its embedding, and llama.cpp reads all of it for every token it writes. The verb keeps
the tokens of the corpus, all 256 bytes, every added token (control tokens are among them), the words of the chat
template, letters and digits (EEG is encoded in them), and the tokens that all of these are merged from. The tokens that
the tokenizer learned first fill their number up to a multiple of 64.
"""

import argparse
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from convert import speed
from convert.checkpoint import (
    CONFIG,
    GENERATION,
    SPECIAL_MAP,
    TEMPLATE,
    TOKENIZER,
    TOKENIZER_CONFIG,
    Checkpoint,
    TokenizerFiles,
)
from convert.files import ConvertError, read_json, scratch_folder
from convert.gguf import to_gguf
from convert.progress import track_progress
from convert.report import VerbResult
from convert.trim.tokens import (
    ByteLevelBpe,
    CorpusTokens,
    encode_text,
    find_named_ids,
    find_template_tokens,
    read_texts,
    renumber_config,
)
from convert.weights import rewrite_weights
from copilot.errors import CopilotError
from copilot.files import new_folder

#: llama.cpp has faster kernels for matrices whose rows are a multiple of 8 or 16; frameworks pad to 64.
ROWS_MULTIPLE = 64
EMBEDDINGS = ("model.embed_tokens.weight", "lm_head.weight")
CONFIGS = (CONFIG, GENERATION, TOKENIZER_CONFIG)


@dataclass(frozen=True)
class Counts:
    """The size of a model.

    Attributes:
        tokens: count of the tokenizer's tokens.
        rows: count of the embedding's rows.
        parameters: count of the numbers in all weights.
        bytes: size of all weights as stored.
    """

    tokens: int
    rows: int
    parameters: int
    bytes: int

    @classmethod
    def of(cls, checkpoint: Checkpoint, tokenizer: Tokenizer) -> "Counts":
        """Count the tokens, rows, parameters and bytes of a checkpoint and its tokenizer."""
        shape, stored = checkpoint.shape, checkpoint.stored
        weights = sum(stored[name].data_range.size for name in shape.tensors())
        return cls(tokenizer.get_vocab_size(), shape.vocabulary, shape.parameters, weights)


@dataclass(frozen=True)
class TrimResult(VerbResult):
    """The result of trimming a model.

    Attributes:
        out: folder that was written.
        before: size of the model before trimming.
        after: size of the model after trimming.
        texts: count of the corpus's texts.
        corpus_tokens: count of the tokens of all texts; the same before and after.
        speed_before: speed as F16 in llama.cpp; None where it could not be measured.
        speed_after: the same after trimming, measured in the same run.
        measured_on: how the speed was measured, or why it was not.
        files: name of a weights' file -> its SHA-256.
        seconds: duration of the whole run.
    """

    out: str
    before: Counts
    after: Counts
    texts: int
    corpus_tokens: int
    speed_before: speed.Speed | None
    speed_after: speed.Speed | None
    measured_on: str
    files: dict[str, str]
    seconds: float

    def lines(self) -> list[str]:
        """Return the result as lines of text for people."""
        rows = [("", "before", "after", "ratio")]
        pairs = [(name, getattr(self.before, name), value) for name, value in asdict(self.after).items()]
        pairs.append(("tokens of the corpus", self.corpus_tokens, self.corpus_tokens))
        if self.speed_before and self.speed_after:
            pairs.append(("prompt tokens/s", self.speed_before.prompt, self.speed_after.prompt))
            pairs.append(("decoded tokens/s", self.speed_before.decode, self.speed_after.decode))
        rows += [(name, f"{before:,.0f}", f"{after:,.0f}", f"{after / before:.2f}") for name, before, after in pairs]
        return [
            *(f"{name:20}  {before:>13}  {after:>13}  {ratio:>5}".rstrip() for name, before, after, ratio in rows),
            f"Speed: {self.measured_on}.",
            f"The corpus ({self.texts:,} texts) is cut into the same tokens as before.",
            *(f"{name}: sha256 {digest}" for name, digest in self.files.items()),
            f"Written to {self.out} in {self.seconds} s.",
        ]


def trim(model: Path, corpus: Sequence[Path], out: Path) -> TrimResult:
    """Write a checkpoint with fewer tokens to a new folder.

    Args:
        model: folder of a Qwen2 or Llama checkpoint with a byte-level BPE tokenizer.
        corpus: files of UTF-8 text; of a ``.jsonl`` file every string in each line's object is used.
        out: the new folder, which must not exist.

    Raises:
        ConvertError, FileError: the model or the corpus cannot be used, or ``out`` cannot be written.
    """
    begun = time.monotonic()
    checkpoint, tokenizer_files = Checkpoint.open(model), TokenizerFiles.read(model)
    if tokenizer_files.tokenizer is None:
        raise ConvertError(f"{model} has no {TOKENIZER}; save the tokenizer beside the model.")
    old, used = tokenizer_files.tokenizer, CorpusTokens.of(tokenizer_files.tokenizer, corpus)
    configs = {name: read_json(model / name) for name in CONFIGS if (model / name).exists()}
    wanted = used.distinct | find_template_tokens(old, tokenizer_files.template).union(
        *map(find_named_ids, configs.values())
    )
    known = set(old.get_vocab().values())
    if unknown := wanted - known:
        raise ConvertError(f"The configuration of {model} names {min(unknown)}, which is no token's id.")
    if max(known) >= checkpoint.shape.vocabulary:
        raise ConvertError(f"Token {max(known)} has no row in the embedding of {checkpoint.shape.vocabulary} rows.")

    bpe = ByteLevelBpe.of(old)
    kept = sorted(bpe.fill_up(bpe.add_parts(wanted | bpe.bytes | bpe.added), ROWS_MULTIPLE))
    ids = {token: row for row, token in enumerate(kept)}  # old id -> new id, in order
    new = bpe.cut_tokenizer(ids)
    for text in track_progress(read_texts(corpus), "Comparing tokens"):
        if [ids.get(token) for token in encode_text(old, text)] != encode_text(new, text):
            raise ConvertError(f"The trimmed tokenizer would cut {text[:40]!r} otherwise; this tokenizer is not known.")

    with new_folder(out) as partial:
        _write_other_files(tokenizer_files, configs, ids, partial)
        new.save(str(partial / TOKENIZER))
        files = rewrite_weights(checkpoint, partial, lambda name, rows: rows[kept] if name in EMBEDDINGS else rows)
        before, after, measured_on = _measure_speeds({model: used.first, partial: [ids[token] for token in used.first]})
        return TrimResult(
            out=str(out),
            before=Counts.of(checkpoint, old),
            after=Counts.of(Checkpoint.open(partial), new),
            texts=used.texts,
            corpus_tokens=used.tokens,
            speed_before=before,
            speed_after=after,
            measured_on=measured_on,
            files=files,
            seconds=round(time.monotonic() - begun, 1),
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="checkpoint with its tokenizer")
    parser.add_argument(
        "--corpus", type=Path, required=True, nargs="+", metavar="FILE", help="text, or .jsonl: every string in it"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write; not there yet")
    parser.set_defaults(run=trim)


def _write_other_files(
    tokenizer_files: TokenizerFiles, configs: Mapping[str, dict[str, Any]], ids: Mapping[int, int], folder: Path
) -> None:
    """Write all files but tokenizer and weights, with new ids.

    The files of older tokenizers are left out, because they would repeat the old ids.
    """
    for name, config in configs.items():
        written = renumber_config(config, ids)
        if name == CONFIG:
            written["vocab_size"] = len(ids)
        (folder / name).write_text(json.dumps(written, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for name in (SPECIAL_MAP, "README.md"):
        if (tokenizer_files.folder / name).is_file():
            shutil.copyfile(tokenizer_files.folder / name, folder / name)
    if tokenizer_files.template:
        (folder / TEMPLATE).write_text(tokenizer_files.template, encoding="utf-8", newline="")


def _measure_speeds(models: Mapping[Path, list[int]]) -> tuple[speed.Speed | None, speed.Speed | None, str]:
    """Measure both models as temporary F16 files; a model that llama.cpp cannot run can still be trimmed.

    Args:
        models: folder of a checkpoint -> the token ids to measure it on; the temporary files go to the last folder.

    Returns:
        Speed before and after, and how it was measured, or why it was not.
    """
    try:
        with scratch_folder(list(models)[-1]) as scratch:
            files = [(scratch / f"{i}.gguf", tokens) for i, tokens in enumerate(models.values())]
            for folder, (file, _) in zip(models, files, strict=True):
                to_gguf(folder, file, type="f16")
            before, after = speed.measure_speeds(files)
    except CopilotError as error:
        return None, None, f"not measured: {str(error).rstrip('.')}"
    return before, after, f"F16 files, the corpus's first tokens, {speed.describe_conditions()}"
