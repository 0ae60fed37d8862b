"""A model in memory: what it knows of itself, and what it says of structures."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard, cast, overload

import numpy as np

from lmlp.calculators.backends import CoreBackend, check_options
from lmlp.calculators.closeness import DistanceGuard
from lmlp.calculators.facts import SpeciesTable
from lmlp.calculators.many import predict_structures
from lmlp.calculators.prediction import predict
from lmlp.descriptor.compute import Descriptor
from lmlp.environments import AtomsLike
from lmlp.errors import InvalidArgumentError, ModelFileError
from lmlp.export.model_file import parse_model_file, read_content, stored_checksum
from lmlp.face.places import file_of, passing_file
from lmlp.face.predicted import PredictedProperties, predicted
from lmlp.files.kinds import MODEL
from lmlp.files.writing import replacing
from lmlp.model.data import ModelData
from lmlp.model.torch_fork import run_torch
from lmlp.neighbors import find_neighbors

if TYPE_CHECKING:
    from lmlp.calculators.ase import LMLPCalculator


@dataclass(frozen=True, repr=False)
class Model:
    """A trained model; made by ``lmlp.train``, ``lmlp.load`` and ``lmlp.learn``, never changed.

    >>> model = lmlp.load("model.pt")
    >>> model.predict(atoms).forces.shape
    (3, 3)

    Two models are equal where their files would be. Models can be copied and pickled.

    Attributes:
        content: bytes of the model file.
        path: file that it was read from or written to; None for a model in memory.
        report: what ``lmlp.learn`` says of its session: errors of each task before and after, suspects,
            forgetting (docs/lifelong.md); None for other models.
    """

    content: bytes
    path: Path | None = field(default=None, compare=False)
    report: Mapping[str, Any] | None = field(default=None, compare=False)

    @property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbols in species order."""
        return tuple(self._data.elements)

    @property
    def cutoff(self) -> float:
        """Radius in Å beyond which atoms do not see each other."""
        return float(self._data.descriptor["cutoff"])

    @property
    def n_members(self) -> int:
        """Members of the ensemble; one alone gives no uncertainties."""
        return self._data.n_members

    @property
    def n_features(self) -> int:
        """Number of symmetry functions."""
        return self._data.n_features

    @property
    def energy_rmse(self) -> float | None:
        """Error of the energy on held-out structures in eV/atom; None where it is not known."""
        return self._data.energy_rmse

    @property
    def force_rmse(self) -> float | None:
        """Error of force components on held-out structures in eV/Å; None where it is not known."""
        return self._data.force_rmse

    @property
    def provenance(self) -> dict[str, Any]:
        """How the model was made: settings, data, versions, models before it. A copy."""
        return copy.deepcopy(self._data.provenance)

    @property
    def checksum(self) -> str:
        """SHA-256 that the model file ends with, hexadecimal."""
        return stored_checksum(self.content)

    @property
    def descriptor(self) -> Descriptor:
        """The symmetry functions."""
        return Descriptor(self._data.descriptor, self._data.elements)

    @overload
    def predict(
        self,
        atoms: AtomsLike,
        *,
        uncertainty: bool | None = None,
        distances: bool | None = None,
        threads: int = 0,
    ) -> PredictedProperties: ...
    @overload
    def predict(
        self,
        atoms: Iterable[AtomsLike],
        *,
        uncertainty: bool | None = None,
        distances: bool | None = None,
        threads: int = 0,
    ) -> list[PredictedProperties]: ...
    def predict(
        self,
        atoms: AtomsLike | Iterable[AtomsLike],
        *,
        uncertainty: bool | None = None,
        distances: bool | None = None,
        threads: int = 0,
    ) -> PredictedProperties | list[PredictedProperties]:
        """Compute energy, forces, stress, uncertainties, distances; the same numbers as ``LMLPCalculator``.

        >>> result = model.predict(atoms)
        >>> result.forces.shape, result.grade > 0
        ((3, 3), True)

        Args:
            atoms: one structure or many (``ase.Atoms``), in Å.
            uncertainty: compute uncertainties and grade; None: where the model has several members.
            distances: compute how far the atoms are from the training data; None: where the model knows,
                unless ``uncertainty`` is False.
            threads: OpenMP threads; 0 means OpenMP's default.

        Returns:
            energy in eV, forces in eV/Å ``[n, 3]``, stress in eV/Å³ ``[6]`` …: see
            :class:`~lmlp.face.predicted.PredictedProperties`; of many structures a list. A warning tells of
            the first atoms that are closer than 0.9 times any of their elements in the training data.

        Raises:
            UnknownElementError: an element that the model does not have.
            GeometryError: NaN or infinite coordinates, two atoms at the same place, a singular cell.
            InvalidArgumentError: something that is no structure, or an impossible number of threads.
            UncertaintyError: the uncertainty of a one-member model, the distances of a model without.
            NotFiniteError: a result that is not a finite number.
        """
        check_options("core", device="cpu", threads=threads, precision="double")
        backend = self._backend.with_options(threads, "double")
        if distances is None:
            distances = backend.facts.has_distance and uncertainty is not False
        wanted = {
            "uncertainty": self.n_members > 1 if uncertainty is None else uncertainty,
            "distances": distances,
        }
        guard = DistanceGuard(backend.facts, "data", "warn", owner="call")
        if _is_one(atoms):
            species = SpeciesTable(backend.facts)(atoms.numbers)
            pairs = find_neighbors(atoms.positions, atoms.cell, atoms.pbc, self.cutoff, n_threads=threads)
            guard.check(pairs, species)
            return predicted(predict(backend, pairs, species, **wanted), atoms.cell)
        several = _several(atoms)
        names = [f"atoms[{i}]" for i in range(len(several))]
        batches = predict_structures(backend, several, names, **wanted, threads=threads, guard=guard)
        found = [prediction for batch in batches for prediction in batch]
        return [predicted(p, one.cell) for p, one in zip(found, several, strict=True)]

    @overload
    def features(self, atoms: AtomsLike, *, threads: int = 0) -> np.ndarray: ...
    @overload
    def features(self, atoms: Iterable[AtomsLike], *, threads: int = 0) -> list[np.ndarray]: ...
    def features(
        self, atoms: AtomsLike | Iterable[AtomsLike], *, threads: int = 0
    ) -> np.ndarray | list[np.ndarray]:
        """Compute the symmetry functions of each atom, as the model has them.

        >>> features = model.features(atoms)
        >>> features.shape == (3, model.n_features)
        True

        Args:
            atoms: one structure or many (``ase.Atoms``), in Å.
            threads: OpenMP threads; 0 means OpenMP's default.

        Returns:
            float64 ``[n_atoms, n_features]``; of many structures a list.

        Raises:
            UnknownElementError: an element that the model does not have.
            GeometryError: NaN or infinite coordinates, two atoms at the same place, a singular cell.
            InvalidArgumentError: something that is no structure, or an impossible number of threads.
        """
        check_options("core", device="cpu", threads=threads, precision="double")
        descriptor = self.descriptor
        if _is_one(atoms):
            return descriptor.features(atoms, n_threads=threads)
        return [descriptor.features(one, n_threads=threads) for one in _several(atoms)]

    def calculator(self, **options: Any) -> LMLPCalculator:
        """Return a calculator for ASE.

        >>> atoms.calc = model.calculator(uncertainty=True)
        >>> atoms.get_forces().shape
        (3, 3)

        It names ``path`` as its model. For a model in memory that is a file which goes with this process:
        save the model first if the calculator is to be pickled, or written to a database.

        Args:
            options: of :class:`~lmlp.calculators.ase.LMLPCalculator`, e.g. ``uncertainty``, ``threads``.
        """
        from lmlp.calculators.ase import LMLPCalculator

        return LMLPCalculator(self.file(), **options)

    def save(self, path: str | Path) -> None:
        """Write the model file; a model that is there already is replaced.

        >>> model.save("copy.pt")
        >>> lmlp.load("copy.pt") == model
        True

        Raises:
            InvalidArgumentError: there is a file of another kind.
            OutputError: it cannot be written.
        """
        with replacing(path, MODEL) as unfinished:
            unfinished.write_bytes(self.content)

    def file(self) -> Path:
        """Return a file that holds the model: ``path``, or one that goes with this process."""
        return self._own_file() or file_of(self.content)

    def _own_file(self) -> Path | None:
        """Return ``path`` where it still holds this model."""
        if self.path is not None and self.path.is_file() and self.path.read_bytes() == self.content:
            return self.path
        return None

    @cached_property
    def _data(self) -> ModelData:
        return parse_model_file(self.content, self.path or "model")

    @cached_property
    def _backend(self) -> CoreBackend:
        own = self._own_file()
        if own is not None:
            return CoreBackend(own)
        with passing_file(self.content) as path:
            return CoreBackend(path)

    def __getstate__(self) -> dict[str, Any]:
        return {"content": self.content, "path": self.path, "report": self.report}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __repr__(self) -> str:
        errors = "no test errors"
        if self.energy_rmse is not None and self.force_rmse is not None:
            errors = f"test RMSE {1e3 * self.energy_rmse:.3g} meV/atom, {1e3 * self.force_rmse:.3g} meV/Å"
        members = f"{self.n_members} member{'s' if self.n_members > 1 else ''}"
        return (
            f"<Model {' '.join(self.elements)}: {members}, {self.n_features} functions, "
            f"cutoff {self.cutoff:g} Å, {errors}>"
        )


def _is_one(atoms: AtomsLike | Iterable[AtomsLike]) -> TypeGuard[AtomsLike]:
    """Tell whether one structure was given; ``Atoms`` can be iterated over, too."""
    return hasattr(atoms, "positions")


def _several(atoms: AtomsLike | Iterable[AtomsLike]) -> list[AtomsLike]:
    """Return many structures as a list.

    Raises:
        InvalidArgumentError: something that is no structure.
    """
    several: list[AtomsLike] = []
    odd: list[object] = [atoms]
    if not isinstance(atoms, (str, bytes)):  # the name of a file
        with suppress(TypeError):
            several = list(cast("Iterable[AtomsLike]", atoms))
            odd = [one for one in several if not _is_one(one)]
    if odd:
        raise InvalidArgumentError(f"atoms: give ase.Atoms, one or many; got {odd[0]!r}")
    return several


def load(path: str | Path) -> Model:
    """Read a model file, or the present model of a training checkpoint.

    >>> model = lmlp.load("model.pt")
    >>> model.elements
    ('H', 'O')

    Args:
        path: ``model.pt`` of ``lmlp.train``, ``Model.save`` or the command line; or ``model.checkpoint``.

    Returns:
        the model, in memory: the file may change or go.

    Raises:
        ModelFileError: not a model, damaged, or of a newer version; the file is named.
    """
    content = read_content(path)
    try:
        parse_model_file(content, path)
    except ModelFileError:
        from lmlp.export.writing import model_file_bytes  # torch, for a checkpoint alone
        from lmlp.lifelong.base import load_model

        return Model(run_torch(lambda: model_file_bytes(load_model(Path(path)))))
    return Model(content, Path(path))
