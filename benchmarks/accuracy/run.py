"""Train on a published data set by the command line and print a table beside the published errors.

    python benchmarks/accuracy/run.py mlearn [--run Ni Cu] [--seed 1 2 3] [--time-limit 4m] [--output FOLDER]
    python benchmarks/accuracy/run.py mlearn --speed [--run Ni Cu]

The public data are read from $LMLP_DATA, else from ../shared/data beside the repository. Each set has a
folder here: `train.yaml` is the training configuration as `lmlp train` reads it (`data`, `output` and `seed`
are filled in), and `benchmark.yaml` names the runs, their files, goals, and what the published numbers mean.
Results are kept by run and seed: runs that are there with the same configuration, defaults included, are not
repeated (--again repeats them), and the table shows all that have the configuration of the latest.

`--speed` trains nothing: it times the models that are there in LAMMPS, one core, one after the other, and
keeps the times in their results. To be done while nothing else runs.
"""

from __future__ import annotations

import argparse
import csv
import os
from pathlib import Path
from typing import Any

from error_tables import goals, measured, published, table
from jobs import (
    HERE,
    Job,
    configuration,
    data_folder,
    model_facts,
    read_benchmark,
    read_json,
    run_job,
    set_names,
    write_json,
)
from model_tables import model_table, speeds


def run_once(options: argparse.Namespace, name: str, run: dict[str, Any], seed: int) -> None:
    """Train and test one run with one seed."""
    job = Job(
        {"set": options.set, "run": name, "seed": seed},
        configuration(options.set, run, seed, options.time_limit),
        run["test"],
        options.output / name / f"seed-{seed}",
    )
    if job.done and not options.again:
        print(f"{job.folder}: done before")
        return
    run_job(job)


def collect(folder: Path, benchmark: dict[str, Any]) -> dict[str, dict[Path, dict[str, Any]]]:
    """Results with the configuration of the latest one: run -> results.json -> its content, one per seed."""
    found: dict[str, dict[Path, dict[str, Any]]] = {}
    for name in benchmark["runs"]:
        paths = sorted((folder / name).glob("seed-*/results.json"), key=lambda path: path.stat().st_mtime)
        summaries = {path: read_json(path) for path in paths}
        if summaries:
            latest = {**summaries[paths[-1]]["config"], "seed": None}
            found[name] = {p: s for p, s in summaries.items() if {**s["config"], "seed": None} == latest}
    return found


def measure_speeds(options: argparse.Namespace, benchmark: dict[str, Any]) -> None:
    """Time the models that are there and keep it in their results."""
    from lammps_speed import measure_speed

    for name, summaries in collect(options.output, benchmark).items():
        if name not in (options.run or benchmark["runs"]):
            continue
        for path, summary in summaries.items():
            model = path.with_name("model.pt")
            found = measure_speed(model, [data_folder() / file for file in benchmark["runs"][name]["test"]])
            print(f"{name}, seed {summary['seed']}: {found['double']['median']:.2f} µs per atom and step")
            trained = path.stat()
            write_json(path, {**summary, "model": model_facts(model), "speed": found})
            os.utime(path, ns=(trained.st_atime_ns, trained.st_mtime_ns))  # still the time of the training


def page(set_name: str, folder: Path) -> str:
    """Markdown of all results of a set beside the published errors."""
    benchmark = read_benchmark(set_name)
    summaries = {name: list(found.values()) for name, found in collect(folder, benchmark).items()}
    runs = {name: [s["results"] for s in seeds] for name, seeds in summaries.items()}
    names = dict.fromkeys(Path(f).name for run in benchmark["runs"].values() for f in run["test"])
    files = [*names, *benchmark.get("pooled", {})]
    with (data_folder() / set_name / "published.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    parts = [f"## {benchmark['title']}"]
    for metric in benchmark.get("metrics", ["RMSE"]):
        ours = measured(runs, benchmark, metric)
        for label, speed in speeds(summaries, benchmark).items():
            ours.setdefault(label, {}).update(speed)
        aims = goals(benchmark) if metric == "RMSE" else {}
        lines = {**published(rows, benchmark, metric), **aims, **ours}
        parts.append(f"{metric}, {benchmark['units']}:\n\n{table(lines, files)}")
    seeds = sum(len(s) for s in summaries.values())
    seconds = sum(s["training_seconds"] for found in summaries.values() for s in found)
    count = "1 training" if seeds == 1 else f"{seeds} trainings"
    note = f"{benchmark.get('note', '')} {count} took {seconds / 60:.1f} minutes in all."
    if seeds > len(summaries):
        note += " Figures of several seeds are mean ± standard deviation."
    parts += [note.strip(), "Our models; speed in LAMMPS on one core:\n\n" + model_table(summaries)]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Train, test, print and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", choices=set_names())
    parser.add_argument("--run", nargs="+", help="only these runs of the set")
    parser.add_argument("--seed", type=int, nargs="+", default=[1])
    parser.add_argument("--time-limit", help="of each training, instead of the one in train.yaml, e.g. 10m")
    parser.add_argument("--again", action="store_true", help="repeat runs whose results are there")
    parser.add_argument("--speed", action="store_true", help="time the models that are there; no training")
    parser.add_argument("--output", type=Path, help="folder of the results (default: build/accuracy/SET)")
    options = parser.parse_args()
    options.output = options.output or HERE.parents[1] / "build" / "accuracy" / options.set
    benchmark = read_benchmark(options.set)
    runs = benchmark["runs"]
    unknown = set(options.run or []) - set(runs)
    if unknown:
        parser.error(f"--run {' '.join(sorted(unknown))}: {options.set} has {', '.join(runs)}")
    if options.speed:
        measure_speeds(options, benchmark)
    else:
        for seed in options.seed:
            for name in options.run or runs:
                run_once(options, name, runs[name], seed)
    text = page(options.set, options.output)
    (options.output / "table.md").write_text(text, encoding="utf-8")
    print(f"\n{text}")


if __name__ == "__main__":
    main()
