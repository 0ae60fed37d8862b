"""From files to the data set of a run, and whether a checkpoint was made from it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from lmlp.elements import atomic_number
from lmlp.errors import ConfigError
from lmlp.io import DataKeys, read_structures
from lmlp.io.report import audit
from lmlp.structure import Structure
from lmlp.training.config import TrainConfig
from lmlp.training.dataset import Dataset, make_dataset
from lmlp.training.free_atoms import bound_ones, cutoff_of
from lmlp.training.missing import tell_missing
from lmlp.training.observer import Observer
from lmlp.training.streaming import must_stream, read_streamed
from lmlp.training.workers import Workers

# settings that a resumed run may change
_FREE = (
    "epochs",
    "time_limit",
    "output",
    "data",
    "valid",
    "threads",
    "memory_budget",
    "derivatives",
    "stream",
    "checkpoint_interval",
)


def read_dataset(config: TrainConfig, observer: Observer, workers: Workers) -> tuple[Dataset, int]:
    """Read and audit all files; returns the data set and how many structures at its end are held out.

    Data that need more memory than ``memory_budget`` are converted once and stay on disk.

    Raises:
        DataError, UnknownElementError, GeometryError: data that cannot be used; the structure is named.
    """
    if must_stream(config):
        return read_streamed(config, observer, workers)
    keys = DataKeys(**config.keys.model_dump())
    structures: list[Structure] = [s for path in config.data for s in read_structures(path, keys)]
    held_out = [s for path in config.valid for s in read_structures(path, keys)]
    cutoff = cutoff_of(config.descriptor)
    report = audit(structures, cutoff=cutoff)
    held_report = audit(held_out, known=structures, cutoff=cutoff) if held_out else None
    observer.on_data(report, held_report)
    report.raise_for_errors()
    if held_report is not None:
        held_report.raise_for_errors()
    structures, free = bound_ones(structures, config.data, cutoff)
    held_out, _ = bound_ones(held_out, config.valid, cutoff)
    if config.elements is not None:
        numbers = [atomic_number(e) for e in config.elements]
    else:
        numbers = sorted({int(z) for s in structures for z in np.unique(s.numbers)})
    dataset = make_dataset([*structures, *held_out], numbers, free)
    tell_missing(dataset, observer)
    return dataset, len(held_out)


def check_saved(saved: dict[str, Any], config: TrainConfig, fingerprint: str) -> None:
    """Refuse a checkpoint of other data or settings.

    Raises:
        ConfigError: names what differs.
    """
    if saved["fingerprint"] != fingerprint:
        files = ", ".join(map(str, [*config.data, *config.valid]))
        raise ConfigError(
            f"{config.checkpoint}: made from other data than {files}; "
            "resume with the same files, or start anew without --resume"
        )
    old = json.loads(saved["config"])
    new = json.loads(config.model_dump_json())
    changed = [k for k in new if k not in _FREE and old.get(k) != new[k]]
    if changed:
        raise ConfigError(
            f"{config.checkpoint}: made with other settings of {', '.join(changed)}; "
            "resume with the same, or start anew without --resume"
        )
