"""The accuracy benchmark: tables from known numbers, and configurations that `lmlp train` takes."""

import importlib
import math
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from lmlp.training.config import make_config

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "accuracy"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the benchmarks are not part of this copy")


@pytest.fixture
def load(monkeypatch):
    """Import modules of the benchmark; afterwards their names are free for those of other benchmarks."""
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    known = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - known:
        if str(FOLDER.parent) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def tables(load):
    return load("error_tables")


def errors(energy: np.ndarray, force: np.ndarray) -> dict:
    def rms(x):
        return float(np.sqrt(np.mean(x**2))) if len(x) else None

    return {
        "energy_rmse": rms(energy),
        "energy_mae": float(np.mean(abs(energy))) if len(energy) else None,
        "force_rmse": rms(force),
        "force_mae": float(np.mean(abs(force))) if len(force) else None,
        "n_energies": len(energy),
        "n_force_components": len(force),
    }


def test_pooled_errors_are_those_of_all_structures(tables) -> None:
    rng = np.random.default_rng(0)
    parts = [(rng.normal(size=n), rng.normal(size=m)) for n, m in ((5, 30), (2, 0), (11, 99))]
    expected = errors(*(np.concatenate(x) for x in zip(*parts, strict=True)))
    pooled = tables.pool(errors(*part) for part in parts)
    for key, value in expected.items():
        assert pooled[key] == pytest.approx(value, rel=1e-12)
    assert tables.pool([errors(np.ones(3), np.ones(0))])["force_rmse"] is None


def row(model: str, value: str, **changes: str) -> dict[str, str]:
    return {
        "test_file": "a.xyz",
        "model": model,
        "quantity": "energy (per molecule)",
        "metric": "RMSE",
        "value": value,
        "std": "",
        "unit": "meV",
        "trained_on": "x",
        "status": "read from paper",
        **changes,
    }


def test_published_numbers_in_one_unit_and_only_those_that_may_be_quoted(tables) -> None:
    rows = [
        row("A", "1.5", std="0.1"),
        row("A", "0.025", quantity="force component", unit="eV/A", test_file="a.xyz (some atoms)"),
        row("A", "9.0", metric="MAE"),
        row("B", "2.0", status="FROM MEMORY, unverified"),
        row("C", "2.0", trained_on="y"),
    ]
    benchmark = {"trained_on": "x", "aliases": {"a.xyz (some atoms)": "a.xyz"}}
    found = tables.published(rows, benchmark, "RMSE")
    assert found == {"A": {("a.xyz", "energy"): "1.5 ± 0.1", ("a.xyz", "force"): "25"}}
    assert set(tables.published(rows, {}, "RMSE")) == {"A", "C"}


def test_own_numbers_and_their_spread_over_seeds(tables) -> None:
    benchmark = {
        "energy_factor": 10,
        "runs": {"one": {"label": "ours"}, "two": {"label": "ours"}},
        "pooled": {"both": ["a.xyz", "b.xyz"]},
    }
    rng = np.random.default_rng(1)
    seeds = [
        {f: errors(rng.normal(size=4), rng.normal(size=6)) for f in ("a.xyz", "b.xyz")} for _ in range(3)
    ]
    found = tables.measured({"one": seeds, "two": []}, benchmark, "RMSE")["**ours**"]
    values = [1e4 * s["a.xyz"]["energy_rmse"] for s in seeds]
    mean, deviation = np.mean(values), np.std(values, ddof=1)
    assert found[("a.xyz", "energy")] == f"**{mean:.0f} ± {deviation:.0f}**"
    pooled = [
        1e3 * math.sqrt((s["a.xyz"]["force_rmse"] ** 2 + s["b.xyz"]["force_rmse"] ** 2) / 2) for s in seeds
    ]
    assert found[("both", "force")].startswith(f"**{np.mean(pooled):.0f} ± ")


def test_table_puts_the_longer_side_downwards(tables) -> None:
    lines = {"A": {("a.xyz", "energy"): "2", ("a.xyz", "force"): "30"}, "B": {("a.xyz", "force"): "**20**"}}
    lines["C"] = {("other.xyz", "force"): "1"}
    assert tables.table(lines, ["a.xyz"]).splitlines() == [
        "| model | a E | a F |",
        "|---|---|---|",
        "| A | 2 | 30 |",
        "| B | - | **20** |",
    ]
    wide = {"A": {(f"{k}.xyz", q): "1" for k in range(3) for q in ("energy", "force")}}
    text = tables.table(wide, [f"{k}.xyz" for k in range(3)]).splitlines()
    assert text[0] == "| test file | A |"
    assert text[-1] == "| 2 F | 1 |"


@pytest.mark.parametrize("name", sorted(p.parent.name for p in FOLDER.glob("*/benchmark.yaml")))
def test_every_run_is_a_configuration(load, name, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("LMLP_DATA", str(tmp_path))
    jobs = load("jobs")
    benchmark = yaml.safe_load((FOLDER / name / "benchmark.yaml").read_text())
    names = {Path(f).name for r in benchmark["runs"].values() for f in r["test"]}
    for part in benchmark.get("pooled", {}).values():
        assert set(part) <= names
    for files in benchmark.get("goals", {}).values():
        assert set(files) <= names | set(benchmark.get("pooled", {}))
    for entry in benchmark["runs"].values():
        config = jobs.configuration(name, entry, seed=5, time_limit=None)
        settings = make_config({**config, "output": "model.pt"})
        assert settings.seed == 5
        assert settings.time_limit is not None or settings.epochs is not None  # it ends
        assert not set(entry["train"]) & set(entry["test"])


def test_speed_is_a_column_beside_the_errors(load, tables) -> None:
    models = load("model_tables")
    benchmark = {"runs": {"a": {"label": "each"}, "b": {"label": "each"}, "c": {}}}

    def summary(minutes: float, us: float) -> dict:
        size = {"functions": 46, "cutoff": 5.0, "members": 4, "hidden": [64, 32], "epochs": 10}
        timing = {"double": {"median": us}, "mixed": {"median": us / 2}, "system": "box", "neighbors": 49.2}
        return {"training_seconds": 60 * minutes, "model": size, "speed": timing}

    bare = {"training_seconds": 60.0}  # results of a model that was not timed
    summaries = {"a": [summary(2, 5.0), summary(4, 6.0)], "b": [summary(1, 9.0)], "c": [bare]}
    speeds = models.speeds(summaries, benchmark)
    assert speeds == {"**each**": {tables.SPEED: "5–9"}}
    rows = models.model_table(summaries).splitlines()[2:]
    assert rows[0] == "| a | 46 | 5 | 4 | 64-32 | 10 | 3 | 5.5 ± 0.71 | 2.75 ± 0.35 | box, 49 neighbors |"
    assert rows[2] == "| c | - | - | - | - | - | 1 | - | - | - |"
    lines = {"A": {("x.xyz", "force"): "1"}, "**each**": {("x.xyz", "force"): "**2**", tables.SPEED: "5–9"}}
    assert tables.table(lines, ["x.xyz"]).splitlines() == [
        "| model | x F | µs/atom/step |",
        "|---|---|---|",
        "| **each** | **2** | 5–9 |",
        "| A | 1 | - |",
    ]


def test_speeds_are_added_to_the_results_of_trained_models(load, tmp_path, monkeypatch) -> None:
    run, lammps_speed = load("run"), load("lammps_speed")
    monkeypatch.setenv("LMLP_DATA", str(tmp_path))
    benchmark = {"runs": {"one": {"test": ["x/a.xyz"]}, "two": {"test": ["x/b.xyz"]}}}
    for name, config, age in (("one/seed-1", 1, 50), ("one/seed-2", 0, 100), ("two/seed-1", 1, 30)):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        path = folder / "results.json"
        path.write_text(f'{{"seed": 1, "config": {{"k": {config}, "seed": 1}}, "results": {{}}}}')
        os.utime(path, (1e9 - age, 1e9 - age))
    timed = []
    monkeypatch.setattr(
        lammps_speed, "measure_speed", lambda *a: timed.append(a) or {"double": {"median": 3.0}}
    )
    monkeypatch.setattr(run, "model_facts", lambda model: {"functions": 7})
    options = run.argparse.Namespace(output=tmp_path, run=["one"])
    run.measure_speeds(options, benchmark)
    # the older configuration of seed 2 is not in the table, and run two was not asked for
    assert timed == [(tmp_path / "one/seed-1/model.pt", [tmp_path / "x/a.xyz"])]
    found = run.collect(tmp_path, benchmark)
    summary = found["one"][tmp_path / "one/seed-1/results.json"]
    assert summary["speed"]["double"]["median"] == 3.0
    assert summary["model"] == {"functions": 7}
    assert summary["config"]["k"] == 1
    assert (tmp_path / "one/seed-1/results.json").stat().st_mtime == 1e9 - 50  # a later seed stays the latest


def test_a_run_is_done_with_the_same_configuration_and_defaults(load, tmp_path) -> None:
    jobs = load("jobs")
    config = {"data": ["a.xyz"], "seed": 2, "epochs": 3}
    job = jobs.Job({"set": "x"}, config, [], tmp_path)
    assert not job.done
    whole = jobs.resolved(config)
    jobs.write_json(job.results, {"config": whole})
    assert job.done
    jobs.write_json(job.results, {"config": {**whole, "batch_size": whole["batch_size"] + 1}})
    assert not job.done


def test_configurations_are_merged_by_section(load) -> None:
    merged = load("jobs").merged
    base = {"model": {"members": 4, "hidden": [8]}, "seed": 1}
    assert merged(base, {"model": {"members": 2}, "epochs": 3}) == {
        "model": {"members": 2, "hidden": [8]},
        "seed": 1,
        "epochs": 3,
    }
    assert base["model"]["members"] == 4


def test_files_and_published_numbers_are_there(tables, data_folder) -> None:
    import csv

    for path in FOLDER.glob("*/benchmark.yaml"):
        benchmark = yaml.safe_load(path.read_text())
        for run in benchmark["runs"].values():
            assert all((data_folder / f).exists() for f in run["train"] + run["test"])
        with (data_folder / path.parent.name / "published.csv").open(newline="") as file:
            found = tables.published(csv.DictReader(file), benchmark, "RMSE")
        known = {Path(f).name for run in benchmark["runs"].values() for f in run["test"]}
        assert any(file in known for line in found.values() for file, _ in line)
