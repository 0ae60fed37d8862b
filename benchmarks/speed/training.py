"""Time of a training epoch: steps and validation, by preset, derivatives and threads.

    python benchmarks/speed/training.py [--presets eeacsf-153 eeacsf-resolved] [--threads 1 2] [--epochs 3]

Trains ensembles of ten on energies and forces of 3BPA train_300K (500 structures of 27 atoms) as `lmlp train`
does; the smallest of some epochs is given, as others may use the machine: wall time, and the CPU time of
the process, which tells what the epoch takes of one free core. Public data are read from $LMLP_DATA, else
from ../shared/data beside the repository. Every case runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from lmlp.cli.shared.threads import shorten_waiting

HERE = Path(__file__).resolve().parent
HIDDEN = {"eeacsf-153": [102, 61, 44]}  # as `lmlp init` makes it; others as `lmlp train` does


def main() -> None:
    """Measure every case and print a table."""
    arguments = _arguments()
    if arguments.case:
        print(json.dumps(measure(json.loads(arguments.case))))
        return
    names = ["preset", "derivatives", "threads", "prepare (s)"]
    names += ["epoch, wall (s)", "epoch, CPU (s)", "step, CPU (ms)"]
    print("| " + " | ".join(names) + " |")
    print("|---|---|---|---|---|---|---|")
    for preset in arguments.presets:
        for derivatives in arguments.derivatives:
            for threads in arguments.threads:
                case = {"preset": preset, "derivatives": derivatives, "threads": threads}
                case |= {"members": arguments.members, "epochs": arguments.epochs}
                r = run(case)
                cells = [preset, derivatives, threads, r["prepare"], r["wall"], r["cpu"], r["step"]]
                print("| " + " | ".join(str(c) for c in cells) + " |", flush=True)


def run(case: dict[str, Any]) -> dict[str, float]:
    """Measure a case in a new process with its own number of threads."""
    shorten_waiting()
    environment = {**os.environ, "OMP_NUM_THREADS": str(case["threads"])}
    command = [sys.executable, __file__, "--case", json.dumps(case)]
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    result: dict[str, float] = json.loads(output.splitlines()[-1])
    return result


def measure(case: dict[str, Any]) -> dict[str, float]:
    """Train some epochs; seconds of the fastest one."""
    from lmlp.training import Observer, make_config
    from lmlp.training.context import Context
    from lmlp.training.fresh import fresh_plan
    from lmlp.training.run import Run

    model: dict[str, Any] = {"members": case["members"]}
    if case["preset"] in HIDDEN:
        model["hidden"] = HIDDEN[case["preset"]]
    times: list[tuple[float, float]] = []

    class Clock(Observer):
        def on_epoch(self, record: dict[str, Any]) -> None:
            times.append((time.perf_counter(), time.process_time()))

    with tempfile.TemporaryDirectory() as folder:
        config = make_config(
            {
                "data": str(data_folder() / "3bpa" / "train_300K.xyz.xz"),
                "output": f"{folder}/model.pt",
                "descriptor": {"preset": case["preset"]},
                "model": model,
                "derivatives": case["derivatives"],
                "epochs": case["epochs"],
                "threads": case["threads"],
                "holdout_fraction": 0.0,
                "checkpoint_interval": 1e6,
            }
        )
        start = time.perf_counter()
        context = Context(config, Clock())
        training = Run(fresh_plan(config, context), context)
        prepared = time.perf_counter() - start
        times.append((time.perf_counter(), time.process_time()))
        training.train()
        n_steps = training.trainer.sampler.n_steps
    pairs = list(pairwise(times))
    wall = min(b[0] - a[0] for a, b in pairs[1:] or pairs)
    cpu = min(b[1] - a[1] for a, b in pairs[1:] or pairs)
    return {
        "prepare": round(prepared, 1),
        "wall": round(wall, 2),
        "cpu": round(cpu, 2),
        "step": round(1e3 * cpu / n_steps, 1),
    }


def data_folder() -> Path:
    """Folder of the public data sets."""
    return Path(os.environ.get("LMLP_DATA", HERE.parents[2] / "shared" / "data"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--presets", nargs="+", default=["eeacsf-153", "eeacsf-resolved"])
    parser.add_argument("--derivatives", nargs="+", default=["stored", "computed"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=3, help="the first of several warms up")
    parser.add_argument("--case", default=None, help="for the script's own processes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
