"""The data of the demo that are committed, and the script that makes them."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from lmlp.audit.report import audit
from lmlp.io import read_structures

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DATA = EXAMPLES / "data" / "phenacetin"
COUNTS = {"train_300K": 500, "test_300K": 200, "test_600K": 200}


@pytest.fixture(scope="module")
def structures():
    return {name: read_structures(DATA / f"{name}.xyz.xz") for name in COUNTS}


@pytest.fixture(scope="module")
def script():
    pytest.importorskip("tblite")
    spec = importlib.util.spec_from_file_location("make_reference_data", EXAMPLES / "make_reference_data.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_numbers_and_size(structures):
    assert {name: len(s) for name, s in structures.items()} == COUNTS
    assert sum(f.stat().st_size for f in DATA.iterdir() if f.is_file()) < 1e6
    for s in structures.values():
        assert {tuple(x.numbers) for x in s} == {tuple(structures["train_300K"][0].numbers)}


def test_nothing_is_wrong_with_them(structures):
    for name, s in structures.items():
        known = [] if name == "train_300K" else structures["train_300K"]
        report = audit(s, known=known)
        assert report.findings == []
        assert report.formulas == {"C10H13NO2": COUNTS[name]}


def test_trajectories_are_independent(structures):
    seeds = {name: {s.info["trajectory"] for s in found} for name, found in structures.items()}
    assert len(seeds["train_300K"]) == 10
    assert len(seeds["test_300K"]) == len(seeds["test_600K"]) == 8
    assert len(set().union(*seeds.values())) == 26


def test_energies_fit_the_temperatures(structures):
    """Near the minimum a molecule of N atoms has (3N − 6)/2 kT of potential energy above it."""
    minimum = -1064.2156
    thermal = 0.5 * (3 * 26 - 6) * 8.617333e-5
    for name, temperature in (("train_300K", 300.0), ("test_300K", 300.0), ("test_600K", 600.0)):
        mean = np.mean([s.energy for s in structures[name]]) - minimum
        # anharmonicity and few independent samples; 300 and 600 K differ by a factor of two
        assert mean == pytest.approx(thermal * temperature, rel=0.15)


def test_labels_are_those_of_the_method(structures, script):
    from ase import Atoms

    for name, index in (("train_300K", 17), ("test_600K", 199)):
        s = structures[name][index]
        energy, forces = script.label(Atoms(s.numbers, s.positions))
        # the same positions to the last digit; other machines round differently: convergence of GFN2-xTB
        assert energy == pytest.approx(s.energy, abs=1e-5)
        np.testing.assert_allclose(forces, s.forces, atol=1e-4)


def test_bonds_are_checked(script):
    molecule, bonds = script.build_molecule()
    assert molecule.get_chemical_formula() == "C10H13NO2"
    assert len(bonds) == 26
    script.check_bonds(molecule, bonds, "start")
    broken = molecule.copy()
    broken.positions[7] += 3.0 * (broken.positions[7] - broken.positions[6])
    with pytest.raises(RuntimeError, match="bond N6-H7 is broken"):
        script.check_bonds(broken, bonds, "start")
    joined = molecule.copy()
    joined.positions[22] = joined.positions[23] + [0.0, 0.0, 0.7]
    with pytest.raises(RuntimeError, match=r"has formed|is broken"):
        script.check_bonds(joined, bonds, "start")


def test_small_run_of_the_script_and_its_continuation(script, tmp_path):
    """Two trajectories there already: the script takes them and makes the rest, in about ten seconds."""
    partial = tmp_path / ".partial"
    partial.mkdir()
    molecule, _ = script.build_molecule()
    frames = np.round(np.stack([molecule.positions, molecule.positions + 0.01]), 6)
    np.save(partial / "train_300K_100.npy", frames)
    command = [sys.executable, str(EXAMPLES / "make_reference_data.py"), "--quick", "-o", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    assert "minutes on one core" in done.stdout
    train = read_structures(tmp_path / "train_300K.xyz.xz")
    assert [s.info["trajectory"] for s in train] == [100, 100, 101, 101]
    np.testing.assert_array_equal(train[0].positions, frames[0])
    assert len(read_structures(tmp_path / "test_600K.xyz.xz")) == 2
    assert len(read_structures(tmp_path / "start.xyz")) == 1
    assert not partial.exists()
