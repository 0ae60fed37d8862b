"""The trainable potential: forces, stress, batches, and folding into plain model data."""

import numpy as np
import pytest
import torch
from lmlp.dataset.arrays import make_dataset
from lmlp.dataset.batches import make_batch, make_references
from lmlp.dataset.store import Store
from lmlp.model.potential import pair_stress
from lmlp.neighbors import find_neighbors
from lmlp.structure import Structure

from tests.python.activations import numpy_activation
from tests.python.training.toy import clusters, crystals, prepared, settings


@pytest.fixture(scope="module")
def trainer(tmp_path_factory):
    """A prepared, shaken-up ensemble on clusters of different sizes."""
    trainer = prepared(settings(tmp_path_factory.mktemp("run"), clusters(24), derivatives="computed")).trainer
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in trainer.parameters:
            p.add_(0.1 * torch.randn(p.shape, generator=generator, dtype=p.dtype))
    return trainer


def predict(trainer, structure, **more):
    """Member predictions for one structure, atoms in their own order."""
    dataset = make_dataset([structure], trainer.store.dataset.numbers)
    store = Store(dataset, trainer.potential.descriptor, 0, statistics=False)
    potential = trainer.potential
    store.set_inputs(potential.input_map, potential.dtype)
    references = make_references(dataset, potential.atomic_energies)
    batch, labels = make_batch(store, references, [np.array([0])], shared=True)
    prediction = potential.predict(batch, **more)
    forces = torch.empty_like(prediction.forces)
    forces[:, torch.from_numpy(dataset.order)] = prediction.forces
    return prediction.energies.detach(), forces.detach(), prediction, batch, labels


def moved(s: Structure, **changes) -> Structure:
    values = {k: getattr(s, k) for k in ("numbers", "positions", "cell", "pbc", "energy", "forces", "stress")}
    return Structure(**{**values, **changes})


def test_forces_are_the_derivative_of_the_energy(trainer):
    structure = clusters(3, seed=9)[2]
    forces = predict(trainer, structure)[1]
    step = 1e-4
    for atom, axis in ((0, 0), (1, 2), (4, 1)):
        ends = []
        for sign in (1, -1):
            positions = structure.positions.copy()
            positions[atom, axis] += sign * step
            ends.append(predict(trainer, moved(structure, positions=positions))[0])
        # central differences: error of order step² times third derivatives of order 1
        expected = -(ends[0] - ends[1])[:, 0] / (2 * step)
        torch.testing.assert_close(forces[:, atom, axis], expected, rtol=1e-6, atol=1e-7)


def test_stress_is_the_strain_derivative(trainer):
    structure = crystals(1)[0]
    *_, prediction, batch, labels = predict(trainer, structure)
    stress = pair_stress(prediction.pair_gradients, batch, labels.volumes)[:, 0]
    step = 1e-5
    for a, b in ((0, 0), (1, 2)):
        ends = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[a, b] += sign * step / 2
            strain[b, a] += sign * step / 2
            strained = moved(structure, positions=structure.positions @ strain, cell=structure.cell @ strain)
            ends.append(predict(trainer, strained)[0])
        expected = (ends[0] - ends[1]) / (2 * step) / structure.volume
        torch.testing.assert_close(stress[:, a, b], expected[:, 0], rtol=1e-6, atol=1e-8)


def test_own_batches_equal_shared_ones(trainer):
    """Members with structures of different size in one padded batch get what they get alone."""
    groups = [np.array([0, 5, 2]), np.array([2, 1, 0])]
    batch, labels = make_batch(trainer.store, trainer.references, groups)
    assert len(batch.structure) > int(batch.n_atoms.sum())  # padding takes part
    own = trainer.potential.predict(batch)
    ids = np.array([0, 1, 2, 5])
    shared_batch, shared_labels = make_batch(trainer.store, trainer.references, [ids], shared=True)
    shared = trainer.potential.predict(shared_batch)
    for s, (m, i) in enumerate(zip(labels.member, labels.ids, strict=True)):
        k = int(np.flatnonzero(ids == i)[0])
        torch.testing.assert_close(own.energies[s], shared.energies[m, k], rtol=0, atol=1e-12)
        a, b = batch.structure == s, shared_batch.structure == k
        torch.testing.assert_close(own.forces[a], shared.forces[m, b], rtol=0, atol=1e-12)
        torch.testing.assert_close(labels.forces[a], shared_labels.forces[b], rtol=0, atol=0)


def test_folded_model_equals_the_trained_one(trainer):
    data = trainer.potential.to_model_data()
    assert data.weights[0].shape == (2, 2, 6, trainer.potential.descriptor.n_features)
    for structure in (*clusters(3, seed=4), crystals(1, seed=2)[0]):
        energies = predict(trainer, structure)[0]
        species = np.array([[1, 8].index(z) for z in structure.numbers])
        env = find_neighbors(
            structure.positions, structure.cell, structure.pbc, trainer.potential.descriptor.cutoff
        )
        features = trainer.potential.descriptor.features(env, species[env.neighbors].astype(np.int32))
        for m in range(2):
            total = 0.0
            for g, e in zip(features, species, strict=True):
                x = data.scale[m, e] * (g - data.shift[m, e])
                for layer, (w, c) in enumerate(zip(data.weights, data.biases, strict=True)):
                    x = w[m, e] @ x + c[m, e]
                    if layer < len(data.weights) - 1:
                        x = numpy_activation(data.activation, layer, x)
                total += x[0]
            assert energies[m, 0].item() == pytest.approx(total, abs=1e-12)
