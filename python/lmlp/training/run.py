"""From a configuration to a trained model."""

from __future__ import annotations

import json
import time
from typing import Any, cast

import numpy as np
import torch

from lmlp import __version__
from lmlp.dataset.arrays import Dataset
from lmlp.dataset.baseline import without_baseline
from lmlp.dataset.batches import make_references
from lmlp.dataset.derivatives import Plan, store_derivatives
from lmlp.dataset.disk import StreamedDataset
from lmlp.dataset.division import Shares, Split, divide
from lmlp.dataset.free_atoms import Block, free_energies, make_block, smallest_densities, unlike_free
from lmlp.dataset.input_file import InputFile
from lmlp.dataset.read import read_dataset
from lmlp.dataset.sources import Sources
from lmlp.dataset.store import Store
from lmlp.descriptor.compute import Descriptor
from lmlp.elements import atomic_number
from lmlp.errors import ConfigError, DivergedError, InvalidArgumentError
from lmlp.files.lock import locked
from lmlp.files.names import beside
from lmlp.files.rule import check_outputs
from lmlp.io import DataKeys
from lmlp.model.baseline import Zbl, make_zbl, parse_baseline
from lmlp.model.data import ModelData
from lmlp.model.network import EnsembleNetwork
from lmlp.model.potential import EnsemblePotential
from lmlp.model.scaling import anchored_energies, fit_atomic_energies, fit_input_map, left_over
from lmlp.model.torch_fork import safe_after_fork
from lmlp.selection.adaptive import AdaptiveSelection, outcome
from lmlp.selection.energy_suspects import suspect_energies
from lmlp.selection.ledger import SUSPECT
from lmlp.selection.sampler import Sampler, ShuffledBatches
from lmlp.selection.similar import likes_by_task, structure_points
from lmlp.structure.distances import shortest_distances
from lmlp.training.beforehand import check_elements, check_end
from lmlp.training.calibration import evaluate_held_out, model_errors
from lmlp.training.config import TrainConfig
from lmlp.training.divergence import Divergence
from lmlp.training.forecast import make_forecast
from lmlp.training.functions import cutoff_of, in_words, make_spec, useful_functions, where_they_begin, worth
from lmlp.training.observer import Observer
from lmlp.training.schedule import Progress
from lmlp.training.state.backup import Backup
from lmlp.training.state.checkpoint import load_checkpoint, model_fields
from lmlp.training.state.log import JsonLog
from lmlp.training.state.outputs import set_earlier_aside, train_outputs
from lmlp.training.state.restore import potential_from_state, potential_state
from lmlp.training.state.resume import check_roles, check_saved, roles
from lmlp.training.trainer import Trainer
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
        OutputError: another run writes the same files, or they cannot be written.
        DivergedError: the run has ended, and its model is no better than none; it is in the error.
        KeyboardInterrupt: after saving.
    """
    observer = observer or Observer()
    with locked(beside(config.output, ""), observer.on_message):
        return Run(config, observer, resume=resume).train()


class Run:
    """One training run from the files to the model.

    Args:
        config: settings.
        observer: hears of the progress.
        resume: continue from the checkpoint.
        started: ``time.monotonic()`` that the time limit counts from; default now.
        workers: processes that train together; default this one alone.
        force: drop the checkpoint and the log of an earlier run; default: they get other names.
    """

    from_nothing = True  # the first weights are random

    def __init__(
        self,
        config: TrainConfig,
        observer: Observer,
        *,
        resume: bool = False,
        started: float | None = None,
        workers: Workers | None = None,
        force: bool = False,
    ) -> None:
        self.config = config
        self.workers = workers or Workers()
        self.observer = observer if self.workers.is_first else Observer()
        self.started = time.monotonic() if started is None else started
        self.stored = False  # derivatives of the inputs
        self.functions: dict[str, Any] = {}  # what was chosen for the data, for the log
        self.keeps_earlier = not (resume or force)
        self.backup = Backup(config.checkpoint, self.observer.on_message)
        self.saved: dict[str, Any] | None = None
        self.workers.together(self._check_outputs)
        if resume:
            self.saved = self.workers.together(lambda: load_checkpoint(config.checkpoint))
        if config.threads is not None:
            torch.set_num_threads(config.threads)

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
        self.roles = self._roles()
        if self.saved is not None:
            check_roles(self.saved, self.config, self.roles)
        self.free_atoms = self._free_atoms()
        self.trainer = self._make_trainer()
        self.anchored = self._anchored()
        if self.saved is None:
            return 0.0
        self.trainer.restore(self.saved)
        return float(self.saved["elapsed"])

    def _check_outputs(self) -> None:
        """Refuse outputs that cannot be written or would destroy something, before anything is read."""
        c = self.config
        try:
            check_outputs(train_outputs(c, fresh=self.keeps_earlier), [*c.data, *c.valid])
        except InvalidArgumentError as error:
            raise ConfigError(f"output: {error}") from None

    # Data -----------------------------------------------------------------------------------------

    def _read(self) -> tuple[Dataset, int]:
        """Read all files; returns the data set, whose last structures (as many as said) are held out."""
        c = self.config
        sources = Sources(
            files=c.data,
            held_out=c.valid,
            keys=DataKeys(**c.keys.model_dump()),
            elements=c.elements,
            cutoff=cutoff_of(c.descriptor),
            on_disk=c.stream,
            memory=c.memory_budget,
            folder=c.stream_folder,
        )
        dataset, held_out = read_dataset(sources, self.observer, self.workers.together)
        check_elements(dataset.counts[: len(dataset) - held_out], dataset.elements)
        return dataset, held_out

    def _split(self, n_held_out: int) -> Split:
        """Draw the hold-out and each member's own validation structures; depends on the seed alone."""
        c = self.config
        shares = Shares(c.valid_fraction, c.holdout_fraction, c.model.members, c.seed)
        return divide(self.dataset, n_held_out, shares, self.observer.on_message)

    def _roles(self) -> dict[str, Any]:
        """Return who trains on what, for the checkpoint."""
        return roles(self.split, free_atoms=self.dataset.free_atoms)

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

    def _free_atoms(self) -> Block | None:
        """Return the energies of free atoms that the model gets, or the checkpoint has."""
        if self.saved is not None:
            return cast("Block | None", json.loads(self.saved.get("free_atoms", "null")))
        dataset, say = self.dataset, self.observer.on_message
        rows = np.unique(np.concatenate([*self.split.train, *self.split.valid]))
        energies = free_energies(dataset, rows, self.config.model.atomic_energies, say)
        if not energies:
            return None
        cutoff = cutoff_of(self.config.descriptor)
        smallest = smallest_densities(dataset, rows, cutoff)
        return make_block(energies, smallest, unlike_free(dataset, rows, cutoff, energies, smallest), say)

    def _anchored(self) -> np.ndarray:
        """Return E_atom of the model: those of the training where its compositions leave no choice."""
        own = self.trainer.potential.atomic_energies
        if self.saved is not None:
            return np.asarray(self.saved.get("anchored_energies", torch.from_numpy(own)).numpy())
        block, given = self.free_atoms or {}, self.config.model.atomic_energies
        kinds = [k for k, e in enumerate(self.dataset.elements) if e not in given]
        names = [self.dataset.elements[k] for k in kinds]
        free = np.array([block[e]["energy"] if e in block else np.nan for e in names])
        result: np.ndarray = own.copy()
        result[kinds] = anchored_energies(self.dataset.counts[:, kinds], own[kinds], free)
        return result

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
        energies = self._atomic_energies()
        if c.model.atomic_energies:  # they are not those that fit best: biases make up for it, not steps
            rows = self._with_energy()
            network.shift_output(left_over(dataset.counts[rows], dataset.energies[rows], energies).tolist())
        return EnsemblePotential(descriptor, input_map, network, energies), store

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
        rows = self._with_energy()
        return fit_atomic_energies(dataset.counts[rows], dataset.energies[rows], dataset.numbers, given)

    def _with_energy(self) -> np.ndarray:
        """Return the structures whose energies the model may know."""
        rows = np.arange(len(self.dataset) - self._n_external())
        return np.asarray(rows[np.isfinite(self.dataset.energies[rows])])

    # Training -------------------------------------------------------------------------------------

    def _train(self, before: float) -> None:
        c, trainer = self.config, self.trainer
        noted = None if self.saved is None else self.saved["divergence"]
        self.divergence = Divergence(trainer, noted, from_nothing=self.from_nothing)
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
        self.workers.together(self._check_end)
        if self.workers.is_first:
            self._set_earlier_aside()
            self.log = JsonLog(c.log, None if self.saved is None else trainer.position.epoch)
        if self.saved is None:
            start = {"type": "start", **self._provenance(), "forecast": forecast.as_dict()}
            self._write({**start, "symmetry_functions": self.functions})
        self.observer.on_start(forecast, trainer.position)

        def on_epoch(record: dict[str, Any]) -> None:
            self.divergence.note(record["train"])
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

    def _set_earlier_aside(self) -> None:
        if self.keeps_earlier and (kept := set_earlier_aside(self.config)):
            self.observer.on_message(f"files of an earlier run are now {', '.join(map(str, kept))}")

    def _check_end(self) -> None:
        state = self._state(None)
        model = self.trainer.potential.to_model_data(**model_fields(state))
        say, resumed = self.observer.on_message, self.saved is not None
        check_end(model, state, self.config.checkpoint, say, resumed=resumed)

    def _write(self, record: dict[str, Any]) -> None:
        if self.workers.is_first:
            self.backup.note(self.log, record)

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
            self.backup.save(self._state(results))

    def _state(self, results: dict[str, Any] | None) -> dict[str, Any]:
        return {
            **potential_state(self.trainer.potential),
            **self.trainer.state(),
            "config": self.config.model_dump_json(),
            "fingerprint": self.fingerprint,
            "roles": self.roles,
            "divergence": self.divergence.state(),
            "elapsed": self.progress.elapsed,
            "stored_derivatives": self.stored,
            "feature_min": self.limits[0],
            "feature_max": self.limits[1],
            "baseline": json.dumps(None if self.baseline is None else self.baseline.block()),
            "shortest_distances": json.dumps(self.shortest),
            "free_atoms": json.dumps(self.free_atoms),
            "anchored_energies": torch.from_numpy(self.anchored),
            "provenance": self._provenance(),
            "results": results,
            **self._more_state(),
        }

    def _more_state(self) -> dict[str, Any]:
        """Return what else the checkpoint keeps; nothing here."""
        return {}

    def _finish(self) -> ModelData:
        """Evaluate the best weights on the hold-out and return the model.

        Raises:
            DivergedError: holds the model.
        """
        trainer = self.trainer
        with trainer.using(trainer.best.values):
            results = self.workers.together(self._held_out_errors)
        wrong = self.divergence.verdict(results)
        if wrong is not None:
            results = {}  # there may be no numbers among them
        with trainer.using(trainer.best.values):
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
            **({"diverged": wrong} if wrong is not None else self._selected()),
        }
        self._write(record)
        self.observer.on_end(record)
        self.workers.wait()  # nobody leaves before the files are written
        if wrong is not None:
            raise DivergedError(f"the run has diverged: {wrong}", data)
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
        return suspect_energies(
            self.trainer.energy_errors, self.points, used, self.split.holdout, sampler.rule
        )
