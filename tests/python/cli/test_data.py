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
    with pytest.raises(InvalidArgumentError, match="no file of structures"):
        call("convert", data, "-o", target, "--force")
    assert target.read_text() == "precious"
    write_structures(tmp_path / "old.xyz", structures(3))
    with pytest.raises(InvalidArgumentError, match="--force"):
        call("convert", data, "-o", tmp_path / "old.xyz")
    call("convert", data, "-o", tmp_path / "old.xyz", "--force")
    assert len(read_structures(tmp_path / "old.xyz")) == 30
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


COLUMNS = """3
Properties=species:S:1:pos:R:3:forces:R:3:magmoms:R:1:tags:I:1 energy=-2.5 config_type=007 \
id=1_0 name=1e5 ok=True
O 0 0 0 1 0 0 0.5 1
H 1 0 0 -1 0 0 0.25 2
H 0 1 0 0 0 0 -0.5 3
"""


@pytest.fixture
def marked(tmp_path):
    path = tmp_path / "marked.xyz"
    lines = COLUMNS.splitlines()
    frames = []
    for k in range(9):
        head = lines[1].replace("energy=-2.5", f"energy=-2.{k + 1}")
        frames.append("\n".join([lines[0], head, *lines[2:4], lines[4].replace("0 1 0", f"0 1.{k} 0")]))
    path.write_text("\n".join(frames) + "\n")
    return path


def check_marked(path):
    text = path.read_text()
    heads = [line for line in text.splitlines() if "energy=" in line]
    assert heads
    for head in heads:
        assert "species:S:1:pos:R:3:forces:R:3:magmoms:R:1:tags:I:1 " in head
        assert " config_type=007 id=1_0 name=1e5 ok=True " in head
    assert text.count(" 0.25 2\n") == len(heads)


def test_split_deduplicate_and_convert_keep_texts_and_columns(marked, tmp_path):
    a, b = tmp_path / "a.xyz", tmp_path / "b.xyz"
    assert "left out" not in call("split", marked, "--train", a, "--test", b)
    call("deduplicate", marked, "-o", tmp_path / "c.xyz")
    for path in (a, b, tmp_path / "c.xyz"):
        check_marked(path)
    pytest.importorskip("h5py")
    call("convert", marked, "-o", tmp_path / "d.h5")
    call("convert", tmp_path / "d.h5", "-o", tmp_path / "e.xyz")
    check_marked(tmp_path / "e.xyz")


def test_what_a_format_cannot_hold_is_told(marked, tmp_path):
    output = call("convert", marked, "-o", tmp_path / "out.data")
    for lost in ("the column magmoms of 9", "the column tags of 9", "the entry config_type of 9"):
        assert lost in output
    assert "input.data has no place for it" in output
    text = COLUMNS.replace("energy=-2.5", "energy=-2.5 REF_energy=-3.5 virial=x")
    marked.write_text(text)
    keys = ("--energy-key", "REF_energy", "--stress-key", "none")
    output = call("convert", marked, "-o", tmp_path / "out.xyz", *keys)
    assert "the entry energy of 1, the entry virial of 1 is left out" in output
    assert read_structures(tmp_path / "out.xyz")[0].energy == -3.5


def test_units_of_input_data_must_matter(marked, tmp_path):
    angstrom = ("--runner-units", "angstrom-ev")
    call("convert", marked, "-o", tmp_path / "out.data")
    for words in (
        ("convert", marked, "-o", tmp_path / "x.xyz"),
        ("audit", marked, "--against", marked),
        ("split", marked, "--train", tmp_path / "x.xyz", "--test", tmp_path / "y.xyz"),
        ("deduplicate", marked, "-o", tmp_path / "x.xyz"),
    ):
        with pytest.raises(InvalidArgumentError, match=r"--runner-units has no effect: .*marked\.xyz"):
            call(*words, *angstrom)
    with pytest.raises(InvalidArgumentError, match="choose one of"):
        call("audit", marked, "--runner-units", "metal")
    call("audit", marked, "--against", tmp_path / "out.data", *angstrom)


def test_options_that_messages_name_exist_in_every_command():
    """Advice to name a key must be possible to follow where it is given."""
    wanted = {"--energy-key", "--forces-key", "--stress-key", "--virial-key", "--weights-key", "--units-key"}
    for words in (["train"], ["learn"], ["eval"], ["data", "convert"], ["data", "audit"], ["data", "split"]):
        result = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "250"})
        assert {w for w in wanted if w in result.output} == wanted, words


def test_notes_of_reading_are_lines_on_the_terminal(tmp_path):
    import subprocess
    import sys

    path = tmp_path / "a.xyz"
    path.write_text(COLUMNS.replace("energy=", "config_forces_weight=0 energy="))
    words = [sys.executable, "-m", "lmlp", "data", "convert", str(path), "-o", str(tmp_path / "b.xyz")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stderr == f"lmlp: note: {path}: config_forces_weight is 0: no forces (frame 0)\n"
