"""The command ``lmlp train`` from files to a model file."""

import dataclasses
import json
import re

import numpy as np
import pytest
import yaml
from lmlp.cli.app import app
from lmlp.errors import ConfigError, DataError, TrainingError
from lmlp.export.model_file import read_model_file
from lmlp.io import write_structures
from lmlp.training.state.log import read_log
from typer.testing import CliRunner

from tests.python.training.toy import SPEC, clusters


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("COLUMNS", "200")
    write_structures(tmp_path / "train.xyz", clusters(30))
    values = {
        "data": "train.xyz",
        "output": "model.pt",
        "descriptor": {"spec": SPEC},
        "model": {"hidden": [4], "members": 2},
        "epochs": 2,
        "holdout_fraction": 0.2,
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
    return tmp_path


def run(*arguments):
    result = CliRunner().invoke(app, ["train", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return re.sub(r"\x1b\[[0-9;]*m", "", result.output)


def test_help_names_every_contract_option():
    text = run("--help")
    options = "data valid output preset cutoff members hidden epochs time-limit seed threads resume set"
    for option in options.split():
        assert f"--{option}" in text
    assert "config.yaml" in text


def test_config_file_with_overrides_gives_a_model_file_and_goes_on(folder):
    text = run(folder / "config.yaml", "--seed", 5, "--hidden", "3,3", "--set", "loss.energy=20")
    assert "Forecast: " in text
    assert "100 % · epoch 2 · validation RMSE" in text
    assert "Held-out structures" in text
    assert "verified against the reference" in text
    model = read_model_file(folder / "model.pt")
    assert model.hidden_layers == [3, 3]
    assert model.provenance["config"]["seed"] == 5
    assert model.provenance["config"]["loss"]["energy"] == 20
    assert model.force_rmse is not None
    assert model.force_uncertainty_factor != 2.0
    options = ("--seed", 5, "--hidden", "3,3", "--set", "loss.energy=20", "--epochs", 3, "--resume")
    assert "Going on after 2 epochs" in run(folder / "config.yaml", *options)
    assert [r["epoch"] for r in read_log(folder / "model.log.jsonl") if r["type"] == "epoch"] == [0, 1, 2]
    assert not np.array_equal(read_model_file(folder / "model.pt").weights[0], model.weights[0])


def test_options_alone_train_with_a_preset(folder):
    write_structures(folder / "valid.xyz", clusters(6, seed=3))
    output = folder / "preset.pt"
    files = ("--data", folder / "train.xyz", "--valid", folder / "valid.xyz", "-o", output)
    run(*files, "--preset", "eeacsf-153", "--cutoff", 4, "--members", 1, "--epochs", 1, "--batch-size", 10)
    model = read_model_file(output)
    assert model.descriptor["cutoff"] == 4
    assert model.n_members == 1
    assert json.dumps(model.calibration) == "{}"  # one member has no spread
    assert model.energy_rmse is not None


def test_errors_are_named_and_nothing_is_written(folder):
    with pytest.raises(ConfigError, match=r"config.yaml: epoch: unknown key"):
        run(folder / "config.yaml", "--set", "epoch=3")
    with pytest.raises(ConfigError, match="--set 'x': write KEY=VALUE"):
        run(folder / "config.yaml", "--set", "x")
    with pytest.raises(ConfigError, match="--hidden '3;4'"):
        run(folder / "config.yaml", "--hidden", "3;4")
    with pytest.raises(ConfigError, match=r"--resume: there is no .*model.checkpoint"):
        run(folder / "config.yaml", "--resume")
    with pytest.raises(ConfigError, match="data: missing"):
        run("-o", folder / "model.pt")
    (folder / "broken.xyz").write_text((folder / "train.xyz").read_text()[:-40])
    with pytest.raises(DataError, match=r"broken.xyz"):
        run("--data", folder / "broken.xyz", "-o", folder / "model.pt")
    assert {p.name for p in folder.iterdir()} == {"train.xyz", "config.yaml", "broken.xyz"}


def test_a_failing_run_keeps_the_old_model_and_tells_where_its_state_is(folder):
    run(folder / "config.yaml")
    before = (folder / "model.pt").read_bytes()
    with pytest.raises(
        TrainingError, match=r"not finite .*the state before that step is in .*model.checkpoint"
    ):
        run(folder / "config.yaml", "--set", "optimizer.max_step=1e30", "--set", "optimizer.lr=1e30")
    assert (folder / "model.pt").read_bytes() == before


def test_interrupt_says_how_to_go_on(folder, monkeypatch):
    import lmlp.training.run as module

    def interrupted(*arguments, **more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("lmlp.training.fresh.read_dataset", interrupted)
        assert "Stopped before training began" in run(folder / "config.yaml")
    save = module.Run._save

    def save_and_stop(self, results=None):
        save(self, results)
        raise KeyboardInterrupt

    monkeypatch.setattr(module.Run, "_save", save_and_stop)
    assert "with --resume goes on" in run(folder / "config.yaml")
    monkeypatch.setattr(module.Run, "_save", save)
    assert "Going on after" in run(folder / "config.yaml", "--resume")


def test_partly_missing_forces_are_reported(folder):
    structures = [dataclasses.replace(s, forces=None) if k < 3 else s for k, s in enumerate(clusters(30))]
    write_structures(folder / "train.xyz", structures)
    assert "3 structures without forces" in run(folder / "config.yaml")
