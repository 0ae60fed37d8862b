"""Reading, checking and writing reference structures."""

from lmlp.io.atoms import structures_of
from lmlp.io.keys import DataKeys
from lmlp.io.read import read_structures
from lmlp.io.write import write_structures

__all__ = ["DataKeys", "read_structures", "structures_of", "write_structures"]


def __dir__() -> list[str]:
    return sorted(__all__)
