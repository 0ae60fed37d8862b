"""Time the core beside torch's OpenMP runtime: a model file as argument, Markdown as answer.

Every case is a process of its own; needs ``threadpoolctl``, which lists the runtimes. Between our calls a
parallel operation of torch wakes its threads, which then spin or sleep as OMP_WAIT_POLICY says.
"""

import json
import os
import statistics
import subprocess
import sys
import time

from common import make_water

CASES = ("alone", "torch loaded", "torch computes between calls")
REPEATS = 200


def measure(model: str, case: str, n_threads: int) -> None:
    """Print the runtimes of this process and wall clock times of evaluations."""
    import numpy as np
    from lmlp import _core
    from lmlp.neighbors import find_neighbors
    from threadpoolctl import threadpool_info

    torch = None
    if case != "alone":
        import torch

        torch.set_num_threads(2)
    water = make_water(64)
    potential = _core.Potential(model)
    pairs = find_neighbors(water.positions, water.cell, True, potential.info()["cutoff"])
    species = np.asarray(water.species, dtype=np.int32)
    arguments = (pairs.offsets, species, species[pairs.neighbors], pairs.vectors)
    times, used = [], []
    for _ in range(REPEATS):
        if torch is not None and case == CASES[2]:
            torch.ones(1 << 20).mul_(2.0)
        start, before = time.perf_counter(), time.process_time()
        potential.evaluate(*arguments, n_threads=n_threads)
        times.append((time.perf_counter() - start) / len(species))
        used.append((time.process_time() - before) / len(species))
    runtimes = sorted(
        "/".join(pool["filepath"].split("/")[-3:])
        for pool in threadpool_info()
        if pool["user_api"] == "openmp"
    )
    print(json.dumps({"times": times, "used": used, "runtimes": runtimes}))


def text(seconds: list[float]) -> str:
    """Return median and smallest in µs."""
    return f"{1e6 * statistics.median(seconds):.1f} ({1e6 * min(seconds):.1f})"


def main() -> None:
    """Run every case in a process."""
    if len(sys.argv) == 4:
        measure(sys.argv[1], sys.argv[2], int(sys.argv[3]))
        return
    print("µs per atom: median (smallest)\n")
    print("| OMP_WAIT_POLICY | process | threads | wall clock | CPU time, all threads | OpenMP runtimes |")
    print("|---|---|---|---|---|---|")
    for policy in ("", "PASSIVE", "ACTIVE"):
        for case in CASES:
            for n_threads in (1, 2):
                environment = {**os.environ, "OMP_NUM_THREADS": "2"}
                environment.pop("OMP_WAIT_POLICY", None)
                if policy:
                    environment["OMP_WAIT_POLICY"] = policy
                command = [sys.executable, __file__, sys.argv[1], case, str(n_threads)]
                answer = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
                found = json.loads(answer.stdout)
                row = f"{policy or 'not set'} | {case} | {n_threads} | {text(found['times'])}"
                row += f" | {text(found['used'])} | {', '.join(found['runtimes'])}"
                print(f"| {row} |", flush=True)


if __name__ == "__main__":
    main()
