"""Two processes never write one output; a crash leaves nothing that stops the next."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from lmlp.errors import OutputError
from lmlp.files import lock as module
from lmlp.files.lock import lock_path, locked

HOLD = """
import sys, time
from pathlib import Path
from lmlp.files.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of ``m`` until its input ends."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "m")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_the_other_process_is_named(tmp_path, holder):
    with (
        pytest.raises(OutputError, match=rf"another process writes it \(process {holder.pid} on .*-c "),
        locked(tmp_path / "m"),
    ):
        pass
    with locked(tmp_path / "other"):
        pass
    os.symlink(tmp_path, tmp_path / "way")
    with pytest.raises(OutputError, match=str(holder.pid)), locked(tmp_path / "way" / "m"):
        pass


def test_released_at_the_end(tmp_path, holder):
    holder.stdin.close()
    holder.wait()
    assert os.listdir(tmp_path) == []
    with locked(tmp_path / "m"):
        pass
    assert os.listdir(tmp_path) == []


def test_released_by_the_system_after_a_crash(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert lock_path(tmp_path / "m").exists()
    with locked(tmp_path / "m"):
        assert str(os.getpid()) in lock_path(tmp_path / "m").read_text()
    assert os.listdir(tmp_path) == []


def test_taken_again_by_the_same_thread_only(tmp_path):
    found = []

    def other():
        try:
            with locked(tmp_path / "m"):
                found.append("held twice")
        except OutputError as error:
            found.append(str(error))

    with locked(tmp_path / "m"):
        with locked(tmp_path / "m"):
            pass
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(found) == 1
    assert "another thread" in found[0]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [38, 37, 95])  # not implemented, no locks available, not supported
def test_a_file_system_without_locks_warns(tmp_path, monkeypatch, number):
    def unable(handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module, "_flock", unable)
    said = []
    with locked(tmp_path / "m", said.append):
        assert os.listdir(tmp_path) == []
    assert len(said) == 1
    assert "no locks" in said[0]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(OutputError, match="no does not exist"), locked(tmp_path / "no" / "m"):
        pass
