"""No command replaces what it reads, or a file of another kind, whatever the name and with --force."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import typer
import yaml
from lmlp.cli.app import app
from lmlp.cli.shared.options import file_name
from lmlp.errors import LMLPError
from lmlp.io import write_structures
from lmlp.lifelong.memory import Addition, Memory, Update
from lmlp.training.state.checkpoint import save_checkpoint
from typer.models import OptionInfo

from tests.models import write_random_model
from tests.python.training.toy import clusters

# command, option of the output: the line before it (inputs first), files of the kind that it writes
_TRAIN = ("train", "config.yaml", "--data", "data.xyz", "--valid", "valid.xyz")
_LEARN = ("learn", "model.pt", "data.xyz", "--old", "valid.xyz")
_EVAL = ("eval", "model.pt", "data.xyz", "valid.xyz@:2")
_MD = ("md", "model.pt", "data.xyz@0", "--steps", "2")
_SPLIT = ("data", "split", "data.xyz@:5", "valid.xyz")
OUTPUTS: dict[tuple[str, str], tuple[tuple[str, ...], set[str]]] = {
    ("train", "--output"): (_TRAIN, {"other.pt", "model.pt"}),
    ("learn", "--output"): (_LEARN, {"other.pt", "model.pt"}),
    ("learn", "--memory"): (_LEARN, {"m.memory"}),
    ("eval", "--report"): (_EVAL, set()),
    ("eval", "--predictions"): (_EVAL, set()),
    ("md", "--output"): (_MD, set()),
    ("md", "--log"): (_MD, set()),
    ("md", "--candidates"): (_MD, set()),
    ("export", "--output"): (("export", "m.checkpoint"), {"other.pt", "model.pt"}),
    ("import-original", "--output"): (("import-original", "notes.txt"), {"other.pt", "model.pt"}),
    ("init", "--output"): (("init", "--elements", "H,O", "--no-verify"), {"other.pt", "model.pt"}),
    ("merge", "--output"): (("merge", "model.pt", "other.pt", "--data", "data.xyz"), set()),
    ("calibrate", "--output"): (("calibrate", "model.pt", "data.xyz"), {"other.pt", "model.pt"}),
    ("near", "--plot"): (("near", "data.xyz"), {"p.png"}),
    ("build-torch-backend", "--output"): (("build-torch-backend", "--compiler", "true"), set()),
    ("data convert", "--output"): (("data", "convert", "data.xyz", "valid.xyz@2"), {"free.xyz"}),
    ("data deduplicate", "--output"): (
        ("data", "deduplicate", "data.xyz", "--against", "valid.xyz"),
        {"free.xyz"},
    ),
    ("data split", "--train"): ((*_SPLIT, "--test", "new.xyz"), {"free.xyz"}),
    ("data split", "--test"): ((*_SPLIT, "--train", "new.xyz"), {"free.xyz"}),
    ("data split", "--valid"): ((*_SPLIT, "--train", "new.xyz", "--test", "new2.xyz"), {"free.xyz"}),
    ("memory export", "--output"): (("memory", "export", "m.memory"), {"free.xyz", "data.xyz", "valid.xyz"}),
    ("memory prune", "--removed"): (("memory", "prune", "m.memory", "--structures", "2"), set()),
}
# options with a path that is only read
INPUTS = {("train", "--data"), ("train", "--valid"), ("learn", "--old")}
FILES = ["data.xyz", "valid.xyz", "free.xyz", "model.pt", "other.pt"]
FILES += ["m.checkpoint", "m.memory", "config.yaml", "notes.txt", "p.png"]
COMMAND = typer.main.get_command(app)


def options_of(callback: Callable) -> dict[str, tuple[Any, OptionInfo]]:
    """Return type and description of each option of a command."""
    found = {}
    for parameter, hint in get_type_hints(callback, include_extras=True).items():
        info = next((m for m in getattr(hint, "__metadata__", ()) if isinstance(m, OptionInfo)), None)
        if info is not None:
            name = max(info.param_decls or (), key=len, default=f"--{parameter.replace('_', '-')}")
            found[name] = (get_args(hint)[0], info)
    return found


def commands() -> dict[str, dict[str, tuple[Any, OptionInfo]]]:
    """Return the options of all commands by name, those of groups as ``group command``."""
    groups = [("", app), *((f"{g.name} ", g.typer_instance) for g in app.registered_groups)]
    return {
        prefix + (c.name or c.callback.__name__): options_of(c.callback)
        for prefix, group in groups
        for c in group.registered_commands
    }


def test_every_option_with_a_path_is_known_here():
    """A command with a new output adds it to the table above, and is tested with it."""
    paths = {
        (name, option)
        for name, options in commands().items()
        for option, (kind, _) in options.items()
        if "Path" in str(kind)
    }
    assert paths == set(OUTPUTS) | INPUTS


def test_every_output_checks_its_name_and_all_results_have_force():
    found = commands()
    for name, option in OUTPUTS:
        if name != "build-torch-backend":  # which takes a folder, too
            assert found[name][option][1].parser is file_name, (name, option)
        if name != "memory prune":
            assert "--force" in found[name], name


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    structures = clusters(12)
    write_structures(folder / "data.xyz", structures[:6])
    write_structures(folder / "valid.xyz", structures[6:])
    write_structures(folder / "free.xyz", structures[:2])
    for name, seed in (("model.pt", 1), ("other.pt", 2)):
        write_random_model(folder / name, "eeacsf-153", ["H", "O"], members=2, seed=seed)
    save_checkpoint(folder / "m.checkpoint", {"nothing": 1})
    with Memory(folder / "m.memory", create=True) as memory:
        memory.commit(Update("one", "start", {}, "first", [Addition(s) for s in structures]))
    (folder / "config.yaml").write_text(yaml.safe_dump({"data": "data.xyz", "epochs": 1}))
    (folder / "notes.txt").write_text("precious")
    (folder / "p.png").write_bytes(b"\x89PNG picture")
    return folder


@pytest.fixture
def folder(made, tmp_path, monkeypatch) -> Path:
    for name in FILES:
        (tmp_path / name).write_bytes((made / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def refused(folder: Path, line: tuple[str, ...]) -> str:
    """Run a command that must fail and leave every byte where it was; returns what it says."""
    before = contents(folder)
    said: list[Exception] = []
    try:
        COMMAND.main(list(line), standalone_mode=False)
    except Exception as error:  # also that of the command line, whose library differs from version to version
        said = [error]
    assert contents(folder) == before, line
    assert said, line
    assert isinstance(said[0], (LMLPError, OSError)) or "names a folder" in str(said[0]), line
    return str(said[0])


@pytest.mark.parametrize(("name", "option"), OUTPUTS)
def test_files_that_are_there_stay_as_they_are(folder, name, option):
    line, own = OUTPUTS[name, option]
    force = () if name == "memory prune" else ("--force",)
    more = ("-o", "fresh.pt") if option == "--memory" else ()
    for file in FILES:
        if file not in own:
            refused(folder, (*line, option, file, *more, *force))


LINKED = [key for key in OUTPUTS if OUTPUTS[key][0][0] not in ("init", "build-torch-backend", "near")]


@pytest.mark.parametrize(("name", "option"), LINKED)
def test_inputs_by_other_names_stay_as_they_are(folder, name, option):
    line, _ = OUTPUTS[name, option]
    force = () if name == "memory prune" else ("--force",)
    read = [f for f in FILES if any(word.partition("@")[0] == f for word in line)]
    for file in read:
        if (name, file) == ("learn", "model.pt"):
            continue  # updated in place
        ending = ".xyz" if file.endswith(".xyz") else Path(file).suffix
        os.symlink(file, f"link-{file}{ending}")
        os.link(file, f"hard-{file}{ending}")
        for alias in (f"link-{file}{ending}", f"hard-{file}{ending}", f"./{file}", str(folder / file)):
            refused(folder, (*line, option, alias, *force))


@pytest.mark.parametrize(
    ("name", "option"), [k for k in OUTPUTS if k[0] not in ("train", "memory prune") and OUTPUTS[k][1]]
)
def test_results_are_replaced_with_force_only(folder, name, option):
    line, own = OUTPUTS[name, option]
    target = sorted(own - {w.partition("@")[0] for w in line})[0]
    if option == "--memory":
        return  # grows in place
    assert "--force" in refused(folder, (*line, option, target))


@pytest.mark.parametrize(
    "target", [".", "..", "folder", "folder/", "new/", "no/file", "/dev/null", "x" * 300]
)
@pytest.mark.parametrize(("name", "option"), OUTPUTS)
def test_no_file_can_stand_there(folder, name, option, target):
    (folder / "folder").mkdir()
    if name.startswith(("data", "memory", "build")) and target == "no/file":
        return  # these make folders
    if name.startswith("build") and target in (".", "..", "folder"):
        return  # a library goes into a folder
    line, _ = OUTPUTS[name, option]
    refused(folder, (*line, option, target))
    assert list((folder / "folder").iterdir()) == []


@pytest.mark.parametrize("as_json", [False, True])
def test_errors_are_printed_even_if_their_files_have_no_room(folder, monkeypatch, capsys, as_json):
    from lmlp.files import writing

    opened = os.open

    def full(path, *arguments, **options):
        if ".p.xyz." in str(path) and calls:
            raise OSError(28, "No space left on device")
        calls.extend([path] if ".p.xyz." in str(path) else [])  # the first one tries whether there is room
        return opened(path, *arguments, **options)

    calls: list[str] = []
    monkeypatch.setattr(writing.os, "open", full)
    words = ["eval", "model.pt", "data.xyz", "--predictions", "p.xyz", "--threads", "1"]
    with pytest.raises(LMLPError, match=r"p\.xyz: cannot be written: No space left"):
        COMMAND.main([*words, *(["--json"] if as_json else [])], standalone_mode=False)
    assert ('"force_rmse"' if as_json else "meV/atom") in capsys.readouterr().out
    assert not [name for name in os.listdir(folder) if name.endswith(".tmp") or name == "p.xyz"]
