"""Publish a folder of model files on the Hugging Face Hub, and the app with them as a Space.

``python -m convert publish DIR --repo USER/NAME [--space USER/NAME] [--public] [--yes]``

Without ``--yes`` nothing is sent and no network is used: the verb prints what would be created and uploaded, which
files are left out and why, and the card. Repositories are private unless ``--public`` is given. The token comes from
HF_TOKEN, from ``hf auth login`` or from the keyring (``keyring set huggingface token``); there is no argument for it,
because other users of the machine can see arguments.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from convert.files import ConvertError
from convert.gguf_file import read_gguf
from convert.publish.allow_list import CARD, DECODER, LeftOut, Upload, select_uploads
from convert.publish.hub import Repository, commit_all, endpoint, refuse_bad_name
from convert.publish.model_card import HUB, NOTICE, write_model_card
from convert.receipts import Figures, read_receipts
from convert.report import VerbResult
from copilot import child_process

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "copilot"
SINGLE_FILES = ("app.py", "requirements.txt", "LICENSE")
CODE = (".py", ".po", ".toml", ".j2", ".css", ".js", ".json", ".gguf", ".npz")
#: It needs torch, and data that are not uploaded.
EXCLUDED = PACKAGE / "training"
MODEL = "models/eeg-emotion-copilot.gguf"
SPACE_TEXT = """\
# {title}

{notice}

A person's EEG and a few words about them go in; an emotion with its uncertainty and a draft for a person to check come
out. This Space runs `{file}` of [{repo}]({hub}{repo}) (sha256 `{sha256}`), where its figures and its limits are told.
Recordings of other people need their consent; do not upload any that names a person.
"""


@dataclass(frozen=True)
class Publication(VerbResult):
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
        repositories = [
            {
                "name": repository.name,
                "kind": repository.kind,
                "visibility": repository.visibility,
                "files": [{"path": f.path, "bytes": f.size, "sha256": f.sha256} for f in repository.files],
            }
            for repository in self.repositories
        ]
        return {
            "published": bool(self.commits),
            "endpoint": endpoint(),
            "repositories": repositories,
            "left_out": [vars(stays) for stays in self.left_out],
            "card": self.card,
            "commits": list(self.commits),
        }


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
    texts = {file.path: file.text for file in found if isinstance(file.source, bytes)}
    figures = read_receipts({file.path: file.sha256 for file in found}, texts)
    models = [file.source for file in found if isinstance(file.source, Path) and file.source.suffix == ".gguf"]
    metadata = read_gguf(models[0]).metadata if models else {}  # all files of a folder are made of one model
    card = write_model_card(found, figures, metadata, repo)
    files = (Upload.of_bytes(CARD, card.encode()), *(file for file in found if file.path != CARD))
    repositories = [Repository(repo, "model", public, files)]
    if space:
        repositories.append(Repository(space, "space", public, _list_space_files(files, figures, repo)))
    publication = Publication(tuple(repositories), left_out, card)
    return replace(publication, commits=child_process.run(commit_all, tuple(repositories))) if yes else publication


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="GGUF files or a checkpoint, with their receipts")
    parser.add_argument("--repo", required=True, metavar="USER/NAME", help="the model repository")
    parser.add_argument("--space", metavar="USER/NAME", help="also a Space that runs the model")
    parser.add_argument("--public", action="store_true", help="visible to everybody; private without this")
    parser.add_argument("--yes", action="store_true", help="really do it; without this nothing is sent")
    parser.set_defaults(run=publish)


def _list_space_files(uploads: Sequence[Upload], figures: Figures, repo: str) -> tuple[Upload, ...]:
    """Return all files of a Space that runs the app with the published model.

    They come from the project's own folder: ``app.py``, its requirements and the package, without the part that only
    training needs. Model and classifier get the names that the app expects, so that a Space needs no settings.

    Args:
        uploads: the files of the model's own repository.
        figures: the figures, which name the recommended one of several models.
        repo: the model's repository, ``USER/NAME``.

    Raises:
        ConvertError: the app's files are missing, or it is not clear which model the Space should run.
    """
    from huggingface_hub import SpaceCard  # not before a publication has set the client's settings, see ``hub``

    if not (ROOT / "app.py").is_file():
        raise ConvertError(f"The app is not in {ROOT}; publish a Space from the project's own folder.")
    models = {upload.path: upload for upload in uploads if upload.path.endswith(".gguf")}
    if figures.recommended not in models and len(models) != 1:
        raise ConvertError(
            f"A Space runs one GGUF file, and there are {len(models)} here; leave one, or let `convert quantize` "
            "recommend one in quantization.json."
        )
    model = models.get(figures.recommended) or next(iter(models.values()))
    code = [path for path in sorted(PACKAGE.rglob("*")) if path.suffix in CODE and EXCLUDED not in path.parents]
    paths = [*(ROOT / name for name in SINGLE_FILES), *code]
    files = [Upload.of_file(path.relative_to(ROOT).as_posix(), path) for path in paths]
    decoder = next((upload for upload in uploads if upload.path == DECODER), None)
    decoder = decoder or Upload.of_file(DECODER, ROOT / "models" / DECODER)

    # The card has the project's own front matter, the pinned version of Gradio, and a short text.
    card = SpaceCard((ROOT / CARD).read_text(encoding="utf-8"))
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    pinned = re.search(r"^gradio==([\d.]+)", requirements, flags=re.MULTILINE)
    if not pinned:
        raise ConvertError("requirements.txt names no exact version of gradio, which a Space has to state.")
    card.data["sdk_version"] = pinned[1]
    card.data["models"] = [repo]
    card.text = SPACE_TEXT.format(
        title=card.data["title"], notice=NOTICE, file=model.path, repo=repo, hub=HUB, sha256=model.sha256
    )
    uploaded = Upload.of_bytes(CARD, str(card).encode())
    return (uploaded, *files, replace(model, path=MODEL), replace(decoder, path=f"models/{DECODER}"))
