"""Networks of all members in one pass."""

import pytest
import torch
from lmlp.errors import InvalidArgumentError
from lmlp.model.network import EnsembleNetwork

from tests.python.activations import ACTIVATIONS, numpy_activation


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_batched_pass_equals_a_loop_over_members_and_atoms(activation):
    net = EnsembleNetwork(2, 3, [4, 6, 5], activation=activation, seed=3, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.9 * torch.randn(p.shape, generator=generator, dtype=p.dtype))
    inputs = [torch.randn(3, n, 4, generator=generator, dtype=torch.float64) for n in (5, 2)]
    for e, energies in enumerate(net(inputs)):
        for m in range(3):
            for atom in range(inputs[e].shape[1]):
                x = inputs[e][m, atom].numpy() - net.shifts[e][m, 0].detach().numpy()
                x = x * net.scales[e][m, 0].detach().numpy()
                for layer in range(3):
                    w = net.weights[3 * e + layer][m].detach().numpy()
                    x = x @ w + net.biases[3 * e + layer][m, 0].detach().numpy()
                    if layer < 2:
                        x = numpy_activation(activation, layer, x)
                assert energies[m, atom].item() == pytest.approx(x[0], abs=1e-13)


def test_initial_weights_have_variance_one_over_inputs_and_differ():
    net = EnsembleNetwork(2, 2, [400, 300], seed=1)
    first, other_element = net.weights[0], net.weights[2]
    assert first[0].var().item() == pytest.approx(1 / 400, rel=0.02)  # 120000 draws: 0.4 % standard error
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], other_element[0])
    again = EnsembleNetwork(2, 2, [400, 300], seed=1)
    assert torch.equal(first, again.weights[0])
    assert not torch.equal(first, EnsembleNetwork(2, 2, [400, 300], seed=2).weights[0])


def test_a_member_starts_the_same_in_every_ensemble():
    small, large = (EnsembleNetwork(1, n, [5, 4], seed=7) for n in (1, 3))
    assert torch.equal(small.weights[0][0], large.weights[0][0])


def test_unknown_activation_is_named():
    with pytest.raises(InvalidArgumentError, match="'relu': choose one of stanh"):
        EnsembleNetwork(1, 1, [2, 2], activation="relu")
