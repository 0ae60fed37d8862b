"""Do what a plan says: loop, log, checkpoints, and the model at the end."""

from __future__ import annotations

from typing import Any

from lmlp.errors import DivergedError
from lmlp.model.data import ModelData
from lmlp.training.calibration import evaluate_held_out, model_errors
from lmlp.training.context import Context
from lmlp.training.divergence import Divergence
from lmlp.training.forecast import Forecast, make_forecast
from lmlp.training.plan import Plan
from lmlp.training.schedule import Progress
from lmlp.training.state.beforehand import check_end
from lmlp.training.state.checkpoint import model_fields
from lmlp.training.state.log import JsonLog
from lmlp.training.state.outputs import set_earlier_aside
from lmlp.training.state.restore import potential_state
from lmlp.training.trainer import Trainer

_FINISH_SECONDS = 3.0


def run(plan: Plan, context: Context) -> ModelData:
    """Train to the end of the schedule.

    Args:
        plan: what is trained, on what, how.
        context: what surrounds the run.

    Returns:
        the members' best weights, with errors and calibration on held-out structures.

    Raises:
        TrainingError: a loss or gradient is not finite; the structure is named, the last good state is saved.
        OutputError: no room for model and checkpoint.
        DivergedError: the run has ended, and its model is no better than none; it is in the error.
        KeyboardInterrupt: after saving.
    """
    return Run(plan, context).train()


class Run:
    """A run of a plan; knows neither how its structures are chosen nor whether there is a memory.

    Attributes:
        trainer: takes the steps; after the run it has the last weights, and the best ones beside them.
        progress: how far it is, once it trains.
    """

    progress: Progress

    def __init__(self, plan: Plan, context: Context) -> None:
        self.plan, self.context = plan, context
        self.trainer = Trainer(
            plan.config,
            plan.potential,
            plan.store,
            plan.references,
            plan.sampler,
            plan.split,
            workers=context.workers,
            paces=plan.paces,
            structure_weights=plan.structure_weights,
            regularizer=plan.regularizer,
            finish=plan.finish,
        )
        if plan.saved is not None:
            self.trainer.restore(plan.saved)
        self._log: JsonLog | None = None

    def train(self) -> ModelData:
        """Do everything; see :func:`run`."""
        plan, trainer, observer = self.plan, self.trainer, self.context.observer
        noted = None if plan.saved is None else plan.saved["divergence"]
        self._divergence = Divergence(trainer, noted, from_nothing=plan.from_nothing)
        forecast = self._schedule()
        self.context.workers.together(self._check_end)
        self._open_log(forecast)
        observer.on_start(forecast, trainer.position)
        trainer.run(
            self.progress,
            self._on_epoch,
            self._save,
            lambda p: observer.on_step(p, self.progress.share(p.total), self.progress.remaining(p.total)),
        )
        return self._finish()

    def _schedule(self) -> Forecast:
        """Divide the time that is left; returns the forecast."""
        c, trainer = self.plan.config, self.trainer
        before = 0.0 if self.plan.saved is None else float(self.plan.saved["elapsed"])
        seconds = None
        if c.time_limit is not None:
            seconds = max(c.time_limit - self.context.seconds_used - _FINISH_SECONDS, 1.0)
        forecast = make_forecast(trainer, None if seconds is None else max(seconds - before, 0.0))
        if seconds is not None:
            # the held-out structures are evaluated by all members once more at the end
            final = forecast.seconds_per_step / c.batch_size * len(self.plan.split.holdout)
            seconds = max(seconds - final, 1.0)
        epochs = c.max_epochs
        planned = None if epochs is None else epochs * trainer.sampler.n_steps
        self.progress = Progress(planned, seconds, before)
        return forecast

    def _check_end(self) -> None:
        """Try what happens at the end while nothing is lost yet."""
        state = self._state(None)
        model = self.trainer.potential.to_model_data(**model_fields(state))
        say, resumed = self.context.observer.on_message, self.plan.saved is not None
        check_end(model, state, self.plan.config.checkpoint, say, resumed=resumed)

    # Log and checkpoints --------------------------------------------------------------------------

    def _open_log(self, forecast: Forecast) -> None:
        plan, saved = self.plan, self.plan.saved
        if not self.context.workers.is_first:
            return
        if plan.keeps_earlier and (kept := set_earlier_aside(plan.config)):
            names = ", ".join(map(str, kept))
            self.context.observer.on_message(f"files of an earlier run are now {names}")
        self._log = JsonLog(plan.config.log, None if saved is None else self.trainer.position.epoch)
        if saved is None:
            start = {"type": "start", **plan.provenance, "forecast": forecast.as_dict()}
            self._write({**start, **plan.first_record})

    def _write(self, record: dict[str, Any]) -> None:
        if self._log is not None:
            self.context.backup.note(self._log, record)

    def _on_epoch(self, record: dict[str, Any]) -> None:
        self._divergence.note(record["train"])
        record["elapsed"] = round(self.progress.elapsed, 3)
        self._write(record)
        self.context.observer.on_epoch(record)

    def _save(self, results: dict[str, Any] | None = None) -> None:
        if self.context.workers.is_first:
            self.context.backup.save(self._state(results))

    def _state(self, results: dict[str, Any] | None) -> dict[str, Any]:
        plan = self.plan
        return {
            **potential_state(self.trainer.potential),
            **self.trainer.state(),
            **plan.parts.state(),
            "config": plan.config.model_dump_json(),
            "fingerprint": plan.fingerprint,
            "roles": plan.roles,
            "divergence": self._divergence.state(),
            "elapsed": self.progress.elapsed,
            "stored_derivatives": plan.stored_derivatives,
            "provenance": plan.provenance,
            "results": results,
            **plan.extra_state,
        }

    # The end --------------------------------------------------------------------------------------

    def _finish(self) -> ModelData:
        """Evaluate the best weights on the hold-out and return the model.

        Raises:
            DivergedError: holds the model.
        """
        trainer, together = self.trainer, self.context.workers.together
        with trainer.using(trainer.best.values):
            results = together(self._held_out_errors)
        wrong = self._divergence.verdict(results)
        if wrong is not None:
            results = {}  # there may be no numbers among them
        more: dict[str, Any] = {} if wrong is None else {"diverged": wrong}
        with trainer.using(trainer.best.values):
            self._save(results)
            data = trainer.potential.to_model_data(**model_fields(self._state(results)))
            tell = self.plan.last_record
            if wrong is None and tell is not None:
                more = together(lambda: tell(trainer))
        record = {
            "type": "end",
            "epochs": trainer.position.epoch,
            "steps": trainer.position.total,
            "seconds": round(self.progress.elapsed, 3),
            "best_epoch": trainer.best.epoch.tolist(),
            "gradient_evaluations": trainer.position.evaluations // trainer.potential.n_members,
            "holdout": {k: results.get(k) for k in ("energy_rmse", "force_rmse")},
            **more,
        }
        self._write(record)
        self.context.observer.on_end(record)
        self.context.workers.wait()  # nobody leaves before the files are written
        if wrong is not None:
            raise DivergedError(f"the run has diverged: {wrong}", data)
        return data

    def _held_out_errors(self) -> dict[str, Any]:
        if not len(self.plan.split.holdout):
            return {}
        t = self.trainer
        held = evaluate_held_out(t.potential, t.store, t.references, self.plan.split.holdout)
        return model_errors(held, self.plan.dataset.elements)
