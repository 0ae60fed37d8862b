"""ASE calculator of a model file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, Parameters, PropertyNotImplementedError, all_changes
from ase.outputs import Properties, all_outputs

from lmlp.calculators.backends import OfMembers
from lmlp.calculators.engine import DEFAULTS, Engine, make_engine
from lmlp.calculators.facts import ModelFacts
from lmlp.calculators.per_thread import Calculation, PerThread, find_changes
from lmlp.calculators.prediction import Prediction, predict
from lmlp.calculators.results import (
    OF_DISTANCES,
    OF_ENSEMBLE,
    OF_ENSEMBLE_IN_CELL,
    OF_MEMBER_ENERGIES,
    results_of,
)
from lmlp.errors import InvalidArgumentError

# Attributes that copies and pickles do not carry; ASE makes the last one.
MADE = ("_engine", "_memory", "get_spin_polarized")


class LMLPCalculator(Calculator):
    """Compute energies, forces and stress of a model file, with uncertainties on request.

    >>> atoms.calc = lmlp.LMLPCalculator("model.pt", uncertainty=True)
    >>> atoms.get_forces().shape
    (3, 3)

    Results, in eV, eV/Å and eV/Å³ (tension positive, Voigt xx yy zz yz xz xy):

    - ``energy``, ``free_energy`` (the same), ``energies`` ``[n]``, ``forces`` ``[n, 3]``, and where there are
      three cell vectors ``stress`` ``[6]``;
    - σ (docs/uncertainty.md) of the energy ``energy_uncertainty``, of the components of the forces
      ``forces_uncertainty`` ``[n, 3]`` and of their vectors ``sigma_forces`` ``[n]``, of stress and pressure
      ``stress_uncertainty`` ``[6]`` and ``pressure_uncertainty``; ``grade`` of the structure, ``grades``
      ``[n]``; the bare deviations of the members ``energy_std``, ``forces_std`` ``[n, 3]``, ``stress_std``
      ``[6]``, ``pressure_std``, and their ``member_energies``;
    - ``distances`` ``[n]`` of the atoms from the training data (1: as far as the most unusual thousandth of
      the training atoms), and ``distance``, the largest. They need no ensemble.

    The last two groups are computed when ``get_property`` asks for one of them, or always with
    ``uncertainty=True`` and ``distances=True``. Asking for them never changes a force bit.

    Args:
        model: model file.
        backend: ``core`` (default, does not import torch) or ``torchscript``.
        device: torch device of the ``torchscript`` backend, e.g. ``cuda``.
        uncertainty: compute the uncertainties at every call, and the distances of a model that has them.
            ``energy``: likewise, but of the energy alone (``energy_uncertainty``, ``energy_std``,
            ``member_energies``), which costs next to nothing.
        distances: compute the distances at every call; for models of one member, too.
        skin: Å; the neighbor list is reused while no atom has moved by more than half of it.
        threads: OpenMP threads of the core; 0 means OpenMP's default. Every number gives the same bits.
        rmin: Å; atoms closer than this are reported. ``data`` (default): 0.9 times the shortest distance of
            each pair of elements in the training data, where the model stores them; None: never.
        too_close: ``warn`` (once per calculator) or ``stop`` (GeometryError).
        precision: of the networks in the core, ``double`` or ``mixed`` (single, half the time; docs/ase.md).

    Raises:
        ModelFileError: the file is not a model, or damaged.
        UnknownElementError: an element that the model does not have.
        GeometryError: NaN or infinite coordinates, two atoms at the same place, a singular cell.
        NotFiniteError: a result that is not a finite number.
        UncertaintyError: the uncertainty of a one-member model, the grade of a model without test errors, the
            distances of a model without.
    """

    # ASE declares these two for instances
    implemented_properties: ClassVar[list[str]] = [  # type: ignore[misc]
        "energy",
        "free_energy",
        "energies",
        "forces",
        "stress",
        *OF_ENSEMBLE,
        *OF_ENSEMBLE_IN_CELL,
        *OF_DISTANCES,
    ]
    # neither charges nor magnetic moments enter, see also check_state
    ignored_changes: ClassVar[set[str]] = {"initial_charges", "initial_magmoms"}  # type: ignore[misc]

    def __init__(
        self,
        model: str | Path,
        *,
        backend: str = DEFAULTS["backend"],
        device: str = DEFAULTS["device"],
        uncertainty: OfMembers = DEFAULTS["uncertainty"],
        distances: bool = DEFAULTS["distances"],
        skin: float = DEFAULTS["skin"],
        threads: int = DEFAULTS["threads"],
        rmin: float | str | None = DEFAULTS["rmin"],
        too_close: str = DEFAULTS["too_close"],
        precision: str = DEFAULTS["precision"],
    ) -> None:
        given = {
            "model": model,
            "backend": backend,
            "device": device,
            "uncertainty": uncertainty,
            "distances": distances,
            "skin": skin,
            "threads": threads,
            "rmin": rmin,
            "too_close": too_close,
            "precision": precision,
        }
        self._start(make_engine(given))
        super().__init__()
        self._start(self._engine)

    def _start(self, engine: Engine) -> None:
        self._engine, self._memory = engine, PerThread()
        self.parameters = Parameters(engine.parameters)

    def set(self, **kwargs: Any) -> dict[str, Any]:
        """Change parameters; results of other parameters are forgotten.

        Named with ``model``, a model file is read again. A call that fails changes nothing.

        Returns:
            what has changed.

        Raises:
            InvalidArgumentError: an unknown parameter, or a value outside what is allowed.
            ModelFileError: not a model file, or one that was replaced, without being named here, since it was
                read.
        """
        if "parameters" in kwargs:  # of ASE: a file that holds parameters
            kwargs = {**Parameters.read(kwargs.pop("parameters")), **kwargs}
        if not kwargs:
            return {}
        before = self._engine
        after = make_engine({**self.parameters, **kwargs}, before, reload="model" in kwargs)
        replaced = after.backend.facts.checksum != before.backend.facts.checksum
        changed = {
            name: value
            for name, value in after.parameters.items()
            if value != before.parameters[name] or (name == "model" and replaced)
        }
        if changed:
            self._engine = after
        self.parameters.update(after.parameters)
        return changed

    def _current(self) -> Engine:
        """Return the engine of the present parameters: someone may have written to ``parameters`` itself."""
        if self.parameters != self._engine.parameters:
            self._engine = make_engine(self.parameters, self._engine)
            self.parameters.update(self._engine.parameters)
        return self._engine

    @property
    def facts(self) -> ModelFacts:
        """What is known of the model."""
        return self._current().backend.facts

    @property
    def atoms(self) -> Atoms | None:
        """A copy of the structure that ``results`` belong to."""
        return self._memory.last(self._current()).atoms

    @atoms.setter
    def atoms(self, atoms: Atoms | None) -> None:
        results = {} if atoms is None else self._memory.last(self._engine).results
        self._memory.put(self._engine, atoms, results)

    @property
    def results(self) -> dict[str, Any]:
        """Results of the last calculation of this thread; in a thread that made none, of the newest.

        Raises:
            SharedCalculatorError: another thread has made a calculation after this thread's last one.
        """
        return self._memory.last(self._current()).results

    @results.setter
    def results(self, results: dict[str, Any]) -> None:
        self._memory.put(self._engine, self._memory.last(self._engine).atoms, results)

    def reset(self) -> None:
        """Forget the results."""
        self._memory.forget()

    @property
    def n_neighbor_builds(self) -> int:
        """How often this thread's neighbor list was built since it was last forgotten."""
        return self._memory.neighbors(self._current()).n_builds

    def reset_neighbors(self) -> None:
        """Forget this thread's neighbor list, so that its next evaluation does not depend on the history."""
        self._memory.forget_neighbors()

    def _get_name(self) -> str:
        return "lmlp"

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """List what changed since the results were computed; exact, and faster than ASE's own."""
        engine = self._current()
        if self._memory.find(engine, atoms) is not None:
            return []
        known = self._memory.last(engine).atoms
        return list(all_changes) if known is None else find_changes(known, atoms)

    def calculation_required(self, atoms: Atoms, properties: Sequence[str]) -> bool:
        """Tell whether one of some properties of a structure is not known."""
        known = self._memory.find(self._current(), atoms)
        return known is None or any(name not in known.results for name in properties)

    def get_property(self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True) -> Any:
        """Return a property of a structure; safe from many threads, unlike what reads ``results`` itself.

        Args:
            name: of the property.
            atoms: the structure; None: that of the last calculation.
            allow_calculation: False: return None where it is not known.
        """
        if name not in self.implemented_properties:
            raise PropertyNotImplementedError(f"{name} property not implemented")
        engine = self._current()
        if atoms is None:
            known: Calculation | None = self._memory.last(engine)
            atoms = known.atoms if known is not None else None
        else:
            known = self._memory.find(engine, atoms)
        if known is None or name not in known.results:
            if not allow_calculation:
                return None
            self.calculate(atoms, [name], all_changes)
            known = self._memory.own()
        if known is None or name not in known.results:
            raise PropertyNotImplementedError(f"{name} not present in this calculation")
        return _copy(known.results[name])

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] | None = None,
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Fill ``results`` for one structure; called by ASE."""
        if atoms is None:
            raise InvalidArgumentError("no atoms given")
        wanted = [] if properties is None else properties
        engine = self._current()
        self._check_wanted(atoms, wanted, engine)
        started = self._memory.now()
        self._memory.put(engine)  # nothing, in case that this fails
        atoms = atoms.copy()
        prediction = self._predict(
            atoms,
            engine,
            uncertainty=_of_members(wanted, engine.parameters["uncertainty"]),
            distances=engine.parameters["distances"] or any(name in OF_DISTANCES for name in wanted),
        )
        results = results_of(prediction, atoms.cell)
        self._memory.keep(Calculation(engine, started, self._memory.now(), atoms, results))

    def _check_wanted(self, atoms: Atoms, wanted: Sequence[str], engine: Engine) -> None:
        for name in wanted:
            if name not in self.implemented_properties:
                raise PropertyNotImplementedError(
                    f"{name}: not among the properties of this calculator, "
                    f"{', '.join(self.implemented_properties)}"
                )
            if name in ("stress", *OF_ENSEMBLE_IN_CELL) and atoms.cell.rank != 3:
                raise PropertyNotImplementedError(
                    f"{name} needs a volume, i.e. three cell vectors; this cell has {atoms.cell.rank}"
                )
            if name in ("grade", "grades"):
                engine.backend.facts.require_ensemble()
                engine.backend.facts.require_test_errors()
            if name in ("stress_uncertainty", "pressure_uncertainty"):
                engine.backend.facts.require_ensemble()
                engine.backend.facts.require_spread_maps()

    def _predict(
        self, atoms: Atoms, engine: Engine, *, uncertainty: OfMembers, distances: bool
    ) -> Prediction:
        environments = self._memory.neighbors(engine).update(
            atoms.positions, atoms.cell.array, atoms.pbc, n_threads=engine.parameters["threads"]
        )
        species = self._memory.species(engine, atoms.numbers)
        engine.guard.check(environments, species)
        return predict(engine.backend, environments, species, uncertainty=uncertainty, distances=distances)

    def export_properties(self) -> Properties:
        """Return the results that ASE knows by name."""
        return Properties({name: value for name, value in self.results.items() if name in all_outputs})

    def __copy__(self) -> LMLPCalculator:
        """Copy as `__deepcopy__` does: two calculators never share results."""
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: dict[int, Any]) -> LMLPCalculator:
        """Copy the results; the model itself is immutable and shared."""
        copy = self.__class__.__new__(self.__class__)
        memo[id(self)] = copy
        copy._restore(self.__getstate__(), self._current().again())
        return copy

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in self.__dict__.items() if name not in MADE}
        engine = self._current()
        last = self._memory.last(engine, shared=True)
        state["parameters"] = Parameters(engine.parameters)
        state["checksum"] = engine.backend.facts.checksum
        state["results"] = {name: _copy(value) for name, value in last.results.items()}
        state["atoms"] = None if last.atoms is None else last.atoms.copy()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._restore(state, make_engine(state["parameters"], checksum=state["checksum"]))

    def _restore(self, state: dict[str, Any], engine: Engine) -> None:
        self._start(engine)
        super().__init__()
        own = (*MADE, "parameters", "checksum", "results", "atoms")
        self.__dict__.update({name: value for name, value in state.items() if name not in own})
        self._start(engine)
        if state["atoms"] is not None:
            self._memory.put(engine, state["atoms"], state["results"])


def _of_members(wanted: Sequence[str], always: OfMembers) -> OfMembers:
    """Return what a call needs of the members, beside what every call has."""
    known = OF_MEMBER_ENERGIES if always == "energy" else ()
    needs_all = any(name in (*OF_ENSEMBLE, *OF_ENSEMBLE_IN_CELL) and name not in known for name in wanted)
    return True if needs_all else always


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value
