"""Read every setting from the environment, in one place.

``EEG_COPILOT_MODEL=/path/model.gguf python app.py`` gives a setting; docs/configuration.md lists them.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from copilot.errors import CopilotError
from copilot.i18n import LANGUAGES, N_

ROOT = Path(__file__).resolve().parent.parent
#: In a checkout and on a Space models are beside the package, in an installed package inside it.
MODELS = next((found for base in (ROOT, ROOT / "copilot") if (found := base / "models").is_dir()), ROOT / "models")
READOUTS = ("both", "model", "decoder")
PROTOCOLS = ("any", "faced-films")
SWITCH = {"on": True, "off": False}


class SettingsError(CopilotError, ValueError):
    """A setting has a value that cannot be used; the message names the variable and what it accepts."""


@dataclass(frozen=True)
class Settings:
    """The settings of a run.

    Attributes:
        model: the GGUF file to run in this process.
        decoder: the file with the numpy classifier's weights.
        server: base URL of an OpenAI-compatible server, e.g. ``http://127.0.0.1:11434/v1``; replaces ``model``.
        server_model: the model's name on that server.
        server_key: bearer token for that server.
        protocol: what the person did: ``any``, or ``faced-films``, one of FACED's film clips from its first second.
        readout: where probabilities come from: ``both`` (the classifier's evidence in the prompt, scored by the
            language model), ``model`` (no evidence) or ``decoder`` (the classifier alone). Of a recording of any kind
            they come from the classifier, unless it is ``model``.
        threads: CPU threads of llama.cpp; two processes with more threads than cores slow each other 10 to 50 times.
        context: size of the context, in tokens.
        max_upload_mb: the largest recording that is accepted, all its files together, megabytes.
        max_minutes: how much of a recording is read, from its start, minutes.
        host, port: where the web app listens.
        allowed_hosts: names besides ``host`` and this machine's own that the web app answers to.
        on_space: whether this is a Hugging Face Space.
        language: of the interface and the record, a key of ``i18n.LANGUAGES``; empty: the browser's.
        store: whether records can be kept on this machine; never on a Space.
        data: the folder where they are kept.
        keep_days: after how many days a kept record is deleted.
    """

    model: Path = MODELS / "eeg-emotion-copilot.gguf"
    decoder: Path = MODELS / "decoder.npz"
    protocol: str = "any"
    server: str = ""
    server_model: str = "eeg-emotion-copilot"
    server_key: str = field(default="", repr=False)
    readout: str = "both"
    threads: int = field(default_factory=lambda: count_usable_cores())
    context: int = 4096
    max_upload_mb: int = 200
    max_minutes: int = 30
    host: str = "127.0.0.1"
    port: int = 7860
    allowed_hosts: tuple[str, ...] = ()
    on_space: bool = False
    language: str = ""
    store: bool = False
    data: Path = field(default_factory=lambda: _find_data_folder())
    keep_days: int = 365

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read ``EEG_COPILOT_<NAME>`` for each field; unset or empty means the default.

        Raises:
            SettingsError: a value of the wrong kind.
        """
        on_space = bool(environment.get("SPACE_ID"))
        values: dict[str, object] = {"on_space": on_space, "host": "0.0.0.0" if on_space else cls.host}
        for name in ("model", "decoder", "data"):
            if text := environment.get(f"EEG_COPILOT_{name.upper()}"):
                values[name] = Path(text).expanduser()
        for name in ("server", "server_model", "server_key", "host"):
            if text := environment.get(f"EEG_COPILOT_{name.upper()}"):
                values[name] = text
        names = f"{environment.get('EEG_COPILOT_ALLOWED_HOSTS', '')},{environment.get('SPACE_HOST', '')}"
        values["allowed_hosts"] = tuple(name.strip().lower() for name in names.split(",") if name.strip())
        if "server" in values and not str(values["server"]).startswith(("http://", "https://")):
            raise SettingsError(
                N_("EEG_COPILOT_SERVER is {value!r}; it has to begin with http:// or https://.", value=values["server"])
            )
        for name in ("threads", "context", "max_upload_mb", "max_minutes", "port", "keep_days"):
            if text := environment.get(f"EEG_COPILOT_{name.upper()}"):
                values[name] = _parse_positive(f"EEG_COPILOT_{name.upper()}", text)
        limited = {"protocol": PROTOCOLS, "readout": READOUTS, "language": LANGUAGES, "store": SWITCH}
        for name, choices in limited.items():
            variable = f"EEG_COPILOT_{name.upper()}"
            if text := environment.get(variable):
                if text not in choices:
                    can_be = {"variable": variable, "value": text, "choices": tuple(choices)}
                    raise SettingsError(N_("{variable} is {value!r}; it can be {choices}.", **can_be))
                values[name] = text
        values["store"] = SWITCH[str(values.get("store", "off"))]
        if on_space and values["store"]:
            raise SettingsError(N_("EEG_COPILOT_STORE is on, but a Space keeps no records: it serves strangers."))
        return cls(**values)  # type: ignore[arg-type]


def _find_data_folder() -> Path:
    """Return the folder in which this system keeps a program's data of one user."""
    from platformdirs import user_data_path

    return user_data_path("eeg-emotion-copilot", appauthor=False)


def count_usable_cores(environment: Mapping[str, str] = os.environ) -> int:
    """Return the number of cores that this process may use.

    ``CPU_CORES`` states it on a Space, the process's affinity on Linux; otherwise all cores of the machine count.
    """
    if (stated := environment.get("CPU_CORES", "")).isdigit():  # set by Hugging Face Spaces
        return max(1, int(stated))
    affinity = getattr(os, "sched_getaffinity", None)  # Linux
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _parse_positive(variable: str, text: str) -> int:
    """Return ``text`` as a whole number above 0."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise SettingsError(
            N_("{variable} is {value!r}; it has to be a whole number above 0.", variable=variable, value=text)
        )
    return number
