"""The parameters of a calculator and what is made of them: a loaded model that never changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lmlp.calculators.backends import Backend, CoreBackend, check_options, open_backend
from lmlp.calculators.closeness import DistanceGuard
from lmlp.calculators.facts import SpeciesTable
from lmlp.errors import InvalidArgumentError, ModelFileError

DEFAULTS: dict[str, Any] = {
    "backend": "core",
    "device": "cpu",
    "uncertainty": False,
    "distances": False,
    # Å. Pairs within the skin cost time in the core, rebuilding the list does too: see docs/ase.md.
    "skin": 0.5,
    "threads": 0,
    "rmin": "data",
    "too_close": "warn",
    "precision": "double",
}


@dataclass(frozen=True)
class Engine:
    """A loaded model with the parameters of a calculator; threads may share it.

    Attributes:
        parameters: all of them, the model as absolute path.
        backend: the loaded model.
        species_of: its elements.
        guard: against atoms too close to each other; all that changes in it is whether it has warned.
    """

    parameters: dict[str, Any]
    backend: Backend
    species_of: SpeciesTable
    guard: DistanceGuard

    def again(self) -> Engine:
        """Return the engine of a copy of the calculator, which warns for itself."""
        return replace(self, guard=_guard(self.backend, self.parameters))


def make_engine(
    parameters: Mapping[str, Any],
    known: Engine | None = None,
    *,
    reload: bool = False,
    checksum: str = "",
) -> Engine:
    """Load what a calculator with some parameters needs.

    Args:
        parameters: ``model`` and some of ``DEFAULTS``.
        known: what the calculator has so far; nothing is loaded twice.
        reload: read the model file again, whatever is in it now.
        checksum: what the file must have, "" for anything.

    Raises:
        InvalidArgumentError: an unknown parameter, or a value outside what is allowed.
        ModelFileError: not a model file, damaged, or another one than it was.
        UncertaintyError: the uncertainty of a one-member model, distances of a model without.
    """
    full = _checked(parameters)
    if known is not None and full["model"] != known.parameters["model"]:
        reload = True
    if known is not None and not reload:
        checksum = known.backend.facts.checksum
    backend = _find_backend(full, None if reload else known) or open_backend(
        full["model"],
        full["backend"],
        device=full["device"],
        threads=full["threads"],
        precision=full["precision"],
    )
    if checksum and backend.facts.checksum != checksum:
        raise ModelFileError(
            f"{full['model']}: the file has the checksum {backend.facts.checksum}, this calculator was made "
            f"with {checksum}: it was replaced meanwhile; make a new calculator, or name the model in set()"
        )
    if full["uncertainty"]:
        backend.facts.require_ensemble()
    if full["distances"]:
        backend.facts.require_distance()
    guard = _guard(backend, full)
    if known is not None and backend.facts is known.backend.facts:
        same = all(full[name] == known.parameters[name] for name in ("rmin", "too_close"))
        guard = known.guard if same else guard
    return Engine(full, backend, SpeciesTable(backend.facts), guard)


def _guard(backend: Backend, parameters: Mapping[str, Any]) -> DistanceGuard:
    return DistanceGuard(backend.facts, parameters["rmin"], parameters["too_close"])


def _find_backend(full: Mapping[str, Any], known: Engine | None) -> Backend | None:
    """Return a backend that needs no file, or None."""
    if known is None:
        return None
    options = {name: full[name] for name in ("backend", "device", "threads", "precision")}
    changed = {name for name, value in options.items() if value != known.parameters[name]}
    if not changed:
        return known.backend
    if isinstance(known.backend, CoreBackend) and full["backend"] == "core":
        check_options(**options)
        return known.backend.with_options(full["threads"], full["precision"])
    return None


def _checked(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return all parameters, what is missing by default; an unknown or impossible one is an error."""
    allowed = ["model", *DEFAULTS]
    unknown = [str(name) for name in parameters if name not in allowed]
    if unknown:
        raise InvalidArgumentError(
            f"{', '.join(unknown)}: not a parameter of this calculator, which has {', '.join(allowed)}"
        )
    if "model" not in parameters:
        raise InvalidArgumentError("model: not given; it names a model file")
    full = {**DEFAULTS, **parameters}
    try:
        full["model"] = str(Path(full["model"]).absolute())
    except TypeError:
        raise InvalidArgumentError(f"model = {full['model']!r}: give the path of a model file") from None
    full["device"] = str(full["device"])
    for name, values in (("uncertainty", "True, False or 'energy'"), ("distances", "True or False")):
        if name == "uncertainty" and full[name] == "energy":
            continue
        if full[name] not in (True, False):
            raise InvalidArgumentError(f"{name} = {full[name]!r}: give {values}")
        full[name] = bool(full[name])
    skin = full["skin"]
    if not (isinstance(skin, int | float | np.number) and skin >= 0.0 and np.isfinite(skin)):
        raise InvalidArgumentError(f"skin = {skin!r} Å: give a finite number that is not negative")
    return full
