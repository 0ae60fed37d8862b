"""Reference data whose energies, forces and stresses belong together: molecules, crystals, dimers."""

from __future__ import annotations

import dataclasses

import numpy as np
from lmlp.audit.report import audit
from lmlp.neighbors import find_neighbors
from lmlp.structure import Structure

METHANOL = np.array(
    [
        [-0.047, 0.664, 0.0],
        [-0.047, -0.758, 0.0],
        [-1.093, 0.970, 0.0],
        [0.878, -1.059, 0.0],
        [0.438, 1.072, 0.889],
        [0.438, 1.072, -0.889],
    ]
)
NUMBERS = np.array([6, 8, 1, 1, 1, 1], dtype=np.int32)
ENERGY = -3148.0  # eV, all electrons of methanol


def springs(positions, start=METHANOL, stiffness=6.0):
    """Energy and forces of springs between all atoms."""
    arms = positions[:, None] - positions[None]
    lengths = np.linalg.norm(arms, axis=2)
    stretch = lengths - np.linalg.norm(start[:, None] - start[None], axis=2)
    pull = stiffness * stretch / np.where(lengths > 0.0, lengths, 1.0)
    return 0.25 * stiffness * float(np.square(stretch).sum()), -(pull[:, :, None] * arms).sum(axis=1)


def molecules(n, seed=0, amplitude=0.05, file="m.xyz", energy=ENERGY):
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        positions = METHANOL + amplitude * rng.normal(size=METHANOL.shape)
        bonds, forces = springs(positions)
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        turn = turn * np.linalg.det(turn)
        found.append(
            Structure(
                NUMBERS,
                positions @ turn,
                np.zeros((3, 3)),
                np.zeros(3, bool),
                energy + bonds,
                forces @ turn,
                None,
                f"{file}:{i}",
            )
        )
    return found


def metal(numbers, positions, cell, source="", pbc=(True, True, True), scale=1.0, offset=-3.5) -> Structure:
    """Label a crystal with a smooth pair potential like that of copper; lengths scaled, e.g. to a toy's."""
    reach, depth, rate, length = 5.0 * scale, 0.34, 1.36 / scale, 2.87 * scale
    pairs = find_neighbors(positions, cell, np.array(pbc), reach)
    r = np.linalg.norm(pairs.vectors, axis=1)
    x, cut = np.exp(-rate * (r - length)), 1.0 - (r / reach) ** 2
    value = depth * (x * x - 2 * x)
    slope = depth * rate * (2 * x - 2 * x * x) * cut**3 - 6 * r / reach**2 * cut**2 * value
    push = (slope / r)[:, None] * pairs.vectors
    forces = np.zeros((len(positions), 3))
    np.add.at(forces, pairs.centers, push)
    volume = abs(np.linalg.det(cell))
    return Structure(
        np.asarray(numbers, np.int32),
        np.asarray(positions, float),
        np.asarray(cell, float),
        np.array(pbc),
        offset * len(positions) + 0.5 * float((value * cut**3).sum()),
        forces,
        0.5 * push.T @ pairs.vectors / volume if all(pbc) else None,
        source,
    )


FCC = np.array([(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)], float)


def crystals(n, seed=0, rattle=0.05, strain=0.02, lattice=3.7, file="c.xyz", **other):
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        cell = lattice * (np.eye(3) + strain * rng.normal(size=(3, 3)))
        positions = FCC @ cell + rattle * rng.normal(size=(4, 3))
        found.append(metal([29] * 4, positions, cell, f"{file}:{i}", **other))
    return found


def dynamics(n, seed=0, rattle=0.08, lattice=3.7, file="d.xyz"):
    """Cells of 32 atoms that are not strained: forces alone tell."""
    rng = np.random.default_rng(seed)
    shifts = np.array([(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)], float)
    sites = (shifts[:, None] + FCC[None]).reshape(-1, 3) * lattice
    return [
        metal([29] * 32, sites + rattle * rng.normal(size=(32, 3)), 2 * lattice * np.eye(3), f"{file}:{i}")
        for i in range(n)
    ]


def equation_of_state(n=9, atoms=1, file="eos.xyz"):
    """Perfect crystals of several volumes: all forces are zero, and right so."""
    found = []
    for i, a in enumerate(np.linspace(3.3, 4.0, n)):
        cell = a * np.eye(3) if atoms == 4 else 0.5 * a * (np.ones((3, 3)) - np.eye(3))
        positions = FCC @ cell if atoms == 4 else np.zeros((1, 3))
        s = metal([29] * atoms, positions, cell, f"{file}:{i}")
        found.append(dataclasses.replace(s, forces=np.round(s.forces, 10) + 0.0))
    return found


def dimers(n=40, file="h2.xyz"):
    """A curve of two atoms, from compressed to far apart."""
    rng = np.random.default_rng(1)
    found = []
    for i, r in enumerate(np.linspace(0.5, 5.0, n)):
        x = np.exp(-1.9 * (r - 0.74))
        axis = rng.normal(size=3)
        axis /= np.linalg.norm(axis)
        force = 2 * 4.7 * 1.9 * (x * x - x) * axis
        found.append(
            Structure(
                np.array([1, 1], np.int32),
                np.array([np.zeros(3), r * axis]),
                np.zeros((3, 3)),
                np.zeros(3, bool),
                -27.2 + 4.7 * (x * x - 2 * x),
                np.array([-force, force]),
                None,
                f"{file}:{i}",
            )
        )
    return found


CHECKS = {
    "impossible-energies",
    "length-unit",
    "placeholder",
    "constant-energies",
    "constant-forces",
    "constant-stress",
    "zero-forces",
    "zero-forces-of-atoms",
    "zero-stress",
    "net-torque",
    "impossible-stress",
    "stress-unit",
    "stress-sign",
    "stress-misfit",
    "forces-unit",
    "forces-sign",
    "forces-foreign",
    "forces-misfit",
}


def found(structures):
    return {f.code: f for f in audit(structures).findings if f.code in CHECKS}


def permuted(s):
    return dataclasses.replace(s, forces=np.roll(s.forces, 1, axis=0))


def turned(s):
    rng = np.random.default_rng(int(s.source.rpartition(":")[2]))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return dataclasses.replace(s, forces=s.forces @ turn * np.linalg.det(turn))


def slab(s):
    cell = s.cell + np.diag([0.0, 0.0, 10.0])
    return metal(s.numbers, s.positions, cell, s.source, (True, True, False))


def changed(structures, change, share=1.0, seed=7):
    """Apply ``change`` to that share of the structures; returns all, and the sources of those changed."""
    rng = np.random.default_rng(seed)
    chosen = set(rng.permutation(len(structures))[: max(1, round(share * len(structures)))].tolist())
    made = [change(s) if i in chosen else s for i, s in enumerate(structures)]
    return made, {structures[i].source for i in chosen}
