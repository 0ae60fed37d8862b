"""What can be told of the labels in data files."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lmlp.config.section import Section


class KeysConfig(Section):
    """Names of the labels in the data files; by default they are guessed."""

    energy: str | None = Field(default=None, description="Name of the energy; guessed by default")
    forces: str | None = Field(default=None, description="Name of the forces; guessed by default")
    stress: str | None = Field(
        default=None,
        description="Name of the stress; guessed by default, `none` ignores stress and virial",
    )
    virial: str | None = Field(
        default=None, description="Name of the virial; guessed by default, `none` ignores it"
    )
    weights: Literal["none"] | None = Field(
        default=None,
        description="`none` ignores weights in the files; by default files with weights other than 0 (label "
        "left out) and 1 are refused",
    )
    units: Literal["none"] | None = Field(
        default=None,
        description="`none` ignores what the files say of their units; by default labels are converted, or "
        "the files are refused",
    )
