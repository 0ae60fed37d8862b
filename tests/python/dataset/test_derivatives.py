"""Stored derivatives give what the descriptor gives, and are stored when it pays."""

import signal

import numpy as np
import pytest
import torch
from lmlp.dataset.batches import make_batch
from lmlp.dataset.derivatives import derivative_bytes
from lmlp.errors import ConfigError
from lmlp.training import Observer, train
from lmlp.training.loss import LossWeights, structure_errors
from lmlp.training.state.checkpoint import load_checkpoint

from tests.python.training.toy import clusters, crystals, label, prepared, settings

GROUPS = [np.array([1, 7, 2]), np.array([4, 0, 6])]


class Ear(Observer):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def on_message(self, text):
        self.messages.append(text)


def _pair(folder, structures, **more):
    """Two trainers of equal weights, with computed and with stored derivatives."""
    more = {"valid_fraction": 0.0, "holdout_fraction": 0.0, **more}
    return [
        prepared(settings(folder, structures, derivatives=how, **more)).trainer
        for how in ("computed", "stored")
    ]


@pytest.mark.parametrize("kind", ["clusters", "crystals", "both"])
def test_forces_stresses_and_gradients_are_those_of_the_descriptor(tmp_path, kind):
    """Also where a cell is smaller than the cutoff (images of one atom), and for padded slots."""
    structures = {"clusters": clusters(8), "crystals": crystals(8), "both": clusters(4) + crystals(4)}[kind]
    trainers = _pair(tmp_path, structures)
    assert trainers[0].store.jacobians is None
    assert len(trainers[1].store.jacobians) == 8
    found = []
    for t in trainers:
        batch, labels = make_batch(t.store, t.references, GROUPS)
        assert (batch.stored is not None) == (t.store.jacobians is not None)
        prediction = t.potential.predict(batch, differentiable=True)
        errors = structure_errors(prediction, batch, labels)
        t.gradients(GROUPS, LossWeights(3.0, 1.0, 2.0))
        found.append((prediction, errors, [p.grad.clone() for p in t.parameters]))
    (a, ea, ga), (b, eb, gb) = found
    # rounding of sums of some hundred terms in double precision
    torch.testing.assert_close(a.energies, b.energies, rtol=0, atol=1e-13)
    torch.testing.assert_close(a.forces, b.forces, rtol=1e-12, atol=1e-13)
    assert a.forces.abs().max() > 0.01
    torch.testing.assert_close(ea.force, eb.force, rtol=1e-11, atol=1e-14)
    if kind != "clusters":
        assert ea.stress.max() > 0
        torch.testing.assert_close(ea.stress, eb.stress, rtol=1e-11, atol=1e-14)
    for x, y in zip(ga, gb, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-10, atol=1e-12)


def test_training_ends_at_the_same_model(tmp_path):
    models = []
    for how in ("computed", "stored"):
        (tmp_path / how).mkdir()
        models.append(train(settings(tmp_path / how, clusters(24), derivatives=how)))
    for a, b in zip(models[0].weights, models[1].weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9)  # 18 steps in double precision
    assert models[0].force_rmse == pytest.approx(models[1].force_rmse, rel=1e-8)


def test_a_resumed_run_stores_them_again_whatever_the_settings_say_now(tmp_path):
    """Few epochs more or less change what automatic chooses; the bits of a resumed run must not."""
    for folder in ("straight", "broken"):
        (tmp_path / folder).mkdir()
    expected = train(settings(tmp_path / "straight", clusters(24), derivatives="stored", dtype="float32"))

    class Stop(Observer):
        def on_step(self, position, share, remaining):
            if position.total == 8:
                signal.raise_signal(signal.SIGINT)

    broken = settings(tmp_path / "broken", clusters(24), derivatives="stored", dtype="float32")
    with pytest.raises(KeyboardInterrupt):
        train(broken, observer=Stop())
    assert load_checkpoint(broken.checkpoint)["stored_derivatives"] is True
    ear = Ear()
    model = train(broken, observer=ear, resume=True)
    assert any("derivatives of" in m and "stored" in m for m in ear.messages)
    assert all(np.array_equal(a, b) for a, b in zip(model.weights, expected.weights, strict=True))


def test_automatic_stores_for_many_epochs_within_the_budget(tmp_path):
    def stored(**more):
        ear = Ear()
        run = prepared(settings(tmp_path, clusters(24), **more), observer=ear)
        return run.trainer.store.jacobians is not None, " ".join(ear.messages)

    assert stored(epochs=1)[0] is False  # fewer passes than network inputs
    assert stored(epochs=50)[0] is True
    assert stored(epochs=50, derivatives="computed")[0] is False
    kept, said = stored(epochs=50, memory_budget=20_000)
    assert not kept
    assert "computed at every step: to store the derivatives takes" in said
    with pytest.raises(ConfigError, match=r"derivatives: to store the derivatives takes .* memory_budget"):
        stored(derivatives="stored", memory_budget=20_000)


def test_energies_alone_need_no_derivatives(tmp_path):
    run = prepared(settings(tmp_path, clusters(24), derivatives="stored", loss={"force": 0.0, "stress": 0.0}))
    assert run.trainer.store.jacobians is None


def test_atoms_that_do_not_see_each_other_take_no_memory(tmp_path):
    """Three atoms in a row, 3 Å apart with a cutoff of 3.5 Å: the outer ones do not see each other."""
    numbers, positions = [8, 1, 8], np.array([[0.0, 0, 0], [3.0, 0, 0], [6.0, 0, 0]])
    rows = [label(numbers, positions + 0.1 * np.random.default_rng(k).random((3, 3))) for k in range(4)]
    more = {"valid_fraction": 0.0, "holdout_fraction": 0.0, "model": {"decorrelation": None}}
    ear = Ear()
    run = prepared(settings(tmp_path, rows, derivatives="stored", **more), observer=ear)
    store = run.trainer.store
    assert store.jacobians.n_bytes == 4 * 7 * 3 * store.input_map.n_inputs * 8  # 7 of 9 blocks, float64
    assert derivative_bytes(store, np.arange(4), 10**9)[0] == store.jacobians.n_bytes
    # the first structure alone is too much: the others are taken to be like it
    assert derivative_bytes(store, np.arange(4), 10) == (
        store.jacobians.n_bytes,
        store.jacobians.n_bytes // 12,
    )
