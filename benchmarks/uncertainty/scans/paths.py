"""Paths that lead from the training data to nonsense: structures along one coordinate each."""

from __future__ import annotations

import io
import lzma
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations_with_replacement
from pathlib import Path as FilePath

import ase.io
import numpy as np
from ase import Atoms
from ase.data import covalent_radii

_BOND = 1.25
"""Atoms closer than this times the sum of their covalent radii are bonded."""


@dataclass(frozen=True)
class Path:
    """Structures along one coordinate.

    Attributes:
        name: of files, unique.
        system: whose model is asked (systems.py).
        title: of the plot.
        coordinate: name and unit of the coordinate.
        values: of the coordinate ``[n]``, from where the data are.
        structures: one per value.
    """

    name: str
    system: str
    title: str
    coordinate: str
    values: np.ndarray
    structures: list[Atoms]


def path(
    system: str, name: str, title: str, coordinate: str, values: np.ndarray, make: Callable[[float], Atoms]
) -> Path:
    """Return the path of ``make(value)``; its first value is where the data are."""
    return Path(f"{system}-{name}", system, title, coordinate, values, [make(float(v)) for v in values])


def bonds(atoms: Atoms) -> list[tuple[int, int]]:
    """Bonded pairs of a molecule."""
    limit = _BOND * (covalent_radii[atoms.numbers][:, None] + covalent_radii[atoms.numbers])
    return [(int(i), int(j)) for i, j in np.argwhere(atoms.get_all_distances() < limit) if i != j]


def fragment(atoms: Atoms, keep: int, first: int) -> np.ndarray:
    """Mask of the atoms on the side of ``first`` when its bond to ``keep`` is cut.

    Raises:
        ValueError: the bond is part of a ring.
    """
    partners: dict[int, list[int]] = {}
    for i, j in bonds(atoms):
        partners.setdefault(i, []).append(j)
    found, open_ends = {first}, [first]
    while open_ends:
        atom = open_ends.pop()
        for other in partners.get(atom, []):
            if (atom, other) != (first, keep) and other not in found:
                found.add(other)
                open_ends.append(other)
    if keep in found:
        raise ValueError(f"atoms {keep} and {first} are in one ring")
    mask = np.zeros(len(atoms), dtype=bool)
    mask[list(found)] = True
    return mask


def moved(atoms: Atoms, mask: np.ndarray | Iterable[int], shift: np.ndarray) -> Atoms:
    """Copy with some atoms moved by a vector."""
    result = atoms.copy()
    result.positions[mask] += shift
    return result


def broken(atoms: Atoms, keep: int, first: int, distance: float) -> Atoms:
    """Copy with a bond of this length, the side of ``first`` moved as a whole."""
    bond = atoms.positions[first] - atoms.positions[keep]
    length = np.linalg.norm(bond)
    return moved(atoms, fragment(atoms, keep, first), (distance / length - 1.0) * bond)


def turned(atoms: Atoms, quartet: tuple[int, int, int, int], angle: float) -> Atoms:
    """Copy turned by an angle in degrees around the middle bond of four atoms."""
    result = atoms.copy()
    mask = fragment(atoms, quartet[1], quartet[2])
    result.set_dihedral(*quartet, result.get_dihedral(*quartet) + angle, mask=mask)
    return result


def bent(atoms: Atoms, triple: tuple[int, int, int], angle: float) -> Atoms:
    """Copy with this angle in degrees."""
    result = atoms.copy()
    result.set_angle(*triple, angle, mask=fragment(atoms, triple[1], triple[2]))
    return result


def scaled(atoms: Atoms, factor: float) -> Atoms:
    """Copy with all positions, and the cell if there is one, times a factor."""
    result = atoms.copy()
    result.positions *= factor
    result.set_cell(result.cell * factor)
    return result


def ring(atoms: Atoms, members: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Center and unit normal of a ring."""
    corners = atoms.positions[members]
    center = corners.mean(axis=0)
    return center, np.linalg.svd(corners - center)[2][2]


def molecule_paths(start: Atoms) -> list[Path]:
    """Paths of phenacetin (examples/data): bonds, angles, torsions, the ring, all at once."""
    members = list(range(6))
    center, normal = ring(start, members)
    inward = center - start.positions[1]
    size = np.linalg.norm(inward)
    away = np.linspace(1.0, 4.0, 46)
    system = "molecule"

    def stretch(name: str, title: str, keep: int, first: int) -> Path:
        length = start.get_distance(keep, first)
        return path(
            system, name, title, "distance (Å)", away * length, lambda d: broken(start, keep, first, d)
        )

    def pressed(name: str, title: str, keep: int, first: int) -> Path:
        length = start.get_distance(keep, first)
        values = np.linspace(1.0, 0.35, 40) * length
        return path(system, name, title, "distance (Å)", values, lambda d: broken(start, keep, first, d))

    def intruder(height: float) -> Atoms:
        result = start.copy()
        result.positions[7] = center + height * normal
        return result

    turn = np.arange(0.0, 181.0, 5.0)
    return [
        stretch("break-CO", "C–O bond of the ethoxy group broken", 14, 15),
        stretch("break-CN", "amide C–N bond broken", 6, 8),
        stretch("break-NH", "N–H bond broken", 6, 7),
        pressed("press-CC", "C–C bond of the acetyl group pressed", 8, 10),
        path(
            system, "compress", "molecule compressed to one half", "factor", np.linspace(1.0, 0.5, 51),
            lambda f: scaled(start, f),
        ),
        path(
            system, "torsion-amide", "turned around the amide C–N bond", "angle (°)", turn,
            lambda a: turned(start, (0, 6, 8, 10), a),
        ),
        path(
            system, "torsion-ethyl", "turned around the O–C bond of ethoxy", "angle (°)", turn,
            lambda a: turned(start, (3, 14, 15, 18), a),
        ),
        path(
            system, "bend-COC", "C–O–C angle closed", "angle (°)", np.arange(118.0, 29.0, -2.0),
            lambda a: bent(start, (3, 14, 15), a),
        ),
        path(
            system, "ring-pushed", "C–H of the ring pushed through the ring", "shift (Å)",
            np.linspace(0.0, 2.6, 53), lambda x: moved(start, [1, 22], x / size * inward),
        ),
        path(
            system, "ring-intruder", "hydrogen atom of N–H above the ring",
            "height (Å)", np.linspace(4.0, 0.0, 41), intruder,
        ),
    ]  # fmt: skip


def dimer_paths(system: str, elements: Iterable[str]) -> list[Path]:
    """Two atoms from 6 Å to 0.3 Å, every pair of the elements."""
    values = np.concatenate([np.arange(6.0, 2.0, -0.1), np.arange(2.0, 0.29, -0.05)])
    return [
        path(
            system, f"dimer-{a}{b}", f"{a} and {b} alone ({system})", "distance (Å)", values,
            lambda d, a=a, b=b: Atoms([a, b], [(0, 0, 0), (0, 0, d)]),
        )
        for a, b in combinations_with_replacement(elements, 2)
    ]  # fmt: skip


def water_paths(cluster: Atoms) -> list[Path]:
    """Paths of a relaxed water cluster: dense, torn apart, one molecule pushed, one broken."""
    oxygens = np.flatnonzero(cluster.numbers == 8)
    groups = [np.flatnonzero(fragment(cluster, -1, int(o))) for o in oxygens]
    first = cluster.positions[oxygens[0]]
    nearest = 1 + int(np.argmin(np.linalg.norm(cluster.positions[oxygens[1:]] - first, axis=1)))
    apart = cluster.positions[oxygens[nearest]] - first
    length = np.linalg.norm(apart)
    center = cluster.positions.mean(axis=0)
    hydrogen = next(int(h) for h in groups[0] if cluster.numbers[h] == 1)

    def torn(factor: float) -> Atoms:
        result = cluster.copy()
        for group in groups:
            result.positions[group] += (factor - 1.0) * (cluster.positions[group].mean(axis=0) - center)
        return result

    system = "water"
    return [
        path(
            system, "compress", "water cluster compressed to one half", "factor",
            np.linspace(1.0, 0.5, 51), lambda f: scaled(cluster, f),
        ),
        path(system, "torn", "water molecules drawn apart", "factor", np.linspace(1.0, 3.0, 41), torn),
        path(
            system, "pushed", "water molecule pushed into its neighbor", "O–O distance (Å)",
            np.linspace(length, 0.6, 45), lambda d: moved(cluster, groups[0], (1 - d / length) * apart),
        ),
        path(
            system, "break-OH", "O–H bond of water broken", "distance (Å)", np.linspace(0.96, 4.0, 39),
            lambda d: broken(cluster, int(oxygens[0]), hydrogen, d),
        ),
    ]  # fmt: skip


def crystal_paths(crystal: Atoms) -> list[Path]:
    """Paths of a crystal: cell, shear, cleavage (an unknown surface), an atom pushed into its neighbor."""
    edge = crystal.cell.lengths()[0]
    system = "diamond"

    def uniaxial(factor: float) -> Atoms:
        result = crystal.copy()
        result.set_cell(crystal.cell * np.array([[1.0], [1.0], [factor]]), scale_atoms=True)
        return result

    def sheared(amount: float) -> Atoms:
        result = crystal.copy()
        cell = crystal.cell.array.copy()
        cell[2, 0] += amount * edge
        result.set_cell(cell, scale_atoms=True)
        return result

    def cleaved(gap: float) -> Atoms:
        result = crystal.copy()
        result.set_cell(crystal.cell.array + np.diag([0.0, 0.0, gap]))
        return result

    direction = np.ones(3) / np.sqrt(3.0)  # of the bond of the atom at the corner
    return [
        path(
            system, "compressed", "diamond compressed by 40 %", "strain", np.linspace(0.0, -0.4, 11),
            lambda s: scaled(crystal, 1.0 + s),
        ),
        path(
            system, "stretched", "diamond stretched by 40 %", "strain", np.linspace(0.0, 0.4, 11),
            lambda s: scaled(crystal, 1.0 + s),
        ),
        path(
            system, "pulled", "diamond pulled along one axis by 40 %", "strain", np.linspace(0.0, 0.4, 11),
            lambda s: uniaxial(1.0 + s),
        ),
        path(
            system, "squeezed", "diamond squeezed along one axis by 40 %", "strain",
            np.linspace(0.0, -0.4, 11), lambda s: uniaxial(1.0 + s),
        ),
        path(system, "sheared", "diamond sheared", "shear", np.linspace(0.0, 0.8, 11), sheared),
        path(
            system, "cleaved", "diamond cleaved to a (001) surface", "gap (Å)", np.linspace(0.0, 6.0, 11),
            cleaved,
        ),
        path(
            system, "pushed", "diamond: atom pushed into its neighbor", "shift (Å)",
            np.linspace(0.0, 1.2, 13),
            lambda x: moved(crystal, [0], x * direction),
        ),
    ]  # fmt: skip


def public_paths(folder: FilePath) -> list[Path]:
    """Paths of acetylacetone with published energies: proton transfer, turn around a C–C bond."""
    transfer = read_frames(folder / "test_H_transfer.xyz.xz")
    turn = read_frames(folder / "test_dihedral.xyz.xz")
    angles = np.array([a.info["dihedral_angle"] for a in turn])
    images = np.arange(len(transfer)) + 1.0
    return [
        Path("acac-transfer", "acac", "proton transferred in acetylacetone", "image", images, transfer),
        Path("acac-dihedral", "acac", "turned around a C–C bond of acetylacetone", "angle (°)", angles, turn),
    ]


def read_frames(file: FilePath) -> list[Atoms]:
    """All structures of a compressed file."""
    return list(ase.io.read(io.StringIO(lzma.decompress(file.read_bytes()).decode()), ":", format="extxyz"))
