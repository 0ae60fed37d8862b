"""Import models of the original lMLP prediction program: a settings file and one checkpoint per member.

Lengths are in Å and energies in eV in these files, as they are here; nothing is converted.
Source of the format: the published program (BSD-3), JCTC 2023, 19, 3509 (doi 10.1021/acs.jctc.3c00279).
"""

from __future__ import annotations

import configparser
import io
from ast import literal_eval
from dataclasses import dataclass
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lmlp.descriptor.spec import normalize_spec
from lmlp.errors import InvalidArgumentError, ModelFileError
from lmlp.model.data import ModelData

PROPERTIES = ("1", "n", "s", "d", "6-n", "9-s", "11-d")
ACTIVATIONS = {"sTanh": "stanh", "Tanh": "tanh", "Tanhshrink": "tanhshrink"}
RADIAL = ("bump", "gaussian_bump", "gaussian_cos")
ANGULAR = ("bump", "cos", "cos_int")
SCALING = ("crss", "linear", "sqrt")


@dataclass(frozen=True)
class OriginalSettings:
    """The ``[settings]`` of a model of the original program that matter here.

    Attributes:
        path: the settings file; members lie beside it.
        members: file names of the member checkpoints.
        elements: chemical symbols in species order.
        test_rmse: mean over members of the test errors, eV/atom and eV/Å.
        descriptor: type, radial, angular and scaling.
        n_features: number of symmetry functions.
        hidden_layers: sizes of the hidden layers.
        activation: name in the model file.
        has_scale_shift: whether the networks begin with a scale/shift layer.
    """

    path: Path
    members: list[str]
    elements: list[str]
    test_rmse: tuple[float, float]
    descriptor: dict[str, str]
    n_features: int
    hidden_layers: list[int]
    activation: str
    has_scale_shift: bool


def import_original(path: str | Path) -> ModelData:
    """Read a model of the original program.

    Args:
        path: its settings file (``.ini``); member checkpoints are looked for beside it.

    Raises:
        ModelFileError: names the file and the key or array that is missing, wrong or not supported.
    """
    settings = read_settings(Path(path))
    checkpoints = [_load_checkpoint(settings.path.parent / name) for name in settings.members]
    first = checkpoints[0]
    for name, checkpoint in zip(settings.members, checkpoints, strict=True):
        for key in ("descriptor_parameters", "R_c", "element_energy"):
            if checkpoint[key] != first[key]:
                raise ModelFileError(
                    f"{settings.path.parent / name}: {key} differs from {settings.members[0]}"
                )
    missing = [e for e in settings.elements if e not in first["element_energy"]]
    if missing:
        raise ModelFileError(f"{settings.path.parent / settings.members[0]}: element_energy lacks {missing}")
    descriptor = descriptor_of(settings, first["descriptor_parameters"], float(first["R_c"]))
    networks = [
        _networks(settings, checkpoint["model_state_dict"], settings.path.parent / name)
        for name, checkpoint in zip(settings.members, checkpoints, strict=True)
    ]
    stacked = {name: np.stack([network[name] for network in networks]) for name in networks[0]}
    n_layers = len(settings.hidden_layers) + 1
    return ModelData(
        elements=settings.elements,
        descriptor=descriptor,
        hidden_layers=settings.hidden_layers,
        activation=settings.activation,
        atomic_energies=np.array([float(first["element_energy"][e]) for e in settings.elements]),
        scale=stacked["scale"],
        shift=stacked["shift"],
        weights=[stacked[f"weight {l}"] for l in range(n_layers)],  # noqa: E741
        biases=[stacked[f"bias {l}"] for l in range(n_layers)],  # noqa: E741
        energy_rmse=settings.test_rmse[0],
        force_rmse=settings.test_rmse[1],
        provenance={"kind": "imported from the original program", "settings": settings.path.name},
    )


def read_settings(path: Path) -> OriginalSettings:
    """Read and check the settings file.

    Raises:
        ModelFileError: names the file, the key, what was given and what is allowed.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
    except OSError as error:
        raise ModelFileError(f"{path}: cannot read: {error.strerror}") from error
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ModelFileError(f"{path}: not a settings file: {error}") from None
    if not parser.has_section("settings"):
        raise ModelFileError(f"{path}: there is no section [settings]")
    reader = _Reader(path, dict(parser["settings"]))
    reader.choice("generalization_format", ("lMLP", "lMLP-only_prediction"))
    reader.choice("model_type", ("HDNNP",))
    reader.choice("dtype_torch", ("double", "float"))
    if reader.value("qmmm", bool):
        raise ModelFileError(
            f"{path}: qmmm = True: models with point charges of an environment (QM/MM) are not supported"
        )
    descriptor = {
        "type": reader.choice("descriptor_type", ("eeACSF", "ACSF")),
        "radial": reader.choice("descriptor_radial_type", RADIAL),
        "angular": reader.choice("descriptor_angular_type", ANGULAR),
        "scaling": reader.choice("descriptor_scaling_type", SCALING),
    }
    members = reader.list_of("ensemble", str)
    errors = np.array(reader.value("test_rmses", list), dtype=float)
    if errors.ndim != 2 or len(errors) != len(members) or errors.shape[1] < 2:
        raise ModelFileError(
            f"{path}: test_rmses must be one pair (eV/atom, eV/Å) for each of {len(members)} members"
        )
    return OriginalSettings(
        path=path,
        members=members,
        elements=reader.list_of("element_types", str),
        test_rmse=(float(errors[:, 0].mean()), float(errors[:, 1].mean())),
        descriptor=descriptor,
        n_features=reader.value("n_descriptors", int),
        hidden_layers=reader.list_of("n_neurons_hidden_layers", int),
        activation=ACTIVATIONS[reader.choice("activation_function_type", tuple(ACTIVATIONS))],
        has_scale_shift=reader.value("scale_shift_layer", bool),
    )


class _Reader:
    """Values of one section, with errors that name file, key and value."""

    def __init__(self, path: Path, section: dict[str, str]) -> None:
        self.path, self.section = path, section

    def text(self, key: str) -> str:
        if key not in self.section:
            raise ModelFileError(f"{self.path}: the key {key} is missing")
        return self.section[key].strip()

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        given = self.text(key)
        if given not in allowed:
            raise ModelFileError(
                f"{self.path}: {key} = {given} is not supported; supported: {', '.join(allowed)}"
            )
        return given

    def value(self, key: str, kind: type) -> Any:
        text = self.text(key)
        try:
            value = literal_eval(text)
        except (ValueError, SyntaxError):
            value = None
        if type(value) is not kind:
            raise ModelFileError(f"{self.path}: {key} = {text} is not of type {kind.__name__}")
        return value

    def list_of(self, key: str, kind: type) -> list[Any]:
        values: list[Any] = self.value(key, list)
        if not values or any(type(value) is not kind for value in values):
            raise ModelFileError(f"{self.path}: {key} = {values} is not a list of {kind.__name__}")
        return values


def descriptor_of(settings: OriginalSettings, rows: list[list[float]], cutoff: float) -> dict[str, Any]:
    """Translate rows of numbers into the descriptor block of ``lmlp.json``.

    eeACSF rows are (1, t, η) and (2, t, η, λ, ζ, ξ), t = 0..6 the weight type, 7..12 the differences of types
    1..6. ACSF rows lack t: a row is repeated for every element (or unordered pair of elements) in turn.
    """
    where = f"{settings.path.parent / settings.members[0]}: descriptor_parameters"
    if len(rows) != settings.n_features:
        raise ModelFileError(f"{where}: {len(rows)} rows, but n_descriptors = {settings.n_features}")
    if sorted(rows, key=lambda row: row[0]) != list(rows) or any(row[0] not in (1, 2) for row in rows):
        raise ModelFileError(f"{where}: radial rows (1, …) must come first, then angular rows (2, …)")
    is_element_mode = settings.descriptor["type"] == "ACSF"
    length = {1: 2, 2: 5} if is_element_mode else {1: 3, 2: 6}
    for i, row in enumerate(rows):
        if len(row) != length[int(row[0])]:
            raise ModelFileError(f"{where}: row {i} {row} has {len(row)} numbers, not {length[int(row[0])]}")
    radial, angular = [r for r in rows if r[0] == 1], [r for r in rows if r[0] == 2]
    if is_element_mode:
        functions = _element_functions(settings, radial, angular)
    else:
        functions = [
            {"kind": "radial", **_property(row[1], 6, where), "eta": float(row[2])} for row in radial
        ]
        functions += [
            {
                "kind": "angular",
                "combine": "sum",
                **_property(row[1], 12, where),
                **_angular(settings, row[2:]),
            }
            for row in angular
        ]
    spec: dict[str, Any] = {**settings.descriptor, "cutoff": cutoff, "functions": functions}
    if not is_element_mode:
        spec["table"] = "h-xe"
    return _checked(spec, where)


def _checked(spec: dict[str, Any], where: str) -> dict[str, Any]:
    """Validate; forms that are refused by default for cusps or jumps are taken as they were trained."""
    try:
        try:
            normalize_spec(spec)
            return spec
        except InvalidArgumentError:
            normalize_spec({**spec, "allow_nonsmooth": True})
            return {**spec, "allow_nonsmooth": True}
    except InvalidArgumentError as error:
        raise ModelFileError(f"{where}: {error}") from None


def _property(kind: float, largest: int, where: str) -> dict[str, str]:
    if kind != int(kind) or not 0 <= kind <= largest:
        raise ModelFileError(f"{where}: weight type {kind} is not an integer from 0 to {largest}")
    if kind > 6:
        return {"weight": PROPERTIES[int(kind) - 6], "combine": "difference"}
    return {"weight": PROPERTIES[int(kind)]}


def _angular(settings: OriginalSettings, parameters: list[float]) -> dict[str, float]:
    """Name η, λ, ζ, ξ, as far as the angular form uses them."""
    eta, lam, zeta, xi = map(float, parameters)
    used = {"bump": ("lambda", "xi"), "cos": ("lambda", "zeta", "xi"), "cos_int": ("lambda", "zeta")}
    values = {"lambda": lam, "zeta": int(zeta) if zeta == int(zeta) else zeta, "xi": xi}
    return {"eta": eta, **{name: values[name] for name in used[settings.descriptor["angular"]]}}


def _element_functions(
    settings: OriginalSettings, radial: list[list[float]], angular: list[list[float]]
) -> list[dict[str, Any]]:
    elements = settings.elements
    pairs = list(combinations_with_replacement(elements, 2))
    functions: list[dict[str, Any]] = [
        {"kind": "radial", "weight": elements[i % len(elements)], "eta": float(row[1])}
        for i, row in enumerate(radial)
    ]
    for i, row in enumerate(angular):
        first, second = pairs[i % len(pairs)]
        functions.append(
            {"kind": "angular", "weight": first, "weight2": second, **_angular(settings, row[1:])}
        )
    return functions


def _load_checkpoint(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot read: {error.strerror}") from error
    try:
        checkpoint = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch and pickle raise a dozen kinds on damaged files
        raise ModelFileError(f"{path}: not a checkpoint of the original program: {error}") from error
    if not isinstance(checkpoint, dict):
        raise ModelFileError(f"{path}: not a checkpoint of the original program")
    for key in ("model_state_dict", "descriptor_parameters", "R_c", "element_energy"):
        if key not in checkpoint:
            raise ModelFileError(f"{path}: {key} is missing")
    return checkpoint


def _networks(settings: OriginalSettings, state: dict[str, Any], path: Path) -> dict[str, np.ndarray]:
    """Collect the arrays of one member, elements first, as float64."""
    sizes = [settings.n_features, *settings.hidden_layers, 1]
    expected: dict[str, tuple[str, tuple[int, ...]]] = {}
    first = 0
    if settings.has_scale_shift:
        expected["scale"], expected["shift"] = ("0.weight", (sizes[0],)), ("0.bias", (sizes[0],))
        first = 1
    for l in range(len(sizes) - 1):  # noqa: E741
        expected[f"weight {l}"] = (f"{first + 2 * l}.weight", (sizes[l + 1], sizes[l]))
        expected[f"bias {l}"] = (f"{first + 2 * l}.bias", (sizes[l + 1],))
    arrays = {
        name: np.stack([_array(state, f"{e}.{key}", shape, path) for e in range(len(settings.elements))])
        for name, (key, shape) in expected.items()
    }
    if len(state) != len(expected) * len(settings.elements):
        raise ModelFileError(
            f"{path}: model_state_dict has {len(state)} arrays, not those of the settings file"
        )
    if not settings.has_scale_shift:
        arrays["scale"] = np.ones((len(settings.elements), sizes[0]))
        arrays["shift"] = np.zeros_like(arrays["scale"])
    return arrays


def _array(state: dict[str, Any], name: str, shape: tuple[int, ...], path: Path) -> np.ndarray:
    key = f"atomic_neural_networks.{name}"
    if key not in state:
        raise ModelFileError(f"{path}: {key} is missing")
    array: np.ndarray = state[key].to(torch.float64).numpy()
    if array.shape != shape:
        raise ModelFileError(f"{path}: {key} has shape {array.shape}, the settings file asks for {shape}")
    return array
