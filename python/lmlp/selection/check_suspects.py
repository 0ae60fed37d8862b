"""Check structures whose labels look wrong: nothing is learned from them, but the report rests on them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lmlp.selection.likes import Likes, find_likes
from lmlp.selection.rule import SelectionRule

_ENOUGH = 5


def relative_outliers(
    check: np.ndarray, train: np.ndarray, rule: SelectionRule, likes: Likes | None = None
) -> np.ndarray:
    """Compare the losses of a task's check structures with those of its training structures.

    A loss is an outlier where that of a training structure would make it a suspect: it is ``suspect_loss``
    times the (clipped) mean and lies ``suspect_deviations`` robust standard deviations above the median, on
    a logarithmic scale. What is not trained on has larger losses; the distance of the medians is therefore
    taken off first, if there are enough check structures to tell it. With ``likes`` a loss must also be
    ``suspect_likes`` squared times those of similar training structures, one excepted.

    Args:
        check, train: losses ``[n]``, ``[m]``.
        rule: numbers.
        likes: the training structures most like each check structure.

    Returns:
        loss over the mean of the training structures for outliers, 0 for others ``[n]``.
    """
    if not len(train) or not len(check):
        return np.zeros(len(check))
    tiny = float(np.finfo(float).tiny)
    logs, others = np.log(np.maximum(check, tiny)), np.log(np.maximum(train, tiny))
    middle = float(np.median(others))
    width = 1.4826 * float(np.median(np.abs(others - middle)))
    mean = float(np.minimum(train, rule.clip * np.median(train)).mean())
    gap = max(float(np.median(logs)) - middle, 0.0) if len(check) >= _ENOUGH else 0.0
    far = logs - gap > middle + rule.suspect_deviations * width
    large = logs - gap > np.log(max(mean, tiny)) + np.log(rule.suspect_loss)
    if likes is not None and rule.suspect_likes and (likes.near >= 0).all():
        second = np.sort(others[likes.near], axis=1)[:, -2]
        far &= logs - gap > second + 2.0 * np.log(rule.suspect_likes * likes.remoteness)
    return np.where(far & large, np.exp(logs) / max(mean, tiny), 0.0)


def check_outliers(
    losses_of: Callable[[np.ndarray], np.ndarray],
    points: np.ndarray,
    tasks: np.ndarray,
    checks: np.ndarray,
    train: np.ndarray,
    rule: SelectionRule,
) -> dict[int, str]:
    """Find outliers among the check structures of all tasks.

    Args:
        losses_of: tells the loss of each of some structures.
        points: what each structure of the data set is like.
        tasks: number of the task of each structure.
        checks: check structures.
        train: structures that losses are compared with.
        rule: numbers of selection.

    Returns:
        reason by structure.
    """
    found = {}
    for task in np.unique(tasks[checks]):
        mine = checks[tasks[checks] == task]
        learned = train[tasks[train] == task]
        all_likes = find_likes(points[np.concatenate([learned, mine])], np.arange(len(learned)))
        likes = Likes(all_likes.near[len(learned) :], all_likes.remoteness[len(learned) :])
        losses = losses_of(mine)
        ratios = relative_outliers(losses, losses_of(learned), rule, likes)
        for i in np.flatnonzero(ratios):
            found[int(mine[i])] = (
                f"suspect check structure (wrong label, or more than the model can describe): loss "
                f"{ratios[i]:.2g} times the mean of its task's training structures; its error is part of the "
                "report, nothing is learned from it"
            )
    return found
