"""Runs that diverge say so and put no model in place; short, poor and odd ones that do not are left alone."""

import dataclasses

import numpy as np
import pytest
import torch
from lmlp.cli.app import main
from lmlp.errors import DivergedError, TrainingError
from lmlp.export.model_file import read_model_file
from lmlp.training import Observer, train
from lmlp.training.divergence import Divergence
from lmlp.training.state.checkpoint import load_checkpoint, load_model_data
from lmlp.training.state.log import read_log

from tests.python.training.test_resume import StopAt
from tests.python.training.toy import clusters, crystals, label, prepared, settings

STRUCTURES = clusters(40)
DIVERGING = {
    "saturated": ({"max_step": 10.0}, r"energies .* eV/atom"),
    "saturated at once": ({"max_step": 1.0, "lr": 1.0}, "no smaller than"),
    "constants that jump": ({"max_step": 10.0, "lr": 10.0}, r"energies .* far beyond their spread of 0\.4"),
    "adamw": ({"name": "adamw", "lr": 10.0}, "far beyond"),
    "adamw, saturated": ({"name": "adamw", "lr": 1.0}, "no smaller than"),
    "never annealed": ({"max_step": 10.0, "decay": "constant"}, r"no smaller than|far beyond"),
}


@pytest.mark.parametrize("valid_fraction", [0.2, 0.0])
@pytest.mark.parametrize("how", DIVERGING)
def test_steps_that_are_too_long(tmp_path, how, valid_fraction):
    optimizer, message = DIVERGING[how]
    config = settings(tmp_path, STRUCTURES, epochs=12, valid_fraction=valid_fraction, optimizer=optimizer)
    with pytest.raises(DivergedError, match=f"the run has diverged: .*{message if valid_fraction else ''}"):
        train(config)
    assert "diverged" in read_log(config.log)[-1]
    model = load_model_data(config.checkpoint)  # for who wants to look at it
    assert (model.energy_rmse, model.calibration) == (None, {})


@pytest.mark.parametrize(("changes", "wrong"), [({"energy": 23.06}, "forces"), ({"forces": 1e6}, "energies")])
def test_labels_that_contradict_each_other(tmp_path, changes, wrong):
    """Energies and forces in units that do not belong together: what counts less is hopelessly wrong."""
    structures = [
        dataclasses.replace(s, **{k: factor * getattr(s, k) for k, factor in changes.items()})
        for s in STRUCTURES
    ]
    with pytest.raises(DivergedError, match=f"{wrong} of structures that it trained on are wrong by"):
        train(settings(tmp_path, structures, epochs=30))


def test_a_loss_that_is_not_finite_is_told_as_ever(tmp_path):
    optimizer = {"max_step": 1e30, "lr": 1e30}
    with pytest.raises(TrainingError, match="not finite") as caught:
        train(settings(tmp_path, STRUCTURES, optimizer=optimizer, dtype="float32"))
    assert not isinstance(caught.value, DivergedError)


@pytest.mark.parametrize(("last", "diverged"), [(0.3, True), (0.1, False)])
def test_a_run_that_blew_up_and_came_back(tmp_path, last, diverged):
    """Early best weights hide it; one that ends better than ever has recovered."""
    from tests.python.training.toy import prepared

    judge = Divergence(prepared(settings(tmp_path, STRUCTURES, valid_fraction=0.0)).trainer)
    for error in (0.15, 40.0, last):
        judge.note({"energy_rmse": error, "force_rmse": error})
    assert (judge.verdict({}) is not None) is diverged


class Spoiler(Observer):
    """Ruins the weights of one member at the end of an epoch."""

    def __init__(self, config, value):
        self.run, self.value = None, value

    def on_epoch(self, record):
        if record["epoch"] == 1:
            with torch.no_grad():
                self.run.trainer.best.values[-1][0].fill_(self.value)


@pytest.mark.parametrize("value", [1e9, float("nan")])
def test_one_member_is_enough(tmp_path, value):
    config = settings(tmp_path, STRUCTURES, epochs=2)
    spoiler = Spoiler(config, value)
    run = spoiler.run = prepared(config, spoiler)
    with pytest.raises(DivergedError, match=r"far beyond|not finite"):
        run.train()


HONEST = {
    "one step": (STRUCTURES, {"epochs": 1, "batch_size": 100}),
    "one epoch": (STRUCTURES, {"epochs": 1}),
    "one member of five structures": (clusters(7), {"epochs": 1, "model": {"members": 1}}),
    "slow": (STRUCTURES, {"epochs": 2, "optimizer": {"max_step": 1e-6, "lr": 1e-6}}),
    "five epochs": (STRUCTURES, {"epochs": 5, "optimizer": {"max_step": 0.03}}),
    "gradients for forces": (
        [dataclasses.replace(s, forces=-s.forces) for s in STRUCTURES],
        {"epochs": 20},
    ),
    "energies alone": ([dataclasses.replace(s, forces=None) for s in STRUCTURES], {"epochs": 3}),
    "forces not in the loss": (STRUCTURES, {"epochs": 10, "loss": {"force": 0.0}}),
    "crystals with stress": (crystals(20), {"epochs": 2}),
    "a perfect crystal": (
        [label([8, 8], np.array([[0.0, 0, 0], [a / 2] * 3]), a * np.eye(3)) for a in np.linspace(2, 3, 20)],
        {"epochs": 12},
    ),
    "equal structures": ([STRUCTURES[0]] * 12, {"epochs": 2}),
}


@pytest.mark.parametrize("which", HONEST)
def test_honest_runs_are_left_alone(tmp_path, which):
    structures, more = HONEST[which]
    assert train(settings(tmp_path, structures, **more)).n_members


def test_an_interrupted_run_diverges_as_an_unbroken_one(tmp_path):
    texts = []
    for name in ("straight", "broken"):
        (tmp_path / name).mkdir()
        config = settings(tmp_path / name, STRUCTURES, epochs=12, optimizer={"max_step": 10.0})
        if name == "broken":
            with pytest.raises(KeyboardInterrupt):
                train(config, observer=StopAt(60))
        with pytest.raises(DivergedError) as caught:
            train(config, resume=name == "broken")
        texts.append(str(caught.value))
        assert load_checkpoint(config.checkpoint)["divergence"]["lowest"]["force_rmse"] > 0
    assert texts[0] == texts[1]


def test_command_keeps_the_model_under_another_name(tmp_path, monkeypatch, capsys):
    config = settings(tmp_path, STRUCTURES)
    arguments = ["--members", "2", "--hidden", "4", "--threads", "1", "--preset", "eeacsf-153"]
    arguments += ["--data", str(config.data[0]), "-o", str(config.output)]

    def run(*more):
        monkeypatch.setattr("sys.argv", ["lmlp", "train", *arguments, *more])
        try:
            main()
        except SystemExit as error:
            return error.code
        return 0

    wild = ("--epochs", "12", "--set", "optimizer.max_step=10", "--set", "optimizer.lr=10")
    assert run(*wild) == 1
    said = capsys.readouterr().err
    assert "the run has diverged" in said
    assert "model.diverged.pt" in said
    assert not config.output.exists()
    assert read_model_file(tmp_path / "model.diverged.pt").n_members == 2
    assert run("--epochs", "1") == 0
    before = config.output.read_bytes()
    assert run(*wild) == 1
    assert config.output.read_bytes() == before
