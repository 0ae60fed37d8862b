"""From files to a data set."""

from __future__ import annotations

import numpy as np

from lmlp.audit.report import audit
from lmlp.dataset.arrays import Dataset, make_dataset, tell_missing
from lmlp.dataset.convert import must_stream, read_streamed
from lmlp.dataset.free_atoms import bound_ones
from lmlp.dataset.sources import Listener, Once, Sources, alone
from lmlp.io import read_structures
from lmlp.structure import Structure


def read_dataset(sources: Sources, listener: Listener, once: Once = alone) -> tuple[Dataset, int]:
    """Read and audit all files.

    Data that need more memory than ``sources.memory`` are converted once and stay on disk.

    Args:
        sources: the files.
        listener: hears the reports.
        once: lets one of several processes convert while the others wait.

    Returns:
        the data set, and how many structures at its end are held out.

    Raises:
        DataError, UnknownElementError, GeometryError: data that cannot be used; the structure is named.
    """
    if must_stream(sources):
        return read_streamed(sources, listener, once)
    structures: list[Structure] = [s for path in sources.files for s in read_structures(path, sources.keys)]
    held_out = [s for path in sources.held_out for s in read_structures(path, sources.keys)]
    report = audit(structures, cutoff=sources.cutoff)
    held_report = audit(held_out, known=structures, cutoff=sources.cutoff) if held_out else None
    listener.on_data(report, held_report)
    report.raise_for_errors()
    if held_report is not None:
        held_report.raise_for_errors()
    structures, free = bound_ones(structures, sources.files, sources.cutoff)
    held_out, _ = bound_ones(held_out, sources.held_out, sources.cutoff)
    numbers = sources.numbers or sorted({int(z) for s in structures for z in np.unique(s.numbers)})
    dataset = make_dataset([*structures, *held_out], numbers, free)
    tell_missing(dataset, listener.on_message)
    return dataset, len(held_out)
