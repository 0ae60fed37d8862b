"""The exported TorchScript module: alone, in blocks, on any dtype, and against the reference."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from lmlp.environments import Environments
from lmlp.export import torchscript
from lmlp.export.random_structure import list_pairs, random_structure
from lmlp.export.reference_potential import reference_results
from lmlp.export.torchscript import PotentialModule, load_potential, script
from lmlp.export.writing import model_file_bytes
from lmlp.model.data import ModelData

from .models import small_model

Inputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


@pytest.fixture(scope="module")
def model() -> ModelData:
    return small_model()


@pytest.fixture(scope="module")
def model_path(model: ModelData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.pt"
    path.write_bytes(model_file_bytes(model))
    return path


def periodic(model: ModelData, n: int = 12, seed: int = 5) -> tuple[Environments, np.ndarray]:
    structure = random_structure(model.elements, n, np.random.default_rng(seed))
    return list_pairs(structure, model.descriptor["cutoff"]), np.arange(n) % len(model.elements)


def inputs(environments: Environments, species: np.ndarray) -> Inputs:
    return (
        torch.from_numpy(species),
        torch.from_numpy(environments.centers),
        torch.from_numpy(environments.neighbors),
        torch.from_numpy(environments.vectors),
    )


def test_is_the_reference(model: ModelData, model_path: Path) -> None:
    environments, species = periodic(model)
    reference = reference_results(model, environments, species)
    module = load_potential(model_path)
    for _ in range(4):  # TorchScript recompiles itself in the first calls
        results = module.evaluate(*inputs(environments, species), True)
        # energies of -2000 eV: 1e-12 relative; gradients of order 0.1 eV/Å
        np.testing.assert_allclose(results["energies"].numpy(), reference.energies, rtol=1e-14)
        np.testing.assert_allclose(
            results["member_pair_gradients"].numpy(), reference.pair_gradients, atol=1e-14
        )
        np.testing.assert_allclose(
            results["pair_gradients"].numpy(), reference.pair_gradients.mean(0), atol=1e-14
        )
    assert np.abs(reference.pair_gradients).max() > 1e-3
    plain = module.evaluate(*inputs(environments, species))
    assert set(plain) == {"energies", "pair_gradients"}
    assert torch.equal(plain["pair_gradients"], results["pair_gradients"])


def test_gradients_are_those_of_the_energy(model: ModelData) -> None:
    """Central differences of the mean energy by one component of one pair vector."""
    module = script(PotentialModule(model))
    environments, species = periodic(model, 6)
    arguments = inputs(environments, species)
    gradients = module.evaluate(*arguments)["pair_gradients"]
    step = 1e-4
    for pair, axis in ((0, 0), (7, 1), (20, 2)):
        energies = []
        for sign in (1, -1):
            moved = arguments[3].clone()
            moved[pair, axis] += sign * step
            # without E_atom: its size would cost five digits
            results = module.evaluate(*arguments[:3], moved)["energies"] - torch.tensor(
                model.atomic_energies[species]
            )
            energies.append(results.mean(0).sum())
        slope = (energies[0] - energies[1]) / (2 * step)
        # error step²·E''' ~ 1e-8 and rounding 1e-13 (of E_atom) / step
        assert abs(slope - gradients[pair, axis]) < 1e-8


def test_blocks_do_not_change_the_results(model: ModelData, monkeypatch: pytest.MonkeyPatch) -> None:
    environments, species = periodic(model)
    arguments = inputs(environments, species)
    whole = script(PotentialModule(model)).evaluate(*arguments, True)
    monkeypatch.setattr(torchscript, "BLOCK_SIZE", 2000)
    module = PotentialModule(model)
    assert len(module.blocks(arguments[1], 12)) > 3
    parts = script(module).evaluate(*arguments, True)
    for name in whole:
        # other sums of the same terms in other shapes
        torch.testing.assert_close(parts[name], whole[name], rtol=1e-13, atol=1e-14)


def test_pairs_in_any_order_with_a_skin(model: ModelData) -> None:
    structure = random_structure(model.elements, 8, np.random.default_rng(2))
    species = np.arange(8) % 2
    module = script(PotentialModule(model))
    exact = inputs(list_pairs(structure, 4.0), species)
    wide = list_pairs(structure, 5.0)
    order = torch.randperm(wide.n_pairs, generator=torch.Generator().manual_seed(0))
    kinds, center, neighbor, vectors = inputs(wide, species)
    results = module.evaluate(kinds, center[order], neighbor[order], vectors[order])
    torch.testing.assert_close(
        results["energies"], module.evaluate(*exact)["energies"], rtol=1e-14, atol=1e-13
    )
    outside = vectors[order].norm(dim=1) >= 4.0
    assert outside.any()
    assert (results["pair_gradients"][outside] == 0).all()


def test_no_pairs_and_no_atoms(model: ModelData) -> None:
    module = script(PotentialModule(model))
    none = torch.zeros(0, dtype=torch.int64)
    alone = module.evaluate(torch.tensor([1]), none, none, torch.zeros(0, 3, dtype=torch.float64), True)
    by_hand = module(torch.zeros(1, 8, dtype=torch.float64), torch.tensor([1]))
    assert torch.equal(alone["energies"], by_hand)
    assert alone["member_pair_gradients"].shape == (3, 0, 3)
    empty = module.evaluate(none, none, none, torch.zeros(0, 3, dtype=torch.float64))
    assert empty["energies"].shape == (3, 0)


def test_forward_is_differentiable(model: ModelData) -> None:
    module = script(PotentialModule(model))
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(5, 8, dtype=torch.float64, generator=generator, requires_grad=True)
    species = torch.tensor([0, 1, 1, 0, 1])
    assert module(features, species).shape == (3, 5)
    assert torch.autograd.gradcheck(lambda x: module(x, species).sum(), (features,))


def test_works_inside_no_grad_and_leaves_the_mode(model: ModelData) -> None:
    module = script(PotentialModule(model))
    arguments = inputs(*periodic(model, 6))
    with torch.no_grad():
        inside = module.evaluate(*arguments)["pair_gradients"]
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    assert torch.equal(inside, module.evaluate(*arguments)["pair_gradients"])
    assert inside.abs().max() > 0


def test_float32(model: ModelData, model_path: Path) -> None:
    arguments = inputs(*periodic(model))
    double = load_potential(model_path).evaluate(*arguments)
    single = load_potential(model_path).to(torch.float32).evaluate(*arguments)
    assert single["pair_gradients"].dtype == torch.float32
    # E_atom stays double: -2000 eV in float32 would be off by 1e-4
    assert single["energies"].dtype == torch.float64
    torch.testing.assert_close(single["energies"], double["energies"], rtol=0, atol=2e-5)
    torch.testing.assert_close(
        single["pair_gradients"].double(), double["pair_gradients"], rtol=1e-3, atol=1e-5
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda(model: ModelData, model_path: Path) -> None:
    arguments = inputs(*periodic(model))
    module = load_potential(model_path, "cuda")
    results = module.evaluate(*(a.cuda() for a in arguments), True)
    expected = load_potential(model_path).evaluate(*arguments, True)
    for name in expected:
        # atomic additions in any order
        torch.testing.assert_close(results[name].cpu(), expected[name], rtol=1e-13, atol=1e-12)


def test_impossible_input(model: ModelData) -> None:
    module = script(PotentialModule(model))
    kinds, center, neighbor, vectors = inputs(*periodic(model, 6))
    with pytest.raises(Exception, match="this model has species 0 to 1"):
        module.evaluate(kinds + 1, center, neighbor, vectors)
    with pytest.raises(Exception, match="this model has species 0 to 1"):
        module(torch.zeros(1, 8, dtype=torch.float64), torch.tensor([-1]))
    vectors[3] = 0
    with pytest.raises(Exception, match=r"pair 3 of center 0: vector .* two atoms at the same place"):
        module.evaluate(kinds, center, neighbor, vectors)
    assert torch.is_grad_enabled()


def test_loads_without_lmlp(model: ModelData, model_path: Path, tmp_path: Path) -> None:
    """Another process that cannot import lmlp gets the same numbers, and no warning but torch's own."""
    arguments = inputs(*periodic(model))
    expected = load_potential(model_path).evaluate(*arguments)
    torch.save([*arguments], tmp_path / "in.pt")
    code = (
        "import sys; sys.modules['lmlp'] = None; import torch\n"
        "m = torch.jit.load(sys.argv[1]); a = torch.load(sys.argv[2])\n"
        "torch.save(dict(m.evaluate(*a)), sys.argv[3])"
    )
    files = [str(p) for p in (model_path, tmp_path / "in.pt", tmp_path / "out.pt")]
    subprocess.run([sys.executable, "-c", code, *files], check=True, cwd=tmp_path)
    found = torch.load(tmp_path / "out.pt")
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-14, atol=1e-14)


def test_only_the_deprecation_of_torchscript_is_silenced(model: ModelData) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        script(PotentialModule(model))
        with torchscript._without_deprecation_warnings(), pytest.raises(DeprecationWarning):
            warnings.warn("something else is deprecated", DeprecationWarning, stacklevel=1)
