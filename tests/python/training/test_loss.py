"""The loss: its value from plain numbers, its gradient by central differences, missing labels."""

import dataclasses

import numpy as np
import pytest
import torch
from lmlp.training.loss import LossWeights, structure_errors

from tests.python.training.toy import clusters, crystals, prepared, settings


def _mixed():
    """Clusters with and without labels, and crystals with stress."""
    structures = clusters(12)
    structures[1] = dataclasses.replace(structures[1], forces=None)
    structures[2] = dataclasses.replace(structures[2], energy=None)
    return structures + crystals(4)


@pytest.fixture(scope="module")
def trainer(tmp_path_factory):
    values = {"valid_fraction": 0.0, "holdout_fraction": 0.0, "derivatives": "computed"}
    return prepared(settings(tmp_path_factory.mktemp("run"), _mixed(), **values)).trainer


GROUPS = [np.array([0, 1, 2, 12]), np.array([13, 2, 3])]
WEIGHTS = LossWeights(energy=3.0, force=0.7, stress=2.0)


def _loss(trainer) -> torch.Tensor:
    from lmlp.dataset.batches import make_batch

    batch, labels = make_batch(trainer.store, trainer.references, GROUPS)
    prediction = trainer.potential.predict(batch, differentiable=True)
    losses = structure_errors(prediction, batch, labels).loss(WEIGHTS)
    return (losses * labels.weights).sum()


def test_gradient_by_central_differences(trainer):
    trainer.gradients(GROUPS, WEIGHTS)
    step = 1e-6
    generator = torch.Generator().manual_seed(0)
    for p in trainer.parameters:
        direction = torch.randn(p.shape, generator=generator, dtype=p.dtype)
        expected = (p.grad * direction).sum().item()
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                p.add_(sign * step * direction)
            ends.append(_loss(trainer).item())
            with torch.no_grad():
                p.sub_(sign * step * direction)
        # rounding of the loss (about 1e-14 relative) over the step
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(expected, rel=1e-6, abs=1e-7)


def test_value_from_the_prediction_in_plain_numpy(trainer):
    from lmlp.dataset.batches import make_batch
    from lmlp.model.potential import pair_stress

    batch, labels = make_batch(trainer.store, trainer.references, GROUPS)
    prediction = trainer.potential.predict(batch)
    dataset = trainer.store.dataset
    stress = pair_stress(prediction.pair_gradients, batch, labels.volumes)
    total = 0.0
    for s, i in enumerate(np.concatenate(GROUPS)):
        structure = dataset.structures[i]
        n = len(structure)
        value = 0.0
        if structure.energy is not None:
            rest = structure.energy - dataset.counts[i] @ trainer.potential.atomic_energies
            value += 3.0**2 * ((prediction.energies[s].item() - rest) / n) ** 2
        if structure.forces is not None:
            slots = (batch.structure == s).numpy()
            atoms = slice(dataset.first_atom[i], dataset.first_atom[i + 1])
            own = np.sort(np.linalg.norm(structure.forces, axis=1))
            np.testing.assert_allclose(np.sort(np.linalg.norm(dataset.forces[atoms], axis=1)), own)
            value += 0.7 * np.mean((prediction.forces.numpy()[slots] - labels.forces.numpy()[slots]) ** 2)
        if structure.stress is not None:
            difference = structure.volume / n * (stress[s].numpy() - structure.stress)
            value += 2.0 * np.mean(difference**2)
        total += value / (4 if s < 4 else 3)
    assert _loss(trainer).item() == pytest.approx(total, rel=1e-12)


def test_structures_without_a_label_have_no_part_in_it(trainer):
    from lmlp.dataset.batches import make_batch

    batch, labels = make_batch(trainer.store, trainer.references, [np.array([1, 2]), np.array([0])])
    errors = structure_errors(trainer.potential.predict(batch), batch, labels)
    assert errors.force[0] == 0 < errors.energy[0]
    assert errors.energy[1] == 0 < errors.force[1]
    assert errors.stress is None


def test_error_sums_are_root_mean_squares_in_physical_units(trainer):
    from lmlp.dataset.batches import make_batch
    from lmlp.training.metrics import ErrorSums

    sums = ErrorSums(2)
    squares = {"energy_rmse": [], "force_rmse": []}
    dataset = trainer.store.dataset
    for start in (0, 8):
        groups = [np.arange(start, start + 4), np.arange(start + 4, start + 8)]
        batch, labels = make_batch(trainer.store, trainer.references, groups)
        prediction = trainer.potential.predict(batch)
        errors = structure_errors(prediction, batch, labels)
        sums.add(errors, errors.loss(WEIGHTS), batch, labels)
        for s, i in enumerate(labels.ids):
            structure = dataset.structures[i]
            if structure.energy is not None:
                rest = structure.energy - dataset.counts[i] @ trainer.potential.atomic_energies
                squares["energy_rmse"].append(((prediction.energies[s].item() - rest) / len(structure)) ** 2)
            if structure.forces is not None:
                slots = (batch.structure == s).numpy()
                difference = prediction.forces.numpy()[slots] - labels.forces.numpy()[slots]
                squares["force_rmse"] += (difference**2).ravel().tolist()
    summary = sums.summary(members=True)
    for name, values in squares.items():
        assert summary[name] == pytest.approx(np.sqrt(np.mean(values)), rel=1e-12)
    assert summary["virial_rmse"] > 0  # the crystals are among them
    assert summary["members"]["force_rmse"][0] != summary["members"]["force_rmse"][1]
