"""Values of settings: durations and sizes as people write them, numbers in reasonable limits."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
MOST = 10**9  # of counts: beyond it a typing error
MOST_THREADS = 1024
MOST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Written:
    """How values of a type are written, for help texts; stands beside the type in ``Annotated``."""

    how: Callable[[Any], str]


@dataclass(frozen=True)
class Choices:
    """Names that a text can be, for help texts; stands beside the type in ``Annotated``."""

    names: tuple[str, ...]


def parse_duration(value: Any) -> Any:
    """Return seconds of ``90``, ``"90s"``, ``"6m"``, ``"1h30m"``, ``"1.5h"``."""
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    parts = re.findall(r"([0-9]*\.?[0-9]+)\s*(min|[smhd]?)", text)
    if not parts or "".join(n + u for n, u in parts) != text.replace(" ", ""):
        raise ValueError(f"{value!r} is no duration; write 90s, 6m, 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def parse_bytes(value: Any) -> Any:
    """Return bytes of ``2147483648``, ``"2G"``, ``"512 MiB"``."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*([bkmgt]?)(?:i?b)?", value.strip().lower())
    if match is None:
        raise ValueError(f"{value!r} is no memory size; write 512M, 2G")
    size = float(match[1]) * _BYTES[match[2]]
    return int(size) if math.isfinite(size) else size


def write_duration(seconds: float) -> str:
    """Return the shortest text that :func:`parse_duration` reads as ``seconds``."""
    unit = next(u for u in "dhms" if u == "s" or seconds % _UNITS[u] == 0)
    return f"{seconds / _UNITS[unit]:g}{unit}"


def write_bytes(size: int) -> str:
    """Return the shortest text that :func:`parse_bytes` reads as ``size``."""
    unit = next((u for u in "tgmk" if size and size % _BYTES[u] == 0), "")
    return f"{size // _BYTES[unit]}{unit.upper()}"


Duration = Annotated[float, BeforeValidator(parse_duration), Field(gt=0), Written(write_duration)]
Bytes = Annotated[int, BeforeValidator(parse_bytes), Field(ge=0, le=2**60), Written(write_bytes)]
Count = Annotated[int, Field(ge=1, le=MOST)]
Positive = Annotated[float, Field(gt=0, le=1e30)]
Weight = Annotated[float, Field(ge=0, le=1e9)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
