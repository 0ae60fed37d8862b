"""Training with a baseline: what the networks learn, what the model says, what a checkpoint keeps."""

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from lmlp import LMLPCalculator
from lmlp.cli.app import app
from lmlp.dataset.arrays import make_dataset
from lmlp.dataset.baseline import without_baseline
from lmlp.errors import ConfigError
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file
from lmlp.io import read_structures, write_structures
from lmlp.model.baseline import make_zbl, parse_baseline
from lmlp.training import Observer, train
from lmlp.training.state.checkpoint import load_model_data
from typer.testing import CliRunner

from tests.python.training.test_resume import StopAt, _same_model
from tests.python.training.toy import clusters, crystals, settings

# reaches the bonds of the toy structures, about 0.9 to 1.4 Å, so that something is subtracted
WIDE = {"type": "zbl", "inner": 0.7, "outer": 1.5}


class Heard(Observer):
    """Keeps the messages of a run."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def on_message(self, text: str) -> None:
        self.lines.append(text)


def test_labels_lose_energy_forces_and_stress_of_the_baseline():
    structures = crystals(3) + clusters(2)
    dataset = make_dataset(structures)
    baseline = parse_baseline(make_zbl(["H", "O"], 3.5, inner=0.7, outer=2.8), ["H", "O"], 3.5)
    rest = without_baseline(dataset, baseline)

    def energy(s, positions, cell):
        """Sum over pairs by ASE's neighbor list."""
        atoms = Atoms(s.numbers, positions, cell=cell, pbc=s.pbc)
        i, j, d = neighbor_list("ijd", atoms, 2.8)
        kinds = np.where(s.numbers == 1, 0, 1)
        return 0.5 * baseline.evaluate(kinds[i], kinds[j], d)[0].sum()

    h = 1e-5
    for k, s in enumerate(structures):
        subtracted = dataset.energies[k] - rest.energies[k]
        assert subtracted == pytest.approx(energy(s, s.positions, s.cell), abs=1e-10)
        assert subtracted > 0.05
        atoms = slice(dataset.first_atom[k], dataset.first_atom[k + 1])
        force = (dataset.forces[atoms] - rest.forces[atoms])[0, 1]
        moved = np.zeros_like(s.positions)
        moved[dataset.order[atoms][0], 1] = h
        slope = energy(s, s.positions + moved, s.cell) - energy(s, s.positions - moved, s.cell)
        assert force == pytest.approx(-slope / (2 * h), abs=1e-5)
        if s.stress is None:
            assert np.isnan(rest.stress[k]).all()
            continue
        strained = [energy(s, s.positions @ m, s.cell @ m) for m in (np.diag([1, 1, 1 + x]) for x in (h, -h))]
        stress = (dataset.stress[k] - rest.stress[k])[2, 2]
        assert stress == pytest.approx((strained[0] - strained[1]) / (2 * h) / s.volume, abs=1e-5)
    assert without_baseline(dataset, None) is dataset


def test_model_with_baseline_keeps_its_errors(tmp_path):
    errors = {}
    for name in ("none", "zbl"):
        (tmp_path / name).mkdir()
        config = settings(
            tmp_path / name,
            clusters(60),
            epochs=5,
            model={"hidden": [16], "baseline": name},
            optimizer={"max_step": 0.02},
            average=0.9,
        )
        model = train(config)
        assert (model.baseline is None) == (name == "none")
        errors[name] = model.force_rmse
        if name == "zbl":
            # these clusters have atoms closer than any in nature: the default radii end where the data begin
            outer = {pair: radii[1] for pair, radii in model.baseline["pairs"].items()}
            assert outer["O-O"] == pytest.approx(model.shortest_distances["O-O"], abs=2e-6)
            assert outer["O-O"] < 1.056
            assert outer["H-H"] == 0.496 < model.shortest_distances["H-H"]
    # nothing was subtracted from any label, and all else is equal
    assert errors["zbl"] == errors["none"]


def test_errors_of_training_are_those_of_the_model_file(tmp_path):
    """Sign and units: with a baseline that is large on the data, a slip would show as eV."""
    valid = tmp_path / "valid.xyz"
    write_structures(valid, clusters(8, seed=5))
    config = settings(tmp_path, clusters(40), epochs=8, model={"baseline": WIDE}, valid=str(valid))
    heard = Heard()
    model = train(config, observer=heard)
    assert any("reaches the atoms of 48 of 48 structures, with forces up to" in line for line in heard.lines)
    write_model_file(model, config.output)
    calculator = LMLPCalculator(config.output, threads=1)
    forces, energies = [], []
    for s in read_structures(valid):
        atoms = Atoms(s.numbers, s.positions, calculator=calculator)
        forces.append((atoms.get_forces() - s.forces).ravel())
        energies.append((atoms.get_potential_energy() - s.energy) / len(s))
    assert np.sqrt(np.mean(np.concatenate(forces) ** 2)) == pytest.approx(model.force_rmse, rel=1e-9)
    assert np.sqrt(np.mean(np.square(energies))) == pytest.approx(model.energy_rmse, rel=1e-9)
    assert model.baseline["pairs"]["H-O"] == [0.7, 1.5]
    assert load_model_data(config.checkpoint).baseline == model.baseline


def test_resumed_run_has_the_same_baseline(tmp_path):
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
    whole = train(settings(tmp_path / "whole", clusters(20), epochs=4, model={"baseline": WIDE}))
    config = settings(tmp_path / "broken", clusters(20), epochs=4, model={"baseline": WIDE})
    with pytest.raises(KeyboardInterrupt):
        train(config, observer=StopAt(7))
    resumed = train(config, resume=True)
    assert _same_model(whole, resumed)
    assert resumed.baseline == whole.baseline is not None
    with pytest.raises(ConfigError, match="other settings of model"):
        train(settings(tmp_path / "broken", [], epochs=4), resume=True)


def test_command_line(tmp_path):
    config = settings(tmp_path, clusters(20))
    common = ["train", "--data", str(config.data[0]), "-o", str(tmp_path / "m.pt"), "--epochs", "1"]
    common += ["--members", "2", "--hidden", "4", "--preset", "eeacsf-153", "--cutoff", "3.5"]
    result = CliRunner().invoke(app, [*common, "--baseline", "zbl", "--set", "model.baseline.outer=1.2"])
    assert result.exit_code == 0, result.output
    assert read_model_file(tmp_path / "m.pt").baseline["pairs"]["O-O"] == [0.6, 1.2]
    shown = CliRunner().invoke(app, ["info", str(tmp_path / "m.pt")]).output
    assert "H-O0.6–1.2" in "".join(shown.split())
    wrong = CliRunner().invoke(app, [*common, "--baseline", "lj"])
    assert wrong.exit_code != 0
    assert "model.baseline.type" in str(wrong.exception)
