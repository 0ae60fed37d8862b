"""``lmlp.reweight``: means over a trajectory with the error of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike

from lmlp.calculators.backends import CoreBackend, check_options
from lmlp.calculators.members import MemberEnergies, energy_factor
from lmlp.errors import DataError, InvalidArgumentError
from lmlp.export.model_file import read_content
from lmlp.face.model import Model
from lmlp.observables.quantities import Quantity, parse_quantities, parse_quantity
from lmlp.observables.result import Observable
from lmlp.observables.reweighting import BLOCKS, Weights
from lmlp.observables.trajectory import Series, average, collect, read_frames

Observed: TypeAlias = str | Callable[[Atoms], ArrayLike] | ArrayLike


def reweight(
    quantities: str | Mapping[str, Observed],
    trajectory: str | Path | Iterable[Atoms] | None = None,
    model: Model | str | Path | None = None,
    *,
    temperature: float,
    energies: ArrayLike | None = None,
    factor: float | None = None,
    skip: int = 0,
    method: str = "auto",
    blocks: int = BLOCKS,
    threads: int = 0,
) -> dict[str, Observable]:
    """Average quantities over a trajectory, with σ of the mean by the members of the model.

    >>> found = lmlp.reweight("distance:0-1, energy", frames, model, temperature=300)
    >>> bool(found["energy"].sigma >= 0), found["energy"].members.shape, found["energy"].unit
    (True, (2,), 'eV')

    The trajectory follows the ensemble mean of the model at constant temperature, with or without constant
    pressure: one of ``lmlp md``, ASE or LAMMPS. Each member would visit its frames with other weights; σ is
    the spread of the means by these weights (docs/observables.md).

    Args:
        quantities: names as in ``lmlp md --observables`` with commas between; or by any name such a name, a
            function of ``ase.Atoms`` that returns a number or an array, or an array of values
            ``[n_frames, ...]``.
        trajectory: a file that ASE reads, or ``ase.Atoms``; not needed where all is given as arrays.
        model: of the trajectory, a model or a model file.
        temperature: of the trajectory, K.
        energies: of the members in eV ``[n_members, n_frames]``, instead of a model.
        factor: how many times as far from their mean as they are the energies of the members are taken;
            default: the calibration that the model stores, and 1 without a model.
        skip: frames at the start that are left out, as the system is not in equilibrium there.
        method: ``direct`` (weights), ``cumulant`` (their first order), or ``auto``: direct where the weights
            of every member leave 30 % of the frames.
        blocks: of consecutive frames for the statistical error, each longer than the trajectory's memory.
        threads: OpenMP threads; 0 means OpenMP's default.

    Returns:
        for each name an :class:`~lmlp.observables.Observable` with ``mean``, ``sigma`` (model),
        ``statistical`` (sampling), ``members``, ``effective``, ``method``.

    Raises:
        InvalidArgumentError: an unknown quantity, a temperature or factor that is not positive, neither model
            nor energies or both.
        DataError: fewer than two frames for each block, values that are not finite or of another number of
            frames, a frame without the quantity; the frame is named.
        UncertaintyError: one member. ModelFileError: ``model`` is none.
        UnknownElementError, GeometryError: a frame that the model cannot evaluate.
    """
    if (model is None) == (energies is None):
        raise InvalidArgumentError("model, energies: give one of both")
    if skip < 0:
        raise InvalidArgumentError(f"skip = {skip}: give a number of frames that is not negative")
    wanted, arrays = _sorted(quantities)
    members = None if model is None else _members(model, threads)
    if factor is None:
        factor = 1.0 if members is None else energy_factor(members.facts)
    series = Series({}, None, 0)
    if trajectory is not None:
        series = collect(read_frames(trajectory), wanted, members, skip)
    elif members is not None or any(q.of is not None for q in wanted):
        raise InvalidArgumentError("trajectory: not given, but something is to be computed of its frames")
    table = _table(series, energies, skip)
    weights = Weights.of(table, temperature, factor=factor, method=method, blocks=blocks)
    values = series.values | {name: array[skip:] for name, array in arrays.items()}
    return average(values, table, weights, wanted)


def _members(model: Model | str | Path, threads: int) -> MemberEnergies:
    path = model.file() if isinstance(model, Model) else Path(model)
    read_content(path)  # the core names no reason
    check_options("core", device="cpu", threads=threads, precision="double")
    return MemberEnergies(CoreBackend(path, threads), threads)


def _table(series: Series, energies: ArrayLike | None, skip: int) -> np.ndarray:
    """Return the energies of the members in the frames that count ``[n_members, n_frames]``."""
    if energies is None:
        assert series.energies is not None
        return series.energies
    table = np.asarray(energies, dtype=np.float64)
    if series.n_frames and table.ndim == 2 and table.shape[1] != series.n_frames:
        raise DataError(f"energies: of {table.shape[1]} frames, but the trajectory has {series.n_frames}")
    return table[..., skip:]


def _sorted(quantities: str | Mapping[str, Observed]) -> tuple[list[Quantity], dict[str, np.ndarray]]:
    """Return all quantities, and the values of those that are given as arrays."""
    if isinstance(quantities, str):
        return parse_quantities(quantities), {}
    if not isinstance(quantities, Mapping) or not quantities:
        raise InvalidArgumentError(f"quantities: give names, or something by name; got {quantities!r}")
    found: list[Quantity] = []
    arrays: dict[str, np.ndarray] = {}
    for name, what in quantities.items():
        if isinstance(what, str):
            found.append(replace(parse_quantity(what), name=name))
        elif callable(what):
            found.append(Quantity(name, "", what))
        else:
            found.append(Quantity(name, "", None))
            arrays[name] = _numbers(name, what)
    return found, arrays


def _numbers(name: str, values: ArrayLike) -> np.ndarray:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(())
    if array.ndim == 0:
        raise InvalidArgumentError(
            f"{name}: give the name of a quantity, a function of ase.Atoms, or numbers for each frame"
        )
    return array
