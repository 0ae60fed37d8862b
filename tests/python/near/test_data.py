"""Network inputs of a data set, and the command."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from lmlp.cli.app import app
from lmlp.descriptor.presets import make_preset
from lmlp.errors import DataError, GeometryError, InvalidArgumentError
from lmlp.io import write_structures
from lmlp.near import make_data
from lmlp.structure import Structure
from typer.testing import CliRunner


def molecules(n: int = 30, *, energies: bool = True) -> list[Structure]:
    """Distorted water with its hydrogen atoms in between: O is sorted behind H."""
    rng = np.random.default_rng(0)
    shape = np.array([[0.96, 0.0, 0.0], [0.0, 0.0, 0.0], [-0.24, 0.93, 0.0]])
    return [
        Structure(
            numbers=np.array([1, 8, 1], dtype=np.int32),
            positions=shape + 0.1 * rng.normal(size=(3, 3)),
            cell=np.zeros((3, 3)),
            pbc=np.zeros(3, dtype=bool),
            energy=float(-14.0 + rng.normal()) if energies else None,
            source=f"water.xyz:{k}",
        )
        for k in range(n)
    ]


def spec() -> dict:
    return make_preset("eeacsf-resolved", ["H", "O"])


def test_inputs_are_standardized_by_element() -> None:
    data = make_data(molecules(), spec())
    assert data.elements == ["H", "O"]
    assert data.inputs["H"].shape[0] == 60
    assert data.inputs["O"].shape[0] == 30
    for x in data.inputs.values():
        varies = x.std(axis=0) > 0.5
        assert varies.sum() > 20
        assert x.mean(axis=0) == pytest.approx(0.0, abs=1e-9)
        # what varies by less than the others counts less
        assert x.std(axis=0).max() <= 1.0 + 1e-9
        assert np.median(x.std(axis=0)[varies]) == pytest.approx(1.0, abs=0.01)
    assert (np.bincount(data.structure["H"]) == 2).all()


def test_free_atoms_change_nothing() -> None:
    def atom(number: int, **info: str) -> Structure:
        return Structure(
            np.array([number], np.int32),
            np.zeros((1, 3)),
            4.0 * np.eye(3),
            np.full(3, bool(info)),
            -5.0,
            info=info,
        )

    free = [atom(1), atom(8, config_type="IsolatedAtom"), atom(6)]
    with_them = make_data([free[0], *molecules(), *free[1:]], spec())
    without = make_data(molecules(), spec())
    assert with_them.elements == without.elements == ["H", "O"]
    assert all(np.array_equal(with_them.inputs[e], without.inputs[e]) for e in "HO")
    assert np.array_equal(with_them.energies, without.energies)
    with pytest.raises(DataError, match="all 3 structures are isolated atoms"):
        make_data(free, spec())


def test_the_command_leaves_free_atoms_out(tmp_path: Path) -> None:
    carbon = Structure(np.array([6], np.int32), np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, bool), -5.0)
    said = []
    for name, structures in (("without", molecules()), ("with", [carbon, *molecules()])):
        write_structures(tmp_path / f"{name}.xyz", structures)
        command = [
            str(tmp_path / f"{name}.xyz"),
            "--layers",
            "1",
            "--sizes",
            "4,8,16",
            "--repetitions",
            "2",
            "--json",
        ]
        result = CliRunner().invoke(app, ["near", *command])
        assert result.exit_code == 0, result.output
        said.append(json.loads(result.stdout))
    assert said[0] == said[1]


def test_decorrelated_inputs_are_uncorrelated() -> None:
    x = make_data(molecules(), spec(), decorrelation=1.0).inputs["H"]
    covariance = x.T @ x / len(x)
    off = covariance - np.diag(np.diag(covariance))
    assert abs(off).max() < 1e-9
    assert np.diag(covariance).max() < 1.0


def test_energies_are_free_of_composition() -> None:
    data = make_data(molecules(), spec())
    assert data.energies is not None
    # one composition: the fit takes the mean
    assert data.energies.mean() == pytest.approx(0.0, abs=1e-9)
    assert data.energies.std() == pytest.approx(np.std([s.energy for s in molecules()]) / 3, rel=1e-9)
    assert make_data(molecules(), spec()).only("O").energies is None
    unlabeled = make_data(molecules(energies=False), spec())
    assert np.isnan(unlabeled.energies).all()


def test_at_most_so_many_atoms() -> None:
    few = make_data(molecules(), spec(), max_atoms=13, seed=1)
    assert len(few.n_atoms) == 5  # 15 atoms: the structure that passes 13 is still taken
    again = make_data(molecules(), spec(), max_atoms=13, seed=1)
    np.testing.assert_array_equal(few.inputs["H"], again.inputs["H"])


def test_errors_name_what_is_wrong() -> None:
    with pytest.raises(DataError, match="no structures"):
        make_data([], spec())
    with pytest.raises(InvalidArgumentError, match="'Fe' does not occur; there are H, O"):
        make_data(molecules(), spec()).only("Fe")
    broken = molecules(3)
    broken[1].positions[2] = broken[1].positions[0]
    with pytest.raises(GeometryError, match=r"water\.xyz:1"):
        make_data(broken, spec())


def test_command(tmp_path: Path) -> None:
    file, picture = tmp_path / "water.xyz", tmp_path / "near.png"
    write_structures(file, molecules())
    command = [sys.executable, "-m", "lmlp", "near", str(file), "--sizes", "4,8,16", "--repetitions", "2"]
    command += ["--hidden", "20,5", "--json", "--plot", str(picture)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(run.stdout)
    assert [e["element"] for e in result["estimates"]] == ["H", "O", "H", "O"]
    # 30 atoms of O: no layer is larger
    assert result["hidden"][0] == min(30, round(max(e["size"] for e in result["estimates"][:2])))
    assert [20, 5] in [a["hidden"] for a in result["architectures"]]
    near = [a["scores"]["near"] for a in result["initializations"]]
    assert near == sorted(near, reverse=True)
    assert picture.read_bytes().startswith(b"\x89PNG")
    wrong = subprocess.run([*command[:5], "--hidden", "20;5"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 1
    assert "--hidden '20;5'" in wrong.stderr
