"""The model that a session began with, in its checkpoints: read as model files are, of whatever version."""

import dataclasses
import json

import numpy as np
import pytest
from lmlp.errors import ModelFileError
from lmlp.export import upgrade
from lmlp.export.model_file import read_model_file
from lmlp.lifelong.continuation import pack_model, unpack_model

from tests.python.training.test_resume import _same_model

ZBL = {"type": "zbl", "pairs": {"O-O": [0.4, 0.9]}}
FREE = {"O": {"energy": -430.5, "density": 1e-3}}


@pytest.mark.parametrize(
    ("version", "fields"),
    [(1, {}), (2, {"baseline": ZBL}), (3, {"free_atoms": FREE}), (3, {"free_atoms": {}})],
)
def test_every_version_comes_back(start, version, fields):
    model = dataclasses.replace(read_model_file(start / "model.pt"), **fields)
    packed = pack_model(model)
    header = json.loads(packed["header"])
    assert header["format_version"] == version
    assert {name for name in upgrade.FIELDS if name in header} == {
        name for name, since in upgrade.FIELDS.items() if since <= version
    }
    found = unpack_model(packed)
    assert _same_model(found, model)
    assert (found.baseline, found.free_atoms) == (model.baseline, model.free_atoms)
    np.testing.assert_array_equal(found.atomic_energies, model.atomic_energies)


def test_a_checkpoint_of_a_version_before(start, monkeypatch):
    """A version that says something else of the same key: only its upgrade tells what the old one meant."""
    model = read_model_file(start / "model.pt")
    packed = pack_model(model)

    newest = upgrade.FORMAT_VERSION

    def step(header):
        return {**header, "provenance": {"upgraded from": newest}}

    monkeypatch.setattr(upgrade, "FORMAT_VERSION", newest + 1)
    monkeypatch.setitem(upgrade.UPGRADES, newest, step)
    assert unpack_model(packed).provenance == {"upgraded from": newest}


def test_a_newer_version_is_refused(start, monkeypatch):
    packed = pack_model(dataclasses.replace(read_model_file(start / "model.pt"), free_atoms=FREE))
    monkeypatch.setattr(upgrade, "FORMAT_VERSION", 2)
    with pytest.raises(ModelFileError, match=r"format version 3 .* is newer than 2"):
        unpack_model(packed)
