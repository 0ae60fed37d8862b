"""Error against gradient evaluations: adaptive selection beside uniform sampling.

    python benchmarks/lifelong/selection.py [--budgets 2000 4000 8000] [--seeds 1 2 3] [--output FOLDER]
    python benchmarks/lifelong/selection.py --train nbmotaw/{Nb,Mo,Ta,W,NbMo,MoTa}_train.xyz.xz@::4 \\
        --test elements=nbmotaw/Nb_test.xyz.xz,nbmotaw/Mo_test.xyz.xz alloy=nbmotaw/NbMo_test.xyz.xz

Every point is a training run of its own, as the step size decays over a run: `lmlp train` with a budget of
gradient evaluations (structures per member in all steps), all data in every epoch or a share of them chosen
by their losses. Members, steps and schedule are the same; the choice of structures differs. Test errors are
those of whole files that no member has seen. @::4 takes every fourth structure, NAME=FILE,FILE joins test
files. Public data are read from $LMLP_DATA, else from ../shared/data beside the repository. Writes
selection.json, selection.md and selection.png.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from stages import errors

HERE = Path(__file__).resolve().parent


def main(given: list[str] | None = None) -> None:
    """Run all points and write the table and the plot."""
    arguments = _arguments(given)
    arguments.output.mkdir(parents=True, exist_ok=True)
    results = []
    for budget in arguments.budgets:
        for selection in ("uniform", *arguments.shares):
            for seed in arguments.seeds:
                result = run(arguments, budget, selection, seed)
                print(json.dumps(result), flush=True)
                results.append(result)
    (arguments.output / "selection.json").write_text(json.dumps(results, indent=1))
    (arguments.output / "selection.md").write_text(table(results))
    plot(results, arguments.output / "selection.png")
    print(table(results))


def run(arguments: argparse.Namespace, budget: int, selection: str, seed: int) -> dict[str, Any]:
    """Train and test one model."""
    from lmlp.export.writing import write_model_file
    from lmlp.training import make_config
    from lmlp.training import train as train_model
    from lmlp.training.state.log import read_log

    train = [str(data_folder() / f) for f in arguments.train]
    config = make_config(
        {
            "data": train,
            "output": str(arguments.output / f"{budget}-{selection}-{seed}.pt"),
            "model": {"members": arguments.members},
            "selection": selection,
            "holdout_fraction": 0.0,
            "valid_fraction": 0.0,  # the last averaged weights: choosing by few structures would add noise
            "epochs": 1,
            "seed": seed,
        }
    )
    per_epoch = _n_structures(train) * (1.0 if config.selection is None else config.selection.share)
    config = config.model_copy(update={"epochs": max(1, round(budget / per_epoch))})
    write_model_file(train_model(config), config.output)
    *_, end = read_log(config.log)
    return {
        "selection": selection,
        "seed": seed,
        "gradient_evaluations": end["gradient_evaluations"],
        "errors": {name: errors(config.output, files) for name, files in tests(arguments.test).items()},
        "parked": end.get("selection", {}).get("parked", 0),
        "suspects": len(end.get("selection", {}).get("suspects", [])),
        "seconds": end["seconds"],
    }


def tests(given: list[str]) -> dict[str, list[Path]]:
    """Files by name: NAME=FILE,FILE or a file, which is called by its own name."""
    found = {}
    for text in given:
        name, _, files = text.rpartition("=")
        paths = [data_folder() / file for file in files.split(",")]
        found[name or paths[0].name.partition(".")[0]] = paths
    return found


def _n_structures(files: list[str]) -> int:
    from lmlp.io import read_structures

    return sum(len(read_structures(file)) for file in files)


def table(results: list[dict[str, Any]]) -> str:
    """Mean (and spread) over the seeds as Markdown."""
    names = list(results[0]["errors"])
    columns = [f"{name}: {quantity}" for name in names for quantity in ("E (meV/atom)", "F (meV/Å)")]
    lines = [
        "| selection | gradient evaluations | " + " | ".join(columns) + " | parked | suspects |",
        "|---|---|" + "---|" * (len(columns) + 2),
    ]
    for (selection, count), rows in grouped(results).items():
        cells = [
            mean_spread([1e3 * r["errors"][name][key] for r in rows])
            for name in names
            for key in ("energy_rmse", "force_rmse")
        ]
        counts = [f"{statistics.mean(r[key] for r in rows):.0f}" for key in ("parked", "suspects")]
        lines.append("| " + " | ".join([selection, str(count), *cells, *counts]) + " |")
    return "\n".join(lines) + "\n"


def grouped(results: list[dict[str, Any]]) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """Results by selection and gradient evaluations."""
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for r in results:
        groups.setdefault((r["selection"], r["gradient_evaluations"]), []).append(r)
    return groups


def mean_spread(values: list[float]) -> str:
    """Mean, with the standard deviation if there are several."""
    spread = f" ± {statistics.stdev(values):.2g}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3g}{spread}"


def plot(results: list[dict[str, Any]], path: Path) -> None:
    """Force error against gradient evaluations, a panel per test file, one curve per selection."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import NullLocator, StrMethodFormatter

    names = list(results[0]["errors"])
    figure, panels = pyplot.subplots(
        1, len(names), figsize=(1 + 4.2 * len(names), 3.8), layout="constrained", squeeze=False
    )
    groups = grouped(results)
    for axes, test in zip(panels[0], names, strict=True):
        for selection in dict.fromkeys(name for name, _ in groups):
            points = sorted(
                (count, *moments([1e3 * r["errors"][test]["force_rmse"] for r in rows]))
                for (name, count), rows in groups.items()
                if name == selection
            )
            x, y, error = zip(*points, strict=True)
            label = selection if selection == "uniform" else f"adaptive, p_fit = {selection}"
            axes.errorbar(x, y, yerr=error, marker="o", capsize=3, label=label)
        axes.set(title=test, xlabel="gradient evaluations per member", ylabel="force RMSE (meV/Å)")
        axes.set(xscale="log", yscale="log")
        budgets = sorted({count for name, count in groups if name == "uniform"})
        axes.set_xticks(budgets, [f"{b:,}" for b in budgets])
        axes.xaxis.set_minor_locator(NullLocator())
        for set_formatter in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            set_formatter(StrMethodFormatter("{x:g}"))
    panels[0, 0].legend()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def moments(values: list[float]) -> tuple[float, float]:
    """Mean and standard deviation (0 for one value)."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def data_folder() -> Path:
    """Folder of the public data sets."""
    return Path(os.environ.get("LMLP_DATA", HERE.parents[2] / "shared" / "data"))


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    below = "below the data folder"
    parser.add_argument("--train", nargs="+", default=["3bpa/train_mixedT.xyz.xz"], help=below)
    parser.add_argument("--test", nargs="+", default=["3bpa/test_600K.xyz.xz"], help=below)
    parser.add_argument("--budgets", nargs="+", type=int, default=[2000, 4000, 8000, 16000])
    parser.add_argument("--shares", nargs="+", default=["0.1", "0.3"], help="p_fit of adaptive selection")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--members", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("build/selection"))
    return parser.parse_args(given)


if __name__ == "__main__":
    main()
