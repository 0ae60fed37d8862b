"""Parameter groups of the optimizer."""

import numpy as np
import pytest
import torch
from lmlp.model.network import EnsembleNetwork
from lmlp.training import make_config
from lmlp.training.optimizer import Pace, decay_factors, make_optimizer
from lmlp.training.schedule import set_step_size


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


@pytest.mark.parametrize("name", ["core", "adamw"])
def test_networks_of_each_element_have_their_pace(name):
    class Potential:
        network = EnsembleNetwork(3, 2, [5, 4, 4])

    network = Potential.network
    options = {"name": name, "max_step": 2e-3, "lr": 2e-3, "frozen": 0.1, "score_history": 10}
    config = make_config({"data": "a.xyz", "output": "m.pt", "optimizer": options}, "test")
    optimizer = make_optimizer(
        config, Potential, np.array([30, 10, 20]), [Pace(), Pace(4.0, rests=False), Pace()]
    )
    own = [network.scales[1], network.shifts[1], *network.weights[3:6], *network.biases[3:6]]
    new = {id(p) for p in own}
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(list(network.parameters()))
    for share, factor in ((0.0, 1.0), (0.5, 0.5)):
        assert set_step_size(optimizer, config.optimizer, share) == pytest.approx(2e-3 * factor)
        for group in optimizer.param_groups:
            for p in group["params"]:
                size = group["step_sizes"][1] if name == "core" else group["lr"]
                assert size == pytest.approx(factor * (8e-3 if id(p) in new else 2e-3))
                weight = any(p is w for w in network.weights)
                if name == "core":
                    assert group["frozen"] == (0.1 if weight and id(p) not in new else 0.0)
