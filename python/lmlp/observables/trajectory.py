"""From the frames of a trajectory to means with errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import iread

from lmlp.calculators.members import MemberEnergies
from lmlp.errors import DataError, InvalidArgumentError, LMLPError
from lmlp.io import DataKeys, read_structures
from lmlp.io.detect import reader_of
from lmlp.io.formats.dumps import KINDS as DUMPS
from lmlp.io.formats.foreign import ase_format
from lmlp.io.open import check_exists, split_index
from lmlp.observables.quantities import Quantity
from lmlp.observables.result import Observable
from lmlp.observables.reweighting import BLOCKS, Weights


def read_frames(trajectory: str | Path | Iterable[Atoms]) -> Iterator[Atoms]:
    """Read the frames of a file, anything that ASE reads, or take them as they are.

    Raises:
        DataError: a file that cannot be read, or a dump of LAMMPS without elements.
        InvalidArgumentError: something that is no structure.
    """
    if not isinstance(trajectory, (str, Path)):
        for frame in trajectory:
            if not isinstance(frame, Atoms):
                raise InvalidArgumentError(f"trajectory: give a file or ase.Atoms; got {frame!r}")
            yield frame
        return
    path = split_index(trajectory)[0]
    check_exists(path)
    if reader_of(path) == "ase" and ase_format(path) in DUMPS:
        yield from _dump(trajectory)
        return
    frames = iread(str(trajectory), index=None if "@" in Path(trajectory).name else ":")
    while True:
        try:
            frame = next(frames)
        except StopIteration:
            return
        except Exception as error:
            text = str(error).splitlines() or [type(error).__name__]
            raise DataError(f"{trajectory}: ASE cannot read the trajectory: {text[0]}") from None
        yield frame


def _dump(trajectory: str | Path) -> Iterator[Atoms]:
    """Read a dump of LAMMPS as data are read: ASE would take types for atomic numbers."""
    no_labels = DataKeys(energy="none", forces="none", stress="none", virial="none")
    for frame in read_structures(trajectory, no_labels):
        yield Atoms(numbers=frame.numbers, positions=frame.positions, cell=frame.cell, pbc=frame.pbc)


@dataclass(frozen=True)
class Series:
    """What the frames of a trajectory have.

    Attributes:
        values: of each quantity in each frame ``[n_frames, ...]``; the energy is not among them.
        energies: of the members in eV ``[n_members, n_frames]``, or None.
        n_frames: frames that were read, those that were skipped included.
    """

    values: dict[str, np.ndarray]
    energies: np.ndarray | None
    n_frames: int


def collect(
    frames: Iterable[Atoms], quantities: Iterable[Quantity], members: MemberEnergies | None, skip: int = 0
) -> Series:
    """Compute quantities, and energies of members where the frames do not keep them already.

    Args:
        frames: of a trajectory, in their order.
        quantities: to compute; the energy is none of them.
        members: of the model, or None.
        skip: frames at the start that are left out.

    Raises:
        DataError: a frame without a quantity, or with one of another shape; the frame is named.
        UnknownElementError, GeometryError, NotFiniteError: a frame that the model cannot evaluate.
    """
    computed = [q for q in quantities if q.of is not None]
    values: dict[str, list[np.ndarray]] = {q.name: [] for q in computed}
    energies: list[np.ndarray] = []
    n_frames = 0
    for n_frames, frame in enumerate(frames, start=1):
        if n_frames <= skip:
            continue
        try:
            for quantity in computed:
                values[quantity.name].append(_value(quantity, frame, values[quantity.name]))
            if members is not None:
                stored = members.stored(frame)
                energies.append(members(frame) if stored is None else stored)
        except LMLPError as error:
            raise type(error)(f"frame {n_frames - 1}: {error}") from None
    table = None
    if members is not None:
        table = np.array(energies, dtype=np.float64).reshape(-1, members.facts.n_members).T
    return Series({name: np.array(rows) for name, rows in values.items()}, table, n_frames)


def average(
    values: Mapping[str, np.ndarray], energies: np.ndarray, weights: Weights, quantities: Iterable[Quantity]
) -> dict[str, Observable]:
    """Return the means of quantities.

    Args:
        values: of each quantity but the energy ``[n_frames, ...]``.
        energies: of the members in eV ``[n_members, n_frames]``.
        weights: made of them.
        quantities: to average, in the order of the result.
    """
    found = {}
    for q in quantities:
        if q.is_energy:
            mean = energies.mean(axis=0)
            result = weights(mean + weights.factor * (energies - mean), per_member=True, name=q.name)
        else:
            result = weights(values[q.name], name=q.name)
        found[q.name] = replace(result, unit=q.unit, axis=q.axis, axis_label=q.axis_label)
    return found


def observe(
    frames: Iterable[Atoms],
    quantities: Sequence[Quantity],
    members: MemberEnergies,
    *,
    temperature: float,
    factor: float = 1.0,
    skip: int = 0,
    method: str = "auto",
    blocks: int = BLOCKS,
) -> dict[str, Observable]:
    """Compute the means of quantities over frames that follow the mean of an ensemble.

    Args:
        frames: of equal weight, in their order.
        quantities: to average.
        members: of the model that made the trajectory.
        temperature: of the trajectory, K.
        factor, method, blocks: of :meth:`Weights.of`.
        skip: frames at the start that are left out.

    Raises:
        LMLPError: what :func:`collect` and :meth:`Weights.of` raise.
    """
    series = collect(frames, quantities, members, skip)
    assert series.energies is not None
    weights = Weights.of(series.energies, temperature, factor=factor, method=method, blocks=blocks)
    return average(series.values, series.energies, weights, quantities)


def _value(quantity: Quantity, frame: Atoms, earlier: list[np.ndarray]) -> np.ndarray:
    value = quantity(frame)
    if earlier and value.shape != earlier[0].shape:
        raise DataError(f"{quantity.name}: shape {value.shape}, but {earlier[0].shape} in earlier frames")
    return value
