"""Reweighted means of the members against runs with each member alone.

    python benchmarks/observables/run.py model.pt start.xyz --observables energy,distance:0-1 -o result.json

One Langevin run follows the mean of the ensemble and is reweighted. One run of the same length follows each
member, from another seed. The table has, for each quantity and member, the difference between its mean and
that of the ensemble by both ways, and z, their difference over the standard error of both together.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import ase.io
import numpy as np
from ase import Atoms, units
from lmlp.calculators.ase import LMLPCalculator
from lmlp.calculators.backends import CoreBackend
from lmlp.calculators.dynamics import Thermodynamics, draw_velocities, make_dynamics
from lmlp.calculators.members import MemberEnergies
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file
from lmlp.model.data import ModelData
from lmlp.observables import Observable, Quantity, Weights, parse_quantities
from lmlp.observables.trajectory import average, collect


def member(model: ModelData, m: int) -> ModelData:
    """Return one member as a model of its own."""
    return replace(
        model,
        scale=model.scale[m : m + 1],
        shift=model.shift[m : m + 1],
        weights=[w[m : m + 1] for w in model.weights],
        biases=[b[m : m + 1] for b in model.biases],
        spread_maps=None,
    )


def sample(
    path: Path, start: Atoms, conditions: Thermodynamics, frames: int, every: int, seed: int
) -> list[Atoms]:
    """Return frames of a Langevin run after a fifth of their steps; the energy of the run in ``info``."""
    atoms, rng = start.copy(), np.random.default_rng(seed)
    atoms.calc = LMLPCalculator(path)
    draw_velocities(atoms, conditions.temperature, rng)
    dynamics = make_dynamics(atoms, conditions, rng)
    dynamics.run(frames // 5 * every)
    found = []
    for _ in range(frames):
        dynamics.run(every)
        frame = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        frame.info["run_energy"] = float(atoms.get_potential_energy())
        found.append(frame)
    return found


def block_error(values: np.ndarray, blocks: int) -> float:
    """Return the standard error of a mean from means of blocks."""
    means = [part.mean() for part in np.array_split(values, blocks)]
    return float(np.std(means, ddof=1) / np.sqrt(blocks))


def member_error(values: np.ndarray, weights: Weights, m: int) -> float:
    """Return the standard error of the reweighted mean of a member, from estimates without one block each."""
    n, edges = weights.blocks, np.linspace(0, weights.n_frames, weights.blocks + 1).astype(int)
    estimates = []
    for k in range(n):
        kept = np.r_[0 : edges[k], edges[k + 1] : weights.n_frames]
        part = Weights(weights.exponents[:, kept], weights.method, weights.factor, n)
        estimates.append(float(part(values[kept]).members[m]))
    return float(np.sqrt((n - 1) / n * np.square(estimates - np.mean(estimates)).sum()))


def main() -> None:
    """Run, print the table, write all figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("start", type=Path)
    parser.add_argument("--observables", default="energy,distance:0-1,angle:0-1-2")
    parser.add_argument("--ensemble", choices=("nvt", "npt"), default="nvt")
    parser.add_argument("--barostat-time", type=float, default=200.0)
    parser.add_argument("--compressibility", type=float, default=0.007)
    parser.add_argument("--temperature", type=float, default=300.0)
    parser.add_argument("--timestep", type=float, default=0.5)
    parser.add_argument("--frames", type=int, default=5000)
    parser.add_argument("--every", type=int, default=20)
    parser.add_argument("--blocks", type=int, default=20)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    quantities = parse_quantities(options.observables)
    result = compare(options, quantities)
    for name, entry in result["quantities"].items():
        print(f"{name}: {entry['words']}, {entry['method']}")
        for m, row in enumerate(entry["members"]):
            print(
                f"  member {m}: weights {row['weights']:+.5f} ± {row['weights_error']:.5f}, "
                f"own run {row['own_run']:+.5f} ± {row['own_run_error']:.5f}, z = {row['z']:+.2f}"
            )
        print(f"  σ by weights {entry['sigma']:.5f}, by own runs {entry['sigma_own_runs']:.5f}")
    if options.output is not None:
        options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def compare(options: argparse.Namespace, quantities: list[Quantity]) -> dict:
    """Make all runs and compare."""
    start = ase.io.read(options.start)
    conditions = Thermodynamics(
        options.ensemble,
        options.temperature,
        timestep=options.timestep,
        barostat_time=options.barostat_time,
        compressibility=options.compressibility,
    )
    data = read_model_file(options.model)
    members = MemberEnergies(CoreBackend(options.model))
    frames = sample(options.model, start, conditions, options.frames, options.every, 1)
    series = collect(frames, quantities, members)
    assert series.energies is not None
    weights = Weights.of(series.energies, options.temperature, blocks=options.blocks)
    found = average(series.values, series.energies, weights, quantities)
    own: list[dict[str, np.ndarray]] = []
    with TemporaryDirectory() as folder:
        for m in range(data.n_members):
            path = Path(folder) / f"member-{m}.pt"
            write_model_file(member(data, m), path, verify=False)
            run = sample(path, start, conditions, options.frames, options.every, 100 + m)
            values = dict(collect(run, quantities, None).values)
            values["energy"] = np.array([frame.info["run_energy"] for frame in run])
            own.append(values)
    result = {
        "temperature": options.temperature,
        "picoseconds": 1e-3 * options.timestep * options.every * options.frames,
        "exponent_std": (weights.exponents.std(axis=1)).tolist(),
        "kT": units.kB * options.temperature,
        "quantities": {},
    }
    for q in quantities:
        o = found[q.name]
        rows = [
            rows_of(q, o, m, series, weights, own[m][q.name], options.blocks) for m in range(data.n_members)
        ]
        result["quantities"][q.name] = {
            "words": str(o),
            "method": o.method,
            "sigma": float(o.sigma),
            "sigma_statistical": float(o.sigma_statistical),
            "sigma_own_runs": float(np.std([values[q.name].mean() for values in own], ddof=1)),
            "effective": o.effective.tolist(),
            "members": rows,
        }
    return result


def rows_of(
    q: Quantity, o: Observable, m: int, series, weights: Weights, own: np.ndarray, blocks: int
) -> dict[str, float]:
    """Compare one member; means are relative to that of the run with the ensemble."""
    values = series.energies[m] if q.is_energy else series.values[q.name]
    by_weights, error = float(o.members[m] - o.mean), member_error(values, weights, m)
    by_run, run_error = float(own.mean() - o.mean), block_error(own, blocks)
    return {
        "weights": by_weights,
        "weights_error": error,
        "own_run": by_run,
        "own_run_error": run_error,
        "z": (by_run - by_weights) / float(np.hypot(error, run_error)),
    }


if __name__ == "__main__":
    main()
