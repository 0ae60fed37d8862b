"""Do scores of untrained networks rank architectures as their trained errors do? Kendall's τ on one data set.

    python benchmarks/near/run.py 3bpa|mo|SETTINGS.yaml [--output FOLDER] [--threads 1]

Three seeds: each scores the untrained networks with its own initializations and sampled atoms, and trains one
member of every architecture with its own initialization, split and order. The order of the members' test
errors is compared with the order by NEAR, ε and CV, and, as yardsticks, by the number of weights and by the
errors of the other seeds. Architectures with more units in a layer than the rarest element has atoms are left
out. The settings name training and test files (below $LMLP_DATA, else ../shared/data beside the repository),
`every` how many test structures are taken, and `epochs`. How the order settles in the course of training is
told from the validation errors. Trainings that are there with the same settings are not repeated. Writes
results.json, table.md and agreement.png.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from agreement import page, plot
from lmlp.elements import symbol
from lmlp.evaluation import evaluate
from lmlp.evaluation.tables import error_table
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file
from lmlp.io import read_structures
from lmlp.near import Architecture, NearData, ScoreOptions, make_data, rank_architectures
from lmlp.structure import Structure
from lmlp.structure.distances import shortest_distances
from lmlp.training.config import TrainConfig, make_config
from lmlp.training.functions import make_spec
from lmlp.training.state.log import read_log

HERE = Path(__file__).resolve().parent
SHAPES = [
    *((n,) for n in (8, 32, 128)),
    *((n, n) for n in (4, 8, 16, 32, 64)),
    (64, 8),
    (8, 64),
    (128, 64),
    (16, 16, 16),
]
ARCHITECTURES = [Architecture(s, "stanh") for s in SHAPES]
N_SEEDS = 3


def data_file(name: str) -> str:
    """Path of a data file; absolute ones stay."""
    return str(Path(os.environ.get("LMLP_DATA", HERE.parents[2] / "shared" / "data")) / name)


def lmlp(*arguments: str) -> str:
    """Run the command line of this Python; its standard output."""
    done = subprocess.run([sys.executable, "-m", "lmlp", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"lmlp {' '.join(arguments)}:\n{done.stderr}")
    return done.stdout


def configuration(settings: dict[str, Any], architecture: Architecture) -> dict[str, Any]:
    """Training configuration; a member is a seed: no structures are held out for all of them."""
    config = {
        "data": [data_file(settings["train"])],
        "epochs": settings["epochs"],
        "holdout_fraction": 0.0,
        "seed": 1,
        **settings["config"],
    }
    network = {"members": N_SEEDS, "hidden": list(architecture.hidden), "activation": architecture.activation}
    return {**config, "model": {**config.get("model", {}), **network}}


def train(config: dict[str, Any], output: Path) -> Path:
    """Train with the command line; the model file."""
    model, path = output / "model.pt", output / "train.yaml"
    if model.exists() and yaml.safe_load(path.read_text()) == {**config, "output": str(model)}:
        return model
    output.mkdir(parents=True, exist_ok=True)
    model.unlink(missing_ok=True)
    path.write_text(yaml.safe_dump({**config, "output": str(model)}, sort_keys=False))
    lmlp("train", str(path))
    (output / "model.checkpoint.previous").unlink(missing_ok=True)
    return model


def member_errors(model: Path, tests: dict[str, list[Structure]]) -> dict[str, dict[str, list[float]]]:
    """RMSE of every member alone: test -> quantity -> seed; meV/atom and meV/Å."""
    known = model.with_name("errors.json")
    if known.exists() and known.stat().st_mtime > model.stat().st_mtime:
        return json.loads(known.read_text())
    data = read_model_file(model)
    errors: dict[str, dict[str, list[float]]] = {name: {"energy": [], "force": []} for name in tests}
    for m in range(data.n_members):
        one = slice(m, m + 1)
        single = dataclasses.replace(
            data,
            scale=data.scale[one],
            shift=data.shift[one],
            weights=[w[one] for w in data.weights],
            biases=[b[one] for b in data.biases],
            calibration={},
        )
        path = model.with_name(f"member-{m}.pt")
        write_model_file(single, path, verify=False)
        results = evaluate(path, tests, threads=1).results
        path.unlink()
        for name in tests:
            table = error_table([r for r in results if r.group == name])
            errors[name]["energy"].append(1e3 * table["energy_rmse"])
            errors[name]["force"].append(1e3 * table["force_rmse"])
    known.write_text(json.dumps(errors))
    return errors


def logged_errors(model: Path) -> tuple[list[float], float]:
    """Force RMSE of all members in meV/Å: on their validation structures after each epoch; in training.

    The first is that of the averaged weights; the second that of the steps of the last epoch.
    """
    epochs = [r for r in read_log(model.with_suffix(".log.jsonl")) if r["type"] == "epoch"]
    return [1e3 * r["valid"]["force_rmse"] for r in epochs], 1e3 * epochs[-1]["train"]["force_rmse"]


def network_inputs(config: TrainConfig, structures: list[Structure]) -> dict[str, NearData]:
    """What networks are scored on: their inputs in training, and standardized features."""
    d = config.descriptor
    elements = [symbol(z) for z in sorted({int(z) for s in structures for z in s.numbers})]
    spec = make_spec(d, elements, shortest_distances(structures, elements))
    epsilons = {"": config.model.decorrelation, " of standardized features": None}
    return {name: make_data(structures, spec, decorrelation=value) for name, value in epsilons.items()}


def scores(
    architectures: list[Architecture], inputs: dict[str, NearData], repetitions: int
) -> dict[str, dict[str, Any]]:
    """Scores by seed: label -> score -> values; and the number of weights."""
    found: dict[str, dict[str, Any]] = {a.label: {} for a in architectures}
    for kind, data in inputs.items():
        chosen = ("near",) if kind else ("near", "epsilon", "cv")
        for seed in range(N_SEEDS):
            options = ScoreOptions(repetitions, seed=1 + seed)
            for entry in rank_architectures(architectures, data, options, scores=chosen):
                row = found[entry.architecture.label]
                row["weights"] = [float(entry.n_parameters)] * N_SEEDS
                for name, score in entry.scores.items():
                    row.setdefault(name + kind, []).append(None if score is None else score.value)
    return found


def run(settings: dict[str, Any], output: Path, repetitions: int) -> dict[str, Any]:
    """Train, test and score everything that the settings ask for."""
    structures = read_structures(data_file(settings["train"]))
    every = settings.get("every", 1)
    tests = {name: read_structures(data_file(f))[::every] for name, f in settings["tests"].items()}
    config = make_config({**configuration(settings, ARCHITECTURES[0]), "output": str(output / "model.pt")})
    inputs = network_inputs(config, structures)
    most = min(len(x) for x in inputs[""].inputs.values())
    architectures = [a for a in ARCHITECTURES if max(a.hidden) <= most]
    rows = scores(architectures, inputs, repetitions)
    for a in architectures:
        folder = output / f"{settings['epochs']}-epochs" / a.label.replace(" ", "-")
        model = train(configuration(settings, a), folder)
        rows[a.label]["errors"] = member_errors(model, tests)
        rows[a.label]["course"], rows[a.label]["training"] = logged_errors(model)
        print(a.label, json.dumps(rows[a.label]["errors"]), flush=True)
    return {"settings": settings, "n_inputs": inputs[""].n_inputs, "rows": rows}


def main(arguments: list[str] | None = None) -> None:
    """Train, score, compare, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("settings", help="3bpa, mo, or a file like benchmarks/near/3bpa.yaml")
    parser.add_argument("--repetitions", type=int, default=16, help="initializations of a score")
    parser.add_argument("--threads", type=int, help="of the trainings")
    parser.add_argument("--output", type=Path, help="default: build/near/SET")
    options = parser.parse_args(arguments)
    known = HERE / f"{options.settings}.yaml"
    path = known if known.exists() else Path(options.settings)
    settings = yaml.safe_load(path.read_text())
    if options.threads:
        settings["config"]["threads"] = options.threads
    output = (options.output or HERE.parents[1] / "build" / "near" / path.stem).resolve()
    output.mkdir(parents=True, exist_ok=True)
    results = run(settings, output, options.repetitions)
    (output / "results.json").write_text(json.dumps(results, indent=1))
    text = page(results)
    (output / "table.md").write_text(text)
    plot(results, output / "agreement.png")
    print(f"\n{text}")


if __name__ == "__main__":
    main()
