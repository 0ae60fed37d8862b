"""Training of ensembles on energies, forces and stresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmlp.lazy import exports

if TYPE_CHECKING:
    from lmlp.training.config import TrainConfig as TrainConfig
    from lmlp.training.config import load_config as load_config
    from lmlp.training.config import make_config as make_config
    from lmlp.training.fresh import train as train
    from lmlp.training.observer import Observer as Observer

# torch is not loaded before it is needed, so that the number of threads can still be set
__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "Observer": "observer",
        "TrainConfig": "config",
        "load_config": "config",
        "make_config": "config",
        "train": "fresh",
    },
)
