"""The TorchScript backend of ``pair_style lmlp``: absent, or tried."""

from __future__ import annotations

import os
from pathlib import Path

from lmlp.diagnosis.check import Check, first_line
from lmlp.diagnosis.simulation import STEPS, run_tiny_model

BUILD = "lmlp build-torch-backend"


def check_torch_backend(lmp: str, plugin: str | None, load: str) -> Check:
    """Run a tiny model with ``backend torchscript`` where its library has been built.

    Args:
        lmp: the program.
        plugin: file of the plugin, beside which the library may lie, or None.
        load: lines that load the plugin, "" where it is found by itself.
    """
    library = find_library(plugin)
    if library is None:
        text = "not built (only needed for pair_style lmlp backend torchscript)"
        return Check("torch backend", "missing", text, BUILD)
    values = {"path": str(library)}
    if not library.is_file():
        text = f"LMLP_TORCH_BACKEND names {library}, which is no file"
        return Check("torch backend", "error", text, f"{BUILD} --output {library}", values)
    try:
        _, problem = run_tiny_model([[lmp]], load, "backend torchscript")
    except Exception as error:
        problem = f"no tiny model could be made: {first_line(error)}"
    if problem:
        return Check("torch backend", "error", f"{library}: {problem}", f"{BUILD} --force", values)
    text = f"{STEPS} steps of a tiny model; energies as in the core; {library}"
    return Check("torch backend", "ok", text, values=values)


def find_library(plugin: str | None) -> Path | None:
    """Return the library that the plugin opens: LMLP_TORCH_BACKEND, beside the plugin, or in the cache."""
    from lmlp.lammps.torch_backend import FILE_NAME, cache_folder

    named = os.environ.get("LMLP_TORCH_BACKEND")
    if named:
        return Path(named) / FILE_NAME if Path(named).is_dir() else Path(named)
    folders = [Path(plugin).parent] if plugin else []
    for folder in (*folders, cache_folder()):
        if (folder / FILE_NAME).exists():
            return folder / FILE_NAME
    return None
