"""Energies are judged by those of similar structures: what is accused, and what is not."""

import re
from dataclasses import replace

import numpy as np
import pytest
from lmlp.evaluation import evaluate
from lmlp.export.writing import write_model_file
from lmlp.selection import likes
from lmlp.selection.energy_suspects import unlike_neighbors
from lmlp.selection.likes import structure_points
from lmlp.training import Observer
from lmlp.training.run import Run
from lmlp.training.state.log import read_log

from tests.python.lifelong.oxygen import oxygen
from tests.python.training.toy import clusters, settings


@pytest.fixture
def kinds():
    """Three kinds of 80 structures, learned to 1, 2 and 20 meV/atom, and three single ones far from all.

    (Of normally distributed errors one in a thousand is accused; here none is.)
    """
    rng = np.random.default_rng(8)
    centers = 30.0 * np.eye(3)
    points = np.concatenate([c + rng.normal(0, 1.0, (80, 3)) for c in centers])
    errors = np.concatenate([rng.normal(0, s, 80) for s in (1e-3, 2e-3, 2e-2)])
    far = 100.0 * np.array([[1.0, 1, 1], [-1, 1, 1], [1, -1, 1]])
    return np.concatenate([points, far]), np.concatenate([errors, [0.12, -0.3, 0.0]])


def outliers(errors, points, learned=None, limit=4.0):
    learned = np.ones(len(errors), bool) if learned is None else learned
    return np.flatnonzero(unlike_neighbors(errors, points, learned, limit)).tolist()


def test_what_is_hard_to_learn_is_not_accused(kinds):
    points, errors = kinds
    assert outliers(errors, points) == []  # though errors reach 80 times the median


def test_wrong_energies_are_found(kinds):
    points, errors = kinds
    wrong = [5, 40, 130]
    errors[wrong] += [0.02, -0.02, 0.03]  # as much as is usual for the third kind
    assert outliers(errors, points) == wrong
    ratios = unlike_neighbors(errors, points, np.ones(len(errors), bool), 4.0)
    assert (ratios[wrong] > 4.0).all()
    assert (np.delete(ratios, wrong) == 0).all()
    assert outliers(errors, points, limit=1e6) == []


def test_two_wrong_neighbors(kinds):
    """A wrong energy among the neighbors does not hide another one."""
    points, errors = kinds
    errors[[10, 11]] += 0.03
    points[11] = points[10] + 1e-3
    assert outliers(errors, points) == [10, 11]


def test_a_constant_error_is_no_outlier(kinds):
    points, errors = kinds
    assert outliers(errors + 5.0, points) == []
    wrong = errors + 5.0
    wrong[7] += 0.03
    assert outliers(wrong, points) == [7]


def test_check_structures_have_larger_errors(kinds):
    """They are judged by the structures that were learned from, less what all of them are worse by."""
    points, errors = kinds
    learned = np.arange(len(errors)) % 5 > 0
    errors = np.where(learned, errors, 8.0 * errors)
    assert outliers(errors, points, learned) == []
    assert outliers(errors + 5.0, points, learned) == []
    errors[10] = 0.3  # one of those that were not learned from
    assert not learned[10]
    assert outliers(errors, points, learned) == [10]
    few = np.concatenate([np.flatnonzero(learned), [0, 5, 10, 15]])  # too few to tell how much worse they are
    assert outliers(errors[few], points[few], learned[few]) == []


def test_too_few_or_too_small(kinds):
    points, errors = kinds
    errors[5] += 1.0
    assert outliers(errors[:15], points[:15]) == []
    assert outliers(errors[:16], points[:16]) == [5]
    assert outliers(1e-5 * errors, points) == []  # 10 µeV/atom


def test_less_than_is_usual_is_no_outlier(kinds):
    """Frames of one trajectory that nearly repeat each other have nearly equal errors."""
    points, errors = kinds
    points[:9], errors[:9] = points[0] + 1e-4 * points[:9], 1e-3 + 1e-9 * np.arange(9)
    errors[4] = 2e-3
    assert outliers(errors, points) == []


def test_exact_errors_and_equal_structures():
    points = np.zeros((40, 2))
    errors = np.zeros(40)
    assert outliers(errors, points) == []
    errors[3] = 0.01
    assert outliers(errors, points) == [3]


def test_large_sets_are_compared_piecewise_with_a_draw(kinds, monkeypatch):
    points, errors = kinds
    errors[5] += 0.1
    whole = unlike_neighbors(errors, points, np.ones(len(errors), bool), 4.0)
    monkeypatch.setattr(likes, "_ROWS", 50)
    assert np.array_equal(unlike_neighbors(errors, points, np.ones(len(errors), bool), 4.0), whole)
    monkeypatch.setattr(likes, "_MOST", 100)
    assert outliers(errors, points) == [5]


def test_errors_and_points_of_a_run(tmp_path):
    given = clusters(60, seed=4)
    given[9] = replace(given[9], energy=None)
    run = Run(settings(tmp_path, given, epochs=4), Observer())
    write_model_file(run.train(), run.config.output, verify=False)
    ids = np.array([3, 9, 20])
    with run.trainer.using(run.trainer.best.values):
        errors = run.trainer.energy_errors(ids)
    results = evaluate(run.config.output, [run.dataset.structures[i] for i in ids]).results
    assert np.isnan(errors[1])
    for error, result in zip(errors[[0, 2]], (results[0], results[2]), strict=True):
        assert error == pytest.approx(result.energy_error, abs=1e-6)  # single precision in training
    points = structure_points(run.trainer.store, ids)
    for row, i in zip(points, ids, strict=True):
        block, inputs, place = run.trainer.store.fetch(np.array([i]))
        mine = inputs[block.first_atom[place[0]] : block.first_atom[place[0] + 1], :16].double().numpy()
        assert np.allclose(row, np.concatenate([mine.mean(axis=0), mine.std(axis=0)]), atol=1e-12)


def test_a_wrong_energy_is_named_when_training_ends(tmp_path):
    """The loss alone is no judge here: suspects by their losses are switched off."""
    structures = oxygen(60, seed=2)
    structures[11] = replace(structures[11], energy=structures[11].energy + 1.0)
    structures[30] = replace(structures[30], energy=None)
    found = {}
    for limit in (4.0, 0.0):
        rule = {"share": 0.5, "suspect_after": 100_000, "suspect_likes": limit}
        config = settings(
            tmp_path,
            structures,
            epochs=60,
            selection=rule,
            elements=["O"],
            dtype="float64",
            valid_fraction=0.0,
            holdout_fraction=0.0,
        )
        Run(config, Observer()).train()
        suspects = read_log(config.log)[-1]["selection"]["suspects"]
        found[limit] = {s["source"].rpartition(":")[2]: s["reason"] for s in suspects}
    assert list(found[4.0]) == ["11"]
    assert re.match(
        r"suspect energy \(wrong label.*wrong by -2\d\d meV/atom, \d+ times as much", found[4.0]["11"]
    )
    assert found[0.0] == {}
