"""What can be set: all keys of a section with their descriptions and defaults, for help texts and pages."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic.fields import FieldInfo

from lmlp.config.values import Choices, Written


@dataclass(frozen=True)
class Setting:
    """One key.

    Attributes:
        key: with the sections that it stands in, joined by dots.
        description: what it is.
        choices: names that its value can be; empty if it is something else.
        default: as it is written in YAML; None if there is none, or if the description tells it.
    """

    key: str
    description: str
    choices: tuple[str, ...]
    default: str | None

    def words(self) -> str:
        """Return description and choices."""
        if len(self.choices) < 2:
            return self.description
        *others, last = self.choices
        return f"{self.description} ({', '.join(others)} or {last})"


def settings_of(kind: type, above: str = "") -> list[Setting]:
    """Return all keys below a section, or below a dataclass of settings, in the order of its fields."""
    found: list[Setting] = []
    for name, field in _fields(kind):
        section = _section(field.annotation)
        if section is not None:
            found += settings_of(section, f"{above}{name}.")
        else:
            found.append(Setting(above + name, field.description or "", _choices(field), _default(field)))
    return found


def sections_of(kind: type, above: str = "") -> dict[str, str]:
    """Return the descriptions of all sections below a section, by dotted name."""
    found: dict[str, str] = {}
    for name, field in _fields(kind):
        section = _section(field.annotation)
        if section is not None:
            found[above + name] = field.description or ""
            found |= sections_of(section, f"{above}{name}.")
    return found


def keys_of(kind: type) -> list[str]:
    """Return the keys of a section, not those of sections in it."""
    return [name for name, _ in _fields(kind)]


def section_of(kind: type, name: str) -> type | None:
    """Return the section that a key of ``kind`` stands for; None if it is none, or unknown."""
    return next((_section(field.annotation) for key, field in _fields(kind) if key == name), None)


def _fields(kind: type) -> Iterator[tuple[str, FieldInfo]]:
    if dataclasses.is_dataclass(kind):
        types = get_type_hints(kind)
        for field in dataclasses.fields(kind):
            yield field.name, FieldInfo.from_annotated_attribute(types[field.name], field)
    else:
        yield from getattr(kind, "model_fields", {}).items()


def _section(annotation: Any) -> type | None:
    """Return the section that a type is, perhaps beside None."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and (hasattr(kind, "model_fields") or dataclasses.is_dataclass(kind)):
            return kind
    return None


def _choices(field: FieldInfo) -> tuple[str, ...]:
    for kind in (field.annotation, *get_args(field.annotation)):
        if get_origin(kind) is Literal:
            return tuple(str(name) for name in get_args(kind))
    return next((m.names for m in field.metadata if isinstance(m, Choices)), ())


def _default(field: FieldInfo) -> str | None:
    value = field.get_default(call_default_factory=True)
    if field.is_required() or value is None or value in ([], {}):
        return None
    written = next((m.how for m in field.metadata if isinstance(m, Written)), _plain)
    return written(value)


def _plain(value: Any) -> str:
    """Write a value as YAML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}".replace("e-0", "e-")
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_plain, value))}]"
    return str(value)
