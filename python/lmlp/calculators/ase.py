"""ASE calculator of a model file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.outputs import Properties, all_outputs

from lmlp.calculators.backends import Backend, ModelFacts, SpeciesTable, open_backend
from lmlp.calculators.closeness import DistanceGuard
from lmlp.calculators.prediction import Prediction, predict
from lmlp.errors import InvalidArgumentError
from lmlp.neighbors import VerletList

UNCERTAIN = ("energy_uncertainty", "forces_uncertainty", "energy_std", "forces_std", "grade")
# Pairs within the skin cost time in the core, rebuilding the list does too: see docs/ase.md.
SKIN = 0.5


class LMLPCalculator(Calculator):
    """Compute energies, forces and stress of a model file, with uncertainties on request.

    Results, in eV, eV/Å and eV/Å³ (tension positive, Voigt xx yy zz yz xz xy):

    - ``energy``, ``free_energy`` (the same), ``energies`` ``[n]``, ``forces`` ``[n, 3]``, and where there are
      three cell vectors ``stress`` ``[6]``;
    - ``energy_uncertainty`` ΔE, ``forces_uncertainty`` ΔF ``[n, 3]``, ``grade`` (docs/uncertainty.md) and the
      bare ensemble deviations ``energy_std``, ``forces_std`` ``[n, 3]``: when one of them is asked for by
      ``get_property``, or always with ``uncertainty=True``. Asking for them never changes a force bit.

    Args:
        model: model file.
        backend: ``core`` (default, does not import torch) or ``torchscript``.
        device: torch device of the ``torchscript`` backend, e.g. ``cuda``.
        uncertainty: compute the uncertainties at every call.
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
        UncertaintyError: the uncertainty of a one-member model, the grade of a model without test errors.
    """

    implemented_properties: ClassVar[list[str]] = [
        "energy",
        "free_energy",
        "energies",
        "forces",
        "stress",
        *UNCERTAIN,
    ]
    # neither charges nor magnetic moments enter, see also check_state
    ignored_changes: ClassVar[set[str]] = {"initial_charges", "initial_magmoms"}

    def __init__(
        self,
        model: str | Path,
        *,
        backend: str = "core",
        device: str = "cpu",
        uncertainty: bool = False,
        skin: float = SKIN,
        threads: int = 0,
        rmin: float | str | None = "data",
        too_close: str = "warn",
        precision: str = "double",
    ) -> None:
        if not (skin >= 0.0 and np.isfinite(skin)):
            raise InvalidArgumentError(f"skin = {skin} Å: give a finite number that is not negative")
        super().__init__()
        self.parameters.update(
            model=str(model),
            backend=backend,
            device=device,
            uncertainty=uncertainty,
            skin=skin,
            threads=threads,
            rmin=rmin,
            too_close=too_close,
            precision=precision,
        )
        self._load(self._open())

    def _open(self) -> Backend:
        options = self.parameters
        names = ("device", "threads", "precision")
        return open_backend(options["model"], options["backend"], **{name: options[name] for name in names})

    def _load(self, backend: Backend) -> None:
        if self.parameters["uncertainty"]:
            backend.facts.require_ensemble()
        # a pickle of an earlier version has neither
        self._guard = DistanceGuard(
            backend.facts, self.parameters.get("rmin", "data"), self.parameters.get("too_close", "warn")
        )
        self._backend = backend
        self._species_of = SpeciesTable(backend.facts)
        self._numbers = np.empty(0, dtype=np.int64)
        self._species = np.empty(0, dtype=np.int32)
        self.reset_neighbors()

    @property
    def facts(self) -> ModelFacts:
        """What is known of the model."""
        return self._backend.facts

    @property
    def n_neighbor_builds(self) -> int:
        """How often the neighbor list was built since it was last forgotten."""
        return self._list.n_builds

    def reset_neighbors(self) -> None:
        """Forget the neighbor list, so that the next evaluation does not depend on the history."""
        self._list = VerletList(self.facts.cutoff, self.parameters["skin"])

    def _get_name(self) -> str:
        return "lmlp"

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """List what changed since the results were computed; exact, and faster than ASE's own."""
        known = self.atoms
        if known is None:
            return list(all_changes)
        pairs = {
            "positions": (known.positions, atoms.positions),
            "numbers": (known.numbers, atoms.numbers),
            "cell": (known.cell.array, atoms.cell.array),
            "pbc": (known.pbc, atoms.pbc),
        }
        return [name for name, (old, new) in pairs.items() if not np.array_equal(old, new)]

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
        has_volume = atoms.cell.rank == 3
        if "stress" in wanted and not has_volume:
            raise PropertyNotImplementedError(
                f"stress needs a volume, i.e. three cell vectors; this cell has {atoms.cell.rank}"
            )
        if "grade" in wanted:
            self.facts.require_ensemble()
            self.facts.require_test_errors()
        uncertainty = self.parameters["uncertainty"] or any(name in UNCERTAIN for name in wanted)
        prediction = self._predict(atoms, uncertainty=uncertainty)
        self.atoms = atoms.copy()
        self.results = _results(prediction)
        if has_volume:
            stress = prediction.virial / atoms.cell.volume
            stress = 0.5 * (stress + stress.T)
            self.results["stress"] = stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]

    def _predict(self, atoms: Atoms, *, uncertainty: bool) -> Prediction:
        numbers = atoms.numbers
        if not np.array_equal(numbers, self._numbers):
            self._species, self._numbers = self._species_of(numbers), numbers.copy()
        environments = self._list.update(
            atoms.positions, atoms.cell.array, atoms.pbc, n_threads=self.parameters["threads"]
        )
        self._guard.check(environments, self._species)
        return predict(self._backend, environments, self._species, uncertainty=uncertainty)

    def export_properties(self) -> Properties:
        """Return the results that ASE knows by name."""
        return Properties({name: value for name, value in self.results.items() if name in all_outputs})

    def __deepcopy__(self, memo: dict[int, Any]) -> LMLPCalculator:
        """Copy the results; the model itself is immutable and shared."""
        copy = self.__class__.__new__(self.__class__)
        memo[id(self)] = copy
        copy.__setstate__({**self.__getstate__(), "_shared": self._backend})
        return copy

    def __getstate__(self) -> dict[str, Any]:
        loaded = ("_backend", "_guard", "_species_of", "_numbers", "_species", "_list")
        state = {name: value for name, value in self.__dict__.items() if name not in loaded}
        state["parameters"] = type(self.parameters)(self.parameters)
        state["results"] = {
            name: np.copy(v) if isinstance(v, np.ndarray) else v for name, v in self.results.items()
        }
        state["atoms"] = None if self.atoms is None else self.atoms.copy()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        shared = state.pop("_shared", None)
        self.__dict__.update(state)
        self.parameters.setdefault("precision", "double")  # pickles of earlier versions
        self._load(shared or self._open())


def _results(prediction: Prediction) -> dict[str, Any]:
    results: dict[str, Any] = {
        "energy": prediction.energy,
        "free_energy": prediction.energy,
        "energies": prediction.energies,
        "forces": prediction.forces,
    }
    uncertainty = prediction.uncertainty
    if uncertainty is not None:
        results["energy_uncertainty"] = uncertainty.energy
        results["forces_uncertainty"] = uncertainty.forces
        results["energy_std"] = uncertainty.energy_std
        results["forces_std"] = uncertainty.forces_std
        if uncertainty.grade is not None:
            results["grade"] = uncertainty.grade
    return results
