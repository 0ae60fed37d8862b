"""Who trains, validates and is held out: lots, but never the last structure of an element or composition."""

import numpy as np
import pytest
from lmlp.dataset.division import Lots, hold_out, validation
from lmlp.errors import DataError
from lmlp.io import write_structures
from lmlp.training import Observer

from tests.python.training.toy import clusters, label, prepared, settings

PAIR = np.array([[0, 0, 0], [1.3, 0, 0]])


class Ear(Observer):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.said = []

    def on_message(self, text):
        self.said.append(text)


def oxygen(n):
    return [label([8, 8], PAIR * (1 + 0.003 * k), source=f"toy.xyz:{k}") for k in range(n)]


def blind(n, seed, holdout, valid, members):
    """Draw as if all structures were alike: the hold-out, and each member's validation structures."""
    order = np.random.default_rng([seed, 0]).permutation(n)
    held, rest = order[: int(holdout * n)], np.sort(order[int(holdout * n) :])
    drawn = [np.random.default_rng([seed, 1, m]).permutation(rest) for m in range(members)]
    return np.sort(held), [np.sort(d[: int(valid * n)]) for d in drawn]


def ordinary():
    """Counts of data in which nothing is rare."""
    one, two = np.array([[2, 1]] * 60), np.array([[4, 2], [8, 0]] * 20)
    return {
        "one composition": one,
        "supercells": np.concatenate([one, 7 * one]),
        "two": np.concatenate([one, two]),
        "all different": np.column_stack([np.arange(1, 61), 97 - np.arange(60)]),
        "few each": np.array([[k % 12, 13 - k % 12] for k in range(60)]),
    }


@pytest.mark.parametrize("name", ordinary())
@pytest.mark.parametrize("seed", range(4))
def test_ordinary_data_are_drawn_blind(name, seed):
    counts = ordinary()[name]
    n = len(counts)
    lots = Lots(counts, np.arange(n))
    held = hold_out(lots, seed, 0.1)
    train, valid = validation(lots, np.setdiff1d(lots.pool, held), int(0.2 * n), 3, seed)
    expected, drawn = blind(n, seed, 0.1, 0.2, 3)
    assert np.array_equal(np.sort(held), expected)
    for m in range(3):
        assert np.array_equal(valid[m], drawn[m])
        assert np.array_equal(train[m], np.setdiff1d(lots.pool, np.concatenate([held, drawn[m]])))
    assert not lots.kept


@pytest.mark.parametrize("how_many", [1, 2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_each_member_knows_each_element(how_many, seed):
    """Whatever the seed; the hold-out has the size asked for, and so have all validation sets."""
    counts = np.array([[3, 0]] * 37 + [[3, 1]] * how_many)
    lots = Lots(counts, np.arange(len(counts)))
    held = hold_out(lots, seed, 0.3)
    assert len(held) == int(0.3 * len(counts))
    train, valid = validation(lots, np.setdiff1d(lots.pool, held), 11, 4, seed)
    for mine, others in zip(train, valid, strict=True):
        assert counts[mine, 1].sum() > 0
        assert len(others) == 11
        assert not set(mine) & (set(others) | set(held))


@pytest.mark.parametrize("seed", range(6))
def test_a_rare_composition_is_kept_among_common_ones(seed):
    counts = np.array([[2, 1]] * 60 + [[2, 2], [4, 3]])
    lots = Lots(counts, np.arange(62))
    held = hold_out(lots, seed, 0.5)
    train, _ = validation(lots, np.setdiff1d(lots.pool, held), 20, 3, seed)
    assert len(held) == 31
    assert all({60, 61} <= set(mine.tolist()) for mine in train)


def test_supercells_are_of_one_composition():
    lots = Lots(np.array([[2, 1]] * 30 + [[16, 8]]), np.arange(31))
    assert any(30 in hold_out(lots, seed, 0.5) for seed in range(8))


def test_the_hold_out_is_smaller_if_nothing_else_may_leave():
    counts = np.eye(4, dtype=int)
    lots = Lots(counts, np.arange(4))
    assert len(hold_out(lots, 0, 0.5)) == 0
    train, valid = validation(lots, np.arange(4), 2, 3, 0)
    assert [len(t) for t in train] == [4, 4, 4]
    assert [len(v) for v in valid] == [0, 0, 0]


def test_members_get_equally_many():
    """Some draws could take more than others: batches of all members go in step."""
    counts = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 0, 0]])
    lots = Lots(counts, np.arange(4))
    sizes = {len(v) for v in validation(lots, np.arange(4), 3, 12, 0)[1]}
    assert len(sizes) == 1


@pytest.mark.parametrize("stream", ["never", "always"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_run_says_what_it_keeps(tmp_path, seed, stream):
    rare = label([1, 8], PAIR, source="toy.xyz:12")
    structures = oxygen(30)
    structures[12] = rare
    ear = Ear()
    run = prepared(settings(tmp_path, structures, seed=seed, holdout_fraction=0.5, stream=stream), ear)
    assert all(12 in mine for mine in run.plan.split.train)
    assert len(run.plan.split.holdout) == 15
    said = [text for text in ear.said if text.startswith("H occurs in one structure only")]
    assert len(said) == 1
    assert "train.xyz:12" in said[0]


def test_it_is_said_even_if_the_lot_spares_it(tmp_path):
    ear = Ear()
    structures = [*oxygen(30), label([1, 8], PAIR)]
    prepared(settings(tmp_path, structures, holdout_fraction=0.0, valid_fraction=0.0), ear)
    assert [text for text in ear.said if "one structure only" in text] == [
        f"H occurs in one structure only ({tmp_path}/train.xyz:30): all members train on it"
    ]


def test_nothing_is_said_of_ordinary_data(tmp_path):
    ear = Ear()
    prepared(settings(tmp_path, clusters(30)), ear)
    assert not [text for text in ear.said if "occurs in" in text]


def test_held_out_files_are_what_they_are(tmp_path):
    """Their elements do not count as those of training structures."""
    write_structures(tmp_path / "valid.xyz", [label([1, 8], PAIR), *oxygen(3)])
    structures = [*oxygen(30), label([1, 8], PAIR)]
    run = prepared(settings(tmp_path, structures, valid=str(tmp_path / "valid.xyz"), valid_fraction=0.6))
    assert run.plan.split.holdout.tolist() == [31, 32, 33, 34]
    assert all(30 in mine for mine in run.plan.split.train)


def test_too_few(tmp_path):
    with pytest.raises(DataError, match="too few"):
        prepared(settings(tmp_path, oxygen(3), valid_fraction=0.9, holdout_fraction=0.9))
