"""Wrong labels among check structures are reported; honest structures, learned less well, are not."""

from dataclasses import replace

import numpy as np
from lmlp.export.writing import write_model_file
from lmlp.io import read_structures, write_structures
from lmlp.lifelong.learn import learn, make_learn_config
from lmlp.lifelong.memory import Memory
from lmlp.selection.check_suspects import check_outliers, relative_outliers
from lmlp.selection.likes import Likes, find_likes
from lmlp.selection.rule import SelectionRule
from lmlp.training import train

from tests.python.lifelong.oxygen import learn_values, oxygen, prepared_session, with_hydrogen
from tests.python.training.toy import settings


def test_outliers_by_known_losses():
    rng = np.random.default_rng(0)
    rule = SelectionRule()
    train = np.exp(rng.normal(0, 0.7, 400))
    check = 8.0 * np.exp(rng.normal(0, 0.7, 60))  # a gap between training and check losses is no guilt
    assert not relative_outliers(check, train, rule).any()
    check[[3, 40]] *= 400.0
    found = relative_outliers(check, train, rule)
    assert np.flatnonzero(found).tolist() == [3, 40]
    mean = np.minimum(train, 10 * np.median(train)).mean()
    assert np.allclose(found[[3, 40]], check[[3, 40]] / mean)
    # too few to tell the gap: none is taken off
    assert relative_outliers(np.array([1.0, 500.0]), train, rule).astype(bool).tolist() == [False, True]
    # far from a narrow distribution, but not large: left alone
    assert not relative_outliers(np.array([2.0]), np.full(50, 1.0), rule).any()
    assert relative_outliers(np.zeros(0), train, rule).tolist() == []
    assert relative_outliers(check, np.zeros(0), rule).tolist() == [0.0] * 60


def test_check_structures_of_a_hard_kind():
    """Five of a hundred are of a kind with losses 400 times as large; one of these and another are wrong."""
    rng = np.random.default_rng(0)
    rule = SelectionRule()
    size = np.where(np.arange(400) % 20 == 0, 400.0, 1.0)
    train, check = size * np.exp(rng.normal(0, 0.3, 400)), size[:100] * np.exp(rng.normal(0, 0.3, 100))
    points = 30.0 * np.log(np.concatenate([size, size[:100]]))[:, None] + rng.normal(0, 1, (500, 3))
    found = find_likes(points, np.arange(400))
    likes = Likes(found.near[400:], found.remoteness[400:])
    check[[1, 20]] *= 2500.0
    assert np.flatnonzero(relative_outliers(check, train, rule)).tolist() == [0, 1, 20, 40, 60, 80]
    assert np.flatnonzero(relative_outliers(check, train, rule, likes)).tolist() == [1, 20]
    off = SelectionRule(suspect_likes=0.0)
    assert len(np.flatnonzero(relative_outliers(check, train, off, likes))) == 6
    # the same, task by task
    losses = np.concatenate([train, check])
    tasks = np.zeros(500, int)
    named = check_outliers(losses.__getitem__, points, tasks, np.arange(400, 500), np.arange(400), rule)
    assert sorted(named) == [401, 420]


def test_wrong_labels_among_check_structures(start):
    """Of 30 new structures six are checked: one has a wrong energy, one the forces of other atoms."""
    given = with_hydrogen(30, seed=5)
    first, second = (int(i) for i in np.random.default_rng([1, 0]).permutation(30)[[0, 4]])
    given[first] = replace(given[first], energy=given[first].energy + 20.0)
    given[second] = replace(given[second], forces=3.0 * np.roll(given[second].forces, 1, axis=0))
    write_structures(start / "new.xyz", given)
    report = learn(make_learn_config(learn_values(start, epochs=40))).report
    found = {row["source"].rpartition(":")[2] for row in report["check_suspects"]}
    assert found == {str(first), str(second)}
    after = report["tasks"]["new"]["after"]
    assert after["n"] == 6
    assert after["without_suspects"]["n"] == 4
    # the wrong labels dominate: 20 eV of at most 5 atoms in one of six structures is 1.6 eV/atom
    assert after["energy_rmse"] > 1.6 > 4 * after["without_suspects"]["energy_rmse"]
    assert after["force_rmse"] > 2 * after["without_suspects"]["force_rmse"]
    assert "without_suspects" not in report["tasks"]["train"]["after"]
    with Memory(start / "model.memory") as memory:
        marked = memory.entries("suspect", role="check")
        assert {e.source.rpartition(":")[2] for e in marked} == found
    written = {s.info["lmlp_source"].rpartition(":")[2] for s in read_structures(start / "next.suspects.xyz")}
    assert found <= written  # beside those that were learned from


def planted(given, wrong):
    """Shift energies and permute forces of some structures, in turn."""
    for k, i in enumerate(wrong):
        s = given[i]
        forces = 2.0 * np.roll(s.forces, 1, axis=0)
        given[i] = replace(s, energy=s.energy + 20.0) if k % 2 == 0 else replace(s, forces=forces)
    return given


def test_wrong_labels_in_old_and_new_sets(tmp_path):
    """Three of a hundred are wrong in either set; one of them happens to be a check structure."""
    model = {"members": 2, "hidden": [12, 10]}
    descriptor = {"options": {"keep_all": True}}
    first = oxygen(100, seed=1)
    config = settings(tmp_path, first, epochs=40, elements=["O"], descriptor=descriptor, model=model)
    write_model_file(train(config), config.output, verify=False)
    write_structures(tmp_path / "train.xyz", planted(first, [5, 33, 71]))
    write_structures(tmp_path / "new.xyz", planted(with_hydrogen(100, seed=5), [7, 60, 90]))
    more = {"selection": {"share": 0.3}, "check_fraction": 0.1, "optimizer": {"max_step": 0.006}}
    report = learn(make_learn_config(learn_values(tmp_path, epochs=120, **more))).report
    rows = [*report["suspects"], *report["check_suspects"]]
    found = {(row["task"], int(row["source"].rpartition(":")[2])) for row in rows}
    wrong = {("train", 5), ("train", 33), ("train", 71), ("new", 7), ("new", 60), ("new", 90)}
    # measured: all six and nothing else; with steps of 0.02 four honest ones beside them
    assert len(found & wrong) >= 5  # 80 %
    assert len(found - wrong) <= 3  # 2 % of 194
    assert [row["task"] for row in report["check_suspects"]] == ["train"]


def test_wrong_energies_that_the_losses_do_not_show(start):
    """Without suspects by their losses: one energy is wrong in training, one in a check structure."""
    given = oxygen(60, seed=8)
    order = np.random.default_rng([1, 0]).permutation(60)
    checked, learned = int(order[0]), int(order[20])
    for i in (checked, learned):
        given[i] = replace(given[i], energy=given[i].energy + 4.0)
    write_structures(start / "new.xyz", given)
    rule = {"share": 0.5, "suspect_after": 100_000, "suspect_loss": 1e6}
    values = learn_values(start, epochs=40, selection=rule)
    report = learn(make_learn_config(values)).report
    named = {kind: _names(report[kind]) for kind in ("suspects", "check_suspects", "parked")}
    assert named["suspects"] == {str(learned)}
    assert named["check_suspects"] == {str(checked)}
    assert not named["suspects"] & named["parked"]
    assert report["suspects"][0]["reason"].startswith("suspect energy (wrong label")
    assert report["tasks"]["new"]["after"]["without_suspects"]["n"] == 11
    with Memory(start / "model.memory") as memory:
        assert {e.source.rpartition(":")[2] for e in memory.entries("suspect")} == {
            str(checked),
            str(learned),
        }
    # nothing more is learned from it
    write_structures(start / "more.xyz", with_hydrogen(20, seed=6))
    more = {"start": str(start / "next.pt"), "data": str(start / "more.xyz"), "task": "more", "epochs": 2}
    again, run = prepared_session({**values, **more, "old": [], "output": str(start / "last.pt")})
    run.train()
    used = np.unique(np.concatenate(run.plan.split.train))
    sources = {run.plan.dataset.structures[i].source.rpartition("/")[2] for i in used}
    assert f"new.xyz:{learned}" not in sources
    assert f"new.xyz:{order[21]}" in sources
    # structures are compared with those of their own task
    near = again.strategy.likes.near
    compared = used[near[used, 0] >= 0]
    assert len(compared) > 40
    assert (again.session.task_of[near[compared]] == again.session.task_of[compared][:, None]).all()


def _names(rows):
    return {row["source"].rpartition(":")[2] for row in rows}
