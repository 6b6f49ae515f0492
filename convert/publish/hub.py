"""Repositories on the Hugging Face Hub: one commit each, so that a repository is whole or as it was before.

The Hub's client runs in a process of its own. It reads its settings only when it is imported, and the threads of a
half-done upload would keep Ctrl-C waiting. Large files go by Git LFS, which every Hub takes and turns into its own
storage by itself (https://huggingface.co/docs/hub/xet/legacy-git-lfs): its sha256 is the one of the receipts.
"""

import hashlib
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from convert import child_process
from convert.files import ConvertError, first_line
from convert.publish.allow_list import Upload

SETTINGS = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", "HF_HUB_VERBOSITY": "error"}
DEFAULT_ENDPOINT = "https://huggingface.co"
#: Where ``keyring set huggingface token`` puts a token.
KEYRING = ("huggingface", "token")
NO_TOKEN = (
    "There is no token for the Hub; set HF_TOKEN, or log in with `hf auth login` or `keyring set huggingface token`."
)
UNFINISHED = "Nothing there is half-done: a repository is whole, as it was before, or empty."


@dataclass(frozen=True)
class Repository:
    """What is to be published under one name.

    Attributes:
        name: ``USER/NAME``.
        kind: ``model`` or ``space``.
        public: visible to everybody; otherwise to its owner alone.
        files: all that is uploaded; what is there already under other names stays.
    """

    name: str
    kind: str
    public: bool
    files: tuple[Upload, ...]

    @property
    def visibility(self) -> str:
        """In one word."""
        return "public" if self.public else "private"


def endpoint() -> str:
    """Where the Hub is: ``HF_ENDPOINT``, else the real one."""
    return os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT


def refuse_bad_name(name: str) -> None:
    """Refuse what the Hub would not take as ``USER/NAME``.

    Raises:
        ConvertError: it would not.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise ConvertError(f"{name!r} cannot be a name on the Hub: {first_line(error)}") from error
    if "/" not in name:
        raise ConvertError(f"{name!r} does not say whose repository it is; write USER/NAME.")


def upload(repositories: Sequence[Repository]) -> tuple[str, ...]:
    """Create the repositories that are not there, and commit to each once.

    Returns:
        The address of each commit.

    Raises:
        ConvertError: no token, one without the right, another visibility there than asked for, or a failed upload.
    """
    return child_process.run(commit_all, tuple(repositories))


def commit_all(repositories: Sequence[Repository]) -> tuple[str, ...]:
    """What ``upload`` does; only for a child process.

    Raises:
        ConvertError: as there.
    """
    os.environ.update(SETTINGS)
    if not sys.stderr.isatty():
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    from huggingface_hub import HfApi

    token = ""
    done: list[str] = []
    try:
        token = _read_token()
        api = HfApi(token=token)
        for repository in repositories:
            _open_or_create(api, repository)
        done.extend(_commit(api, repository) for repository in repositories)
    except Exception as error:  # every layer below has its own kinds of errors
        sentences = [_describe_error(error, token), *(f"{address} was finished before." for address in done)]
        raise ConvertError(" ".join(sentences)) from None
    return tuple(done)


def _read_token() -> str:
    from huggingface_hub import get_token

    token = get_token() or _read_keyring()
    if not token:
        raise ConvertError(NO_TOKEN)
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise ConvertError("The token holds characters that no token has; copy it again.")
    return token


def _read_keyring() -> str | None:
    try:
        password: str | None = importlib.import_module("keyring").get_password(*KEYRING)
        return password
    except Exception:  # not installed, locked, or with its own kinds of errors: as good as empty
        return None


def _open_or_create(api: Any, repository: Repository) -> None:
    """Visibility is only ever chosen when a repository is made: changing it would show or hide what is there."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        there = api.repo_info(repository.name, repo_type=repository.kind)
    except RepositoryNotFoundError:
        sdk = "gradio" if repository.kind == "space" else None
        private = not repository.public
        api.create_repo(repository.name, repo_type=repository.kind, private=private, space_sdk=sdk)
        return
    if there.private == repository.public:
        is_now = "private" if there.private else "public"
        raise ConvertError(
            f"{repository.name} is there already and {is_now}, not {repository.visibility}; "
            "change that on the Hub, or take another name."
        )


def _commit(api: Any, repository: Repository) -> str:
    from huggingface_hub import CommitOperationAdd

    operations = [CommitOperationAdd(file.path, file.source) for file in repository.files]
    for file, operation in zip(repository.files, operations, strict=True):
        if operation.upload_info.sha256.hex() != file.sha256:
            raise ConvertError(f"{file.path} has changed since it was looked at; publish again.")
    commit = api.create_commit(
        repository.name, operations, commit_message="Publish model files", repo_type=repository.kind
    )
    _verify_commit(api, repository, commit.oid)
    return str(commit.commit_url)


def _verify_commit(api: Any, repository: Repository, revision: str) -> None:
    """Ask the Hub what it now holds: a ``.gitignore`` there leaves files out without a word."""
    paths = [file.path for file in repository.files]
    there = api.get_paths_info(repository.name, paths, revision=revision, repo_type=repository.kind)
    entries = {entry.path: entry for entry in there}
    for file in repository.files:
        entry = entries.get(file.path)
        if not entry or (entry.lfs.sha256 != file.sha256 if entry.lfs else entry.blob_id != _compute_git_hash(file)):
            raise ConvertError(f"{repository.name} does not hold the {file.path} that was sent; look at it on the Hub.")


def _compute_git_hash(file: Upload) -> str:
    """How git names a file that is not in LFS."""
    content = file.source if isinstance(file.source, bytes) else file.source.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _describe_error(error: BaseException, token: str) -> str:
    """What went wrong, in words for people; never with the token, whatever the Hub or a library says."""
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, ConvertError):
        return str(error)
    while error.__cause__ and not isinstance(error, HfHubHTTPError):
        error = error.__cause__
    words = first_line(error)
    if isinstance(error, HfHubHTTPError):
        words = _describe_status(error.response.status_code, (error.server_message or "").strip())
    elif isinstance(error, ValueError):
        words = f"The Hub refuses the upload: {words}"
    else:
        words = f"The Hub at {endpoint()} cannot be reached, or stopped answering: {words}"
    words = words.replace(token, "[token]") if token else words
    return f"{words.rstrip('.')}. {UNFINISHED}"


def _describe_status(status: int, message: str) -> str:
    """A sentence for an HTTP status, with what the Hub itself said."""
    if "storage" in message or "quota" in message:
        words = "There is no room left on the Hub for this account"
    elif status == 402:
        words = "The Hub does this only for accounts that pay"
    elif status == 401:
        words = "The Hub does not know this token; it is wrong, expired or revoked"
    elif status == 403:
        words = "The token has no right to write there; make one with write permission"
    elif status == 429:
        words = "The Hub wants fewer requests; try again later"
    elif status >= 500:
        words = f"The Hub has troubles of its own (status {status}); try again later"
    else:
        words = f"The Hub refuses (status {status})"
    return f"{words}: {message.splitlines()[0]}" if message else words
