"""Training of ensembles on energies, forces and stresses."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lmlp.training.config import TrainConfig, load_config, make_config
    from lmlp.training.fresh import train
    from lmlp.training.observer import Observer

__all__ = ["Observer", "TrainConfig", "load_config", "make_config", "train"]

# name -> module; torch is not loaded before it is needed, so that the number of threads can still be set
_HOME = {
    "Observer": "observer",
    "TrainConfig": "config",
    "load_config": "config",
    "make_config": "config",
    "train": "fresh",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
