"""Read the folder of a Hugging Face checkpoint: its tensors, a few rows at a time, its tokenizer and chat template.

Tensors are read without torch and without loading a model, so that the numbers are exactly those of the file, and only
those that were asked for are in memory. ``load_model`` loads all of them as a model of transformers.
"""

import json
import reprlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf.utility import LocalTensor, SafetensorsLocal
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer

from convert.files import ConvertError, read_json
from convert.shape import Shape
from copilot.text import first_line

TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
TEMPLATE = "chat_template.jinja"
CONFIG = "config.json"
GENERATION = "generation_config.json"
SPECIAL_MAP = "special_tokens_map.json"
#: These are copied unchanged, so that the merged model tokenises as before.
TOKENIZER_FILES = (TOKENIZER, TOKENIZER_CONFIG, SPECIAL_MAP, "added_tokens.json", "vocab.json", "merges.txt")
#: Files in the folder of an adapter that peft saved.
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
#: Stored type -> numpy's type; little-endian integers where numpy has no such float.
STORED_TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}


@dataclass(frozen=True)
class Checkpoint:
    """A folder with ``config.json`` and safetensors files that contain exactly the tensors it implies.

    Attributes:
        folder: the folder.
        config: content of ``config.json``.
        shape: the model's shape, read from the configuration.
        stored: name of a tensor -> where it is stored.
    """

    folder: Path
    config: dict[str, Any]
    shape: Shape
    stored: dict[str, LocalTensor]

    @classmethod
    def open(cls, folder: Path) -> "Checkpoint":
        """Read the configuration and the headers of the weights' files; the weights are not read.

        Raises:
            ConvertError: the folder is no checkpoint of a known architecture, is incomplete or truncated, or has
                tensors that do not belong to the model.
        """
        config = read_json(folder / CONFIG)
        shape = Shape.read(config)
        stored = locate_tensors(folder)
        expected = shape.tensors()
        for name, tensor in stored.items():
            if tensor.shape != expected.get(name, tensor.shape):
                raise ConvertError(f"{name} is {tensor.shape} where config.json wants {expected[name]}.")
            if tensor.dtype not in STORED_TYPES:
                raise ConvertError(f"{name} is stored as {tensor.dtype}; start from unquantised weights.")
        if missing := expected.keys() - stored.keys():
            raise ConvertError(f"{folder} is not complete: {min(missing)} is missing.")
        if unknown := stored.keys() - expected.keys() - {"lm_head.weight"}:
            raise ConvertError(f"{folder} contains {min(unknown)}, which does not belong to this model.")
        if "lm_head.weight" in stored and shape.tied:
            for start in range(0, shape.vocabulary, 4096):
                names = ("lm_head.weight", "model.embed_tokens.weight")
                head, embedding = (read_rows(stored[name], start, start + 4096) for name in names)
                if not np.array_equal(head, embedding):  # the model would compute something else
                    raise ConvertError("config.json says that output and embedding are tied, but their weights differ.")
        return cls(folder, config, shape, stored)

    def read_rows(self, name: str, start: int = 0, stop: int | None = None) -> npt.NDArray[np.float32]:
        """Read a tensor, or some of its rows; see ``read_rows`` below.

        Args:
            name: the tensor's name.
            start: first row.
            stop: row after the last; None for all.

        Returns:
            The rows in float32, which every stored type fits in; shape (rows, ...) as in the checkpoint.
        """
        return read_rows(self.stored[name], start, stop)


def locate_tensors(folder: Path, files: str = "model*.safetensors") -> dict[str, LocalTensor]:
    """Find where each tensor is stored.

    The library that defines the format checks that the header's offsets fit the tensors' sizes and the file. Only files
    in the folder itself are read, whatever an index file names.

    Args:
        folder: the checkpoint's or adapter's folder.
        files: pattern of the files' names.

    Returns:
        Name of a tensor -> its file, offset, type and shape.

    Raises:
        ConvertError: a file is damaged, or two contain the same tensor.
    """
    found: dict[str, LocalTensor] = {}
    for path in sorted(folder.glob(files)):
        try:
            with safe_open(path, framework="numpy"):
                tensors = SafetensorsLocal(path).tensors
        except (SafetensorError, ValueError, OSError) as error:
            raise ConvertError(f"{path} is damaged or cut short.") from error
        if duplicated := found.keys() & tensors.keys():
            raise ConvertError(
                f"{min(duplicated)} is in {path.name} and in another file; remove the one that is outdated."
            )
        found |= tensors
    return found


def read_rows(tensor: LocalTensor, start: int = 0, stop: int | None = None) -> npt.NDArray[np.float32]:
    """Read a stored tensor, or some of its rows.

    Args:
        tensor: where it is stored; its type must be in ``STORED_TYPES``.
        start: first row.
        stop: row after the last; None for all.

    Returns:
        The rows in float32, which every type in ``STORED_TYPES`` fits in; shape (rows, ...).
    """
    kind = STORED_TYPES[tensor.dtype]
    width = int(np.prod(tensor.shape[1:]))
    stop = tensor.shape[0] if stop is None else min(stop, tensor.shape[0])
    offset = tensor.data_range.offset + start * width * kind.itemsize
    with tensor.data_range.filename.open("rb") as file:
        file.seek(offset)
        numbers: npt.NDArray[Any] = np.fromfile(file, kind, (stop - start) * width)
    if tensor.dtype == "BF16":  # it is the upper half of a float32
        numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
    floats: npt.NDArray[np.float32] = numbers.astype(np.float32, copy=False)
    return floats.reshape(stop - start, *tensor.shape[1:])


@dataclass(frozen=True)
class TokenizerFiles:
    """A folder's tokenizer and the settings that belong to it; each is None where the folder has none.

    Attributes:
        folder: the folder.
        tokenizer: the tokenizer, without the truncation and padding that training leaves in some files.
        eos: text of the token that ends an answer.
        template: the chat template, in Jinja.
    """

    folder: Path
    tokenizer: Tokenizer | None
    eos: str | None
    template: str | None

    @classmethod
    def read(cls, folder: Path) -> "TokenizerFiles":
        """Read the files that the folder has; of several templates in ``tokenizer_config.json``, the default.

        Raises:
            ConvertError: a file is damaged.
        """
        path = folder / TOKENIZER_CONFIG
        config = read_json(path) if path.exists() else {}
        tokenizer = _read_tokenizer(folder / TOKENIZER) if (folder / TOKENIZER).exists() else None
        named = config.get("eos_token")
        eos = named.get("content") if isinstance(named, dict) else named
        if not isinstance(eos, str | None):
            raise ConvertError(f"{path} gives {reprlib.repr(eos)} as eos_token, which is no text.")
        if (folder / TEMPLATE).exists():
            try:
                return cls(folder, tokenizer, eos, (folder / TEMPLATE).read_bytes().decode() or None)
            except (OSError, UnicodeDecodeError) as error:
                raise ConvertError(f"{folder / TEMPLATE} cannot be read as text.") from error
        named = config.get("chat_template")
        entries = named if isinstance(named, list) else [{"name": "default", "template": named}]
        if not all(isinstance(entry, dict) and isinstance(entry.get("template"), str | None) for entry in entries):
            raise ConvertError(f"{path} gives a chat_template that is no text.")
        template = next((entry.get("template") or None for entry in entries if entry.get("name") == "default"), None)
        return cls(folder, tokenizer, eos, template)

    @property
    def eos_id(self) -> int | None:
        """The id of the token that ends an answer; None where it is not known."""
        return self.tokenizer.token_to_id(self.eos) if self.tokenizer and self.eos else None

    def describe_difference(self, other: "TokenizerFiles") -> str | None:
        """Describe the first difference in a few words; None where there is none. A missing part is no difference."""
        if self.tokenizer and other.tokenizer:
            here, there = self.tokenizer.get_vocab(), other.tokenizer.get_vocab()
            if len(here) != len(there):
                return f"the number of tokens ({len(here)} here, {len(there)} there)"
            if here != there:
                token = min(token for token, number in here.items() if there.get(token) != number)
                return f"the token {token!r} ({here[token]} here, {there.get(token, 'none')} there)"
            ours, theirs = (json.loads(t.to_str())["model"].get("merges") for t in (self.tokenizer, other.tokenizer))
            if ours != theirs:
                return "the tokenizer's merges"
            if self.eos != other.eos:
                return f"the end of an answer ({self.eos} here, {other.eos} there)"
        if self.template and other.template and self.template.strip() != other.template.strip():
            return "the chat template"
        return None

    def copy_to(self, folder: Path) -> None:
        """Copy the tokenizer's files to a folder, and write the template there as a file of its own."""
        for name in TOKENIZER_FILES:
            if (self.folder / name).is_file():
                shutil.copyfile(self.folder / name, folder / name)
        if self.template:
            (folder / TEMPLATE).write_text(self.template, encoding="utf-8", newline="")


def stop_ids(*configs: dict[str, Any]) -> set[int]:
    """Return the ids of all tokens at which the configurations end an answer.

    Args:
        configs: the contents of ``config.json`` and ``generation_config.json``.

    Raises:
        ConvertError: one of them gives something else than token ids.
    """
    stops: set[int] = set()
    for config in configs:
        named = config.get("eos_token_id")
        ids = named if isinstance(named, list) else [] if named is None else [named]
        if not all(type(i) is int for i in ids):
            raise ConvertError(
                f"The configuration gives {reprlib.repr(named)} as eos_token_id, which is no token's id."
            )
        stops |= set(ids)
    return stops


def _read_tokenizer(path: Path) -> Tokenizer:
    model = read_json(path).get("model")
    if isinstance(model, dict) and (model.get("continuing_subword_prefix") or model.get("end_of_word_suffix")):
        # The tokenizers library aborts the whole process if merges lack such a prefix.
        raise ConvertError(f"{path} is damaged, or its tokens are not those of byte-level BPE.")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise ConvertError(f"{path} is damaged, or no tokenizer: {error}.") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def load_model(checkpoint: Checkpoint) -> Any:
    """Load the checkpoint as a model of transformers, in float32.

    Raises:
        ConvertError: transformers cannot load it, or its folder contains an adapter, which transformers would apply.
    """
    import torch
    import transformers

    if (checkpoint.folder / ADAPTER_CONFIG).exists():  # transformers would apply it
        raise ConvertError(f"{checkpoint.folder} contains an adapter, too; give base and adapter folders of their own.")
    if not sys.stderr.isatty():
        transformers.utils.logging.disable_progress_bar()
    kind = getattr(transformers, checkpoint.shape.architecture)
    try:
        model = kind.from_pretrained(checkpoint.folder, dtype=torch.float32, local_files_only=True)
    except Exception as error:  # every layer below has its own kinds of errors
        raise ConvertError(f"{checkpoint.folder} cannot be loaded as a model: {first_line(error)}") from error
    return model.eval()
