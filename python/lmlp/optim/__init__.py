"""Optimizers; knows torch only."""

from lmlp.optim.core import CoRe

__all__ = ["CoRe"]


def __dir__() -> list[str]:
    return sorted(__all__)
