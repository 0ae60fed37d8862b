"""A training run on a full disk: refused at once, or nothing of it is lost."""

import os

import pytest
from lmlp.errors import OutputError
from lmlp.export.model_file import read_model_file
from lmlp.files import writing
from lmlp.training import Observer, train
from lmlp.training.state.backup import Backup
from lmlp.training.state.checkpoint import load_checkpoint, load_model_data, previous_path
from lmlp.training.state.log import read_log

from tests.python.training.test_outputs import Listener, NoEpoch, names
from tests.python.training.test_resume import StopAt, _same_model
from tests.python.training.toy import clusters, prepared, settings


@pytest.fixture
def disk(monkeypatch):
    """A disk that has no room for files whose paths hold one of these words."""
    full = set()
    opened = os.open

    def checked(path, *arguments, **options):
        if any(word in str(path) for word in full):
            raise OSError(28, "No space left on device")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(writing.os, "open", checked)
    return full


def test_a_disk_without_room_for_the_checkpoints_is_refused(tmp_path, monkeypatch):
    def full(handle, start, size):
        if size > 70_000:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.os, "posix_fallocate", full)
    with pytest.raises(
        OutputError, match=r"model\.checkpoint: .* MiB cannot be written there: No space left"
    ):
        train(settings(tmp_path, clusters(24)), observer=NoEpoch())
    assert names(tmp_path) == ["train.xyz"]


def test_room_for_the_model_and_one_checkpoint_is_enough(tmp_path, monkeypatch):
    sizes, said = [], []

    def scarce(handle, start, size):
        sizes.append(size)
        if any(70_000 < s < size for s in sizes):  # more than the least that a run needs
            raise OSError(28, "No space left on device")

    class Ear(Observer):
        def on_message(self, text):
            said.append(text)

    monkeypatch.setattr(writing.os, "posix_fallocate", scarce)
    train(settings(tmp_path, clusters(24)), observer=Ear())
    assert any("No space left" in text and "told and tried again" in text for text in said)


@pytest.mark.parametrize("number", [28, 13], ids=["no room", "no permission"])
def test_the_checkpoint_before_the_last_gives_way_to_what_has_no_room(tmp_path, number):
    path = tmp_path / "model.checkpoint"
    before = previous_path(path)
    path.write_bytes(b"last")
    before.write_bytes(b"before")

    def write():
        if before.exists():
            raise OutputError("model.pt: cannot be written") from OSError(number, "no")
        return "written"

    backup = Backup(path, lambda text: None)
    if number == 28:
        assert backup.with_room(write) == "written"
        assert not before.exists()
    else:
        with pytest.raises(OutputError):
            backup.with_room(write)
        assert before.exists()
    assert path.read_bytes() == b"last"


class Fill(Listener):
    """Fills the disk for a while."""

    def __init__(self, disk, ending, first, last):
        super().__init__()
        self.disk, self.ending, self.first, self.last = disk, ending, first, last

    def on_step(self, position, share, remaining):
        if position.total == self.first:
            self.disk.add(self.ending)
        if position.total == self.last:
            self.disk.discard(self.ending)


@pytest.mark.parametrize("last", [9, 10**9])
def test_checkpoints_that_fail_do_not_end_the_run(tmp_path, disk, last):
    (tmp_path / "expected").mkdir()
    expected = train(settings(tmp_path / "expected", clusters(24)))
    config = settings(tmp_path, clusters(24), checkpoint_interval=1e-6)
    listener = Fill(disk, "model.checkpoint", 4, last)
    model = train(config, observer=listener)
    assert _same_model(model, expected)
    failures = [t for t in listener.said if "No space left on device" in t]
    assert len(failures) == 1
    assert "model.checkpoint" in failures[0]
    assert "tries again" in failures[0]
    assert any("saved again" in t for t in listener.said) == (last == 9)
    assert not [n for n in names(tmp_path) if n.endswith(".tmp")]
    state = load_checkpoint(config.checkpoint)  # what was there before is whole
    assert (state["position"][2] > 9) == (last == 9)


def test_a_log_that_fails_catches_up(tmp_path, monkeypatch):
    from lmlp.training.state import log as module

    append, calls = module.append, []

    def sometimes(path, text):
        calls.append(text)
        if len(calls) in (2, 3):
            raise OutputError(f"{path}: cannot be written: No space left on device")
        append(path, text)

    monkeypatch.setattr(module, "append", sometimes)
    listener = Listener()
    config = settings(tmp_path, clusters(24), epochs=4)
    train(config, observer=listener)
    assert [r["epoch"] for r in read_log(config.log) if r["type"] == "epoch"] == [0, 1, 2, 3]
    assert len([t for t in listener.said if "catches up" in t]) == 1


def test_an_interrupted_run_that_could_not_save_says_so(tmp_path, disk):
    from lmlp.cli.train_files import farewell, state_before

    run = prepared(settings(tmp_path, clusters(24)), StopAt(4))
    run._check_end = lambda: disk.add("model.checkpoint")
    with pytest.raises(KeyboardInterrupt):
        run.train()
    assert "could not be saved" in farewell(run.context.backup, started=True)
    assert "No space left" in state_before(run.context.backup)
    assert not run.plan.config.checkpoint.exists()


@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_model_without_a_place_is_not_lost(tmp_path, monkeypatch, disk, checkpoint):
    import tempfile

    from lmlp.cli.train_files import write_model

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    run = prepared(settings(tmp_path, clusters(24)))
    run._check_end = lambda: None if checkpoint else disk.add("model.checkpoint")
    model = run.train()
    disk.add(f"{tmp_path}/.model.pt")
    with pytest.raises(OutputError, match="No space left") as caught:
        write_model(run.context, model)
    disk.clear()
    assert (f"`lmlp export {run.plan.config.checkpoint} -o FILE`" in str(caught.value)) == checkpoint
    found = list(temporary.rglob("model.pt"))
    assert len(found) == (not checkpoint)
    saved = load_model_data(run.plan.config.checkpoint) if checkpoint else read_model_file(found[0])
    assert _same_model(saved, model)
    assert all(str(path.parent) in str(caught.value) for path in found)
