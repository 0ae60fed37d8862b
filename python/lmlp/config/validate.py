"""From keys and values to checked settings; every wrong one is named."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from lmlp.config.listing import keys_of, section_of
from lmlp.config.section import Section
from lmlp.errors import ConfigError

_Kind = TypeVar("_Kind", bound=Section)


def validated(
    kind: type[_Kind],
    values: Mapping[str, Any],
    source: str = "options",
    refused: Mapping[str, str] | None = None,
) -> _Kind:
    """Validate settings.

    Args:
        kind: section that the settings make.
        values: settings, sections nested.
        source: where they come from, for messages.
        refused: reasons by dotted key, for keys that ``kind`` does not have and that deserve more than
            "unknown key"; ``section.*`` stands for all keys of a section.

    Raises:
        ConfigError: names the offending key, what was given and what is allowed.
    """
    lines: list[str] = []
    rest = _without_refused(values, refused, lines) if refused else dict(values)
    try:
        result = kind.model_validate(rest)
    except ValidationError as error:
        lines += [_line(kind, item) for item in error.errors()]
    if lines:
        raise ConfigError(f"{source}: " + "; ".join(lines)) from None
    return result


def refusal(key: str, refused: Mapping[str, str]) -> str | None:
    """Return the reason why a dotted key is refused, its own or that of a section that it stands in."""
    if key in refused:
        return refused[key]
    parts = key.split(".")
    above = [".".join(parts[:n]) for n in range(len(parts) - 1, 0, -1)]
    return next((refused[k] for name in above for k in (name, f"{name}.*") if k in refused), None)


def merge(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``values`` with ``overrides`` laid over them, section by section."""
    result = dict(values)
    for key, value in overrides.items():
        old = result.get(key)
        result[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def _without_refused(
    values: Mapping[str, Any], refused: Mapping[str, str], lines: list[str], above: str = ""
) -> dict[str, Any]:
    """Return the values that are not refused; ``lines`` tell of the others."""
    rest: dict[str, Any] = {}
    for name, value in values.items():
        key = f"{above}{name}"
        nested = isinstance(value, Mapping) and bool(value)
        if key in refused or (f"{key}.*" in refused and not nested):
            lines.append(f"{key}: {refusal(key, refused) or refused[f'{key}.*']}; got {value!r}")
        elif f"{key}.*" in refused:
            reason = refused[f"{key}.*"]
            lines += [f"{key}.{inner}: {reason}; got {given!r}" for inner, given in value.items()]
        elif nested:
            rest[name] = _without_refused(value, refused, lines, f"{key}.")
        else:
            rest[name] = value
    return rest


def _line(kind: type[Section], item: Mapping[str, Any]) -> str:
    """Say what is wrong with one key."""
    key = ".".join(str(part) for part in item["loc"]) or "(top level)"
    if item["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{key}: unknown key{_suggestion(kind, item['loc'])}"
    if item["type"] == "missing":
        return f"{key}: missing"
    message = item["msg"].removeprefix("Value error, ")
    return f"{key}: {message}; got {item.get('input')!r}"


def _suggestion(kind: type[Section], location: tuple[int | str, ...]) -> str:
    """Name the keys that can be set in the section that an unknown key stands in, the closest first."""
    section: type | None = kind
    for part in location[:-1]:
        section = None if section is None else section_of(section, str(part))
    allowed = [] if section is None else keys_of(section)
    close = difflib.get_close_matches(str(location[-1]), allowed, n=1)
    if close:
        return f" (did you mean {close[0]}?)"
    return f" (allowed: {', '.join(allowed)})" if allowed else ""
