"""Benchmarks of speed: one command per topic, tables in Markdown, results kept under build/speed.

    python benchmarks/speed/run.py TOPIC ... [--again] [--repeats 9] [--quick] [--folder build/speed]
    python benchmarks/speed/run.py --all

| topic   | what it measures |
|---------|------------------|
| stages  | our stages on bulk water beside the floor: counted operations at the ceilings of this core |
| peers   | descriptors and potentials of others beside ours, in the same run |
| scaling | cost by cutoff radius, functions, members, elements, threads and ranks |
| large   | cost and memory per atom of LAMMPS from 10^3 to 10^6 atoms, and of ASE |
| profile | where the time of an evaluation goes, function by function (needs perf) |

Times are CPU times of one thread in microseconds per atom: median (smallest-largest) of the repeats; CPU
times are robust where other programs share the cores. Wall clock times (threads, ranks) say so. A topic that
was measured with the same options is not repeated unless --again is given: an interrupted --all goes on
where it stopped. Peers are found with `--peer-python`; `--install-peers` makes an environment of their own.
"""

from __future__ import annotations

import os
import sys

if os.environ.get("OMP_NUM_THREADS") != "1":  # must be set before any library starts its threads
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.execv(sys.executable, [sys.executable, *sys.argv])

import argparse
import importlib
import json
import platform
import time
from pathlib import Path
from typing import Any

from common import Options, Table
from lmlp import __version__, _core

ROOT = Path(__file__).resolve().parents[2]
TOPICS = ("stages", "peers", "scaling", "large", "profile")
MODULES = {"profile": "profile_kernels"}


def processor() -> str:
    """Name of the processor, where the system tells."""
    path = Path("/proc/cpuinfo")
    names = (
        [line for line in path.read_text().splitlines() if line.startswith("model name")]
        if path.exists()
        else []
    )
    return names[0].split(":")[1].strip() if names else platform.machine()


def measure_topic(topic: str, options: Options, *, again: bool) -> list[Table]:
    """Run a topic, or read what an earlier run found."""
    file = options.folder / f"{topic}.json"
    key: dict[str, Any] = {
        "version": __version__,
        "repeats": options.repeats,
        "quick": options.quick,
        "instruction_set": _core.instruction_set(),
        "core": Path(_core.__file__).stat().st_mtime,
    }
    if topic == "peers":
        key["python"] = options.peer_python
    if file.exists() and not again:
        known = json.loads(file.read_text())
        if known["key"] == key:
            return [Table(**table) for table in known["tables"]]
    start = time.perf_counter()
    tables = importlib.import_module(MODULES.get(topic, topic)).run(options)
    print(f"{topic}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    text = json.dumps({"key": key, "tables": [table.as_dict() for table in tables]}, indent=1)
    file.write_text(text, encoding="utf-8")
    return tables


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=", ".join(TOPICS))
    parser.add_argument("--all", action="store_true", help="all topics")
    parser.add_argument("--again", action="store_true", help="measure again what is known")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="smallest form, only to see that it runs")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "speed", help="results")
    parser.add_argument("--peer-python", help="Python of an environment with the peers")
    parser.add_argument("--install-peers", action="store_true", help="make that environment in FOLDER/peers")
    arguments = parser.parse_args()
    topics = list(TOPICS) if arguments.all else arguments.topics
    unknown = [topic for topic in topics if topic not in TOPICS]
    if unknown or not (topics or arguments.install_peers):
        parser.error(f"give --all or topics of {', '.join(TOPICS)}, not {', '.join(unknown) or 'nothing'}")
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if arguments.install_peers:
        importlib.import_module("install_peers").install(folder)
    own = folder / "peers" / "bin" / "python"
    python = arguments.peer_python or (str(own) if own.exists() else sys.executable)
    options = Options(folder, 1 if arguments.quick else arguments.repeats, arguments.quick, python)
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    print(
        f"{processor()}, {os.cpu_count()} cores, instruction set {_core.instruction_set()}, lmlp "
        f"{__version__}, {options.repeats} repeats; load of the machine at the start {load}.\n"
        "µs of CPU time per atom of one thread unless said otherwise: median (smallest–largest).",
        flush=True,
    )
    for topic in topics:
        print(f"\n### {topic}\n", flush=True)
        tables = measure_topic(topic, options, again=arguments.again)
        print("\n\n".join(table.markdown() for table in tables), flush=True)


if __name__ == "__main__":
    main()
