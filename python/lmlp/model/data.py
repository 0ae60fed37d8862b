"""The content of a model, independent of torch: what a model file stores and every engine needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lmlp.model.distance import FeatureDistance


@dataclass(frozen=True)
class ModelData:
    """A potential as plain data.

    E_m = Σ_i [ NN_{m,Z_i}(G_i) + atomic_energies[Z_i] ];  x0 = scale ∘ (G − shift);
    x_l = act(W_l x_{l−1} + c_l);  NN = W_out x_L + c_out.  With a baseline also Σ_{i<j} V(r_ij)
    (``lmlp.model.baseline``), the same for all members; with free atoms also what brings atoms that lose
    their last neighbors to their energies (``lmlp.model.free_atoms``).

    Attributes:
        elements: chemical symbols in species order.
        descriptor: the ``descriptor`` block of ``lmlp.json`` (see docs/model-file.md).
        hidden_layers: sizes of the hidden layers.
        activation: one of ``lmlp.model.activations.ACTIVATION_NAMES``.
        atomic_energies: E_atom in eV, float64 ``[n_elements]``.
        scale: w of the scale/shift layer, float64 ``[n_members, n_elements, n_features]``.
        shift: b of the scale/shift layer, same shape.
        weights: W_l of the linear layers, the last one has one output, float64
            ``[n_members, n_elements, out, in]``.
        biases: c_l, float64 ``[n_members, n_elements, out]``.
        energy_rmse: test error in eV/atom, None when unknown.
        force_rmse: test error in eV/Å, None when unknown.
        energy_uncertainty_factor: c of σ_E = c·std(E_m, ddof=1), where there are no spread maps.
        force_uncertainty_factor: c of σ_F = c·std(F_m, ddof=1), likewise.
        feature_min: smallest training value per element and function ``[n_elements, n_features]``, or None.
        feature_max: largest training value, likewise.
        calibration: reliability curves and per-element factors, free form.
        baseline: the ``baseline`` block of ``lmlp.json``, a pair potential that is added to the networks, or
            None.
        free_atoms: the ``free_atoms`` block of ``lmlp.json``, energies of atoms without neighbors of some or
            all elements and the densities of neighbors below which they count, or None.
        spread_maps: the ``spread_maps`` block of ``lmlp.json``, from the members' spread to σ
            (``lmlp.model.spread``), or None.
        distance: the ``distance`` block of ``lmlp.json``, facts about the three arrays below, or None.
        distance_shift: of ``lmlp.model.distance.FeatureDistance``, ``[n_elements, n_features]``, or None.
        distance_scale: likewise.
        distance_axes: likewise, ``[n_elements, n_axes, n_features]``.
        shortest_distances: of each pair of elements in the training data, Å by ``H-O`` in species order;
            pairs that are not known are missing.
        provenance: how the model was made: data, options, versions, seeds, errors.
    """

    elements: list[str]
    descriptor: dict[str, Any]
    hidden_layers: list[int]
    activation: str
    atomic_energies: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    weights: list[np.ndarray]
    biases: list[np.ndarray]
    energy_rmse: float | None = None
    force_rmse: float | None = None
    energy_uncertainty_factor: float = 2.0
    force_uncertainty_factor: float = 2.0
    feature_min: np.ndarray | None = None
    feature_max: np.ndarray | None = None
    calibration: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    baseline: dict[str, Any] | None = None
    free_atoms: dict[str, Any] | None = None
    spread_maps: dict[str, Any] | None = None
    distance: dict[str, Any] | None = None
    distance_shift: np.ndarray | None = None
    distance_scale: np.ndarray | None = None
    distance_axes: np.ndarray | None = None
    shortest_distances: dict[str, float] = field(default_factory=dict)

    @property
    def n_members(self) -> int:
        """Number of ensemble members."""
        return int(self.scale.shape[0])

    @property
    def n_features(self) -> int:
        """Number of symmetry functions."""
        return int(self.scale.shape[2])

    @property
    def feature_distance(self) -> FeatureDistance | None:
        """How far atoms are from the training data; None where the model does not know."""
        if self.distance_shift is None or self.distance_scale is None or self.distance_axes is None:
            return None
        return FeatureDistance(self.distance_shift, self.distance_scale, self.distance_axes)
