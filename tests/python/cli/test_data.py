"""``lmlp data``."""

import json

import numpy as np
import pytest
from lmlp.cli.app import app
from lmlp.errors import InvalidArgumentError
from lmlp.io import read_structures, write_structures
from lmlp.structure import Structure
from typer.testing import CliRunner


def structures(n: int = 30) -> list[Structure]:
    """Distorted water with a tail of strongly distorted ones."""
    rng = np.random.default_rng(0)
    shape = np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])
    return [
        Structure(
            numbers=np.array([8, 1, 1], dtype=np.int32),
            positions=shape + (0.3 if k % 10 == 0 else 0.02) * rng.normal(size=(3, 3)),
            cell=np.zeros((3, 3)),
            pbc=np.zeros(3, dtype=bool),
            energy=float(rng.normal()),
            forces=rng.normal(size=(3, 3)),
        )
        for k in range(n)
    ]


def call(*words: object) -> str:
    result = CliRunner().invoke(app, ["data", *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_audit_names_what_labels_are(tmp_path):
    """The report ends with a line per finding, and a warning is no failure."""
    shape = np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])
    rng = np.random.default_rng(0)
    water = [
        Structure(
            np.array([8, 1, 1], np.int32),
            shape + 0.02 * rng.normal(size=(3, 3)),
            np.zeros((3, 3)),
            np.zeros(3, bool),
            energy=-2070.0 * 23.06 + 0.1 * float(rng.normal()),
        )
        for _ in range(9)
    ]
    write_structures(tmp_path / "w.xyz", water)
    lines = call("audit", tmp_path / "w.xyz").replace("\n", " ")
    assert "warning: impossible energies in 9 structures" in lines
    assert "kcal/mol?" in lines


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "all.xyz"
    write_structures(path, structures())
    return path


def test_convert_there_and_back(data, tmp_path):
    call("convert", data, "-o", tmp_path / "input.data")
    output = call("convert", tmp_path / "input.data", "-o", tmp_path / "again.xyz.gz")
    assert "30 structures, 90 atoms" in output
    for a, b in zip(read_structures(data), read_structures(tmp_path / "again.xyz.gz"), strict=True):
        np.testing.assert_allclose(b.forces, a.forces, rtol=1e-14)
        assert b.energy == pytest.approx(a.energy, rel=1e-14)


def test_convert_says_when_stress_is_lost(tmp_path):
    import dataclasses

    periodic = [
        dataclasses.replace(s, cell=9 * np.eye(3), pbc=np.ones(3, dtype=bool), stress=np.eye(3))
        for s in structures(4)
    ]
    write_structures(tmp_path / "p.xyz", periodic)
    output = call("convert", tmp_path / "p.xyz", "-o", tmp_path / "p.data")
    assert "stress of 4 is left out" in output


def test_existing_files_are_not_replaced(data, tmp_path):
    target = tmp_path / "out.xyz"
    target.write_text("precious")
    with pytest.raises(InvalidArgumentError, match="exists"):
        call("convert", data, "-o", target)
    assert target.read_text() == "precious"
    call("convert", data, "-o", target, "--force")
    assert len(read_structures(target)) == 30
    with pytest.raises(InvalidArgumentError, match="twice"):
        call("split", data, "--train", tmp_path / "a.xyz", "--test", tmp_path / "a.xyz")


def test_audit(data, tmp_path):
    assert "30" in call("audit", data)
    report = json.loads(call("audit", f"{data}@:5", "--against", data, "--json"))
    assert report["findings"][0]["code"] == "overlap"
    write_structures(tmp_path / "none.xyz", [Structure(**{**vars(s), "energy": None}) for s in structures(4)])
    assert CliRunner().invoke(app, ["data", "audit", str(tmp_path / "none.xyz")]).exit_code == 1


def test_split_at_random(data, tmp_path):
    names = [tmp_path / name for name in ("train.xyz", "valid.xyz", "test.xyz")]
    call("split", data, "--train", names[0], "--valid", names[1], "--test", names[2], "--test-size", 5)
    parts = [read_structures(name) for name in names]
    assert [len(p) for p in parts] == [22, 3, 5]
    energies = sorted(s.energy for p in parts for s in p)
    assert energies == sorted(s.energy for s in structures())


def test_split_by_farthest_points_takes_the_extremes(data, tmp_path):
    train, test = tmp_path / "train.xyz", tmp_path / "test.xyz"
    call("split", data, "--train", train, "--test", test, "--test-size", 20, "--method", "farthest-point")
    chosen = {s.energy for s in read_structures(train)}
    assert len(chosen) == 10
    assert len(read_structures(test)) == 20
    assert chosen >= {structures()[k].energy for k in (0, 10, 20)}


def test_deduplicate(data, tmp_path):
    doubled = tmp_path / "doubled.xyz"
    write_structures(doubled, [*structures(), *structures(4)])
    output = call("deduplicate", doubled, "-o", tmp_path / "out.xyz", "--against", f"{data}@-2:")
    assert "4 of 34 structures repeat" in output
    assert "2 are among" in output
    assert len(read_structures(tmp_path / "out.xyz")) == 28
