"""Pictures: parity, σ against error, reliability, learning curve, energy conservation, structures.

One function per file; matplotlib is imported when the first one is drawn.
"""

from __future__ import annotations

from lmlp.plots.bars import plot_group_errors
from lmlp.plots.batches import plot_batches
from lmlp.plots.distance_vs_error import plot_distance_vs_error
from lmlp.plots.error_by_distance import plot_error_by_distance
from lmlp.plots.layer_size import SizeCurve, plot_layer_sizes
from lmlp.plots.learning_curve import plot_learning_curve, read_epochs
from lmlp.plots.molecule import plot_molecule
from lmlp.plots.nve_energy import energy_drift, plot_nve_energy
from lmlp.plots.parity import plot_parity
from lmlp.plots.parity_sets import plot_parity_sets
from lmlp.plots.reliability import plot_reliability
from lmlp.plots.sigma_vs_error import plot_sigma_vs_error
from lmlp.plots.structure import StructurePicture, plot_structure
from lmlp.plots.style import check_installed, picture_format, save, to_data_uri

__all__ = [
    "SizeCurve",
    "StructurePicture",
    "check_installed",
    "energy_drift",
    "picture_format",
    "plot_batches",
    "plot_distance_vs_error",
    "plot_error_by_distance",
    "plot_group_errors",
    "plot_layer_sizes",
    "plot_learning_curve",
    "plot_molecule",
    "plot_nve_energy",
    "plot_parity",
    "plot_parity_sets",
    "plot_reliability",
    "plot_sigma_vs_error",
    "plot_structure",
    "read_epochs",
    "save",
    "to_data_uri",
]


def __dir__() -> list[str]:
    return sorted(__all__)
