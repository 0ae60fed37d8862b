"""Put the members of several models into one: ensembles whose members were trained on separate machines."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from lmlp.errors import ModelFileError
from lmlp.model.data import ModelData
from lmlp.model.spread import SpreadMaps
from lmlp.version import __version__

_SAME_ENERGY = 1e-9  # eV; one fit on the same data gives the same bits, another machine the last bits only


def merge_models(models: Sequence[ModelData], names: Sequence[str]) -> ModelData:
    """Return one model with the members of all, in the order given.

    Elements, descriptor, layers, activation and atomic energies must be the same. Test errors, uncertainty
    factors, spread maps and calibration belong to each ensemble and are left out: the new one's have to be
    measured. Ranges of the features are joined. Free atoms must be of the same elements and energies; the
    smallest densities are kept. The distance is that of the first model where all were trained on the same
    data, of which each has its own share; of other data there is none.

    Args:
        models: two or more.
        names: of the models, for messages and the provenance.

    Raises:
        ModelFileError: fewer than two models, models that differ in anything but weights, or a member that
            occurs twice, which would make the uncertainty too small; both models are named.
    """
    if len(models) < 2:
        raise ModelFileError(f"{len(models)} model to merge: give at least two")
    for model, name in zip(models[1:], names[1:], strict=True):
        difference = _difference(models[0], model)
        if difference:
            raise ModelFileError(f"{name} cannot be merged with {names[0]}: {difference}")
    _check_members(models, names)
    first = models[0]
    ranges = _joined_ranges(models)
    return dataclasses.replace(
        first,
        scale=np.concatenate([m.scale for m in models]),
        shift=np.concatenate([m.shift for m in models]),
        weights=[np.concatenate(parts) for parts in zip(*(m.weights for m in models), strict=True)],
        biases=[np.concatenate(parts) for parts in zip(*(m.biases for m in models), strict=True)],
        energy_rmse=None,
        force_rmse=None,
        energy_uncertainty_factor=2.0,
        force_uncertainty_factor=2.0,
        feature_min=ranges[0],
        feature_max=ranges[1],
        calibration={},
        spread_maps=_raw_maps(models),
        **_distance(models),
        free_atoms=_joined_free_atoms(models),
        shortest_distances=_joined_distances(models),
        provenance={"merged": [_origin(m, n) for m, n in zip(models, names, strict=True)], "by": __version__},
    )


def _origin(model: ModelData, name: str) -> dict[str, Any]:
    return {
        "file": name,
        "n_members": model.n_members,
        "energy_rmse": model.energy_rmse,
        "force_rmse": model.force_rmse,
        "provenance": model.provenance,
    }


def _difference(a: ModelData, b: ModelData) -> str:
    """Say in what two models differ that members must share, with both values; empty for nothing."""
    for what, x, y in (
        ("elements", list(a.elements), list(b.elements)),
        ("hidden layers", list(a.hidden_layers), list(b.hidden_layers)),
        ("activation", a.activation, b.activation),
    ):
        if x != y:
            return f"{what} {y} instead of {x}"
    difference = _descriptor_difference(a.descriptor, b.descriptor)
    if difference:
        return difference
    if a.baseline != b.baseline:
        return f"baseline {b.baseline} instead of {a.baseline}"
    for element, x, y in zip(a.elements, a.atomic_energies, b.atomic_energies, strict=True):
        if abs(x - y) > _SAME_ENERGY:
            return (
                f"atomic energy of {element} {float(y)!r} eV instead of {float(x)!r} eV; train all members "
                "with the same model.atomic_energies"
            )
    return _free_atoms_difference(a, b)


def _free_atoms_difference(a: ModelData, b: ModelData) -> str:
    """Compare energies of free atoms; below which densities they count is joined.

    A model that lacks one does not know the densities of its data either, which the term must not reach.
    """
    for element in a.elements:
        x, y = ((m.free_atoms or {}).get(element, {}).get("energy") for m in (a, b))
        if (x is None) != (y is None) or (x is not None and abs(x - y) > _SAME_ENERGY):
            told = [f"{e!r} eV" if e is not None else "none" for e in (y, x)]
            return (
                f"energy of the free atom of {element} {told[0]} instead of {told[1]}; train all members "
                "with the same free atoms"
            )
    return ""


def _descriptor_difference(a: dict[str, Any], b: dict[str, Any]) -> str:
    for key in sorted({*a, *b} - {"functions"}):
        if a.get(key) != b.get(key):
            return f"descriptor with {key} {b.get(key)!r} instead of {a.get(key)!r}"
    if len(a["functions"]) != len(b["functions"]):
        return (
            f"{len(b['functions'])} symmetry functions instead of {len(a['functions'])}; functions that are "
            "constant on the training data are left out: train all members on the same data, or give the "
            "whole descriptor.spec"
        )
    for number, (x, y) in enumerate(zip(a["functions"], b["functions"], strict=True)):
        if x != y:
            return f"symmetry function {number} is {y} instead of {x}"
    return ""


def _check_members(models: Sequence[ModelData], names: Sequence[str]) -> None:
    """Refuse equal members: they come from equal seeds, and only pretend to be an ensemble."""
    seen: dict[bytes, str] = {}
    for model, name in zip(models, names, strict=True):
        for member in range(model.n_members):
            arrays = [model.scale, model.shift, *model.weights, *model.biases]
            key = b"".join(np.ascontiguousarray(array[member]).tobytes() for array in arrays)
            here = f"member {member} of {name}"
            if key in seen:
                raise ModelFileError(
                    f"{here} is equal to {seen[key]}: train with another seed, as equal members make the "
                    "uncertainty too small"
                )
            seen[key] = here


def _joined_free_atoms(models: Sequence[ModelData]) -> dict[str, Any] | None:
    """Return the free atoms with the smallest densities: the term is zero on the data of all models."""
    blocks = [m.free_atoms for m in models if m.free_atoms is not None]
    if not blocks:
        return None
    return {
        element: {**entry, "density": min(block[element]["density"] for block in blocks)}
        for element, entry in blocks[0].items()
    }


def _joined_distances(models: Sequence[ModelData]) -> dict[str, float]:
    """Return the shortest distances over the data of all models; none where one does not know them."""
    known = [m.shortest_distances for m in models]
    if not all(known):
        return {}
    names = {name for distances in known for name in distances}
    return {name: min(d[name] for d in known if name in d) for name in sorted(names)}


def _raw_maps(models: Sequence[ModelData]) -> dict[str, Any] | None:
    """Return maps of an ensemble that is not measured; None if all models are older than maps."""
    if all(m.spread_maps is None and m.distance is None for m in models):
        return None
    elements = models[0].elements
    return SpreadMaps.raw(len(elements)).block(elements)


def _distance(models: Sequence[ModelData]) -> dict[str, Any]:
    """Return the fields of the distance: of the first model, or none."""
    names = ("distance", "distance_shift", "distance_scale", "distance_axes")
    data = {m.provenance.get("data_sha256") for m in models}
    known = all(m.distance is not None for m in models) and len(data) == 1 and None not in data
    return {name: getattr(models[0], name) if known else None for name in names}


def _joined_ranges(models: Sequence[ModelData]) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the ranges of the features over the data of all models; None where one does not know them."""
    low = [m.feature_min for m in models if m.feature_min is not None]
    high = [m.feature_max for m in models if m.feature_max is not None]
    if len(low) < len(models) or len(high) < len(models):
        return None, None
    return np.minimum.reduce(low), np.maximum.reduce(high)
