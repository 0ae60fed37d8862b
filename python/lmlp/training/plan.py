"""A run that is assembled: all that it needs, ready to go."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmlp.dataset.arrays import Dataset
from lmlp.dataset.batches import References
from lmlp.dataset.division import Split
from lmlp.dataset.free_atoms import FreeAtomBlock
from lmlp.dataset.store import Store
from lmlp.model.baseline import Zbl, parse_baseline
from lmlp.model.distance_fit import TrainedDistance
from lmlp.model.potential import EnsemblePotential
from lmlp.selection.sampler import Sampler
from lmlp.training.config import RunConfig
from lmlp.training.finish.phase import Finish
from lmlp.training.gradients import StructureWeights
from lmlp.training.optimizer import Pace
from lmlp.training.state.restore import distance_state, trained_distance
from lmlp.training.trainer import Regularizer, Trainer
from lmlp.version import __version__


@dataclass(frozen=True)
class FixedParts:
    """What a model has beside its networks; training does not change it.

    Attributes:
        limits: smallest and largest value of each feature by element, in the training data.
        shortest_distances: in Å by pair of elements.
        baseline: pair repulsion.
        free_atoms: energies of free atoms.
        anchored_energies: E_atom in eV by species.
        distance: from the training atoms.
    """

    limits: tuple[Tensor, Tensor]
    shortest_distances: dict[str, float]
    baseline: Zbl | None
    free_atoms: FreeAtomBlock | None
    anchored_energies: np.ndarray
    distance: TrainedDistance | None

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {
            "feature_min": self.limits[0],
            "feature_max": self.limits[1],
            "baseline": json.dumps(None if self.baseline is None else self.baseline.block()),
            "shortest_distances": json.dumps(self.shortest_distances),
            "free_atoms": json.dumps(self.free_atoms),
            "anchored_energies": torch.from_numpy(self.anchored_energies),
            "distance": None if self.distance is None else distance_state(self.distance),
        }

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> FixedParts:
        """Return the parts that :meth:`state` has kept in a checkpoint."""
        cutoff = float(json.loads(saved["descriptor"])["cutoff"])
        return cls(
            limits=(saved["feature_min"], saved["feature_max"]),
            shortest_distances=json.loads(saved["shortest_distances"]),
            baseline=parse_baseline(json.loads(saved["baseline"]), saved["elements"], cutoff),
            free_atoms=json.loads(saved["free_atoms"]),
            anchored_energies=np.asarray(saved["anchored_energies"].numpy()),
            distance=trained_distance(saved.get("distance")),
        )


@dataclass(frozen=True)
class Plan:
    """Everything of a run; :func:`lmlp.training.run.run` does it.

    Attributes:
        config: settings of the steps, and where files go.
        dataset: structures with labels, the baseline taken off.
        fingerprint: of the data as they were read.
        split: which structures serve what.
        roles: who trains on what, for the checkpoint.
        potential: what is trained, in place.
        parts: what the model has beside its networks.
        store, references: neighbor lists, inputs and labels of the data set.
        sampler: structures of each step.
        provenance: where the model comes from.
        saved: checkpoint that the run goes on from; None: it begins.
        stored_derivatives: whether derivatives of inputs are kept.
        from_nothing: the first weights are random.
        keeps_earlier: files of an earlier run get other names.
        paces: how the networks of each element learn; None: all alike.
        structure_weights: factors on the shares of structures in the loss.
        regularizer: adds to the gradients.
        finish: what is different in the last share of the run.
        extra_state: what the checkpoint keeps besides.
        first_record: what the first line of the log has besides.
        last_record: tells what the last line of the log has besides; called with the best weights in place.
    """

    config: RunConfig
    dataset: Dataset
    fingerprint: str
    split: Split
    roles: dict[str, Any]
    potential: EnsemblePotential
    parts: FixedParts
    store: Store
    references: References
    sampler: Sampler
    provenance: dict[str, Any]
    saved: dict[str, Any] | None = None
    stored_derivatives: bool = False
    from_nothing: bool = True
    keeps_earlier: bool = True
    paces: Sequence[Pace] | None = None
    structure_weights: StructureWeights | None = None
    regularizer: Regularizer | None = None
    finish: Finish | None = None
    extra_state: dict[str, Any] = field(default_factory=dict)
    first_record: dict[str, Any] = field(default_factory=dict)
    last_record: Callable[[Trainer], dict[str, Any]] | None = None


def make_provenance(config: RunConfig, dataset: Dataset, split: Split, fingerprint: str) -> dict[str, Any]:
    """Return what a model keeps of how it came about."""
    return {
        "lmlp_version": __version__,
        "torch_version": str(torch.__version__),
        "config": json.loads(config.model_dump_json()),
        "n_structures": len(dataset),
        "n_train": len(split.train[0]),
        "n_valid": len(split.valid[0]),
        "n_holdout": len(split.holdout),
        "elements": dataset.elements,
        "data_sha256": fingerprint,
    }
