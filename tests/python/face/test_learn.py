"""``lmlp.learn``: a session as ``lmlp learn`` runs it, from and to models in memory."""

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import lmlp
import pytest
from lmlp.audit.report import DataReport
from lmlp.errors import ConfigError, DataError, ForgettingError, InvalidArgumentError, ModelFileError
from lmlp.io import write_structures
from lmlp.lifelong.base import session_config
from lmlp.lifelong.learn import learn
from lmlp.lifelong.memory import Memory
from lmlp.training import Observer

from tests.python.face.conftest import SETTINGS, as_atoms, weights
from tests.python.training.toy import clusters

SESSION: dict[str, Any] = {"old": "train.xyz", "epochs": 3, "batch_size": 3, "dtype": "float64", "threads": 1}


def tasks(path: str) -> list[str]:
    with Memory(Path(path)) as memory:
        return sorted({entry.task for entry in memory.entries()})


def test_the_session_of_the_command(folder: Path) -> None:
    values = {**SESSION, "old": ["train.xyz"], "start": "model.pt", "data": "new.xyz", "task": "new"}
    outcome = learn(session_config({**values, "output": "by_command.pt", "memory": "command.memory"}))
    before = lmlp.load("model.pt")
    files = set(folder.iterdir())
    model = lmlp.learn(before, "new.xyz", memory="model.memory", **SESSION)
    assert set(folder.iterdir()) == files | {folder / "model.memory"}
    assert weights(model) == weights(lmlp.load("by_command.pt"))
    assert model.path is None
    assert model.report is not None
    assert model.report["tasks"] == outcome.report["tasks"]
    assert tasks("model.memory") == tasks("command.memory") == ["new", "train"]
    assert before == lmlp.load("model.pt")


def test_atoms(folder: Path) -> None:
    by_file = lmlp.learn("model.pt", "new.xyz", memory="a.memory", **SESSION)
    settings = {**SESSION, "old": as_atoms(clusters(24))}
    new = as_atoms(clusters(12, seed=3))
    with pytest.raises(ConfigError, match="task: give a name to the new data"):
        lmlp.learn("model.pt", new, memory="b.memory", **settings)
    assert not Path("b.memory").exists()
    by_atoms = lmlp.learn("model.pt", new, memory="b.memory", task="new", **settings)
    assert weights(by_atoms) == weights(by_file)


def test_old_files_beside_atoms_keep_their_names(folder: Path) -> None:
    write_structures("more.xyz", clusters(8, seed=9))
    settings = {**SESSION, "old": ["train.xyz", "more.xyz"], "epochs": 1, "energy_key": "energy"}
    lmlp.learn("model.pt", as_atoms(clusters(12, seed=3)), memory="m.memory", task="new", **settings)
    assert tasks("m.memory") == ["more", "new", "train"]


def test_takes_over_loss_and_decorrelation(folder: Path) -> None:
    model = lmlp.train("train.xyz", **SETTINGS, loss={"energy": 20.0}, model={"decorrelation": 5.0})
    taken = lmlp.learn(model, "new.xyz", memory="a.memory", **SESSION).provenance["config"]
    assert (taken["loss"]["energy"], taken["model"]["decorrelation"]) == (20.0, 5.0)
    more = {"loss": {"force": 2.0}, "model": {"decorrelation": 7.0}}
    taken = lmlp.learn(model, "new.xyz", memory="b.memory", **SESSION, **more).provenance["config"]
    assert (taken["loss"]["energy"], taken["loss"]["force"]) == (20.0, 2.0)
    assert taken["model"]["decorrelation"] == 7.0


def test_two_sessions_in_memory(folder: Path) -> None:
    first = lmlp.learn("model.pt", "new.xyz", memory="m.memory", **SESSION)
    settings = {k: v for k, v in SESSION.items() if k != "old"}
    write_structures("more.xyz", clusters(12, seed=9))
    second = lmlp.learn(first, "more.xyz", memory="m.memory", **settings)
    assert second.report is not None
    assert set(second.report["tasks"]) == {"train", "new", "more"}
    assert [entry.get("task") for entry in second.provenance["lineage"]] == [None, "new"]


def test_outputs(folder: Path) -> None:
    Path("other.pt").write_bytes(Path("model.pt").read_bytes())
    with pytest.raises(InvalidArgumentError, match=r"other\.pt exists"):
        lmlp.learn("model.pt", "new.xyz", memory="m.memory", output="other.pt", **SESSION)
    model = lmlp.learn("model.pt", "new.xyz", memory="m.memory", output="model.pt", **SESSION)
    assert model.content == Path("model.pt").read_bytes()
    assert Path("model.learning.json").exists()
    lmlp.learn("model.pt", "test.xyz", memory="m.memory", output="other.pt", force=True, epochs=1)


class Stopping(Observer):
    """Presses Ctrl-C after an epoch."""

    def on_epoch(self, record: dict[str, Any]) -> None:
        signal.raise_signal(signal.SIGINT)


def test_interrupted_and_resumed(folder: Path) -> None:
    whole = lmlp.learn("model.pt", "new.xyz", memory="whole.memory", **SESSION)
    options = {"memory": "m.memory", "output": "next.pt"}
    with pytest.raises(KeyboardInterrupt, match="resume=True goes on"):
        lmlp.learn("model.pt", "new.xyz", **options, observer=Stopping(), **SESSION)
    assert not Path("m.memory").exists()
    model = lmlp.learn("model.pt", "new.xyz", **options, resume=True, **SESSION)
    assert weights(model) == weights(whole)


def test_resumed_with_all_in_memory(folder: Path) -> None:
    whole = lmlp.learn("model.pt", "new.xyz", memory="whole.memory", **SESSION)
    settings = {**SESSION, "old": as_atoms(clusters(24)), "memory": "m.memory", "output": "next.pt"}
    new = as_atoms(clusters(12, seed=3))
    in_memory = lmlp.Model(Path("model.pt").read_bytes())
    with pytest.raises(KeyboardInterrupt, match="resume=True goes on"):
        lmlp.learn(in_memory, new, task="new", observer=Stopping(), **settings)
    other = lmlp.train("train.xyz", **{**SETTINGS, "seed": 2})
    with pytest.raises(ConfigError, match="other settings of start"):
        lmlp.learn(other, new, task="new", resume=True, **settings)
    Path("else.xyz").write_bytes(Path("train.xyz").read_bytes())
    with pytest.raises(ConfigError, match="other settings of old"):
        lmlp.learn(in_memory, new, task="new", resume=True, **{**settings, "old": "else.xyz"})
    model = lmlp.learn("model.pt", new, task="new", resume=True, **settings)
    assert weights(model) == weights(whole)


class StoppingEarly(Observer):
    """Presses Ctrl-C while the data are read."""

    def on_data(self, report: DataReport, held_out: DataReport | None) -> None:
        raise KeyboardInterrupt


def test_interrupted_before_it_began(folder: Path) -> None:
    options = {"memory": "m.memory", "output": "next.pt"}
    with pytest.raises(KeyboardInterrupt, match="resume=True goes on"):
        lmlp.learn("model.pt", "new.xyz", **options, observer=Stopping(), **SESSION)
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        lmlp.learn("model.pt", "test.xyz", **options, observer=StoppingEarly(), **SESSION)


def test_data_that_were_in_memory_are_not_named(folder: Path) -> None:
    model = lmlp.train(as_atoms(clusters(24)), **SETTINGS)
    with pytest.raises(DataError, match=r"\(--old DATA\)"):
        lmlp.learn(model, "new.xyz", memory="m.memory", epochs=1)


def test_refused(folder: Path) -> None:
    shifted = [replace(s, forces=-s.forces, energy=s.energy + 3.0) for s in clusters(24, seed=4)]
    model = lmlp.train("train.xyz", **{**SETTINGS, "epochs": 60})
    wild = {
        "max_forgetting": 0.1,
        "balance": 0.0,
        "selection": {"old_share": 0.0, "share": 0.5},
        "optimizer": {"max_step": 0.3, "frozen": 0.0},
        "epochs": 40,
    }
    with pytest.raises(ForgettingError, match=r"forgetting of .* exceeds 10\.0 %") as refused:
        lmlp.learn(model, shifted, memory="m.memory", task="shifted", **{**SESSION, **wild})
    assert isinstance(refused.value.model, lmlp.Model)
    assert refused.value.report["refused"] is True
    assert not Path("m.memory").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"members": 3}, "model.members: a model keeps the number and shape of its networks"),
        ({"elements": ["H"]}, "elements: a session has the elements of its model"),
        ({"selection": 0.5}, "lmlp.learn: selection: Input should be a dictionary"),
        ({"epoch": 3}, r"lmlp.learn: epoch: no such setting \(did you mean epochs\?\)"),
        ({"resume": True}, "resume: name the output"),
    ],
)
def test_wrong_settings_are_named(folder: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        lmlp.learn("model.pt", "new.xyz", memory="m.memory", **settings)


def test_no_model(folder: Path) -> None:
    with pytest.raises(ModelFileError, match=r"train\.xyz"):
        lmlp.learn("train.xyz", "new.xyz", memory="m.memory")
