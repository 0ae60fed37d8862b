"""The benchmark of optimizers: the choice of step sizes, equal conditions, tables, a tiny run."""

import json
from pathlib import Path

import pytest
import yaml
from lmlp.io import write_structures
from lmlp.training.config import make_config

from tests.packaging.in_process import lmlp, load
from tests.python.training.toy import SPEC, clusters

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "optimizers"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the benchmarks are not part of this copy")


@pytest.fixture
def benchmark(monkeypatch):
    return load(monkeypatch, FOLDER, "run")


def test_conditions_differ_in_the_optimizer_alone(benchmark) -> None:
    assert len({len(steps) for _, steps in benchmark.GRID.values()}) == 1
    for path in FOLDER.glob("*.yaml"):
        settings = yaml.safe_load(path.read_text())
        configs = []
        for name, (key, steps) in benchmark.GRID.items():
            config = {**benchmark.configuration(settings, name, steps[0], 3), "output": "model.pt"}
            checked = make_config(config)
            assert getattr(checked.optimizer, key) == steps[0]
            assert checked.holdout_fraction > 0.0
            assert checked.epochs == settings["epochs"][name]
            rest = checked.model_copy(update={"epochs": None}).model_dump()
            for key_left in ("name", "max_step", "lr"):
                del rest["optimizer"][key_left]
            configs.append(rest)
        assert configs[0] == configs[1]


def test_loss_is_that_of_training(benchmark) -> None:
    config = make_config({"data": "a.xyz", "output": "m.pt"})
    assert config.loss.energy == benchmark.ENERGY_WEIGHT
    assert config.loss.force == 1.0
    assert benchmark.loss({"energy_rmse": 0.02, "force_rmse": 0.3}) == pytest.approx(0.04 + 0.09)


@pytest.fixture
def tiny(tmp_path):
    structures = clusters(50, seed=2)
    write_structures(tmp_path / "train.xyz", structures[:36])
    write_structures(tmp_path / "test.xyz", structures[36:])
    settings = {
        "title": "clusters",
        "train": str(tmp_path / "train.xyz"),
        "tests": {"test": str(tmp_path / "test.xyz")},
        "epochs": {"core": 4, "adamw": 5},
        "config": {
            "descriptor": {"spec": SPEC},
            "model": {"members": 2, "hidden": [4]},
            "holdout_fraction": 0.2,
            "average": 0.5,
            "threads": 1,
        },
    }
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(settings))
    return tmp_path / "tiny.yaml"


def test_tiny_run(benchmark, tiny, monkeypatch, tmp_path) -> None:
    # with steps of 1e-7 nothing is learned
    grid = {"core": ("max_step", (0.02, 1e-5)), "adamw": ("lr", (1e-7, 0.02))}
    monkeypatch.setattr(benchmark, "GRID", grid)
    monkeypatch.setattr(benchmark, "lmlp", lmlp)
    out = tmp_path / "out"
    arguments = [str(tiny), "--output", str(out), "--seeds", "1", "2"]
    benchmark.main(arguments)
    found = json.loads((out / "results.json").read_text())["optimizers"]
    assert {name: o["best"] for name, o in found.items()} == {"core": 0.02, "adamw": 0.02}
    for o in found.values():
        errors = [r["tests"]["test"]["force"] for r in o["runs"]]
        assert [r["seed"] for r in o["runs"]] == [1, 2]
        assert errors[0] != errors[1]
        # the first seed's training is that of the grid
        chosen = next(r for r in o["grid"] if r["step"] == o["best"])
        assert o["runs"][0]["holdout"] == chosen["holdout"]
        assert chosen["loss"] == min(r["loss"] for r in o["grid"])
    assert [o["runs"][0]["epochs"] for o in found.values()] == [4, 5]
    differences = [
        a["tests"]["test"]["force"] - b["tests"]["test"]["force"]
        for a, b in zip(found["core"]["runs"], found["adamw"]["runs"], strict=True)
    ]
    table = (out / "table.md").read_text()
    assert f"{sum(differences) / 2:+.3g} ± " in table.splitlines()[-1]
    assert "| CoRe | **0.02** |" in table

    def refuse(*arguments):
        raise AssertionError(arguments)

    monkeypatch.setattr(benchmark, "lmlp", refuse)
    benchmark.main(arguments)  # all is there
