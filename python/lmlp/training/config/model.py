"""What can be told of a new model: its symmetry functions, networks and baseline."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from lmlp.config.section import Section
from lmlp.config.values import Choices, Positive
from lmlp.model.activations import ACTIVATION_NAMES

PRESETS = ("eeacsf-resolved", "eeacsf-correlation", "eeacsf-153", "eeacsf-bump")


def check_activation(value: Any) -> Any:
    """Refuse names that the core does not know."""
    if value not in ACTIVATION_NAMES:
        *others, last = map(repr, ACTIVATION_NAMES)
        raise ValueError(f"Input should be {', '.join(others)} or {last}")
    return value


Activation = Annotated[str, BeforeValidator(check_activation), Choices(ACTIVATION_NAMES)]


class DescriptorConfig(Section):
    """Symmetry functions: a preset, or a whole descriptor block as in docs/model-file.md."""

    preset: Annotated[str, Choices(PRESETS)] = Field(
        default="eeacsf-resolved", description="Set of symmetry functions"
    )
    cutoff: Annotated[float, Field(gt=0, le=50)] | None = Field(
        default=None, description="Cutoff radius in Å; by default that of the preset"
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Options of the preset, e.g. {n_radial: 12} (docs/descriptor.md)"
    )
    open_elements: bool = Field(
        default=False,
        description="Symmetry functions and element table that carry any element to come (lmlp learn), also "
        "functions that the present ones have no use for",
    )
    spec: dict[str, Any] | None = Field(
        default=None, description="Whole descriptor block instead of a preset (docs/model-file.md)"
    )

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
        return None if value == "none" else {"type": value}
    return value


class BaselineConfig(Section):
    """Pair repulsion that is added to the networks; radii in Å, by default from covalent radii."""

    type: Literal["zbl"] = Field(default="zbl", description="Form of the repulsion")
    inner: Annotated[float, Field(ge=0)] | None = Field(
        default=None,
        description="Distance in Å where the switching begins, all pairs; by default half of the outer one",
    )
    outer: Positive | None = Field(
        default=None,
        description="Distance in Å where the repulsion ends, all pairs; by default 0.8 of the sum of the "
        "covalent radii, or the shortest distance in the data",
    )
    pairs: dict[str, tuple[float, float]] = Field(
        default_factory=dict,
        description="Inner and outer radius of single pairs in Å, e.g. {H-O: [0.4, 0.8]}",
    )


class NetworkStart(Section):
    """What new networks begin with: the fixed maps in front of them, the size of what they say."""

    decorrelation: Positive | None = Field(
        default=10.0,
        description="ε of the decorrelation (C + ε)^(−1/2) of the inputs; larger regularizes more, null "
        "standardizes only",
    )
    floor: float = Field(
        default=0.3,
        ge=0,
        description="Smallest σ of a function in the standardization, as a share of the median",
    )
    output_scale: Positive = Field(default=0.1, description="Factor on the first weights of the last layer")


class ModelConfig(NetworkStart):
    """Networks, and the fixed maps in front of them."""

    members: int = Field(
        default=10, ge=1, le=1000, description="Members of the ensemble; one member gives no uncertainties"
    )
    hidden: list[Annotated[int, Field(ge=1, le=10_000)]] = Field(
        default_factory=lambda: [64, 64],
        min_length=1,
        max_length=10,
        description="Sizes of the hidden layers",
    )
    activation: Activation = Field(
        default="bounded-ssilu",
        description="Activation function of the hidden layers",
    )
    keep: float = Field(
        default=1e-6,
        ge=0,
        lt=1,
        description="Share of the largest variance below which a direction of the inputs is left out",
    )
    atomic_energies: dict[str, float] = Field(
        default_factory=dict, description="Energies of atoms in eV by symbol; others are fitted"
    )
    baseline: Annotated[BaselineConfig | None, BeforeValidator(_baseline_by_name)] = Field(
        default=None,
        description="Repulsion of atoms that come too close, added to the networks: zbl, none (default), or "
        "a section with radii",
    )
