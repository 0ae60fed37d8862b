"""eval, md, info, doctor from the command line: output, exit codes, one-line errors."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from lmlp import LMLPCalculator
from lmlp.cli.app import main

from tests.models import random_crystal, write_random_model

SYMBOLS = ["H", "C", "O"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, and data labeled by another one."""
    path = tmp_path_factory.mktemp("cli")
    write_random_model(path / "model.pt", "eeacsf-153", SYMBOLS, members=3)
    write_random_model(path / "single.pt", "eeacsf-153", SYMBOLS, members=1, seed=5)
    write_random_model(path / "far.pt", "eeacsf-153", SYMBOLS, members=1, seed=5, distance=True)
    frames = []
    for seed in range(4):
        atoms = random_crystal(SYMBOLS, 6, seed, spacing=2.6)
        atoms.info["config_type"] = f"kind{seed % 2}"
        atoms.calc = LMLPCalculator(path / "single.pt", threads=1)
        atoms.get_forces()
        frames.append(atoms)
    ase.io.write(path / "data.xyz", frames, write_results=True)
    return path


@pytest.fixture
def run(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    """Run ``lmlp`` in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lmlp", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_eval_json(run, folder: Path) -> None:
    code, out, _ = run("eval", folder / "model.pt", folder / "data.xyz", "--json", "--threads", 1)
    assert code == 0
    metrics = json.loads(out)
    frames = ase.io.read(folder / "data.xyz", ":")
    calculator = LMLPCalculator(folder / "model.pt", threads=1)
    energy = [(calculator.get_property("energy", f) - f.get_potential_energy()) / len(f) for f in frames]
    force = [calculator.get_property("forces", f) - f.get_forces() for f in frames]
    assert metrics["energy_rmse"] == pytest.approx(np.sqrt(np.mean(np.square(energy))), rel=1e-10)
    assert metrics["force_mae"] == pytest.approx(np.mean(np.abs(force)), rel=1e-10)
    assert metrics["n_structures"] == 4
    assert set(metrics["elements"]["H"]) == {"force_rmse", "force_mae", "n"}
    assert set(metrics["config_types"]) == {"kind0", "kind1"}
    assert "stress_rmse" in metrics


def test_eval_tables_report_and_predictions(run, folder: Path, tmp_path: Path) -> None:
    code, out, _ = run(
        *("eval", folder / "model.pt", folder / "data.xyz", folder / "data.xyz@:2"),
        *("--report", "r.html", "--predictions", "p.xyz"),
    )
    assert code == 0
    for words in ("6 structures", "meV/atom", "Forces by element", "By file", "kind1", "Uncertainties"):
        assert words in out
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert len(ase.io.read(tmp_path / "p.xyz", ":")) == 6


def test_eval_of_one_member(run, folder: Path) -> None:
    code, out, _ = run("eval", folder / "single.pt", folder / "data.xyz", "--json")
    assert code == 0
    metrics = json.loads(out)
    assert metrics["calibration"] is None
    # the labels are this model's own, written with 8 decimals
    assert metrics["force_rmse"] < 1e-8
    assert metrics["energy_rmse"] < 1e-8


def test_info(run, folder: Path) -> None:
    code, out, _ = run("info", folder / "model.pt", "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["elements"] == SYMBOLS
    assert facts["n_members"] == 3
    assert facts["n_features"] == facts["descriptor"]["n_radial"] + facts["descriptor"]["n_angular"]
    code, out, _ = run("info", folder / "model.pt")
    assert code == 0
    assert "H, C, O" in out
    assert facts["sha256"] in out


def test_md_and_resume(run, folder: Path, tmp_path: Path) -> None:
    options = ("--timestep", 0.25, "--interval", 5, "--check", 5, "--restart-interval", 10, "--threads", 1)
    command = ("md", folder / "model.pt", f"{folder / 'data.xyz'}@0", *options)
    code, out, _ = run(*command, "--steps", 20, "-o", "a.xyz")
    assert code == 0
    assert "20 steps" in out
    assert "largest grade" in out
    code, _, _ = run(*command, "--steps", 10, "-o", "b.xyz")
    assert code == 0
    code, _, _ = run(*command, "--steps", 20, "-o", "b.xyz", "--resume")
    assert code == 0
    for name in (".xyz", ".log", ".candidates.xyz"):
        assert (tmp_path / f"a{name}").read_bytes() == (tmp_path / f"b{name}").read_bytes()
    code, _, err = run(*command, "--steps", 20, "-o", "b.xyz")
    assert code == 1
    assert "--resume" in err


def test_md_stops_where_the_model_knows_nothing(run, folder: Path, tmp_path: Path) -> None:
    atoms = ase.io.read(folder / "data.xyz", 0)
    atoms.set_cell(0.72 * atoms.cell.array, scale_atoms=True)
    ase.io.write(tmp_path / "dense.xyz", atoms)
    code, out, _ = run(
        "md", folder / "model.pt", "dense.xyz", "--stop-grade", 1.01, "--save-grade", 1.0, "--check", 2
    )
    assert code == 3
    assert "stopped at step 2" in out
    assert len(ase.io.read(tmp_path / "traj.candidates.xyz", ":")) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("info", "nowhere.pt"), "nowhere.pt"),
        (("info", "{folder}/data.xyz"), "data.xyz"),
        (("eval", "{folder}/model.pt", "nowhere.xyz"), "nowhere.xyz"),
        (("eval", "{folder}/model.pt", "{folder}/data.xyz", "--report", "no/r.html"), "does not exist"),
        (("eval", "{folder}/model.pt", "{folder}/data.xyz", "--forces-key", "f_dft"), "f_dft"),
        (("eval", "nowhere.pt", "{folder}/data.xyz"), "nowhere.pt"),
        (("md", "{folder}/model.pt", "nowhere.xyz"), "nowhere.xyz: no such file"),
        (("md", "{folder}/model.pt", "{folder}/data.xyz", "--ensemble", "nph"), "'nph' is not one of"),
        (("md", "{folder}/single.pt", "{folder}/data.xyz"), "--no-watch"),
        (("md", "{folder}/model.pt", "{folder}/data.xyz", "--resume"), "restart"),
        (("md", "{folder}/model.pt", "{folder}/data.xyz@:", "--steps", "1"), "4 frames"),
    ],
)
def test_errors_are_one_line(run, folder: Path, arguments: tuple[str, ...], message: str) -> None:
    code, _, err = run(*(argument.format(folder=folder) for argument in arguments))
    assert code == 1
    assert message in err
    assert err.startswith("lmlp: error: ")
    assert err.count("\n") == 1


def test_md_without_watch(run, folder: Path) -> None:
    code, out, _ = run("md", folder / "single.pt", folder / "data.xyz", "--no-watch", "--steps", 4)
    assert code == 0
    assert "grade" not in out


def test_md_of_one_member_is_watched_by_distance(run, folder: Path, tmp_path: Path) -> None:
    code, out, _ = run("md", folder / "far.pt", f"{folder / 'data.xyz'}@0", "--steps", 10, "-o", "a.xyz")
    assert code == 0
    (told,) = re.findall(r"largest distance ([\d.]+) at step 10", out)
    limit = 0.9 * float(told)
    assert limit > 1.0
    code, out, _ = run(
        "md", folder / "far.pt", f"{folder / 'data.xyz'}@0", "--stop-grade", limit, "-o", "b.xyz"
    )
    assert code == 3
    assert re.search(r"stopped at step 10: distance [\d.]+ of atom \d+ \([HCO]\)\. The model", out)


def test_doctor(run, folder: Path) -> None:
    code, out, _ = run("doctor", folder / "model.pt", "--json")
    report = json.loads(out)
    checks = {check["name"]: check for check in report["checks"]}
    for name in ("lmlp", "python", "packages", "core", "torch", "openmp", "model"):
        assert checks[name]["status"] in ("ok", "warning")
    assert checks["core"]["values"]["instruction_set"]
    assert checks["model"]["status"] == "ok"
    assert report["healthy"] == (code == 0)
    assert report["healthy"] == all(check["status"] != "error" for check in report["checks"])


def test_doctor_finds_a_damaged_model(run, folder: Path, tmp_path: Path) -> None:
    content = bytearray((folder / "model.pt").read_bytes())
    content[1000] ^= 1
    (tmp_path / "bad.pt").write_bytes(content)
    code, out, _ = run("doctor", "bad.pt")
    assert code == 1
    assert "broken: " in out
    assert "model" in out.split("broken: ")[1]
    assert "fix:" in out


def test_info_tells_merged_and_learned_models_in_a_line_each(run, folder: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    from lmlp.export.model_file import read_model_file
    from lmlp.export.writing import write_model_file

    config = {"data": ["a.xyz"], "seed": 4, **{f"option{k}": k for k in range(30)}}
    trained = {"config": config, "n_structures": 12}
    parts = [{"file": f"part{k}.pt", "n_members": 2, "provenance": trained} for k in range(3)]
    learned = {**trained, "task": "ice", "lineage": [trained, {"merged": parts}]}
    model = read_model_file(folder / "model.pt")
    for name, provenance in (("merged", {"merged": parts, "by": "0.1.0"}), ("learned", learned)):
        write_model_file(replace(model, provenance=provenance), tmp_path / f"{name}.pt", verify=False)
    code, out, _ = run("info", tmp_path / "merged.pt")
    assert code == 0
    assert "option7" not in out
    text = " ".join(out.split())
    for k in range(3):
        assert f"part{k}.pt: 2 members, data a.xyz, 12 structures, seed 4" in text
    out = run("info", tmp_path / "learned.pt")[1]
    assert out.count("option7") == 1  # its own settings only
    assert "merged of 3" in out
    full = json.loads(run("info", tmp_path / "merged.pt", "--json")[1])
    assert full["provenance"]["merged"] == parts
