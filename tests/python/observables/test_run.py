"""``lmlp md --observables``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import ase.io
import numpy as np
import pytest
import typer
from lmlp.calculators.dynamics import Thermodynamics
from lmlp.cli.app import app
from lmlp.errors import DataError, InvalidArgumentError, UncertaintyError
from lmlp.files.kinds import OBSERVABLES, PICTURE, is_kind, kind_of
from lmlp.observables.run import ObservedRun

from tests.models import random_crystal, write_random_model

COMMAND = typer.main.get_command(app)
ELEMENTS = ["H", "C", "O"]
OPTIONS = ("--steps", 60, "--interval", 2, "--timestep", 0.25, "--restart-interval", 20, "--threads", 1)
NAMES = "energy,volume,distance:0-1,rdf:O-H:4"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_random_model(folder / "model.pt", "eeacsf-153", ELEMENTS, members=3)
    write_random_model(folder / "one.pt", "eeacsf-153", ELEMENTS, members=1)
    return folder


@pytest.fixture
def folder(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path in models.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    ase.io.write(tmp_path / "start.xyz", random_crystal(ELEMENTS, n_atoms=6, spacing=2.6))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def md(*words: object, model: str = "model.pt") -> None:
    line = ["md", model, "start.xyz", "--no-watch", *OPTIONS, *words]
    COMMAND.main([str(word) for word in line], standalone_mode=False)


def test_means_are_printed_and_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    md("--ensemble", "npt", "--observables", NAMES)
    out = capsys.readouterr().out
    # a fifth of 60 steps is left out: 31 frames without 6
    assert "means over 25 frames" in out
    for name in NAMES.split(","):
        assert f"  {name} " in out
    content = json.loads(Path("traj.observables.json").read_text(encoding="utf-8"))
    assert list(content["observables"]) == NAMES.split(",")
    assert content["temperature"] == 300.0
    assert content["factor"] == 2.0
    assert content["skipped_frames"] == 6
    frames = ase.io.read("traj.xyz", "6:")
    energy = content["observables"]["energy"]
    assert energy["mean"] == pytest.approx(np.mean([f.info["lmlp_energy"] for f in frames]), abs=1e-9)
    assert len(energy["members"]) == 3
    volume = content["observables"]["volume"]
    assert volume["mean"] == pytest.approx(np.mean([f.get_volume() for f in frames]), rel=1e-6)
    assert volume["unit"] == "Å³"
    curve = content["observables"]["rdf:O-H:4"]
    assert len(curve["mean"]) == len(curve["sigma"]) == len(curve["axis"]["values"]) == 80
    assert is_kind(Path("traj.observables.json"), OBSERVABLES)
    assert kind_of(Path("traj.observables.json")) == OBSERVABLES
    assert is_kind(Path("traj.observables.png"), PICTURE)


def test_frames_keep_the_energies_of_the_members(folder: Path) -> None:
    md("--observables", "energy", "-o", "kept.xyz")
    md("-o", "plain.xyz")
    kept, plain = (ase.io.read(name, ":") for name in ("kept.xyz", "plain.xyz"))
    assert len(kept) == len(plain) == 31
    for one, other in zip(kept, plain, strict=True):
        np.testing.assert_array_equal(one.positions, other.positions)
        np.testing.assert_array_equal(one.arrays["lmlp_forces"], other.arrays["lmlp_forces"])
        assert one.info["lmlp_member_energies"].mean() == pytest.approx(one.info["lmlp_energy"], abs=1e-10)
        assert "lmlp_member_energies" not in other.info
    assert not Path("kept.observables.png").exists()
    assert not Path("plain.observables.json").exists()


def test_a_resumed_run_says_the_same(folder: Path) -> None:
    md("--observables", NAMES, "-o", "whole.xyz")
    md("--observables", NAMES, "-o", "parts.xyz")
    whole = Path("whole.xyz").read_bytes()
    assert Path("parts.xyz").read_bytes() == whole
    Path("parts.observables.json").unlink()
    md("--observables", NAMES, "-o", "parts.xyz", "--resume")
    first, second = (json.loads(Path(f"{n}.observables.json").read_text("utf-8")) for n in ("whole", "parts"))
    assert first["observables"] == second["observables"]
    # a run that kept no energies: they are computed at the end, of positions with 8 decimals
    md("-o", "late.xyz")
    md("--observables", NAMES, "-o", "late.xyz", "--resume")
    late = json.loads(Path("late.observables.json").read_text("utf-8"))["observables"]
    np.testing.assert_allclose(
        late["energy"]["members"], first["observables"]["energy"]["members"], atol=1e-6
    )


def test_files_of_the_user_stay(folder: Path) -> None:
    Path("traj.observables.json").write_text('{"mine": 1}')
    for more in ((), ("--force",)):
        with pytest.raises(InvalidArgumentError, match=r"traj\.observables\.json"):
            md("--observables", "energy", *more)
    assert sorted(os.listdir(folder)) == [
        "model.pt",
        "one.pt",
        "start.xyz",
        "traj.observables.json",
    ]
    Path("traj.observables.json").unlink()
    md("--observables", NAMES)
    with pytest.raises(InvalidArgumentError, match="exists; --resume"):
        md("--observables", NAMES)
    Path("traj.observables.json").write_text('{"observables": {}}')
    md("--observables", NAMES, "--force")
    assert "energy" in Path("traj.observables.json").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (("--observables", "entropy"), InvalidArgumentError, "'entropy' is not an observable"),
        (("--observables", "distance:0-6"), DataError, "there are 6 atoms"),
        (("--observables", "energy", "--ensemble", "nve"), InvalidArgumentError, "thermostat"),
        (("--observables", "energy", "--temperature", 0), InvalidArgumentError, "thermostat"),
        (("--observables", "energy", "--steps", 40), InvalidArgumentError, "17 frames after equilibration"),
        (("--observables", "energy", "--equilibration", 30), InvalidArgumentError, "16 frames"),
        (("--equilibration", 30), InvalidArgumentError, "belongs to --observables"),
    ],
)
def test_nothing_begins_that_could_not_end(
    folder: Path, words: tuple[object, ...], error: type[Exception], message: str
) -> None:
    before = sorted(os.listdir(folder))
    with pytest.raises(error, match=message):
        md(*words)
    assert sorted(os.listdir(folder)) == before


def test_one_member_has_no_sigma(folder: Path) -> None:
    with pytest.raises(UncertaintyError, match="one member"):
        md("--observables", "energy", model="one.pt")


def test_a_stopped_run_says_why_there_are_none(folder: Path) -> None:
    """The trajectory ends early where the watch stops a run."""
    md("-o", "short.xyz", "--steps", 20)
    conditions = Thermodynamics(temperature=300.0)
    observed = ObservedRun.of("energy", Path("short.xyz"), conditions, 60, 2, None)
    assert observed is not None
    observed.open(ase.io.read("start.xyz"), Path("model.pt"), 1, "double")
    (line,) = observed.finish()
    assert line.startswith("no observables: 5 frames")
    assert not Path("short.observables.json").exists()
