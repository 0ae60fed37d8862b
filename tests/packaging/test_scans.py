"""The scans from data to nonsense: what counts as a silent failure, and paths that go where they say."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "uncertainty" / "scans"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the benchmarks are not part of this copy")


@pytest.fixture
def load(monkeypatch):
    """Import modules of the benchmark; afterwards their names are free for those of other benchmarks."""
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    known = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - known:
        if str(FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("errors", "warnings", "expected"),
    [
        ([1, 4, 9, 99], [1, 2, 4, 40], (4, 0, False)),  # warned in time
        ([1, 6, 9, 99], [1, 2, 4, 40], (6, 1, False)),  # late, but not lost
        ([1, 9, 99, 7], [1, 4, 40, 2], (7, 0, True)),  # fallen back
        ([1, 9, 4, 99], [1, 4, 2, 40], (4, 0, False)),  # fallen back where the error is small again
        ([1, 6, 7, 8], [1, 1, 2, 2.9], (8, 3, True)),  # never warned
        ([1, 2, 3, 4], [1, 1, 2, 2], (4, 0, False)),  # no large error, none needed
        ([9, 9, 9, 9], [3, 3, 3, 3], (0, 0, False)),
    ],
)
def test_verdicts(load, errors, warnings, expected) -> None:
    found = load("verdict").judge(np.array(errors, dtype=float), np.array(warnings, dtype=float))
    assert (found.unseen, found.late, found.silent) == expected


def test_a_fragment_moves_as_a_whole(load) -> None:
    paths = load("paths")
    ethanol = molecule("CH3CH2OH")
    oxygen = int(np.flatnonzero(ethanol.numbers == 8)[0])
    keep = next(i for i, j in paths.bonds(ethanol) if j == oxygen and ethanol.symbols[i] == "C")
    moved = paths.broken(ethanol, keep, oxygen, 3.0)
    side = paths.fragment(ethanol, keep, oxygen)
    assert sorted(ethanol.symbols[side]) == ["H", "O"]
    assert moved.get_distance(keep, oxygen) == pytest.approx(3.0, abs=1e-12)
    before, after = (a.get_all_distances() for a in (ethanol, moved))
    for part in (side, ~side):
        np.testing.assert_allclose(after[np.ix_(part, part)], before[np.ix_(part, part)], atol=1e-12)
    with pytest.raises(ValueError, match="ring"):
        paths.fragment(molecule("C6H6"), 0, 1)


def test_dimers_are_of_all_pairs(load) -> None:
    found = load("paths").dimer_paths("molecule", "HCO")
    assert len(found) == 6
    for path in found:
        apart = [a.get_distance(0, 1) for a in path.structures]
        np.testing.assert_allclose(apart, path.values, atol=1e-12)
        assert (path.values[0], min(apart)) == (6.0, pytest.approx(0.3))
