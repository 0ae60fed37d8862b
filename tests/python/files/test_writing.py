"""Files appear whole or not at all, whatever fails; nothing is left over."""

import os
import resource
import subprocess
import sys

import pytest
from lmlp.errors import OutputError
from lmlp.files import writing
from lmlp.files.kinds import LOG, STRUCTURES
from lmlp.files.writing import append, check_room, replacing, set_aside

OLD, NEW = "1\n\nH 0 0 0\n", "1\n\nO 0 0 0\n"


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "a.xyz"
    file.write_text(OLD)
    return file


def full(*_, **__):
    raise OSError(28, "No space left on device")


def test_replaced_and_kept(path, tmp_path):
    with replacing(path, STRUCTURES, tmp_path / "b.xyz") as new:
        new.write_text(NEW)
    assert (path.read_text(), (tmp_path / "b.xyz").read_text()) == (NEW, OLD)
    assert sorted(os.listdir(tmp_path)) == ["a.xyz", "b.xyz"]


@pytest.mark.parametrize("name", ["fsync", "replace", "link"])
def test_any_failure_leaves_the_old_file_and_nothing_else(path, tmp_path, monkeypatch, name):
    monkeypatch.setattr(writing.os, name, full)
    keep = tmp_path / "b.xyz" if name == "link" else None
    if name == "link":  # a file system without links: renamed instead
        with replacing(path, STRUCTURES, keep) as new:
            new.write_text(NEW)
        assert (path.read_text(), keep.read_text()) == (NEW, OLD)
        return
    with (
        pytest.raises(OutputError, match=r"a\.xyz: cannot be written: No space left"),
        replacing(path, STRUCTURES) as new,
    ):
        new.write_text(NEW)
    assert path.read_text() == OLD
    assert os.listdir(tmp_path) == ["a.xyz"]


def test_a_block_that_fails_leaves_the_old_file(path, tmp_path):
    def fail(new):
        new.write_text(NEW)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), replacing(path, STRUCTURES) as new:
        fail(new)
    assert path.read_text() == OLD
    assert os.listdir(tmp_path) == ["a.xyz"]


def test_names_of_the_user_are_no_temporary_names(path, tmp_path):
    for name in ("a.xyz.tmp", "a.xyz.spare"):
        (tmp_path / name).write_text("precious")
    with replacing(path, STRUCTURES) as new:
        new.write_text(NEW)
    assert [(tmp_path / n).read_text() for n in ("a.xyz.tmp", "a.xyz.spare")] == ["precious"] * 2


def test_the_backup_takes_no_place_of_another_kind(path, tmp_path):
    (tmp_path / "b.xyz").write_text("precious words")
    with (
        pytest.raises(ValueError, match="no file of structures"),
        replacing(path, STRUCTURES, tmp_path / "b.xyz") as new,
    ):
        new.write_text(NEW)
    with pytest.raises(ValueError, match="no file of structures"):
        set_aside(path, tmp_path / "b.xyz", STRUCTURES)
    assert path.read_text() == OLD


LIMITED = """
import resource, sys
from pathlib import Path
from lmlp.files.writing import append, check_room
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
path = Path(sys.argv[1])
append(path, "x" * 60 + chr(10))
try:
    append(path, "y" * 60 + chr(10))
except OSError as error:
    print(error)
try:
    check_room(path, 10**6)
except OSError as error:
    print(error)
"""


def test_half_a_line_is_never_left(tmp_path):
    """The system itself takes the first half of the line, then has no room for the rest."""
    log = tmp_path / "run.log"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(log)], capture_output=True, text=True, check=True
    )
    assert log.read_text() == "x" * 60 + "\n"
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all("run.log" in line and "File too large" in line for line in lines)
    assert os.listdir(tmp_path) == ["run.log"]


def test_room_is_tried_and_given_back(tmp_path):
    check_room(tmp_path / "m.pt", 2**20)
    assert os.listdir(tmp_path) == []
    with pytest.raises(OutputError, match="MiB cannot be written there"):
        check_room(tmp_path / "m.pt", 2**60)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [95, 22, None])
def test_room_where_the_system_cannot_reserve_it(tmp_path, monkeypatch, number):
    if number is None:
        monkeypatch.delattr(writing.os, "posix_fallocate")
    else:
        monkeypatch.setattr(writing.os, "posix_fallocate", lambda *_: full_of(number))
    check_room(tmp_path / "m.pt", 2**20)
    with pytest.raises(OutputError, match="No space left"):
        check_room(tmp_path / "m.pt", 2**60)


def full_of(number):
    raise OSError(number, os.strerror(number))


def test_append_names_the_file(tmp_path):
    with pytest.raises(OutputError, match=r"no.*run\.log: cannot be written: No such file"):
        append(tmp_path / "no" / "run.log", "x")
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    assert LOG
