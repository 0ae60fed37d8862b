"""Numbers of adaptive selection; knows no torch, so that settings can be read before it is loaded."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from lmlp.errors import InvalidArgumentError

_MOST_OF_OLD = 0.7


@dataclass(frozen=True)
class SelectionRule:
    """Numbers of the rule; "loss" is the loss of a structure over the mean loss of its task.

    Attributes:
        share: p_fit, structures drawn per epoch and member over all.
        old_share: of the draws, for earlier tasks; None: k/(k + 2) for k of them, at most 0.7.
        raise_above, lower_below: F+ and F−, losses that change the factor.
        up, down: by which it is multiplied then.
        smallest, largest: limits of the factor.
        new: factor of new structures.
        redundant_after: uses in a row at the smallest factor, with a low loss, until a structure is parked.
        recheck_every: epochs until a parked one is used once more.
        suspect_after: uses at the largest factor without improvement until a structure can be a suspect.
        improvement: share by which the loss must fall within these uses.
        suspect_loss: smallest loss of a suspect.
        suspect_deviations: smallest distance of its log loss from the task's median, in (robust) standard
            deviations.
        suspect_likes: smallest error of a suspect over the errors of the structures most like it (losses are
            squares of errors); 0 for no such comparison.
        clip: losses above so many medians count as that in the mean.
        memory: weight of earlier epochs in the running mean, and of earlier uses in a structure's loss.
    """

    __pydantic_config__ = {"extra": "forbid", "allow_inf_nan": False}  # noqa: RUF012  (read by pydantic where settings are checked)

    share: float = 0.1
    old_share: float | None = None
    raise_above: float = 1.5
    lower_below: float = 0.5
    up: float = 1.2
    down: float = 0.8
    smallest: float = 0.5
    largest: float = 3.0
    new: float = 1.0
    redundant_after: int = 5
    recheck_every: int = 50
    suspect_after: int = 15
    improvement: float = 0.2
    suspect_loss: float = 15.0
    suspect_deviations: float = 4.0
    suspect_likes: float = 4.0
    clip: float = 10.0
    memory: float = 0.7

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
