"""Find and renumber the token ids in a checkpoint's configurations."""

import re
import reprlib
from collections.abc import Mapping
from typing import Any

from convert.files import ConvertError

_KEYS = re.compile(r"(_token_ids?|suppress_tokens|words_ids)$")
_ADDED = "added_tokens_decoder"


def find_named_ids(config: Mapping[str, Any]) -> set[int]:
    """Return all ids under keys whose values are ids, and those of all added tokens; negative ids mean none.

    Raises:
        ConvertError: such a key has another value.
    """
    named = {i for key, value in config.items() if _KEYS.search(key) for i in _flatten_ids(value) if i >= 0}
    return named | _read_added_tokens(config).keys()


def renumber_config(config: Mapping[str, Any], ids: Mapping[int, int]) -> dict[str, Any]:
    """Return the configuration with new ids; ``ids`` maps each old id in it to the new one."""
    new = {key: _map_ids(value, ids) if _KEYS.search(key) else value for key, value in config.items()}
    if added := _read_added_tokens(config):
        new[_ADDED] = {str(ids[token]): value for token, value in added.items()}
    return new


def _read_added_tokens(config: Mapping[str, Any]) -> dict[int, Any]:
    """Read the entries of added tokens that older tokenizer configurations contain: id -> entry."""
    added = config.get(_ADDED) or {}
    if not isinstance(added, dict) or not all(re.fullmatch("[0-9]{1,10}", key) for key in added):
        raise ConvertError(f"The configuration has {_ADDED} that are not ordered by tokens' ids.")
    return {int(key): value for key, value in added.items()}


def _flatten_ids(value: Any, levels: int = 2) -> list[int]:
    """Return the ids in a value that is None, an id or a list nested at most ``levels`` deep."""
    if isinstance(value, list) and levels:
        return [i for part in value for i in _flatten_ids(part, levels - 1)]
    if value is not None and type(value) is not int:
        raise ConvertError(f"The configuration names {reprlib.repr(value)} where a token's id should be.")
    return [] if value is None else [value]


def _map_ids(value: Any, ids: Mapping[int, int]) -> Any:
    if isinstance(value, list):
        return [_map_ids(part, ids) for part in value]
    return ids.get(value, value)  # None and negative ids stay
