"""Keyword arguments of the face: settings of a run by their own names, or by those of the command line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypedDict

from lmlp.errors import ConfigError

# short name -> section and key
SHORT = {
    "energy_key": ("keys", "energy"),
    "forces_key": ("keys", "forces"),
    "stress_key": ("keys", "stress"),
    "virial_key": ("keys", "virial"),
    "weights_key": ("keys", "weights"),
    "units_key": ("keys", "units"),
    "preset": ("descriptor", "preset"),
    "cutoff": ("descriptor", "cutoff"),
    "open_elements": ("descriptor", "open_elements"),
    "members": ("model", "members"),
    "hidden": ("model", "hidden"),
    "activation": ("model", "activation"),
    "baseline": ("model", "baseline"),
}
# sections that one word stands for
_WORDS = {"optimizer": "name"}


class KeysSettings(TypedDict, total=False):
    """Names of the labels in the data."""

    energy_key: str
    forces_key: str
    stress_key: str
    virial_key: str
    weights_key: Literal["none"]
    units_key: Literal["none"]
    keys: Mapping[str, Any]


class StepsSettings(KeysSettings, total=False):
    """What every run of steps can be told."""

    epochs: int
    time_limit: float | str
    batch_size: int
    model: Mapping[str, Any]
    loss: Mapping[str, Any]
    optimizer: str | Mapping[str, Any]
    valid_every: int
    valid_fraction: float
    average: float
    seed: int
    dtype: Literal["float32", "float64"]
    threads: int
    memory_budget: int | str
    checkpoint_interval: float | str


class TrainSettings(StepsSettings, total=False):
    """Keyword settings of ``lmlp.train``."""

    preset: str
    cutoff: float
    open_elements: bool
    members: int
    hidden: list[int]
    activation: str
    baseline: str | Mapping[str, Any]
    selection: str | float | Mapping[str, Any]
    elements: list[str]
    descriptor: Mapping[str, Any]
    holdout_fraction: float
    derivatives: Literal["automatic", "stored", "computed"]
    stream: Literal["automatic", "always", "never"]
    shuffle_block: int


class LearnSettings(StepsSettings, total=False):
    """Keyword settings of ``lmlp.learn``."""

    selection: Mapping[str, Any]
    frames: tuple[int, int]
    strategy: str
    networks: Literal["present", "all", "new"]
    balance: float
    ewc: float
    ewc_structures: int
    check_fraction: float
    memory_structures: int | None
    memory_bytes: int | str | None
    max_forgetting: float


def nested(settings: Mapping[str, Any], known: Iterable[str], where: str) -> dict[str, Any]:
    """Return settings as a configuration has them, sections as dictionaries.

    Args:
        settings: keyword arguments.
        known: keys of the configuration.
        where: who was called, for messages.

    Raises:
        ConfigError: a name that is none, or one key given twice.
    """
    sections = set(known)
    names = {*sections, *(short for short, (section, _) in SHORT.items() if section in sections)}
    result: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in names:
            close = difflib.get_close_matches(name, sorted(names), n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(names))}"
            raise ConfigError(f"{where}: {name}: no such setting ({hint})")
        if name not in SHORT:
            word = _WORDS.get(name)
            result[name] = {word: value} if word is not None and isinstance(value, str) else _plain(value)
    for name, (section, key) in SHORT.items():
        inner = result.get(section, {})
        if not isinstance(inner, Mapping):
            raise ConfigError(f"{where}: {section}: give a dictionary; got {inner!r}")
        if name in settings:
            if key in inner:
                raise ConfigError(f"{where}: {name} and {section}[{key!r}] are the same setting, given twice")
            result[section] = {**inner, key: settings[name]}
    unknown = set(result.get("keys", {})) - {key for section, key in SHORT.values() if section == "keys"}
    if unknown:
        raise ConfigError(f"{where}: keys[{min(unknown)!r}]: no such setting")
    return result


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value
