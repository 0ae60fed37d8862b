"""CoRe beside AdamW on equal time: same model, data, orders, decay of the step size and weight averages.

    python benchmarks/optimizers/run.py 3bpa|mo|SETTINGS.yaml [--seeds 1 2 3] [--threads 1] [--output FOLDER]

Both optimizers get as many step sizes to choose from (largest step s_max of CoRe, learning rate of AdamW).
The best of each is that with the smallest loss on the hold-out of the first seed, which no member trains on;
test files are read for the best ones alone. The epochs of each are in the settings, so that both take the
same CPU time, which depends less on what else runs on the machine than the wall time: the page shows that of
whole trainings, and of a step, timed by turns. Initialization, hold-out and orders depend on the seed, not
on the optimizer. Data lie below $LMLP_DATA, else in ../shared/data beside the repository. Trainings that are
there with the same settings are not repeated. Writes results.json and table.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from lmlp.evaluation import evaluate
from lmlp.evaluation.tables import error_table
from lmlp.io import read_structures
from lmlp.structure import Structure
from lmlp.training import make_config
from lmlp.training.context import Context
from lmlp.training.fresh import fresh_plan
from lmlp.training.run import Run
from lmlp.training.state.log import read_log

HERE = Path(__file__).resolve().parent
# Step sizes a factor √10 apart around the defaults, equally many for both.
GRID = {"core": ("max_step", (0.003, 0.01, 0.03, 0.1)), "adamw": ("lr", (0.001, 0.003, 0.01, 0.03))}
NAMES = {"core": "CoRe", "adamw": "AdamW"}
ENERGY_WEIGHT = 10.0  # q of the loss, 1/Å
TIMED_STEPS = 120
ERRORS = ("energy_rmse", "force_rmse")
UNITS = {"energy": "E (meV/atom)", "force": "F (meV/Å)"}

Result = dict[str, Any]


def data_file(name: str) -> str:
    """Path of a data file; absolute ones stay."""
    return str(Path(os.environ.get("LMLP_DATA", HERE.parents[2] / "shared" / "data")) / name)


def lmlp(*arguments: str) -> str:
    """Run the command line of this Python; its standard output."""
    done = subprocess.run([sys.executable, "-m", "lmlp", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"lmlp {' '.join(arguments)}:\n{done.stderr}")
    return done.stdout


def configuration(settings: dict[str, Any], optimizer: str, step: float, seed: int) -> dict[str, Any]:
    """Training configuration; the optimizers differ in name, step size and epochs alone."""
    return {
        "data": [data_file(settings["train"])],
        "epochs": settings["epochs"][optimizer],
        "seed": seed,
        "optimizer": {"name": optimizer, GRID[optimizer][0]: step},
        **settings["config"],
    }


def train(config: dict[str, Any], output: Path) -> Result:
    """Train; CPU seconds of the process, steps, epochs and errors on the hold-out."""
    done = output / "training.json"
    if done.exists() and json.loads(done.read_text())["config"] == config:
        return json.loads(done.read_text())
    output.mkdir(parents=True, exist_ok=True)
    done.unlink(missing_ok=True)
    path = output / "train.yaml"
    path.write_text(yaml.safe_dump({**config, "output": str(output / "model.pt")}, sort_keys=False))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    lmlp("train", str(path))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    *_, end = read_log(output / "model.log.jsonl")
    result = {
        "config": config,
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "epochs": end["epochs"],
        "steps": end["steps"],
        "holdout": end["holdout"],
    }
    done.write_text(json.dumps(result, indent=1))
    return result


def loss(errors: dict[str, float]) -> float:
    """Loss of training from its two errors: q² (energy per atom)² + (force component)², eV²/Å²."""
    return ENERGY_WEIGHT**2 * errors["energy_rmse"] ** 2 + errors["force_rmse"] ** 2


def test(output: Path, tests: dict[str, list[Structure]]) -> dict[str, dict[str, float]]:
    """Errors of a trained model: test -> quantity; meV/atom and meV/Å."""
    results = evaluate(output / "model.pt", tests, threads=1).results
    errors = {}
    for name in tests:
        found = error_table([r for r in results if r.group == name])
        errors[name] = {"energy": 1e3 * found["energy_rmse"], "force": 1e3 * found["force_rmse"]}
    return errors


def cpu_per_step(settings: dict[str, Any], output: Path) -> dict[str, float]:
    """CPU seconds of a step by optimizer: medians of steps that both take by turns in one process."""
    trainers, seconds = {}, {name: [] for name in GRID}
    for name, (_, steps) in GRID.items():
        values = configuration(settings, name, steps[0], 1)
        config = make_config({**values, "output": str(output / f"{name}-steps.pt")})
        context = Context(config)
        trainers[name] = Run(fresh_plan(config, context), context).trainer
    for epoch in range(TIMED_STEPS):
        for groups in trainers["core"].sampler.batches(epoch):
            for name, trainer in trainers.items():
                start = time.process_time()
                trainer.step(groups, 0.5)
                seconds[name].append(time.process_time() - start)
            if len(seconds["core"]) == TIMED_STEPS:
                return {name: statistics.median(values) for name, values in seconds.items()}
    raise AssertionError("an epoch without steps")


def run(settings: dict[str, Any], seeds: list[int], output: Path) -> dict[str, Any]:
    """Choose the step size of each optimizer on the hold-out, then train and test with all seeds."""
    every = settings.get("every", 1)
    tests = {name: read_structures(data_file(f))[::every] for name, f in settings["tests"].items()}
    costs = cpu_per_step(settings, output)
    print("CPU per step:", costs, flush=True)
    results: dict[str, Any] = {"settings": settings, "seeds": seeds, "optimizers": {}}

    def trained(optimizer: str, step: float, seed: int) -> tuple[Result, Path]:
        folder = output / f"{optimizer}-{step:g}" / f"seed-{seed}"
        found = train(configuration(settings, optimizer, step, seed), folder)
        print(folder.relative_to(output), f"{found['cpu']:.0f} s", json.dumps(found["holdout"]), flush=True)
        return found, folder

    for optimizer, (_, steps) in GRID.items():
        grid = [trained(optimizer, step, seeds[0])[0] for step in steps]
        losses = [loss(r["holdout"]) for r in grid]
        best = steps[losses.index(min(losses))]
        runs = []
        for seed in seeds:
            found, folder = trained(optimizer, best, seed)
            runs.append({**found, "seed": seed, "tests": test(folder, tests)})
            print(folder.relative_to(output), json.dumps(runs[-1]["tests"]), flush=True)
        results["optimizers"][optimizer] = {
            "grid": [{"step": s, "loss": v, **r} for s, v, r in zip(steps, losses, grid, strict=True)],
            "best": best,
            "cpu_per_step": costs[optimizer],
            "runs": runs,
        }
    return results


def page(results: dict[str, Any]) -> str:
    """Markdown: the choice of the step sizes, the best of each, and their differences seed by seed."""
    return "\n\n".join([grid_table(results), best_table(results)]) + "\n"


def grid_table(results: dict[str, Any]) -> str:
    """Errors on the hold-out by optimizer and step size."""
    lines = [
        "| optimizer | step size | hold-out loss (1e-3 eV²/Å²) | E (meV/atom) | F (meV/Å) |",
        "|---" * 5 + "|",
    ]
    for name, o in results["optimizers"].items():
        for r in o["grid"]:
            values = [f"{1e3 * r['loss']:.3g}", *(f"{1e3 * r['holdout'][k]:.3g}" for k in ERRORS)]
            label = f"**{r['step']:g}**" if r["step"] == o["best"] else f"{r['step']:g}"
            lines.append("| " + " | ".join([NAMES[name], label, *values]) + " |")
    return "\n".join(lines)


def best_table(results: dict[str, Any]) -> str:
    """Test errors of the best step sizes, mean and deviation over the seeds, with what they cost."""
    columns = [(t, q) for t in results["settings"]["tests"] for q in UNITS]
    heads = ["optimizer", "step size", "epochs", "CPU per training (s)", "CPU per step (ms)"]
    heads += [f"{t}: {UNITS[q]}" for t, q in columns]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    errors = {}
    for name, o in results["optimizers"].items():
        errors[name] = {c: [r["tests"][c[0]][c[1]] for r in o["runs"]] for c in columns}
        cost = statistics.median(r["cpu"] for r in o["runs"])
        cells = [NAMES[name], f"{o['best']:g}", str(o["runs"][0]["epochs"]), f"{cost:.0f}"]
        cells += [f"{1e3 * o['cpu_per_step']:.1f}", *(spread(errors[name][c]) for c in columns)]
        lines.append("| " + " | ".join(cells) + " |")
    first, second = errors
    cells = [f"{NAMES[first]} less {NAMES[second]}, by seed", "", "", "", ""]
    for c in columns:
        cells.append(spread([a - b for a, b in zip(errors[first][c], errors[second][c], strict=True)], "+"))
    lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def spread(values: list[float], sign: str = "") -> str:
    """Mean, with the standard deviation if there are several."""
    deviation = f" ± {statistics.stdev(values):.2g}" if len(values) > 1 else ""
    return f"{statistics.mean(values):{sign}.3g}{deviation}"


def main(arguments: list[str] | None = None) -> None:
    """Train, choose, test; print and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("settings", help="3bpa, mo, or a file like benchmarks/optimizers/3bpa.yaml")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--threads", type=int, help="of the trainings")
    parser.add_argument("--output", type=Path, help="default: build/optimizers/SET")
    options = parser.parse_args(arguments)
    known = HERE / f"{options.settings}.yaml"
    path = known if known.exists() else Path(options.settings)
    settings = yaml.safe_load(path.read_text())
    if options.threads:
        settings["config"]["threads"] = options.threads
    output = (options.output or HERE.parents[1] / "build" / "optimizers" / path.stem).resolve()
    output.mkdir(parents=True, exist_ok=True)
    results = run(settings, options.seeds, output)
    (output / "results.json").write_text(json.dumps(results, indent=1))
    text = page(results)
    (output / "table.md").write_text(text)
    print(f"\n{text}")


if __name__ == "__main__":
    main()
