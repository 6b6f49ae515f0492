"""Base and adapter to one folder that llama.cpp, Ollama, the Hub and a Space can all take.

``python -m convert all --base DIR --adapter DIR --out DIR --types Q8_0,Q5_K_M,Q4_K_M``

The other verbs, one after the other: merge, gguf, check, quantize, ollama. The folder appears when every one of them
has passed, with ``receipt.json``: what each of them found, and the SHA-256 of everything.
"""

import argparse
import hashlib
import json
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from convert import quantize as quantization
from convert.check import check
from convert.files import ConvertError, written_whole
from convert.merge import merge
from convert.metadata import read_metadata
from convert.ollama import ollama
from convert.progress import bar
from convert.quantize import quantize
from convert.report import Report
from convert.to_gguf import to_gguf

CHECKPOINT = "checkpoint"
RECEIPT = "receipt.json"
TYPES = ("Q8_0", "Q5_K_M", "Q4_K_M")
MADE_WITH = ("gguf", "llama-cpp-python", "torch", "transformers", "peft")
STEPS = 5


@dataclass(frozen=True)
class Release:
    """A folder and how it came about.

    Attributes:
        out: the folder.
        steps: verb -> what it reported.
        model: the quantised file that ``quantize`` recommends and that the Modelfile runs.
        files: path in the folder -> bytes and SHA-256.
        made_with: program -> version.
        seconds: for everything.
    """

    out: str
    steps: dict[str, Report]
    model: str
    files: dict[str, dict[str, Any]]
    made_with: dict[str, str]
    seconds: float
