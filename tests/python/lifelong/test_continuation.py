"""A finished model goes on: says the same, refuses what it cannot carry, and checkpoints keep it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from lmlp.cli.app import app
from lmlp.dataset.arrays import make_dataset
from lmlp.dataset.store import Store
from lmlp.descriptor.compute import Descriptor
from lmlp.descriptor.presets import make_preset, preset_names
from lmlp.errors import ConfigError, ModelFileError, UnknownElementError
from lmlp.export import upgrade
from lmlp.export.model_file import read_model_file
from lmlp.export.random_model import RandomModelOptions, random_model
from lmlp.export.writing import write_model_file
from lmlp.io import write_structures
from lmlp.lifelong.continuation import (
    Options,
    continued_map,
    continued_potential,
    extended_elements,
    pack_model,
    unpack_model,
)
from lmlp.lifelong.learn import learn, make_learn_config
from lmlp.model.spread import SpreadMaps
from lmlp.training.config import make_config
from typer.testing import CliRunner

from tests.python.lifelong.oxygen import learn_values, oxygen
from tests.python.lifelong.test_learn import _predict
from tests.python.training.test_resume import _same_model
from tests.python.training.toy import SPEC, clusters, settings

ZBL = {"type": "zbl", "pairs": {"O-O": [0.4, 0.9]}}
FREE = {"O": {"energy": -430.5, "density": 1e-3}}
RAW = SpreadMaps.raw(1).block(["O"])
OLD = {"spread_maps": None, "distance": None, "distance_shift": None, "distance_scale": None}
OLD |= {"distance_axes": None}


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        (1, OLD),
        (2, {**OLD, "baseline": ZBL}),
        (3, {**OLD, "free_atoms": FREE}),
        (3, {**OLD, "free_atoms": {}}),
        (4, {}),
        (4, {**OLD, "spread_maps": RAW}),
    ],
)
def test_every_version_comes_back(start, version, fields):
    model = replace(read_model_file(start / "model.pt"), **fields)
    packed = pack_model(model)
    header = json.loads(packed["header"])
    assert header["format_version"] == version
    assert {name for name in upgrade.FIELDS if name in header} == {
        name for name, since in upgrade.FIELDS.items() if since <= version
    }
    found = unpack_model(packed)
    assert _same_model(found, model)
    assert (found.baseline, found.free_atoms) == (model.baseline, model.free_atoms)
    assert (found.spread_maps, found.distance) == (model.spread_maps, model.distance)
    assert (found.feature_distance is None) == (model.distance is None)
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
    packed = pack_model(replace(read_model_file(start / "model.pt"), **OLD, free_atoms=FREE))
    monkeypatch.setattr(upgrade, "FORMAT_VERSION", 2)
    with pytest.raises(ModelFileError, match=r"format version 3 .* is newer than 2"):
        unpack_model(packed)


def test_elements_that_the_descriptor_cannot_carry(trained, start):
    base = read_model_file(start / "model.pt")
    with pytest.raises(UnknownElementError, match="Au: the model's element table h-xe does not reach"):
        extended_elements(base, [8, 79])
    rows = [{"kind": "radial", "weight": "O", "eta": 0.1}]
    mode = {"type": "ACSF", "cutoff": 3.5, "radial": "gaussian_bump", "scaling": "linear", "functions": rows}
    with pytest.raises(UnknownElementError, match="H: the model's symmetry functions are of element mode"):
        extended_elements(replace(base, descriptor=mode), [1])
    counting = {**base.descriptor, "functions": [f for f in SPEC["functions"] if f["weight"] == "1"]}
    with pytest.raises(UnknownElementError, match="see no difference between O and H"):
        extended_elements(replace(base, descriptor=counting), [1])
    assert extended_elements(base, [1, 8, 16]) == [8, 1, 16]
    write_structures(start / "new.xyz", [replace(oxygen(1)[0], numbers=np.array([79, 8, 8, 8], np.int32))])
    with pytest.raises(UnknownElementError, match="table h-xe"):
        learn(make_learn_config(learn_values(start)))


def test_first_model_for_elements_to_come(tmp_path):
    write_structures(tmp_path / "train.xyz", oxygen(8))
    small = [f"--set=descriptor.options.{o}" for o in ("n_radial=3", "n_angular=2", "l_max=1")]
    options = ["--epochs=1", "--members=1", "--hidden=4", "--threads=1", *small]
    data = ["--data", str(tmp_path / "train.xyz"), "-o"]
    for name, more in {"closed.pt": [], "open.pt": ["--open-elements"]}.items():
        result = CliRunner().invoke(app, ["train", *data, str(tmp_path / name), *options, *more])
        assert result.exit_code == 0, result.output
    with pytest.raises(UnknownElementError, match="--open-elements"):
        extended_elements(read_model_file(tmp_path / "closed.pt"), [8, 1])
    assert extended_elements(read_model_file(tmp_path / "open.pt"), [8, 1, 79]) == [8, 1, 79]
    for preset in preset_names():
        options = {"preset": preset, "open_elements": True, "options": {"table": "h-xe"}}
        d = make_config({"data": "x", "output": "y", "descriptor": options}).descriptor
        spec = make_preset(d.preset, ["O"], **d.preset_options)
        assert spec["table"] == "h-xe"  # what is given comes first
        assert len({f["weight"] for f in spec["functions"] if f["kind"] == "radial"}) > 1
    with pytest.raises(ConfigError, match="open_elements belongs to presets"):
        settings(tmp_path, oxygen(2), descriptor={"open_elements": True})


def test_the_continued_model_is_the_model(tmp_path):
    """Members with their own scale and shift, as imported ones have, are carried over exactly."""
    structures = [s for s in clusters(12) if {1, 8} <= set(s.numbers.tolist())]
    model = random_model(SPEC, ["H", "O"], RandomModelOptions(n_members=3, hidden_layers=[5, 4]))
    rng = np.random.default_rng(0)
    model = replace(model, scale=model.scale * rng.uniform(0.5, 2.0, model.scale.shape))
    model = replace(model, shift=model.shift + rng.normal(0, 0.1, model.shift.shape))
    dataset = make_dataset(structures, [1, 8])
    store = Store(dataset, Descriptor(model.descriptor, ["H", "O"]), 2**30)
    write_model_file(model, tmp_path / "a.pt", verify=False)
    for epsilon in (None, 0.1, 10.0):
        fixed = continued_map(model, store.moments, epsilon)
        options = Options(dtype=torch.float64)
        potential = continued_potential(model, [1, 8], model.atomic_energies, fixed, options)
        write_model_file(potential.to_model_data(), tmp_path / "b.pt", verify=False)
        (a, fa), (b, fb) = (_predict(tmp_path / f"{k}.pt", structures) for k in "ab")
        # measured: 4e-16 eV and 6e-15 eV/Å
        assert np.abs(a - b).max() < 1e-12
        assert max(np.abs(x - y).max() for x, y in zip(fa, fb, strict=True)) < 1e-12
