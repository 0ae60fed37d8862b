"""Entries of a structure as JSON that reads back as it was: arrays keep type and shape."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

_ARRAY = {"__array__", "dtype", "shape"}


def to_json(entries: dict[str, Any]) -> str:
    """Return entries as JSON; what JSON does not know becomes its text."""
    return json.dumps(_encode(entries), default=str)


def from_json(text: str) -> dict[str, Any]:
    """Return the entries again."""
    entries: dict[str, Any] = json.loads(text, object_hook=_decode)
    return entries


def _encode(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufU":
        return {"__array__": value.ravel().tolist(), "dtype": value.dtype.str, "shape": list(value.shape)}
    if isinstance(value, np.ndarray | np.generic):
        return _encode(value.tolist())
    if isinstance(value, dict):
        return {str(k): _encode(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(v) for v in value]
    return value


def _decode(value: dict[str, Any]) -> Any:
    if value.keys() == _ARRAY:
        return np.array(value["__array__"], dtype=value["dtype"]).reshape(value["shape"])
    return value
