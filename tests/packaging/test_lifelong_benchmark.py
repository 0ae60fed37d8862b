"""The sequences benchmark: forgetting from known numbers, and all methods on tiny data from end to end."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from lmlp.io import read_structures, write_structures
from lmlp.lifelong import base
from lmlp.lifelong.base import make_learn_config
from lmlp.training.config import make_config

from tests.python.training.toy import SPEC, clusters

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "lifelong"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the benchmarks are not part of this copy")


@pytest.fixture
def load(monkeypatch):
    def loaded(name: str):
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)  # the files import each other
        spec.loader.exec_module(module)
        return module

    return {
        name: loaded(name) for name in ("matrices", "stages", "run", "selection", "stream", "wrong_labels")
    }


def cell(method, stage, force, count):
    errors = {n: None if f is None else {"energy_rmse": f / 10, "force_rmse": f} for n, f in force.items()}
    return {"method": method, "seed": 1, "stage": stage, "errors": errors, "gradient_evaluations": count}


def test_forgetting_of_known_errors(load) -> None:
    results = {
        "title": "x",
        "tests": ["a", "b", "c", "mixed"],
        "trained": ["a", "b", "c"],
        "cells": [
            cell("first", 1, {"a": 0.1, "b": None, "c": None, "mixed": None}, 100),
            cell("default", 2, {"a": 0.08, "b": 0.2, "c": None, "mixed": None}, 30),
            cell("default", 3, {"a": 0.12, "b": 0.3, "c": 0.4, "mixed": 1.0}, 60),
            cell("joint", 3, {"a": 0.1, "b": 0.1, "c": 0.32, "mixed": 0.5}, 300),
        ],
    }
    found = load["matrices"].summary(results, "default", 1)
    assert found["final_force"] == pytest.approx(1e3 * (0.12 + 0.3 + 0.4) / 3)
    assert found["final_energy"] == pytest.approx(1e2 * (0.12 + 0.3 + 0.4) / 3)
    assert found["forgetting"] == pytest.approx(1e3 * (0.04 + 0.1) / 2)
    assert found["kept"] == pytest.approx(1.5)
    assert found["new"] == pytest.approx(0.4 / 0.32)
    assert found["share"] == pytest.approx(0.2)
    text = load["matrices"].page(results)
    assert "| c | 120 | 300 | 400 | 1000 |" in text
    assert "| a | 100 | – | – | – |" in text


def tiny(folder: Path) -> Path:
    """Clusters of oxygen, of both elements, and as the last stage a test file alone."""
    data = folder / "data"
    (data / "continual").mkdir(parents=True)
    (data / "toy").mkdir()
    given = clusters(300, seed=3)
    pure = [s for s in given if (s.numbers == 8).all()]
    mixed = [s for s in given if (s.numbers == 1).any()]
    for name, structures in {"a": pure[:24], "at": pure[24:], "b": mixed[:24], "bt": mixed[24:40]}.items():
        write_structures(data / "toy" / f"{name}.xyz", structures)
    rows = [
        "sequence,stage,name,new_elements,train_file,test_file",
        "toy,1,O,O,toy/a.xyz,toy/at.xyz",
        "toy,2,O and H,H,toy/b.xyz,toy/bt.xyz",
        "toy,3,later,,,toy/bt.xyz",
    ]
    (data / "continual" / "sequences.csv").write_text("\n".join(rows) + "\n")
    return data


def test_all_methods_on_tiny_data(load, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("LMLP_DATA", str(tiny(tmp_path)))
    run = load["run"]
    first = {
        "descriptor": {"spec": SPEC},
        "model": {"members": 2, "hidden": [5]},
        "epochs": 8,
        "average": 0.5,
    }
    found = {"title": "toy", "first": first, "learn": {"epochs": 4, "selection": {"share": 0.5}}, "every": 2}
    monkeypatch.setattr(run, "settings", lambda *_: found)
    options = run.parser().parse_args(["six_elements", "--output", str(tmp_path / "out"), "--threads", "1"])
    options.sequence = "toy"
    results = run.run(options)
    methods = list(yaml.safe_load((FOLDER / "methods.yaml").read_text()))
    assert sorted(load["matrices"].runs(results)) == sorted(methods)
    assert results["trained"] == ["O", "O and H"]
    for method in methods:
        r = load["matrices"].matrix(results, method, 1, "force_rmse")
        assert np.isfinite(r).tolist() == [[True, False, False], [True, True, True]]
        assert r[1, 1] == r[1, 2]
    spent = {m: load["matrices"].evaluations(results, m, 1)[2] for m in methods}
    assert spent["joint"] > 2 * spent["joint_equal"]
    sequential = [
        spent[m] for m in ("naive", "replay", "adaptive", "plasticity", "default", "ewc", "ewc_weak")
    ]
    assert len(set(sequential)) == 1  # equal budgets
    cells = {c["method"]: c for c in results["cells"]}
    assert cells["naive"]["errors"] != cells["replay"]["errors"] != cells["adaptive"]["errors"]
    load["matrices"].curves(results, tmp_path / "curves.png")
    assert "| default | 1 |" in load["matrices"].page(results)

    # what is there is kept; an interrupted stage is done again, and the same comes out
    folder = tmp_path / "out" / "default" / "seed-1" / "stage-2"
    before = json.loads((folder / "results.json").read_text())
    (folder / "results.json").unlink()
    (folder / "model.learning.json").unlink()
    capsys.readouterr()
    options.method = ["default"]
    run.run(options)
    after = json.loads((folder / "results.json").read_text())
    assert after["errors"] == before["errors"]
    assert capsys.readouterr().out.count("done before") == 1


def test_wrong_labels_on_tiny_data(load, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("LMLP_DATA", str(tiny(tmp_path)))
    module, out = load["wrong_labels"], tmp_path / "out"
    first = {"descriptor": {"spec": SPEC}, "model": {"members": 2, "hidden": [5]}, "epochs": 4}
    found = {"title": "toy", "first": first, "learn": {"epochs": 2, "selection": {"share": 0.5}}}
    monkeypatch.setattr(module, "settings", lambda *_: found)
    options = module.argparse.Namespace(
        sequence="toy", stage=2, share=0.2, shift=1.0, seed=1, scale="full", threads=1, output=out
    )
    result = module.run(options)
    assert (result["n_new"], result["n_wrong"], result["stage"]) == (24, 5, "O and H")
    assert result["errors"]["wrong"] != result["errors"]["honest"]
    assert "of 5" in module.row(result)
    # what was planted: three energies, two forces, nothing else
    honest, wrong = (read_structures(f) for f in (tmp_path / "data/toy/b.xyz", out / "data/b-wrong-1-1.xyz"))
    shifts = [round(b.energy - a.energy, 6) for a, b in zip(honest, wrong, strict=True)]
    moved = [not np.allclose(a.forces, b.forces) for a, b in zip(honest, wrong, strict=True)]
    assert (shifts.count(1.0), shifts.count(0.0), sum(moved)) == (3, 21, 2)
    # its results are not taken for those of a method
    assert all(c["method"] in ("first", "default") for c in load["run"].collect(out, found, [])["cells"])


def test_wrong_labels_are_counted(load) -> None:
    def named(task, index):
        return {"task": task, "source": f"new.xyz:{index}", "reason": ""}

    report = {
        "task": "new",
        "suspects": [named("new", 3), named("new", 5), named("old", 3)],
        "check_suspects": [named("new", 8)],
    }
    found = load["wrong_labels"].count(report, [3, 4, 8], 20)
    assert (found["reported"], found["n_wrong"], found["accused"]) == (2, 3, 1)
    assert found["accused_share"] == pytest.approx(1 / 17)
    assert found["suspects"] == {"wrong": [3], "honest": [5], "earlier": 1}


def test_stream_on_tiny_data(load, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("LMLP_DATA", str(tiny(tmp_path)))
    files = ["--old", "toy/b.xyz", "--new", "toy/bt.xyz", "--tests", "toy/b.xyz", "toy/bt.xyz"]
    sizes = ["--size", "8", "--members", "1", "--epochs", "2", "--batch-epochs", "2", "--threads", "1"]
    main, out = load["stream"].main, tmp_path / "out"
    main([*files, *sizes, "--output", str(out)])
    results = json.loads((out / "stream.json").read_text())
    assert [r["task"] for r in results] == ["before", "stream-001", "stream-002"]
    forces = [r["tests"]["bt"]["force_rmse"] for r in results]
    assert len(set(forces)) == 3
    assert (out / "stream.md").read_text().count("| stream-00") == 2
    # stopped after learning, before testing: only the test is done again
    (out / "stream.json").write_text(json.dumps(results[:2]))
    main([*files, *sizes, "--output", str(out)])
    again = json.loads((out / "stream.json").read_text())
    assert [r["tests"] for r in again] == [r["tests"] for r in results]
    assert (out / "stream.png").stat().st_size > 1000


def test_selection_on_tiny_data(load, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("LMLP_DATA", str(tiny(tmp_path)))
    files = ["--train", "toy/b.xyz@::2", "toy/bt.xyz", "--test", "both=toy/b.xyz,toy/bt.xyz", "toy/bt.xyz"]
    sizes = ["--budgets", "60", "120", "--shares", "0.5", "--seeds", "1", "2", "--members", "1"]
    load["selection"].main([*files, *sizes, "--output", str(tmp_path / "out")])
    results = json.loads((tmp_path / "out/selection.json").read_text())
    assert [(r["selection"], r["seed"]) for r in results[:4]] == [
        ("uniform", 1), ("uniform", 2), ("0.5", 1), ("0.5", 2)
    ]  # fmt: skip
    n = 12 + len(read_structures(tmp_path / "data/toy/bt.xyz"))
    passes = max(1, round(60 / n)), max(1, round(120 / n))
    assert [r["gradient_evaluations"] for r in results if r["selection"] == "uniform"] == [
        n * k for k in passes for _ in (1, 2)
    ]
    assert all(set(r["errors"]) == {"both", "bt"} for r in results)
    assert len({r["errors"]["both"]["force_rmse"] for r in results}) == 8
    assert "| uniform | " in (tmp_path / "out/selection.md").read_text()
    assert (tmp_path / "out/selection.png").stat().st_size > 1000


@pytest.mark.parametrize("name", sorted(p.stem for p in (FOLDER / "sequences").glob("*.yaml")))
@pytest.mark.parametrize("scale", ["full", "small"])
def test_every_method_is_a_configuration(load, name, scale) -> None:
    found = load["run"].settings(name, scale, None)
    timed = load["run"].settings(name, scale, "2m")
    for method in yaml.safe_load((FOLDER / "methods.yaml").read_text()):
        for s in (found, timed):
            job = load["run"].job(s, method, 3, None)
            for values in (job.first, job.again):
                config = make_config({**values, "data": "x", "output": "y.pt"})
                assert (config.time_limit is None) == (s is found)
            if job.learn is not None:
                places = {"data": "x", "output": "y.pt", "start": "z.pt", "memory": "m", "task": "t"}
                assert make_learn_config({**job.learn, **places}).seed == 3
    assert ("every" in found) == (scale == "small")


def test_files_are_there(load, data_folder) -> None:
    for path in (FOLDER / "sequences").glob("*.yaml"):
        stages = load["stages"].read_stages(path.stem, {}, Path("unused"))
        assert all(s.test.exists() and (s.train is None or s.train.exists()) for s in stages)
        for isolated in yaml.safe_load(path.read_text()).get("isolated_atoms", {}).values():
            assert (data_folder / isolated).exists()


def test_kept_results_belong_to_the_defaults_of_their_version(load, monkeypatch) -> None:
    """Results are compared by settings with the defaults filled in: other defaults, other results."""
    stages, run = load["stages"], load["run"]
    found = run.settings("hot_molecule", "full")
    plan = run.job(found, "default", 1, None)
    before = stages._resolved(plan.learn, True)
    assert before["balance"] == make_learn_config({**plan.learn, **_places()}).balance
    assert not {"data", "output", "start", "memory", "task"} & set(before)

    class Other(base.LearnConfig):
        balance: float = 0.123

    monkeypatch.setattr(base, "LearnConfig", Other)
    assert stages._resolved(plan.learn, True) == {**before, "balance": 0.123}


def _places():
    return {"data": "a.xyz", "output": "m.pt", "start": "o.pt", "memory": "m.memory", "task": "new"}


def test_joint_training_with_shorter_steps_changes_all_but_the_first_model(load) -> None:
    run = load["run"]
    found = run.settings("refractory_alloy", "full")
    joint, short = (run.job(found, name, 1, None) for name in ("joint", "joint_short"))
    assert joint.first == short.first == joint.again
    assert short.learn is None
    assert short.again == {**joint.again, "optimizer": {"max_step": 0.0025}}
