"""Reading data that do not fit into memory: what it costs is said first, then they are converted once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lmlp.elements import atomic_number
from lmlp.errors import DataError, OutputError
from lmlp.io.free_atoms import FreeAtom, set_apart, to_plain
from lmlp.io.keys import DataKeys
from lmlp.io.read import iterate_structures
from lmlp.io.report import audit
from lmlp.io.stream import is_compressed, split_index
from lmlp.structure import Structure
from lmlp.training.config import TrainConfig
from lmlp.training.dataset import Dataset
from lmlp.training.free_atoms import cutoff_of, nothing_bound, tell_disagreements
from lmlp.training.missing import tell_missing
from lmlp.training.observer import Observer
from lmlp.training.outputs import check_folder_of_ours
from lmlp.training.stream import chunks, convert, describe, file_names, open_converted
from lmlp.training.workers import Workers

_AUDITED = 1000  # structures that are checked together
# bytes in memory per byte of file (measured: extended XYZ of molecules 1.5), and on disk once converted
_IN_MEMORY = {"text": 1.6, "compressed": 8.0, "packed": 3.0}
_CONVERTED = {"text": 0.8, "compressed": 5.0, "packed": 2.0}


def must_stream(config: TrainConfig) -> bool:
    """Tell whether the data stay on disk: as asked for, or because they need more than the memory budget."""
    if config.stream != "automatic":
        return config.stream == "always"
    return _estimate(config, _IN_MEMORY) > config.memory_budget


def _estimate(config: TrainConfig, factors: dict[str, float]) -> float:
    total = 0.0
    for path in _files(config):
        if path.is_file():  # what is missing is named by who reads it
            packed = path.suffix.lower() in (".h5", ".hdf5")
            kind = "compressed" if is_compressed(path) else "packed" if packed else "text"
            total += factors[kind] * path.stat().st_size
    return total


def _files(config: TrainConfig) -> list[Path]:
    return [split_index(path)[0] for path in (*config.data, *config.valid)]


def read_streamed(config: TrainConfig, observer: Observer, workers: Workers) -> tuple[Dataset, int]:
    """Convert the data to arrays beside the output, unless they are there, and open them.

    Raises:
        DataError, UnknownElementError, GeometryError: data that cannot be used; the structure is named. No
            room on the disk.
    """
    folder = config.stream_folder
    for path in _files(config):
        if not path.is_file():
            raise DataError(f"{path}: no such file")
    meta: dict[str, Any] = {
        "sources": describe(_files(config)),
        "selections": [str(p) for p in (*config.data, *config.valid)],
        "n_files": len(config.data),
        "keys": config.keys.model_dump(),
        "elements": config.elements,
        "cutoff": cutoff_of(config.descriptor),
    }

    def prepare() -> None:
        if open_converted(folder, meta) is None:
            _convert(config, observer, meta)
        else:
            observer.on_message(f"data: as converted before, in {folder}")

    workers.together(prepare)
    dataset = open_converted(folder, meta)
    if dataset is None:
        raise DataError(f"{folder}: changed while it was being opened; start again")
    tell_missing(dataset, observer)
    return dataset, dataset.n_held_out


def _convert(config: TrainConfig, observer: Observer, meta: dict[str, Any]) -> None:
    folder = config.stream_folder
    in_memory, on_disk = (_estimate(config, f) / 2**20 for f in (_IN_MEMORY, _CONVERTED))
    observer.on_message(
        f"data: about {in_memory:.0f} MiB in memory, and memory_budget is {config.memory_budget / 2**20:.0f} "
        f"MiB: they stay on disk. Converted once, to about {on_disk:.0f} MiB in {folder} (64 bytes per atom; "
        "network inputs come on top), then read when they are used; neighbors are found anew at every use"
    )
    free = shutil.disk_usage(config.output.parent).free / 2**20
    if on_disk > free:
        raise DataError(
            f"{folder}: about {on_disk:.0f} MiB are needed and {free:.0f} MiB are free; name an output on a "
            "larger disk, or enlarge memory_budget"
        )
    check_folder_of_ours(folder, file_names())
    numbers = None if config.elements is None else [atomic_number(e) for e in config.elements]
    try:
        convert(folder, _audited(config, observer, meta), numbers, meta)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)  # it would fill the disk
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from error


def _audited(config: TrainConfig, observer: Observer, meta: dict[str, Any]) -> Iterator[Structure]:
    """Read all structures but free atoms, checking some at a time.

    ``meta`` gets the number of those that are held out and the free atoms of the others.

    What is wrong is told where it is met first; the report of the first structures shows all.
    """
    keys = DataKeys(**config.keys.model_dump())
    for files in (config.data, config.valid):
        n, n_bound, free = 0, 0, list[FreeAtom]()
        told: set[str] = set()
        for n, part in enumerate(chunks(iterate_structures(files, keys), _AUDITED)):
            report = audit(part, cutoff=meta["cutoff"])
            if n == 0 and files is config.data:
                observer.on_data(report, None)
                observer.on_message(
                    f"(of the first {len(part)} structures; what is found in the others is told once, as "
                    "they are converted)"
                )
            else:
                for finding in report.findings:
                    if finding.level != "note" and finding.code not in told:
                        observer.on_message(str(finding))
            told.update(finding.code for finding in report.findings)
            report.raise_for_errors()
            bound, atoms = set_apart(part, meta["cutoff"])
            n_bound += len(bound)
            free += atoms
            yield from bound
        if free and not n_bound:
            raise nothing_bound(free, files)
        if files is config.valid:
            meta["n_held_out"] = n_bound
        else:
            if n > 0:  # no report has seen all of them
                tell_disagreements(free, observer.on_message)
            meta["free_atoms"] = [to_plain(atom) for atom in free]
