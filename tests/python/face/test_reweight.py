"""``lmlp.reweight``: what it takes, and that the same is the same whatever the way it is given."""

from __future__ import annotations

from pathlib import Path

import ase.io
import lmlp
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from lmlp.calculators.backends import CoreBackend
from lmlp.calculators.members import MemberEnergies, energy_factor
from lmlp.errors import DataError, InvalidArgumentError, ModelFileError


@pytest.fixture
def frames(folder: Path) -> list[Atoms]:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(30):
        atoms = molecule("H2O")
        atoms.positions += 0.05 * rng.normal(size=(3, 3))
        found.append(atoms)
    ase.io.write(folder / "traj.xyz", found)
    return found


def bond(atoms: Atoms) -> float:
    return float(atoms.get_distance(0, 1))


def test_names_functions_and_arrays_are_the_same(frames: list[Atoms]) -> None:
    values = np.array([bond(atoms) for atoms in frames])
    members = MemberEnergies(CoreBackend("model.pt"))
    energies = np.array([members(atoms) for atoms in frames]).T
    factor = energy_factor(members.facts)
    one = lmlp.reweight("distance:0-1", frames, "model.pt", temperature=300)["distance:0-1"]
    assert one.sigma > 0.0
    assert one.mean == pytest.approx(values.mean(), rel=1e-12)
    assert one.unit == "Å"
    many = lmlp.reweight(
        {"name": "distance:0-1", "function": bond, "array": values, "two": np.stack([values, -values], 1)},
        frames,
        lmlp.load("model.pt"),
        temperature=300,
    )
    bare = lmlp.reweight({"array": values}, energies=energies, factor=factor, temperature=300)
    for other in (many["name"], many["function"], many["array"], bare["array"]):
        np.testing.assert_allclose(other.members, one.members, rtol=1e-12)
        assert other.sigma == pytest.approx(one.sigma, rel=1e-9)
    np.testing.assert_allclose(many["two"].members[:, 1], -one.members, rtol=1e-12)
    assert list(many) == ["name", "function", "array", "two"]


def test_files_and_skipped_frames(frames: list[Atoms]) -> None:
    values = np.array([bond(atoms) for atoms in frames])
    kinds = {"d": "distance:0-1", "v": values}
    part = lmlp.reweight({"d": "distance:0-1"}, frames[6:], "model.pt", temperature=300)["d"]
    for found in lmlp.reweight(kinds, "traj.xyz", "model.pt", temperature=300, skip=6).values():
        np.testing.assert_allclose(found.members, part.members, rtol=1e-6)  # 8 decimals in the file
        assert found.n_frames == 24
    sliced = lmlp.reweight("distance:0-1", "traj.xyz@6:", "model.pt", temperature=300)["distance:0-1"]
    np.testing.assert_allclose(sliced.members, part.members, rtol=1e-6)


def test_dumps_of_lammps_need_elements(frames: list[Atoms], folder: Path) -> None:
    box = "ITEM: BOX BOUNDS pp pp pp\n" + 3 * "-10 10\n"
    for name, columns in (("good", "id type element x y z"), ("bad", "id type x y z")):
        text = ""
        for step, atoms in enumerate(frames):
            text += f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n3\n{box}ITEM: ATOMS {columns}\n"
            for k, (symbol, place) in enumerate(zip(atoms.symbols, atoms.positions, strict=True)):
                words = [k + 1, 1 + (symbol == "H"), *([symbol] if name == "good" else []), *place]
                text += " ".join(map(str, words)) + "\n"
        (folder / f"{name}.lammpstrj").write_text(text)
    found = lmlp.reweight("distance:0-1", "good.lammpstrj", "model.pt", temperature=300)["distance:0-1"]
    known = lmlp.reweight("distance:0-1", frames, "model.pt", temperature=300)["distance:0-1"]
    np.testing.assert_allclose(found.members, known.members, rtol=1e-9)
    with pytest.raises(DataError, match="no elements"):
        lmlp.reweight("distance:0-1", "bad.lammpstrj", "model.pt", temperature=300)


def test_what_cannot_be(frames: list[Atoms], folder: Path) -> None:
    energies = np.random.default_rng(0).normal(size=(2, 30))

    def refused(error: type[Exception], message: str, *arguments: object, **options: object) -> None:
        with pytest.raises(error, match=message):
            lmlp.reweight(*arguments, **{"temperature": 300, **options})  # type: ignore[arg-type]

    refused(InvalidArgumentError, "model, energies: give one", "energy", frames)
    refused(
        InvalidArgumentError, "model, energies: give one", "energy", frames, "model.pt", energies=energies
    )
    refused(InvalidArgumentError, "trajectory: not given", "energy", None, "model.pt")
    refused(InvalidArgumentError, "trajectory: not given", {"d": bond}, energies=energies)
    refused(InvalidArgumentError, "temperature", "energy", frames, "model.pt", temperature=0)
    refused(InvalidArgumentError, "skip = -1", "energy", frames, "model.pt", skip=-1)
    refused(InvalidArgumentError, "give a file or ase.Atoms", "energy", [1, 2], "model.pt")
    refused(InvalidArgumentError, "a: give the name", {"a": 3.0}, energies=energies)
    refused(InvalidArgumentError, "quantities: give names", {}, energies=energies)
    refused(InvalidArgumentError, "'a' is not an observable", {"b": "a"}, energies=energies)
    refused(DataError, r"frame 0: d: .far. is neither", {"d": lambda atoms: "far"}, frames, "model.pt")
    refused(DataError, r"a: shape \(29,\)", {"a": np.zeros(29)}, energies=energies)
    refused(DataError, "the trajectory has 29", "distance:0-1", frames[:29], energies=energies)
    refused(
        DataError,
        "frame 3: d: shape",
        {"d": lambda a: a.positions[: 3 - (a is frames[3])]},
        frames,
        "model.pt",
    )
    refused(DataError, "19 frames", "energy", frames[:19], "model.pt")
    refused(DataError, "no such file", "energy", "nowhere.xyz", "model.pt")
    (folder / "text.xyz").write_text("no frames\n")
    refused(DataError, r"text\.xyz: ASE cannot read", "energy", "text.xyz", "model.pt")
    refused(ModelFileError, "traj", "energy", frames, "traj.xyz")


def test_the_energy_needs_no_frames() -> None:
    energies = np.random.default_rng(0).normal(size=(3, 40))
    found = lmlp.reweight("energy", energies=energies, temperature=3000, skip=10)["energy"]
    assert found.mean == pytest.approx(energies[:, 10:].mean(), abs=1e-12)
    assert found.n_frames == 30
