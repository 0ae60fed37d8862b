"""The benchmark of scores against trained errors: rank correlation, direction, interval, a tiny run."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from lmlp.evaluation import evaluate
from lmlp.io import write_structures
from lmlp.near import Architecture
from lmlp.training.config import make_config

from tests.packaging.in_process import lmlp, load
from tests.python.training.toy import SPEC, clusters

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "near"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the benchmarks are not part of this copy")


@pytest.fixture
def agreement(monkeypatch):
    return load(monkeypatch, FOLDER, "agreement")


@pytest.fixture
def benchmark(monkeypatch):
    return load(monkeypatch, FOLDER, "agreement", "run")


def test_kendall_with_and_without_ties(agreement) -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    assert agreement.kendall(np.arange(5.0), np.arange(5.0) ** 3) == 1.0
    assert agreement.kendall(np.arange(5.0), -np.arange(5.0)) == -1.0
    assert np.isnan(agreement.kendall(np.arange(5.0), np.ones(5)))
    for levels in (1000, 4):
        x, y = rng.integers(0, levels, 20), rng.integers(0, levels, 20)
        assert agreement.kendall(x, y) == pytest.approx(stats.kendalltau(x, y).statistic, rel=1e-12)


def made_up(n: int = 6) -> dict:
    """Results whose errors grow with k; early in training they fall."""
    rows = {}
    for k in range(n):
        grow = {"energy": [1.0 + k + s / 10 for s in range(3)], "force": [2.0 + k, 2.1 + k, 2.2 + k]}
        rows[f"{k + 1} stanh"] = {
            "weights": [10.0 * (k + 1)] * 3,
            "near": [float(k + 1)] * 3,  # grows with the error: wrong every time
            "near of standardized features": [float(k + 1), float(k + 1), -float(k)],  # right with one seed
            "epsilon": [None if k == 0 else 3.0 - k] * 3,  # falls with it: right every time
            "cv": [float(k)] * 3,  # lower is better: right every time
            "errors": {"test": grow},
            "course": [20.0 - k] * 5 + [20.0 + k] * 5,
            "training": 20.0 - k,
        }
    return {"settings": {"title": "x"}, "rows": rows}


def test_a_good_score_goes_with_small_errors(agreement) -> None:
    final = agreement.page(made_up())
    sure = "{0} ({0} to {0}) [{0}, {0}]".format
    assert f"| NEAR | {sure('-1.00')} | {sure('-1.00')} |" in final
    assert f"| ε | {sure('1.00')} | {sure('1.00')} |" in final
    assert f"| CV | {sure('1.00')} | {sure('1.00')} |" in final
    assert f"| number of weights | {sure('-1.00')} |" in final
    assert f"| errors of another seed | {sure('1.00')} |" in final
    third = sure("-0.33").replace("(-0.33 to -0.33)", "(-1.00 to 1.00)")
    assert f"| NEAR of standardized features | {third} |" in final
    assert "| NEAR less number of weights | +0.00 [+0.00, +0.00] |" in final
    assert "| 2 stanh | 20 | 2 | 2 | 1 | 2.1 ± 0.1 | 3.1 ± 0.1 |" in final
    assert "τ with small force errors in training: NEAR 1.00, number of weights 1.00." in final
    assert "(test): 1 epochs -1.00, 2 epochs -1.00, 5 epochs -1.00, 8 epochs 1.00, 10 epochs 1.00." in final


def test_interval_covers_the_tau_of_the_population(agreement, monkeypatch) -> None:
    # normal pairs of correlation r have τ = 2/π asin r; 25 architectures, three seeds that agree
    monkeypatch.setattr(agreement, "_DRAWS", 200)
    tau = 2.0 / np.pi * np.arcsin(0.6)
    covered = 0
    for trial in range(200):
        rng = np.random.default_rng(trial)
        x = rng.normal(size=25)
        y = 0.6 * x + 0.8 * rng.normal(size=25)
        drawn = agreement.drawn_taus(np.array([x] * 3), np.array([-y] * 3))
        low, high = agreement.interval(drawn)
        covered += low < tau < high
    assert 180 <= covered < 200  # measured: 193


def test_at_least_twelve_architectures_and_valid_settings(benchmark) -> None:
    labels = {a.label for a in benchmark.ARCHITECTURES}
    assert len(labels) == len(benchmark.ARCHITECTURES) >= 12
    assert benchmark.N_SEEDS >= 3
    for path in FOLDER.glob("*.yaml"):
        settings = yaml.safe_load(path.read_text())
        config = benchmark.configuration(settings, benchmark.ARCHITECTURES[-1])
        checked = make_config({**config, "output": "model.pt"})
        assert checked.model.hidden == [16, 16, 16]
        assert checked.model.activation == "stanh"


@pytest.fixture
def tiny(tmp_path):
    """Settings of a run that takes a second."""
    structures = clusters(50, seed=2)
    write_structures(tmp_path / "train.xyz", structures[:30])
    write_structures(tmp_path / "test.xyz", structures[30:])
    settings = {
        "title": "clusters",
        "train": str(tmp_path / "train.xyz"),
        "tests": {"test": str(tmp_path / "test.xyz")},
        "every": 2,
        "epochs": 2,
        "config": {"descriptor": {"spec": SPEC}, "threads": 1},
    }
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(settings))
    return tmp_path / "tiny.yaml"


def test_tiny_run(benchmark, tiny, monkeypatch, tmp_path) -> None:
    few = [
        Architecture((4,), "stanh"),
        Architecture((3, 3), "stanh"),
        Architecture((10_000,)),
    ]  # fewer atoms than that
    monkeypatch.setattr(benchmark, "ARCHITECTURES", few)
    monkeypatch.setattr(benchmark, "lmlp", lmlp)
    out = tmp_path / "out"
    arguments = [str(tiny), "--output", str(out), "--repetitions", "2"]
    benchmark.main(arguments)
    results = json.loads((out / "results.json").read_text())
    assert list(results["rows"]) == ["4 stanh", "3-3 stanh"]
    for row in results["rows"].values():
        assert len(row["course"]) == 2
        assert len(set(row["near"])) == len(set(row["errors"]["test"]["force"])) == 3  # seeds
    assert (out / "agreement.png").stat().st_size > 1000
    assert "| 4 stanh | " in (out / "table.md").read_text()
    # members alone: their mean energy error can only be larger than that of the mean
    folder = out / "2-epochs" / "4-stanh"
    structures = clusters(50, seed=2)[30::2]
    ensemble = 1e3 * evaluate(folder / "model.pt", structures).metrics()["force_rmse"]
    errors = results["rows"]["4 stanh"]["errors"]["test"]["force"]
    assert ensemble < np.mean(errors) < 3 * ensemble

    # what is there is kept; other settings are trained anew
    def refuse(*arguments):
        raise AssertionError(arguments)

    monkeypatch.setattr(benchmark, "lmlp", refuse)
    benchmark.main(arguments)
    settings = yaml.safe_load(tiny.read_text())
    settings["config"]["batch_size"] = 4
    tiny.write_text(yaml.safe_dump(settings))
    with pytest.raises(AssertionError, match="train"):
        benchmark.main(arguments)
