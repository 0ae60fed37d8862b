"""The trainer: learning, splits, memory budget, guards, time limit."""

import dataclasses

import numpy as np
import pytest
import torch
from lmlp.dataset.batches import make_batch
from lmlp.errors import ConfigError, DataError, TrainingError, UnknownElementError
from lmlp.training import Observer, train
from lmlp.training.gradients import batch_loss
from lmlp.training.schedule import Progress
from lmlp.training.state.checkpoint import load_checkpoint, load_model_data
from lmlp.training.state.log import read_log

from tests.python.training.toy import clusters, prepared, settings


def test_learns_a_pair_potential(tmp_path):
    config = settings(
        tmp_path, clusters(60), epochs=40, model={"hidden": [16]}, optimizer={"max_step": 0.02}, average=0.9
    )
    model = train(config)
    start, *epochs, end = read_log(config.log)
    assert (start["type"], end["type"], len(epochs)) == ("start", "end", 40)
    assert [e["epoch"] for e in epochs] == list(range(40))
    first, last = epochs[0]["valid"], epochs[-1]["valid"]
    # measured: 0.66 -> 0.13 eV/Å and 0.067 -> 0.014 eV/atom
    assert last["force_rmse"] < 0.4 * first["force_rmse"]
    assert last["energy_rmse"] < 0.5 * first["energy_rmse"]
    assert model.force_rmse == end["holdout"]["force_rmse"] < 0.4 * first["force_rmse"]
    assert model.force_uncertainty_factor != 2.0
    assert model.calibration["energy"]["n"] == 6
    assert set(model.calibration["forces"]["elements"]) == {"H", "O"}
    assert (model.feature_max >= model.feature_min).all()
    assert model.provenance["n_train"] == 42


def test_members_have_their_own_split_order_and_start(tmp_path):
    run = prepared(settings(tmp_path, clusters(30)))
    train0, train1 = (set(ids.tolist()) for ids in run.plan.split.train)
    valid0, valid1 = (set(ids.tolist()) for ids in run.plan.split.valid)
    holdout = set(run.plan.split.holdout.tolist())
    assert (len(train0), len(valid0), len(holdout)) == (21, 6, 3)
    assert train0 | valid0 == train1 | valid1 == set(range(30)) - holdout
    assert not train0 & valid0
    assert valid0 != valid1
    first, second = run.trainer.sampler.batches(0), run.trainer.sampler.batches(1)
    assert {i for step in first for i in step[0].tolist()} == train0
    assert not all(np.array_equal(a[0], b[0]) for a, b in zip(first, second, strict=True))
    weights = run.trainer.potential.network.weights[0]
    assert not torch.equal(weights[0], weights[1])


def test_a_member_learns_the_same_alone_and_in_company(tmp_path):
    """Batching members is bookkeeping only: no padding, mask or optimizer state leaks from one to another."""
    for name in ("alone", "pair"):
        (tmp_path / name).mkdir()
    optimizer = {"score_history": 5, "frozen": 0.2}
    alone = settings(tmp_path / "alone", clusters(24), model={"members": 1}, optimizer=optimizer)
    pair = settings(tmp_path / "pair", clusters(24), model={"members": 2}, optimizer=optimizer)
    one, two = train(alone), train(pair)
    for a, b in zip(one.weights + one.biases, two.weights + two.biases, strict=True):
        np.testing.assert_allclose(a[0], b[0], rtol=0, atol=1e-9)  # sums in another order, 18 steps
    assert one.force_uncertainty_factor == 2.0
    assert one.calibration == {}


@pytest.mark.parametrize("budget", [0, 12_000])
def test_a_small_memory_budget_gives_the_same_batches(tmp_path, budget, monkeypatch):
    monkeypatch.setattr("lmlp.dataset.store._CHUNK_ATOMS", 12)
    whole = prepared(settings(tmp_path, clusters(24))).trainer
    tight = prepared(settings(tmp_path, clusters(24), memory_budget=budget, stream="never")).trainer
    assert whole.store.n_cached == 24
    assert (tight.store.n_cached == 0) if budget == 0 else (0 < tight.store.n_cached < 24)
    assert tight.store.n_bytes <= budget
    groups = [np.array([3, 20, 9]), np.array([20, 1, 0])]
    (a, la), (b, lb) = (make_batch(t.store, t.references, groups) for t in (whole, tight))
    torch.testing.assert_close(a.inputs, b.inputs, rtol=0, atol=1e-12)  # matrix products of other sizes
    assert torch.equal(la.forces, lb.forces)
    assert np.array_equal(a.environments.neighbors, b.environments.neighbors)
    assert np.array_equal(a.environments.vectors, b.environments.vectors)


def test_a_loss_that_is_not_finite_names_the_structure_and_keeps_the_state(tmp_path):
    structures = clusters(24)
    forces = structures[17].forces.copy()
    forces[0, 0] = 1e30  # finite, but its square is not in float32
    structures[17] = dataclasses.replace(structures[17], forces=forces)
    config = settings(tmp_path, structures, dtype="float32", valid_fraction=0.0, holdout_fraction=0.0)
    with pytest.raises(TrainingError, match=r"step \d.*the loss is not finite for .*train.xyz:17: look at"):
        train(config)
    saved = load_checkpoint(config.checkpoint)
    assert all(torch.isfinite(p).all() for p in saved["parameters"])
    assert np.isfinite(load_model_data(config.checkpoint).weights[0]).all()


def test_a_gradient_that_is_not_finite_names_the_structure(tmp_path, monkeypatch):
    run = prepared(settings(tmp_path, clusters(12), valid_fraction=0.0, holdout_fraction=0.0))
    trainer = run.trainer
    now = []

    def spy(potential, store, references, groups, *arguments, **more):
        now[:] = np.concatenate(groups).tolist()
        return batch_loss(potential, store, references, groups, *arguments, **more)

    monkeypatch.setattr("lmlp.training.gradients.batch_loss", spy)
    trainer.parameters[0].register_hook(lambda g: g * float("nan") if 4 in now else g)
    before = [p.detach().clone() for p in trainer.parameters]
    with pytest.raises(TrainingError, match=r"the gradient is not finite for .*train.xyz:4: look at"):
        trainer.step([np.array([1, 4, 2]), np.array([3])], 0.0)
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.parameters, strict=True))
    assert not trainer.position.sums.values.any()  # errors of a step that was not taken are not counted


def test_energies_alone_are_learned(tmp_path):
    structures = [dataclasses.replace(s, forces=None) for s in clusters(40)]
    messages = []

    class Ear(Observer):
        def on_message(self, text):
            messages.append(text)

    config = settings(tmp_path, structures, epochs=30, optimizer={"max_step": 0.02}, average=0.9)
    model = train(config, observer=Ear())
    assert any("40 structures without forces" in m for m in messages)
    assert model.force_rmse is None
    epochs = read_log(config.log)[1:-1]
    assert epochs[0]["train"]["force_rmse"] is None
    assert epochs[-1]["train"]["energy_rmse"] < 0.5 * epochs[0]["train"]["energy_rmse"]


def test_structures_without_any_label_are_refused_by_name(tmp_path):
    structures = clusters(12)
    structures[5] = dataclasses.replace(structures[5], forces=None, energy=None)
    with pytest.raises(DataError, match=r"train.xyz:5: neither energy nor forces"):
        train(settings(tmp_path, structures))


def test_the_floor_of_the_settings_is_that_of_the_inputs(tmp_path):
    maps = []
    for floor in (0.0, 0.3):
        folder = tmp_path / str(floor)
        folder.mkdir()
        config = settings(folder, clusters(12), model={"members": 2, "hidden": [6, 5], "floor": floor})
        maps.append(prepared(config).trainer.potential.input_map.scale)
    assert (maps[1] <= maps[0]).all()
    assert (maps[1] < maps[0]).any()


def test_time_limit_ends_the_run_at_the_end_of_the_schedule(tmp_path):
    shares = []

    class Ear(Observer):
        def on_step(self, position, share, remaining):
            shares.append(share)

    config = settings(tmp_path, clusters(24), epochs=None, time_limit="4s")
    model = train(config, observer=Ear())
    assert shares == sorted(shares)
    assert shares[-2] < 1.0  # no step begins when the time is over
    end = read_log(config.log)[-1]
    assert end["type"] == "end"
    assert end["epochs"] < 1_000_000
    assert model.n_members == 2


def test_time_limit_ends_the_run_in_the_middle_of_an_epoch(tmp_path):
    class Clock(Progress):
        ticks = 0

        @property
        def elapsed(self):
            return self.ticks / (2 * n_steps + 1)

    trainer = prepared(settings(tmp_path, clusters(24), epochs=None, time_limit="1h")).trainer
    n_steps = len(trainer.sampler.batches(0))
    assert n_steps > 2
    progress = Clock(None, 1.0)
    shares, records = [], []

    def on_step(position):
        shares.append(progress.share(position.total))
        progress.ticks += 1

    trainer.run(progress, records.append, lambda: None, on_step)
    assert shares == pytest.approx(np.arange(2 * n_steps + 1) / (2 * n_steps + 1))
    assert [r["epoch"] for r in records] == [0, 1, 2]
    assert records[-1]["valid"]  # what the last epoch began counts


def test_held_out_file_is_used_for_errors_only(tmp_path):
    from lmlp.io import write_structures

    write_structures(tmp_path / "valid.xyz", clusters(8, seed=5))
    run = prepared(settings(tmp_path, clusters(24), valid=str(tmp_path / "valid.xyz")))
    assert run.plan.split.holdout.tolist() == list(range(24, 32))
    assert all(ids.max() < 24 for ids in run.plan.split.train + run.plan.split.valid)
    alone = prepared(settings(tmp_path, clusters(24), holdout_fraction=0.0))
    np.testing.assert_array_equal(
        run.trainer.potential.input_map.shift, alone.trainer.potential.input_map.shift
    )
    np.testing.assert_array_equal(
        run.trainer.potential.atomic_energies, alone.trainer.potential.atomic_energies
    )


def test_an_element_that_only_held_out_structures_have_is_refused_by_name(tmp_path):
    from lmlp.io import write_structures

    foreign = dataclasses.replace(clusters(1)[0], numbers=np.array([8, 1, 7], np.int32))
    write_structures(tmp_path / "valid.xyz", [foreign])
    with pytest.raises(UnknownElementError, match=r"valid.xyz:0 contains N; the model has H, O"):
        prepared(settings(tmp_path, clusters(24), valid=str(tmp_path / "valid.xyz")))


def test_too_few_structures_and_missing_folders_are_named(tmp_path):
    with pytest.raises(DataError, match="2 structures are too few"):
        train(settings(tmp_path, clusters(2), valid_fraction=0.9, holdout_fraction=0.9))
    with pytest.raises(ConfigError, match="nowhere does not exist"):
        prepared(settings(tmp_path, clusters(1), output=str(tmp_path / "nowhere" / "m.pt")))
