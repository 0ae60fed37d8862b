"""Every activation function of the core has a formula, a test and the same values and slopes everywhere."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lmlp import _core
from lmlp.descriptor.compute import Descriptor
from lmlp.model import network
from lmlp.model.activations import ACTIVATION_NAMES
from lmlp.model.number_range import STEEPEST

from tests.python import activations
from tests.python.descriptor.inputs import make
from tests.python.model_files import arrays, header, model_bytes, safetensors_bytes

ENDS = np.concatenate([np.logspace(-10, 3, 40), -np.logspace(-10, 3, 40)])
POINTS = np.concatenate([[0.0], np.linspace(-30.0, 30.0, 601), ENDS])
BEFORE = 0.7  # input of the first layer where the second one is looked at: all have a slope there


def test_every_activation_of_the_core() -> None:
    assert set(network.ACTIVATIONS) == set(ACTIVATION_NAMES), "network.py does not have those of the core"
    assert set(activations.ACTIVATIONS) == set(ACTIVATION_NAMES), "compared with nothing but itself"


def core_values(folder: Path, name: str, layer: int, precision: str) -> tuple[np.ndarray, np.ndarray]:
    """Values and slopes at ``POINTS`` in the first or second hidden layer: each point is a member."""
    changes = {"n_members": len(POINTS), "hidden_layers": [1] * (layer + 1)}
    entries = header(activation=name, atomic_energies={"H": 0, "O": 0}, **changes)
    pair, species = make([[0.0, 0.0, 1.5]]), np.zeros(1, np.int32)
    descriptor = Descriptor(entries["descriptor"], ["H", "O"])
    values = {key: np.zeros_like(array) for key, array in arrays(entries, ranges=False).items()}
    values["scale"][:] = 1.0
    values["shift"][:] = descriptor.features(pair, species)[0]
    values["layers.0.weight"][..., 0] = 1.0  # of the first function alone
    for l in range(1, layer + 2):  # noqa: E741
        values[f"layers.{l}.weight"][:] = 1.0
    values["layers.0.bias"][:] = BEFORE
    values[f"layers.{layer}.bias"][:] = POINTS[:, None, None]
    path = folder / "model.pt"
    path.write_bytes(model_bytes(entries, safetensors_bytes(values)))
    members = {"member_energies": True, "member_gradients": True, "precision": precision}
    results = _core.Potential(path).evaluate(pair.offsets, species, species, pair.vectors, **members)
    feature_slope = descriptor.backward(pair, species, np.eye(1, values["shift"].shape[-1]))[0, 2]
    return results["member_energies"][:, 0], results["member_pair_gradients"][:, 0, 2] / feature_slope


def torch_values(name: str, layer: int, *, exported: bool) -> tuple[np.ndarray, np.ndarray]:
    x = torch.tensor(POINTS, requires_grad=True)
    y = x
    if layer > 0:
        before = torch.full_like(x, BEFORE, requires_grad=True)
        y = network.layer_activation(name, 0, exported=exported)(before) + x
        x = before
    y = network.layer_activation(name, layer, exported=exported)(y)
    (slope,) = torch.autograd.grad(y.sum(), x)
    return y.detach().numpy(), slope.numpy()


@pytest.mark.parametrize("name", ACTIVATION_NAMES)
@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("exported", [False, True], ids=["trained", "exported"])
def test_core_is_torch(tmp_path: Path, name: str, layer: int, exported: bool) -> None:
    value, slope = torch_values(name, layer, exported=exported)
    size = np.maximum(1.0, np.abs(POINTS))  # what a network adds up is no smaller than that
    for precision, rounding in (("double", 2.3e-16), ("mixed", 1.2e-7)):
        found_value, found_slope = core_values(tmp_path, name, layer, precision)
        assert (np.abs(found_value - value) <= 8 * rounding * size).all()
        assert (np.abs(found_slope - slope) <= 8 * rounding * size).all()


@pytest.mark.parametrize("name", ACTIVATION_NAMES)
@pytest.mark.parametrize("layer", [0, 1])
def test_torch_is_numpy(name: str, layer: int) -> None:
    for exported in (False, True):
        found = network.layer_activation(name, layer, exported=exported)(torch.tensor(POINTS)).numpy()
        expected = activations.numpy_activation(name, layer, POINTS)
        np.testing.assert_allclose(found, expected, rtol=1e-14, atol=3e-16)


@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_values_and_slopes_keep_to_their_bounds(name: str) -> None:
    """On them rests which models are refused because they could overflow."""
    row = network.ACTIVATIONS[name]
    value, slope = torch_values(name, 0, exported=False)
    assert (np.abs(value) <= (1.6 if row.bounded else 1.7 * np.abs(POINTS))).all()
    assert (np.abs(slope) <= STEEPEST).all()
