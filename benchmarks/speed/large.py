"""Cost and memory per atom of large systems in one process: LAMMPS to 10^6 atoms, ASE to 10^5."""

from __future__ import annotations

import sys

from common import Options, Table, make_water, run_program, write_model
from lammps_steps import lammps_steps, per_atom, water_setup, write_data
from plots import save_plot
from scaling import Point

CUTOFF, MEMBERS = 6.35, 10
# Copies of the box of 648 atoms; the last is the first above 10^6.
LAMMPS_COPIES = ((1, 1, 2), (2, 2, 4), (4, 4, 10), (12, 12, 11))
STEPS = 4  # neighbor lists are rebuilt as often
ASE_COPIES = ((1, 1, 2), (2, 2, 4), (4, 4, 10))


def lammps_table(options: Options) -> Table:
    data = write_data(make_water(options.molecules), options)
    model = write_model(options, CUTOFF, MEMBERS)
    style = ["pair_style lmlp", f"pair_coeff * * {model} H O"]
    title = f"Large systems, LAMMPS, water, R_c {CUTOFF} Å, {MEMBERS} members, one rank"
    columns = ["atoms", "µs per atom and step", "memory, MB", "beyond a LAMMPS without model, bytes per atom"]
    table = Table(title, columns)
    empty = lammps_steps([*water_setup(data), "pair_style zero 1.0", "pair_coeff * *"], repeats=1)
    points = []
    for copies in LAMMPS_COPIES[:1] if options.quick else LAMMPS_COPIES:
        big = copies[0] > 4
        request = {"repeats": 1 if big else min(3, options.repeats), "warm": not big, "steps": STEPS}
        answer = lammps_steps([*water_setup(data, copies), *style], **request)
        if "failed" in answer:
            table.notes.append(f"{copies}: {answer['failed']}")
            continue
        timing, n = per_atom(answer), answer["n_atoms"]
        extra = (answer["peak_mb"] - empty.get("peak_mb", 0.0)) * 2**20 / n
        table.rows.append([f"{n:,.0f}", timing.text(), f"{answer['peak_mb']:.0f}", f"{extra:.0f}"])
        points.append(Point(n, f"{n}", {"LAMMPS step": timing}))
    if points:
        save_plot(options, "scaling-atoms", "atoms", points, log=True)
        first, last = points[0].timings["LAMMPS step"], points[-1].timings["LAMMPS step"]
        ratio = last.median / first.median
        table.notes.append(
            f"Neighbor lists are rebuilt every {STEPS} steps. "
            f"The last row costs {ratio:.2f} times the first per atom."
        )
    return table


def ase_table(options: Options) -> Table:
    model = write_model(options, CUTOFF, MEMBERS)
    title = "Large systems, ASE calculator, the same model, skin 0.5 Å"
    columns = [
        "atoms",
        "µs per atom, energy and forces",
        "memory, MB",
        "beyond the first row, bytes per atom",
    ]
    table = Table(title, columns)
    first: tuple[float, float] | None = None
    for copies in ASE_COPIES[:1] if options.quick else ASE_COPIES:
        request = {"model": str(model), "molecules": options.molecules, "copies": list(copies), "calls": 1}
        request["repeats"] = min(3, options.repeats)
        answer = run_program(sys.executable, "ase_program.py", request)
        if "failed" in answer:
            table.notes.append(f"{copies}: {answer['failed']}")
            continue
        timing, n, peak = per_atom(answer), answer["n_atoms"], answer["peak_mb"]
        extra = "" if first is None else f"{(peak - first[1]) * 2**20 / (n - first[0]):.0f}"
        first = first or (n, peak)
        table.rows.append([f"{n:,.0f}", timing.text(), f"{peak:.0f}", extra])
    return table


def run(options: Options) -> list[Table]:
    return [lammps_table(options), ase_table(options)]
