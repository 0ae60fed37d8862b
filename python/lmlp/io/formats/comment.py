"""The comment line of extended XYZ: ``key=value`` pairs to values and back, every text as it was.

A value is a number, T or F, an array of these, ``_JSON …`` or a text. What only looks like a number, such as
``007`` or ``1_0``, is a text. Values whose text is not the one that would be written anew, such as ``1e5``
for 100000.0, keep their spelling beside them.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

SPELLINGS = "entry_spellings"
"""Entry of ``Structure.info``: key -> text in the file, where it differs from the text that is written."""

TRUE = {"T", "True", "true", "TRUE"}
FALSE = {"F", "False", "false", "FALSE"}
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]*)", re.ASCII)
_REAL = re.compile(
    r"[+-]?(([0-9]+\.[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|inf|infinity|nan)",
    re.ASCII | re.IGNORECASE,
)
_INT64 = range(-(2**63), 2**63)
_CLOSING = {"'": "'", '"': '"', "{": "}", "[": "]"}
# key, key=word or key="some words"
_PLAIN = re.compile(
    r"""\s*([^\s="'{}\[\]\\]+)(?:\s*=\s*(?:"([^"\\]*)"|([^\s="'{}\[\]\\]+))(?=\s|$)|(?=\s+[^\s=]|\s*$))\s*"""
)


def split_pairs(text: str) -> dict[str, str | None]:
    """Cut a line into keys and their texts; None for a key alone.

    Raises:
        ValueError: a key twice with different texts, a quote or bracket that is not closed.
    """
    pairs: dict[str, str | None] = {}
    for key, value in _plain_pairs(text) or _quoted_pairs(text):
        if key in pairs and pairs[key] != value:
            raise ValueError(f"{key} is given twice: {pairs[key]!r} and {value!r}")
        pairs[key] = value
    return pairs


def _plain_pairs(text: str) -> list[tuple[str, str | None]] | None:
    """Split a line without escapes and brackets; None for another."""
    pairs: list[tuple[str, str | None]] = []
    position = 0
    while position < len(text):
        found = _PLAIN.match(text, position)
        if found is None:
            return None
        pairs.append((found[1], found[2] if found[2] is not None else found[3]))
        position = found.end()
    return pairs


def _quoted_pairs(text: str) -> list[tuple[str, str | None]]:
    """Split a line with quotes and brackets at any place, and escapes, as ASE does."""
    parts: list[list[str]] = [[""]]  # of each pair: key, then what stands between the equal signs
    closing, opened, escaped, empty = "", 0, False, True
    for place, char in enumerate(text):
        if escaped or (closing and char not in ("\\", closing)):
            parts[-1][-1] += char
            escaped = False
        elif char == "\\":
            escaped = True
        elif closing:
            closing = ""
        elif char in _CLOSING:
            closing, opened, empty = _CLOSING[char], place, False
        elif char.isspace():
            if parts[-1][-1] or not empty:
                parts.append([""])
                empty = True
        elif char == "=":
            if parts[-1] == [""] and empty and len(parts) > 1:
                parts.pop()
            parts[-1].append("")
            empty = True
        else:
            parts[-1][-1] += char
    if closing and "=" in text[opened:]:
        raise ValueError(f"what begins with {text[opened : opened + 40]!r} is not closed")
    if parts[-1] == [""] and empty:
        parts.pop()
    return [(key, "=".join(values) if values else None) for key, *values in parts]


def parse_value(text: str | None) -> Any:
    """Return what a text means: number, bool, array of these, JSON or the text itself; True for None."""
    if text is None:
        return True
    words = re.findall(r"[^\s,]+", text)
    if words and all(_INTEGER.fullmatch(w) for w in words):
        numbers = [int(w) for w in words]
        if len(numbers) == 1:
            return numbers[0]
        return np.array(numbers) if all(n in _INT64 for n in numbers) else text
    if words and all(_REAL.fullmatch(w) or _INTEGER.fullmatch(w) for w in words):
        values = [float(w) for w in words]
        return values[0] if len(values) == 1 else np.array(values)
    if words and all(w in TRUE or w in FALSE for w in words):
        booleans = [w in TRUE for w in words]
        return booleans[0] if len(booleans) == 1 else np.array(booleans)
    if text.startswith("_JSON "):
        return _from_json(json.loads(text[len("_JSON ") :]))
    return text


def _from_json(value: Any) -> Any:
    """Make arrays of lists of numbers, of any depth, if nothing is lost."""
    if not isinstance(value, list):
        return value
    try:
        array = np.array(value)
    except (ValueError, OverflowError):  # rows of different lengths, numbers too large
        return value
    return array if array.dtype.kind in "ifb" and _kinds(value) == {array.dtype.kind} else value


def _kinds(value: list[Any]) -> set[str]:
    kinds: set[str] = set()
    for item in value:
        if isinstance(item, list):
            kinds |= _kinds(item)
        else:
            kinds.add({bool: "b", int: "i", float: "f"}.get(type(item), "other"))
    return kinds


def spellings(pairs: dict[str, str | None], values: dict[str, Any]) -> dict[str, str | None]:
    """Return the texts that differ from those which would be written."""
    return {key: pairs[key] for key, value in values.items() if pairs[key] != value_text(value)}


def value_text(value: Any) -> str:
    """Return the text of a value, before quoting; ``parse_value`` makes the same value of it."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return value if value.isprintable() and _is_text(value) else _json(value)
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.size > 1 and value.dtype.kind in "bif":
        return " ".join(value_text(v) for v in value.tolist())
    return _json(value.tolist() if isinstance(value, np.ndarray) else value)


def _is_text(word: str) -> bool:
    """Tell whether a text is read as this text."""
    return not word.startswith("_JSON ") and isinstance(parse_value(word), str)


def _json(value: Any) -> str:
    return "_JSON " + json.dumps(value, default=_plain)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def write_pair(key: str, value: Any, spelling: dict[str, str | None]) -> str:
    """Return ``key=value`` as it was spelled in a file, if the value is still that one."""
    if key in spelling and value_text(parse_value(spelling[key])) == value_text(value):
        text = spelling[key]
        return _quote(key) if text is None else f"{_quote(key)}={_quote(text)}"
    return f"{_quote(key)}={_quote(value_text(value))}"


def _quote(text: str) -> str:
    if text and text.isprintable() and not any(c in " \t\"'{}[]\\=," for c in text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
