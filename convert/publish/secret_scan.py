"""Refuse texts that contain secrets or local paths, before they are published."""

import re

from convert.files import ConvertError

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
    (?<![\w./~<)\]}*])(?<!\]\()(?!/(?:path|usr|bin|etc|dev|proc)/)(?:/[^\s"'`/\\<>|()\[\]{},;:*?]+){2,}
    | (?<=")/[\w.-]+/?(?=")
    | (?<![\w./])~/[\w.-]+
    | \bfile:/+[\w.-]+
    | \b[A-Za-z]:(?:/|\\\\|\\(?=Users\b))[\w.-]+
    """,
    re.VERBOSE,
)
#: Matches chat templates in JSON: the folders that they mention are not local paths.
TEMPLATE = re.compile(rb'"[\w.]*template"\s*:\s*"(?:\\.|[^"\\])*"')


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
