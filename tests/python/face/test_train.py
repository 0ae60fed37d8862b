"""``lmlp.train``: files or Atoms, settings by name, outputs of the command line, Ctrl-C and resume."""

import multiprocessing
import re
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

import lmlp
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from lmlp.audit.report import DataReport
from lmlp.errors import ConfigError, DataError, DataWarning, DivergedError, InvalidArgumentError
from lmlp.face.settings import SHORT, KeysSettings, LearnSettings, TrainSettings
from lmlp.io import read_structures
from lmlp.lifelong.config import LearnConfig
from lmlp.training import Observer, TrainConfig

from tests.python.face.conftest import SETTINGS, as_atoms, weights
from tests.python.training.toy import clusters, crystals


def test_files_beside_the_output(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert {"model.pt", "model.checkpoint", "model.log.jsonl"} <= names
    model = lmlp.train("train.xyz", output="model.pt", **SETTINGS)
    assert model.path == Path("model.pt")
    assert model.content == Path("model.pt").read_bytes()
    assert {"model.previous.pt", "model.previous.checkpoint"} <= {path.name for path in folder.iterdir()}


def test_without_output_nothing_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(folder / "tmp"))
    (folder / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", None)
    before = set(folder.iterdir())
    model = lmlp.train("train.xyz", **SETTINGS)
    assert set(folder.iterdir()) == before
    assert list((folder / "tmp").iterdir()) == []
    assert model.path is None
    assert weights(model) == weights(lmlp.load("model.pt"))


@pytest.mark.parametrize("structures", [clusters(24), crystals(20)], ids=["clusters", "crystals"])
@pytest.mark.filterwarnings("ignore:shortest distances:lmlp.errors.DataWarning")
def test_atoms_train_as_their_file(structures: list, tmp_path: Path) -> None:
    from lmlp.io import write_structures

    write_structures(tmp_path / "train.xyz", structures)
    by_file = lmlp.train(str(tmp_path / "train.xyz"), **SETTINGS)
    assert weights(lmlp.train(as_atoms(structures), **SETTINGS)) == weights(by_file)
    read = iter(read_structures(tmp_path / "train.xyz"))
    assert weights(lmlp.train(read, **SETTINGS)) == weights(by_file)


def test_labels_by_name(folder: Path) -> None:
    atoms = as_atoms(clusters(24))
    for one in atoms:
        one.info["dft"], one.info["REF_energy"] = one.calc.results["energy"], 7.0
        one.arrays["f"], one.calc = one.calc.results["forces"], None
    model = lmlp.train(atoms, energy_key="dft", forces_key="f", **SETTINGS)
    assert weights(model) == weights(lmlp.load("model.pt"))


def test_atoms_and_files_together(folder: Path) -> None:
    settings = {k: v for k, v in SETTINGS.items() if k != "holdout_fraction"}
    by_file = lmlp.train("train.xyz", valid="test.xyz", **settings)
    mixed = lmlp.train("train.xyz", valid=as_atoms(clusters(3, seed=7)), **settings)
    assert weights(mixed) == weights(by_file)


def test_results_of_other_places_are_refused(folder: Path) -> None:
    atoms = as_atoms(clusters(5))
    atoms[3].positions[0, 0] += 0.1
    with pytest.raises(DataError, match=r"^data:3: the results .* belong to another structure \(positions"):
        lmlp.train(atoms, **SETTINGS)


def test_what_a_file_cannot_hold_is_refused(folder: Path) -> None:
    atoms = as_atoms(clusters(5))
    atoms[2].info["Lattice"] = "mine"
    with pytest.raises(DataError, match=r"data: the entry Lattice of 1 is left out"):
        lmlp.train(atoms, **SETTINGS)


@pytest.mark.parametrize("data", [[], [3], 3, None])
def test_no_data(data: Any) -> None:
    with pytest.raises((DataError, InvalidArgumentError), match=r"^data: "):
        lmlp.train(data)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"memebrs": 3}, r"lmlp.train: memebrs: no such setting \(did you mean members\?\)"),
        ({"members": 0}, "lmlp.train: model.members: .*greater than or equal to 1"),
        ({"loss": {"forces": 1.0}}, r"lmlp.train: loss.forces: unknown key \(did you mean force\?\)"),
        ({"members": 3, "model": {"members": 4}}, r"members and model\['members'\] are the same setting"),
        ({"members": 3, "model": 4}, "model: give a dictionary"),
        ({"keys": "energy"}, "keys: give a dictionary; got 'energy'"),
        ({"keys": {"enrgy": "E"}}, r"keys\['enrgy'\]: no such setting"),
        ({"resume": True}, "resume: name the output"),
        ({"memory": "m"}, "memory: no such setting"),
    ],
)
def test_wrong_settings_are_named(folder: Path, settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        lmlp.train("train.xyz", **settings)


def test_an_input_is_not_overwritten(folder: Path) -> None:
    with pytest.raises((ConfigError, InvalidArgumentError), match=r"train\.xyz"):
        lmlp.train("train.xyz", output="train.xyz", **SETTINGS)


def test_settings_are_complete() -> None:
    """The names that type checkers know are those of the configurations."""
    own = {"data", "valid", "output"}
    assert set(TrainSettings.__annotations__) == (set(TrainConfig.model_fields) | set(SHORT)) - own
    keys = {name for name, (section, _) in SHORT.items() if section == "keys"} | {"keys"}
    assert set(KeysSettings.__annotations__) == keys
    fields = {name for name, field in LearnConfig.model_fields.items() if not field.exclude}
    assert set(LearnSettings.__annotations__) == (fields | keys) - {
        *("start", "data", "old", "output", "memory", "task")
    }


class Stopping(Observer):
    """Presses Ctrl-C after an epoch."""

    def on_epoch(self, record: dict[str, Any]) -> None:
        if record["epoch"] == 1:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("named", [True, False])
def test_interrupted_and_resumed(folder: Path, named: bool) -> None:
    whole = lmlp.load("model.pt")
    output = "stopped.pt" if named else None
    with pytest.raises(KeyboardInterrupt, match="resume=True goes on") as stopped:
        lmlp.train(as_atoms(clusters(24)), output=output, observer=Stopping(), **SETTINGS)
    found = re.search(r'output="(.*?)"', str(stopped.value))
    assert found is not None
    path = Path(found[1])
    assert lmlp.load(path.with_suffix(".checkpoint")).n_members == 2
    model = lmlp.train(as_atoms(clusters(24)), output=path, resume=True, **SETTINGS)
    assert weights(model) == weights(whole)
    if not named:
        assert path.parent.name.startswith("lmlp-run-")
        shutil.rmtree(path.parent)


class StoppingEarly(Observer):
    """Presses Ctrl-C while the data are read."""

    def on_data(self, report: DataReport, held_out: DataReport | None) -> None:
        raise KeyboardInterrupt


def test_the_weights_of_an_earlier_run_are_not_named(folder: Path) -> None:
    before = Path("model.checkpoint").read_bytes()
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        lmlp.train("train.xyz", output="model.pt", observer=StoppingEarly(), **SETTINGS)
    assert Path("model.checkpoint").read_bytes() == before
    with pytest.raises(KeyboardInterrupt, match=r"the weights are in model\.checkpoint"):
        lmlp.train("train.xyz", output="model.pt", resume=True, observer=StoppingEarly(), **SETTINGS)


def _train_in_fork(folder: Path) -> bytes:
    model = lmlp.train(folder / "train.xyz", output=folder / "forked.pt", **SETTINGS)
    learned = lmlp.learn(model, folder / "new.xyz", memory=folder / "forked.memory", old=folder / "train.xyz")
    assert lmlp.load(folder / "forked.checkpoint").n_members == learned.n_members
    return weights(model)


def test_forked_process(folder: Path) -> None:
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(_train_in_fork, (folder,)).get(120) == weights(lmlp.load("model.pt"))


def test_quiet_but_for_warnings(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    doubled = [*as_atoms(clusters(24)), *as_atoms(clusters(24)[:3])]
    with pytest.warns(DataWarning, match="data"):
        lmlp.train(doubled, **SETTINGS)
    assert capfd.readouterr().out == ""


def test_progress(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lmlp.train("train.xyz", progress=True, **SETTINGS)
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("3 epochs in ") for line in lines)
    assert re.match(r"epoch 3 \(100 %.*\): RMSE [\d.]+ meV/atom, [\d.]+ meV/Å$", lines[-1])


@pytest.mark.filterwarnings("ignore:no forces:lmlp.errors.DataWarning")
def test_a_calculator_without_results_gives_no_labels() -> None:
    atoms = Atoms("H2", [[0, 0, 0], [0, 0, 0.8]])
    atoms.calc = SinglePointCalculator(atoms)
    with pytest.raises(DataError):
        lmlp.train([atoms, molecule("H2O")], epochs=1)


@pytest.mark.parametrize("output", ["wild.pt", None])
def test_diverged(folder: Path, output: str | None) -> None:
    wild = {**SETTINGS, "epochs": 12, "optimizer": {"max_step": 10.0}}
    with pytest.raises(DivergedError, match=r"was not written, the model is ") as diverged:
        lmlp.train(clusters(24), output=output, **wild)
    found = re.search(r"the model is (\S*\.diverged\.pt)", str(diverged.value))
    assert found is not None
    assert lmlp.load(found[1]).energy_rmse is None
    if output is None:
        shutil.rmtree(Path(found[1]).parent)


def test_nothing_to_resume(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"lmlp\.train: resume: there is no other\.checkpoint"):
        lmlp.train("train.xyz", output="other.pt", resume=True, **SETTINGS)
