"""The last share of a run by the likelihood of forces: formula, gradient, batches, resuming, refusals."""

import dataclasses

import numpy as np
import pytest
import torch
from lmlp.dataset.batches import make_batch
from lmlp.errors import ConfigError
from lmlp.selection.sampler import SharedBatches
from lmlp.training import train
from lmlp.training.finish.likelihood import ForceLikelihood, fit_force_likelihood
from lmlp.training.finish.phase import Finish
from lmlp.training.loss import LossWeights, structure_errors
from lmlp.training.state.checkpoint import load_checkpoint
from lmlp.training.state.log import read_log

from tests.python.training.test_resume import StopAt
from tests.python.training.toy import clusters, crystals, prepared, settings

GROUP = np.array([0, 1, 12, 5])
WEIGHTS = LossWeights(energy=3.0, force=0.7, stress=2.0)
LIKELIHOOD = ForceLikelihood(
    torch.tensor([0.3, 0.2], dtype=torch.float64), torch.tensor([1.5, 0.8], dtype=torch.float64), 0.07
)


@pytest.fixture(scope="module")
def trainer(tmp_path_factory):
    structures = clusters(12)
    structures[1] = dataclasses.replace(structures[1], forces=None)
    values = {"valid_fraction": 0.0, "holdout_fraction": 0.0, "model": {"members": 3, "output_scale": 1.0}}
    folder = tmp_path_factory.mktemp("run")
    trainer = prepared(settings(folder, structures + crystals(4), **values)).trainer
    trainer._gradients.likelihood = LIKELIHOOD
    return trainer


def predicted(trainer):
    """A batch that three members share, and what they say of it."""
    batch, labels = make_batch(trainer.store, trainer.references, [GROUP] * 3)
    return trainer.potential.predict(batch), batch, labels


def by_structure(trainer):
    """Species, labels and forces of all members of the atoms of each structure, in plain numpy."""
    prediction, batch, labels = predicted(trainer)
    bounds = batch.element_slots
    species = np.repeat(np.arange(2), np.diff(bounds))
    found = []
    for s in range(len(GROUP)):
        rows = [np.flatnonzero(batch.structure.numpy() == m * len(GROUP) + s) for m in range(3)]
        forces = np.stack([prediction.forces.numpy()[r] for r in rows])
        found.append((species[rows[0]], labels.forces.numpy()[rows[0]], forces))
    return found


def test_value_is_the_density_of_a_gaussian(trainer):
    from scipy.stats import multivariate_normal

    term = LIKELIHOOD(*predicted(trainer), 3)
    for s, (species, labels, forces) in enumerate(by_structure(trainer)):
        total = 0.0
        for e, label, own in zip(species, labels, forces.swapaxes(0, 1), strict=True):
            spread = own.std(axis=0, ddof=1)
            floor, factor = LIKELIHOOD.floors[e].item(), LIKELIHOOD.factors[e].item()
            variance = (floor**2 + factor**2 * (spread**2).sum()) / 3
            density = multivariate_normal.logpdf(label, own.mean(axis=0), variance * np.eye(3))
            total -= density + 1.5 * np.log(2 * np.pi * 0.07)
        expected = 0.0 if GROUP[s] == 1 else 2 * 0.07 * total / (3 * len(species))
        assert term.view(3, -1)[:, s].tolist() == pytest.approx([expected] * 3, rel=1e-12)


def test_where_all_variances_are_that_of_the_errors_it_is_their_square(trainer):
    plain = ForceLikelihood(torch.full((2,), (3 * 0.07) ** 0.5), torch.zeros(2), 0.07)
    term = plain(*predicted(trainer), 3)
    for s, (_, labels, forces) in enumerate(by_structure(trainer)):
        expected = 0.0 if GROUP[s] == 1 else np.mean((forces.mean(axis=0) - labels) ** 2)
        assert term[s].item() == pytest.approx(expected, rel=1e-6)  # floors in single precision


def test_gradient_by_central_differences(trainer):
    trainer.gradients([GROUP] * 3, WEIGHTS)
    step = 1e-6
    generator = torch.Generator().manual_seed(0)

    def loss():
        prediction, batch, labels = predicted(trainer)
        errors = structure_errors(prediction, batch, labels)
        other = WEIGHTS.energy**2 * errors.energy + WEIGHTS.stress * errors.stress
        force = WEIGHTS.force * LIKELIHOOD(prediction, batch, labels, 3)
        return ((other + force).sum() / len(GROUP)).item()

    for p in trainer.parameters:
        direction = torch.randn(p.shape, generator=generator, dtype=p.dtype)
        expected = (p.grad * direction).sum().item()
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                p.add_(sign * step * direction)
            ends.append(loss())
            with torch.no_grad():
                p.sub_(sign * step * direction)
        # rounding of the loss (about 1e-14 relative) over the step
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(expected, rel=1e-6, abs=1e-7)


def test_a_structure_whose_gradient_is_not_finite_is_named_once(trainer):
    spoil = trainer.parameters[-1].register_hook(lambda gradient: gradient * float("nan"))
    found = trainer._gradients.not_finite([GROUP] * 3, WEIGHTS)
    spoil.remove()
    assert found.tolist() == GROUP.tolist()
    assert not len(trainer._gradients.not_finite([GROUP] * 3, WEIGHTS))


def test_atoms_whose_spread_vanishes_have_a_bounded_weight(tmp_path):
    trainer = prepared(settings(tmp_path, clusters(12))).trainer
    with torch.no_grad():
        for p in trainer.parameters:
            p.copy_(p[:1].expand_as(p))  # equal members
    found = fit_force_likelihood(trainer.potential, trainer.store, trainer.references, np.arange(10))
    atoms = slice(0, trainer.store.dataset.first_atom[10])
    assert found.variance > 0
    for e in range(2):
        own = trainer.store.dataset.forces[atoms][trainer.store.dataset.species[atoms] == e]
        assert found.floors[e] >= 0.05 * np.sqrt((own**2).sum(axis=1).mean())


def test_all_members_see_the_same_structures_of_all_of_them():
    members = [np.array([0, 1, 2, 3, 4, 5]), np.array([2, 3, 4, 5, 6, 7]), np.array([0, 1, 4, 5, 6, 7])]
    sampler = SharedBatches(members, batch_size=2, seed=3)
    assert sampler.n_steps == 3
    seen = set()
    for epoch in range(20):
        steps = sampler.batches(epoch)
        assert all(np.array_equal(step[0], ids) for step in steps for ids in step)
        drawn = np.concatenate([step[0] for step in steps])
        assert len(drawn) == len(set(drawn.tolist())) == 6
        again = np.concatenate([step[0] for step in sampler.batches(epoch)])
        assert np.array_equal(drawn, again)
        seen |= set(drawn.tolist())
    assert seen == set(range(8))


@pytest.mark.parametrize(("share", "epochs", "first"), [(0.2, 10, 8), (0.25, 6, 4), (0.4, 7, 4), (0.9, 3, 1)])
def test_it_begins_with_the_epoch_whose_middle_lies_in_it(share, epochs, first):
    finish = Finish(share, SharedBatches([np.arange(3)], 1, 0), np.arange(3))
    assert [finish.is_due(e / epochs, e) for e in range(epochs)] == [e >= first for e in range(epochs)]


def _settings(folder, **more):
    folder.mkdir()
    values = {"epochs": 6, "loss": {"likelihood": 0.5}, "optimizer": {"score_history": 4, "frozen": 0.2}}
    return settings(folder, clusters(24), **{**values, **more})


def _epochs(config):
    keys = ("epoch", "train", "valid", "phase")
    records = [r for r in read_log(config.log) if r["type"] == "epoch"]
    return [{k: r[k] for k in keys if k in r} for r in records]


@pytest.mark.parametrize("step", [8, 18, 19, 20])  # before; the last step before; the first; within
def test_resumed_runs_end_with_the_same_bits(tmp_path, step):
    straight = _settings(tmp_path / "straight")
    expected = train(straight)
    broken = _settings(tmp_path / "broken")
    with pytest.raises(KeyboardInterrupt):
        train(broken, observer=StopAt(step))
    assert (load_checkpoint(broken.checkpoint)["likelihood"] is not None) == (step > 18)
    model = train(broken, resume=True)
    for a, b in zip(model.weights + model.biases, expected.weights + expected.biases, strict=True):
        assert np.array_equal(a, b)
    assert _epochs(broken) == _epochs(straight)
    assert model.spread_maps == expected.spread_maps


def test_what_comes_before_is_the_plain_run_and_afterwards_nothing_is_chosen(tmp_path):
    plain, config = _settings(tmp_path / "plain", loss={}), _settings(tmp_path / "likelihood")
    train(plain), train(config)
    before, found = _epochs(plain), _epochs(config)
    assert found[:3] == before[:3]
    assert [r.get("phase") for r in found] == [None] * 3 + ["likelihood"] * 3
    assert [bool(r["valid"]) for r in found] == [True] * 3 + [False] * 3
    assert all("phase" not in r for r in before)
    state = load_checkpoint(config.checkpoint)
    assert state["best_epoch"].tolist() == [5, 5]
    assert all(torch.equal(a, b) for a, b in zip(state["best"], state["average"], strict=True))
    assert load_checkpoint(plain.checkpoint)["likelihood"] is None


def test_spread_comes_nearer_to_the_errors(tmp_path):
    found = {}
    for share in (0.0, 0.4):
        folder = tmp_path / str(share)
        folder.mkdir()
        more = {"model": {"members": 4, "hidden": [10, 10]}, "loss": {"likelihood": share}, "epochs": 40}
        model = train(settings(folder, clusters(240), **more, holdout_fraction=0.5, batch_size=4))
        found[share] = model.calibration["forces"]
    assert found[0.4]["nll"] < found[0.0]["nll"]
    assert found[0.4]["spearman"] > found[0.0]["spearman"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": {"members": 1}}, r"model: .*spread of several members"),
        ({"selection": "adaptive"}, r"selection: .*leave one of the two out"),
        ({"epochs": 2, "loss": {"likelihood": 0.2}}, r"epochs: .*less than half an epoch"),
        ({"loss": {"likelihood": 1.0}}, r"loss.likelihood: .*less than 1"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, values, message):
    with pytest.raises(ConfigError, match=message):
        settings(tmp_path, clusters(12), **{"loss": {"likelihood": 0.5}, **values})


def test_data_without_forces_are_refused(tmp_path):
    structures = [dataclasses.replace(s, forces=None) for s in clusters(24)]
    with pytest.raises(ConfigError, match="the training structures have none"):
        prepared(settings(tmp_path, structures, loss={"likelihood": 0.5}))
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(ConfigError, match=r"loss\.force is 0"):
        prepared(settings(other, clusters(24), loss={"likelihood": 0.5, "force": 0.0}))
