"""The token ids that ``config.json`` and ``generation_config.json`` name: which they are, and the same with new ids."""

import re
from collections.abc import Mapping
from typing import Any

from convert.files import ConvertError

_KEYS = re.compile(r"(_token_ids?|suppress_tokens|words_ids)$")


def named_ids(config: Mapping[str, Any]) -> set[int]:
    """Every id under a key that holds ids; negative ones mean none."""
    return {i for key, value in config.items() if _KEYS.search(key) for i in _flat(value) if i >= 0}


def renumbered(config: Mapping[str, Any], ids: Mapping[int, int]) -> dict[str, Any]:
    """The configuration with new ids, ``ids`` giving the new one of each old one that is named."""
    return {key: _mapped(value, ids) if _KEYS.search(key) else value for key, value in config.items()}


def _flat(value: Any) -> list[int]:
    if isinstance(value, list):
        return [i for part in value for i in _flat(part)]
    if value is not None and not isinstance(value, int):
        raise ConvertError(f"The configuration names {value!r} where a token's id should be.")
    return [] if value is None else [value]


def _mapped(value: Any, ids: Mapping[int, int]) -> Any:
    if isinstance(value, list):
        return [_mapped(part, ids) for part in value]
    return ids.get(value, value)  # None and negative ids stay
