"""Upload files to repositories on the Hugging Face Hub in one commit per repository, which is made whole or not at all.

The Hub's client runs in a child process, because it reads its settings only when it is imported, and because the
threads of an unfinished upload would delay Ctrl-C. Large files are uploaded by Git LFS, which every Hub accepts and
moves to its own storage (https://huggingface.co/docs/hub/xet/legacy-git-lfs): its sha256 is that of the receipts.
"""

import hashlib
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from convert.files import ConvertError
from convert.publish.allow_list import Upload
from copilot.text import first_line

SETTINGS = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", "HF_HUB_VERBOSITY": "error"}
DEFAULT_ENDPOINT = "https://huggingface.co"
#: Service and user name under which ``keyring set huggingface token`` stores a token.
KEYRING = ("huggingface", "token")
NO_TOKEN = (
    "There is no token for the Hub; set HF_TOKEN, or log in with `hf auth login` or `keyring set huggingface token`."
)
#: HTTP status -> what it means here.
STATUSES = {
    401: "The Hub does not know this token; it is wrong, expired or revoked",
    402: "The Hub does this only for accounts that pay",
    403: "The token has no right to write there; make one with write permission",
    429: "The Hub wants fewer requests; try again later",
}
UNFINISHED = "Nothing there is half-done: a repository is whole, as it was before, or empty."


@dataclass(frozen=True)
class Repository:
    """A repository to publish.

    Attributes:
        name: ``USER/NAME``.
        kind: ``model`` or ``space``.
        public: whether it is visible to everybody, or to its owner alone.
        files: all files to upload; existing files with other names stay.
    """

    name: str
    kind: str
    public: bool
    files: tuple[Upload, ...]

    @property
    def visibility(self) -> str:
        """The visibility in one word."""
        return "public" if self.public else "private"


def endpoint() -> str:
    """Return the address of the Hub: ``HF_ENDPOINT``, or else the default."""
    return os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT


def refuse_bad_name(name: str) -> None:
    """Refuse a name that the Hub would not accept as ``USER/NAME``.

    Raises:
        ConvertError: the Hub would not accept it.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise ConvertError(f"{name!r} cannot be a name on the Hub: {first_line(error)}") from error
    if "/" not in name:
        raise ConvertError(f"{name!r} does not say whose repository it is; write USER/NAME.")


def commit_all(repositories: Sequence[Repository]) -> tuple[str, ...]:
    """Create the missing repositories, and make one commit in each; only for a child process.

    Returns:
        The address of each commit.

    Raises:
        ConvertError: there is no token, or it has no permission, or an existing repository has another visibility than
            asked for, or the upload failed.
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
    """Read the token from the environment, the Hub's client or the keyring."""
    from huggingface_hub import get_token

    token = get_token()
    if not token:
        try:
            token = importlib.import_module("keyring").get_password(*KEYRING)
        except Exception:  # not installed, locked, or with errors of its own: the same as an empty one
            token = None
    if not token:
        raise ConvertError(NO_TOKEN)
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise ConvertError("The token contains characters that no token has; copy it again.")
    return token


def _open_or_create(api: Any, repository: Repository) -> None:
    """Create a repository if it does not exist; never change the visibility of an existing one.

    Changing it would show or hide the files that are there already.

    Raises:
        ConvertError: the repository exists and has another visibility than asked for.
    """
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
    """Commit all files of a repository and return the commit's address.

    The files on the Hub are compared with those that were sent: a ``.gitignore`` there can silently leave some out.
    """
    from huggingface_hub import CommitOperationAdd

    name, kind = repository.name, repository.kind
    operations = [CommitOperationAdd(file.path, file.source) for file in repository.files]
    for file, operation in zip(repository.files, operations, strict=True):
        if operation.upload_info.sha256.hex() != file.sha256:
            raise ConvertError(f"{file.path} has changed since it was looked at; publish again.")
    commit = api.create_commit(name, operations, commit_message="Publish model files", repo_type=kind)
    paths = [file.path for file in repository.files]
    entries = {entry.path: entry for entry in api.get_paths_info(name, paths, revision=commit.oid, repo_type=kind)}
    for file in repository.files:
        entry = entries.get(file.path)
        if entry and entry.lfs:
            same = entry.lfs.sha256 == file.sha256
        elif entry:  # git's own hash
            content = file.source if isinstance(file.source, bytes) else file.source.read_bytes()
            git_hash = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
            same = entry.blob_id == git_hash
        if not entry or not same:
            raise ConvertError(f"{name} does not contain the {file.path} that was sent; look at it on the Hub.")
    return str(commit.commit_url)


def _describe_error(error: BaseException, token: str) -> str:
    """Describe an error for people; the token is removed from any message of the Hub or a library."""
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, ConvertError):
        return str(error)
    while error.__cause__ and not isinstance(error, HfHubHTTPError):
        error = error.__cause__
    words = first_line(error)
    if isinstance(error, HfHubHTTPError):
        status, message = error.response.status_code, (error.server_message or "").strip()
        if "storage" in message or "quota" in message:
            words = "There is no room left on the Hub for this account"
        elif status >= 500:
            words = f"The Hub has troubles of its own (status {status}); try again later"
        else:
            words = STATUSES.get(status, f"The Hub refuses (status {status})")
        words = f"{words}: {message.splitlines()[0]}" if message else words
    elif isinstance(error, ValueError):
        words = f"The Hub refuses the upload: {words}"
    else:
        words = f"The Hub at {endpoint()} cannot be reached, or stopped answering: {words}"
    words = words.replace(token, "[token]") if token else words
    return f"{words.rstrip('.')}. {UNFINISHED}"
