"""What `lmlp train` stores and `lmlp eval` finds: calibration on whole test sets, through the command line.

    python benchmarks/uncertainty/stored.py 3bpa [--members 10] [--seed 1 2 3] [--output FOLDER]

Trains with the settings of benchmarks/uncertainty/SET.yaml and tests on all structures of its test files.
Data lie below $LMLP_DATA, else in ../shared/data beside the repository. Models and results are kept in the
folder (default: build/uncertainty/SET/stored-MEMBERS) and not made again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from training import data_file  # noqa: E402

FORCES = {"area": 3, "coverage_1": 3, "coverage_2": 3, "spearman": 3, "auroc": 3, "nll": 3}
"""Measures of σ of forces, and their digits."""


def evaluated(settings: dict[str, Any], folder: Path, members: int, seed: int) -> dict[str, Any]:
    """Train and test once; the figures of `lmlp eval` by test."""
    results = folder / f"seed-{seed}.json"
    if results.exists():
        return dict(json.loads(results.read_text(encoding="utf-8")))
    folder.mkdir(parents=True, exist_ok=True)
    model, config = folder / f"seed-{seed}.pt", folder / f"seed-{seed}.yaml"
    part = f"@::{settings['every']}" if "every" in settings else ""
    content = dict(settings["config"])
    content["model"] = {**content.get("model", {}), "members": members}
    content |= {"data": [f"{data_file(f)}{part}" for f in settings["train"]], "seed": seed}
    config.write_text(yaml.safe_dump({**content, "output": str(model)}), encoding="utf-8")
    lmlp = [sys.executable, "-m", "lmlp"]
    subprocess.run([*lmlp, "train", config, "--force"], check=True)
    found = {}
    for name, test in settings["tests"].items():
        files = [data_file(f) for f in test["files"]]
        printed = subprocess.run(
            [*lmlp, "eval", model, *files, "--json"], check=True, stdout=subprocess.PIPE, text=True
        ).stdout
        found[name] = json.loads(printed)
    results.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return found


def row(name: str, runs: list[dict[str, Any]]) -> str:
    """Markdown row of a test: means over the seeds, with standard deviations of several."""
    cells = [name, str(runs[0]["n_structures"]), written([1e3 * run["force_rmse"] for run in runs], 1)]
    sigma = [run["calibration"]["forces"]["sigma"] for run in runs]
    cells += [written([one[key] for one in sigma], digits) for key, digits in FORCES.items()]
    return f"| {' | '.join(cells)} |"


def written(values: list[float], digits: int) -> str:
    """Write the mean, with the standard deviation of several values."""
    more = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{more}"


def main(arguments: list[str] | None = None) -> None:
    """Train, test and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", choices=["3bpa", "acac", "nbmotaw"])
    parser.add_argument("--seed", type=int, nargs="+", default=[1])
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    settings = yaml.safe_load((HERE / f"{options.set}.yaml").read_text(encoding="utf-8"))
    folder = options.output or Path("build/uncertainty") / options.set / f"stored-{options.members}"
    runs = [evaluated(settings, folder.resolve(), options.members, seed) for seed in options.seed]
    heads = ["test", "structures", "RMSE (meV/Å)", "area", "within 1 σ", "within 2 σ", "Spearman", "AUROC"]
    print(f"| {' | '.join([*heads, 'NLL'])} |\n|{'---|' * (len(heads) + 1)}")
    for name, first in runs[0].items():
        if "forces" in (first["calibration"] or {}):
            print(row(name, [run[name] for run in runs]))


if __name__ == "__main__":
    main()
