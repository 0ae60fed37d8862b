"""Our stages on bulk water beside the floor: counted operations at the ceilings of the same run."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from ceilings import ceilings_table, measure_ceilings
from common import Options, Pairs, Table, Timing, Water, make_water, measure, run_program, write_model
from lammps_steps import lammps_steps, per_atom, water_setup, write_data
from lmlp import _core
from lmlp.descriptor.presets import make_preset
from operations import Floor, backward_slots, feature_slots, sizes_of

GOAL = 1.6  # a stage within this factor of its floor is good


def precisions() -> list[str]:
    """Return the precisions of the networks that this core knows."""
    names = getattr(_core, "precision_names", None)
    return ["double"] if names is None else list(names())


def core_evaluation(options: Options, model: Any, pairs: Pairs, **wanted: Any) -> Timing:
    potential = _core.Potential(str(model))
    n = len(pairs.center_species)
    return measure(lambda: potential.evaluate(*pairs.arrays(), n_threads=1, **wanted), n, options.repeats)


def without_neighbors(pairs: Pairs) -> Pairs:
    """Return centers alone: all that remains to do are the networks."""
    n = len(pairs.center_species)
    return Pairs(
        np.zeros(n + 1, dtype=np.int64),
        pairs.center_species,
        np.empty(0, dtype=np.int32),
        np.empty((0, 3)),
    )


class StageTable:
    """Rows of measured time, floor and their ratio."""

    def __init__(self, title: str) -> None:
        self.table = Table(title, ["stage", "µs per atom", "floor", "measured / floor"])

    def add(self, name: str, timing: Timing, floor: float | None = None) -> None:
        row = [name, timing.text()]
        if floor is None:
            row += ["", ""]
        else:
            ratio = timing.median / floor
            mark = f"**{ratio:.2f}**" if ratio <= GOAL else f"{ratio:.2f}"
            row += [f"{floor:.2f}", mark]
        self.table.rows.append(row)


def descriptor_stages(out: StageTable, options: Options, water: Water, floor: Floor, cutoff: float) -> None:
    pairs = water.pairs(cutoff)
    n, periodic = water.n_atoms, np.array([True] * 3)
    spec = make_preset("eeacsf-153", ["H", "O"], cutoff)
    core = _core.Descriptor(json.dumps(spec), [1, 8])
    grad = np.random.default_rng(1).normal(size=(n, core.n_features))
    arguments = (pairs.offsets, pairs.neighbor_species, pairs.vectors)
    out.add(
        "neighbor list (ours, for ASE)",
        measure(
            lambda: _core.find_neighbors(water.positions, water.cell, periodic, cutoff), n, options.repeats
        ),
    )
    features = measure(lambda: core.features(*arguments, n_threads=1), n, options.repeats)
    out.add("features, as a call", features, floor.features(pairs.per_center))
    backward = measure(lambda: core.backward(*arguments, grad, n_threads=1), n, options.repeats)
    out.add("backward, as a call (features included)", backward, floor.backward_alone(pairs.per_center))


def evaluation_stages(out: StageTable, options: Options, water: Water, floor: Floor, cutoff: float) -> None:
    pairs = water.pairs(cutoff)
    centers, neighbors = without_neighbors(pairs), pairs.per_center
    for members in (1, 10):
        model = write_model(options, cutoff, members)
        for precision in precisions():
            chosen = {"precision": precision} if precision != "double" else {}
            name = f"{members} member{'s' if members > 1 else ''}, {precision}"
            networks = core_evaluation(options, model, centers, **chosen)
            out.add(f"networks, {name}", networks, floor.networks(members, precision))
            both = core_evaluation(options, model, pairs, **chosen)
            out.add(f"E + F, {name}", both, floor.evaluation(neighbors, members, precision))
            if members == 1 and precision == "double":
                far = core_evaluation(options, model, pairs, distances=True)
                least = floor.evaluation(neighbors, members, precision) + floor.distances()
                out.add(f"E + F and distances from the training data, {name}", far, least)
            if members > 1:
                wanted = {"member_energies": True, "member_gradients": True, **chosen}
                out.add(
                    f"E + F of all members, {name}",
                    core_evaluation(options, model, pairs, **wanted),
                    floor.evaluation(neighbors, members, precision, 1 + members),
                )


def lammps_stages(out: StageTable, options: Options, water: Water, floor: Floor, cutoff: float) -> None:
    """Whole steps: E, F, virial; with σ and distances by fix pair."""
    setup = water_setup(write_data(water, options))
    neighbors = water.pairs(cutoff).per_center
    for members in (1, 10):
        model = write_model(options, cutoff, members)
        for precision in precisions():
            word = f" precision {precision}" if precision != "double" else ""
            style = [f"pair_style lmlp{word}", f"pair_coeff * * {model} H O"]
            name = f"{members} member{'s' if members > 1 else ''}, {precision}"
            least = floor.evaluation(neighbors, members, precision)
            of_members = floor.evaluation(neighbors, members, precision, 1 + members)
            cases = [("", [], least), (" with distances", ["distance"], least + floor.distances())]
            if members > 1:
                cases += [(" with σ_E", ["sigma_e"], least), (" with σ_F", ["sigma_f"], of_members)]
            for more, fields, bound in cases:
                title = f"LAMMPS step{more}{' at every step' if more else ''}, {name}"
                fixes = [f"fix u all pair 1 lmlp {field} 1" for field in fields]
                answer = lammps_steps([*setup, *style, *fixes], repeats=options.repeats)
                if "failed" in answer:
                    out.table.notes.append(f"{title}: {answer['failed']}")
                    continue
                out.add(title, per_atom(answer), bound)


def small_system(options: Options) -> Table:
    """27 atoms: what Python and ASE add."""
    cutoff = options.cutoffs[-1]
    table = Table(f"27 atoms (9 water molecules, no cell), R_c {cutoff} Å, ASE", ["", "ms per single point"])
    for members in (1, 10):
        request = {"model": str(write_model(options, cutoff, members)), "molecules": 9}
        request |= {"repeats": options.repeats, "calls": 2 if options.quick else 100}
        answer = run_program(sys.executable, "ase_program.py", request)
        name = f"{members} member{'s' if members > 1 else ''}, energy and forces after a small displacement"
        cell = answer.get("failed") or Timing([1e3 * t for t in answer["cpu"]]).text()
        table.rows.append([name, cell])
    return table


def counted(floor: Floor, neighbors: float) -> str:
    s = floor.sizes
    return (
        f"Counted per atom: features {feature_slots(s, neighbors) / 1e3:.0f} thousand multiply-adds and "
        f"{neighbors * s.n_radials:.0f} exp, backward {backward_slots(s, neighbors) / 1e3:.0f} thousand "
        f"(degree {s.degree}, {s.n_angular_radials} radial functions with angles of {s.n_radials}), ten "
        f"networks {floor.network_flops(10) / 1e6:.2f} MFLOP and {10 * 207} tanh."
    )


def run(options: Options) -> list[Table]:
    water = make_water(options.molecules)
    spec = make_preset("eeacsf-153", ["H", "O"], options.cutoffs[0])
    ceilings = measure_ceilings(options, len(spec["functions"]))
    tables = [ceilings_table(ceilings)]
    floor = Floor(sizes_of(spec, 2), ceilings)
    for cutoff in options.cutoffs:
        neighbors = water.pairs(cutoff).per_center
        out = StageTable(f"R_c {cutoff} Å, {neighbors:.1f} neighbors, {floor.sizes.n_features} functions")
        descriptor_stages(out, options, water, floor, cutoff)
        evaluation_stages(out, options, water, floor, cutoff)
        lammps_stages(out, options, water, floor, cutoff)
        out.table.notes.insert(0, counted(floor, neighbors))
        tables.append(out.table)
    return [*tables, small_system(options)]
