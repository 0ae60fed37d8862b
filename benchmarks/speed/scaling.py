"""How cost grows: cutoff radius, functions, members, elements, threads, ranks. Plots beside the results."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import Options, Pairs, Table, Timing, Water, make_water, measure, write_model
from lammps_steps import lammps_steps, per_atom, water_setup, write_data
from lmlp import _core
from lmlp.descriptor.presets import make_preset
from plots import save_plot

Clock = Callable[[], float]
CUTOFF = 6.35
ELEMENTS = (
    "H", "O", "C", "N", "F", "S", "P", "Cl", "Si", "B", "Na", "K", "Li", "Mg", "Ca", "Al", "Br", "I", "Be",
    "Ga",
)  # fmt: skip


@dataclass(frozen=True)
class Point:
    """One value of what is varied."""

    value: float
    label: str
    timings: dict[str, Timing]
    more: tuple[str, ...] = ()


def as_table(title: str, columns: list[str], points: Sequence[Point]) -> Table:
    table = Table(title, [*columns, *points[0].timings])
    table.rows = [[p.label, *p.more, *(t.text() for t in p.timings.values())] for p in points]
    return table


def evaluate(
    pairs: Pairs, model: Path, options: Options, threads: int = 1, clock: Clock = time.process_time
) -> Timing:
    potential = _core.Potential(str(model))
    n = len(pairs.center_species)
    return measure(lambda: potential.evaluate(*pairs.arrays(), n_threads=threads), n, options.repeats, clock)


def by_cutoff(options: Options, water: Water) -> Table:
    points = []
    for cutoff in (4.0, 5.0) if options.quick else (4.0, 5.0, 6.0, 6.35, 7.0, 8.0):
        pairs = water.pairs(cutoff)
        core = _core.Descriptor(json.dumps(make_preset("eeacsf-153", ["H", "O"], cutoff)), [1, 8])
        grad = np.random.default_rng(1).normal(size=(water.n_atoms, core.n_features))
        arguments = (pairs.offsets, pairs.neighbor_species, pairs.vectors)

        def backward(core=core, arguments=arguments, grad=grad) -> None:
            core.backward(*arguments, grad, n_threads=1)

        descriptor = measure(backward, water.n_atoms, options.repeats)
        timings = {
            "descriptor, features and backward": descriptor,
            "E + F, 1 member": evaluate(pairs, write_model(options, cutoff, 1), options),
            "E + F, 10 members": evaluate(pairs, write_model(options, cutoff, 10), options),
        }
        per_neighbor = f"{descriptor.median / pairs.per_center * 1e3:.0f}"
        points.append(
            Point(pairs.per_center, f"{cutoff}", timings, (f"{pairs.per_center:.1f}", per_neighbor))
        )
    save_plot(options, "scaling-neighbors", "neighbors", points)
    table = as_table("Cutoff radius", ["R_c, Å", "neighbors", "descriptor, ns per neighbor"], points)
    first, last = points[0], points[-1]
    name = "descriptor, features and backward"
    growth = last.timings[name].median / first.timings[name].median
    table.notes.append(
        f"From the first to the last row the number of neighbors grows by {last.value / first.value:.1f}, "
        f"the descriptor's time by {growth:.1f}."
    )
    return table


def by_functions(options: Options, water: Water) -> Table:
    points = []
    pairs = water.pairs(CUTOFF)
    for n in (20, 153) if options.quick else (10, 20, 40, 80, 153):
        model = write_model(options, CUTOFF, 10, n_rows=n if n < 153 else 0)
        one = write_model(options, CUTOFF, 1, n_rows=n if n < 153 else 0)
        timings = {
            "E + F, 1 member": evaluate(pairs, one, options),
            "E + F, 10 members": evaluate(pairs, model, options),
        }
        points.append(Point(n, str(n), timings))
    save_plot(options, "scaling-functions", "functions", points)
    table = as_table(f"Functions, R_c {CUTOFF} Å", ["functions"], points)
    table.notes.append("Rows evenly chosen from eeacsf-153.")
    return table


def by_members(options: Options, water: Water) -> Table:
    pairs, points = water.pairs(CUTOFF), []
    for members in (1, 2) if options.quick else (1, 2, 4, 6, 8, 10):
        timing = evaluate(pairs, write_model(options, CUTOFF, members), options)
        points.append(Point(members, str(members), {"E + F": timing}))
    save_plot(options, "scaling-members", "members", points)
    return as_table(f"Members, R_c {CUTOFF} Å", ["members"], points)


def by_elements(options: Options, water: Water) -> Table:
    """The same positions with the elements at random, equally often."""
    points = []
    rng = np.random.default_rng(0)
    for n in (2, 4) if options.quick else (2, 4, 8, 12, 20):
        species = rng.integers(0, n, water.n_atoms).astype(np.int32)
        pairs = Water(water.positions, species, water.length).pairs(CUTOFF)
        models = {m: write_model(options, CUTOFF, m, ELEMENTS[:n]) for m in (1, 10)}
        n_functions = _core.Potential(str(models[1])).info()["n_features"]
        timings = {f"E + F, {m} members": evaluate(pairs, models[m], options) for m in models}
        points.append(Point(n, str(n), timings, (str(n_functions),)))
    save_plot(options, "scaling-elements", "elements", points)
    return as_table(f"Elements, R_c {CUTOFF} Å", ["elements", "functions"], points)


def by_threads_and_ranks(options: Options, water: Water) -> Table:
    """Wall clock: threads of the core, threads and ranks of LAMMPS."""
    pairs = water.pairs(CUTOFF)
    model = write_model(options, CUTOFF, 10)
    setup = water_setup(write_data(water, options), (1, 1, 1) if options.quick else (2, 1, 1))
    table = Table("Two cores, R_c 6.35 Å, 10 members, wall clock", ["", "one", "two", "speedup"])

    def add(name: str, one: Timing, two: Timing) -> None:
        # the best times: what other programs take from a core is no property of ours
        table.rows.append([name, one.text(), two.text(), f"{one.best / two.best:.2f}"])

    one, two = (evaluate(pairs, model, options, t, time.perf_counter) for t in (1, 2))
    add("threads, E + F of the core", one, two)
    for name, threads, ranks in (("threads, LAMMPS step", 2, 1), ("ranks, LAMMPS step", 1, 2)):
        answers = [
            lammps_steps(
                [*setup, f"pair_style lmlp threads {t}", f"pair_coeff * * {model} H O"],
                ranks=r,
                repeats=options.repeats,
            )
            for t, r in ((1, 1), (threads, ranks))
        ]
        failed = [answer["failed"] for answer in answers if "failed" in answer]
        if failed:
            table.notes.append(f"{name}: {failed[0]}")
        else:
            add(name, per_atom(answers[0], "wall"), per_atom(answers[1], "wall"))
    table.notes.append(
        "The speedup is computed from the smallest times; it means something only where both cores are free."
    )
    return table


def run(options: Options) -> list[Table]:
    water = make_water(options.molecules)
    topics = (by_cutoff, by_functions, by_members, by_elements, by_threads_and_ranks)
    return [topic(options, water) for topic in topics]
