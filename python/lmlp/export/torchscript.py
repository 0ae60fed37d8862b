"""The TorchScript half of a model file: the whole potential in pure TorchScript, descriptor included.

This is the only file that names ``torch.jit``.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Dict, List, Optional  # noqa: UP035 - the names that TorchScript knows in every torch

import torch
from torch import Tensor, nn

from lmlp.descriptor.reference import ReferenceDescriptor
from lmlp.errors import InvalidArgumentError
from lmlp.export.distance import DistanceModule
from lmlp.export.free_atoms import FreeAtomsModule
from lmlp.export.zbl import ZblModule
from lmlp.model.activations import ACTIVATION_NAMES
from lmlp.model.data import ModelData
from lmlp.model.network import layer_activation
from lmlp.model.number_range import find_overflowing

# What a module raises: with the interpreter's trace, or without.
MODULE_ERRORS = (torch.jit.Error, RuntimeError)
# Numbers per intermediate array of one block of centers in `evaluate`: 32 MiB each in float64.
BLOCK_SIZE = 1 << 22


class MemberLinear(nn.Module):
    """One linear layer of all members and elements: weight ``[M, E, out, in]``, bias ``[M, E, out]``."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.bias = nn.Parameter(bias, requires_grad=False)

    def forward(self, x: Tensor, element: int) -> Tensor:
        """Map ``[M, n, in]`` to ``[M, n, out]`` with the weights of one element."""
        return torch.baddbmm(self.bias[:, element].unsqueeze(1), x, self.weight[:, element].transpose(1, 2))


class PotentialModule(nn.Module):
    """Descriptor, ensemble of networks and atomic energies, as exported.

    Parameters carry the names of ``weights.safetensors``: ``scale``, ``shift``, ``layers.l.weight``, …
    """

    def __init__(self, data: ModelData) -> None:
        super().__init__()
        if data.activation not in ACTIVATION_NAMES:
            raise InvalidArgumentError(
                f"activation {data.activation!r} is not one of {', '.join(ACTIVATION_NAMES)}"
            )
        self.descriptor: ReferenceDescriptor = ReferenceDescriptor(data.descriptor, data.elements)
        self.scale = nn.Parameter(_tensor(data.scale), requires_grad=False)
        self.shift = nn.Parameter(_tensor(data.shift), requires_grad=False)
        self.layers = nn.ModuleList(
            [MemberLinear(_tensor(w), _tensor(b)) for w, b in zip(data.weights, data.biases, strict=True)]
        )
        elements, cutoff = list(data.elements), float(data.descriptor["cutoff"])
        self.baseline = ZblModule(data.baseline, elements, cutoff)
        self.free_atoms = FreeAtomsModule(data.free_atoms, elements, data.atomic_energies, cutoff)
        self.distance = DistanceModule(data.feature_distance)
        self.first_activation = layer_activation(data.activation, 0, exported=True)
        self.later_activation = layer_activation(data.activation, 1, exported=True)
        self.n_members = data.n_members
        self.n_elements = len(data.elements)
        # Python numbers: `.to(float32)` must not round energies of thousands of eV.
        self.atomic_energies: List[float] = [float(e) for e in data.atomic_energies]  # noqa: UP006
        self.overflowing: List[bool] = find_overflowing(data)  # noqa: UP006
        self.overflowing_single: List[bool] = find_overflowing(data, "single")  # noqa: UP006
        self.block_size = BLOCK_SIZE

    def network_energies(self, features: Tensor, species: Tensor) -> Tensor:
        """Evaluate the networks on ``[1, n, F]`` or ``[M, n, F]``: ``[M, n]`` in eV, without E_atom."""
        energies = torch.zeros(
            (self.n_members, species.size(0)), dtype=self.scale.dtype, device=features.device
        )
        for element in range(self.n_elements):
            index = torch.nonzero(species == element).squeeze(1)
            if index.size(0) > 0:
                x = features[:, index] - self.shift[:, element].unsqueeze(1)
                x = x * self.scale[:, element].unsqueeze(1)
                for l, layer in enumerate(self.layers):  # noqa: E741
                    if l == 1:
                        x = self.first_activation(x)
                    elif l > 1:
                        x = self.later_activation(x)
                    x = layer(x, element)
                energies = energies.index_copy(1, index, x.squeeze(2))
        return energies

    def add_atomic_energies(self, energies: Tensor, species: Tensor) -> Tensor:
        """Add E_atom to ``[M, n]``, in float64 where the device has it."""
        dtype = torch.float32 if energies.device.type == "mps" else torch.float64
        constants = torch.zeros(self.n_elements, dtype=dtype, device=energies.device)
        # TorchScript's `torch.tensor(list)` and `constants[i] = x` pass through float32; `fill_` does not.
        for element, energy in enumerate(self.atomic_energies):
            constants[element : element + 1].fill_(energy)
        return energies.to(dtype) + constants[species]

    def check_species(self, species: Tensor) -> None:
        """Refuse species that the model does not have, and those whose networks could overflow."""
        if species.size(0) > 0 and (int(species.min()) < 0 or int(species.max()) >= self.n_elements):
            raise RuntimeError(
                f"species {int(species.min())} to {int(species.max())} given; "
                f"this model has species 0 to {self.n_elements - 1}"
            )
        overflowing = self.overflowing if self.scale.dtype == torch.float64 else self.overflowing_single
        for element, overflows in enumerate(overflowing):
            if overflows and bool((species == element).any()):
                raise RuntimeError(
                    f"the energy of an atom of species {element} is not a finite number: the weights of the "
                    "model overflow"
                )

    def check_finite(self, results: List[Tensor]) -> None:  # noqa: UP006
        """Refuse results that are no numbers."""
        for result in results:
            if not bool(torch.isfinite(result).all()):
                raise RuntimeError(
                    "an energy or a gradient is not a finite number: the weights of the model overflow"
                )

    def forward(self, features: Tensor, species: Tensor) -> Tensor:
        """Evaluate the networks on given features; what needs distances (baseline, free atoms) is not in it.

        Args:
            features: ``[n, n_features]``.
            species: ``[n]``, 0-based index in the model's elements.

        Returns:
            atomic energies of every member in eV, E_atom included, ``[n_members, n]``, differentiable.
        """
        self.check_species(species)
        energies = self.network_energies(features.to(self.scale.dtype).unsqueeze(0), species)
        self.check_finite([energies])
        return self.add_atomic_energies(energies, species)

    def blocks(self, center: Tensor, n: int) -> List[int]:  # noqa: UP006
        """Cut the centers into consecutive blocks of bounded size: the end of each block."""
        count = torch.bincount(center, minlength=n)
        products = max(1, self.descriptor.product_radial.size(0))
        correlation = self.descriptor.correlation
        per_pair = self.descriptor.radial_eta.size(0) + 3 + correlation.numbers_per_pair
        per_center = self.n_members * self.scale.size(2) + correlation.numbers_per_center
        cost = count * (count - 1) // 2 * products + count * per_pair + per_center
        block = (torch.cumsum(cost, 0) - cost) // self.block_size
        _, _, size = torch.unique_consecutive(block, return_inverse=True, return_counts=True)
        ends: List[int] = torch.cumsum(size, 0).tolist()  # noqa: UP006
        return ends

    @torch.jit.export
    def evaluate(
        self, species: Tensor, center: Tensor, neighbor: Tensor, vectors: Tensor, members: bool = False
    ) -> Dict[str, Tensor]:  # noqa: UP006
        """Evaluate the whole model: energies and dE/dr_ij of a full pair list.

        Args:
            species: ``[n]``, 0-based index in the model's elements.
            center: index of the center of each pair ``[p]``, in any order; pairs are listed from both sides.
            neighbor: index of the neighbor of each pair ``[p]``.
            vectors: r_ij = r_j − r_i + S·cell in Å ``[p, 3]``; pairs at or beyond the cutoff count nothing.
            members: also give the gradients of every member.

        Returns:
            ``energies`` ``[n_members, n]`` in eV, E_atom included; ``pair_gradients`` ``[p, 3]``, dE/dr_ij of
            the ensemble mean in eV/Å (F_i = Σ_j g_ij − Σ_k g_ki); ``member_pair_gradients``
            ``[n_members, p, 3]`` if asked for; ``distances`` ``[n]`` from the training atoms (1: their 99.9 %
            quantile) if the model has them, not finite where numbers overflow.

        Raises:
            RuntimeError: species that the model does not have, two atoms at the same place, vectors or
                results that are no finite numbers, elements whose networks could overflow.
        """
        self.check_species(species)
        n = species.size(0)
        dtype = self.scale.dtype
        species, center, neighbor = species.to(torch.int64), center.to(torch.int64), neighbor.to(torch.int64)
        vectors = vectors.detach().to(dtype)
        energies = torch.zeros((self.n_members, n), dtype=dtype, device=vectors.device)
        gradients = torch.zeros_like(vectors)
        member_gradients = torch.zeros(
            (self.n_members if members else 0, vectors.size(0), 3), dtype=dtype, device=vectors.device
        )
        distances = torch.zeros(n if self.distance.active() else 0, dtype=dtype, device=vectors.device)
        self.descriptor.check_vectors(center, vectors)
        # TorchScript knows no `with torch.enable_grad()`; nothing is expected to raise while it is on.
        grad_was_enabled = torch.is_grad_enabled()
        torch.set_grad_enabled(True)
        order = torch.argsort(center, stable=True)
        pair_end = torch.cumsum(torch.bincount(center, minlength=n), 0)
        first, first_pair = 0, 0
        for last in self.blocks(center, n):
            last_pair = int(pair_end[last - 1])
            pairs = order[first_pair:last_pair]
            inside = species[first:last]
            v = vectors[pairs].requires_grad_(True)
            features = self.descriptor(last - first, center[pairs] - first, species[neighbor[pairs]], v)
            if self.distance.active():
                distances[first:last] = self.distance(features.detach(), inside)
            leaf = features.detach().expand(self.n_members, -1, -1).clone().requires_grad_(True)
            energy = self.network_energies(leaf, inside)
            dE_dG = _gradient(energy, leaf, torch.ones_like(energy), False)
            gradients[pairs] = _gradient(features, v, dE_dG.mean(0), members)
            if members:
                for m in range(self.n_members):
                    member_gradients[m, pairs] = _gradient(features, v, dE_dG[m], m + 1 < self.n_members)
            energies[:, first:last] = energy.detach()
            first, first_pair = last, last_pair
        torch.set_grad_enabled(grad_was_enabled)
        if self.baseline.active():
            near, pair_energies, pair_gradients = self.baseline(species[center], species[neighbor], vectors)
            # half of a pair's energy is the center's; the list holds the other half from the other side
            energies = energies.index_add(
                1, center[near], (0.5 * pair_energies).expand(self.n_members, near.size(0))
            )
            gradients.index_add_(0, near, 0.5 * pair_gradients)
            if members:
                member_gradients.index_add_(
                    1, near, (0.5 * pair_gradients).expand(self.n_members, near.size(0), 3)
                )
        self.check_finite([energies, gradients, member_gradients])
        result = {"energies": self.add_atomic_energies(energies, species), "pair_gradients": gradients}
        if members:
            result["member_pair_gradients"] = member_gradients
        if self.distance.active():
            result["distances"] = distances
        if self.free_atoms.active():
            nothing = torch.zeros(
                (1, self.n_elements, self.scale.size(2)), dtype=dtype, device=vectors.device
            )
            alone = self.network_energies(nothing, torch.arange(self.n_elements, device=vectors.device))
            result["energies"] = self.free_atoms(
                alone, result["energies"], gradients, member_gradients, species, center, vectors
            )
        return result


def _gradient(output: Tensor, leaf: Tensor, direction: Tensor, keep: bool) -> Tensor:
    """Compute Σ direction · d(output)/d(leaf); 0 where output does not depend on leaf."""
    if not output.requires_grad:
        return torch.zeros_like(leaf)
    directions: List[Optional[Tensor]] = [direction]  # noqa: UP006, UP045
    gradient = torch.autograd.grad([output], [leaf], directions, retain_graph=keep, allow_unused=True)[0]
    if gradient is None:
        return torch.zeros_like(leaf)
    return gradient


def _tensor(array: Any) -> Tensor:
    return torch.tensor(array, dtype=torch.float64)


@contextmanager
def _without_deprecation_warnings() -> Iterator[None]:
    """Silence that torch calls TorchScript deprecated: the format is chosen and tested with each torch."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*torch\.jit\.\w+.*", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message=r".*torch\.jit\.\w+.*", category=FutureWarning)
        yield


@contextmanager
def without_profiling() -> Iterator[None]:
    """Have TorchScript take the same kernels, hence give the same bits, from the first call on."""
    with _without_deprecation_warnings(), torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
        yield


def script(module: nn.Module) -> Any:
    """Compile a module to TorchScript."""
    with _without_deprecation_warnings():
        return torch.jit.script(module)


def potential_archive(data: ModelData, extra_files: dict[str, bytes]) -> bytes:
    """Compile a potential and return its TorchScript archive with ``extra_files`` under ``extra/``."""
    buffer = io.BytesIO()
    module = script(PotentialModule(data).eval())
    with _without_deprecation_warnings():
        torch.jit.save(module, buffer, _extra_files=dict(extra_files))
    return buffer.getvalue()


def load_potential(source: str | Path | BinaryIO, device: str = "cpu") -> Any:
    """Load the TorchScript module of a model file on ``device``; ``read_model_file`` checks the file."""
    with _without_deprecation_warnings():
        return torch.jit.load(str(source) if isinstance(source, Path) else source, map_location=device)
