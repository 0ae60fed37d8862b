"""Learn sequences of data sets one after the other, by several methods on equal budgets.

    python benchmarks/lifelong/run.py six_elements [--method default naive] [--seed 1 2 3] [--scale small]

After each stage all test files are evaluated, those of earlier stages and those to come (if the model knows
their elements). sequences/SEQUENCE.yaml has the settings, methods.yaml what the methods change. Every stage
is kept with its settings below the output folder; what is there is not repeated, an interrupted stage goes on
(--again repeats all). The public data are read from $LMLP_DATA, else from ../shared/data beside the
repository. Writes results.json, tables.md and curves.png.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import yaml
from matrices import curves, page
from stages import Job, Stage, read_stages, run_stage

HERE = Path(__file__).resolve().parent


def settings(sequence: str, scale: str, time_limit: str | None = None) -> dict[str, Any]:
    """Settings of a sequence: its YAML file, the form of a scale laid over it, a time instead of epochs."""
    from lmlp.config.validate import merge

    found: dict[str, Any] = yaml.safe_load((HERE / "sequences" / f"{sequence}.yaml").read_text())
    forms = {name: found.pop(name, {}) for name in ("medium", "small")}
    found = merge(found, forms.get(scale, {}))
    if time_limit:
        for part in ("first", "learn"):
            found[part] = {**found[part], "epochs": None, "time_limit": time_limit}
    return found


def methods() -> dict[str, dict[str, Any]]:
    """Changed settings by method, in the order of tables and curves."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "methods.yaml").read_text())
    return found


def job(found: dict[str, Any], method: str, seed: int, threads: int | None) -> Job:
    """What a method does at each stage."""
    from lmlp.config.validate import merge

    changes = methods()[method]
    from_scratch = bool(changes.pop("from_scratch", False))
    first = {**found["first"], "seed": seed, "threads": threads}
    learn = {**merge(found["learn"], changes), "seed": seed, "threads": threads}
    again = merge(first, changes) if from_scratch else first
    if method == "joint_equal" and first["epochs"] is not None:
        share = found["learn"].get("selection", {}).get("share", 0.1)
        again["epochs"] = max(1, round(share * (found["learn"].get("epochs") or 400)))
    return Job(method, first, again, None if from_scratch else learn)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Run all methods and seeds that were asked for; results of all that are there."""
    found = settings(options.sequence, options.scale, options.time_limit)
    stages = read_stages(options.sequence, found, options.output / "data")
    for seed in options.seed:
        for method in options.method:
            _sequence(options, job(found, method, seed, options.threads), stages, seed)
    return collect(options.output, found, stages)


def _sequence(options: argparse.Namespace, plan: Job, stages: list[Stage], seed: int) -> None:
    """All stages of one method and seed; the first model is shared by the methods."""
    joint = plan.learn is None
    wanted = settings(options.sequence, options.scale).get("joint_stages")
    previous: Path | None = None
    for stage in [s for s in stages if s.train is not None]:
        if options.stages is not None and stage.number > options.stages:
            break
        if stage.number > 1 and joint and wanted is not None and stage.number not in wanted:
            continue
        method = "first" if stage.number == 1 else plan.method
        folder = options.output / method / f"seed-{seed}" / f"stage-{stage.number}"
        run_stage(plan, stages[: stage.number], stages, folder, previous, again=options.again)
        previous = folder


def collect(output: Path, found: dict[str, Any], stages: list[Stage]) -> dict[str, Any]:
    """Results of all methods, seeds and stages below the output folder."""
    found_in = [
        path
        for method in ("first", *methods())
        for path in sorted(output.glob(f"{method}/seed-*/stage-*/results.json"))
    ]
    cells = [json.loads(p.read_text()) for p in found_in]
    return {
        "title": found["title"],
        "tests": [s.name for s in stages],
        "trained": [s.name for s in stages if s.train is not None],
        "cells": cells,
    }


def parser() -> argparse.ArgumentParser:
    """Command line."""
    sequences = sorted(p.stem for p in (HERE / "sequences").glob("*.yaml"))
    result = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument("sequence", choices=sequences)
    result.add_argument("--method", nargs="+", choices=list(methods()), default=list(methods()))
    result.add_argument("--seed", type=int, nargs="+", default=[1])
    result.add_argument("--stages", type=int, help="stop after so many stages")
    result.add_argument("--scale", choices=("full", "medium", "small"), default="full")
    result.add_argument("--time-limit", help="of each session instead of epochs, e.g. 4m")
    result.add_argument("--threads", type=int)
    result.add_argument("--again", action="store_true", help="repeat what is there")
    result.add_argument(
        "--output", type=Path, help="default: build/lifelong/SEQUENCE, with -medium or -small"
    )
    return result


def main(arguments: list[str] | None = None) -> None:
    """Run, print and write tables and curves."""
    options = parser().parse_args(arguments)
    if options.output is None:
        name = options.sequence + ("" if options.scale == "full" else f"-{options.scale}")
        options.output = HERE.parents[1] / "build" / "lifelong" / name
    options.output.mkdir(parents=True, exist_ok=True)
    results = run(options)
    (options.output / "results.json").write_text(json.dumps(results, indent=1))
    text = page(results)
    (options.output / "tables.md").write_text(text)
    curves(results, options.output / "curves.png")
    print(f"\n{text}")


if __name__ == "__main__":
    main()
