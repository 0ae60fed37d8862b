"""What the options of presets may be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lmlp.errors import InvalidArgumentError

_COUNTS = ("n_radial", "n_angular", "l_max", "l_max_triples", "l_max_quadruples", "span")
_NUMBERS = ("angular_cutoff", "r_min", "angular_r_min", "shortest", "growth")
_TEXTS = ("channels", "table")
_MOST = 200


def check_preset_options(options: Mapping[str, Any]) -> None:
    """Refuse values of another kind than an option has; unknown names are left to the preset.

    Raises:
        InvalidArgumentError: names the option, what was given and what is allowed.
    """
    for name, value in options.items():
        allowed = _allowed(name, value)
        if allowed is not None:
            raise InvalidArgumentError(f"descriptor.options.{name}: give {allowed}; got {value!r}")


def _allowed(name: str, value: Any) -> str | None:
    """Return what an option may be if the value is not; None if it is."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if name in _COUNTS and not (is_number and isinstance(value, int) and 0 <= value <= _MOST):
        return f"a whole number from 0 to {_MOST}"
    if (
        name in _NUMBERS
        and value is not None
        and not (is_number and math.isfinite(value) and 0 <= value < 100)
    ):
        return "a number from 0 to 100"
    if name in _TEXTS and value is not None and not isinstance(value, str):
        return "a name"
    if name == "keep_all" and not isinstance(value, bool):
        return "true or false"
    return None
