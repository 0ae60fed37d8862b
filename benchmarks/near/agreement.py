"""How well scores order architectures: Kendall's τ by seed, its interval over architectures, tables, plot."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

HIGHER_IS_BETTER = {
    "near": ("NEAR", True),
    "near of standardized features": ("NEAR of standardized features", True),
    "epsilon": ("ε", True),
    "cv": ("CV", False),
    "weights": ("number of weights", True),
}
UNITS = {"energy": "E (meV/atom)", "force": "F (meV/Å)"}
FITTED = ("near", "weights")
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
_DRAWS = 2000

Column = tuple[str, str]
"""Test and quantity."""


def kendall(x: np.ndarray, y: np.ndarray) -> float:
    """Kendall's τ-b: (concordant − discordant) pairs / √(pairs untied in x · pairs untied in y).

    NaN where all of x or all of y are equal.
    """
    first, second = np.triu_indices(len(x), 1)
    a, b = np.sign(x[first] - x[second]), np.sign(y[first] - y[second])
    untied = np.count_nonzero(a) * np.count_nonzero(b)
    return float((a * b).sum() / np.sqrt(untied)) if untied else float("nan")


def taus(goodness: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """τ of each seed between a score, higher better, and small errors; both ``[seeds, architectures]``."""
    return np.array([kendall(g, -e) for g, e in zip(goodness, errors, strict=True)])


def drawn_taus(goodness: np.ndarray, errors: np.ndarray, seed: int = 0) -> np.ndarray:
    """Mean τ over the seeds for many draws of architectures with repetition (bootstrap).

    The draws are the same for all scores, so that these can be compared draw by draw;
    NaN where all that were drawn are equal.
    """
    n = errors.shape[1]
    drawn = np.random.default_rng(seed).integers(0, n, (_DRAWS, n))
    rows, columns = drawn[:, :, None], drawn[:, None, :]
    found = []
    for g, e in zip(goodness, errors, strict=True):
        a = np.sign(g[:, None] - g)[rows, columns]
        b = np.sign(e - e[:, None])[rows, columns]
        untied = np.count_nonzero(a, axis=(1, 2)) * np.count_nonzero(b, axis=(1, 2))
        with np.errstate(invalid="ignore"):
            found.append((a * b).sum(axis=(1, 2)) / np.sqrt(untied))
    return np.mean(found, axis=0)


def interval(values: np.ndarray) -> tuple[float, float]:
    """95 % interval of drawn values; those that are undefined (few architectures drawn) are left out."""
    defined = values[np.isfinite(values)]
    low, high = np.percentile(defined, [2.5, 97.5]) if len(defined) else (np.nan, np.nan)
    return float(low), float(high)


class Agreement:
    """Scores and errors of all architectures.

    Args:
        results: what run.py writes.
    """

    def __init__(self, results: dict[str, Any]) -> None:
        self.rows: dict[str, dict[str, Any]] = results["rows"]
        self.tests = list(next(iter(self.rows.values()))["errors"])
        self.columns: list[Column] = [(t, q) for t in self.tests for q in UNITS]

    def errors(self, column: Column) -> np.ndarray:
        """Errors ``[seeds, architectures]``."""
        test, quantity = column
        return np.array([r["errors"][test][quantity] for r in self.rows.values()]).T

    def goodness(self, name: str) -> np.ndarray:
        """Score with the sign that makes higher better ``[seeds, architectures]``; NaN where undefined."""
        sign = 1.0 if HIGHER_IS_BETTER[name][1] else -1.0
        return sign * np.array([r[name] for r in self.rows.values()], dtype=float).T

    def of_score(self, name: str, column: Column) -> str:
        """τ of a score as text."""
        g, e = self.goodness(name), self.errors(column)
        known = np.isfinite(g).all(axis=0)
        return cell(g[:, known], e[:, known])

    def against_weights(self, column: Column) -> str:
        """τ of NEAR less τ of the number of weights, mean over the seeds, with its interval."""
        scores, e = [self.goodness(n) for n in ("near", "weights")], self.errors(column)
        near, weights = (taus(g, e).mean() for g in scores)
        low, high = interval(drawn_taus(scores[0], e) - drawn_taus(scores[1], e))
        return f"{near - weights:+.2f} [{low:+.2f}, {high:+.2f}]"

    def of_other_seeds(self, column: Column) -> str:
        """τ between the errors of two seeds: what noise leaves for any score."""
        e = self.errors(column)
        pairs = list(permutations(range(len(e)), 2))
        return cell(-e[[a for a, _ in pairs]], e[[b for _, b in pairs]])


def cell(goodness: np.ndarray, errors: np.ndarray) -> str:
    """Mean of τ over the seeds (smallest to largest) [95 % interval over architectures]."""
    found = taus(goodness, errors)
    low, high = interval(drawn_taus(goodness, errors))
    return f"{found.mean():.2f} ({found.min():.2f} to {found.max():.2f}) [{low:.2f}, {high:.2f}]"


def page(results: dict[str, Any]) -> str:
    """Markdown: errors and scores, agreement, how the order settles."""
    found = Agreement(results)
    return "\n\n".join([errors_table(found), agreement_table(found), course(found), training(found)]) + "\n"


def errors_table(found: Agreement) -> str:
    """All architectures, smallest force errors of the first test first."""
    heads = ["architecture", "weights", "NEAR", "ε", "CV", *(f"{t}: {UNITS[q]}" for t, q in found.columns)]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    first = (found.tests[0], "force")
    order = np.argsort(found.errors(first).mean(axis=0))
    errors = {c: found.errors(c) for c in found.columns}
    for k in order:
        label = list(found.rows)[k]
        row = found.rows[label]
        cells = [label, f"{row['weights'][0]:.0f}"]
        cells += ["-" if None in row[n] else f"{np.mean(row[n]):.4g}" for n in ("near", "epsilon", "cv")]
        cells += [f"{e[:, k].mean():.3g} ± {e[:, k].std(ddof=1):.2g}" for e in errors.values()]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def agreement_table(found: Agreement) -> str:
    """τ of every score and yardstick with every kind of error."""
    heads = ["τ with small errors of", *(f"{t}, {q}" for t, q in found.columns)]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    rows = {
        label: [found.of_score(name, c) for c in found.columns]
        for name, (label, _) in HIGHER_IS_BETTER.items()
    }
    rows["errors of another seed"] = [found.of_other_seeds(c) for c in found.columns]
    rows["NEAR less number of weights"] = [found.against_weights(c) for c in found.columns]
    lines += [f"| {label} | " + " | ".join(cells) + " |" for label, cells in rows.items()]
    order = cell(found.goodness("near"), -found.goodness("weights"))
    note = f"{len(found.rows)} architectures. τ of NEAR with the number of weights: {order}."
    return "\n".join([*lines, "", note])


def course(found: Agreement) -> str:
    """τ between validation errors in the course of training and the mean force errors of the first test."""
    errors = np.array([r["course"] for r in found.rows.values()])
    final = found.errors((found.tests[0], "force")).mean(axis=0)
    epochs = sorted({max(1, round(share * errors.shape[1])) for share in SHARES})
    values = [f"{e} epochs {kendall(errors[:, e - 1], final):.2f}" for e in epochs]
    return (
        f"τ of the validation errors of forces with the final order ({found.tests[0]}): {', '.join(values)}."
    )


def training(found: Agreement) -> str:
    """τ of scores, means over the seeds, with small errors in training."""
    errors = np.array([r["training"] for r in found.rows.values()])
    values = [f"{HIGHER_IS_BETTER[n][0]} {kendall(found.goodness(n).mean(0), -errors):.2f}" for n in FITTED]
    return f"τ with small force errors in training: {', '.join(values)}."


def plot(results: dict[str, Any], path: Path) -> None:
    """Force errors of the last test by NEAR and by the number of weights; colors: number of layers."""
    from lmlp.plots.style import MUTED, PALETTE, new_figure, plain_log_ticks, save, style

    found = Agreement(results)
    column = (found.tests[-1], "force")
    errors = found.errors(column)
    style_of_names = {"textcoords": "offset points", "ha": "center", "fontsize": 6.5, "color": MUTED}
    with style():
        figure = new_figure(8.4, 3.9)
        for axes, name in zip(figure.subplots(1, 2, sharey=True), ("near", "weights"), strict=True):
            x = found.goodness(name).mean(axis=0)
            for k, label in enumerate(found.rows):
                sizes, activation = label.split(" ")
                color = PALETTE[sizes.count("-")]
                low, high = errors[:, k].min(), errors[:, k].max()
                axes.plot([x[k], x[k]], [low, high], color=color, linewidth=1.2)
                marker = "o" if activation == "stanh" else "s"
                axes.plot(x[k], errors[:, k].mean(), marker, color=color, markersize=5)
                text = sizes if activation == "stanh" else label
                axes.annotate(text, (x[k], high), (0, 3), **style_of_names)
            tau = taus(found.goodness(name), errors).mean()
            axes.set(xscale="log", yscale="log", xlabel=HIGHER_IS_BETTER[name][0])
            axes.set_title(f"τ = {tau:.2f}")
            plain_log_ticks(axes.xaxis)
            plain_log_ticks(axes.yaxis)
        figure.axes[0].set_ylabel(f"{results['settings']['title']}, {column[0]}: {UNITS['force']}")
        save(figure, path)
