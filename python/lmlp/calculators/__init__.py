"""Calculators: the potential for other simulation packages, and predictions on plain structures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmlp.lazy import exports

if TYPE_CHECKING:
    from lmlp.calculators.ase import LMLPCalculator as LMLPCalculator
    from lmlp.calculators.backends import Backend as Backend
    from lmlp.calculators.backends import open_backend as open_backend
    from lmlp.calculators.facts import ModelFacts as ModelFacts
    from lmlp.calculators.many import predict_structures as predict_structures
    from lmlp.calculators.prediction import Prediction as Prediction
    from lmlp.calculators.prediction import predict as predict
    from lmlp.calculators.prediction import predict_many as predict_many
    from lmlp.calculators.simulation import Simulation as Simulation
    from lmlp.calculators.uncertainty import Uncertainty as Uncertainty
    from lmlp.calculators.watch import WatchOptions as WatchOptions

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "Backend": "backends",
        "LMLPCalculator": "ase",
        "ModelFacts": "facts",
        "Prediction": "prediction",
        "Simulation": "simulation",
        "Uncertainty": "uncertainty",
        "WatchOptions": "watch",
        "open_backend": "backends",
        "predict": "prediction",
        "predict_many": "prediction",
        "predict_structures": "many",
    },
)
