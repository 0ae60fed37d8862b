"""Numbers of adaptive selection; knows no torch, so that settings can be read before it is loaded."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from lmlp.errors import InvalidArgumentError

_MOST_OF_OLD = 0.7


def _number(default: Any, description: str) -> Any:
    """Return a field with a description."""
    return field(default=default, metadata={"description": description})


@dataclass(frozen=True)
class SelectionRule:
    """Numbers of the rule; "loss" is the loss of a structure over the mean loss of its task.

    The factor of a structure is its weight when structures are drawn.
    """

    __pydantic_config__ = {"extra": "forbid", "allow_inf_nan": False}  # noqa: RUF012  (read by pydantic where settings are checked)

    share: float = _number(0.1, "Share p_fit of the structures that an epoch draws for each member")
    old_share: float | None = _number(
        None, "Share of the draws for earlier tasks; by default k/(k + 2) for k of them, at most 0.7"
    )
    raise_above: float = _number(1.5, "Loss F+ from which the factor grows")
    lower_below: float = _number(0.5, "Loss F− up to which the factor shrinks")
    up: float = _number(1.2, "Factor by which the factor grows")
    down: float = _number(0.8, "Factor by which the factor shrinks")
    smallest: float = _number(0.5, "Lower limit of the factor")
    largest: float = _number(3.0, "Upper limit of the factor")
    new: float = _number(1.0, "Factor of new structures")
    redundant_after: int = _number(
        5, "Uses in a row at the smallest factor, with a low loss, until a structure is parked"
    )
    recheck_every: int = _number(50, "Epochs until a parked structure is used once more")
    suspect_after: int = _number(
        15, "Uses at the largest factor without improvement until a structure can be a suspect"
    )
    improvement: float = _number(0.2, "Share by which the loss must fall within these uses")
    suspect_loss: float = _number(15.0, "Smallest loss of a suspect")
    suspect_deviations: float = _number(
        4.0,
        "Smallest distance of a suspect's log loss from the median of its task, in robust deviations",
    )
    suspect_likes: float = _number(
        4.0,
        "Smallest error of a suspect over the errors of the structures most like it (losses are squares of "
        "errors); 0 switches the comparison off",
    )
    clip: float = _number(10.0, "Loss in medians from which losses count as that in the mean")
    memory: float = _number(
        0.7, "Weight of earlier epochs in the mean loss of a task, and of earlier uses in a structure's loss"
    )

    def __post_init__(self) -> None:
        checks = [
            ("share", 0 < self.share <= 1, "in (0, 1]"),
            ("old_share", self.old_share is None or 0 <= self.old_share <= 1, "in [0, 1]"),
            ("lower_below", 0 <= self.lower_below <= self.raise_above, "in [0, raise_above]"),
            ("up", self.up >= 1, ">= 1"),
            ("down", 0 < self.down <= 1, "in (0, 1]"),
            ("smallest", 0 < self.smallest <= 1, "in (0, 1]"),
            ("largest", self.largest >= 1, ">= 1"),
            ("new", self.smallest <= self.new <= self.largest, "in [smallest, largest]"),
            ("redundant_after", self.redundant_after >= 1, ">= 1"),
            ("recheck_every", self.recheck_every >= 1, ">= 1"),
            ("suspect_after", self.suspect_after >= 1, ">= 1"),
            ("improvement", 0 <= self.improvement < 1, "in [0, 1)"),
            ("suspect_likes", self.suspect_likes >= 0, ">= 0"),
            ("clip", self.clip >= 1, ">= 1"),
            ("memory", 0 <= self.memory < 1, "in [0, 1)"),
        ]
        for name, valid, allowed in checks:
            if not valid:
                raise InvalidArgumentError(
                    f"selection: {name}={getattr(self, name)!r}, but allowed is {allowed}"
                )

    def share_of_old(self, n_tasks: int) -> float:
        """Return the share of the draws that belongs to ``n_tasks`` earlier tasks."""
        if self.old_share is not None:
            return self.old_share
        return min(n_tasks / (n_tasks + 2), _MOST_OF_OLD)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)
