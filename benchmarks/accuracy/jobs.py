"""One training and its test: configuration, command line, and what is kept in results.json."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Job:
    """What to train and test.

    Attributes:
        names: what results.json calls it: set, run, seed and the like.
        config: of `lmlp train`, without the output.
        test: files to evaluate, below the data folder.
        folder: of the results.
    """

    names: dict[str, Any]
    config: dict[str, Any]
    test: list[str]
    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results.json"

    @property
    def done(self) -> bool:
        """Whether it was done before with this configuration and the same defaults."""
        return self.results.exists() and read_json(self.results)["config"] == resolved(self.config)


def read_json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace the file at once: an interrupted run leaves the old or the new one."""
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(json.dumps(content, indent=1), encoding="utf-8")
    unfinished.replace(path)


def data_folder() -> Path:
    """Return the folder of the public data sets, or stop with what to do."""
    default = HERE.parents[2] / "shared" / "data"
    folder = Path(os.environ.get("LMLP_DATA", default))
    if not folder.is_dir():
        sys.exit(f"no benchmark data in {folder}: set LMLP_DATA to a folder that holds them")
    return folder


def read_benchmark(set_name: str) -> dict[str, Any]:
    """Runs, test files, units and goals of a set."""
    return dict(yaml.safe_load((HERE / set_name / "benchmark.yaml").read_text(encoding="utf-8")))


def set_names() -> list[str]:
    return sorted(path.parent.name for path in HERE.glob("*/benchmark.yaml"))


def configuration(set_name: str, run: dict[str, Any], seed: int, time_limit: str | None) -> dict[str, Any]:
    """Training configuration of one run: the set's train.yaml with what the run changes."""
    config: dict[str, Any] = yaml.safe_load((HERE / set_name / "train.yaml").read_text(encoding="utf-8"))
    config = merged(config, run.get("config", {}))
    config["data"] = [str(data_folder() / file) for file in run["train"]]
    config["seed"] = seed
    if time_limit:
        config["time_limit"] = time_limit
    return config


def resolved(config: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration with the defaults of this version filled in."""
    from lmlp.training.config import make_config

    whole = make_config({**config, "output": "model.pt"}).model_dump(mode="json")
    return {key: value for key, value in whole.items() if key != "output"}


def merged(config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration with changes, section by section."""
    result = dict(config)
    for key, value in changes.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def lmlp(*arguments: str | Path) -> str:
    """Run the command line of this Python; its standard output."""
    command = [sys.executable, "-m", "lmlp", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def run_job(job: Job) -> None:
    """Train and test; results.json is written last."""
    job.folder.mkdir(parents=True, exist_ok=True)
    job.results.unlink(missing_ok=True)
    model, config = job.folder / "model.pt", job.folder / "train.yaml"
    config.write_text(yaml.safe_dump({**job.config, "output": str(model)}, sort_keys=False), encoding="utf-8")
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "lmlp", "train", str(config), "--force"], check=True)
    summary = {
        **job.names,
        "training_seconds": time.perf_counter() - start,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "config": resolved(job.config),
        "model": model_facts(model),
        "results": {Path(file).name: test(model, file, job.folder) for file in job.test},
    }
    write_json(job.results, summary)


def test(model: Path, file: str, folder: Path) -> dict[str, Any]:
    """Evaluate a test file, with a report; its metrics."""
    report = folder / f"{Path(file).name.split('.')[0]}.html"
    printed = lmlp("eval", model, data_folder() / file, "--json", "--report", report, "--force")
    return dict(json.loads(printed))


def model_facts(model: Path) -> dict[str, Any]:
    """Size of a trained model, and of its training from the log beside it."""
    info = json.loads(lmlp("info", model, "--json"))
    lines = model.with_name("model.log.jsonl").read_text(encoding="utf-8").splitlines()
    first, last = json.loads(lines[0]), json.loads(lines[-1])
    return {
        "functions": info["n_features"],
        "cutoff": info["cutoff"],
        "members": info["n_members"],
        "hidden": info["hidden_layers"],
        "parameters": info["n_parameters"],
        "structures": first["n_structures"],
        "epochs": last["epochs"],
    }
