"""The package that ``pip install .`` makes, and what the files of requirements say."""

import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins(name):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return sorted(line for line in lines if line and not line.startswith(("#", "-r")))


def test_requirements_and_project_agree():
    assert pins("requirements.txt") == sorted(PROJECT["dependencies"])
    extras = {pin for pins in PROJECT["optional-dependencies"].values() for pin in pins}
    assert pins("requirements-dev.txt") == sorted(extras)


def test_every_requirement_has_an_exact_version():
    stated = [*PROJECT["dependencies"], *(pin for pins in PROJECT["optional-dependencies"].values() for pin in pins)]
    assert [pin for pin in stated if not re.fullmatch(r"[\w.-]+(\[\w+\])?==[\w.]+", pin)] == []


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A virtual environment with this project installed; libraries come from the one that runs the tests."""
    folder = tmp_path_factory.mktemp("installed")
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, ROOT]
    subprocess.run(wheel, check=True)
    venv.create(folder / "venv", symlinks=True)
    site = sysconfig.get_path("purelib", vars={"base": str(folder / "venv")})
    (Path(site) / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", site]
    subprocess.run([*install, *folder.glob("*.whl")], check=True)
    return folder / "venv" / "bin" / "python", site


def run(installed, where, code, *arguments):
    python, _ = installed
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("EEG_COPILOT", "PYTHONPATH"))}
    command = [python, "-c", code, *arguments]
    return subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, timeout=120, check=False)


def script(name):
    module, function = PROJECT["scripts"][name].split(":")
    return f"import sys; from {module} import {function} as main; sys.exit(main())"


def test_an_installed_copilot_reads_an_example_from_any_folder(installed, tmp_path):
    done = run(installed, tmp_path, script("eeg-copilot"), "analyse", "--example", "eyes-closed")
    assert done.returncode == 0, done.stderr
    assert "Eyes closed" in done.stdout
    films = run(
        installed, tmp_path, script("eeg-copilot"), *["analyse", "--example", "busy", "--protocol", "faced-films"]
    )
    assert re.search(r"^joy +[\d.<]+ %", films.stdout, flags=re.MULTILINE)
    assert "not a diagnosis" in done.stdout


def test_an_installed_converter_knows_its_verbs(installed, tmp_path):
    done = run(installed, tmp_path, script("eeg-copilot-convert"), "quantize", "--help")
    assert done.returncode == 0, done.stderr
    assert "--imatrix" in done.stdout


def test_an_installed_copilot_serves_the_page(installed, tmp_path):
    python, _ = installed
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "EEG_COPILOT_PORT": str(port), "TMPDIR": str(tmp_path)}
    command = [python, "-c", script("eeg-copilot"), "serve"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout is not None
            line = served.stdout.readline()
            assert f"http://127.0.0.1:{port}" in line
            assert (
                "EEG Emotion Copilot" in httpx.get(f"http://127.0.0.1:{port}", follow_redirects=True, timeout=60).text
            )
        finally:
            served.send_signal(signal.SIGTERM)
            assert served.wait(30) == 0
    assert list(tmp_path.iterdir()) == []
