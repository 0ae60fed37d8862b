"""Learning curves of the accuracy benchmark: subsets, variants, places of the points."""

import argparse
import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from lmlp.io import read_structures, write_structures
from lmlp.structure import Structure

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "accuracy"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the benchmarks are not part of this copy")

BENCHMARK = {"goals": {"goal": {"a.xyz": {"force": 40}}, "aim": {"a.xyz": {"energy": 3}}}}


@pytest.fixture
def curves(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    known = set(sys.modules)
    yield importlib.import_module("learning_curves")
    for name in set(sys.modules) - known:
        if str(FOLDER.parent) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def options(tmp_path) -> argparse.Namespace:
    return argparse.Namespace(
        set="mlearn",
        run="Ni",
        share=[0.5, 1.0],
        functions=["descriptor.options.n=8,model.hidden=[8, 8]"],
        epochs=[7],
        set_=["model.members=2", "time_limit=20s"],
        seed=[3],
        output=tmp_path / "out",
    )


def frames(n: int, number: int) -> list[Structure]:
    none = np.zeros((3, 3))
    return [
        Structure(
            np.array([number], np.int32),
            np.array([[float(i), 0, 0]]),
            none,
            np.zeros(3, bool),
            energy=-1.0 * i,
        )
        for i in range(n)
    ]


def test_subsets_are_shares_of_each_file_and_parts_of_larger_ones(curves, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("LMLP_DATA", str(tmp_path))
    write_structures(tmp_path / "a.xyz", frames(40, 1))
    write_structures(tmp_path / "b.xyz", frames(8, 8))

    def subset(share: float, seed: int) -> list[tuple[int, float]]:
        curves.write_subset(["a.xyz", "b.xyz"], share, seed, tmp_path / "out.xyz")
        return [(int(s.numbers[0]), s.energy) for s in read_structures(tmp_path / "out.xyz")]

    half, quarter = subset(0.5, 1), subset(0.25, 1)
    assert [len([z for z, _ in s if z == 1]) for s in (half, quarter)] == [20, 10]
    assert [len([z for z, _ in s if z == 8]) for s in (half, quarter)] == [4, 2]
    assert set(quarter) < set(half)
    assert subset(0.25, 1) == quarter
    assert subset(0.25, 2) != quarter
    assert len(subset(0.01, 1)) == 2  # no element is lost


def test_one_thing_varies_at_a_time(curves, options, tmp_path, monkeypatch) -> None:
    (tmp_path / "mlearn").mkdir()
    monkeypatch.setenv("LMLP_DATA", str(tmp_path))
    write_structures(tmp_path / "mlearn" / "Ni_train.xyz.xz", frames(10, 28))
    run = {"train": ["mlearn/Ni_train.xyz.xz"], "test": ["mlearn/Ni_test.xyz.xz"]}
    names = list(curves.variants(options))
    assert names == ["base", "share-0.5", "functions-n=8,hidden=_8,_8_", "epochs-7"]
    jobs = {name: curves.make_job(options, run, name, 3) for name in names}
    base = jobs["base"].config
    assert (base["model"]["members"], base["time_limit"], base["seed"]) == (2, "20s", 3)

    def changed(name: str) -> dict:
        config = jobs[name].config
        return {key: value for key, value in config.items() if value != base.get(key)}

    assert changed("share-0.5") == {"data": [str(jobs["share-0.5"].folder / "train.xyz")]}
    assert changed("epochs-7") == {"epochs": 7, "time_limit": None}
    more = changed(names[2])
    assert set(more) == {"descriptor", "model"}
    assert more["descriptor"]["options"] == {**base["descriptor"]["options"], "n": 8}
    assert more["model"] == {**base["model"], "hidden": [8, 8]}
    assert len(read_structures(jobs["share-0.5"].folder / "train.xyz")) == 5
    assert [p.name for p in options.output.rglob("train.xyz")] == ["train.xyz"]  # only where it is needed


def result(structures: int, functions: int, epochs: int, force: float) -> dict:
    size = {"structures": structures, "functions": functions, "epochs": epochs}
    errors = {"energy_rmse": 1e-3, "force_rmse": force}
    return {"model": size, "training_seconds": 60.0, "results": {"a.xyz": errors, "b.xyz": errors}}


def test_points_and_goals_of_the_curves(curves) -> None:
    results = {
        "base": [result(100, 50, 20, 0.060), result(100, 50, 22, 0.064)],
        "share-0.5": [result(50, 50, 40, 0.080), result(50, 50, 40, 0.090)],
        "epochs-7": [result(100, 50, 7, 0.120), result(100, 50, 7, 0.130)],
    }
    axis_of = {"base": None, "share-0.5": "share", "epochs-7": "epochs"}
    found = curves.curves(results, axis_of, BENCHMARK)
    assert set(found) == {"structures", "epochs"}  # nothing varies the functions
    (curve,) = found["structures"]  # b.xyz has no goal
    assert curve.name == "a"
    assert curve.goals == {"goal": 40}
    assert [x for x, _ in curve.points] == [50, 100]
    assert curve.points[0][1] == pytest.approx([80.0, 90.0])
    assert [x for x, _ in found["epochs"][0].points] == [7, 21]

    figure = curves.plot_curves(found, "title")
    panel = figure.axes[0]
    assert panel.get_title(loc="left") == "More data"
    line = panel.lines[0]
    np.testing.assert_allclose(line.get_xdata(), [50, 100])
    np.testing.assert_allclose(line.get_ydata(), [85.0, 62.0])
    assert any(np.allclose(other.get_ydata(), 40) for other in panel.lines)  # the goal

    rows = curves.table(results, BENCHMARK).splitlines()
    assert rows[0].startswith("| variant | structures | functions | epochs | training (min) | a E | a F |")
    assert rows[2] == "| base | 100 | 50 | 21 ± 1.4 | 1 | 1 | 62 ± 2.8 | 1 | 62 ± 2.8 |"
    assert rows[-2:] == ["| *goal* |  |  |  |  | - | 40 | - | - |", "| *aim* |  |  |  |  | 3 | - | - | - |"]
