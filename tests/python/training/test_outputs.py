"""A training run loses nothing: no earlier run, no progress on a full disk, nothing to a second run."""

import os
import signal
import subprocess
import sys
import time

import pytest
from lmlp.errors import ConfigError, DataError, InvalidArgumentError, OutputError
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file
from lmlp.training import Observer, train
from lmlp.training.state.checkpoint import load_checkpoint, load_model_data, save_checkpoint
from lmlp.training.state.log import read_log

from tests.python.training.test_resume import _same_model
from tests.python.training.toy import clusters, prepared, settings


class Listener(Observer):
    def __init__(self):
        self.said = []

    def on_message(self, text):
        self.said.append(text)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


# An earlier run ---------------------------------------------------------------------------------------


def test_an_earlier_run_is_kept_whole_and_can_go_on(tmp_path):
    config = settings(tmp_path, clusters(24))
    write_model_file(train(config), config.output, verify=False)
    before = {n: (tmp_path / n).read_bytes() for n in names(tmp_path)}
    listener = Listener()
    run = prepared(settings(tmp_path, [], seed=2), listener)
    write_model_file(run.train(), config.output, verify=False, keep=tmp_path / "model.previous.pt")
    for name in ("checkpoint", "checkpoint.previous", "log.jsonl", "pt"):
        if f"model.{name}" in before:
            assert (tmp_path / f"model.previous.{name}").read_bytes() == before[f"model.{name}"]
    assert any("model.previous.checkpoint" in text for text in listener.said)
    again = settings(tmp_path, [], output=str(tmp_path / "model.previous.pt"), epochs=4)
    train(again, resume=True)
    assert [r["epoch"] for r in read_log(again.log) if r["type"] == "epoch"] == [0, 1, 2, 3]


def test_force_keeps_nothing_and_resume_moves_nothing(tmp_path):
    config = settings(tmp_path, clusters(24))
    train(config)
    expected = names(tmp_path)
    train(settings(tmp_path, [], epochs=4), resume=True)
    assert names(tmp_path) == expected
    prepared(config, force=True).train()
    assert names(tmp_path) == expected


def test_dots_in_names_keep_runs_apart(tmp_path):
    configs = [
        settings(tmp_path, clusters(24), output=str(tmp_path / f"water_0.{k}"), seed=k) for k in (5, 6)
    ]
    models = [train(c) for c in configs]
    assert _same_model(load_model_data(tmp_path / "water_0.5.checkpoint"), models[0])
    assert _same_model(load_model_data(tmp_path / "water_0.6.checkpoint"), models[1])
    assert len({c.stream_folder for c in configs} | {c.log for c in configs}) == 4


@pytest.mark.parametrize(
    "ending", ["pt", "checkpoint", "checkpoint.previous", "log.jsonl", "previous.checkpoint"]
)
def test_files_of_the_user_beside_the_model_are_not_replaced(tmp_path, ending):
    config = settings(tmp_path, clusters(24))
    save_checkpoint(config.checkpoint, {"n": 1})
    path = tmp_path / f"model.{ending}"
    path.write_text("precious words")
    with pytest.raises(ConfigError, match=rf"model\.{ending} exists and is no"):
        train(config)
    assert path.read_text() == "precious words"


def test_a_folder_of_the_user_is_not_emptied(tmp_path):
    config = settings(tmp_path, clusters(24), stream="always")
    config.stream_folder.mkdir()
    (config.stream_folder / "thesis.txt").write_text("precious")
    with pytest.raises(InvalidArgumentError, match=r"holds thesis\.txt"):
        train(config)
    assert (config.stream_folder / "thesis.txt").read_text() == "precious"
    (config.stream_folder / "thesis.txt").rename(config.stream_folder / "inputs-2024.xyz")
    with pytest.raises(InvalidArgumentError, match=r"holds inputs-2024\.xyz"):
        train(config)
    (config.stream_folder / "inputs-2024.xyz").unlink()
    train(config)
    train(settings(tmp_path, [], stream="always", keys={"energy": "energy"}))  # its own files give way


# Before the first epoch -------------------------------------------------------------------------------


class NoEpoch(Observer):
    def on_start(self, forecast, first):
        raise AssertionError("training began")


@pytest.mark.parametrize("stream", ["never", "always"])
@pytest.mark.parametrize("elements", [["H", "O", "C"], ["C", "O", "N", "H"]])
def test_elements_without_data_are_refused(tmp_path, elements, stream):
    missing = ", ".join(e for e in elements if e not in "HO")
    with pytest.raises(ConfigError, match=f"no {missing} in the training structures"):
        train(settings(tmp_path, clusters(24), elements=elements, stream=stream), observer=NoEpoch())


def test_an_element_that_only_held_out_structures_have_is_refused(tmp_path):
    from lmlp.io import write_structures

    oxygen = [s for s in clusters(200) if set(s.numbers) == {8}]
    write_structures(tmp_path / "valid.xyz", clusters(6))
    with pytest.raises((ConfigError, DataError, ValueError), match="H"):
        train(
            settings(tmp_path, oxygen, valid=str(tmp_path / "valid.xyz"), elements=["H", "O"]),
            observer=NoEpoch(),
        )


def test_a_model_that_could_not_be_written_is_refused(tmp_path, monkeypatch):
    from lmlp.errors import ModelFileError

    def fail(model):
        raise ModelFileError("scale has values that are not finite")

    monkeypatch.setattr("lmlp.training.state.beforehand.model_file_bytes", fail)
    with pytest.raises(ConfigError, match="could not be written after its training: scale"):
        train(settings(tmp_path, clusters(24)), observer=NoEpoch())


def test_looking_ahead_changes_no_bit(tmp_path, monkeypatch):
    model = train(settings(tmp_path, clusters(24)))
    monkeypatch.setattr("lmlp.training.run.check_end", lambda *a, **k: None)
    assert _same_model(prepared(settings(tmp_path, []), force=True).train(), model)


# A full disk while training ---------------------------------------------------------------------------


# The command ------------------------------------------------------------------------------------------


COMMAND = [sys.executable, "-m", "lmlp", "train"]
LIMITED = """
import resource, sys
import lmlp.training.run as module
check = module.Run._check_end
def later(self):
    check(self)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # from here on every larger file fails
module.Run._check_end = later
from lmlp.cli.app import main
main()
"""


@pytest.fixture
def config(tmp_path):
    import yaml

    from tests.python.training.toy import SPEC

    values = settings(tmp_path, clusters(24)).model_dump(mode="json", exclude_unset=True)
    assert values["descriptor"]["spec"] == SPEC
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def run(*command, **options):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )


def test_a_disk_that_is_full_to_the_end_is_told_with_a_status(tmp_path, config):
    """The system refuses checkpoint and model (log lines still fit): both are named, nothing half is left."""
    process = run(sys.executable, "-c", LIMITED, "train", str(config))
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "Traceback" not in output
    last = output.splitlines()[-1]
    assert last.startswith("lmlp: error: ")
    assert "model.pt: cannot be written: File too large" in last
    assert "model.checkpoint" in last
    assert "could not be saved" in last
    assert not [n for n in names(tmp_path) if "tmp" in n or "lock" in n or n == "model.pt"]


def test_a_second_run_ends_at_once_and_the_first_goes_on(tmp_path, config):
    first = run(*COMMAND, str(config), "--epochs", "1000000", "--set", "checkpoint_interval=0.2")
    deadline = time.monotonic() + 200
    while not (tmp_path / "model.checkpoint").exists():
        assert first.poll() is None, first.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        for more in ((), ("--resume",), ("--force",)):
            second = run(*COMMAND, str(config), *more)
            output, _ = second.communicate(timeout=200)
            assert second.returncode == 1
            assert f"another process writes it (process {first.pid} on " in output
            assert "train" in output
        assert first.poll() is None
        with pytest.raises(OutputError, match=str(first.pid)):
            train(settings(tmp_path, []))
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    state = load_checkpoint(tmp_path / "model.checkpoint")
    assert state["position"][2] > 0
    # the lock of the killed run stops nobody
    last = run(*COMMAND, str(config), "--epochs", str(state["position"][0] + 1), "--resume")
    output, _ = last.communicate(timeout=200)
    assert last.returncode == 0, output
    assert read_model_file(tmp_path / "model.pt").n_members == 2
    assert not [n for n in names(tmp_path) if "lock" in n]


@pytest.mark.parametrize("name", ["train.xyz", "./train.xyz", "config.yaml", "link.yaml"])
def test_the_command_replaces_neither_data_nor_config(tmp_path, config, monkeypatch, name):
    import typer
    from lmlp.cli.app import app

    monkeypatch.chdir(tmp_path)
    os.symlink("config.yaml", "link.yaml")
    before = {n: (tmp_path / n).read_bytes() for n in names(tmp_path)}
    with pytest.raises(InvalidArgumentError, match="read by this command"):
        typer.main.get_command(app).main(
            ["train", "config.yaml", "-o", name, "--force"], standalone_mode=False
        )
    assert {n: (tmp_path / n).read_bytes() for n in names(tmp_path)} == before


def test_what_a_killed_run_had_begun_to_write_is_taken_away(tmp_path):
    config = settings(tmp_path, clusters(24))
    begun, foreign = tmp_path / ".model.checkpoint.0123abcd.tmp", tmp_path / ".other.checkpoint.0123abcd.tmp"
    for path in (begun, foreign):
        path.write_bytes(b"half")
    train(config)
    assert not begun.exists()
    assert foreign.exists()
