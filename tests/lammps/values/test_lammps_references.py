"""Numbers of earlier versions, as in the unit tests of LAMMPS: what changes them changes physics."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from yaml_reference import FOLDER, QUANTITIES, read_reference, run_reference

FILES = sorted(FOLDER.glob("*.yaml"))


def compare(path: Path, folder: Path, ranks: int = 1) -> None:
    """Run a file's input; relative for large values, absolute for those below 1, as LAMMPS does."""
    reference = read_reference(path)
    epsilon = float(reference["epsilon"])
    states = run_reference(reference, folder, ranks)
    assert len(states["init"].forces) == reference["natoms"]
    for when, state in states.items():
        for name in QUANTITIES:
            found, expected = getattr(state, name), reference[f"{when}_{name}"]
            error = np.abs(found - expected) / np.maximum(1.0, np.abs(expected))
            assert error.shape == expected.shape
            assert error.max() <= epsilon, f"{path.name}: {when}_{name} differs by {error.max():.1e}"


# Measured: 3e-14 between instruction sets and numbers of ranks; the files allow 1e-11.
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_reference(path: Path, tmp_path: Path) -> None:
    compare(path, tmp_path)


def test_references_are_complete() -> None:
    assert {path.stem for path in FILES} >= {
        "lmlp",
        "lmlp-triclinic",
        "lmlp-real",
        "lmlp-hybrid",
        "lmlp-hybrid-overlay",
    }
    for path in FILES:
        reference = read_reference(path)
        assert {f"{when}_{name}" for when in ("init", "run") for name in QUANTITIES} <= set(reference)
        # the four steps have done something
        change = np.abs(reference["run_forces"] - reference["init_forces"]).max()
        assert change > 1e6 * float(reference["epsilon"])


@pytest.mark.slow
@pytest.mark.parametrize("instructions", ["generic", "x86-64-v2", "x86-64-v3"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_reference_with_other_instruction_sets(
    path: Path, instructions: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lmlp import _core

    if instructions not in _core.instruction_sets():
        pytest.skip(f"this processor or build has no {instructions}")
    monkeypatch.setitem(os.environ, "LMLP_ISA", instructions)
    compare(path, tmp_path, ranks=2)
