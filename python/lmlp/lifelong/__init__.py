"""Lifelong learning: memory of earlier data, adaptive selection, continuing a model on new data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmlp.lazy import exports

if TYPE_CHECKING:
    from lmlp.lifelong.base import load_model as load_model
    from lmlp.lifelong.base import make_learn_config as make_learn_config
    from lmlp.lifelong.base import session_config as session_config
    from lmlp.lifelong.batches import learn_batches as learn_batches
    from lmlp.lifelong.config import LearnConfig as LearnConfig
    from lmlp.lifelong.learn import Outcome as Outcome
    from lmlp.lifelong.memory import Memory as Memory

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "LearnConfig": "config",
        "Memory": "memory",
        "Outcome": "learn",
        "learn_batches": "batches",
        "load_model": "base",
        "make_learn_config": "base",
        "session_config": "base",
    },
)
