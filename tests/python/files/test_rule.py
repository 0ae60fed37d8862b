"""What an output may name: never an input, never a file of another kind, a result only when told."""

import os
import socket

import pytest
from lmlp.errors import InvalidArgumentError, LMLPError, OutputError
from lmlp.files import writing
from lmlp.files.kinds import CHECKPOINT, MODEL, STRUCTURES
from lmlp.files.names import beside, earlier
from lmlp.files.rule import Output, check_outputs

FRAME = "1\nProperties=species:S:1:pos:R:3 energy=-1.0\nH 0 0 0\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.xyz").write_text(FRAME)
    (tmp_path / "sub").mkdir()
    return tmp_path


def alias(folder, how: str) -> str:
    """Name data.xyz in another way."""
    if how == "symlink":
        os.symlink("data.xyz", "link.xyz")
        return "link.xyz"
    if how == "hard link":
        os.link("data.xyz", "hard.xyz")
        return "hard.xyz"
    if how == "folder link":
        os.symlink(folder, "way")
        return "way/data.xyz"
    return {
        "same": "data.xyz",
        "dot": "./data.xyz",
        "up": "sub/../data.xyz",
        "whole": str(folder / "data.xyz"),
    }[how]


WAYS = ["same", "dot", "up", "whole", "symlink", "hard link", "folder link"]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("given", ["data.xyz", "data.xyz@1:5", "./data.xyz@-1", "data.xyz@::10"])
@pytest.mark.parametrize("how", WAYS)
def test_an_output_is_no_input_by_any_name(folder, how, given, force):
    from pathlib import Path

    with pytest.raises(InvalidArgumentError, match="read by this command"):
        check_outputs([Output(Path(alias(folder, how)), STRUCTURES)], [given], force=force)
    assert (folder / "data.xyz").read_text() == FRAME


def test_an_input_that_is_not_there_yet_is_none(folder):
    with pytest.raises(InvalidArgumentError, match="read by this command"):
        check_outputs([Output(folder / "new.xyz", STRUCTURES)], ["sub/../new.xyz"])


@pytest.mark.parametrize(
    "content",
    [
        b"text",
        FRAME.encode(),
        b"PK\x03\x04 some archive",
        b"data: x.xyz\noutput: m.pt\n",
        b"SQLite format 3\0",
        b"\0",
    ],
)
@pytest.mark.parametrize("kind", [MODEL, CHECKPOINT])
def test_files_of_another_kind_are_never_replaced(folder, kind, content):
    path = folder / "m.pt"
    path.write_bytes(content)
    with pytest.raises(InvalidArgumentError, match=f"no {kind}"):
        check_outputs([Output(path, kind, replaces=True)], force=True)
    with pytest.raises(InvalidArgumentError, match=f"no {kind}"), writing.replacing(path, kind):
        pass
    assert path.read_bytes() == content
    assert sorted(os.listdir(folder)) == ["data.xyz", "m.pt", "sub"]


def test_results_of_the_same_kind_need_force(folder):
    with pytest.raises(InvalidArgumentError, match="exists; --force"):
        check_outputs([Output(folder / "data.xyz", STRUCTURES)])
    check_outputs([Output(folder / "data.xyz", STRUCTURES)], force=True)
    check_outputs([Output(folder / "data.xyz", STRUCTURES, replaces=True)])


@pytest.mark.parametrize("name", [".", "..", "sub", "sub/", "sub/.", "sub/..", "", "/", "a\0b.pt"])
def test_names_of_folders_and_no_names(folder, name):
    from pathlib import Path

    with pytest.raises(InvalidArgumentError):
        check_outputs([Output(Path(name), MODEL)])


@pytest.mark.parametrize(
    "name", ["no/m.pt", "data.xyz/m.pt", "x" * 300 + ".pt", "/dev/null", "/dev/full", "pipe", "dangling"]
)
def test_places_where_nothing_can_be_written(folder, name):
    from pathlib import Path

    os.mkfifo("pipe")
    os.symlink("nowhere/x", "dangling")
    with pytest.raises(LMLPError):
        check_outputs([Output(Path(name), MODEL)], force=True)


def test_a_name_that_leaves_no_room_for_the_temporary_one(folder):
    from pathlib import Path

    with pytest.raises(OutputError, match="too long"):
        check_outputs([Output(Path("x" * 250), MODEL)])


def test_sockets_are_not_replaced(folder):
    from pathlib import Path

    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(InvalidArgumentError, match="device"):
            check_outputs([Output(Path("socket"), MODEL)], force=True)


def test_two_outputs_are_two_files(folder):
    from pathlib import Path

    os.symlink(folder, "way")
    for other in ("a.xyz", "./a.xyz", "way/a.xyz"):
        with pytest.raises(InvalidArgumentError, match="twice"):
            check_outputs([Output(Path("a.xyz"), STRUCTURES), Output(Path(other), STRUCTURES)])


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), OSError(30, "Read-only file system")]
)
def test_a_folder_that_cannot_be_written_is_found_at_once(folder, monkeypatch, error):
    def refused(*_):
        raise error

    monkeypatch.setattr(writing.os, "open", refused)
    with pytest.raises(OutputError, match=error.strerror):
        check_outputs([Output(folder / "m.pt", MODEL)])


def test_a_full_disk_is_found_at_once(folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.os, "posix_fallocate", full, raising=False)
    with pytest.raises(OutputError, match=r"m\.pt: .*No space left on device \(.* MiB are free\)"):
        check_outputs([Output(folder / "m.pt", MODEL)])
    assert sorted(os.listdir(folder)) == ["data.xyz", "sub"]


def test_names_beside_an_output_keep_what_is_no_ending_of_a_model(folder):
    from pathlib import Path

    names = [
        beside(Path(n), ".checkpoint").name
        for n in ("water_0.5", "water_0.6", "m.pt", "m", "a.b.pt", "x.xyz")
    ]
    assert names == [f"{n}.checkpoint" for n in ("water_0.5", "water_0.6", "m", "m", "a.b", "x.xyz")]
    moved = [
        earlier(Path(n), Path(o)).name
        for n, o in (("m.pt", "m.pt"), ("m.log.jsonl", "m.pt"), ("w_0.5", "w_0.5"))
    ]
    assert moved == ["m.previous.pt", "m.previous.log.jsonl", "w_0.5.previous"]
