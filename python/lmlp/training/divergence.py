"""Runs that diverge: a model that is no better than none must not pass for one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from lmlp.dataset.arrays import Dataset
from lmlp.errors import DivergedError
from lmlp.export.writing import write_model_file
from lmlp.files.names import beside, earlier
from lmlp.model.data import ModelData
from lmlp.training.trainer import Trainer

_SAMPLE = 64  # training structures of each member that are looked at
_LEAST = {"energy_rmse": 0.03, "force_rmse": 0.15}  # spread, eV/atom and eV/Å: labels may be all the same
_FIRST = {"energy_rmse": 0.1, "force_rmse": 0.5}  # what the first steps may cost, whatever the spread
_TIMES = 3.0  # largest in honest runs of few steps: 1.2
_TIMES_IN_STEPS = 10.0  # the weights of single steps are worse than their average
_NOTHING = 0.9  # of the spread: networks that saturate give constants, whose errors are the spread
_WORSE = 1.25  # times the smallest error of an epoch: it had been better (honest runs of few epochs: 1.1)
_STEPS, _EPOCHS = 100, 5  # an honest run has learned something by then
_WORDS = {"energy_rmse": ("energies", "eV/atom"), "force_rmse": ("forces", "eV/Å")}


class Divergence:
    """Judges a run by its errors on structures that it trains on.

    Errors of energies (eV/atom) and forces (eV/Å) are compared with the spread of their labels, energies
    after a fit to the composition; only what the loss holds is judged.

    Args:
        trainer: at the beginning of a run.
        saved: :meth:`state` of an interrupted run.
        from_nothing: the first weights are random; else they know something, and may hold on to it.
    """

    def __init__(
        self, trainer: Trainer, saved: Mapping[str, Any] | None = None, *, from_nothing: bool = True
    ) -> None:
        self.trainer, self._from_nothing = trainer, from_nothing
        self._spread: dict[str, float]
        self._first: dict[str, float]
        self._lowest: dict[str, float]
        self._highest: dict[str, float]
        self._last: dict[str, float]
        rng = np.random.default_rng([trainer.config.seed, 6])
        self._groups = [np.sort(rng.permutation(ids)[:_SAMPLE]) for ids in trainer.split.train]
        if saved is not None:
            self._spread, self._first, self._lowest, self._highest, self._last = (
                dict(saved[k]) for k in ("spread", "first", "lowest", "highest", "last")
            )
            return
        first = self._errors(trainer.average.values)
        self._first = {k: max(values) for k, values in first.items()}
        spread = _spreads(trainer.store.dataset, np.unique(np.concatenate(self._groups)))
        self._spread = {k: max(spread[k], _LEAST[k]) for k in first}
        self._lowest, self._highest, self._last = {}, {}, {}

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        errors = {"lowest": self._lowest, "highest": self._highest, "last": self._last}
        return {"spread": self._spread, "first": self._first, **errors}

    def note(self, errors: Mapping[str, float | None]) -> None:
        """Hear of the errors of all steps of an epoch."""
        for k in self._spread:
            value = errors.get(k)
            if value is not None:
                self._last[k] = value
                self._lowest[k] = min(self._lowest.get(k, math.inf), value)
                self._highest[k] = max(self._highest.get(k, 0.0), value)

    def verdict(self, held_out: Mapping[str, Any]) -> str | None:
        """Tell in words what is wrong with a run that has ended; None if it has not diverged.

        Args:
            held_out: errors on held-out structures.
        """
        best = self.trainer.best
        if len(self.trainer.split.valid[0]) and not bool(torch.isfinite(best.loss).all()):
            return "no validation loss of a member was finite"
        strange = [k for k in _WORDS if held_out.get(k) is not None and not math.isfinite(held_out[k])]
        if strange:
            return f"the errors of the {_WORDS[strange[0]][0]} of held-out structures are not finite"
        now = self._errors(best.values)
        for k, spread in self._spread.items():
            usual = max(spread, self._first[k], _FIRST[k])
            worst = self._highest.get(k, 0.0) if self._has_been_better() else self._last.get(k, 0.0)
            for error, times in (*((e, _TIMES) for e in now[k]), (worst, _TIMES_IN_STEPS)):
                if not error <= times * usual:  # nor is NaN
                    return self._say({k: error}, "far beyond")
        if self._learned_nothing():
            return self._say(self._last, "no smaller than")
        return None

    def _has_been_better(self) -> bool:
        """Whether the last epoch is worse than an earlier one: no blow before it has been recovered from."""
        return any(v > _WORSE * self._lowest[k] for k, v in self._last.items())

    def _learned_nothing(self) -> bool:
        """Whether the last epoch was as bad as constants, after some time or after better ones."""
        if not self._last or any(self._last[k] < _NOTHING * self._spread[k] for k in self._last):
            return False
        position = self.trainer.position
        long = self._from_nothing and position.total >= _STEPS and position.epoch >= _EPOCHS
        return long or all(v > _WORSE * self._lowest[k] for k, v in self._last.items())

    def _errors(self, values: list[torch.Tensor]) -> dict[str, list[float]]:
        """Return the errors of each member that the loss holds."""
        trainer, loss = self.trainer, self.trainer.config.loss
        found = trainer.errors(self._groups, values).summary(members=True)["members"]
        energy = loss.energy if loss.final_energy is None else loss.final_energy
        held = {"energy_rmse": energy > 0, "force_rmse": loss.force > 0 and trainer.with_forces}
        errors = {k: [e for e in found[k] if e is not None] for k in held if held[k]}
        return {k: values for k, values in errors.items() if values}

    def _say(self, errors: Mapping[str, float], how: str) -> str:
        parts = [
            f"{_WORDS[k][0]} of structures that it trained on are wrong by {v:.3g} {_WORDS[k][1]}, {how} "
            f"their spread of {self._spread[k]:.3g} {_WORDS[k][1]}"
            for k, v in errors.items()
        ]
        return " and ".join(parts)


def keep_diverged(error: DivergedError, output: Path) -> DivergedError:
    """Write the model of a diverged run as ``<stem>.diverged.pt``; the output stays as it is.

    Args:
        error: holds the model.
        output: where a sound model would be.

    Returns:
        the error to raise: it names the file, and what may help.
    """
    path = beside(output, ".diverged.pt")
    model = cast(ModelData, error.model)
    write_model_file(model, path, verify=False, keep=earlier(path, path))
    return DivergedError(
        f"{error}. {output} was not written, the model is {path}. Try smaller steps (optimizer.max_step, "
        "with adamw optimizer.lr), and look at the units and signs of the labels",
        model,
    )


def _spreads(dataset: Dataset, ids: np.ndarray) -> dict[str, float]:
    """Return the root mean squares of energies per atom, after a fit to the composition, and of forces."""
    labeled = ids[np.isfinite(dataset.energies[ids])]
    n = dataset.counts[labeled].sum(axis=1)
    shares, energies = dataset.counts[labeled] / n[:, None], dataset.energies[labeled] / n
    rest = energies - shares @ np.linalg.lstsq(shares, energies, rcond=None)[0] if len(labeled) else energies
    atoms = [slice(dataset.first_atom[i], dataset.first_atom[i + 1]) for i in ids]
    forces = np.concatenate([np.asarray(dataset.forces[a]) for a in atoms])
    return {"energy_rmse": _rms(rest), "force_rmse": _rms(forces[np.isfinite(forces)])}


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else 0.0
