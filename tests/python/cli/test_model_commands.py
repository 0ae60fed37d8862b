"""``lmlp init``, ``lmlp export``, ``lmlp import-original``."""

from __future__ import annotations

from pathlib import Path

import pytest
from lmlp.cli.app import app
from lmlp.errors import LMLPError, ModelFileError
from lmlp.export.model_file import read_model_file
from typer.testing import CliRunner, Result

from ..export.models import same_bits, small_model


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_init(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    options = ["--cutoff", "3.5", "--members", "2", "--hidden", "8,5", "--seed", "7"]
    result = run("init", "--elements", "H, O", "--preset", "eeacsf-153", *options, "-o", path)
    assert result.exit_code == 0
    assert "H, O; 153 symmetry functions, cutoff 3.5 Å; 2 members, hidden layers 8-5" in result.output
    assert "(TorchScript)" in result.output
    assert "(core)" in result.output
    model = read_model_file(path)
    assert (model.elements, model.n_members, model.hidden_layers) == (["H", "O"], 2, [8, 5])
    assert model.descriptor["cutoff"] == 3.5
    again = tmp_path / "again.pt"
    run("init", "--elements", "H,O", *options, "-o", again, "--no-verify")
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--elements", "H,Xx"], "Xx"),
        (["--elements", "H", "--preset", "none"], "none"),
        (["--elements", "H", "--hidden", "8,a"], "--hidden '8,a'"),
        (["--elements", "H", "--hidden", "8,0"], "at least 1"),
        (["--elements", "H", "--activation", "relu"], "relu"),
        (["--elements", "H,H"], "H"),
    ],
)
def test_init_with_bad_options(tmp_path: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(LMLPError, match=message):
        run("init", *arguments, "-o", tmp_path / "model.pt")
    assert not list(tmp_path.iterdir())


def test_import_original(tmp_path: Path, test_data: Path) -> None:
    result = run("import-original", test_data / "original_format" / "model.ini", "-o", tmp_path / "model.pt")
    assert "45 symmetry functions, cutoff 6.0 Å; 3 members, hidden layers 10-6" in result.output
    assert read_model_file(tmp_path / "model.pt").n_members == 3
    with pytest.raises(ModelFileError, match=r"none\.ini: cannot read"):
        run("import-original", tmp_path / "none.ini", "-o", tmp_path / "other.pt")


def test_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model that the checkpoint holds is what is written; reading checkpoints is tested with training."""
    model = small_model()
    monkeypatch.setattr("lmlp.training.state.checkpoint.load_model_data", lambda path: model)
    result = run("export", tmp_path / "x.checkpoint", "-o", tmp_path / "model.pt")
    assert "verified against the reference" in result.output
    assert same_bits(read_model_file(tmp_path / "model.pt"), model)


def test_export_of_what_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "x.checkpoint").write_bytes(b"nothing")
    with pytest.raises(ModelFileError, match=r"x\.checkpoint"):
        run("export", tmp_path / "x.checkpoint", "-o", tmp_path / "model.pt")


def test_members_of_init_are_checked_by_the_command_line(tmp_path: Path) -> None:
    result = run("init", "--elements", "H", "--members", "0", "-o", tmp_path / "model.pt")
    assert result.exit_code == 2
    assert "members" in result.output
