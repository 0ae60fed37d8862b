"""From a configuration to a trained model."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import torch

from lmlp import __version__
from lmlp.descriptor.compute import Descriptor
from lmlp.elements import atomic_number
from lmlp.errors import ConfigError, DataError
from lmlp.io.distances import shortest_distances
from lmlp.model.baseline import Zbl, make_zbl, parse_baseline
from lmlp.model.data import ModelData
from lmlp.model.network import EnsembleNetwork
from lmlp.model.potential import EnsemblePotential
from lmlp.model.scaling import fit_atomic_energies, fit_input_map
from lmlp.model.torch_fork import safe_after_fork
from lmlp.training.baseline import without_baseline
from lmlp.training.batching import Sampler, ShuffledBatches, make_references
from lmlp.training.calibration import evaluate_held_out, model_errors
from lmlp.training.checkpoint import load_checkpoint, model_fields, save_checkpoint
from lmlp.training.config import TrainConfig
from lmlp.training.dataset import Dataset
from lmlp.training.derivatives import Plan, store_derivatives
from lmlp.training.energy_suspects import suspect_energies
from lmlp.training.forecast import make_forecast
from lmlp.training.functions import in_words, make_spec, useful_functions, where_they_begin, worth
from lmlp.training.inputs import InputFile
from lmlp.training.log import JsonLog
from lmlp.training.observer import Observer
from lmlp.training.reading import check_saved, read_dataset
from lmlp.training.restore import potential_from_state, potential_state
from lmlp.training.schedule import Progress
from lmlp.training.selection import SUSPECT, AdaptiveSelection, outcome
from lmlp.training.similar import likes_by_task, structure_points
from lmlp.training.store import Store
from lmlp.training.stream import StreamedDataset
from lmlp.training.trainer import Split, Trainer
from lmlp.training.workers import Workers

_FINISH_SECONDS = 3.0


@safe_after_fork
def train(config: TrainConfig, *, observer: Observer | None = None, resume: bool = False) -> ModelData:
    """Train a model.

    Writes ``<stem>.checkpoint`` and ``<stem>.log.jsonl`` beside ``config.output``; the model file itself
    is the caller's (:func:`lmlp.export.model_file.write_model_file`).

    Args:
        config: settings.
        observer: hears of the progress.
        resume: continue from the checkpoint; the weights come out as those of an unbroken run.

    Returns:
        the members' best weights, with errors and calibration on held-out structures.

    Raises:
        ConfigError: settings that contradict each other or the checkpoint.
        DataError, UnknownElementError, GeometryError: data that cannot be used; the structure is named.
        TrainingError: a loss or gradient is not finite; the structure is named, the last good state is saved.
        KeyboardInterrupt: after saving.
    """
    return Run(config, observer or Observer(), resume=resume).train()


class Run:
    """One training run from the files to the model.

    Args:
        config: settings.
        observer: hears of the progress.
        resume: continue from the checkpoint.
        started: ``time.monotonic()`` that the time limit counts from; default now.
        workers: processes that train together; default this one alone.
    """

    def __init__(
        self,
        config: TrainConfig,
        observer: Observer,
        *,
        resume: bool = False,
        started: float | None = None,
        workers: Workers | None = None,
    ) -> None:
        self.config = config
        self.workers = workers or Workers()
        self.observer = observer if self.workers.is_first else Observer()
        self.started = time.monotonic() if started is None else started
        self.stored = False  # derivatives of the inputs
        self.functions: dict[str, Any] = {}  # what was chosen for the data, for the log
        self.saved: dict[str, Any] | None = None
        if resume:
            self.saved = self.workers.together(lambda: load_checkpoint(config.checkpoint))
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        if not config.output.parent.is_dir():
            raise ConfigError(f"output: the folder {config.output.parent} does not exist")

    def train(self) -> ModelData:
        """Do everything; see :func:`train`."""
        before = self.prepare()
        self._train(before)
        return self._finish()

    def prepare(self) -> float:
        """Read the data and build the trainer; returns the seconds trained before."""
        self.dataset, held_out = self._read()
        self.fingerprint = self.dataset.fingerprint()
        if self.saved is not None:
            check_saved(self.saved, self.config, self.fingerprint)
        self.shortest = self._shortest_distances(held_out)
        self.baseline = self._baseline()
        self.dataset = without_baseline(self.dataset, self.baseline, self.observer.on_message)
        self.split = self._split(held_out)
        self.trainer = self._make_trainer()
        if self.saved is None:
            return 0.0
        self.trainer.restore(self.saved)
        return float(self.saved["elapsed"])

    # Data -----------------------------------------------------------------------------------------

    def _read(self) -> tuple[Dataset, int]:
        """Read all files; returns the data set, whose last structures (as many as said) are held out."""
        return read_dataset(self.config, self.observer, self.workers)

    def _split(self, n_held_out: int) -> Split:
        """Draw the hold-out and each member's own validation structures; depends on the seed alone."""
        c = self.config
        n = len(self.dataset) - n_held_out
        order = np.random.default_rng([c.seed, 0]).permutation(n)
        n_common = 0 if n_held_out else int(c.holdout_fraction * n)
        holdout = np.arange(n, n + n_held_out) if n_held_out else np.sort(order[:n_common])
        rest = np.sort(order[n_common:])
        n_valid = int(c.valid_fraction * n)
        if len(rest) - n_valid < 1:
            raise DataError(f"{n} structures are too few for the validation and hold-out shares asked for")
        drawn = [np.random.default_rng([c.seed, 1, m]).permutation(rest) for m in range(c.model.members)]
        return Split([np.sort(d[n_valid:]) for d in drawn], [np.sort(d[:n_valid]) for d in drawn], holdout)

    # Model ----------------------------------------------------------------------------------------

    def _shortest_distances(self, n_held_out: int) -> dict[str, float]:
        """Return the shortest distance of each pair of elements in the training data."""
        if self.saved is not None:
            return dict(json.loads(self.saved.get("shortest_distances", "{}")))
        dataset = self.dataset
        cutoff = float(make_spec(self.config.descriptor, dataset.elements, {})["cutoff"])
        trained = (dataset.structures[i] for i in range(len(dataset) - n_held_out))
        return shortest_distances(trained, dataset.elements, cutoff)

    def _baseline(self) -> Zbl | None:
        """Return the pair repulsion that the model gets, or the checkpoint has."""
        elements = self.dataset.elements
        if self.saved is not None:
            block = json.loads(self.saved.get("baseline", "null"))
            return parse_baseline(block, elements, float(json.loads(self.saved["descriptor"])["cutoff"]))
        chosen = self.config.model.baseline
        if chosen is None:
            return None
        cutoff = float(make_spec(self.config.descriptor, elements, {})["cutoff"])
        radii = chosen.model_dump(exclude={"type"})
        block = make_zbl(elements, cutoff, **radii, shortest=self.shortest)
        return parse_baseline(block, elements, cutoff)

    def _make_trainer(self) -> Trainer:
        """Build potential, store and trainer."""
        c, dataset = self.config, self.dataset
        dtype = getattr(torch, c.dtype)
        if self.saved is not None:
            potential = potential_from_state(self.saved, weights="parameters")
            store = self._make_store(potential.descriptor, statistics=False)  # same pieces, same bits
            store.set_inputs(potential.input_map, dtype)
            self.limits = (self.saved["feature_min"], self.saved["feature_max"])
        else:
            potential, store = self._new_potential(dtype)
        references = make_references(dataset, potential.atomic_energies)
        sampler = self._make_sampler()
        if isinstance(sampler, AdaptiveSelection):
            self._find_likes(store, sampler)
        trainer = Trainer(c, potential, store, references, sampler, self.split, workers=self.workers)
        if trainer.with_forces:
            self._store_derivatives(store)
        return trainer

    def _make_store(self, descriptor: Descriptor, *, statistics: bool = True) -> Store:
        """Keep what fits, or all on disk."""
        dataset = self.dataset
        options: dict[str, Any] = {"n_fit": len(dataset) - self._n_external(), "statistics": statistics}
        if not isinstance(dataset, StreamedDataset):
            return Store(dataset, descriptor, self.config.memory_budget, **options)
        file = InputFile(dataset.folder / f"inputs-{self.workers.rank}", self.observer.on_message)
        return Store(dataset, descriptor, self.config.memory_budget, file=file, **options)

    def _make_sampler(self) -> Sampler:
        """Build what chooses the structures of each step."""
        c = self.config
        if c.selection is None:
            return ShuffledBatches(self.split.train, c.batch_size, c.seed, c.shuffle_block)
        tasks = np.zeros(len(self.dataset), dtype=np.int64)
        return AdaptiveSelection(
            self.split.train, tasks, batch_size=c.batch_size, seed=c.seed, rule=c.selection
        )

    def _find_likes(self, store: Store, sampler: AdaptiveSelection) -> None:
        """Let the sampler compare suspects with similar structures of their task."""
        self.points = structure_points(store, np.arange(len(self.dataset)))
        pool = np.unique(np.concatenate(self.split.train))
        sampler.likes = likes_by_task(self.points, sampler.tasks, pool)

    def _store_derivatives(self, store: Store) -> None:
        """Store what pays; a resumed run does as it did before, so that it repeats the same bits."""
        c = self.config
        ids = np.unique(np.concatenate([*self.split.train, *self.split.valid]))
        mode, passes, seconds = c.derivatives, None, None
        if self.saved is not None:
            mode = "stored" if self.saved.get("stored_derivatives") else "computed"
        if c.max_epochs is not None:
            share = 1.0 if c.selection is None else c.selection.share
            passes = 2.0 * c.max_epochs * share * c.model.members * len(self.split.train[0]) / len(ids)
        if c.time_limit is not None:
            seconds = c.time_limit - (time.monotonic() - self.started)
        plan = Plan(mode, passes, seconds)
        self.stored = store_derivatives(store, ids, plan, self.observer.on_message)

    def _new_potential(self, dtype: torch.dtype) -> tuple[EnsemblePotential, Store]:
        c, dataset = self.config, self.dataset
        elements = dataset.elements
        spec = make_spec(c.descriptor, elements, self.shortest)
        say = self.observer.on_message
        begin = where_they_begin(spec, c.descriptor, self.shortest)
        if begin is not None:
            say(begin)
        keep_all = bool(c.descriptor.preset_options.get("keep_all"))
        found = useful_functions(Descriptor(spec, elements), self._make_store, say, keep_all=keep_all)
        descriptor, store, moments = found
        self.limits = torch.from_numpy(moments.minimum), torch.from_numpy(moments.maximum)
        input_map = fit_input_map(moments, c.model.decorrelation, c.model.keep, c.model.floor)
        counted = worth(elements, moments, input_map)
        if c.model.decorrelation is not None:
            say(in_words(counted, c.model.keep))
        self.functions = {**counted, "range": begin, "shortest_distances": self.shortest}
        store.set_inputs(input_map, dtype)
        network = EnsembleNetwork(
            len(elements),
            c.model.members,
            [input_map.n_inputs, *c.model.hidden],
            activation=c.model.activation,
            seed=c.seed,
            dtype=dtype,
        )
        network.scale_output(c.model.output_scale)
        return EnsemblePotential(descriptor, input_map, network, self._atomic_energies()), store

    def _n_external(self) -> int:
        return len(self.split.holdout) if self.config.valid else 0

    def _atomic_energies(self) -> np.ndarray:
        dataset = self.dataset
        given = {atomic_number(e): v for e, v in self.config.model.atomic_energies.items()}
        foreign = [e for e in self.config.model.atomic_energies if atomic_number(e) not in dataset.numbers]
        if foreign:
            raise ConfigError(
                f"model.atomic_energies: {', '.join(foreign)} not among {', '.join(dataset.elements)}"
            )
        rows = np.arange(len(dataset) - self._n_external())
        rows = rows[np.isfinite(dataset.energies[rows])]
        return fit_atomic_energies(dataset.counts[rows], dataset.energies[rows], dataset.numbers, given)

    # Training -------------------------------------------------------------------------------------

    def _train(self, before: float) -> None:
        c, trainer = self.config, self.trainer
        seconds = None
        if c.time_limit is not None:
            used = time.monotonic() - self.started
            seconds = max(c.time_limit - used - _FINISH_SECONDS, 1.0)
        forecast = make_forecast(trainer, None if seconds is None else max(seconds - before, 0.0))
        if seconds is not None:
            # the held-out structures are evaluated by all members once more at the end
            final = forecast.seconds_per_step / c.batch_size * len(self.split.holdout)
            seconds = max(seconds - final, 1.0)
        epochs = c.max_epochs
        planned = None if epochs is None else epochs * trainer.sampler.n_steps
        self.progress = Progress(planned, seconds, before)
        if self.workers.is_first:
            self.log = JsonLog(c.log, None if self.saved is None else trainer.position.epoch)
        if self.saved is None:
            start = {"type": "start", **self._provenance(), "forecast": forecast.as_dict()}
            self._write({**start, "symmetry_functions": self.functions})
        self.observer.on_start(forecast, trainer.position)

        def on_epoch(record: dict[str, Any]) -> None:
            record["elapsed"] = round(self.progress.elapsed, 3)
            self._write(record)
            self.observer.on_epoch(record)

        trainer.run(
            self.progress,
            on_epoch,
            self._save,
            lambda p: self.observer.on_step(
                p, self.progress.share(p.total), self.progress.remaining(p.total)
            ),
        )

    def _write(self, record: dict[str, Any]) -> None:
        if self.workers.is_first:
            self.log.write(record)

    def _provenance(self) -> dict[str, Any]:
        return {
            "lmlp_version": __version__,
            "torch_version": str(torch.__version__),
            "config": json.loads(self.config.model_dump_json()),
            "n_structures": len(self.dataset),
            "n_train": len(self.split.train[0]),
            "n_valid": len(self.split.valid[0]),
            "n_holdout": len(self.split.holdout),
            "elements": self.dataset.elements,
            "data_sha256": self.fingerprint,
        }

    def _save(self, results: dict[str, Any] | None = None) -> None:
        if self.workers.is_first:
            save_checkpoint(self.config.checkpoint, self._state(results))

    def _state(self, results: dict[str, Any] | None) -> dict[str, Any]:
        return {
            **potential_state(self.trainer.potential),
            **self.trainer.state(),
            "config": self.config.model_dump_json(),
            "fingerprint": self.fingerprint,
            "elapsed": self.progress.elapsed,
            "stored_derivatives": self.stored,
            "feature_min": self.limits[0],
            "feature_max": self.limits[1],
            "baseline": json.dumps(None if self.baseline is None else self.baseline.block()),
            "shortest_distances": json.dumps(self.shortest),
            "provenance": self._provenance(),
            "results": results,
            **self._more_state(),
        }

    def _more_state(self) -> dict[str, Any]:
        """Return what else the checkpoint keeps; nothing here."""
        return {}

    def _finish(self) -> ModelData:
        """Evaluate the best weights on the hold-out and return the model."""
        trainer = self.trainer
        with trainer.using(trainer.best.values):
            results = self.workers.together(self._held_out_errors)
            self._save(results)
            data = trainer.potential.to_model_data(**model_fields(self._state(results)))
        record = {
            "type": "end",
            "epochs": trainer.position.epoch,
            "steps": trainer.position.total,
            "seconds": round(self.progress.elapsed, 3),
            "best_epoch": trainer.best.epoch.tolist(),
            "gradient_evaluations": trainer.position.evaluations // trainer.potential.n_members,
            "holdout": {k: results.get(k) for k in ("energy_rmse", "force_rmse")},
            **self._selected(),
        }
        self._write(record)
        self.observer.on_end(record)
        self.workers.wait()  # nobody leaves before the files are written
        return data

    def _held_out_errors(self) -> dict[str, Any]:
        if not len(self.split.holdout):
            return {}
        t = self.trainer
        held = evaluate_held_out(t.potential, t.store, t.references, self.split.holdout)
        return model_errors(held, self.dataset.elements)

    def _selected(self) -> dict[str, Any]:
        """Tell which structures were parked or excluded, if they were chosen by their losses."""
        sampler = self.trainer.sampler
        if not isinstance(sampler, AdaptiveSelection):
            return {}
        with self.trainer.using(self.trainer.best.values):
            energies = self.workers.together(lambda: self._suspect_energies(sampler))
        names = [s.source or f"structure {i}" for i, s in enumerate(self.dataset.structures)]
        found = outcome(sampler, names, energies)
        for entry in found["suspects"]:
            self.observer.on_message(f"{entry['source']}: {entry['reason']}")
        return {"selection": found}

    def _suspect_energies(self, sampler: AdaptiveSelection) -> dict[int, str]:
        used = np.unique(np.concatenate(self.split.train))
        used = used[sampler.ledger.status[used] != SUSPECT]
        return suspect_energies(self.trainer, self.points, used, self.split.holdout, sampler.rule)
