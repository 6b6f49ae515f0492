"""Publish a folder of model files on the Hugging Face Hub, and the app with them as a Space.

``python -m convert publish DIR --repo USER/NAME [--space USER/NAME] [--public] [--yes]``

Without ``--yes`` nothing is sent and no network is used: the verb prints what would be created and uploaded, which
files are left out and why, and the card. Repositories are private unless ``--public`` is given. The token comes from
HF_TOKEN, from ``hf auth login`` or from the keyring (``keyring set huggingface token``); there is no argument for it,
because other users of the machine can see arguments.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from convert.gguf_file import read_gguf
from convert.publish.allow_list import CARD, LeftOut, Upload, select_uploads
from convert.publish.figures import read_figures
from convert.publish.hub import Repository, endpoint, refuse_bad_name, upload
from convert.publish.model_card import write_model_card
from convert.publish.space import list_space_files
from convert.verb_result import AlwaysPassed


@dataclass(frozen=True)
class Publication(AlwaysPassed):
    """The result of a publication or of its dry run.

    Attributes:
        repositories: the model's repository, and the Space's where one was asked for.
        left_out: files and folders that are not published, and why.
        card: the model card.
        commits: the address of each repository's commit; empty in a dry run.
    """

    repositories: tuple[Repository, ...]
    left_out: tuple[LeftOut, ...]
    card: str
    commits: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return the result as lines of text for people."""
        intent = "Dry run, nothing was sent. With --yes, this would be created, or replace files of the same names:"
        lines = [] if self.commits else [intent, ""]
        for repository in self.repositories:
            kind = f"{repository.visibility} {repository.kind} repository {repository.name} at {endpoint()}"
            size = sum(file.size for file in repository.files)
            lines.append(f"{kind[0].upper()}{kind[1:]}, {len(repository.files)} files, {size:,} bytes:")
            lines += [f"{file.size:>15,}  {file.sha256}  {file.path}" for file in repository.files]
            lines.append("")
        if self.left_out:
            wide = max(len(stays.path) for stays in self.left_out)
            lines += ["Left out:", *(f"  {stays.path:<{wide}}  {stays.reason}" for stays in self.left_out), ""]
        if self.commits:
            return [*lines, *(f"Published: {address}" for address in self.commits)]
        return [*lines, "The card:", "", *self.card.splitlines()]

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values, ready for JSON."""
        return {
            "published": bool(self.commits),
            "endpoint": endpoint(),
            "repositories": [_as_plain_values(repository) for repository in self.repositories],
            "left_out": [vars(stays) for stays in self.left_out],
            "card": self.card,
            "commits": list(self.commits),
        }


def _as_plain_values(repository: Repository) -> dict[str, Any]:
    files = [{"path": file.path, "bytes": file.size, "sha256": file.sha256} for file in repository.files]
    return {"name": repository.name, "kind": repository.kind, "visibility": repository.visibility, "files": files}


def publish(
    folder: Path, repo: str, space: str | None = None, *, public: bool = False, yes: bool = False
) -> Publication:
    """Publish the model files in a folder, or make a dry run.

    Args:
        folder: folder with GGUF files or a checkpoint, and their receipts.
        repo: ``USER/NAME`` of the model repository.
        space: ``USER/NAME`` of a Space that runs the model; none by default.
        public: whether new repositories are public.
        yes: whether to publish; False makes a dry run.

    Raises:
        ConvertError: something in the folder must not be published as it is, or the Hub refuses it.
    """
    for name in filter(None, (repo, space)):
        refuse_bad_name(name)
    found, left_out = select_uploads(folder)
    figures = read_figures(found)
    card = write_model_card(found, figures, _read_metadata(found), repo)
    files = (Upload.of_bytes(CARD, card.encode()), *(file for file in found if file.path != CARD))
    repositories = [Repository(repo, "model", public, files)]
    if space:
        repositories.append(Repository(space, "space", public, list_space_files(files, figures, repo)))
    publication = Publication(tuple(repositories), left_out, card)
    return replace(publication, commits=upload(repositories)) if yes else publication


def _read_metadata(files: Sequence[Upload]) -> Mapping[str, Any]:
    """Return the metadata of the first GGUF file; all files of a folder are made of one model."""
    for file in files:
        if isinstance(file.source, Path) and file.source.suffix == ".gguf":
            return read_gguf(file.source).metadata
    return {}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="GGUF files or a checkpoint, with their receipts")
    parser.add_argument("--repo", required=True, metavar="USER/NAME", help="the model repository")
    parser.add_argument("--space", metavar="USER/NAME", help="also a Space that runs the model")
    parser.add_argument("--public", action="store_true", help="visible to everybody; private without this")
    parser.add_argument("--yes", action="store_true", help="really do it; without this nothing is sent")


def run(options: argparse.Namespace) -> Publication:
    """Run the verb with the options of the command line."""
    return publish(options.folder, options.repo, options.space, public=options.public, yes=options.yes)
