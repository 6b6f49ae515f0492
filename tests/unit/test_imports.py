"""Imports go one way, as docs/architecture.md says."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: What a package, or a module, may import of this project besides itself; the longest name that fits counts.
ALLOWED = {
    "copilot.errors": set(),
    "copilot.text": set(),
    "copilot.emotions": set(),
    "copilot.i18n": {"copilot", "copilot.text"},
    "copilot.person": {"copilot.errors", "copilot.i18n", "copilot.text"},
    "copilot.settings": {"copilot.errors", "copilot.i18n"},
    "copilot.child_process": {"copilot.errors"},
    "copilot.files": {"copilot.child_process", "copilot.errors"},
    "copilot.command_line": {"copilot.errors", "copilot.text"},
    "copilot.evidence": {"copilot.i18n"},
    "copilot.eeg": {
        "copilot.child_process",
        "copilot.errors",
        "copilot.emotions",
        "copilot.evidence",
        "copilot.i18n",
    },
    "copilot.facts": {
        *(f"copilot.{name}" for name in ("assessment", "eeg", "emotions", "i18n", "llm.base", "person", "prompt")),
        *("copilot.record.model", "copilot.result", "copilot.settings", "copilot.text"),
    },
    "copilot.llm": {f"copilot.{name}" for name in ("child_process", "errors", "files", "i18n", "settings", "text")},
    "copilot.safety": {"copilot.errors", "copilot.text"},
    "convert": {f"copilot.{name}" for name in ("child_process", "command_line", "errors", "files", "llm", "text")},
}
#: What only the packages named after it may import.
REACHED_BY = {
    "copilot.training": {"copilot.training"},
    "copilot.web": {"copilot.web", "copilot.cli", "app"},
    "convert": {"convert", "copilot.training"},
    "copilot.pipeline": {"copilot", "app"},
}


def modules():
    files = [ROOT / "app.py", *ROOT.glob("copilot/**/*.py"), *ROOT.glob("convert/**/*.py")]
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files)
    return {name.removesuffix(".__init__"): path for name, path in zip(names, files, strict=True)}


MODULES = modules()


def imports(name):
    """Modules of this project that a module imports, and whether at its top."""
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            below = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [one if one in MODULES else node.module for one in below]
        else:
            continue
        yield from ((one, node.col_offset == 0) for one in found if one in MODULES and one != name)


def inside(name, package):
    return name == package or name.startswith(package + ".")


def test_packages_import_only_what_the_architecture_allows():
    wrong = []
    for name in MODULES:
        rule = max((rule for rule in ALLOWED if inside(name, rule)), key=len, default=None)
        for other, _ in imports(name):
            if (
                rule
                and not inside(other, rule)
                and not any(other == one if one == "copilot" else inside(other, one) for one in ALLOWED[rule])
            ):
                wrong.append(f"{name} imports {other}")
            wrong += [
                f"{name} imports {other}"
                for reached, by in REACHED_BY.items()
                if inside(other, reached) and not any(inside(name, one) for one in by)
            ]
    assert wrong == []


def test_no_module_imports_itself_through_others():
    edges = defaultdict(set)
    for name in MODULES:
        edges[name] = {other for other, _ in imports(name)}
    left = dict(edges)
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    assert sorted(left) == []


@pytest.mark.parametrize("module", ["copilot.pipeline", "copilot.web.page", "copilot.batch.run", "copilot.chat"])
def test_the_product_opens_neither_torch_nor_training_nor_the_converter(module):
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not re.findall(r"\b(?:torch|transformers|copilot\.training\S*|convert)\b", loaded)
