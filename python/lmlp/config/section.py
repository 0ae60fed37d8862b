"""A section of settings: typed keys, none beside them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of all settings; unknown keys are refused, values do not change later."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
