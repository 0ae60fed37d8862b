"""One calculator in several threads: right numbers or an error, never those of another structure."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from lmlp import LMLPCalculator
from lmlp.descriptor.compute import Descriptor
from lmlp.descriptor.presets import make_preset
from lmlp.errors import SharedCalculatorError
from lmlp.neighbors import VerletList, find_neighbors

from tests.models import random_crystal

SYMBOLS = ["H", "C", "O"]
N_THREADS = 3
ROUNDS = 25


@pytest.fixture(scope="module")
def structures() -> list[Atoms]:
    return [random_crystal(SYMBOLS, 8 + 3 * seed, seed) for seed in range(2 * N_THREADS)]


def in_threads(work: Callable[[int], None]) -> None:
    """Call work(k) in threads at once; the first exception is raised."""
    barrier = threading.Barrier(N_THREADS)

    def begin(k: int) -> None:
        barrier.wait(timeout=60)
        work(k)

    with ThreadPoolExecutor(N_THREADS) as executor:
        for future in [executor.submit(begin, k) for k in range(N_THREADS)]:
            future.result(timeout=300)


def expected_of(path: Path, structures: list[Atoms], **options: Any) -> list[dict[str, Any]]:
    found = []
    for atoms in structures:
        calculator = LMLPCalculator(path, skin=0.0, **options)
        calculator.calculate(atoms)
        found.append(calculator.results)
    return found


# core: lists of the same pairs in the same order give the same bits; skin 0: built at every structure
@pytest.mark.parametrize("options", [{}, {"precision": "mixed"}, {"uncertainty": True}], ids=str)
def test_properties_of_a_shared_calculator(
    model_path: Path, structures: list[Atoms], options: dict[str, Any]
) -> None:
    calculator = LMLPCalculator(model_path, threads=1, skin=0.0, **options)
    expected = expected_of(model_path, structures, threads=1, **options)

    def work(k: int) -> None:
        for _ in range(ROUNDS):
            for i in range(k, len(structures), N_THREADS):
                assert calculator.get_potential_energy(structures[i]) == expected[i]["energy"]
                np.testing.assert_array_equal(calculator.get_forces(structures[i]), expected[i]["forces"])
                np.testing.assert_array_equal(calculator.get_stress(structures[i]), expected[i]["stress"])

    in_threads(work)


def test_structures_that_share_a_calculator(model_path: Path, structures: list[Atoms]) -> None:
    """Each thread moves atoms of its own, as optimizers do."""
    shared = LMLPCalculator(model_path, threads=1)

    def work(k: int) -> None:
        mine, alone = structures[k].copy(), structures[k].copy()
        mine.calc, alone.calc = shared, LMLPCalculator(model_path, threads=1)
        rng = np.random.default_rng(k)
        for _ in range(ROUNDS):
            step = rng.normal(0.0, 0.05, mine.positions.shape)
            mine.positions += step
            alone.positions += step
            # the lists of both have the same history: same bits
            assert mine.get_potential_energy() == alone.get_potential_energy()
            np.testing.assert_array_equal(mine.get_forces(), alone.get_forces())
            assert mine.calc.get_property("grade", mine) == alone.calc.get_property("grade", alone)

    in_threads(work)


def test_results_are_ones_own_or_an_error(model_path: Path, structures: list[Atoms]) -> None:
    """What does not say which structure it means is never answered with another one's results."""
    calculator = LMLPCalculator(model_path, threads=1, skin=0.0)
    expected = expected_of(model_path, structures, threads=1)
    right, refused = [0] * N_THREADS, [0] * N_THREADS

    def work(k: int) -> None:
        for _ in range(ROUNDS):
            for i in range(k, len(structures), N_THREADS):
                try:
                    calculator.calculate(structures[i], ["energy"])
                    results, atoms = dict(calculator.results), calculator.atoms
                    copied = SinglePointCalculator(structures[i], energy=calculator.results["energy"])
                    exported = calculator.export_properties()
                except SharedCalculatorError:
                    refused[k] += 1
                    continue
                assert atoms == structures[i]
                assert results["energy"] == copied.results["energy"] == expected[i]["energy"]
                assert exported["energy"] == expected[i]["energy"]
                right[k] += 1

    in_threads(work)
    assert sum(right) > 0
    assert sum(right) + sum(refused) == ROUNDS * len(structures)


def test_results_computed_in_another_thread_before(model_path: Path, structures: list[Atoms]) -> None:
    """A calculation may be handed to a thread and its results read here; what is not clear is an error."""
    first, second = structures[:2]
    calculator = LMLPCalculator(model_path)
    assert calculator.results == {}
    with ThreadPoolExecutor(1) as executor:
        executor.submit(calculator.calculate, first).result(timeout=60)
        energy = LMLPCalculator(model_path).get_property("energy", first)
        assert calculator.results["energy"] == pytest.approx(energy, abs=1e-11)
        assert not calculator.calculation_required(first, ["energy", "forces"])
        assert not calculator.check_state(first)
        calculator.calculate(first)
        executor.submit(calculator.calculate, second).result(timeout=60)
    with pytest.raises(SharedCalculatorError, match="another thread has used this calculator"):
        calculator.results  # noqa: B018
    with pytest.raises(SharedCalculatorError, match=r"get_property\(name, atoms\)"):
        calculator.get_property("energy")
    for atoms in (first, second):  # both are known
        assert calculator.get_property("energy", atoms, allow_calculation=False) is not None
    for other in (copy.deepcopy(calculator), pickle.loads(pickle.dumps(calculator))):
        assert other.atoms == first
    calculator.reset()
    assert calculator.results == {}


def test_set_while_others_compute(model_path: Path, structures: list[Atoms]) -> None:
    """Each energy is that of one set of parameters, and after the last change that of the last."""
    calculator = LMLPCalculator(model_path, threads=1, skin=0.0)
    atoms = structures[: N_THREADS - 1]
    allowed = [expected_of(model_path, atoms, precision=p, threads=1) for p in ("double", "mixed")]
    assert all(a["energy"] != b["energy"] for a, b in zip(*allowed, strict=True))

    def work(k: int) -> None:
        for n in range(ROUNDS):
            if k == N_THREADS - 1:
                calculator.set(precision=("mixed", "double")[n % 2])
                continue
            energy = calculator.get_potential_energy(atoms[k])
            assert energy in [results[k]["energy"] for results in allowed]

    in_threads(work)
    calculator.set(precision="mixed")
    for k, structure in enumerate(atoms):
        assert calculator.get_potential_energy(structure) == allowed[1][k]["energy"]


def test_torchscript(model_path: Path, structures: list[Atoms]) -> None:
    small = structures[:N_THREADS]
    calculator = LMLPCalculator(model_path, backend="torchscript")
    expected = expected_of(model_path, small, threads=1)

    def work(k: int) -> None:
        for _ in range(2):
            # another engine: roundings of some 1e-15 of energies of 1e3 eV
            assert calculator.get_potential_energy(small[k]) == pytest.approx(expected[k]["energy"], abs=1e-9)

    in_threads(work)


def test_neighbor_list(structures: list[Atoms]) -> None:
    shared = VerletList(4.0, 0.5)
    expected = [find_neighbors(s.positions, s.cell.array, s.pbc, 4.5) for s in structures]

    def work(k: int) -> None:
        for _ in range(ROUNDS):
            for i in range(k, len(structures), N_THREADS):
                atoms = structures[i]
                found = shared.update(atoms.positions, atoms.cell.array, atoms.pbc)
                np.testing.assert_array_equal(found.offsets, expected[i].offsets)
                np.testing.assert_array_equal(found.neighbors, expected[i].neighbors)
                np.testing.assert_array_equal(found.vectors, expected[i].vectors)

    in_threads(work)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, copy.copy, lambda x: pickle.loads(pickle.dumps(x))])
def test_parts_can_be_copied(structures: list[Atoms], duplicate: Callable[[Any], Any]) -> None:
    atoms = structures[0]
    given = (atoms.positions, atoms.cell.array, atoms.pbc)
    verlet = VerletList(4.0, 0.3)
    pairs = verlet.update(*given)
    other = duplicate(verlet)
    assert (other.cutoff, other.skin, other.n_builds) == (4.0, 0.3, 0)
    np.testing.assert_array_equal(other.update(*given).vectors, pairs.vectors)
    descriptor = Descriptor(make_preset("eeacsf-bump", SYMBOLS, 4.0), SYMBOLS, "triples")
    again = duplicate(descriptor)
    assert (again.spec, again.elements, again.path) == (descriptor.spec, tuple(SYMBOLS), "triples")
    species = (np.arange(len(atoms)) % 3)[pairs.neighbors].astype(np.int32)
    np.testing.assert_array_equal(again.features(pairs, species), descriptor.features(pairs, species))
