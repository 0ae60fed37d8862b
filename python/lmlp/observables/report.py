"""Observables as words, as a file and as a picture."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lmlp.files.kinds import OBSERVABLES
from lmlp.files.writing import replacing
from lmlp.observables.result import CUMULANT, Observable
from lmlp.plots.curves_with_sigma import plot_curves_with_sigma
from lmlp.plots.style import save

FAR = 1.0
"""Shift of a mean, in standard deviations of the quantity, from which on a warning says so."""


def words(found: Mapping[str, Observable]) -> Iterator[str]:
    """Say means and errors, a line each, and what to be careful about."""
    some = next(iter(found.values()))
    smallest = float(some.effective.min())
    how = "first order of the weights" if some.method == CUMULANT else "weights"
    yield (
        f"means over {some.n_frames} frames, σ of the model by {how} of {len(some.members)} members "
        f"(they leave {smallest:.3g} frames or more)"
    )
    width = max(map(len, found))
    for name, observable in found.items():
        yield f"  {name:{width}}  {observable}"
    far = [name for name, observable in found.items() if observable.shift > FAR]
    if far:
        yield (
            f"warning: members would move {', '.join(far)} by more than the run itself varies: frames that "
            "they need are missing here; run single members to know (docs/observables.md)"
        )
    short = [
        name for name, o in found.items() if not o.is_curve and float(o.sigma) < float(o.sigma_statistical)
    ]
    if short:
        yield f"σ of {', '.join(short)} is smaller than its own statistical error: a longer run would tell it"


def write_observables(path: Path, found: Mapping[str, Observable], facts: Mapping[str, Any]) -> None:
    """Write all figures as JSON; a file of the same kind is replaced.

    Args:
        path: the file.
        found: results by name.
        facts: what else belongs to them: temperature, model.

    Raises:
        InvalidArgumentError, OutputError: there is a file of another kind, or it cannot be written.
    """
    content = {"observables": {name: o.block() for name, o in found.items()}, **facts}
    with replacing(path, OBSERVABLES) as unfinished:
        unfinished.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_curves(path: Path, found: Mapping[str, Observable]) -> None:
    """Draw all curves with their σ.

    Raises:
        InvalidArgumentError, OutputError: as :func:`write_observables`.
        LMLPError: matplotlib is not installed.
    """
    curves = {
        name: (o.axis, o.mean, o.sigma, o.axis_label) for name, o in found.items() if o.axis is not None
    }
    save(plot_curves_with_sigma(curves), path)
