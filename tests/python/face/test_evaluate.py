"""``lmlp.evaluate``: the figures of ``lmlp eval``, readable when printed."""

import json
from pathlib import Path
from typing import Any

import lmlp
import pytest
from ase.build import molecule
from lmlp.cli.app import app
from lmlp.errors import ConfigError, DataError, DataWarning, ModelFileError, UnknownElementError
from typer.testing import CliRunner

from tests.python.face.conftest import as_atoms
from tests.python.training.toy import clusters


def test_figures_of_the_command(folder: Path) -> None:
    done = CliRunner().invoke(app, ["eval", "model.pt", "test.xyz", "new.xyz", "--json"])
    report = lmlp.evaluate(lmlp.load("model.pt"), ["test.xyz", "new.xyz"])
    assert json.loads(done.stdout) == json.loads(json.dumps(report.metrics()))


def figures(report: Any) -> dict[str, Any]:
    return {k: v for k, v in report.metrics().items() if k not in ("worst", "files", "model")}


def test_atoms(folder: Path) -> None:
    by_file = lmlp.evaluate("model.pt", "test.xyz")
    assert figures(lmlp.evaluate("model.pt", as_atoms(clusters(3, seed=7)))) == figures(by_file)
    assert figures(lmlp.evaluate("model.pt", clusters(3, seed=7))) == figures(by_file)


def test_the_same_twice_and_a_file_named_like_atoms(folder: Path) -> None:
    twice = lmlp.evaluate("model.pt", ["test.xyz", "test.xyz"]).metrics()
    assert twice["n_structures"] == 6
    Path("data").write_bytes(Path("test.xyz").read_bytes())
    both = lmlp.evaluate("model.pt", ["data", *as_atoms(clusters(3, seed=7))]).metrics()
    assert both["n_structures"] == 6


def test_readable(folder: Path) -> None:
    report = lmlp.evaluate("model.pt", "test.xyz")
    metrics = report.metrics()
    lines = str(report).splitlines()
    assert lines[0] == "3 structures"
    assert lines[2].split()[:2] == ["energy", f"{1e3 * metrics['energy_rmse']:.4g}"]
    assert lines[3].split()[3:] == ["meV/Å,", f"{metrics['n_force_components']}", "values"]
    assert repr(report).startswith("<Evaluation of 3 structures: RMSE energy ")
    assert "\n" not in repr(report)


def test_missing_labels(folder: Path) -> None:
    atoms = as_atoms(clusters(3))
    for one in atoms:
        del one.calc.results["forces"]
    with pytest.warns(DataWarning, match="no forces is recognized in 3 structures"):
        report = lmlp.evaluate("model.pt", atoms)
    assert report.metrics()["n_energies"] == 3
    with pytest.raises(DataError, match="data: no label is recognized"):
        lmlp.evaluate("model.pt", molecule("H2O"))
    atoms[0].info["E"] = -1.0
    with pytest.raises(DataError, match="'nothing' for the energy"):
        lmlp.evaluate("model.pt", atoms, energy_key="nothing")


def test_errors(folder: Path) -> None:
    with pytest.raises(ModelFileError, match=r"nothing\.pt"):
        lmlp.evaluate("nothing.pt", "test.xyz")
    with pytest.raises(ConfigError, match=r"lmlp.evaluate: energy_kye: .*did you mean energy_key"):
        lmlp.evaluate("model.pt", "test.xyz", energy_kye="E")  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match=r"lmlp.evaluate: cutoff: no such setting"):
        lmlp.evaluate("model.pt", "test.xyz", cutoff=3.0)  # type: ignore[call-arg]
    iron = molecule("H2O")
    iron.numbers[0] = 26
    iron.info["energy"] = -1.0
    iron.arrays["forces"] = iron.positions
    with pytest.raises(UnknownElementError, match=r"^data:0: Fe"):
        lmlp.evaluate("model.pt", [iron])
