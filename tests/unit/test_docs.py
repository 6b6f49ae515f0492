"""What the documentation names, and where its links lead."""

import argparse
import importlib
import re
from pathlib import Path

import pytest

from convert.__main__ import VERBS
from copilot.cli import make_parser
from copilot.eeg.text_encoding import CODECS
from copilot.record.export.registry import EXPORTS
from copilot.settings import Settings
from copilot.training.model_card import BEGIN, END
from tests.conftest import SLOW
from tests.unit.test_imports import ALLOWED, REACHED_BY

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [README, *DOCS, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]
MOST_LINES = 140

FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def read(path):
    return path.read_text(encoding="utf-8")


def code_of(text):
    """Everything in a text that is set as code."""
    return "\n".join([*FENCE.findall(text), *CODE.findall(FENCE.sub("", text))])


def names(text, word):
    """Whether a text has this word as code, and not only as a part of a longer one."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", code_of(text)) is not None


def section(path, title):
    """The text under a heading, up to the next of the same level or above."""
    found = re.search(rf"^(#+) `?{re.escape(title)}`?$", read(path), re.MULTILINE)
    assert found, f"{path.name} has no section {title}."
    rest = read(path)[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", FENCE.sub(lambda fence: " " * len(fence[0]), rest), re.MULTILINE)
    return rest[: end.start()] if end else rest


def options_of(parser):
    return {name for action in parser._actions for name in action.option_strings if name.startswith("--")} - {"--help"}


def everything():
    return "\n".join(map(read, [README, *DOCS]))


class Asked(dict):
    """An empty environment that remembers what was looked up in it."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def get(self, name, default=None):
        self.names.add(name)
        return default


def settings():
    environment = Asked()
    Settings.from_environment(environment)
    return sorted(environment.names)


@pytest.mark.parametrize("name", settings())
def test_every_setting_is_documented(name):
    assert names(read(ROOT / "docs" / "configuration.md"), name)


def test_every_field_of_the_settings_is_read_from_the_environment():
    fields = {f"EEG_COPILOT_{name.upper()}" for name in Settings.__dataclass_fields__ if name != "on_space"}
    assert fields <= set(settings())


def test_the_table_of_settings_states_their_defaults():
    text = read(ROOT / "docs" / "configuration.md")
    stated = {row[1]: row[2].strip("` ") for row in re.finditer(r"^\| `(EEG_COPILOT_\w+)` \| ([^|]+) \|", text, re.M)}
    for name in ("server_model", "readout", "context", "max_upload_mb", "max_minutes", "host", "port", "keep_days"):
        assert stated[f"EEG_COPILOT_{name.upper()}"] == str(getattr(Settings, name))


def commands():
    (subparsers,) = (action for action in make_parser()._actions if isinstance(action, argparse._SubParsersAction))
    return subparsers.choices


@pytest.mark.parametrize("command", commands())
def test_every_command_and_its_options_are_documented(command):
    text = section(ROOT / "docs" / "usage.md", "Command line")
    parser = commands()[command]
    assert f"\n| `{command}` |" in text
    assert [name for name in sorted(options_of(parser)) if not names(text, name)] == []
    choices = [choice for action in parser._actions for choice in action.choices or ()]
    assert [choice for choice in choices if not names(text, choice)] == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_of_convert_and_its_options_are_documented(verb):
    pytest.importorskip("torch", reason="Install requirements-dev.txt for the converter.")
    parser = argparse.ArgumentParser()
    importlib.import_module(f"convert.{verb}").add_arguments(parser)
    text = section(ROOT / "docs" / "convert.md", verb)
    assert [name for name in sorted({*options_of(parser), "--json"}) if not names(text, name)] == []


def training_commands():
    """Modules of ``copilot.training`` that are run by name, with the text that has their options in it."""
    folder = ROOT / "copilot" / "training"
    packages = {path.parent.name: read(path.with_name("__init__.py")) for path in folder.glob("*/__main__.py")}
    files = {path.stem: read(path) for path in folder.glob("*.py")}
    return packages | {name: text for name, text in files.items() if '__name__ == "__main__"' in text}


@pytest.mark.parametrize("command", sorted(training_commands()))
def test_every_command_of_training_and_its_options_are_documented(command):
    text = read(ROOT / "docs" / "training.md")
    if re.search(rf"^## `{command}`$", text, re.MULTILINE):
        text = section(ROOT / "docs" / "training.md", command)
    else:
        text = next((line for line in text.splitlines() if line.startswith(f"| `{command}`")), "")
    assert text, f"docs/training.md does not name {command}."
    options = re.findall(r'add(?:_argument)?\(\s*"(--[a-z-]+)"', training_commands()[command])
    assert [name for name in options if not names(text, name)] == []


@pytest.mark.parametrize("kind", EXPORTS)
def test_every_export_is_documented(kind):
    export, text = EXPORTS[kind], section(ROOT / "docs" / "record.md", "Exports")
    assert f"| {export.title} | `{export.suffix}` |" in text


@pytest.mark.parametrize("name", CODECS)
def test_every_text_encoding_is_documented(name):
    assert f"\n| `{name}` |" in section(ROOT / "docs" / "usage.md", "Text encodings")


@pytest.mark.parametrize("name", sorted({*ALLOWED, *REACHED_BY}))
def test_the_rules_of_imports_are_documented(name):
    assert names(section(ROOT / "docs" / "architecture.md", "Imports"), name)


def anchors(path):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = HEADING.findall(FENCE.sub("", read(path)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_relative_links_lead_somewhere(page):
    nowhere = []
    for link in LINK.findall(FENCE.sub("", read(page))):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        if not target.exists() or not target.is_relative_to(ROOT) or (anchor and anchor not in anchors(target)):
            nowhere.append(link)
    assert nowhere == []


def test_every_page_of_docs_is_reached_from_the_readme():
    linked = set(LINK.findall(read(README)))
    assert [path.name for path in DOCS if f"docs/{path.name}" not in linked] == []


def test_paths_in_code_are_there():
    """Files and folders of this project that a page names, such as ``copilot/eeg/types.py``."""
    path = re.compile(r"(?:app\.py|(?:copilot|convert|docs|models|notebooks|tests)/[\w./-]*\w/?)")
    named = {word for page in PAGES for word in code_of(read(page)).split() if path.fullmatch(word)}
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_the_readme_is_short():
    text = re.sub(r"\A---\n.*?\n---\n", "", read(README), flags=re.DOTALL)
    before, figures, after = text.partition(BEGIN)
    text = before + BEGIN + END + after.partition(END)[2] if figures else before
    assert len(text.splitlines()) <= MOST_LINES


@pytest.mark.parametrize("slow", SLOW)
def test_slow_tests_are_there(slow):
    path, _, name = slow.partition("::")
    assert f"def {name or 'test_'}" in (ROOT / path).read_text(encoding="utf-8")
