"""Ways to uncertainties of forces and energies, compared on published sets.

    python benchmarks/uncertainty/run.py 3bpa [--method members-4 nll-4 …] [--seed 1 2 3] [--members 20]
        [--output FOLDER]

A plain ensemble of --members is trained as `lmlp train` does; ensembles of fewer members are its first ones,
and every method starts from it or repeats it. Each method has its map to σ fitted on the held-out structures
of the training set alone (σ² = a² + b² s² of the length of the force vector, by element, unless it says
otherwise), and is measured on the tests. CPU times are of one thread. Data lie below $LMLP_DATA, else in
../shared/data beside the repository. Trainings are kept in the folder and not repeated; results of each
method and seed are kept as JSON, and the table shows all that are there.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch
import yaml
from methods import METHODS, Bench
from tables import page
from training import HERE

SETS = sorted(path.stem for path in HERE.glob("*.yaml"))


def main(arguments: list[str] | None = None) -> None:
    """Train, measure, print and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", help=f"{', '.join(SETS)}, or a file like benchmarks/uncertainty/3bpa.yaml")
    parser.add_argument("--method", nargs="*", choices=[*METHODS], help="default: all that members allow")
    parser.add_argument("--seed", type=int, nargs="+", default=[1])
    parser.add_argument("--members", type=int, default=4, help="of the plain ensemble that is trained")
    parser.add_argument("--output", type=Path, help="default: build/uncertainty/SET")
    parser.add_argument("--again", action="store_true", help="repeat methods whose results are there")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    known = HERE / f"{options.set}.yaml"
    path = known if known.exists() else Path(options.set)
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    output = (options.output or HERE.parents[1] / "build" / "uncertainty" / path.stem).resolve()
    possible = [m for m in METHODS if members_of(m) <= options.members]
    for seed in options.seed:
        bench = Bench(settings, seed, options.members, output)
        for method in possible if options.method is None else options.method:
            run_method(bench, method, output, options.again)
    text = page(settings, results_in(output))
    (output / "table.md").write_text(text, encoding="utf-8")
    print(f"\n{text}")


def members_of(method: str) -> int:
    """Trained members that a method needs."""
    return next(int(part) for part in method.split("-") if part.isdigit())


def run_method(bench: Bench, method: str, output: Path, again: bool) -> None:
    """Do one method with one seed, and keep its results."""
    path = output / method / f"seed-{bench.seed}.json"
    if path.exists() and not again:
        print(f"{path}: done before")
        return
    outcome = METHODS[method](bench)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"method": method, "seed": bench.seed, **asdict(outcome)}, indent=1))
    for name, measures in outcome.results.items():
        found = measures.get("force") or measures["energy"]
        print(method, bench.seed, name, {k: round(v, 4) for k, v in found.items()}, flush=True)


def results_in(output: Path) -> dict[str, list[dict]]:
    """Results by method, one per seed, in the order of the methods."""
    found = {}
    for method in METHODS:
        paths = sorted((output / method).glob("seed-*.json"))
        if paths:
            found[method] = [json.loads(path.read_text()) for path in paths]
    return found


if __name__ == "__main__":
    main()
