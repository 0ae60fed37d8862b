"""All scans in one figure: errors, grades and distances against the coordinate."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from evaluate import Scan
from PIL import Image
from verdict import LARGE, THRESHOLD, judge

_COLUMNS = 5
_SMALLEST = 0.1
_LINES = (
    ("force_errors", "error of the force / stated", "black", "-"),
    ("energy_errors", "error of the energy / stated", "gray", ":"),
    ("grades", "grade", "tab:blue", "-"),
    ("distances", "distance", "tab:orange", "-"),
)


def plot(scans: list[Scan], file: Path) -> None:
    """Write the figure; structures with large errors below the threshold are shaded."""
    rows = -(-len(scans) // _COLUMNS)
    figure, axes = plt.subplots(rows, _COLUMNS, figsize=(3.1 * _COLUMNS, 2.25 * rows), squeeze=False)
    for axis in axes.flat[len(scans) :]:
        axis.set_axis_off()
    for axis, scan in zip(axes.flat, scans, strict=False):
        _panel(axis, scan)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper center", ncols=len(labels), frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.35 / (2.25 * rows)))
    picture = io.BytesIO()
    figure.savefig(picture, dpi=72)
    plt.close(figure)
    Image.open(picture).convert("RGB").quantize(64).save(file, optimize=True)


def _panel(axis: plt.Axes, scan: Scan) -> None:
    for name, label, color, style in _LINES:
        values = np.maximum(getattr(scan, name), _SMALLEST)
        axis.plot(scan.values, values, style, color=color, label=label, lw=1.4)
    axis.axhline(THRESHOLD, color="tab:blue", lw=0.7, ls="--", label=f"threshold {THRESHOLD:g}")
    axis.axhline(LARGE, color="black", lw=0.7, ls="--", label=f"large error {LARGE:g}")
    axis.set_yscale("log")
    axis.set_ylim(_SMALLEST, 1e5)
    axis.set_xlim(scan.values[0], scan.values[-1])
    axis.set_xlabel(scan.coordinate, fontsize=8)
    axis.tick_params(labelsize=7)
    silent = any(judge(errors, scan.combined).silent for errors in (scan.force_errors, scan.energy_errors))
    axis.set_title(
        f"silent: {scan.title}" if silent else scan.title, fontsize=8, color="red" if silent else "black"
    )
