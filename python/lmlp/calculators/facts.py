"""What is known of a loaded model, and the species of its elements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lmlp.elements import atomic_number
from lmlp.errors import UncertaintyError, UnknownElementError
from lmlp.export.header import parse_header
from lmlp.model.spread import SpreadMaps, parse_spread_maps


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a loaded model.

    Attributes:
        path: the model file.
        elements: chemical symbols in species order.
        cutoff: Å.
        n_members: size of the ensemble.
        n_features: number of symmetry functions.
        energy_rmse: test error in eV/atom, or None.
        force_rmse: test error in eV/Å, or None.
        energy_factor: c of σ_E = c·std(E_m, ddof=1), where there are no spread maps.
        force_factor: c of σ_F = c·std(F_m, ddof=1), likewise.
        shortest_distances: of the training data in Å by pair (``H-O``, species order), where known.
        checksum: SHA-256 of the file's content, hexadecimal; "" where not known.
        spread_maps: from the members' spread to σ; None in models of format versions 1 to 3.
        has_distance: whether it knows how far atoms are from its training data.
        calibration: what held-out data said of σ, free form (docs/model-file.md).
    """

    path: str
    elements: tuple[str, ...]
    cutoff: float
    n_members: int
    n_features: int
    energy_rmse: float | None
    force_rmse: float | None
    energy_factor: float
    force_factor: float
    shortest_distances: dict[str, float] = field(default_factory=dict)
    checksum: str = ""
    spread_maps: SpreadMaps | None = None
    has_distance: bool = False
    calibration: Mapping[str, Any] = field(default_factory=dict)

    def require_ensemble(self) -> None:
        """Raise UncertaintyError for a model that can have no uncertainty."""
        if self.n_members < 2:
            without = "; distances are available without (distances=True)" if self.has_distance else ""
            raise UncertaintyError(
                f"{self.path} has one member: an uncertainty needs an ensemble of "
                f"at least two (lmlp train --members){without}"
            )

    def require_distance(self) -> None:
        """Raise UncertaintyError for a model that does not know how far atoms are from its data."""
        if not self.has_distance:
            raise UncertaintyError(
                f"{self.path} stores no distances from its training data: models have them since format "
                "version 4 (docs/model-file.md)"
            )

    def require_spread_maps(self) -> None:
        """Raise UncertaintyError for a model that cannot say σ of the stress."""
        if self.spread_maps is None:
            raise UncertaintyError(
                f"{self.path} stores no spread maps, so that there is no σ of stress and pressure; "
                "stress_std and pressure_std are available"
            )

    def require_test_errors(self) -> None:
        """Raise UncertaintyError for a model without the test errors that a grade is measured by."""
        if self.energy_rmse is None or self.force_rmse is None:
            raise UncertaintyError(
                f"{self.path} stores no test errors, so that there is no grade; energy_uncertainty and "
                "forces_uncertainty are available"
            )


class SpeciesTable:
    """Species of atomic numbers; refuses elements that the model does not have."""

    def __init__(self, facts: ModelFacts) -> None:
        self._facts = facts
        self._species = np.full(120, -1, dtype=np.int32)
        for species, symbol in enumerate(facts.elements):
            self._species[atomic_number(symbol)] = species

    def __call__(self, numbers: np.ndarray) -> np.ndarray:
        """Return the species of ``numbers [n]``, int32."""
        numbers = np.asarray(numbers)
        known = (numbers >= 0) & (numbers < len(self._species))
        species = self._species[np.where(known, numbers, 0)]
        if (species < 0).any():
            unknown = sorted({int(z) for z in numbers[species < 0]})
            raise UnknownElementError(
                f"{', '.join(_name(z) for z in unknown)}: not an element of {self._facts.path}, "
                f"which has {', '.join(self._facts.elements)}"
            )
        return np.asarray(species, dtype=np.int32)


def _name(number: int) -> str:
    from lmlp.elements import symbol

    return symbol(number) if 1 <= number <= 118 else f"atomic number {number}"


def facts_from_core(path: str, info: Mapping[str, Any]) -> ModelFacts:
    """Translate the facts that the core gives of a model."""
    header, elements = parse_header(info["header"].encode()), tuple(info["elements"])
    return ModelFacts(
        path=path,
        elements=elements,
        cutoff=float(info["cutoff"]),
        n_members=int(info["n_members"]),
        n_features=int(info["n_features"]),
        energy_rmse=_number(info["energy_rmse"]),
        force_rmse=_number(info["force_rmse"]),
        energy_factor=float(info["energy_uncertainty_factor"]),
        force_factor=float(info["force_uncertainty_factor"]),
        shortest_distances=header.get("shortest_distances") or {},
        checksum=str(info["checksum"]),
        spread_maps=parse_spread_maps(header["spread_maps"], elements),
        has_distance=header["distance"] is not None,
        calibration=header["uncertainty"].get("calibration") or {},
    )


def _number(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)
