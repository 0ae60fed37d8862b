"""Engines that evaluate a model file on pair lists: the compiled core (default) and TorchScript.

Both give energies of centers and dE/dr_ij of pairs; what becomes of them is the matter of ``prediction``.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from lmlp.calculators.facts import ModelFacts, facts_from_core
from lmlp.environments import Environments
from lmlp.errors import InvalidArgumentError, NotFiniteError
from lmlp.model.spread import parse_spread_maps

BACKENDS = ("core", "torchscript")
PRECISIONS = ("double", "mixed")
OfMembers = bool | Literal["energy"]
"""What is asked of the members: nothing, all, or their energies alone, which cost next to nothing."""
# How the TorchScript module says it.
NOT_FINITE = "an energy or a gradient is not a finite number"


@dataclass(frozen=True)
class PairResults:
    """Energies and pair gradients in eV and eV/Å, E_atom included.

    Attributes:
        energies: ensemble mean of each center ``[n]``.
        pair_gradients: dE/dr_ij of the ensemble mean ``[p, 3]``.
        member_energies: ``[n_members, n]``, or None when not asked for.
        member_pair_gradients: ``[n_members, p, 3]``, likewise; never without their energies.
        distances: of each center from the training data ``[n]``, likewise.
    """

    energies: np.ndarray
    pair_gradients: np.ndarray
    member_energies: np.ndarray | None = None
    member_pair_gradients: np.ndarray | None = None
    distances: np.ndarray | None = None

    def part(self, centers: slice, pairs: slice) -> PairResults:
        """Return the results of some consecutive centers and their pairs."""
        return PairResults(
            self.energies[centers],
            self.pair_gradients[pairs],
            None if self.member_energies is None else self.member_energies[:, centers],
            None if self.member_pair_gradients is None else self.member_pair_gradients[:, pairs],
            None if self.distances is None else self.distances[centers],
        )


class Backend(Protocol):
    """A loaded model; immutable, so that it may be shared."""

    facts: ModelFacts
    takes_blocks: bool

    def evaluate(
        self,
        environments: Environments,
        species: np.ndarray,
        *,
        members: OfMembers,
        distances: bool = False,
        first: int = 0,
    ) -> PairResults:
        """Evaluate all centers; ``species [n]`` of all atoms, int32.

        Distances may be asked of a model that has them.
        With ``takes_blocks`` the environments may be those of some atoms only, from atom ``first`` on.
        """
        ...


class CoreBackend:
    """The compiled core: reads the model file itself, needs no torch."""

    takes_blocks = True

    def __init__(self, path: str | Path, n_threads: int = 0, precision: str = "double") -> None:
        from lmlp import _core

        self._potential = _core.Potential(str(path))
        self._n_threads = n_threads
        self._precision = precision
        self.facts = facts_from_core(str(path), self._potential.info())

    def with_options(self, n_threads: int, precision: str) -> CoreBackend:
        """Return a backend of the same loaded model with other options."""
        other = copy.copy(self)
        other._n_threads, other._precision = n_threads, precision
        return other

    def evaluate(
        self,
        environments: Environments,
        species: np.ndarray,
        *,
        members: OfMembers,
        distances: bool = False,
        first: int = 0,
    ) -> PairResults:
        """Evaluate atoms from ``first`` on, as many as the environments have."""
        results = self._potential.evaluate(
            environments.offsets,
            species[first : first + environments.n_centers],
            species[environments.neighbors],
            environments.vectors,
            member_energies=bool(members),
            member_gradients=_wants_gradients(members),
            distances=distances,
            precision=self._precision,
            n_threads=self._n_threads,
        )
        return PairResults(
            results["energies"],
            results["pair_gradients"],
            results.get("member_energies"),
            results.get("member_pair_gradients"),
            results.get("distances"),
        )

    def member_energies(self, environments: Environments, species: np.ndarray) -> np.ndarray:
        """Return the total energies of the members in eV ``[n_members]``, without the cost of gradients."""
        results = self._potential.evaluate(
            environments.offsets,
            species,
            species[environments.neighbors],
            environments.vectors,
            pair_gradients=False,
            member_energies=True,
            precision=self._precision,
            n_threads=self._n_threads,
        )
        return np.asarray(results["member_energies"].sum(axis=1))


class TorchScriptBackend:
    """The TorchScript half of the model file, on any torch device."""

    takes_blocks = False

    def __init__(self, path: str | Path, device: str = "cpu") -> None:
        import torch

        from lmlp.export.model_file import parse_model_file, read_content, stored_checksum
        from lmlp.export.torchscript import load_potential
        from lmlp.model.number_range import find_overflowing
        from lmlp.model.torch_fork import run_torch

        content = read_content(path)
        data = parse_model_file(content, path)
        self.facts = ModelFacts(
            path=str(path),
            elements=tuple(data.elements),
            cutoff=float(data.descriptor["cutoff"]),
            n_members=data.n_members,
            n_features=data.n_features,
            energy_rmse=data.energy_rmse,
            force_rmse=data.force_rmse,
            energy_factor=data.energy_uncertainty_factor,
            force_factor=data.force_uncertainty_factor,
            shortest_distances=data.shortest_distances,
            checksum=stored_checksum(content),
            spread_maps=parse_spread_maps(data.spread_maps, data.elements),
            has_distance=data.distance is not None,
            calibration=data.calibration,
        )
        # files of earlier versions hold modules that do not look themselves
        self._overflows = np.array(find_overflowing(data))
        try:
            self._device = torch.device(device)
            torch.zeros(1, device=self._device)
        except (RuntimeError, AssertionError) as error:
            first = str(error).splitlines()[0]
            raise InvalidArgumentError(f"torch device {device!r} cannot be used: {first}") from None
        self._model = run_torch(load_potential, io.BytesIO(content), device)

    def evaluate(
        self,
        environments: Environments,
        species: np.ndarray,
        *,
        members: OfMembers,
        distances: bool = False,
        first: int = 0,
    ) -> PairResults:
        """Evaluate all centers.

        Raises:
            NotFiniteError: an element whose networks could overflow, or a result that is no number.
        """
        from lmlp.export.torchscript import MODULE_ERRORS
        from lmlp.model.torch_fork import run_torch

        assert first == 0
        bad = np.flatnonzero(self._overflows[species])
        if len(bad):
            raise NotFiniteError(
                f"the energy of center {bad[0]} ({self.facts.elements[species[bad[0]]]}) is not a finite "
                "number: the weights of the model overflow"
            )
        lists = (
            species.astype(np.int64),
            environments.centers,
            environments.neighbors,
            environments.vectors,
        )
        try:
            results = run_torch(self._evaluate, lists, _wants_gradients(members))
        except MODULE_ERRORS as error:
            if NOT_FINITE not in str(error):
                raise
            raise NotFiniteError(
                f"{self.facts.path}: {NOT_FINITE}: the weights of the model overflow"
            ) from None
        return PairResults(
            results["energies"].mean(axis=0),
            results["pair_gradients"],
            results["energies"] if members else None,
            results.get("member_pair_gradients"),
            results["distances"] if distances else None,
        )

    def _evaluate(self, lists: Sequence[np.ndarray], members: bool) -> dict[str, np.ndarray]:
        import torch

        from lmlp.export.torchscript import without_profiling

        tensors = [torch.from_numpy(np.ascontiguousarray(array)).to(self._device) for array in lists]
        with without_profiling():
            results = self._model.evaluate(*tensors, members)
        return {name: tensor.detach().cpu().numpy() for name, tensor in results.items()}


def _wants_gradients(members: OfMembers) -> bool:
    return bool(members) and members != "energy"


def open_backend(
    path: str | Path,
    backend: str = "core",
    *,
    device: str = "cpu",
    threads: int = 0,
    precision: str = "double",
) -> Backend:
    """Load a model file.

    Args:
        path: model file.
        backend: ``core`` or ``torchscript``.
        device: torch device, only with ``torchscript``.
        threads: OpenMP threads of the core; 0 means OpenMP's default.
        precision: ``double``, or ``mixed`` (networks in single, all else in double; only the core).

    Raises:
        InvalidArgumentError: unknown backend or precision, a device that the backend does not have.
        ModelFileError: not a model file, or damaged.
    """
    check_options(backend, device=device, threads=threads, precision=precision)
    if backend == "torchscript":
        return TorchScriptBackend(path, device)
    return CoreBackend(path, threads, precision)


def check_options(backend: str, *, device: str, threads: int, precision: str) -> None:
    """Raise InvalidArgumentError for options of `open_backend` that do not exist or do not go together."""
    if backend not in BACKENDS:
        raise InvalidArgumentError(f"backend {backend!r} is not one of {', '.join(BACKENDS)}")
    if isinstance(threads, bool) or not isinstance(threads, int | np.integer) or threads < 0:
        raise InvalidArgumentError(
            f"threads = {threads!r}: give a positive number, or 0 for OpenMP's default"
        )
    if precision not in PRECISIONS:
        raise InvalidArgumentError(f"precision {precision!r} is not one of {', '.join(PRECISIONS)}")
    if backend == "torchscript" and precision != "double":
        raise InvalidArgumentError(f"precision {precision!r} is only available with backend='core'")
    if backend == "core" and device != "cpu":
        raise InvalidArgumentError(f"device {device!r}: the core runs on the cpu; use backend='torchscript'")


def core_facts() -> dict[str, str]:
    """Return where the compiled core lies and which instruction set it uses."""
    from lmlp import _core

    return {"path": str(_core.__file__), "instruction_set": str(_core.instruction_set())}
