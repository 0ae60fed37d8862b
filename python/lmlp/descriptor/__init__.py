"""eeACSF descriptors: specs, presets, the compiled evaluation and its torch functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmlp.lazy import exports

if TYPE_CHECKING:
    from lmlp.descriptor.compute import Descriptor as Descriptor
    from lmlp.descriptor.presets import make_preset as make_preset
    from lmlp.descriptor.presets import preset_names as preset_names
    from lmlp.descriptor.pruning import prune as prune
    from lmlp.descriptor.spec import element_weights as element_weights
    from lmlp.descriptor.spec import normalize_spec as normalize_spec

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "Descriptor": "compute",
        "element_weights": "spec",
        "make_preset": "presets",
        "normalize_spec": "spec",
        "preset_names": "presets",
        "prune": "pruning",
    },
)
