"""Parameter groups of the optimizer."""

import numpy as np
import pytest
import torch
from lmlp.model.network import EnsembleNetwork
from lmlp.training import make_config
from lmlp.training.optimizer import decay_factors, make_optimizer


def test_weights_of_rare_elements_decay_faster():
    assert decay_factors(np.array([130, 10, 0]), 1.0) == [1.0, 13.0, 1.0]
    assert decay_factors(np.array([16, 1]), 0.5) == [1.0, 4.0]
    assert decay_factors(np.array([16, 1]), 0.0) == [1.0, 1.0]


@pytest.mark.parametrize("name", ["core", "adamw"])
def test_every_parameter_is_optimized_once_and_only_weights_decay(name):
    class Potential:
        network = EnsembleNetwork(2, 3, [5, 4, 4])

    config = make_config(
        {"data": "a.xyz", "output": "m.pt", "optimizer": {"name": name, "weight_decay": 0.02}}, "test"
    )
    optimizer = make_optimizer(config, Potential, np.array([30, 10]))
    found = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    expected = {id(p): 0.0 for p in Potential.network.parameters()}
    for i, weight in enumerate(Potential.network.weights):
        expected[id(weight)] = 0.02 if i < 3 else 0.06
    assert found == pytest.approx(expected)
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(expected)


def test_a_rare_element_shrinks_in_training_steps():
    class Potential:
        network = EnsembleNetwork(2, 1, [5, 4])

    network = Potential.network
    with torch.no_grad():
        network.weights[2].copy_(network.weights[0])
    config = make_config({"data": "a.xyz", "output": "m.pt"}, "test")
    optimizer = make_optimizer(config, Potential, np.array([20, 1]))
    signs = torch.ones_like(network.weights[0])
    for step in range(200):
        for p in network.parameters():
            p.grad = torch.zeros_like(p)
        for weight in (network.weights[0], network.weights[2]):
            weight.grad = signs * (-1.0) ** (step // 2)
        optimizer.step()
    assert network.weights[2].norm() < 0.99 * network.weights[0].norm()
