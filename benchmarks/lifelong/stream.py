"""A stream of small batches, as active learning brings them: errors on test files after each.

    python benchmarks/lifelong/stream.py [--time-limit 30s] [--seed 1] [--output FOLDER]

The first model is trained on acetylacetone at 300 K; then 20 batches of 25 structures at 600 K are learned by
`lmlp learn --stream 25`. Public data are read from $LMLP_DATA, else from ../shared/data beside the
repository. An interrupted run goes on. Writes stream.json, stream.md and stream.png.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from stages import data_folder, errors

HERE = Path(__file__).resolve().parent


def first_model(options: argparse.Namespace) -> Path:
    """Train the model before the stream, unless it is there."""
    from lmlp.export.writing import write_model_file
    from lmlp.training import make_config, train

    model: Path = options.output / "first.pt"
    if not model.exists():
        config = make_config(
            {
                "data": str(data_folder() / options.old),
                "output": str(model),
                "model": {"members": options.members},
                "epochs": options.epochs,
                "seed": options.seed,
                "threads": options.threads,
            }
        )
        write_model_file(train(config, resume=config.checkpoint.exists()), model)
    return model


def run(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Learn the stream; test errors of the first model and after each batch."""
    from lmlp.lifelong.batches import batches_log, cut, learn_batches
    from lmlp.training.state.log import read_log

    options.output.mkdir(parents=True, exist_ok=True)
    start, model = first_model(options), options.output / "model.pt"
    tests = {Path(f).name.partition(".")[0]: data_folder() / f for f in options.tests}
    path = options.output / "stream.json"
    results: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    resume = bool(results)

    def note(record: dict[str, Any]) -> None:
        file = model if results and model.exists() else start
        results.append({**record, "tests": {name: errors(file, test) for name, test in tests.items()}})
        path.write_text(json.dumps(results, indent=1))
        print(line(results[-1]), flush=True)

    if not results:
        note({"task": "before", "n_new": 0, "n_memory": 0, "seconds": 0.0, "suspects": 0})
    log = batches_log(model)
    for record in read_log(log) if resume and log.exists() else []:
        if record["task"] not in [r["task"] for r in results]:
            note(record)  # learned, but stopped before it was tested
    values = {
        "start": str(start),
        "memory": str(options.output / "model.memory"),
        "old": [str(data_folder() / options.old)],
        "data": [str(data_folder() / options.new)],
        "output": str(model),
        "task": "stream",
        "seed": options.seed,
        "threads": options.threads,
        **({"time_limit": options.time_limit} if options.time_limit else {}),
        **({"epochs": options.batch_epochs} if options.batch_epochs else {}),
    }
    learn_batches(values, cut([data_folder() / options.new], options.size), resume=resume, on_batch=note)
    return results


def line(result: dict[str, Any]) -> str:
    """One row of the table."""
    cells = [result["task"], result["n_new"], result["n_memory"], f"{result['seconds']:.0f}"]
    for found in result["tests"].values():
        cells += (
            ["–"] * 2 if found is None else [f"{1e3 * found[k]:.3g}" for k in ("energy_rmse", "force_rmse")]
        )
    return "| " + " | ".join(map(str, [*cells, result["suspects"]])) + " |"


def table(results: list[dict[str, Any]]) -> str:
    """Markdown of all batches; energies in meV/atom, forces in meV/Å."""
    names = ["batch", "new", "in memory", "seconds"]
    for name in results[0]["tests"]:
        names += [f"{name} E", f"{name} F"]
    head = [*names, "suspects"]
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *map(line, results)]) + "\n"


def plot(results: list[dict[str, Any]], path: Path) -> None:
    """Force errors on the test files along the stream."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.6, 3.8), layout="constrained")
    for name in results[0]["tests"]:
        points = [
            (k, 1e3 * r["tests"][name]["force_rmse"]) for k, r in enumerate(results) if r["tests"][name]
        ]
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set(xlabel="batches learned", ylabel="force RMSE (meV/Å)", yscale="log")
    axes.legend()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def main(arguments: list[str] | None = None) -> None:
    """Run, print and write table and plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--old", default="acac/train_300K.xyz.xz", help="below the data folder")
    parser.add_argument("--new", default="acac/train_600K.xyz.xz", help="below the data folder")
    parser.add_argument(
        "--tests", nargs="+", default=["acac/test_MD_300K.xyz.xz", "acac/test_MD_600K.xyz.xz"]
    )
    parser.add_argument("--size", type=int, default=25, help="structures per batch")
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=115, help="of the first model")
    parser.add_argument("--batch-epochs", type=int, help="of a tenth of the data, per batch (400)")
    parser.add_argument("--time-limit", help="of each batch, e.g. 30s")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--output", type=Path, default=HERE.parents[1] / "build" / "lifelong" / "stream")
    options = parser.parse_args(arguments)
    results = run(options)
    (options.output / "stream.md").write_text(table(results))
    plot(results, options.output / "stream.png")
    print(f"\n{table(results)}")


if __name__ == "__main__":
    main()
