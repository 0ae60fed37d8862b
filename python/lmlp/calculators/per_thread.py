"""What a calculator remembers, for each thread by itself: its last calculation and its neighbor list."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms

from lmlp.calculators.engine import Engine
from lmlp.errors import SharedCalculatorError
from lmlp.neighbors import VerletList


@dataclass(frozen=True)
class Calculation:
    """One calculation, or with ``atoms`` None that there is none.

    Attributes:
        engine: what made it.
        started: when; a number that grows.
        ended: likewise.
        atoms: a copy of the structure.
        results: by name.
    """

    engine: Engine
    started: int
    ended: int
    atoms: Atoms | None = None
    results: dict[str, Any] = field(default_factory=dict)

    def is_of(self, atoms: Atoms) -> bool:
        """Tell whether it is of exactly this structure."""
        return self.atoms is not None and not find_changes(self.atoms, atoms)


def find_changes(known: Atoms, atoms: Atoms) -> list[str]:
    """List what differs between two structures, exactly."""
    pairs = {
        "positions": (known.positions, atoms.positions),
        "numbers": (known.numbers, atoms.numbers),
        "cell": (known.cell.array, atoms.cell.array),
        "pbc": (known.pbc, atoms.pbc),
    }
    return [name for name, (old, new) in pairs.items() if not np.array_equal(old, new)]


class _Own(threading.local):
    """Of one thread."""

    def __init__(self) -> None:
        self.last: Calculation | None = None
        self.engine: Engine | None = None
        self.neighbors: VerletList | None = None
        self.numbers = np.empty(0, dtype=np.int64)
        self.species = np.empty(0, dtype=np.int32)


class PerThread:
    """Calculations of all threads that use a calculator.

    There is no lock: a fork while another thread holds one would leave it locked in the forked process.
    """

    def __init__(self) -> None:
        self._own = _Own()
        self._newest: Calculation | None = None
        self._clock = itertools.count(1)

    def now(self) -> int:
        """Return a number larger than any before."""
        return next(self._clock)

    def forget(self) -> None:
        """Forget this thread's last calculation, and the newest, whatever thread made it."""
        self._own.last = self._newest = None

    def keep(self, calculation: Calculation) -> None:
        """Remember a calculation as this thread's last."""
        self._own.last = calculation
        if self._newest is None or calculation.started > self._newest.started:
            self._newest = calculation

    def put(self, engine: Engine, atoms: Atoms | None = None, results: dict[str, Any] | None = None) -> None:
        """Remember something else as this thread's last calculation: nothing, or what someone wrote there."""
        now = self.now()
        calculation = Calculation(engine, now, now, atoms, {} if results is None else results)
        self._own.last = calculation
        if atoms is not None:
            self.keep(calculation)

    def own(self) -> Calculation | None:
        """Return the last calculation of this thread."""
        return self._own.last

    def find(self, engine: Engine, atoms: Atoms) -> Calculation | None:
        """Return a calculation of this very structure, whatever thread made it, or None."""
        for known in (self._own.last, self._newest):
            if known is not None and known.engine is engine and known.is_of(atoms):
                return known
        return None

    def last(self, engine: Engine, *, shared: bool = False) -> Calculation:
        """Return an engine's last calculation: this thread's, in a thread without one the newest.

        Args:
            engine: the present one.
            shared: this thread's is meant, whatever others have computed since.

        Raises:
            SharedCalculatorError: another thread has made one after it, so that it is not clear which is
                meant.
        """
        own, newest = (
            known if known is not None and known.engine is engine else None
            for known in (self._own.last, self._newest)
        )
        if own is None:
            return newest or Calculation(engine, 0, 0)
        if not shared and newest is not None and newest is not own and newest.started > own.ended:
            raise SharedCalculatorError(
                "another thread has used this calculator since, so that it is not clear whose results are "
                "meant: ask get_property(name, atoms), or give each thread a copy (copy.deepcopy, which "
                "shares the model)"
            )
        return own

    def neighbors(self, engine: Engine) -> VerletList:
        """Return this thread's neighbor list for an engine."""
        own = self._own
        if own.neighbors is None or own.engine is not engine:
            own.neighbors = VerletList(engine.backend.facts.cutoff, engine.parameters["skin"])
            own.engine, own.numbers = engine, np.empty(0, dtype=np.int64)
        return own.neighbors

    def forget_neighbors(self) -> None:
        """Forget this thread's neighbor list."""
        self._own.neighbors = None

    def species(self, engine: Engine, numbers: np.ndarray) -> np.ndarray:
        """Return the species of atomic numbers; looked up once as long as they are the same."""
        own = self._own
        if own.engine is not engine or not np.array_equal(numbers, own.numbers):
            own.species, own.numbers = engine.species_of(numbers), numbers.copy()
        return own.species
