"""Checks of the installation, for ``lmlp doctor``: one file per area, each tries what it reports."""

from __future__ import annotations

from pathlib import Path

from lmlp.diagnosis.check import Check

__all__ = ["Check", "diagnose"]


def diagnose(model: str | Path | None = None) -> list[Check]:
    """Run all checks, the model file's included when one is given; never raises."""
    from lmlp.diagnosis import engines, model_file, runtime

    checks = [*runtime.check_versions(), runtime.check_core(), runtime.check_torch(), runtime.check_openmp()]
    checks += engines.check_engines()
    if model is not None:
        checks.append(model_file.check_model_file(Path(model)))
    return checks


def __dir__() -> list[str]:
    return sorted(__all__)
