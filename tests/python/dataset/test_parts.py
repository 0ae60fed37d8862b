"""Splits and deduplication."""

import dataclasses

import numpy as np
import pytest
from lmlp.dataset.parts import deduplicate, split_into_parts
from lmlp.errors import DataError
from lmlp.structure import Structure


def structures(n: int = 40) -> list[Structure]:
    rng = np.random.default_rng(0)
    return [
        Structure(
            numbers=np.array([8, 1], dtype=np.int32),
            positions=rng.normal(size=(2, 3)),
            cell=np.zeros((3, 3)),
            pbc=np.zeros(3, dtype=bool),
            energy=float(rng.normal()),
            source=f"a.xyz:{k}",
        )
        for k in range(n)
    ]


def shifted(s: Structure, **changes) -> Structure:
    return dataclasses.replace(s, positions=s.positions + np.array([1.0, -2.0, 3.0]), **changes)


def test_parts_together_are_everything_once():
    parts = split_into_parts(structures(), [0.1, 7], seed=3)
    assert [len(p) for p in parts] == [29, 4, 7]
    assert sorted(i for p in parts for i in p) == list(range(40))
    assert all(p == sorted(p) for p in parts)
    assert parts == split_into_parts(structures(), [0.1, 7], seed=3)
    assert parts != split_into_parts(structures(), [0.1, 7], seed=4)


def test_copies_of_a_geometry_stay_together():
    data = structures(20)
    data += [shifted(s) for s in data]  # every geometry twice
    for seed in range(5):
        for part in split_into_parts(data, [0.2, 0.2], seed=seed):
            assert {i % 20 for i in part if i < 20} == {i % 20 for i in part if i >= 20}


def test_chosen_first_part():
    parts = split_into_parts(structures(), [0.25, 10], first=lambda candidates, n: candidates[-n:])
    assert parts[0] == list(range(20, 40))
    assert [len(p) for p in parts] == [20, 10, 10]


@pytest.mark.parametrize("sizes", [[1.0, 39], [40], [0.5, 0.5], [1.5], [0.0], [-3], [41]])
def test_impossible_sizes(sizes):
    with pytest.raises(DataError):
        split_into_parts(structures(), sizes)


def test_repeated_known_and_contradicting_structures():
    data = structures(5)
    data += [shifted(data[1]), shifted(data[2], energy=data[2].energy + 1.0), shifted(data[4])]
    known = [shifted(data[0]), shifted(data[4])]
    found = deduplicate(data, known)
    assert found.repeated == [5]
    assert found.known == [0, 4, 7]
    assert found.kept == [1, 2, 3, 6]
    ((group, difference),) = found.contradictions
    assert group == [2, 6]
    assert "500 meV/atom" in difference
    assert deduplicate(data, known, drop_contradictions=True).kept == [1, 3]
