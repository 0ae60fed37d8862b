"""Calls of the core's potential: threads, blocks, kinds of arrays, bad input."""

import threading

import numpy as np
import pytest
from lmlp import _core
from lmlp.errors import GeometryError, InvalidArgumentError, UnknownElementError

from tests.python.core_case import EVERYTHING, Case


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return Case(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize("precision", _core.precision_names())
def test_same_bits_for_any_number_of_threads(case, precision):
    one, two, five = (case.evaluate(n_threads=n, **EVERYTHING, precision=precision) for n in (1, 2, 5))
    for name in one:
        assert np.array_equal(one[name], two[name]), name
        assert np.array_equal(one[name], five[name]), name


@pytest.mark.parametrize("precision", _core.precision_names())
def test_same_bits_for_any_blocks(case, precision):
    whole = case.evaluate(**EVERYTHING, precision=precision)
    offsets = case.environments.offsets
    for size in (1, 7, 33):
        for begin in range(0, len(case.species), size):
            end = min(begin + size, len(case.species))
            pairs = slice(offsets[begin], offsets[end])
            part = case.potential.evaluate(
                offsets[begin : end + 1] - offsets[begin],
                case.species[begin:end],
                case.species[case.environments.neighbors[pairs]],
                case.environments.vectors[pairs],
                **EVERYTHING,
                precision=precision,
            )
            assert np.array_equal(part["energies"], whole["energies"][begin:end])
            assert np.array_equal(part["pair_gradients"], whole["pair_gradients"][pairs])
            assert np.array_equal(part["member_energies"], whole["member_energies"][:, begin:end])
            assert np.array_equal(part["member_pair_gradients"], whole["member_pair_gradients"][:, pairs])
            assert np.array_equal(part["extrapolating"], whole["extrapolating"][begin:end])


@pytest.mark.parametrize("precision", _core.precision_names())
def test_large_calls_are_divided_inside(case, precision):
    """More centers than a block holds: every copy of a structure gets the same bits."""
    copies = 80
    offsets, n_pairs = case.environments.offsets, case.environments.n_pairs
    many = np.concatenate([[0], *[offsets[1:] + c * n_pairs for c in range(copies)]])
    neighbor_species = case.species[case.environments.neighbors]
    results = case.potential.evaluate(
        many,
        np.tile(case.species, copies),
        np.tile(neighbor_species, copies),
        np.tile(case.environments.vectors, (copies, 1)),
        **EVERYTHING,
        precision=precision,
    )
    once = case.evaluate(**EVERYTHING, precision=precision)
    assert len(many) - 1 > 4096  # far more than a tile holds
    for name in ("energies", "pair_gradients", "extrapolating"):
        assert np.array_equal(results[name], np.concatenate([once[name]] * copies)), name
    for name in ("member_energies", "member_pair_gradients"):
        assert np.array_equal(results[name], np.concatenate([once[name]] * copies, axis=1)), name


def test_no_centers_and_no_neighbors(case):
    empty = np.zeros(0, np.int32)
    nothing = case.potential.evaluate(np.zeros(1, np.int64), empty, empty, np.zeros((0, 3)), **EVERYTHING)
    assert nothing["energies"].shape == (0,)
    assert nothing["member_pair_gradients"].shape == (3, 0, 3)
    alone = case.potential.evaluate(np.zeros(2, np.int64), np.array([1]), empty, np.zeros((0, 3)))
    assert np.isfinite(alone["energies"]).all()
    assert abs(alone["energies"][0] + 2041.25) < 100


def test_other_array_types_and_layouts(case):
    pairs = case.environments
    results = case.potential.evaluate(
        pairs.offsets.astype(np.int32),
        case.species.astype(np.int64),
        case.species[pairs.neighbors].tolist(),
        np.asfortranarray(pairs.vectors),
    )
    assert np.array_equal(results["pair_gradients"], case.evaluate()["pair_gradients"])


def test_many_threads_at_once(case):
    expected = case.evaluate()["pair_gradients"]
    found: list[np.ndarray] = []
    threads = [
        threading.Thread(target=lambda: found.extend(case.evaluate()["pair_gradients"] for _ in range(5)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert all(np.array_equal(array, expected) for array in found)


def evaluate_with(case, **changes):
    pairs = case.environments
    given = {
        "offsets": pairs.offsets,
        "center_species": case.species,
        "neighbor_species": case.species[pairs.neighbors],
        "vectors": pairs.vectors,
    }
    return case.potential.evaluate(**{**given, **changes})


def replaced(array, at, value):
    out = np.array(array)
    out[at] = value
    return out


def test_bad_input_is_named(case):
    pairs = case.environments
    neighbor_species = case.species[pairs.neighbors]
    with pytest.raises(UnknownElementError, match=r"center 3 has species 2, allowed are 0 to 1"):
        evaluate_with(case, center_species=replaced(case.species, 3, 2))
    with pytest.raises(UnknownElementError, match="species -1"):
        evaluate_with(case, neighbor_species=replaced(neighbor_species, 5, -1))
    with pytest.raises(InvalidArgumentError, match=r"offsets\[0\] is 1"):
        evaluate_with(case, offsets=replaced(pairs.offsets, 0, 1))
    with pytest.raises(InvalidArgumentError, match="offsets decrease at center 3"):
        evaluate_with(case, offsets=replaced(pairs.offsets, 4, 0))
    with pytest.raises(InvalidArgumentError, match="offsets end at"):
        evaluate_with(case, offsets=replaced(pairs.offsets, -1, pairs.n_pairs + 1))
    with pytest.raises(InvalidArgumentError, match=r"vectors has shape"):
        evaluate_with(case, vectors=pairs.vectors[:-1])
    with pytest.raises(InvalidArgumentError, match=r"offsets has shape"):
        evaluate_with(case, offsets=pairs.offsets[:-1])
    for value in (np.nan, np.inf):
        with pytest.raises(GeometryError, match="pair 7"):
            evaluate_with(case, vectors=replaced(pairs.vectors, (7, 1), value))
    with pytest.raises(GeometryError, match=r"pair 7.*same place"):
        evaluate_with(case, vectors=replaced(pairs.vectors, 7, 0.0))


def test_errors_name_the_center_of_the_call(case):
    """Not of the block that the call was divided into."""
    n = 5000
    vectors = np.tile([[1.0, 0, 0]], (n, 1))
    vectors[4321] = np.nan
    species = np.zeros(n, np.int32)
    with pytest.raises(GeometryError, match="center 4321, pair 4321"):
        case.potential.evaluate(np.arange(n + 1), species, species, vectors)


def test_species_of_a_symbol(case):
    assert [case.potential.species(e) for e in ("H", "O")] == [0, 1]
    with pytest.raises(UnknownElementError, match='"He", it has H, O'):
        case.potential.species("He")
