"""Select the files of a folder that may be published, by an allow-list of names; give a reason for each other file.

A file on the list that would be harmful is not left out but refused, because the folder is not what its owner believes:
a file with a secret or a local path in it, also in the header of a model, and a damaged model. The numbers of a model
and of the classifier (``decoder.npz``) are not checked.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from convert.files import ConvertError
from convert.gguf_file import read_gguf
from convert.progress import track_progress
from convert.receipts import ENDING
from copilot.files import hash_file
from copilot.text import first_line

CARD = "README.md"
DECODER = "decoder.npz"
#: Text files, by their whole names: any other ``.json`` or ``.md`` could be a person's record.
TEXTS = frozenset(
    (
        *(CARD, "LICENSE", "LICENSE.md", "LICENSE.txt", "NOTICE", "Modelfile", "template", "system", "params"),
        *("receipt.json", "quantization.json", "quantization.md", "evaluation.json", "evaluation.md"),
        *("config.json", "generation_config.json", "adapter_config.json", "model.safetensors.index.json"),
        *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json"),
        *("merges.txt", "chat_template.jinja"),
    )
)
#: Figures of the evaluation, drawn by this project's own program; any other picture could show a person.
FIGURES = frozenset(f"evaluation/{name}.png" for name in ("scores", "confusion", "calibration", "baseline"))
MODEL_ENDINGS = (".gguf", ".safetensors")
#: Texts into which programs write local paths.
CHECKED_FOR_PATHS = (".json", ".md", "Modelfile")
#: Exceptions: vocabularies and licences contain words like ``/home/page`` that are no local paths.
NOT_CHECKED_FOR_PATHS = frozenset(("tokenizer.json", "vocab.json", "added_tokens.json", "LICENSE.md"))
#: Endings of the names of recordings, tables of people and exported records.
PERSONAL = frozenset(
    (
        *(".edf", ".bdf", ".gdf", ".vhdr", ".vmrk", ".eeg", ".set", ".fdt", ".fif", ".cnt", ".mff", ".raw", ".egi"),
        *(".csv", ".tsv", ".xlsx", ".ods", ".mat", ".npy", ".npz", ".pkl", ".h5", ".hdf5"),
        *(".parquet", ".db", ".sqlite"),
        *(".txt", ".pdf", ".docx", ".json", ".jsonl", ".ndjson", ".md", ".html", ".xml", ".gz", ".zip"),
    )
)

#: Matches tokens of the Hub, GitHub, GitLab, OpenAI, AWS and Slack, signed web tokens, private keys.
SECRET = re.compile(
    rb"(?<![A-Za-z0-9])(hf_[A-Za-z0-9]{30,}|hf_oauth_[\w.-]{30,}|gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{22,}"
    rb"|glpat-[\w-]{20,}|sk-[\w-]{32,}|AKIA[0-9A-Z]{16}|xox[abprs]-[\w-]{10,}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+)"
    rb"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
#: Matches absolute paths, in the order below: of two names or more, one name that is a whole JSON string, in a home
#: folder, as an address, on Windows. It does not match links on the Hub, or folders that every machine has.
LOCAL_PATH = re.compile(
    rb"""
    (?<![\w./~<)\]}*])(?<!\]\()(?<!"\#)(?!/(?:path|usr|bin|etc|dev|proc)/)(?:/[^\s"'`/\\<>|()\[\]{},;:*?]+){2,}
    | (?<=")/[\w.-]+/?(?=")
    | (?<![\w./])~/[\w.-]+
    | \bfile:/+[\w.-]+
    | \b[A-Za-z]:(?:/|\\\\|\\(?=Users\b))[\w.-]+
    """,
    re.VERBOSE,
)
#: Matches chat templates in JSON: the folders that they mention are not local paths.
TEMPLATE = re.compile(rb'"[\w.]*template"\s*:\s*"(?:\\.|[^"\\])*"')


@dataclass(frozen=True)
class Upload:
    """One file as it will be published.

    Attributes:
        path: path in the repository, with forward slashes.
        source: the file, or for a text the same bytes that were checked.
        size: size in bytes.
        sha256: SHA-256 of the content, in hexadecimal digits.
    """

    path: str
    source: Path | bytes
    size: int
    sha256: str

    @classmethod
    def of_bytes(cls, path: str, content: bytes) -> "Upload":
        """Check a text and make its upload.

        Raises:
            ConvertError: it contains a secret or a local path.
        """
        refuse_secret(path, content)
        if path.endswith(CHECKED_FOR_PATHS) and path.rpartition("/")[2] not in NOT_CHECKED_FOR_PATHS:
            refuse_local_path(path, content)
        return cls(path, content, len(content), hashlib.sha256(content).hexdigest())

    @classmethod
    def of_file(cls, path: str, file: Path) -> "Upload":
        """Check a file and make its upload: of a text by its present bytes, of weights by their path.

        Args:
            path: path in the repository.
            file: the file.

        Raises:
            ConvertError: the file cannot be read, contains a secret or a local path, or is a damaged model.
        """
        try:
            if file.suffix in MODEL_ENDINGS:
                header = json.dumps(_read_header_texts(file), ensure_ascii=False).encode("utf-8", "replace")
                refuse_secret(f"the header of {path}", header)
                refuse_local_path(f"the header of {path}", header)
            elif file.name != DECODER and path not in FIGURES:
                return cls.of_bytes(path, file.read_bytes())
            return cls(path, file.resolve(), file.stat().st_size, hash_file(file))
        except OSError as error:
            raise ConvertError(f"{file} cannot be read: {error.strerror or error}.") from error

    @property
    def text(self) -> str:
        """The content of a text; not for weights."""
        assert isinstance(self.source, bytes)
        return self.source.decode("utf-8", "replace")


@dataclass(frozen=True)
class LeftOut:
    """A file or folder that is not published, and the reason."""

    path: str
    reason: str


def select_uploads(folder: Path) -> tuple[tuple[Upload, ...], tuple[LeftOut, ...]]:
    """Select the files in a folder and its subfolders that may be published.

    Returns:
        The files to publish, and those that are left out.

    Raises:
        ConvertError: the folder does not exist or contains no model, or a file must not be published as it is.
    """
    if not folder.is_dir():
        raise ConvertError(f"{folder} is not a folder.")
    root = folder.resolve()
    names = {path: path.relative_to(root).as_posix() for path in _list_entries(root)}
    reasons = {path: _explain_exclusion(path, root) for path in names}
    chosen = [path for path, reason in reasons.items() if not reason]
    if not any(path.name.endswith(MODEL_ENDINGS) for path in chosen):
        models = " and no ".join(MODEL_ENDINGS)
        raise ConvertError(f"{folder} contains no model: no {models} file (links are not followed).")
    uploads = tuple(Upload.of_file(names[path], path) for path in track_progress(chosen, "Checking"))
    seen: dict[str, str] = {}
    for upload in uploads:  # macOS and Windows ignore case
        if other := seen.get(upload.path.casefold()):
            raise ConvertError(f"{other} and {upload.path} are one name on macOS and Windows; rename one of them.")
        seen[upload.path.casefold()] = upload.path
    return uploads, tuple(LeftOut(names[path], reason) for path, reason in reasons.items() if reason)


def refuse_secret(name: str, content: bytes) -> None:
    """Refuse a text with a token or a private key.

    Args:
        name: the text's name, for the error message.
        content: the text.

    Raises:
        ConvertError: it contains something that looks like one; the message does not repeat it.
    """
    if found := SECRET.search(content):
        raise ConvertError(
            f"{_name_line(name, content, found)} looks like a secret; remove and revoke it, then publish."
        )


def refuse_local_path(name: str, content: bytes) -> None:
    """Refuse a text that contains a local path.

    Args:
        name: the text's name, for the error message.
        content: the text.

    Raises:
        ConvertError: it contains a local path.
    """
    content = TEMPLATE.sub(b"", content)
    if found := LOCAL_PATH.search(content):
        place = found[0].decode("utf-8", "replace")
        raise ConvertError(
            f"{_name_line(name, content, found)} names a place on a machine, {place}, which would be published; write "
            "a name on the Hub there, or the file's name alone."
        )


def _name_line(name: str, content: bytes, found: re.Match[bytes]) -> str:
    line = content.count(b"\n", 0, found.start()) + 1
    return f"Line {line} of {name}"


def _list_entries(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder, and the hidden and linked folders, whose contents are not listed."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise ConvertError(f"{folder} cannot be read: {error.strerror}.") from error
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink() and not entry.name.startswith("."):
            yield from _list_entries(entry)
        else:
            yield entry


def _explain_exclusion(path: Path, root: Path) -> str:
    """Return the reason for leaving a file out; empty where it may be published."""
    if path.name.startswith("."):
        return "hidden"
    if path.is_symlink():
        return "a link, which may lead out of the folder"
    if not path.is_file():
        return "not a file"
    if path.name == CARD and path.parent != root:
        return "a card of what was there before, with its figures; the card of these files is the one at the top"
    if path.relative_to(root).as_posix() in FIGURES:
        return ""
    if path.name in TEXTS or path.name == DECODER or path.name.endswith((ENDING, *MODEL_ENDINGS)):
        return ""
    if path.suffix.lower() in PERSONAL:
        return "could be a recording or a person's record"
    return "not a kind of file that is published"


def _read_header_texts(model: Path) -> dict[str, str | list[Any]]:
    """Read the texts in a model's header, without its vocabulary.

    Raises:
        ConvertError: the file is damaged, or no model.
    """
    if model.suffix == ".gguf":
        metadata = read_gguf(model).metadata
        texts = {key: value for key, value in metadata.items() if isinstance(value, str | list)}
        return {key: value for key, value in texts.items() if not key.startswith("tokenizer.ggml.")}
    try:
        with safe_open(model, "numpy") as opened:
            return opened.metadata() or {}
    except SafetensorError as error:
        raise ConvertError(f"{model} is no safetensors file, or a damaged one: {first_line(error)}.") from error
