"""The ``lmlp.json`` of a model file: from and to ``ModelData`` (docs/model-file.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NewType

import numpy as np

from lmlp.errors import InvalidArgumentError, ModelFileError
from lmlp.export import upgrade
from lmlp.model.activations import ACTIVATION_NAMES
from lmlp.model.baseline import pair_name, parse_baseline
from lmlp.model.data import ModelData
from lmlp.model.free_atoms import parse_free_atoms
from lmlp.model.spread import parse_spread_maps
from lmlp.version import __version__

Header = NewType("Header", dict[str, Any])
"""The ``lmlp.json`` of a model, of the newest format version: `parse_header` alone makes one."""

UNITS = {"length": "Angstrom", "energy": "eV"}


def header_of(data: ModelData, weights_sha256: str) -> dict[str, Any]:
    """Return the ``lmlp.json`` object of a model."""
    known_rmse = data.energy_rmse is not None or data.force_rmse is not None
    header = {
        "format": "lmlp-model",
        "format_version": _lowest_version(data),
        "lmlp_version": __version__,
        "units": UNITS,
        "elements": list(data.elements),
        "descriptor": plain(data.descriptor),
        "hidden_layers": [int(n) for n in data.hidden_layers],
        "activation": data.activation,
        "n_members": data.n_members,
        "atomic_energies": dict(zip(data.elements, map(float, data.atomic_energies), strict=True)),
        "test_rmse": {"energy": data.energy_rmse, "forces": data.force_rmse} if known_rmse else None,
        "uncertainty": {
            "energy_factor": data.energy_uncertainty_factor,
            "force_factor": data.force_uncertainty_factor,
            "calibration": plain(data.calibration),
        },
        "provenance": plain(data.provenance),
        "weights_sha256": weights_sha256,
    }
    if data.shortest_distances:
        header["shortest_distances"] = {name: float(r) for name, r in data.shortest_distances.items()}
    for name, version in upgrade.FIELDS.items():
        if version <= header["format_version"]:
            header[name] = plain(getattr(data, name))
    return header


def _lowest_version(data: ModelData) -> int:
    """Return the oldest version that can hold a model: readers would leave out what they do not know."""
    return max([1, *(v for name, v in upgrade.FIELDS.items() if getattr(data, name) is not None)])


def plain(value: Any) -> Any:
    """Turn free-form values into JSON: arrays into lists, paths into text, infinities and NaN into null.

    A model is not lost because its provenance holds something odd.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def weight_arrays(data: ModelData) -> dict[str, np.ndarray]:
    """Return the arrays of ``weights.safetensors`` by name, float64 and row-major."""
    arrays = {"scale": data.scale, "shift": data.shift}
    for l, (weight, bias) in enumerate(zip(data.weights, data.biases, strict=True)):  # noqa: E741
        arrays[f"layers.{l}.weight"], arrays[f"layers.{l}.bias"] = weight, bias
    if data.feature_min is not None and data.feature_max is not None:
        arrays["feature_min"], arrays["feature_max"] = data.feature_min, data.feature_max
    if data.distance is not None:
        found = {"shift": data.distance_shift, "scale": data.distance_scale, "axes": data.distance_axes}
        arrays |= {f"distance.{name}": array for name, array in found.items() if array is not None}
    return {name: np.ascontiguousarray(array, dtype=np.float64) for name, array in arrays.items()}


def parse_header(text: bytes) -> Header:
    """Parse ``lmlp.json`` and bring an older version up to date; all readers begin here.

    Raises:
        ModelFileError: not an lmlp model, or of a newer format version.
    """
    try:
        header = json.loads(text.decode("utf-8"))
    except ValueError as error:
        raise ModelFileError(f"lmlp.json is not JSON: {error}") from None
    if not isinstance(header, dict) or header.get("format") != "lmlp-model":
        raise ModelFileError("lmlp.json does not say that it is an 'lmlp-model'")
    version = header.get("format_version")
    if type(version) is not int or version < 1:
        raise ModelFileError(f"format_version {version!r} is not a positive integer")
    if version > upgrade.FORMAT_VERSION:
        raise ModelFileError(
            f"format version {version} (written by lmlp {header.get('lmlp_version')}) is newer than "
            f"{upgrade.FORMAT_VERSION}, the newest that lmlp {__version__} reads: update lmlp"
        )
    header = upgrade.upgrade(header)
    for key in upgrade.FIELDS:
        if key not in header:
            raise ModelFileError(f"{key!r} is missing")
    if header.get("units") != UNITS:
        raise ModelFileError(f"units {header.get('units')!r} are not {UNITS}")
    return Header(header)


def model_data(header: Header, arrays: Mapping[str, np.ndarray]) -> ModelData:
    """Combine ``lmlp.json`` and the arrays of ``weights.safetensors``.

    Raises:
        ModelFileError: a key or an array is missing or of the wrong shape.
    """
    try:
        elements = [str(e) for e in header["elements"]]
        n_layers = len(header["hidden_layers"]) + 1
        rmse = header["test_rmse"] or {}
        uncertainty = header["uncertainty"]
        data = ModelData(
            elements=elements,
            descriptor=header["descriptor"],
            hidden_layers=[int(n) for n in header["hidden_layers"]],
            activation=header["activation"],
            atomic_energies=np.array([header["atomic_energies"][e] for e in elements], dtype=np.float64),
            scale=arrays["scale"],
            shift=arrays["shift"],
            weights=[arrays[f"layers.{l}.weight"] for l in range(n_layers)],  # noqa: E741
            biases=[arrays[f"layers.{l}.bias"] for l in range(n_layers)],  # noqa: E741
            energy_rmse=rmse.get("energy"),
            force_rmse=rmse.get("forces"),
            energy_uncertainty_factor=float(uncertainty["energy_factor"]),
            force_uncertainty_factor=float(uncertainty["force_factor"]),
            feature_min=arrays.get("feature_min"),
            feature_max=arrays.get("feature_max"),
            calibration=uncertainty.get("calibration") or {},
            provenance=header.get("provenance") or {},
            shortest_distances=header.get("shortest_distances") or {},
            distance_shift=arrays.get("distance.shift"),
            distance_scale=arrays.get("distance.scale"),
            distance_axes=arrays.get("distance.axes"),
            **{name: header[name] for name in upgrade.FIELDS},
        )
    except KeyError as error:
        raise ModelFileError(f"{error.args[0]!r} is missing") from None
    except (TypeError, AttributeError, ValueError) as error:
        raise ModelFileError(f"an entry of lmlp.json has the wrong type: {error}") from None
    unknown = set(arrays) - set(weight_arrays(data))
    if unknown:
        raise ModelFileError(
            f"weights.safetensors has arrays of no meaning here: {', '.join(sorted(unknown))}"
        )
    check_model(data)
    if data.n_members != header["n_members"]:
        raise ModelFileError(f"n_members is {header['n_members']}, but the weights are of {data.n_members}")
    return data


def check_model(data: ModelData) -> None:
    """Check shapes, names and numbers of a model.

    Raises:
        ModelFileError: names the array or key, what it is and what it should be.
    """
    if not isinstance(data.descriptor, dict) or not isinstance(data.descriptor.get("functions"), list):
        raise ModelFileError("descriptor: there is no list of 'functions'")
    n_features = len(data.descriptor["functions"])
    n_members, n_elements = (data.scale.shape[0] if data.scale.ndim else 0), len(data.elements)
    if n_members < 1 or n_elements < 1 or len(set(data.elements)) != n_elements:
        raise ModelFileError(
            f"{n_members} members and elements {data.elements}: one member and element at least, "
            "each element once"
        )
    if data.activation not in ACTIVATION_NAMES:
        raise ModelFileError(f"activation {data.activation!r} is not one of {', '.join(ACTIVATION_NAMES)}")
    sizes = [n_features, *data.hidden_layers, 1]
    lead = (n_members, n_elements)
    expected: dict[str, tuple[int, ...]] = {"scale": (*lead, n_features), "shift": (*lead, n_features)}
    for l in range(len(sizes) - 1):  # noqa: E741
        expected[f"layers.{l}.weight"] = (*lead, sizes[l + 1], sizes[l])
        expected[f"layers.{l}.bias"] = (*lead, sizes[l + 1])
    arrays = weight_arrays(data)
    if "feature_min" in arrays:
        expected["feature_min"] = expected["feature_max"] = (n_elements, n_features)
    if data.distance is not None:
        if not isinstance(data.distance, Mapping):
            raise ModelFileError(f"distance is {data.distance!r}, not an object")
        axes = arrays.get("distance.axes", np.empty(0))
        n_axes = axes.shape[1] if axes.ndim == 3 else 0
        if n_axes > n_features:
            raise ModelFileError(f"distance.axes has {n_axes} axes, allowed are 0 to {n_features}")
        expected["distance.shift"] = expected["distance.scale"] = (n_elements, n_features)
        expected["distance.axes"] = (n_elements, n_axes, n_features)
    if set(arrays) != set(expected):
        raise ModelFileError(f"arrays {sorted(arrays)} given, {sorted(expected)} expected")
    for name, array in arrays.items():
        if array.shape != expected[name]:
            raise ModelFileError(f"{name} has shape {array.shape}, expected {expected[name]}")
        if not np.isfinite(array).all():
            raise ModelFileError(f"{name} has values that are not finite")
    _check_numbers(data)
    names = {pair_name(a, b) for i, a in enumerate(data.elements) for b in data.elements[i:]}
    for name, distance in data.shortest_distances.items():
        if name not in names or not (isinstance(distance, float | int) and 0.0 < distance < float("inf")):
            raise ModelFileError(f"shortest_distances: {name!r} is {distance!r}, not Å of a pair of elements")
    try:
        parse_baseline(data.baseline, data.elements, float(data.descriptor["cutoff"]))
        parse_free_atoms(data.free_atoms, data.elements)
        parse_spread_maps(data.spread_maps, data.elements)
    except (InvalidArgumentError, AttributeError) as error:
        raise ModelFileError(str(error)) from None
    if data.atomic_energies.shape != (n_elements,) or not np.isfinite(data.atomic_energies).all():
        raise ModelFileError(f"atomic_energies {data.atomic_energies} are not {n_elements} finite numbers")


def _check_numbers(data: ModelData) -> None:
    """Check test errors and uncertainty factors: finite and not negative."""
    numbers = {
        "energy_rmse": data.energy_rmse,
        "force_rmse": data.force_rmse,
        "energy_uncertainty_factor": data.energy_uncertainty_factor,
        "force_uncertainty_factor": data.force_uncertainty_factor,
    }
    for name, number in numbers.items():
        if number is not None and not 0.0 <= number < float("inf"):
            raise ModelFileError(f"{name} is {number}; it must be a finite number that is not negative")
