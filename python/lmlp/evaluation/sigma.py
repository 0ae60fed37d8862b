"""How well σ and the distance from the training data tell the errors of an evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmlp.calculators.facts import ModelFacts
from lmlp.calculators.uncertainty import Uncertainty
from lmlp.elements import symbol
from lmlp.evaluation.result import StructureResult
from lmlp.metrics import auroc, calibrate, coverage_check, spearman

ROUNDING = 1e-9  # of the largest deviation: sums of thousands of terms of eV size differ by 1e-12 eV/Å
DISTANCE_QUANTILES = (0.5, 0.9, 0.99, 0.999)
_ERROR_OF = {"energy": "energy", "forces": "force", "stress": "stress"}


@dataclass(frozen=True)
class SigmaAndError:
    """σ and the errors made, for structures with the reference value.

    Attributes:
        raw: bare spread of the members; of force vectors its length.
        sigma: what the model makes of it, of the same shape.
        error: predicted − reference; ``[n, 3]`` where σ ``[n]`` is of vectors, else of the shape of σ.
        groups: which structure each is of ``[n]``.
        numbers: atomic number of each ``[n]``; 0 for what is of no atom.
    """

    raw: np.ndarray
    sigma: np.ndarray
    error: np.ndarray
    groups: np.ndarray
    numbers: np.ndarray

    def where(self, chosen: np.ndarray) -> SigmaAndError:
        """Return some of them."""
        return SigmaAndError(
            self.raw[chosen],
            self.sigma[chosen],
            self.error[chosen],
            self.groups[chosen],
            self.numbers[chosen],
        )

    @property
    def error_size(self) -> np.ndarray:
        """Errors as they belong to σ: lengths of vectors, else as they are."""
        return self.error if self.error.shape == self.sigma.shape else np.linalg.norm(self.error, axis=1)


_NONE = SigmaAndError(*(np.empty(0) for _ in range(3)), *(np.empty(0, np.int64) for _ in range(2)))

# a structure: raw, sigma, error, atomic numbers
_Parts = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _collect(
    results: Sequence[StructureResult], parts_of: Callable[[StructureResult, Uncertainty], _Parts | None]
) -> SigmaAndError:
    found = [
        (group, parts)
        for group, r in enumerate(results)
        if r.prediction.uncertainty is not None
        and (parts := parts_of(r, r.prediction.uncertainty)) is not None
    ]
    if not found:
        return _NONE
    raw, sigma, error, numbers = (np.concatenate([parts[k] for _, parts in found]) for k in range(4))
    groups = np.concatenate([np.full(len(parts[0]), group) for group, parts in found])
    return SigmaAndError(raw, sigma, error, groups, numbers)


def energy_deviations(facts: ModelFacts, results: Sequence[StructureResult]) -> SigmaAndError:
    """Spread, σ and errors of energies, all in eV/atom."""

    def parts(r: StructureResult, u: Uncertainty) -> _Parts | None:
        if r.energy_error is None:
            return None
        raw = u.energy_std / len(r.structure)
        sigma = facts.energy_factor * raw if facts.spread_maps is None else u.energy / len(r.structure)
        return np.array([raw]), np.array([sigma]), np.array([r.energy_error]), np.zeros(1, np.int64)

    return _collect(results, parts)


def force_deviations(facts: ModelFacts, results: Sequence[StructureResult]) -> SigmaAndError:
    """Spread, σ and errors of forces in eV/Å: of vectors with spread maps, else of components, flat.

    What vanishes by symmetry, as in perfect crystals, is left out: all members agree on it to rounding,
    whatever they learned.
    """

    def parts(r: StructureResult, u: Uncertainty) -> _Parts | None:
        errors = r.force_errors
        if errors is None:
            return None
        if facts.spread_maps is not None:
            return np.linalg.norm(u.forces_std, axis=1), u.sigma_forces, errors, r.structure.numbers
        raw = u.forces_std.ravel()
        return raw, facts.force_factor * raw, errors.ravel(), np.repeat(r.structure.numbers, 3)

    found = _collect(results, parts)
    return found.where(found.raw > ROUNDING * found.raw.max(initial=0.0))


def stress_deviations(facts: ModelFacts, results: Sequence[StructureResult]) -> SigmaAndError:
    """Spread, σ and errors of the six distinct components of the stress in eV/Å³, flat.

    The spread is the root mean square over the components. Empty without spread maps.
    """

    def parts(r: StructureResult, u: Uncertainty) -> _Parts | None:
        errors = r.stress_errors
        if errors is None or u.virial is None:
            return None
        raw = math.sqrt(float((u.virial_std**2).mean())) / r.structure.volume
        sigma = u.virial / r.structure.volume
        return np.full(6, raw), np.full(6, sigma), errors, np.zeros(6, np.int64)

    return _collect(results, parts)


def deviations(facts: ModelFacts, results: Sequence[StructureResult]) -> dict[str, SigmaAndError]:
    """Return what there is of ``energy``, ``forces`` and ``stress``."""
    of = {
        "energy": energy_deviations(facts, results),
        "forces": force_deviations(facts, results),
        "stress": stress_deviations(facts, results),
    }
    return {name: values for name, values in of.items() if values.error.size}


def calibration_table(facts: ModelFacts, results: Sequence[StructureResult]) -> dict[str, Any] | None:
    """How well the σ of the model (``sigma``) and the bare spread (``raw``) tell the errors, by quantity.

    ``fitted_factor`` is the factor that the bare spread would need, ``check`` whether the errors contradict
    what the model states. None for a one-member model.
    """
    if facts.n_members < 2:
        return None
    table: dict[str, Any] = {}
    for name, values in deviations(facts, results).items():
        raw, sigma = calibrate(values.raw, values.error), calibrate(values.sigma, values.error)
        if raw is None or sigma is None:
            continue
        entry: dict[str, Any] = {"fitted_factor": raw.factor, "sigma": sigma.block(), "raw": raw.block()}
        table[name] = {**_stated(facts, name), **entry, "check": _check(facts, name, values)}
        if name == "forces":
            table[name]["elements"] = _by_element(values)
    return table


def _stated(facts: ModelFacts, name: str) -> dict[str, Any]:
    """Return how the model makes σ of a spread."""
    if facts.spread_maps is None:
        return {"factor": facts.energy_factor if name == "energy" else facts.force_factor}
    return {"map": facts.spread_maps.block(facts.elements)[name]}


def _check(facts: ModelFacts, name: str, values: SigmaAndError) -> dict[str, Any]:
    stored = facts.calibration.get(name) or {}
    multiples = stored.get("quantiles") if facts.spread_maps is not None else None
    n_calibration = (facts.calibration.get("energy") or {}).get("n") if multiples else None
    check = coverage_check(values.sigma, values.error, values.groups, multiples, n_calibration)
    return {**check.block(), "sentence": check.sentence(_ERROR_OF[name])}


def _by_element(values: SigmaAndError) -> dict[str, Any]:
    table = {}
    for number in np.unique(values.numbers):
        own = values.where(values.numbers == number)
        found = calibrate(own.sigma, own.error)
        if found is not None:
            block = found.block()
            table[symbol(int(number))] = {k: v for k, v in block.items() if k != "reliability"}
    return table


def distance_table(results: Sequence[StructureResult]) -> dict[str, Any] | None:
    """How far the atoms are from the training data, and whether that tells their force errors.

    ``above_1`` is the share of the atoms with a distance above 1, ``structures_above_1`` that of the
    structures with such an atom; ``spearman`` and ``auroc`` (of the worst 1 %) are those of distance and
    length of the force error. None for a model without distances.
    """
    kept = [(r, d) for r in results if (d := r.prediction.distances) is not None and len(d)]
    if not kept:
        return None
    all_distances = np.concatenate([d for _, d in kept])
    labeled = [(d, np.linalg.norm(f, axis=1)) for r, d in kept if (f := r.force_errors) is not None]
    told: dict[str, Any] = {"spearman": None, "auroc": None}
    if labeled:
        distances, lengths = (np.concatenate([pair[k] for pair in labeled]) for k in range(2))
        told = {"spearman": spearman(distances, lengths), "auroc": auroc(distances, lengths)}
    numbers = np.concatenate([r.structure.numbers for r, _ in kept])
    return {
        **_distribution(all_distances),
        "structures_above_1": float(np.mean([d.max() > 1.0 for _, d in kept])),
        **told,
        "elements": {
            symbol(int(number)): _distribution(all_distances[numbers == number])
            for number in np.unique(numbers)
        },
    }


def _distribution(distances: np.ndarray) -> dict[str, Any]:
    return {
        "n": len(distances),
        "above_1": float(np.mean(distances > 1.0)),
        "largest": float(distances.max()),
        "quantiles": {f"{q:g}": float(np.quantile(distances, q)) for q in DISTANCE_QUANTILES},
    }


def sentences(calibration: Mapping[str, Any] | None) -> list[str]:
    """Return what the checks of all quantities say."""
    return [entry["check"]["sentence"] for entry in (calibration or {}).values()]
