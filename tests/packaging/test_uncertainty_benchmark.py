"""The benchmark of uncertainties: maps, measures, distances, gradients of last layers, a tiny run."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from lmlp.io import write_structures
from lmlp.training.trainer import Trainer

from tests.packaging.in_process import load
from tests.python.training.toy import SPEC, clusters

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "uncertainty"
FILES = ("training", "prediction", "measures", "maps", "distances", "finish", "likelihood", "langevin")
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the benchmarks are not part of this copy")


@pytest.fixture
def load_file(monkeypatch):
    def loaded(name):
        files = [*FILES, "last_layer", "methods", "tables", "run"]
        return load(monkeypatch, FOLDER, *files[: files.index(name) + 1])

    return loaded


@pytest.fixture
def tiny(tmp_path):
    structures = clusters(60, seed=2)
    write_structures(tmp_path / "train.xyz", structures[:44])
    write_structures(tmp_path / "test.xyz", structures[44:])
    settings = {
        "title": "clusters",
        "train": [str(tmp_path / "train.xyz")],
        "tests": {"test": {"files": [str(tmp_path / "test.xyz")]}},
        "config": {
            "descriptor": {"spec": SPEC},
            "model": {"hidden": [4]},
            "holdout_fraction": 0.2,
            "average": 0.5,
            "epochs": 10,
        },
    }
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(settings))
    return tmp_path / "tiny.yaml"


def test_the_map_finds_what_was_planted(load_file) -> None:
    maps, rng = load_file("maps"), np.random.default_rng(1)
    s, groups = rng.gamma(2.0, 0.1, 4000), rng.integers(0, 2, 4000)
    sigma = np.where(groups == 0, np.hypot(0.05, 2.0 * s), np.hypot(0.2, 0.5 * s))
    errors = rng.normal(size=(4000, 3)) * sigma[:, None] / np.sqrt(3.0)
    found = maps.hypot_map([s], (errors**2).sum(axis=1), groups, 2)([s], groups)
    assert np.abs(found / sigma - 1.0).max() < 0.15
    few = maps.hypot_map([s[:6]], errors[:6, 0] ** 2, np.zeros(6, dtype=int), 1, components=1, usual=7.0)
    assert few([np.ones(1)], np.zeros(1, dtype=int))[0] > 4.0  # six errors do not tell the slope


def test_the_monotone_map_is_the_nearest_one(load_file) -> None:
    maps = load_file("maps")
    assert maps.pooled(np.array([1.0, 3.0, 1.0, 2.0, 5.0])).tolist() == [1.0, 2.0, 2.0, 2.0, 5.0]
    zero = np.zeros(3, dtype=int)
    found = maps.monotone_map(np.array([1.0, 2.0, 3.0]), np.array([1.0, 9.0, 4.0]), zero, 1)
    assert found([np.array([0.0, 1.5, 9.0])], zero) == pytest.approx(np.sqrt([1.0, 3.75, 6.5]))


def test_measures_of_ideal_errors(load_file) -> None:
    measures, rng = load_file("measures"), np.random.default_rng(2)
    sigma = rng.gamma(3.0, 0.1, 20000)
    error = rng.normal(size=(20000, 3)) * sigma[:, None] / np.sqrt(3.0)
    found = measures.force_measures(sigma, error)
    assert found["area"] < 0.005
    assert found["within_68"] == pytest.approx(0.68, abs=0.01)
    assert found["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    for wrong in (0.5, 2.0):
        other = measures.force_measures(wrong * sigma, error)
        assert other["area"] > 0.1
        assert other["nll"] > found["nll"]
        assert other["crps"] > found["crps"]
        assert other["auroc"] == found["auroc"]
    score = np.arange(10.0)
    assert measures.auroc(score, score > 7) == 1.0
    assert measures.auroc(score, score < 2) == 0.0


def test_distances_tell_far_from_near(load_file) -> None:
    distances, rng = load_file("distances"), np.random.default_rng(3)
    known = rng.normal(size=(500, 40)) * np.geomspace(1.0, 0.01, 40)
    species = rng.integers(0, 2, 500)
    found = distances.Distances(known, species, 2, 1)
    probes = np.concatenate([known[:50], 10.0 * known[:50]])
    kinds = np.concatenate([species[:50]] * 2)
    for measured in (found.mahalanobis, found.nearest):
        d = measured(probes, kinds)
        assert d[50:].min() > d[:50].max()
    d = found.mahalanobis(known, species)
    assert np.mean(d[species == 0] ** 2) == pytest.approx(40.0, rel=0.02)  # one per direction


def test_gradients_of_last_layers_give_the_forces(load_file, tiny, tmp_path) -> None:
    last_layer, prediction, training = load_file("last_layer"), *map(load_file, ("prediction", "training"))
    settings = yaml.safe_load(tiny.read_text())
    trained = training.train_plain(settings, 3, 1, tmp_path / "trained")
    plan = trained.plan
    of = prediction.Structures(plan.store, plan.references, np.arange(20))
    members = prediction.predict(prediction.potential_of(plan, trained.weights), of)
    units = last_layer.unit_members(plan, trained.weights, 1)
    network = prediction.potential_of(plan, trained.weights).network
    n = network.n_layers
    w = torch.cat([network.weights[(e + 1) * n - 1][1, :, 0] for e in range(2)]).detach().double().numpy()
    c = np.array([float(network.biases[(e + 1) * n - 1].detach()[1, 0, 0]) for e in range(2)])
    energies, forces, structure = map(np.concatenate, zip(*last_layer.gradients(units, of), strict=True))
    assert forces @ w == pytest.approx(members.forces[1], abs=1e-5)
    totals = energies @ w + plan.dataset.counts[:20] @ c
    assert totals / of.n_atoms == pytest.approx(members.energies[1], abs=1e-5)
    assert np.bincount(structure).tolist() == of.n_atoms.tolist()


def test_first_members_go_on_as_they_were(load_file, tiny, tmp_path) -> None:
    finish, training = load_file("finish"), load_file("training")
    trained = training.train_plain(yaml.safe_load(tiny.read_text()), 3, 1, tmp_path / "trained")
    assert (
        training.train_plain(yaml.safe_load(tiny.read_text()), 3, 1, tmp_path / "trained").cpu == trained.cpu
    )
    trainer = finish.take_over(Trainer, trained, 2, trained.plan.sampler)
    state = trained.before_finish
    assert trainer.position.epoch == 8
    assert all(torch.equal(p, q[:2]) for p, q in zip(trainer.parameters, state["parameters"], strict=True))
    for groups in trained.plan.sampler.batches(8):
        trainer.step(groups[:2], 0.8)
    other = finish.take_over(Trainer, trained, 3, trained.plan.sampler)
    for groups in trained.plan.sampler.batches(8):
        other.step(groups, 0.8)
    for p, q in zip(trainer.parameters, other.parameters, strict=True):
        assert torch.allclose(p, q[:2], atol=1e-5)


def test_tiny_run(load_file, tiny, tmp_path, monkeypatch, capsys) -> None:
    run = load_file("run")
    out = tmp_path / "out"
    arguments = [str(tiny), "--output", str(out)]
    run.main(arguments)
    found = {p.parent.name: json.loads(p.read_text()) for p in out.glob("*/seed-1.json")}
    assert set(found) == {m for m in run.METHODS if run.members_of(m) <= 4}
    for outcome in found.values():
        for quantity in ("force", "energy"):
            values = outcome["results"]["test"][quantity]
            assert all(np.isfinite(v) for v in values.values())
        assert outcome["training"] > 0.0
    error = {m: outcome["results"]["test"]["force"]["rmse"] for m, outcome in found.items()}
    assert error["members-4"] == error["members-4-factor"] == error["mahalanobis-4"]
    assert len({error[m] for m in ("members-4", "squares-4", "nll-4", "crps-4", "langevin-4")}) == 5
    table = (out / "table.md").read_text()
    assert "| plain ensemble and last-layer Laplace | 4 |" in table
    assert "| last-layer Laplace | 1 |" in table
    capsys.readouterr()
    monkeypatch.setattr(run, "METHODS", dict.fromkeys(run.METHODS))
    run.main(arguments)  # all is there
    assert capsys.readouterr().out.count("done before") == len(found)
