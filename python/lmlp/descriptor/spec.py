"""Specs of descriptors: checked and completed by the compiled core."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lmlp import _core
from lmlp.elements import atomic_number
from lmlp.errors import InvalidArgumentError


def spec_json(spec: Mapping[str, Any]) -> str:
    """Return a spec as the core takes it; raises InvalidArgumentError for what is no plain JSON data."""
    try:
        return json.dumps(dict(spec), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"descriptor is not plain JSON data: {error}") from error


def normalize_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Check a spec and return it with every default filled in.

    Raises:
        InvalidArgumentError: names the row, the key, what was given and what is allowed.
    """
    return dict(json.loads(_core.normalize_spec(spec_json(spec))))


def element_weights(spec: Mapping[str, Any], elements: Sequence[str]) -> list[list[float]]:
    """Return the weights of each function for the given elements.

    Returns:
        Per function: radial functions one weight per element, angular ones one per unordered element pair,
        in the order (0,0), (0,1), (1,1), (0,2), …

    Raises:
        UnknownElementError: an element is not in the table of the spec.
    """
    numbers = [atomic_number(element) for element in elements]
    return [list(row) for row in _core.element_weights(spec_json(spec), numbers)]
