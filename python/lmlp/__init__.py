"""Lifelong machine learning potentials: eeACSFs, network ensembles, uncertainties, LAMMPS and ASE.

The face of the package (docs/python.md): :func:`train`, :func:`load`, :func:`learn`, :func:`evaluate`,
:func:`reweight`, :class:`Model`, :class:`Descriptor`, :class:`LMLPCalculator`. Each is loaded when it is
first used, so that importing ``lmlp`` is light. Their types stand in ``__init__.pyi``.
"""

from __future__ import annotations

from lmlp.lazy import exports

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "Descriptor": "descriptor.compute",
        "LMLPCalculator": "calculators.ase",
        "Model": "face.model",
        "__version__": "version",
        "evaluate": "face.evaluate",
        "learn": "face.learn",
        "load": "face.model",
        "reweight": "face.reweight",
        "train": "face.train",
    },
)
