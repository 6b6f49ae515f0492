"""What of a folder may be published: an allow-list by name. Everything else stays, with the reason why.

A file that is on the list and yet would do harm (a secret in it, a damaged model) is not left out but refused: the
folder is not what its owner believes it is.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from convert.files import ConvertError
from convert.gguf_file import read_gguf
from convert.progress import each

CARD = "README.md"
DECODER = "decoder.npz"
#: Files that are text, by their whole name: any other ``.json`` or ``.md`` could be somebody's record.
TEXTS = frozenset(
    (
        *(CARD, "LICENSE", "LICENSE.md", "LICENSE.txt", "NOTICE", "Modelfile", "template", "system", "params"),
        *("receipt.json", "quantization.json", "quantization.md", "evaluation.json"),
        *("config.json", "generation_config.json", "adapter_config.json", "model.safetensors.index.json"),
        *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json"),
        *("merges.txt", "chat_template.jinja"),
    )
)
RECEIPT = ".receipt.json"
WEIGHTS = (".gguf", ".safetensors")
#: How recordings, tables of people and exported records end.
PERSONAL = frozenset(
    (
        *(".edf", ".bdf", ".gdf", ".vhdr", ".vmrk", ".eeg", ".set", ".fdt", ".fif", ".cnt", ".mff", ".raw", ".egi"),
        *(
            ".csv",
            ".tsv",
            ".xlsx",
            ".ods",
            ".mat",
            ".npy",
            ".npz",
            ".pkl",
            ".h5",
            ".hdf5",
            ".parquet",
            ".db",
            ".sqlite",
        ),
        *(".txt", ".pdf", ".docx", ".json", ".jsonl", ".ndjson", ".md", ".html", ".xml", ".gz", ".zip"),
    )
)
#: Tokens of the Hub, GitHub, GitLab, OpenAI, AWS and Slack, signed web tokens, private keys.
SECRET = re.compile(
    rb"(?<![A-Za-z0-9])(hf_[A-Za-z0-9]{30,}|hf_oauth_[\w.-]{30,}|gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{22,}"
    rb"|glpat-[\w-]{20,}|sk-[\w-]{32,}|AKIA[0-9A-Z]{16}|xox[abprs]-[\w-]{10,}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+)"
    rb"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)


@dataclass(frozen=True)
class Upload:
    """One file as it will be published.

    Attributes:
        path: in the repository, with forward slashes.
        source: the file, or for text the very bytes that were looked at.
        size: in bytes.
        sha256: of the content, in hexadecimal.
    """

    path: str
    source: Path | bytes
    size: int
    sha256: str

    @classmethod
    def of_bytes(cls, path: str, content: bytes) -> "Upload":
        """A text.

        Raises:
            ConvertError: it holds what looks like a token or a private key; the message does not repeat it.
        """
        if found := SECRET.search(content):
            line = content.count(b"\n", 0, found.start()) + 1
            raise ConvertError(
                f"Line {line} of {path} looks like a secret; remove it (and revoke it) before publishing."
            )
        return cls(path, content, len(content), hashlib.sha256(content).hexdigest())

    @classmethod
    def of_file(cls, path: str, file: Path) -> "Upload":
        """A text as the bytes it holds now; weights by where they are.

        Raises:
            ConvertError: the file cannot be read, holds a secret, or is a damaged GGUF.
        """
        try:
            if not file.name.endswith((*WEIGHTS, DECODER)):
                return cls.of_bytes(path, file.read_bytes())
            if file.suffix == ".gguf":
                read_gguf(file)
            with file.open("rb") as stream:
                return cls(path, file.resolve(), file.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest())
        except OSError as error:
            raise ConvertError(f"{file} cannot be read: {error.strerror}.") from error

    @property
    def text(self) -> str:
        """The content of a text."""
        assert isinstance(self.source, bytes)
        return self.source.decode("utf-8", "replace")


@dataclass(frozen=True)
class LeftOut:
    """A file or folder that stays, and why."""

    path: str
    reason: str


def sort_out(folder: Path) -> tuple[tuple[Upload, ...], tuple[LeftOut, ...]]:
    """Divide what lies in a folder and below into what may be published and what stays.

    Raises:
        ConvertError: no folder, no model in it, or a file that must not be published as it is.
    """
    if not folder.is_dir():
        raise ConvertError(f"{folder} is not a folder.")
    root = folder.resolve()
    reasons = {path: _why_not(path) for path in _walk(root)}
    chosen = [path for path, reason in reasons.items() if not reason]
    if not any(path.name.endswith(WEIGHTS) for path in chosen):
        raise ConvertError(f"{folder} holds no model: no {' and no '.join(WEIGHTS)} file (links are not followed).")
    uploads = tuple(Upload.of_file(_name(path, root), path) for path in each(chosen, "Checking"))
    refuse_collisions(upload.path for upload in uploads)
    return uploads, tuple(LeftOut(_name(path, root), reason) for path, reason in reasons.items() if reason)


def refuse_collisions(paths: Iterator[str]) -> None:
    """Refuse two names that macOS and Windows take for one.

    Raises:
        ConvertError: there are two.
    """
    seen: dict[str, str] = {}
    for path in paths:
        if other := seen.get(path.casefold()):
            raise ConvertError(f"{other} and {path} are one name on macOS and Windows; rename one of them.")
        seen[path.casefold()] = path


def _walk(folder: Path) -> Iterator[Path]:
    """Files, and those folders that are not entered: hidden and linked ones."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise ConvertError(f"{folder} cannot be read: {error.strerror}.") from error
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink() and not entry.name.startswith("."):
            yield from _walk(entry)
        else:
            yield entry


def _why_not(path: Path) -> str:
    """Why a file stays; empty where it may go."""
    if path.name.startswith("."):
        return "hidden"
    if path.is_symlink():
        return "a link, which may lead out of the folder"
    if not path.is_file():
        return "not a file"
    if path.name in TEXTS or path.name == DECODER or path.name.endswith((RECEIPT, *WEIGHTS)):
        return ""
    if path.suffix.lower() in PERSONAL:
        return "could be a recording or somebody's record"
    return "not a kind of file that is published"


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
