"""Read the tokenizer, chat template and stop tokens of a checkpoint from its folder."""

import json
import reprlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from convert.files import ConvertError, read_json

TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
TEMPLATE = "chat_template.jinja"
CONFIG = "config.json"
GENERATION = "generation_config.json"
SPECIAL_MAP = "special_tokens_map.json"
#: These are copied unchanged, so that the merged model tokenises as before.
TOKENIZER_FILES = (TOKENIZER, TOKENIZER_CONFIG, SPECIAL_MAP, "added_tokens.json", "vocab.json", "merges.txt")


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
        """Read the files that the folder has.

        Raises:
            ConvertError: a file is damaged.
        """
        path = folder / TOKENIZER_CONFIG
        config = read_json(path) if path.exists() else {}
        return cls(
            folder=folder,
            tokenizer=_read_tokenizer(folder / TOKENIZER),
            eos=_read_eos(config, path),
            template=_read_template(folder / TEMPLATE)
            if (folder / TEMPLATE).exists()
            else _read_config_template(config, path),
        )

    @property
    def eos_id(self) -> int | None:
        """The id of the token that ends an answer; None where it is not known."""
        return self.tokenizer.token_to_id(self.eos) if self.tokenizer and self.eos else None

    def describe_difference(self, other: "TokenizerFiles") -> str | None:
        """Describe the first difference in a few words; None where there is none. A missing part is no difference."""
        if self.tokenizer and other.tokenizer and (words := _compare_tokenizers(self.tokenizer, other.tokenizer)):
            return words
        if self.tokenizer and other.tokenizer and self.eos != other.eos:
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


def _read_tokenizer(path: Path) -> Tokenizer | None:
    if not path.exists():
        return None
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


def _read_eos(config: dict[str, Any], path: Path) -> str | None:
    named = config.get("eos_token")
    eos = named.get("content") if isinstance(named, dict) else named
    if not isinstance(eos, str | None):
        raise ConvertError(f"{path} gives {reprlib.repr(eos)} as eos_token, which is no text.")
    return eos


def _read_template(path: Path) -> str | None:
    try:
        return path.read_bytes().decode() or None
    except (OSError, UnicodeDecodeError) as error:
        raise ConvertError(f"{path} cannot be read as text.") from error


def _read_config_template(config: dict[str, Any], path: Path) -> str | None:
    """Return the template in ``tokenizer_config.json``; of several, the default."""
    named = config.get("chat_template")
    entries = named if isinstance(named, list) else [{"name": "default", "template": named}]
    if not all(isinstance(entry, dict) and isinstance(entry.get("template"), str | None) for entry in entries):
        raise ConvertError(f"{path} gives a chat_template that is no text.")
    return next((entry.get("template") or None for entry in entries if entry.get("name") == "default"), None)


def _compare_tokenizers(ours: Tokenizer, theirs: Tokenizer) -> str | None:
    """Describe the first difference of two tokenizers' tokens and merges; None where there is none."""
    here, there = ours.get_vocab(), theirs.get_vocab()
    if len(here) != len(there):
        return f"the number of tokens ({len(here)} here, {len(there)} there)"
    if here != there:
        token = min(token for token, number in here.items() if there.get(token) != number)
        return f"the token {token!r} ({here[token]} here, {there.get(token, 'none')} there)"
    same_merges = _list_merges(ours) == _list_merges(theirs)
    return None if same_merges else "the tokenizer's merges"


def _list_merges(tokenizer: Tokenizer) -> Any:
    return json.loads(tokenizer.to_str())["model"].get("merges")
