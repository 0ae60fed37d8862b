"""Names of the activation functions: those that the core knows; ``network.py`` has their formulas."""

from __future__ import annotations

from lmlp import _core

ACTIVATION_NAMES: tuple[str, ...] = tuple(_core.activation_names())
