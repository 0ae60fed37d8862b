"""Data without labels are no test: ``lmlp eval`` says what they have instead."""

import json

import numpy as np
import pytest
from lmlp.cli.app import app
from lmlp.errors import DataError
from typer.testing import CliRunner

from tests.models import write_random_model

HEAD = 'Properties=species:S:1:pos:R:3:my_grad:R:3 {more} config_type=hot pbc="F F F"'
ATOMS = "H 0 0 0 1 1 1\nH 0 0 1 -1 -1 -1\nO 0 1 0 0 0 0\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_random_model(tmp_path_factory.mktemp("m") / "m.pt", "eeacsf-153", ["H", "O"], members=2)


def _file(folder, more="U_tot=-3.0", head=HEAD):
    path = folder / "data.xyz"
    path.write_text(f"3\n{head.format(more=more)}\n{ATOMS}" * 2)
    return str(path)


def _run(*arguments):
    return CliRunner().invoke(app, ["eval", *map(str, arguments)], catch_exceptions=False)


@pytest.mark.parametrize("more", ["U_tot=-3.0", "", "E0=1 E1=2"])
@pytest.mark.parametrize("option", [[], ["--json"], ["--report", "r.html"]])
def test_no_label_at_all(model, tmp_path, monkeypatch, more, option):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        _run(model, _file(tmp_path, more), *option)
    text = str(caught.value)
    assert "no label is recognized in 2 structures" in text
    for name in (*(m.partition("=")[0] for m in more.split()), "config_type", "my_grad", "--energy-key"):
        assert name in text
    assert not (tmp_path / "r.html").exists()


def test_named_they_are_labels(model, tmp_path):
    metrics = json.loads(_run(model, _file(tmp_path), "--energy-key", "U_tot", "--json").output)
    assert metrics["n_energies"] == 2
    metrics = json.loads(_run(model, _file(tmp_path), "--forces-key", "my_grad", "--json").output)
    assert (metrics["n_energies"], metrics["n_force_components"]) == (0, 18)


@pytest.mark.parametrize(
    ("option", "absent"), [(("--energy-key", "U_tot"), "forces"), (("--forces-key", "my_grad"), "energy")]
)
def test_some_labels_are_enough_and_the_rest_is_told(model, tmp_path, option, absent):
    result = _run(model, _file(tmp_path), *option)
    assert result.exit_code == 0
    assert f"no {absent} is recognized in 2 structures" in result.output.replace("\n", " ")


def test_predictions_need_no_labels(model, tmp_path):
    result = _run(model, _file(tmp_path), "--predictions", tmp_path / "p.xyz")
    assert result.exit_code == 0
    assert "no label is recognized" in result.output.replace("\n", " ")
    assert "lmlp_energy=" in (tmp_path / "p.xyz").read_text()


def test_complete_data_say_nothing(model, tmp_path):
    head = HEAD.replace("my_grad", "forces")
    result = _run(model, _file(tmp_path, "energy=-3.0", head))
    assert "recognized" not in result.output
    assert np.isfinite(float(result.output.split("energy")[1].split()[0]))
