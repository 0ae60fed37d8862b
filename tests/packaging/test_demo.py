"""The demo, small; and its comparison of ASE with LAMMPS on a random model."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
pytestmark = [
    pytest.mark.lammps,
    pytest.mark.skipif(
        find_spec("lammps") is None or find_spec("lmlp.lammps") is None, reason="needs LAMMPS"
    ),
]


@pytest.fixture
def dynamics(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import demo_dynamics

    return demo_dynamics


@pytest.fixture
def model(tmp_path):
    from lmlp.descriptor.presets import make_preset
    from lmlp.export.random_model import RandomModelOptions, random_model
    from lmlp.export.writing import write_model_file

    elements = ["H", "C", "N", "O"]
    options = RandomModelOptions(n_members=2, hidden_layers=(8, 8), seed=1)
    data = random_model(make_preset("eeacsf-bump", elements, cutoff=4.0), elements, options)
    write_model_file(data, tmp_path / "model.pt", verify=False)
    return tmp_path / "model.pt"


def test_ase_and_lammps_run_the_same_trajectory(dynamics, model, tmp_path):
    import ase.io

    molecule = ase.io.read(EXAMPLES / "data" / "phenacetin" / "start.xyz")
    moving = dynamics.start(molecule, 300.0, 1)
    assert moving.get_temperature() == pytest.approx(300.0, rel=0.5)  # 78 degrees of freedom
    assert np.abs(moving.get_momenta().sum(axis=0)).max() < 1e-12
    reported = []
    ours = dynamics.run_ase(moving, model, 60, reported.append)
    assert reported == list(range(7))
    for ranks in (1, 2):
        script = dynamics.write_lammps_input(moving, model, 60, tmp_path / f"lammps-{ranks}")
        theirs = dynamics.run_lammps(script, ranks)
        np.testing.assert_allclose(theirs.time, ours.time, rtol=1e-12)
        difference = dynamics.compare(ours, theirs, 0.03)
        # rounding (1e-14) grown over 60 steps; with LAMMPS's rounded unit constants it were 1e-8
        assert difference.positions < 1e-11
        assert difference.energy < 1e-10
        assert np.ptp(theirs.positions, axis=0).max() > 0.01


def test_a_difference_is_seen(dynamics):
    time, zeros = np.arange(3.0), np.zeros(3)
    still = dynamics.Trajectory(time, zeros, zeros, np.zeros((3, 2, 3)), 1.0)
    moved = np.zeros((3, 2, 3))
    moved[2, 1, 0] = 0.5
    other = dynamics.Trajectory(time, zeros, np.array([0.0, -0.25, 0.0]), moved, 1.0)
    assert dynamics.compare(still, other, 1.0).positions == 0.0
    assert dynamics.compare(still, other, 1.0).energy == 0.25
    assert dynamics.compare(still, other, 2.0).positions == 0.5


@pytest.mark.slow
def test_demo(tmp_path):
    """The whole demo in about a minute; a second run takes the trained model as it is."""
    command = [sys.executable, str(EXAMPLES / "demo.py"), "--quick", "-o", "demo"]
    environment = {**os.environ, "COLUMNS": "200", "LMLP_DEMO_TIME": "10s"}

    def run() -> str:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    first = run()
    assert "$ lmlp train --data" in first
    errors = re.search(r"^300K +20 +([\d.]+) +[\d.]+ +([\d.]+)", first, re.MULTILINE)
    # ten seconds on 80 structures: far from good, but it has learned (forces are 800 meV/Å without)
    assert float(errors[2]) < 500.0
    page = (tmp_path / "demo" / "report.html").read_text()
    assert page.count("data:image/png;base64,") >= 6
    assert "http" not in re.sub(r"data:image/png;base64,[^\"]*", "", page)
    assert "LAMMPS, 2 ranks" in page
    stamp = (tmp_path / "demo" / "model.pt").stat().st_mtime_ns
    assert "used again" in run()
    assert (tmp_path / "demo" / "model.pt").stat().st_mtime_ns == stamp
    json.loads((tmp_path / "demo" / "settings.json").read_text())
