"""The check of what a model states finds contradictions, and no others."""

from __future__ import annotations

import numpy as np
import pytest
from lmlp import metrics
from lmlp.errors import InvalidArgumentError

N_STRUCTURES, N_ATOMS = 40, 30


def data(
    seed: int, size: float = 1.0, n_structures: int = N_STRUCTURES, shared: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """σ, force errors and structures; ``shared`` is how much the size of errors differs by structure."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_structures), N_ATOMS)
    sigma = np.exp(rng.normal(0.0, 0.5, len(groups)))
    scale = size * np.exp(rng.normal(0.0, shared, n_structures))[groups] * sigma / np.sqrt(3.0)
    return sigma, rng.normal(size=(len(groups), 3)) * scale[:, None], groups


def test_ideal_errors_agree() -> None:
    verdicts = [metrics.coverage_check(*data(seed)).verdict for seed in range(50)]
    assert verdicts == ["agree"] * 50


def test_larger_and_smaller_errors_are_found() -> None:
    large = metrics.coverage_check(*data(0, 1.6))
    assert large.verdict == "larger"
    assert large.worst is not None
    assert large.worst.ratio == pytest.approx(1.6, abs=0.1)
    assert "force errors are larger than σ says" in large.sentence("force")
    assert "1.6 times" in large.sentence("force")
    assert "learn these data" in large.sentence("force")
    small = metrics.coverage_check(*data(0, 0.5))
    assert small.verdict == "smaller"
    assert "0.5 times σ would be enough" in small.sentence("force")


def test_stored_multiples_are_what_errors_are_compared_with() -> None:
    sigma, errors, _ = data(1, 3.0)
    multiples = metrics.conformal_multiples(sigma, errors)
    assert metrics.coverage_check(*data(2, 3.0), multiples).verdict == "agree"
    assert metrics.coverage_check(*data(2, 1.0), multiples).verdict == "smaller"
    assert metrics.coverage_check(*data(2, 6.0), multiples).verdict == "larger"


def test_atoms_of_a_structure_count_together() -> None:
    # structures of one trajectory differ by a factor: single atoms would contradict, structures do not
    verdicts, naive = [], []
    for seed in range(30):
        sigma, errors, groups = data(seed, 1.3, 6, shared=0.6)
        verdicts.append(metrics.coverage_check(sigma, errors, groups).verdict)
        naive.append(metrics.coverage_check(sigma, errors, np.arange(len(groups))).verdict)
    assert naive.count("agree") < 10
    assert verdicts.count("agree") > 20


def test_few_structures_are_not_judged() -> None:
    check = metrics.coverage_check(*data(0, 4.0, n_structures=4))
    assert check.verdict == "unknown"
    assert "4 structures are too few" in check.sentence("force")
    assert metrics.coverage_check(np.empty(0), np.empty((0, 3)), np.empty(0)).verdict == "unknown"


def test_few_calibration_structures_widen_what_chance_explains() -> None:
    sigma, errors, groups = data(3, 1.4, shared=0.5)
    certain = metrics.coverage_check(sigma, errors, groups).levels[1].standard_error
    few = metrics.coverage_check(sigma, errors, groups, n_calibration=10).levels[1].standard_error
    assert few == pytest.approx(certain * np.sqrt(1.0 + N_STRUCTURES / 10))


def test_energies_without_any_within_are_a_contradiction() -> None:
    check = metrics.coverage_check(np.full(20, 1e-3), np.ones(20), np.arange(20))
    assert check.verdict == "larger"
    assert check.block()["levels"][0]["observed"] == 0.0


def test_groups_must_fit() -> None:
    with pytest.raises(InvalidArgumentError, match="groups"):
        metrics.coverage_check(np.ones(3), np.ones(3), np.zeros(2))


def test_few_structures_are_said_to_tell_little():
    rng = np.random.default_rng(8)
    sigma = np.ones(300)
    few = metrics.coverage_check(sigma, rng.normal(size=300), np.arange(300) // 50)
    many = metrics.coverage_check(sigma, rng.normal(size=300), np.arange(300))
    assert few.verdict == many.verdict == "agree"
    assert "few structures" not in many.sentence("force")
    by_few_models = metrics.coverage_check(sigma, rng.normal(size=300), np.arange(300), n_calibration=6)
    assert "few structures tell" in by_few_models.sentence("force")
