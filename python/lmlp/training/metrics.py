"""Errors summed over batches, per member, in physical units."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lmlp.dataset.batches import Labels
from lmlp.model.potential import Batch
from lmlp.training.loss import Errors

# rows of the sums: Σ loss, structures; then Σ error² and count of energies, force components, virials
_ROWS = 8
_QUANTITIES = {"energy_rmse": 2, "force_rmse": 4, "virial_rmse": 6}


class ErrorSums:
    """Sums of losses and squared errors; plain numbers in ``values``, so that a checkpoint carries them on.

    Args:
        n_members: ensemble members.
    """

    def __init__(self, n_members: int) -> None:
        self.values = torch.zeros(_ROWS, n_members, dtype=torch.float64)

    def add(self, errors: Errors, losses: Tensor, batch: Batch, labels: Labels) -> None:
        """Take in a batch whose structures belong to one member each."""
        self.values += self.of(errors, losses, batch, labels, len(self.values[0]))

    @staticmethod
    @torch.no_grad()
    def of(errors: Errors, losses: Tensor, batch: Batch, labels: Labels, n_members: int) -> Tensor:
        """Return the sums of one batch."""
        zero = torch.zeros_like(losses)
        components = 3 * batch.n_atoms * labels.has_forces
        rows = [
            losses,
            torch.ones_like(losses),
            errors.energy,
            labels.has_energy,
            errors.force * components if errors.force is not None else zero,
            components,
            errors.stress if errors.stress is not None else zero,
            labels.has_stress,
        ]
        sums = torch.zeros(_ROWS, n_members, dtype=torch.float64)
        return sums.index_add_(1, torch.from_numpy(labels.member), torch.stack(rows).to(torch.float64))

    @property
    def losses(self) -> Tensor:
        """Mean loss of each member, NaN without structures ``[n_members]``."""
        return self.values[0] / self.values[1]

    def summary(self, *, members: bool = False) -> dict[str, Any]:
        """Return loss, energy_rmse (eV/atom), force_rmse (eV/Å), with stresses virial_rmse (eV/atom).

        Args:
            members: add the RMSEs of each member.
        """
        total = self.values.sum(dim=1)
        result: dict[str, Any] = {"loss": float(total[0] / total[1]) if total[1] else None}
        names = [name for name in _QUANTITIES if name != "virial_rmse" or total[7]]
        for name in names:
            row = _QUANTITIES[name]
            result[name] = _root(total[row], total[row + 1])
        if members:
            result["members"] = {
                name: [_root(a, b) for a, b in zip(*self.values[_QUANTITIES[name] :][:2], strict=True)]
                for name in names
            }
        return result


def _root(total: Tensor, count: Tensor) -> float | None:
    return float((total / count) ** 0.5) if float(count) else None
