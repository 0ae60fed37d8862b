"""Which symmetry functions a new model gets for its data, and what they are worth there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lmlp.dataset.store import Store
from lmlp.descriptor.compute import Descriptor
from lmlp.descriptor.presets import make_data_preset
from lmlp.descriptor.spec import normalize_spec
from lmlp.errors import DataError
from lmlp.model.scaling import FeatureMoments, InputMap, useful_columns, varying
from lmlp.training.config import DescriptorConfig


def make_spec(
    chosen: DescriptorConfig, elements: Sequence[str], shortest: Mapping[str, float]
) -> dict[str, Any]:
    """Make the descriptor block of a new model.

    Args:
        chosen: a block, or a preset whose functions begin where the data do.
        elements: chemical symbols in species order.
        shortest: shortest distances in the data in Å by pair; empty if unknown.

    Raises:
        InvalidArgumentError: names what is wrong in the block, the unknown preset or option.
    """
    if chosen.spec is not None:
        normalize_spec(chosen.spec)  # names what is wrong
        return chosen.spec
    return make_data_preset(chosen.preset, elements, chosen.cutoff, shortest, chosen.preset_options)


def where_they_begin(
    spec: Mapping[str, Any], chosen: DescriptorConfig, shortest: Mapping[str, float]
) -> str | None:
    """Say where the functions begin and why; None where the data have no say in it."""
    without = make_spec(chosen, ["H"], {})  # of any element: only its functions' places count
    begins, usual = _first_shifts(spec), _first_shifts(without)
    if not shortest or begins == usual:
        return None
    pair = min(shortest, key=lambda name: shortest[name])
    radial, angular = begins
    return (
        f"the shortest distance in the data is {shortest[pair]:.2f} Å ({pair}): the first radial functions "
        f"are centered at {radial:g} Å, the first angular ones at {angular:g} Å (descriptor.options.r_min "
        "and angular_r_min choose other places)"
    )


def _first_shifts(spec: Mapping[str, Any]) -> tuple[float, float]:
    """Return the shortest centers of radial and of other functions in Å, ∞ where there are none."""
    radial, other = [np.inf], [np.inf]
    for row in spec["functions"]:
        (radial if row["kind"] == "radial" else other).extend(
            part["shift"] for part in row.get("factors", [row]) if "shift" in part
        )
    return float(min(radial)), float(min(other))


def useful_functions(
    descriptor: Descriptor,
    make_store: Callable[[Descriptor], Store],
    say: Callable[[str], None],
    *,
    keep_all: bool,
) -> tuple[Descriptor, Store, FeatureMoments]:
    """Compute the features; leave out functions that are constant or copies on these data.

    Args:
        descriptor: all functions.
        make_store: computes features and their moments.
        say: hears what is left out.
        keep_all: leave nothing out, for models that will learn what these data do not have.

    Raises:
        DataError: no function varies.
    """
    store = make_store(descriptor)
    assert store.moments is not None
    columns, constant, twins = useful_columns(store.moments)
    if len(columns) == 0:
        raise DataError("every symmetry function is constant on these data: enlarge the cutoff")
    if len(columns) == descriptor.n_features or keep_all:
        return descriptor, store, store.moments
    say(
        f"{len(constant) + len(twins)} of {descriptor.n_features} symmetry functions left out: "
        f"{len(constant)} constant and {len(twins)} copies of others on these data"
    )
    spec = descriptor.spec
    spec["functions"] = [spec["functions"][i] for i in columns]
    # once more with the descriptor that a resumed run will have: the last bits may depend on the set
    descriptor = Descriptor(spec, descriptor.elements)
    store = make_store(descriptor)
    assert store.moments is not None
    return descriptor, store, store.moments


def worth(elements: Sequence[str], moments: FeatureMoments, input_map: InputMap) -> dict[str, Any]:
    """Count functions, and by element those that are constant and the directions that are independent.

    Directions are those that the decorrelation keeps; without one, all functions that vary.
    """
    present = [k for k, count in enumerate(moments.count) if count > 0]
    constant = np.count_nonzero(~varying(moments), axis=1)
    directions = np.count_nonzero(input_map.matrix.any(axis=2), axis=1)
    return {
        "functions": int(moments.mean.shape[1]),
        "constant": {elements[k]: int(constant[k]) for k in present if constant[k]},
        "independent": {elements[k]: int(directions[k]) for k in present},
    }


def in_words(found: Mapping[str, Any], keep: float) -> str:
    """Say what :func:`worth` found."""

    def listed(counts: Mapping[str, int]) -> str:
        return ", ".join(f"{n} for {element}" for element, n in counts.items())

    text = f"{found['functions']} symmetry functions; independent on these data (above model.keep = {keep:g} "
    text += f"of the largest variance): {listed(found['independent'])}"
    return text + (f"; constant: {listed(found['constant'])}" if found["constant"] else "")


def cutoff_of(chosen: DescriptorConfig) -> float:
    """Return the cutoff in Å that a model will have, whatever its elements."""
    return float(make_spec(chosen, ["H"], {})["cutoff"])
