"""Reading data that do not fit into memory: what it costs is said first, then they are converted once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lmlp.audit.report import audit
from lmlp.dataset.arrays import Dataset, tell_missing
from lmlp.dataset.disk import BYTES_PER_ATOM, check_folder, chunks, identify, open_converted, write_converted
from lmlp.dataset.free_atoms import nothing_bound, tell_disagreements
from lmlp.dataset.sources import Listener, Once, Sources
from lmlp.errors import DataError, OutputError
from lmlp.io.open import is_compressed, split_index
from lmlp.io.read import iterate_structures
from lmlp.structure import Structure
from lmlp.structure.free_atoms import FreeAtom, set_apart, to_plain

_AUDITED = 1000  # structures that are checked together
# bytes in memory per byte of file (measured: extended XYZ of molecules 1.5), and on disk once converted
_IN_MEMORY = {"text": 1.6, "compressed": 8.0, "packed": 3.0}
_CONVERTED = {"text": 0.8, "compressed": 5.0, "packed": 2.0}


def must_stream(sources: Sources) -> bool:
    """Tell whether the data stay on disk: as asked for, or because they need more than the memory budget."""
    if sources.on_disk != "automatic":
        return sources.on_disk == "always"
    return _estimate(sources, _IN_MEMORY) > sources.memory


def _estimate(sources: Sources, factors: dict[str, float]) -> float:
    total = 0.0
    for path in _files(sources):
        if path.is_file():  # what is missing is named by who reads it
            packed = path.suffix.lower() in (".h5", ".hdf5")
            kind = "compressed" if is_compressed(path) else "packed" if packed else "text"
            total += factors[kind] * path.stat().st_size
    return total


def _files(sources: Sources) -> list[Path]:
    return [split_index(path)[0] for path in sources.all_files]


def read_streamed(sources: Sources, listener: Listener, once: Once) -> tuple[Dataset, int]:
    """Convert the data to arrays beside the output, unless they are there, and open them.

    Raises:
        DataError, UnknownElementError, GeometryError: data that cannot be used; the structure is named. No
            room on the disk.
    """
    folder = sources.folder
    for path in _files(sources):
        if not path.is_file():
            raise DataError(f"{path}: no such file")
    meta: dict[str, Any] = {
        "sources": identify(_files(sources)),
        "selections": [str(p) for p in sources.all_files],
        "n_files": len(sources.files),
        "keys": asdict(sources.keys),
        "elements": sources.elements,
        "cutoff": sources.cutoff,
    }

    def prepare() -> None:
        if open_converted(folder, meta) is None:
            _convert(sources, listener, meta)
        else:
            listener.on_message(f"data: as converted before, in {folder}")

    once(prepare)
    dataset = open_converted(folder, meta)
    if dataset is None:
        raise DataError(f"{folder}: changed while it was being opened; start again")
    tell_missing(dataset, listener.on_message)
    return dataset, dataset.n_held_out


def _convert(sources: Sources, listener: Listener, meta: dict[str, Any]) -> None:
    folder = sources.folder
    in_memory, on_disk = (_estimate(sources, f) / 2**20 for f in (_IN_MEMORY, _CONVERTED))
    listener.on_message(
        f"data: about {in_memory:.0f} MiB in memory, and memory_budget is {sources.memory / 2**20:.0f} "
        f"MiB: they stay on disk. Converted once, to about {on_disk:.0f} MiB in {folder} "
        f"({BYTES_PER_ATOM} bytes per atom; network inputs come on top), then read when they are used; "
        "neighbors are found anew at every use"
    )
    free = shutil.disk_usage(folder.parent).free / 2**20
    if on_disk > free:
        raise DataError(
            f"{folder}: about {on_disk:.0f} MiB are needed and {free:.0f} MiB are free; name an output on a "
            "larger disk, or enlarge memory_budget"
        )
    check_folder(folder)
    try:
        write_converted(folder, _audited(sources, listener, meta), sources.numbers, meta)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)  # it would fill the disk
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from error


def _audited(sources: Sources, listener: Listener, meta: dict[str, Any]) -> Iterator[Structure]:
    """Read all structures but free atoms, checking some at a time.

    ``meta`` gets the number of those that are held out and the free atoms of the others.

    What is wrong is told where it is met first; the report of the first structures shows all.
    """
    for files in (sources.files, sources.held_out):
        n, n_bound, free = 0, 0, list[FreeAtom]()
        told: set[str] = set()
        for n, part in enumerate(chunks(iterate_structures(files, sources.keys), _AUDITED)):
            report = audit(part, cutoff=meta["cutoff"])
            if n == 0 and files is sources.files:
                listener.on_data(report, None)
                listener.on_message(
                    f"(of the first {len(part)} structures; what is found in the others is told once, as "
                    "they are converted)"
                )
            else:
                for finding in report.findings:
                    if finding.level != "note" and finding.code not in told:
                        listener.on_message(str(finding))
            told.update(finding.code for finding in report.findings)
            report.raise_for_errors()
            bound, atoms = set_apart(part, meta["cutoff"])
            n_bound += len(bound)
            free += atoms
            yield from bound
        if free and not n_bound:
            raise nothing_bound(free, files)
        if files is sources.held_out:
            meta["n_held_out"] = n_bound
        else:
            if n > 0:  # no report has seen all of them
                tell_disagreements(free, listener.on_message)
            meta["free_atoms"] = [to_plain(atom) for atom in free]
