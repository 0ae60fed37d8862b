"""What `lmlp train` can be told; the same keys in config.yaml."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from lmlp.config.yaml_text import read_yaml
from lmlp.errors import ConfigError
from lmlp.files.names import beside
from lmlp.model.activations import ACTIVATION_NAMES
from lmlp.selection.rule import SelectionRule

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
MOST = 10**9  # of counts: beyond it a typing error
MOST_THREADS = 1024
MOST_SEED = 2**32 - 1


def parse_duration(value: Any) -> Any:
    """Return seconds of ``90``, ``"90s"``, ``"6m"``, ``"1h30m"``, ``"1.5h"``."""
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    parts = re.findall(r"([0-9]*\.?[0-9]+)\s*(min|[smhd]?)", text)
    if not parts or "".join(n + u for n, u in parts) != text.replace(" ", ""):
        raise ValueError(f"{value!r} is no duration; write 90s, 6m, 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def parse_bytes(value: Any) -> Any:
    """Return bytes of ``2147483648``, ``"2G"``, ``"512 MiB"``."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*([bkmgt]?)(?:i?b)?", value.strip().lower())
    if match is None:
        raise ValueError(f"{value!r} is no memory size; write 512M, 2G")
    size = float(match[1]) * _BYTES[match[2]]
    return int(size) if math.isfinite(size) else size


def parse_selection(value: Any) -> Any:
    """Return the rule of ``"adaptive"``, of a share p_fit, of a mapping; None of ``"uniform"``."""
    if isinstance(value, str) and value.strip().lower() in ("uniform", "adaptive"):
        return None if value.strip().lower() == "uniform" else {}
    if isinstance(value, str):
        try:
            return {"share": float(value)}
        except ValueError:
            raise ValueError(f"{value!r}: write uniform, adaptive or a share of the data") from None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"share": value}
    return value


def check_activation(value: Any) -> Any:
    """Refuse names that the core does not know."""
    if value not in ACTIVATION_NAMES:
        *others, last = map(repr, ACTIVATION_NAMES)
        raise ValueError(f"Input should be {', '.join(others)} or {last}")
    return value


def parse_output(value: Any) -> Any:
    """Refuse what names a folder: ``models/``, or nothing at all."""
    text = str(value)
    if Path(text).name in ("", "..") or text.endswith(("/", os.sep)) or "\0" in text:
        raise ValueError("that is no name of a file; name one, e.g. model.pt")
    return value


Duration = Annotated[float, BeforeValidator(parse_duration), Field(gt=0)]
Bytes = Annotated[int, BeforeValidator(parse_bytes), Field(ge=0, le=2**60)]
Count = Annotated[int, Field(ge=1, le=MOST)]
Positive = Annotated[float, Field(gt=0, le=1e30)]
Weight = Annotated[float, Field(ge=0, le=1e9)]
Activation = Annotated[str, BeforeValidator(check_activation)]
Selection = Annotated[SelectionRule | None, BeforeValidator(parse_selection)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class KeysConfig(_Section):
    """Names of the labels in the data files; by default they are guessed."""

    energy: str | None = None
    forces: str | None = None
    stress: str | None = None
    virial: str | None = None
    weights: Literal["none"] | None = Field(
        default=None, description="none: ignore weights in the files that are neither 0 nor 1"
    )
    units: Literal["none"] | None = Field(
        default=None, description="none: ignore what the files say of their units"
    )


class DescriptorConfig(_Section):
    """Symmetry functions: a preset, or a whole descriptor block as in docs/model-file.md."""

    preset: str = "eeacsf-resolved"
    cutoff: Annotated[float, Field(gt=0, le=50)] | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    open_elements: bool = Field(default=False, description="functions that any element to come can share")
    spec: dict[str, Any] | None = None

    @property
    def preset_options(self) -> dict[str, Any]:
        """Options of the preset; given ones come before those that ``open_elements`` stands for."""
        if not self.open_elements:
            return self.options
        shared = {"channels": "1ns"} if self.preset == "eeacsf-resolved" else {}
        return {"keep_all": True, "table": "h-og", **shared, **self.options}

    @model_validator(mode="after")
    def _one_source(self) -> DescriptorConfig:
        if self.open_elements and self.spec is not None:
            raise ValueError("open_elements belongs to presets; a descriptor block says itself what it has")
        return self


def _baseline_by_name(value: Any) -> Any:
    """Accept ``zbl`` and ``none`` for a section."""
    if value in ("none", "zbl"):
        return None if value == "none" else {"type": "zbl"}
    return value


class BaselineConfig(_Section):
    """Pair repulsion that is added to the networks; radii in Å, by default from covalent radii."""

    type: Literal["zbl"] = "zbl"
    inner: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="begin of the switching, all pairs; half of the outer radius"
    )
    outer: Positive | None = Field(default=None, description="end of the repulsion, all pairs")
    pairs: dict[str, tuple[float, float]] = Field(
        default_factory=dict, description="inner and outer radius of single pairs, e.g. {H-O: [0.4, 0.8]}"
    )


class ModelConfig(_Section):
    """Networks, and the fixed maps in front of them."""

    members: int = Field(default=10, ge=1, le=1000)
    hidden: list[Annotated[int, Field(ge=1, le=10_000)]] = Field(
        default_factory=lambda: [64, 64], min_length=1, max_length=10
    )
    activation: Activation = "bounded-ssilu"
    decorrelation: Positive | None = Field(
        default=10.0, description="ε of (C + ε)^(−1/2); larger regularizes more; null: standardize only"
    )
    keep: float = Field(
        default=1e-6, ge=0, lt=1, description="drop directions with less of the largest variance"
    )
    floor: float = Field(
        default=0.3, ge=0, description="smallest σ of a function in the standardization, of the median"
    )
    output_scale: Positive = Field(default=0.1, description="factor on the first weights of the last layer")
    atomic_energies: dict[str, float] = Field(
        default_factory=dict, description="eV by symbol; others are fitted"
    )
    baseline: Annotated[BaselineConfig | None, BeforeValidator(_baseline_by_name)] = Field(
        default=None, description="zbl, none, or a section with radii"
    )


class LossConfig(_Section):
    """Weights of the loss; ``final_energy`` is reached at the end, by way of the geometric mean."""

    energy: Weight = Field(default=10.0, description="q in 1/Å")
    final_energy: Weight | None = None
    force: Weight = 1.0
    stress: Weight = Field(default=1.0, description="1/Å², on the virial per atom")


class OptimizerConfig(_Section):
    """Optimizer and its annealing.

    ``decay`` lowers the step size (AdamW) or the largest step size (CoRe) over the run, which ends with
    the epochs or the time limit, whichever comes first.
    """

    name: Literal["core", "adamw"] = "core"
    lr: Positive | None = Field(default=None, description="first step size; 1e-3 (core), 3e-3 (adamw)")
    max_step: Positive = Field(default=1e-2, description="CoRe: s_max before the decay")
    min_step: Positive = Field(default=1e-6, description="CoRe: s_min")
    etas: tuple[float, float] = (0.7375, 1.2)
    betas: tuple[float, float, float, float] = (0.7375, 0.8125, 250.0, 0.99)
    adam_betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = Field(default=0.1, ge=0, le=1e6, description="CoRe: d; AdamW: decoupled decay")
    rare_decay: float = Field(
        default=1.0, ge=0, description="p in the factor (n_max/n)^p of the decay for an element with n atoms"
    )
    score_history: int = Field(default=0, ge=0, le=MOST)
    frozen: float = Field(default=0.0, ge=0, le=1)
    decay: Literal["linear", "cosine", "constant"] = "linear"
    final: float = Field(default=0.001, gt=0, le=1, description="share of the step size left at the end")
    warmup: Fraction = 0.0
    gradient_clip: Positive | None = Field(default=None, description="largest gradient norm of a member")

    @model_validator(mode="after")
    def _possible(self) -> OptimizerConfig:
        checks = [
            ("min_step", 0 < self.min_step <= self.max_step, f"at most max_step, {self.max_step}"),
            ("etas", 0 < self.etas[0] <= 1 <= self.etas[1], "0 < eta_minus <= 1 <= eta_plus"),
            (
                "betas",
                all(0 <= b < 1 for b in (*self.betas[:2], self.betas[3])) and self.betas[2] > 0,
                "the first two and the last in [0, 1), the third above 0",
            ),
            ("adam_betas", all(0 <= b < 1 for b in self.adam_betas), "in [0, 1)"),
        ]
        for name, valid, allowed in checks:
            if not valid:
                raise ValueError(f"{name}={getattr(self, name)!r}, but allowed is {allowed}")
        return self


class TrainConfig(_Section):
    """Everything that a training run depends on."""

    data: list[Path] = Field(min_length=1)
    valid: list[Path] = Field(
        default_factory=list, description="held-out structures that no member trains on"
    )
    output: Annotated[Path, BeforeValidator(parse_output)]
    keys: KeysConfig = Field(default_factory=KeysConfig)
    elements: list[str] | None = Field(
        default=None, min_length=1, description="species order; default: those of the data"
    )
    descriptor: DescriptorConfig = Field(default_factory=DescriptorConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    loss: LossConfig = Field(default_factory=LossConfig)
    optimizer: OptimizerConfig = Field(default_factory=OptimizerConfig)
    epochs: Count | None = None
    time_limit: Duration | None = Field(default=None, description="seconds for the whole run, or 6m, 1h30m")
    batch_size: Count = 8
    selection: Selection = Field(
        default=None,
        description="uniform: all data in every epoch; adaptive: a share of them, chosen by their losses",
    )
    valid_every: Count | None = Field(
        default=None,
        description="epochs between validations; 1, or half a pass if adaptive",
    )
    valid_fraction: Fraction = Field(
        default=0.05, description="each member's own share to choose its best weights"
    )
    holdout_fraction: Fraction = Field(default=0.05, description="common share for errors and calibration")
    average: Fraction = Field(
        default=0.99, description="decay per step of the weight average; 0 switches it off"
    )
    seed: int = Field(default=1, ge=0, le=MOST_SEED)
    dtype: Literal["float32", "float64"] = "float32"
    threads: int | None = Field(default=None, ge=1, le=MOST_THREADS)
    memory_budget: Bytes = 2 * 2**30
    derivatives: Literal["automatic", "stored", "computed"] = Field(
        default="automatic", description="of the network inputs: once before training, or at every step"
    )
    stream: Literal["automatic", "always", "never"] = Field(
        default="automatic", description="keep data on disk: if they need more than memory_budget, or anyway"
    )
    shuffle_block: Count | None = Field(
        default=None,
        description="consecutive structures that stay together when they are shuffled",
    )
    checkpoint_interval: Duration = 60.0

    @model_validator(mode="before")
    @classmethod
    def _single_files(cls, values: Any) -> Any:
        """Accept one file where a list is expected."""
        if isinstance(values, dict):
            values = dict(values)
            for key in ("data", "valid"):
                if isinstance(values.get(key), (str, Path)):
                    values[key] = [values[key]]
        return values

    @property
    def max_epochs(self) -> int | None:
        """Epochs to run; None: until the time limit."""
        if self.epochs is not None or self.time_limit is not None:
            return self.epochs
        return 200 if self.selection is None else round(100 / self.selection.share)

    @property
    def epochs_per_validation(self) -> int:
        """Epochs from one validation to the next."""
        if self.valid_every is not None:
            return self.valid_every
        return 1 if self.selection is None else max(1, round(0.5 / self.selection.share))

    @property
    def checkpoint(self) -> Path:
        """``<stem>.checkpoint`` beside the output; the stem is its name without ``.pt``."""
        return beside(self.output, ".checkpoint")

    @property
    def stream_folder(self) -> Path:
        """``<stem>.stream`` beside the output, for data that do not fit into memory."""
        return beside(self.output, ".stream")

    @property
    def log(self) -> Path:
        """``<stem>.log.jsonl`` beside the output."""
        return beside(self.output, ".log.jsonl")


_Config = TypeVar("_Config", bound=TrainConfig)


def make_config(values: Mapping[str, Any], source: str = "options") -> TrainConfig:
    """Validate settings of a training run; see :func:`validated`."""
    return validated(TrainConfig, values, source)


def validated(kind: type[_Config], values: Mapping[str, Any], source: str = "options") -> _Config:
    """Validate settings.

    Raises:
        ConfigError: names the offending key, what was given and what is allowed.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        lines = []
        for item in error.errors():
            key = ".".join(str(part) for part in item["loc"]) or "(top level)"
            if item["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
                lines.append(f"{key}: unknown key{_suggestion(kind, item['loc'])}")
            elif item["type"] == "missing":
                lines.append(f"{key}: missing")
            else:
                message = item["msg"].removeprefix("Value error, ")
                lines.append(f"{key}: {message}; got {item.get('input')!r}")
        raise ConfigError(f"{source}: " + "; ".join(lines)) from None


_DATA_HINT = "structures are given by --data FILE, the argument is config.yaml"


def load_config(path: Path, overrides: Mapping[str, Any] | None = None) -> TrainConfig:
    """Read config.yaml; relative paths in it are relative to its folder.

    Raises:
        ConfigError: not a YAML mapping, or an entry that is unknown or impossible.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not text; {_DATA_HINT}") from None
    try:
        values = read_yaml(text)
    except ValueError as error:
        hint = f" ({_DATA_HINT})" if "not valid YAML" in str(error) else ""
        raise ConfigError(f"{path}: {error}{hint}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected keys and values, e.g. `data: train.xyz`; {_DATA_HINT}")
    for key in ("data", "valid", "output"):
        value = values.get(key)
        if isinstance(value, str):
            values[key] = os.path.join(path.parent, value)
        elif isinstance(value, list):
            values[key] = [str(path.parent / v) if isinstance(v, str) else v for v in value]
    return make_config(merge(values, overrides or {}), str(path))


def merge(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``values`` with ``overrides`` laid over them, section by section."""
    result = dict(values)
    for key, value in overrides.items():
        old = result.get(key)
        result[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def _suggestion(kind: type[TrainConfig], location: tuple[int | str, ...]) -> str:
    """Name the keys that can be set in the section that an unknown key stands in, the closest first."""
    import difflib

    section: Any = kind
    for part in location[:-1]:
        field = getattr(section, "model_fields", {}).get(str(part))
        section = field.annotation if field is not None else None
    allowed = [name for name, field in getattr(section, "model_fields", {}).items() if not field.exclude]
    allowed += getattr(section, "__dataclass_fields__", {})
    close = difflib.get_close_matches(str(location[-1]), allowed, n=1)
    if close:
        return f" (did you mean {close[0]}?)"
    return f" (allowed: {', '.join(allowed)})" if allowed else ""
