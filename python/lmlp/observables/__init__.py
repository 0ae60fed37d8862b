"""Means over a trajectory with σ, by the weights that each member of an ensemble gives its frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmlp.lazy import exports

if TYPE_CHECKING:
    from lmlp.observables.quantities import Quantity as Quantity
    from lmlp.observables.quantities import parse_quantities as parse_quantities
    from lmlp.observables.quantities import parse_quantity as parse_quantity
    from lmlp.observables.report import write_curves as write_curves
    from lmlp.observables.report import write_observables as write_observables
    from lmlp.observables.result import Observable as Observable
    from lmlp.observables.reweighting import Weights as Weights
    from lmlp.observables.trajectory import observe as observe

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "Observable": "result",
        "Quantity": "quantities",
        "Weights": "reweighting",
        "observe": "trajectory",
        "parse_quantities": "quantities",
        "parse_quantity": "quantities",
        "write_curves": "report",
        "write_observables": "report",
    },
)
