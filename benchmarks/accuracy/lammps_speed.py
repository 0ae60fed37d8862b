"""Speed of a trained model in LAMMPS, on a system made of a typical structure of its test data."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import write
from lmlp.export.model_file import read_model_file
from lmlp.io import read_structures
from lmlp.neighbors import find_neighbors
from lmlp.structure import Structure

sys.path.append(str(Path(__file__).resolve().parents[1] / "speed"))
from lammps_steps import lammps_steps, per_atom

N_ATOMS = 1000  # at least
REPEATS = 3
GAP = 3.0  # Å between molecules beyond the cutoff: more than the skin of LAMMPS's neighbor list


def measure_speed(model: Path, files: Sequence[Path]) -> dict[str, Any]:
    """Time LAMMPS with a model: plain data for results.json, microseconds per atom and step of one core.

    Dynamics with `pair_style lmlp` (energy, forces and virial of all members, no uncertainties) on the
    typical structure of the files, repeated to a thousand atoms; medians of the CPU times of three times ten
    steps, neighbor lists rebuilt once in each, with networks in double and in mixed precision.
    """
    data = read_model_file(model)
    cutoff = float(data.descriptor["cutoff"])
    structure, neighbors = typical([s for file in files for s in read_structures(file)], cutoff)
    atoms, copies = large_system(structure, cutoff)
    elements = sorted(set(atoms.get_chemical_symbols()))
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/system.data"
        write(path, atoms, format="lammps-data", specorder=elements, masses=True, atom_style="atomic")
        for name, style in (("double", "pair_style lmlp"), ("mixed", "pair_style lmlp precision mixed")):
            answer = lammps_steps(
                [
                    *("units metal", "atom_style atomic", "atom_modify map array", "box tilt large"),
                    *(f"read_data {path}", style, f"pair_coeff * * {model.resolve()} {' '.join(elements)}"),
                ],
                repeats=REPEATS,
            )
            if "failed" in answer:
                sys.exit(f"{model}: LAMMPS: {answer['failed']}")
            timing = per_atom(answer)
            found[name] = {"median": timing.median, "times": timing.times}
    source = structure.source.rsplit("/", 1)[-1]
    return {
        **found,
        "system": f"{' × '.join(map(str, copies))} of {source}",
        "atoms": len(atoms),
        "neighbors": neighbors,
        "load": os.getloadavg()[0],
    }


def typical(structures: Sequence[Structure], cutoff: float) -> tuple[Structure, float]:
    """Of the structures with most elements, the one with the median number of neighbors per atom; both."""
    n_elements = [len(set(s.numbers.tolist())) for s in structures]
    chosen = [s for s, n in zip(structures, n_elements, strict=True) if n == max(n_elements)]
    counts = [find_neighbors(s.positions, s.cell, s.pbc, cutoff).n_pairs / len(s) for s in chosen]
    middle = int(np.argsort(counts, kind="stable")[len(counts) // 2])
    return chosen[middle], counts[middle]


def large_system(structure: Structure, cutoff: float) -> tuple[Atoms, tuple[int, ...]]:
    """Repeat a crystal, or a molecule in boxes beyond each other's reach, to N_ATOMS at least."""
    cell = structure.cell
    if not structure.pbc.all():
        if structure.pbc.any():
            sys.exit(f"{structure.source}: periodic in some directions only")
        cell = np.diag(np.ptp(structure.positions, axis=0) + cutoff + GAP)
    heights = abs(np.linalg.det(cell)) / np.linalg.norm(
        np.cross(np.roll(cell, -1, axis=0), np.roll(cell, -2, axis=0)), axis=1
    )
    copies = np.ones(3, dtype=int)
    while copies.prod() * len(structure) < N_ATOMS:
        copies[np.argmin(copies * heights)] += 1
    atoms = Atoms(structure.numbers, structure.positions, cell=cell, pbc=True).repeat(copies)
    atoms.wrap()
    return atoms, tuple(int(n) for n in copies)
