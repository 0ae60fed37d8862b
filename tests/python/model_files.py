"""Small model files for tests, written without torch; also broken ones with a valid checksum."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from itertools import pairwise
from typing import Any

import numpy as np

DESCRIPTOR = {
    "type": "eeACSF",
    "cutoff": 4.0,
    "radial": "gaussian_bump",
    "angular": "cos",
    "scaling": "linear",
    "table": "h-xe",
    "functions": [
        {"kind": "radial", "weight": "1", "eta": 0.1},
        {"kind": "radial", "weight": "n", "eta": 0.4},
        {"kind": "radial", "weight": "s", "eta": 0.05},
        {"kind": "angular", "weight": "1", "combine": "sum", "eta": 0.05, "lambda": 1, "zeta": 1, "xi": 1},
        {"kind": "angular", "weight": "s", "combine": "sum", "eta": 0.08, "lambda": -1, "zeta": 2, "xi": 3},
    ],
}


def header(**changes: Any) -> dict[str, Any]:
    """Return the `lmlp.json` of a valid model of H and O, with changes; None removes a key."""
    entries: dict[str, Any] = {
        "format": "lmlp-model",
        "format_version": 1,
        "lmlp_version": "0.1.0",
        "units": {"length": "Angstrom", "energy": "eV"},
        "elements": ["H", "O"],
        "descriptor": DESCRIPTOR,
        "hidden_layers": [7, 4],
        "activation": "stanh",
        "n_members": 3,
        "atomic_energies": {"H": -13.5, "O": -2041.25},
        "test_rmse": {"energy": 0.005, "forces": 0.1},
        "uncertainty": {"energy_factor": 2.0, "force_factor": 1.5, "calibration": {}},
        "provenance": {},
    }
    entries.update(changes)
    return {key: value for key, value in entries.items() if value != "remove"}


def distance_arrays(elements: int, features: int, n_axes: int, seed: int) -> dict[str, np.ndarray]:
    """Return random arrays of a distance: orthogonal axes that take away most of what lies along them."""
    rng = np.random.default_rng(seed + 100)
    axes = np.stack([np.linalg.qr(rng.normal(size=(features, features)))[0] for _ in range(elements)])
    shares = np.sqrt(1.0 - rng.uniform(1e-4, 0.5, (elements, n_axes)))
    return {
        "distance.shift": rng.uniform(0.2, 1.0, (elements, features)),
        "distance.scale": rng.uniform(0.5, 2.0, (elements, features)),
        "distance.axes": shares[:, :, None] * axes[:, :n_axes],
    }


def spread_maps(elements: list[str]) -> dict[str, Any]:
    """Return a ``spread_maps`` block whose numbers all differ."""
    forces = {name: {"floor": 0.01 * (e + 1), "factor": 1.5 + e} for e, name in enumerate(elements)}
    return {
        "energy": {"floor": 0.002, "factor": 1.25},
        "forces": forces,
        "stress": {"floor": 0.003, "factor": 0.75},
    }


def version_4(**changes: Any) -> dict[str, Any]:
    """Return the header of a valid model with spread maps and a distance, with changes."""
    newer = {
        "format_version": 4,
        "baseline": None,
        "free_atoms": None,
        "spread_maps": spread_maps(changes.get("elements", ["H", "O"])),
        "distance": {"quantile": 0.999, "atoms": {"H": 40, "O": 20}},
    }
    return header(**{**newer, **changes})


def arrays(
    header: dict[str, Any], *, seed: int = 0, ranges: bool = True, n_axes: int = 3
) -> dict[str, np.ndarray]:
    """Return random arrays of the shapes that a header asks for."""
    rng = np.random.default_rng(seed)
    members, elements = header["n_members"], len(header["elements"])
    sizes = [len(header["descriptor"]["functions"]), *header["hidden_layers"], 1]
    out = {
        "scale": rng.uniform(0.5, 2.0, (members, elements, sizes[0])),
        "shift": rng.normal(size=(members, elements, sizes[0])),
    }
    for layer, (n_in, n_out) in enumerate(pairwise(sizes)):
        out[f"layers.{layer}.weight"] = rng.normal(size=(members, elements, n_out, n_in)) / np.sqrt(n_in)
        out[f"layers.{layer}.bias"] = rng.normal(size=(members, elements, n_out))
    if ranges:
        out["feature_min"] = rng.uniform(0.0, 0.4, (elements, sizes[0]))
        out["feature_max"] = out["feature_min"] + rng.uniform(0.2, 1.5, (elements, sizes[0]))
    if header.get("distance") is not None:
        out |= distance_arrays(elements, sizes[0], n_axes, seed)
    return out


def safetensors_bytes(values: dict[str, np.ndarray]) -> bytes:
    table, data = {}, b""
    for name, array in values.items():
        raw = np.ascontiguousarray(array, dtype=np.float64).tobytes()
        table[name] = {
            "dtype": "F64",
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text + data


def sign(archive: bytes) -> bytes:
    """Put the checksum of a zip archive without comment into its comment."""
    content = archive[:-2] + struct.pack("<H", 76)
    return content + b"lmlp-sha256:" + hashlib.sha256(content).hexdigest().encode()


def pack(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return sign(buffer.getvalue())


def model_bytes(header: dict[str, Any], weights: bytes) -> bytes:
    """Return a model file of any header and any weights."""
    complete = {"weights_sha256": hashlib.sha256(weights).hexdigest(), **header}
    return pack(
        {
            "model/data.pkl": b"not read by the core",
            "model/extra/lmlp.json": json.dumps(complete).encode(),
            "model/extra/weights.safetensors": weights,
        }
    )
