"""The training loop: steps, validation, checkpoints. It has no policy: samplers choose, schedules anneal."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmlp.dataset.batches import References, make_batch
from lmlp.dataset.division import Split
from lmlp.dataset.predict import energy_errors
from lmlp.dataset.store import Store
from lmlp.errors import TrainingError
from lmlp.model.potential import EnsemblePotential
from lmlp.selection.sampler import Sampler
from lmlp.training.average import BestWeights, Swapped, WeightAverage
from lmlp.training.config import StepsConfig
from lmlp.training.finish.likelihood import ForceLikelihood, fit_force_likelihood
from lmlp.training.finish.phase import Finish
from lmlp.training.gradients import Gradients, StructureWeights
from lmlp.training.interrupt import InterruptFlag
from lmlp.training.loss import LossWeights, structure_errors, structure_losses
from lmlp.training.metrics import ErrorSums
from lmlp.training.optimizer import Pace, clip_gradients, make_optimizer
from lmlp.training.schedule import Progress, loss_weights, set_step_size, wants_forces
from lmlp.training.state.position import Position
from lmlp.training.workers import Workers

_NAMED = 5
Regularizer = Callable[[Sequence[Tensor]], None]  # gets the weights, adds to their gradients


class Trainer:
    """Trains all members of an ensemble together.

    Args:
        config: settings.
        potential: model to train; its networks are changed in place.
        store: pair lists and inputs.
        references: labels.
        sampler: structures of each step.
        split: validation structures of each member.
        workers: processes that train together; default this one alone.
        paces: how the networks of each element learn; default all alike.
        structure_weights: factors on the shares of structures in the loss; default 1.
        regularizer: adds to the gradients.
        finish: what is different in the last share of the run; default nothing.
    """

    def __init__(
        self,
        config: StepsConfig,
        potential: EnsemblePotential,
        store: Store,
        references: References,
        sampler: Sampler,
        split: Split,
        *,
        workers: Workers | None = None,
        paces: Sequence[Pace] | None = None,
        structure_weights: StructureWeights | None = None,
        regularizer: Regularizer | None = None,
        finish: Finish | None = None,
    ) -> None:
        self.workers = workers or Workers()
        self.config = config
        self.potential = potential
        self.store = store
        self.references = references
        self.sampler = sampler
        self.split = split
        self.parameters: list[Tensor] = list(potential.network.parameters())
        self.optimizer = make_optimizer(config, potential, store.dataset.counts.sum(axis=0), paces)
        self.regularizer = regularizer
        self.finish = finish
        self.average = WeightAverage(self.parameters, config.average)
        self.best = BestWeights(self.parameters, potential.n_members)
        self.position = Position(ErrorSums(potential.n_members))
        self._batch_sums = torch.zeros_like(self.position.sums.values)
        self.with_forces = wants_forces(references, config.loss)
        self._gradients = Gradients(
            potential, store, references, self.workers, forces=self.with_forces, weights=structure_weights
        )

    @property
    def likelihood(self) -> ForceLikelihood | None:
        """Likelihood that forces are trained by; None as long as it is their squared errors."""
        return self._gradients.likelihood

    # One step -------------------------------------------------------------------------------------

    def gradients(self, groups: Sequence[np.ndarray], weights: LossWeights) -> tuple[np.ndarray, np.ndarray]:
        """Compute the gradients of the loss by the weights; errors count once the step is taken.

        Returns:
            structures in the order of the members, and their losses.

        Raises:
            TrainingError: names the structures whose loss is not finite.
        """
        self.optimizer.zero_grad()
        ids, losses, self._batch_sums = self._gradients(groups, weights)
        if not np.isfinite(losses).all():
            raise TrainingError(self._blame(ids[~np.isfinite(losses)], "the loss is not finite"))
        return ids, losses

    def step(self, groups: Sequence[np.ndarray], share: float) -> None:
        """Take one step of the optimizer; nothing is changed if an error is raised."""
        weights = loss_weights(self.config.loss, share)
        ids, losses = self.gradients(groups, weights)
        if self.regularizer is not None:
            self.regularizer(self.parameters)
        grads = [p.grad for p in self.parameters if p.grad is not None]
        norms = torch.stack(torch._foreach_norm(grads))
        if not torch.isfinite(norms).all():
            bad = self._gradients.not_finite(groups, weights)
            raise TrainingError(self._blame(bad, "the gradient is not finite"))
        if self.config.optimizer.gradient_clip is not None:
            clip_gradients(grads, self.config.optimizer.gradient_clip)
        set_step_size(self.optimizer, self.config.optimizer, share)
        self.optimizer.step()
        self.average.update(self.parameters, self.position.total + 1)
        self.position.sums.values += self._batch_sums
        self.position.evaluations += len(ids)
        self.sampler.observe(ids, losses)

    def _blame(self, ids: np.ndarray, what: str) -> str:
        names = [
            self.store.dataset.structures[i].source or f"structure {i}" for i in dict.fromkeys(ids.tolist())
        ]
        shown = ", ".join(names[:_NAMED]) + (
            f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        )
        where = f"epoch {self.position.epoch + 1}, step {self.position.step + 1}"
        hint = "look at its labels" if len(names) < _NAMED else "the run diverged; try a smaller step size"
        return f"{where}: {what} for {shown or 'the whole batch'}: {hint}"

    # Validation -----------------------------------------------------------------------------------

    def validate(self) -> tuple[Tensor, dict[str, Any]]:
        """Evaluate the averaged weights on each member's own validation structures.

        Returns:
            validation loss per member (weights of the run's end), and RMSEs over all members and per member.
        """
        if not len(self.split.valid[0]) or self.likelihood is not None:  # then they train, too
            return ErrorSums(self.potential.n_members).losses, {}
        sums = self.errors(self.split.valid, self.average.values)
        return sums.losses, sums.summary(members=True)

    def errors(self, members: Sequence[np.ndarray], values: Sequence[Tensor]) -> ErrorSums:
        """Evaluate some weights on structures of each member, all of the same number."""
        sums = ErrorSums(self.potential.n_members)
        weights = loss_weights(self.config.loss, 1.0)
        size = max(self.config.batch_size, 16)
        with self.using(values):
            for start in range(0, len(members[0]), size):
                groups = self.workers.share([ids[start : start + size] for ids in members])
                batch, labels = make_batch(self.store, self.references, groups)
                prediction = self.potential.predict(batch, forces=self.with_forces)
                errors = structure_errors(prediction, batch, labels)
                sums.add(errors, errors.loss(weights), batch, labels)
        self.workers.add([sums.values])
        return sums

    def losses(self, ids: np.ndarray) -> np.ndarray:
        """Return the loss of each of some structures by the present weights, mean over the members."""
        weights = loss_weights(self.config.loss, 1.0)
        return structure_losses(
            self.potential, self.store, self.references, ids, weights, forces=self.with_forces
        )

    def energy_errors(self, ids: np.ndarray) -> np.ndarray:
        """Return errors of energies by the present weights in eV/atom, NaN without a reference."""
        return energy_errors(self.potential, self.store, self.references, ids)

    def using(self, values: Sequence[Tensor]) -> Swapped:
        """Return a context in which the networks have other weights."""
        return Swapped(self.parameters, values)

    # Loop -----------------------------------------------------------------------------------------

    def run(
        self,
        progress: Progress,
        on_epoch: Callable[[dict[str, Any]], None],
        save: Callable[[], None],
        on_step: Callable[[Position], None] = lambda position: None,
    ) -> None:
        """Train to the end of the schedule.

        Args:
            progress: tells how far the run is.
            on_epoch: gets the log record of each epoch.
            save: writes a checkpoint of the present state; called between steps only.
            on_step: called after each step.

        Raises:
            TrainingError: a loss or gradient is not finite; the state before that step has been saved.
            KeyboardInterrupt: passed on after saving.
        """
        saved = time.monotonic()
        with InterruptFlag() as interrupt:
            while not self._finished(progress):
                self._begin_finish(progress)
                steps = self.sampler.batches(self.position.epoch)
                while self.position.step < len(steps):
                    share = self._agreed(progress.share(self.position.total))
                    if share >= 1.0 and self.position.total > 0:
                        break
                    self._guarded_step(steps[self.position.step], share, save)
                    on_step(self.position)
                    if self.workers.largest([float(interrupt.requested)])[0]:
                        save()
                        self.workers.wait()
                        raise KeyboardInterrupt
                    if time.monotonic() - saved > self.config.checkpoint_interval:
                        save()
                        saved = time.monotonic()
                on_epoch(self._end_epoch(progress))
        save()

    def _begin_finish(self, progress: Progress) -> None:
        """Begin the last share of the run if it is due and an epoch begins."""
        finish, p = self.finish, self.position
        if finish is None or self.likelihood is not None or p.step:
            return
        if finish.is_due(self._agreed(progress.share(p.total)), p.epoch):
            with self.using(self.average.values):
                args = self.potential, self.store, self.references, finish.ids
                self._use(self.workers.together(lambda: fit_force_likelihood(*args)))

    def _use(self, likelihood: ForceLikelihood) -> None:
        assert self.finish is not None
        self._gradients.likelihood, self.sampler = likelihood, self.finish.sampler

    def _finished(self, progress: Progress, epochs: int | None = None) -> bool:
        """Whether nothing is left after some epochs, default those that have ended."""
        epochs = self.position.epoch if epochs is None else epochs
        limit = self.config.max_epochs
        if limit is not None and epochs >= limit:
            return True
        over = progress.seconds is not None and progress.share(0) >= 1.0
        return self.position.total > 0 and self._agreed(float(over)) > 0.0

    def _agreed(self, value: float) -> float:
        """Return what the first process says of a number, not below 0, that depends on the clock."""
        return self.workers.largest([value if self.workers.is_first else 0.0])[0]

    def _guarded_step(self, groups: list[np.ndarray], share: float, save: Callable[[], None]) -> None:
        start = time.monotonic()
        try:
            self.step(groups, share)
        except TrainingError:
            save()
            raise
        self.position.step += 1
        self.position.total += 1
        self.position.epoch_seconds += time.monotonic() - start

    def _end_epoch(self, progress: Progress) -> dict[str, Any]:
        valid = self._judge(progress)
        self.sampler.finish_epoch(self.position.epoch)
        record = {
            "type": "epoch",
            "epoch": self.position.epoch,
            "seconds": round(self.position.epoch_seconds, 4),
            "train": self.position.sums.summary(),
            "valid": valid,
            "gradient_evaluations": self.position.evaluations // self.potential.n_members,
            **({} if self.likelihood is None else {"phase": "likelihood"}),
        }
        self.position = Position(
            ErrorSums(self.potential.n_members),
            epoch=self.position.epoch + 1,
            total=self.position.total,
            evaluations=self.position.evaluations,
        )
        return record

    def _judge(self, progress: Progress) -> dict[str, Any]:
        """Validate if it is time to, or the last one, and keep the members that have improved."""
        epoch = self.position.epoch
        every = self.config.epochs_per_validation
        if (epoch + 1) % every and not self._finished(progress, epoch + 1):
            return {}
        loss, valid = self.validate()
        if torch.isnan(loss).any() and not valid:
            loss = torch.full_like(loss, -float(epoch))  # nothing to choose by: keep the last
        self.best.offer(self.average.values, loss, epoch)
        return valid

    # State ----------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return everything that changes during training."""
        p = self.position
        return {
            "parameters": [q.detach() for q in self.parameters],
            "average": self.average.values,
            "best": self.best.values,
            "best_loss": self.best.loss,
            "best_epoch": self.best.epoch,
            "optimizer": self.optimizer.state_dict(),
            "sampler": self.sampler.state(),
            "position": [p.epoch, p.step, p.total],
            "sums": p.sums.values,
            "epoch_seconds": p.epoch_seconds,
            "evaluations": p.evaluations,
            "likelihood": None if self.likelihood is None else self.likelihood.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state`."""
        with torch.no_grad():
            for target, source in (
                (self.parameters, state["parameters"]),
                (self.average.values, state["average"]),
                (self.best.values, state["best"]),
            ):
                for a, b in zip(target, source, strict=True):
                    a.copy_(b)
        self.best.loss, self.best.epoch = state["best_loss"], state["best_epoch"]
        self.optimizer.load_state_dict(state["optimizer"])
        if state.get("likelihood") is not None:
            self._use(ForceLikelihood.restored(state["likelihood"]))
        self.sampler.restore(state["sampler"])
        epoch, step, total = state["position"]
        self.position = Position(
            ErrorSums(self.potential.n_members),
            epoch,
            step,
            total,
            state["epoch_seconds"],
            state["evaluations"],
        )
        self.position.sums.values.copy_(state["sums"])
