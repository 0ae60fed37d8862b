"""A model file, a structure and what the core makes of them."""

import numpy as np
from lmlp import _core
from lmlp.descriptor.compute import Descriptor
from lmlp.environments import Environments
from lmlp.neighbors import find_neighbors

from tests.python.activations import numpy_activation
from tests.python.model_files import arrays, header, model_bytes, safetensors_bytes

EVERYTHING = {"member_energies": True, "member_gradients": True, "extrapolation": True}


class Case:
    """A model, its arrays and a structure."""

    def __init__(self, folder, n_atoms=60, *, ranges=True, seed=0, **changes):
        self.header = header(**changes)
        self.arrays = arrays(self.header, seed=seed, ranges=ranges)
        self.path = folder / "model.pt"
        self.path.write_bytes(model_bytes(self.header, safetensors_bytes(self.arrays)))
        self.potential = _core.Potential(self.path)
        rng = np.random.default_rng(seed + 1)
        n_elements = len(self.header["elements"])
        self.cell = (n_atoms / 0.05) ** (1 / 3) * (np.eye(3) + 0.1 * rng.uniform(-1, 1, (3, 3)))
        self.positions = rng.uniform(0, 1, (n_atoms, 3)) @ self.cell
        self.species = rng.integers(0, n_elements, n_atoms).astype(np.int32)
        self.environments = self.list_at(self.positions)

    def list_at(self, positions) -> Environments:
        return find_neighbors(positions, self.cell, True, self.header["descriptor"]["cutoff"])

    def evaluate(self, environments: Environments | None = None, **options):
        pairs = environments or self.environments
        return self.potential.evaluate(
            pairs.offsets, self.species, self.species[pairs.neighbors], pairs.vectors, **options
        )

    def features(self):
        descriptor = Descriptor(self.header["descriptor"], self.header["elements"])
        return descriptor.features(self.environments, self.species[self.environments.neighbors])

    def member_energies(self):
        """All members in plain numpy."""
        n_layers = len(self.header["hidden_layers"]) + 1
        atomic = np.array([self.header["atomic_energies"][e] for e in self.header["elements"]])
        energies = np.zeros((self.header["n_members"], len(self.species)))
        for m, row in enumerate(energies):
            for i, (features, s) in enumerate(zip(self.features(), self.species, strict=True)):
                x = self.arrays["scale"][m, s] * (features - self.arrays["shift"][m, s])
                for layer in range(n_layers):
                    weight = self.arrays[f"layers.{layer}.weight"][m, s]
                    x = weight @ x + self.arrays[f"layers.{layer}.bias"][m, s]
                    x = x if layer == n_layers - 1 else numpy_activation(self.header["activation"], layer, x)
                row[i] = x[0] + atomic[s]
        return energies
