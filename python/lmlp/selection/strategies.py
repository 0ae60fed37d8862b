"""The strategies by which a learning session can draw; another one is a class and a line here."""

from __future__ import annotations

from lmlp.selection.adaptive import AdaptiveSelection
from lmlp.selection.sampler import Strategy
from lmlp.selection.uniform import UniformRehearsal

# name in the settings -> class
STRATEGIES: dict[str, type[Strategy]] = {
    "adaptive": AdaptiveSelection,
    "uniform": UniformRehearsal,
}
