"""Structures and what their geometry says: elements, distances, bonds, free atoms, composition."""

from lmlp.structure.structure import Structure

__all__ = ["Structure"]


def __dir__() -> list[str]:
    return sorted(__all__)
