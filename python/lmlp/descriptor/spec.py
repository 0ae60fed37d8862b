"""Descriptor specs: the ``descriptor`` block of a model file, validated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lmlp.descriptor.compute import normalize_spec


class CorrelationFactor(BaseModel):
    """One density ρ(n) = Σ_j w(Z_j) f(R_ij) P_l(u_ij·n) of a correlation function.

    Attributes:
        weight: element property of the table, or a chemical symbol in element mode.
        eta: Å⁻², dimensionless for the radial form ``bump``.
        shift: center in Å, only for ``gaussian_shift``.
        l: degree.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: str
    eta: float
    shift: float | None = None
    l: int  # noqa: E741


class SymmetryFunction(BaseModel):
    """One row of a spec; which parameters it needs depends on the forms of the spec.

    Attributes:
        kind: ``radial``, ``angular`` or ``correlation``.
        weight: element property of the table, or a chemical symbol in element mode.
        eta: Å⁻², dimensionless for the radial form ``bump``.
        shift: center in Å, only for ``gaussian_shift``.
        combine: how an angular function combines the properties of two neighbors.
        weight2: second property of ``product``, second symbol in element mode.
        lambda_: λ of the angular form.
        zeta: ζ of the angular form.
        xi: ξ of the angular form.
        l: degree of ``legendre``.
        factors: densities of a correlation function, which has nothing else.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: Literal["radial", "angular", "correlation"]
    weight: str | None = None
    eta: float | None = None
    shift: float | None = None
    combine: Literal["sum", "difference", "product"] | None = None
    weight2: str | None = None
    lambda_: float | None = Field(default=None, alias="lambda")
    zeta: int | None = None
    xi: float | None = None
    l: int | None = None  # noqa: E741
    factors: tuple[CorrelationFactor, ...] | None = None


class DescriptorSpec(BaseModel):
    """What a descriptor consists of; see docs/model-file.md.

    Attributes:
        type: ``eeACSF``, or ``ACSF`` for element mode.
        cutoff: Å.
        angular_cutoff: Å, at most ``cutoff``; None means ``cutoff``.
        radial: name of the radial form.
        angular: name of the angular form, None without angular functions.
        scaling: name of the scaling.
        table: element table, None in element mode.
        allow_nonsmooth: accept combinations whose forces have a cusp or a jump.
        functions: the rows, in the order of the features.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["eeACSF", "ACSF"] = "eeACSF"
    cutoff: float
    angular_cutoff: float | None = None
    radial: str
    angular: str | None = None
    scaling: str
    table: str | None = None
    allow_nonsmooth: bool = False
    functions: tuple[SymmetryFunction, ...]

    @classmethod
    def from_dict(cls, spec: Mapping[str, Any]) -> DescriptorSpec:
        """Validate a spec; the compiled core has the last word on names, ranges and combinations.

        Raises:
            InvalidArgumentError: names the row, the key, what was given and what is allowed.
        """
        return cls.model_validate(normalize_spec(spec))

    def to_dict(self) -> dict[str, Any]:
        """Return the plain dict that a model file stores, without the keys that are not set."""
        result = self.model_dump(by_alias=True, exclude_none=True)
        if not self.allow_nonsmooth:
            result.pop("allow_nonsmooth")
        result["functions"] = list(result["functions"])
        for row in result["functions"]:
            if "factors" in row:
                row["factors"] = list(row["factors"])
        return result
