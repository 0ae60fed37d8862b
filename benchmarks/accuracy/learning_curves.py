"""What limits a model: errors with more data, more functions, more training, beside the goals of the set.

    python benchmarks/accuracy/learning_curves.py 3bpa --share 0.25 0.5 --epochs 50 100 200 \\
        --functions descriptor.options.growth=2.2 descriptor.options.growth=1.3 --set time_limit=5m --seed 1 2

Starts from the set's train.yaml with the changes of --set (KEY=VALUE as of `lmlp train`), and varies one
thing at a time:

    --share      shares of the training structures: a random subset of each file by the seed, smaller ones
                 parts of larger ones, written as train.xyz beside the results
    --functions  other settings, several joined by commas: descriptor.options.growth=2,model.members=2
    --epochs     numbers of epochs, without a time limit

What is trained is kept in build/accuracy/curves/SET/RUN/VARIANT/seed-N and not repeated. Writes curves.md, a
table, and curves.png, force RMSEs against the number of structures, functions and epochs.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import numpy as np
from curve_plot import Curve, plot_curves
from error_tables import Key, markdown, mean_text, values_of
from jobs import HERE, Job, configuration, data_folder, merged, read_benchmark, read_json, run_job, set_names
from lmlp.cli.shared.options import overrides
from lmlp.io import read_structures, write_structures
from lmlp.plots import save

AXES = {"share": "structures", "functions": "functions", "epochs": "epochs"}
"""Option that varies -> what it varies, a key of a result's "model"."""


def variants(options: argparse.Namespace) -> dict[str, tuple[str | None, dict[str, Any]]]:
    """What to train: name -> (axis, changes of the configuration); "base" belongs to every axis."""
    found: dict[str, tuple[str | None, dict[str, Any]]] = {"base": (None, {})}
    for share in options.share:
        if share != 1.0:
            found[f"share-{share:g}"] = ("share", {})
    for text in options.functions:
        changes = overrides({}, re.split(r",(?=[\w.]+=)", text))
        short = re.sub(r"(^|,)[\w.]*\.(?=\w+=)", r"\1", text)
        found["functions-" + re.sub(r"[^\w.=,-]+", "_", short)] = ("functions", changes)
    for epochs in options.epochs:
        found[f"epochs-{epochs}"] = ("epochs", {"epochs": epochs, "time_limit": None})
    return found


def make_job(options: argparse.Namespace, run: dict[str, Any], name: str, seed: int) -> Job:
    """Make the job of a variant and seed; a subset of the data is written when it is needed."""
    axis, changes = variants(options)[name]
    folder = options.output / options.run / name / f"seed-{seed}"
    config = merged(configuration(options.set, run, seed, None), overrides({}, options.set_))
    config = merged(config, changes)
    if axis == "share":
        config["data"] = [str(folder / "train.xyz")]
    job = Job(
        {"set": options.set, "run": options.run, "variant": name, "seed": seed}, config, run["test"], folder
    )
    if axis == "share" and not job.done:
        write_subset(run["train"], float(name.removeprefix("share-")), seed, folder / "train.xyz")
    return job


def write_subset(files: list[str], share: float, seed: int, path: Path) -> None:
    """Write a share of the structures of each file, always the first ones of the seed's order."""
    rng = np.random.default_rng(seed)
    chosen = []
    for file in files:
        structures = read_structures(data_folder() / file)
        order = rng.permutation(len(structures))[: max(1, round(share * len(structures)))]
        chosen += [structures[i] for i in sorted(order)]
    write_structures(path, chosen)


def collect(options: argparse.Namespace, benchmark: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Train what is not there yet; results of each variant, one per seed."""
    run = benchmark["runs"][options.run]
    found: dict[str, list[dict[str, Any]]] = {}
    for name in variants(options):
        for seed in options.seed:
            job = make_job(options, run, name, seed)
            if job.done:
                print(f"{job.folder}: done before")
            else:
                run_job(job)
            found.setdefault(name, []).append(read_json(job.results))
    return found


def plotted(benchmark: dict[str, Any], known: set[Key]) -> list[str]:
    """Files whose force errors are drawn: those with a goal, else all."""
    aims = {f for files in benchmark.get("goals", {}).values() for f, v in files.items() if "force" in v}
    files = sorted({file for file, quantity in known if quantity == "force"})
    return [file for file in files if file in aims] or files


def curves(
    results: dict[str, list[dict[str, Any]]], axis_of: dict[str, str | None], benchmark: dict[str, Any]
) -> dict[str, list[Curve]]:
    """Force RMSEs by axis and file, in meV/Å; axes with a single point are left out."""
    errors = {n: values_of([s["results"] for s in seeds], benchmark, "RMSE") for n, seeds in results.items()}
    files = plotted(benchmark, {key for found in errors.values() for key in found})
    found: dict[str, list[Curve]] = {}
    for axis, quantity in AXES.items():
        names = [n for n, a in axis_of.items() if a in (axis, None)]
        if len(names) < 2:
            continue
        at = {n: float(np.mean([s["model"][quantity] for s in results[n]])) for n in names}
        names.sort(key=lambda n: at[n])
        for file in files:
            goals = {
                g: v[file]["force"]
                for g, v in benchmark.get("goals", {}).items()
                if "force" in v.get(file, {})
            }
            points = [(at[n], errors[n][file, "force"]) for n in names]
            found.setdefault(quantity, []).append(Curve(file.split(".")[0], points, goals))
    return found


def table(results: dict[str, list[dict[str, Any]]], benchmark: dict[str, Any]) -> str:
    """Markdown: a row per variant."""
    errors = {n: values_of([s["results"] for s in seeds], benchmark, "RMSE") for n, seeds in results.items()}
    keys = list(dict.fromkeys(key for found in errors.values() for key in found))
    header = ["variant", "structures", "functions", "epochs", "training (min)"]
    header += [f"{file.split('.')[0]} {'E' if q == 'energy' else 'F'}" for file, q in keys]
    rows = []
    for name, seeds in results.items():
        sizes = [mean_text([s["model"][k] for s in seeds]) for k in AXES.values()]
        minutes = f"{np.mean([s['training_seconds'] for s in seeds]) / 60:.3g}"
        rows.append([name, *sizes, minutes, *(mean_text(errors[name].get(key, [])) for key in keys)])
    for goal, files in benchmark.get("goals", {}).items():
        if any(file in files for file, _ in keys):
            cells = [f"{files[f][q]:g}" if q in files.get(f, {}) else "-" for f, q in keys]
            rows.append([f"*{goal}*", "", "", "", "", *cells])
    return markdown(header, rows)


def main() -> None:
    """Train the variants, write the table and the plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", choices=set_names())
    parser.add_argument("--run", help="one run of the set; its first by default")
    parser.add_argument("--share", nargs="+", type=float, default=[], help="of the data, e.g. 0.25 0.5")
    parser.add_argument("--functions", nargs="+", default=[], metavar="KEY=VALUE,…")
    parser.add_argument("--epochs", nargs="+", type=int, default=[])
    parser.add_argument("--set", nargs="+", dest="set_", default=[], metavar="KEY=VALUE", help="for all")
    parser.add_argument("--seed", nargs="+", type=int, default=[1])
    parser.add_argument("--output", type=Path, help="folder of the results")
    options = parser.parse_args()
    benchmark = read_benchmark(options.set)
    options.run = options.run or next(iter(benchmark["runs"]))
    options.output = options.output or HERE.parents[1] / "build" / "accuracy" / "curves" / options.set
    if options.run not in benchmark["runs"]:
        parser.error(f"--run {options.run}: {options.set} has {', '.join(benchmark['runs'])}")
    if not all(0.0 < share <= 1.0 for share in options.share):
        parser.error("--share: between 0 and 1")
    options.output = options.output.resolve()
    results = collect(options, benchmark)
    folder = options.output / options.run
    found = curves(results, {name: axis for name, (axis, _) in variants(options).items()}, benchmark)
    if found:
        save(plot_curves(found, f"{options.set}, {options.run}"), folder / "curves.png")
    text = f"RMSE, {benchmark['units']}:\n\n{table(results, benchmark)}\n"
    (folder / "curves.md").write_text(text, encoding="utf-8")
    print(f"\n{text}\n{folder}/curves.png")


if __name__ == "__main__":
    main()
