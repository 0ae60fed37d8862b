"""A model file: intact, readable by the core, and finite."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lmlp.diagnosis.check import Check, first_line

FIX = "copy the file again, or export it anew from its checkpoint"


def check_model_file(path: Path) -> Check:
    """Verify the checksum, read the file with Python and with the core, and evaluate a small molecule."""
    try:
        from lmlp.calculators.backends import CoreBackend
        from lmlp.calculators.facts import SpeciesTable
        from lmlp.calculators.prediction import predict
        from lmlp.elements import atomic_number
        from lmlp.export.model_file import read_model_file
        from lmlp.neighbors import find_neighbors

        data = read_model_file(path)
        backend = CoreBackend(path, n_threads=1)
        facts = backend.facts
        numbers = np.array([atomic_number(symbol) for symbol in facts.elements])
        positions = np.zeros((len(numbers), 3))
        # a chain whose neighbors are well within the cutoff
        positions[:, 0] = 0.4 * facts.cutoff * np.arange(len(numbers))
        environments = find_neighbors(positions, None, False, facts.cutoff)
        several = facts.n_members > 1
        result = predict(backend, environments, SpeciesTable(facts)(numbers), uncertainty=several)
    except Exception as error:
        return Check("model", "error", first_line(error), FIX)
    if not (np.isfinite(result.energy) and np.isfinite(result.forces).all()):
        return Check("model", "error", f"{path}: energy or forces of a small molecule are not finite", FIX)
    text = (
        f"{path}: intact; {', '.join(data.elements)}; {data.n_members} members, {data.n_features} functions, "
        f"cutoff {facts.cutoff:g} Å"
    )
    values = {"elements": list(data.elements), "n_members": data.n_members}
    if not several:
        return Check(
            "model",
            "warning",
            text + "; one member: no uncertainty",
            "train with --members 4 or more",
            values,
        )
    if data.energy_rmse is None or data.force_rmse is None:
        return Check(
            "model", "warning", text + "; no test errors: no grade", "train with --valid data", values
        )
    return Check("model", "ok", text, values=values)
