"""Whether the errors of a task contradict what the model said before or says after a session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lmlp.evaluation.retention import contradictions, write_retention_report
from lmlp.lifelong import retention
from lmlp.lifelong.retention import StatedSigma
from lmlp.model.spread import SpreadMap, SpreadMaps
from lmlp.training.calibration import HeldOut

N, ATOMS = 30, 20
MAPS = SpreadMaps(SpreadMap(0.01, 1.5), (SpreadMap(0.02, 1.2), SpreadMap(0.05, 2.0)), SpreadMap())


def held_out(size: float) -> HeldOut:
    """Errors of ``size`` times what ``MAPS`` say."""
    rng = np.random.default_rng(0)
    atoms = np.full(N, ATOMS)
    species = np.tile([0, 1], N * ATOMS // 2)
    energy_spread, force_spread = rng.uniform(0.1, 0.5, N), rng.uniform(0.01, 0.1, (N * ATOMS, 3))
    sigma = MAPS.sigma_forces(np.sqrt((force_spread**2).sum(axis=1)), species)
    return HeldOut(
        energy_error=size * atoms * MAPS.energy(energy_spread / atoms) * rng.normal(size=N),
        energy_spread=energy_spread,
        energy_atoms=atoms,
        force_error=size * sigma[:, None] / np.sqrt(3.0) * rng.normal(size=(N * ATOMS, 3)),
        force_spread=force_spread,
        force_species=species,
        virial_error=np.zeros((0, 3, 3)),
        virial_spread=np.zeros((0, 3, 3)),
        force_structures=np.repeat(np.arange(N), ATOMS),
    )


def errors(monkeypatch: pytest.MonkeyPatch, size: float, stated: StatedSigma) -> dict[str, Any]:
    class Potential:
        elements = ("H", "O")

    monkeypatch.setattr(retention, "evaluate_held_out", lambda *_: held_out(size))
    tasks: Any = retention.task_errors(Potential(), None, None, {"new": np.arange(N)}, stated)  # type: ignore[arg-type]
    return tasks["new"]


def test_maps_are_what_errors_are_compared_with(monkeypatch: pytest.MonkeyPatch) -> None:
    found = errors(monkeypatch, 1.0, StatedSigma((9.0, 9.0), MAPS, {}))["calibration"]
    for name in ("energy", "force"):
        assert found[name]["check"]["verdict"] == "agree"
        assert found[name]["check"]["n_structures"] == N
    # 1800 components; of 30 energies one in ten
    assert found["force"]["ratio"] == pytest.approx(1.0, abs=0.06)
    assert found["force"]["coverage_1_sigma"] == pytest.approx(0.683, abs=0.04)
    larger = errors(monkeypatch, 3.0, StatedSigma((9.0, 9.0), MAPS, {}))["calibration"]
    assert larger["force"]["ratio"] == pytest.approx(3.0 * found["force"]["ratio"])
    assert larger["force"]["check"]["verdict"] == larger["energy"]["check"]["verdict"] == "larger"


def test_models_without_maps_go_by_their_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    found = errors(monkeypatch, 1.0, StatedSigma((1.5, 2.0), None, {}))["calibration"]
    held = held_out(1.0)
    assert held.force_spread is not None
    within = np.abs(held.force_error) <= 2.0 * held.force_spread
    assert found["force"]["coverage_1_sigma"] == pytest.approx(within.mean())


def test_the_report_tells_contradictions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stated = StatedSigma((2.0, 2.0), MAPS, {})
    before, after = errors(monkeypatch, 3.0, stated), errors(monkeypatch, 1.0, stated)
    tasks = {"new": {"new": True, "before": before, "after": after}}
    said = contradictions(tasks)
    assert [text.partition(":")[0] for text in said] == ["new, before", "new, before"]
    assert "force errors are larger than σ says" in said[1]
    assert "learn these data" not in said[1]
    report = {
        **{name: [] for name in ("suspects", "parked", "removed")},
        **dict.fromkeys(("forgetting", "mean_forgetting", "plasticity"), 0.0),
        "n_new": N,
        "n_earlier": 0,
        "gradient_evaluations": 1,
        "refused": False,
        "task": "new",
        "tasks": tasks,
    }
    write_retention_report(report, tmp_path / "r.html")
    assert said[1] in (tmp_path / "r.html").read_text(encoding="utf-8")
