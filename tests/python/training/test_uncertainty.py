"""What a run finds out about its uncertainty: maps from held-out structures, the distance from others."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file
from lmlp.io import write_structures
from lmlp.metrics import calibrate
from lmlp.model.spread import SpreadMaps, parse_spread_maps
from lmlp.training import train
from lmlp.training.calibration import HeldOut, evaluate_held_out, model_errors
from lmlp.training.state.checkpoint import load_checkpoint, load_model_data

from tests.python.training.toy import clusters, crystals, prepared, settings


def same_uncertainty(a, b):
    """Whether maps and distance are the same bits."""
    arrays = [(getattr(a, f"distance_{n}"), getattr(b, f"distance_{n}")) for n in ("shift", "scale", "axes")]
    told = (a.spread_maps, a.distance) == (b.spread_maps, b.distance)
    return told and all(np.array_equal(x, y) for x, y in arrays)


def test_a_run_ends_with_maps_and_a_distance(tmp_path):
    config = settings(tmp_path, clusters(60), epochs=15)
    run = prepared(config)
    model = run.train()
    with run.trainer.using(run.trainer.best.values):
        held = evaluate_held_out(
            run.trainer.potential, run.plan.store, run.plan.references, run.plan.split.holdout
        )
    maps = parse_spread_maps(model.spread_maps, model.elements)
    sigma = maps.sigma_forces(np.linalg.norm(held.force_spread, axis=1), held.force_species)
    lengths = np.linalg.norm(held.force_error, axis=1)
    assert np.mean((lengths / sigma) ** 2) == pytest.approx(1.0, abs=0.2)
    found = model.calibration["forces"]
    assert found["area"] == calibrate(sigma, held.force_error).area
    assert found["quantiles"]["0.5"] == pytest.approx(np.median(lengths / sigma), rel=0.3)
    assert found["elements"]["H"]["floor"] == model.spread_maps["forces"]["H"]["floor"]
    assert model.calibration["energy"]["factor"] == model.spread_maps["energy"]["factor"]
    assert model.spread_maps["stress"] == {"floor": 0.0, "factor": 2.0}  # molecules have none
    assert json.loads(json.dumps(model.calibration)) == model.calibration
    write_model_file(model, tmp_path / "model.pt")
    read = read_model_file(tmp_path / "model.pt")
    assert same_uncertainty(read, model)
    assert same_uncertainty(load_model_data(config.checkpoint), model)


def test_the_distance_is_that_of_the_structures_that_are_trained_on(tmp_path):
    config = settings(tmp_path, clusters(40), valid_fraction=0.3)
    run = prepared(config)
    plan = run.plan
    trained = np.unique(np.concatenate(plan.split.train))
    distance = plan.parts.distance
    assert distance.atoms.tolist() == plan.dataset.counts[trained].sum(axis=0).tolist()
    features = plan.store.features(trained)
    species = np.concatenate(
        [plan.dataset.species[slice(*plan.dataset.first_atom[[i, i + 1]])] for i in trained]
    )
    d = distance.distance(features, species)
    for e in range(2):
        np.testing.assert_allclose(
            distance.distance.shift[e], features[species == e].mean(axis=0), rtol=1e-12
        )
        n = (species == e).sum()
        assert np.quantile(d[species == e], 0.999) == pytest.approx(1.0, rel=1e-9), n
    # streamed from disk, and recomputed beyond the memory, the bits are the same
    for more in ({"stream": "always"}, {"memory_budget": 0}):
        again = prepared(settings(tmp_path, clusters(40), valid_fraction=0.3, **more)).plan.parts.distance
        for name in ("shift", "scale", "axes"):
            np.testing.assert_array_equal(getattr(again.distance, name), getattr(distance.distance, name))


def test_structures_of_other_files_do_not_count(tmp_path):
    write_structures(tmp_path / "valid.xyz", clusters(30, seed=8))
    config = settings(tmp_path, clusters(30), valid=[str(tmp_path / "valid.xyz")])
    plan = prepared(config).plan
    trained = np.unique(np.concatenate(plan.split.train))
    assert trained.max() < 30
    assert plan.parts.distance.atoms.sum() == plan.dataset.counts[trained].sum()


def test_one_member_has_a_distance_alone(tmp_path):
    model = train(settings(tmp_path, clusters(24), model={"members": 1}))
    assert (model.spread_maps, model.calibration) == (None, {})
    assert model.feature_distance is not None


def test_without_held_out_structures(tmp_path):
    config = settings(tmp_path, clusters(24), holdout_fraction=0.0)
    model = train(config)
    assert model.spread_maps == SpreadMaps.raw(2).block(["H", "O"])
    assert model.energy_rmse is None


def test_a_checkpoint_of_before_keeps_its_meaning(tmp_path):
    config = settings(tmp_path, clusters(24))
    train(config)
    state = torch.load(config.checkpoint, weights_only=True)
    assert same_uncertainty(load_model_data(config.checkpoint), load_model_data(config.checkpoint))
    del state["distance"]
    for key in ("spread_maps",):
        del state["results"][key]
    torch.save(state, config.checkpoint)
    model = load_model_data(config.checkpoint)
    assert (model.spread_maps, model.distance) == (None, None)
    assert model.force_uncertainty_factor != 2.0
    assert train(config, resume=True).distance is None


def test_stress_has_its_own_map(tmp_path):
    config = settings(tmp_path, crystals(40), epochs=8, loss={"stress": 1.0}, holdout_fraction=0.3)
    run = prepared(config)
    model = run.train()
    with run.trainer.using(run.trainer.best.values):
        held = evaluate_held_out(
            run.trainer.potential, run.plan.store, run.plan.references, run.plan.split.holdout
        )
    assert held.virial_error.shape == held.virial_spread.shape == (12, 3, 3)
    data = run.plan.dataset
    ids = run.plan.split.holdout
    write_model_file(model, tmp_path / "model.pt")
    from lmlp.evaluation import evaluate

    results = evaluate(tmp_path / "model.pt", [data.structures[i] for i in ids]).results
    for row, error, r in zip(ids, held.virial_error, results, strict=True):
        expected = (r.stress - r.structure.stress) * data.volumes[row] / 2
        np.testing.assert_allclose(error, expected, atol=1e-9)
    for spread, r in zip(held.virial_spread, results, strict=True):
        np.testing.assert_allclose(spread, r.prediction.uncertainty.virial_std / 2, atol=1e-9)
    found = model.calibration["stress"]
    assert found["n"] == 12 * 6
    assert {k: found[k] for k in ("floor", "factor")} == model.spread_maps["stress"]
    assert model.spread_maps["stress"]["floor"] > 0.0


def test_errors_that_are_no_numbers_give_maps_that_are(tmp_path):
    rng = np.random.default_rng(0)
    nothing = np.zeros((0, 3, 3))
    held = HeldOut(
        energy_error=np.array([0.1, np.nan, np.inf]),
        energy_spread=np.array([0.1, 0.2, np.nan]),
        energy_atoms=np.array([3, 4, 5]),
        force_error=np.full((4, 3), np.nan),
        force_spread=rng.normal(size=(4, 3)),
        force_species=np.array([0, 0, 1, 1]),
        virial_error=nothing,
        virial_spread=nothing,
    )
    found = model_errors(held, ["H", "O"])
    assert parse_spread_maps(found["spread_maps"], ["H", "O"]) is not None
    alone = dataclasses.replace(held, energy_spread=None, force_spread=None, virial_spread=None)
    assert "spread_maps" not in model_errors(alone, ["H", "O"])


def test_resumed_runs_have_the_same_bits(tmp_path):
    for name in ("straight", "broken"):
        (tmp_path / name).mkdir()
    straight = train(settings(tmp_path / "straight", clusters(24), epochs=4))
    short = settings(tmp_path / "broken", clusters(24), epochs=4, checkpoint_interval=1e-6)
    run = prepared(short)

    def interrupted(record):
        if record["epoch"] == 1:
            raise KeyboardInterrupt

    run.context.observer.on_epoch = interrupted
    with pytest.raises(KeyboardInterrupt):
        run.train()
    assert load_checkpoint(short.checkpoint)["results"] is None
    assert load_model_data(short.checkpoint).spread_maps == SpreadMaps.raw(2).block(["H", "O"])
    assert same_uncertainty(train(short, resume=True), straight)
