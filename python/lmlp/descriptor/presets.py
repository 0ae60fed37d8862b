"""Descriptor presets: ready-made specs for a list of elements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lmlp.descriptor.channels import Channels
from lmlp.descriptor.correlation_preset import (
    correlation_rows,
    growing_centers,
    independent_channels,
    multiple_functions,
    pair_functions,
)
from lmlp.descriptor.preset_options import check_preset_options
from lmlp.descriptor.pruning import prune
from lmlp.descriptor.ranges import first_centers
from lmlp.descriptor.spec import element_weights, normalize_spec
from lmlp.elements import atomic_number, default_table
from lmlp.errors import InvalidArgumentError

_Row = dict[str, Any]
_LARGEST_CUTOFF = 50.0


def preset_names() -> tuple[str, ...]:
    """Return the names that :func:`make_preset` knows."""
    return tuple(_PRESETS)


def make_preset(
    name: str, elements: Sequence[str], cutoff: float | None = None, **options: Any
) -> dict[str, Any]:
    """Make the spec of a preset.

    Args:
        name: one of :func:`preset_names`. ``eeacsf-153``: 153 functions gaussian_bump + cos + sqrt as in JCTC
            2023, 19, 3509. ``eeacsf-bump``: bump + bump + crss. ``eeacsf-resolved``: shifted Gaussians and
            Legendre polynomials over products of element channels, linear. ``eeacsf-correlation``: shifted
            Gaussians and many-body correlation functions, linear.
        elements: chemical symbols of the model.
        cutoff: Å; default 6.0, for ``eeacsf-resolved`` and ``eeacsf-correlation`` 4.5.
        options: all presets: ``table`` (element table, default by the elements) and ``keep_all`` (True keeps
            functions that are zero or copies for these elements, for models that will learn more elements).
            ``eeacsf-resolved``: ``angular_cutoff`` (4.0 Å), ``n_radial`` (16), ``n_angular`` (6), ``r_min``
            (0.8 Å), ``angular_r_min`` (0.9 Å), ``shortest`` (None; the shortest distance in the data in Å,
            which the two before follow where they are not given, unless ``keep_all``), ``l_max`` (4),
            ``channels`` (``auto``, ``1ns`` or ``onehot``).
            ``eeacsf-correlation``: the same but ``channels`` (``auto``: properties that are linearly
            independent for the elements; ``all``: for models that will learn more elements), and ``growth``
            (1: centers equally spaced in R^(1/growth)), ``span`` (1: power spectra between radial functions
            up to so many apart), ``l_max_triples`` (3), ``l_max_quadruples`` (0: none of four factors).

    Returns:
        The ``descriptor`` block of a model file.

    Raises:
        InvalidArgumentError: an unknown preset or option.
        UnknownElementError: an element that the table lacks.
    """
    if name not in preset_names():
        raise InvalidArgumentError(f"unknown preset {name!r}; allowed are {', '.join(preset_names())}")
    if not elements:
        raise InvalidArgumentError("a preset needs at least one element")
    maker, allowed = _PRESETS[name]
    unknown = sorted(set(options) - set(allowed) - {"table", "keep_all"})
    if unknown:
        known = ", ".join(["table", "keep_all", *allowed])
        raise InvalidArgumentError(f"preset {name} has no option {unknown[0]!r}; allowed are {known}")
    if cutoff is not None and not 0.0 < cutoff <= _LARGEST_CUTOFF:
        raise InvalidArgumentError(f"cutoff {cutoff} Å: give a number above 0, at most {_LARGEST_CUTOFF:g}")
    check_preset_options(options)
    keep_all = options.pop("keep_all", False)
    table = options.pop("table", None) or default_table(elements)
    spec = normalize_spec(maker(Channels(elements, table, keep_all=keep_all), cutoff, **options))
    return spec if keep_all else prune(spec, elements)[0]


def make_data_preset(
    name: str,
    elements: Sequence[str],
    cutoff: float | None,
    shortest: Mapping[str, float],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Make the spec of a preset for data: its functions begin where distances do, unless options say where.

    Args:
        name: see :func:`make_preset`, as ``elements`` and ``cutoff``.
        elements: chemical symbols of the model.
        cutoff: Å, or None.
        shortest: shortest distances in the data in Å by pair; may be empty.
        options: of the preset.
    """
    if shortest and name in _PRESETS and "shortest" in _PRESETS[name][1]:
        options = {"shortest": min(shortest.values()), **options}
    for beside in {"cutoff", "name", "elements"} & set(options):
        raise InvalidArgumentError(f"descriptor.options: {beside} is none of them, it is set beside them")
    return make_preset(name, elements, cutoff, **{str(k): v for k, v in options.items()})


def _pair_weights(channels: Channels) -> list[tuple[str, str]]:
    sums = [(p, "sum") for p in channels.all_properties()]
    return sums + [(p, "difference") for p in channels.differences()]


def _header(channels: Channels, cutoff: float, forms: tuple[str, str, str]) -> dict[str, Any]:
    radial, angular, scaling = forms
    return {
        "type": "eeACSF",
        "cutoff": cutoff,
        "radial": radial,
        "angular": angular,
        "scaling": scaling,
        "table": channels.table,
    }


def _radial_rows(channels: Channels, etas: Sequence[float]) -> list[_Row]:
    weights = channels.all_properties()
    return [{"kind": "radial", "weight": weight, "eta": eta} for weight in weights for eta in etas]


def _eeacsf_153(channels: Channels, cutoff: float | None) -> dict[str, Any]:
    radial_etas = [0, 0.0125, 0.0263, 0.0426, 0.0631, 0.0905, 0.1293, 0.1879, 0.2835, 0.4574, 0.8273]
    angles = [(lam, 1, xi) for xi in (1, 4, 16) for lam in (1, -1)] + [(1, 2, 1)]
    rows = _radial_rows(channels, radial_etas)
    for weight, combine in _pair_weights(channels):
        for eta in (0.0, 0.08):
            for lam, zeta, xi in angles:
                row = {"kind": "angular", "weight": weight, "combine": combine, "eta": eta}
                rows.append({**row, "lambda": lam, "zeta": zeta, "xi": xi})
    return {**_header(channels, cutoff or 6.0, ("gaussian_bump", "cos", "sqrt")), "functions": rows}


def _eeacsf_bump(channels: Channels, cutoff: float | None) -> dict[str, Any]:
    radial_etas = [0.390, 0.590, 0.851, 1.20, 1.68, 2.38, 3.43, 5.13, 8.15, 14.3, 30.1]
    rows = _radial_rows(channels, radial_etas)
    for weight, combine in _pair_weights(channels):
        for eta in (0.5, 2.0):
            for lam in (0, 1):
                for xi in (0.5, 2.0, 8.0):
                    row = {"kind": "angular", "weight": weight, "combine": combine, "eta": eta}
                    rows.append({**row, "lambda": lam, "xi": xi})
    return {**_header(channels, cutoff or 6.0, ("bump", "bump", "crss")), "functions": rows}


def _centers(r_min: float, r_max: float, n: int) -> tuple[list[float], float]:
    """Return n centers from r_min to r_max and the eta of a Gaussian as wide as their spacing."""
    if n < 2 or r_max <= r_min:
        raise InvalidArgumentError(
            f"shifted Gaussians need 2 or more centers and r_min < r_max, given {n} from {r_min} to {r_max} Å"
        )
    spacing = (r_max - r_min) / (n - 1)
    return [round(r_min + i * spacing, 10) for i in range(n)], round(1 / (2 * spacing**2), 10)


_Pair = tuple[float, float]  # of radial and angular functions


def _ends(
    available: Channels, cutoffs: _Pair, given: tuple[float | None, float | None], shortest: float | None
) -> tuple[_Pair, _Pair]:
    """Return first and last centers of shifted Gaussians; elements to come may be closer than the data."""
    last = cutoffs[0] - 0.3, cutoffs[1] - 0.4
    default = first_centers(None if available.keep_all else shortest, last)
    radial, angular = (d if g is None else g for g, d in zip(given, default, strict=True))
    return (radial, angular), last


def _eeacsf_resolved(
    available: Channels,
    cutoff: float | None,
    *,
    angular_cutoff: float = 4.0,
    n_radial: int = 16,
    n_angular: int = 6,
    r_min: float | None = None,
    angular_r_min: float | None = None,
    shortest: float | None = None,
    l_max: int = 4,
    channels: str = "auto",
) -> dict[str, Any]:
    cutoff = cutoff or 4.5
    angular_cutoff = min(angular_cutoff, cutoff)
    singles, pairs, type_ = _resolved_weights(available, channels)
    first, last = _ends(available, (cutoff, angular_cutoff), (r_min, angular_r_min), shortest)
    shifts, eta = _centers(first[0], last[0], n_radial)
    rows: list[_Row] = [
        {"kind": "radial", "weight": weight, "eta": eta, "shift": shift}
        for weight in singles
        for shift in shifts
    ]
    shifts, eta = _centers(first[1], last[1], n_angular)
    rows += [
        {"kind": "angular", **pair, "eta": eta, "shift": shift, "l": l}
        for pair in pairs
        for shift in shifts
        for l in range(l_max + 1)  # noqa: E741
    ]
    header = _header(available, cutoff, ("gaussian_shift", "legendre", "linear"))
    if type_ == "ACSF":
        del header["table"]
    return {**header, "type": type_, "angular_cutoff": angular_cutoff, "functions": rows}


def _eeacsf_correlation(
    available: Channels,
    cutoff: float | None,
    *,
    angular_cutoff: float = 4.0,
    n_radial: int = 16,
    n_angular: int = 6,
    r_min: float | None = None,
    angular_r_min: float | None = None,
    shortest: float | None = None,
    growth: float = 1.0,
    l_max: int = 4,
    span: int = 1,
    l_max_triples: int = 3,
    l_max_quadruples: int = 0,
    channels: str = "auto",
) -> dict[str, Any]:
    cutoff = cutoff or 4.5
    angular_cutoff = min(angular_cutoff, cutoff)
    names = _correlation_channels(available, channels)
    first, last = _ends(available, (cutoff, angular_cutoff), (r_min, angular_r_min), shortest)
    shifts, etas = growing_centers(first[0], last[0], n_radial, growth)
    rows: list[_Row] = [
        {"kind": "radial", "weight": weight, "eta": eta, "shift": shift}
        for weight in names
        for eta, shift in zip(etas, shifts, strict=True)
    ]
    shifts, etas = growing_centers(first[1], last[1], n_angular, growth)
    rows += correlation_rows(pair_functions(names, n_angular, l_max, span), shifts, etas)
    for n_factors, l_most in ((3, l_max_triples), (4, l_max_quadruples)):
        rows += correlation_rows(multiple_functions(names, n_angular, l_most, n_factors), shifts, etas)
    header = _header(available, cutoff, ("gaussian_shift", "legendre", "linear"))
    del header["angular"]
    return {**header, "angular_cutoff": angular_cutoff, "functions": rows}


def _correlation_channels(available: Channels, option: str) -> list[str]:
    if option not in ("auto", "all"):
        raise InvalidArgumentError(f"channels is {option!r}; allowed are auto, all")
    names = available.independent()
    if option == "all" or available.keep_all:
        return names
    rows: list[_Row] = [{"kind": "radial", "weight": name, "eta": 0.0} for name in names]
    probe = {**_header(available, 1.0, ("gaussian_bump", "cos", "linear")), "functions": rows}
    return independent_channels(names, element_weights(probe, available.elements))


def _resolved_weights(available: Channels, option: str) -> tuple[list[str], list[dict[str, str]], str]:
    """Return radial weights, angular weights and the descriptor type."""
    if option not in ("auto", "1ns", "onehot"):
        raise InvalidArgumentError(f"channels is {option!r}; allowed are auto, 1ns, onehot")
    # up to three elements, one channel per element is complete and never larger than (1, n, s)
    if option == "onehot" or (option == "auto" and len(available.elements) <= 3):
        symbols = sorted(available.elements, key=atomic_number)
        pairs = [{"weight": a, "weight2": b} for i, a in enumerate(symbols) for b in symbols[i:]]
        return symbols, pairs, "ACSF"
    names = available.independent()
    products = [
        {"weight": a, "weight2": b, "combine": "product"} for i, a in enumerate(names) for b in names[i:]
    ]
    return names, products, "eeACSF"


_RESOLVED_OPTIONS = (
    "angular_cutoff",
    "n_radial",
    "n_angular",
    "r_min",
    "angular_r_min",
    "shortest",
    "l_max",
    "channels",
)
_CORRELATION_OPTIONS = (*_RESOLVED_OPTIONS, "growth", "span", "l_max_triples", "l_max_quadruples")
_PRESETS: dict[str, tuple[Callable[..., dict[str, Any]], tuple[str, ...]]] = {
    "eeacsf-153": (_eeacsf_153, ()),
    "eeacsf-bump": (_eeacsf_bump, ()),
    "eeacsf-resolved": (_eeacsf_resolved, _RESOLVED_OPTIONS),
    "eeacsf-correlation": (_eeacsf_correlation, _CORRELATION_OPTIONS),
}
