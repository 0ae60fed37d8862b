"""What a terminal cannot show, or a pipe not take, never costs a result."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from lmlp.export.model_file import read_model_file
from lmlp.io import write_structures

from tests.python.training.toy import SPEC, clusters

SPEAK = """
import sys
from lmlp.cli.shared.words import guard_streams, lost_words
guard_streams()
import typer
from rich.console import Console
with open(sys.argv[1], "w") as file:
    for _ in range(3000):  # more than a pipe or a buffer takes
        print("\\u03c3 = 1 \\u2013 2 \\udcff")
    typer.echo("\\u03c3")
    Console().print("\\u03c3")
    typer.echo("\\u03c3", err=True)
    file.write("result")
lost = lost_words()
if lost:
    print(lost, file=sys.stderr)
"""
PLAIN = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
TERMINALS = {
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "strict": {"PYTHONIOENCODING": "ascii:strict"},
    "C": {"LC_ALL": "C", **PLAIN},
    "POSIX": {"LC_ALL": "POSIX", **PLAIN},
}


def speak(tmp_path: Path, shell: str, more: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """Run the script in a shell that does something to its output; the result must be there."""
    command = f"{sys.executable} -c '{SPEAK}' {tmp_path / 'out'} {shell}"
    done = subprocess.run(
        ["bash", "-c", command], env={**os.environ, **(more or {})}, capture_output=True, check=False
    )
    assert (tmp_path / "out").read_text() == "result", done.stderr
    return done


@pytest.mark.parametrize("name", TERMINALS)
def test_letters_that_a_terminal_lacks(tmp_path, name):
    done = speak(tmp_path, "", TERMINALS[name])
    assert done.returncode == 0
    assert b"? = 1" in done.stdout


@pytest.mark.parametrize(
    "shell", [">&-", ">&- 2>&-", "<&- >&- 2>&-", "| head -1", "2>&1 | true", "> /dev/full"]
)
def test_outputs_that_take_no_words(tmp_path, shell):
    done = speak(tmp_path, shell)
    assert done.returncode == 0
    assert (b"No space left on device; the words are lost" in done.stderr) == ("full" in shell)
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr


@pytest.fixture
def folder(tmp_path):
    write_structures(tmp_path / "train.xyz", clusters(30))
    values = {
        "data": "train.xyz",
        "output": "model.pt",
        "descriptor": {"spec": SPEC},
        "model": {"hidden": [4], "members": 2},
        "epochs": 1,
        "holdout_fraction": 0.2,
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
    return tmp_path


@pytest.mark.parametrize(
    ("shell", "more", "status"),
    [
        ("", TERMINALS["latin-1"], 0),
        (">&-", {}, 0),
        ("> /dev/full", {}, 1),
    ],
)
def test_training_ends_with_its_model(folder, shell, more, status):
    command = f"{sys.executable} -m lmlp train {folder / 'config.yaml'} {shell}; exit ${{PIPESTATUS[0]}}"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **more}
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, check=False)
    assert read_model_file(folder / "model.pt").n_members == 2, done.stderr
    assert done.returncode == status
    assert b"Traceback" not in done.stderr


def test_the_model_is_written_before_the_summary(folder, monkeypatch):
    """Even if a word fails in a way that nobody thought of."""
    import typer
    from lmlp.cli.app import app
    from lmlp.cli.shared.train_view import TrainView

    def fail(self, model):
        raise UnicodeEncodeError("latin-1", "σ", 0, 1, "not in range")

    monkeypatch.setattr(TrainView, "summary", fail)
    with pytest.raises(UnicodeEncodeError):
        typer.main.get_command(app).main(["train", str(folder / "config.yaml")], standalone_mode=False)
    assert read_model_file(folder / "model.pt").n_members == 2
