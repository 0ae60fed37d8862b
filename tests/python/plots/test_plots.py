"""Plots draw what they are given, with units, and leave no global state."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from lmlp import metrics, plots
from lmlp.errors import DataError, InvalidArgumentError


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    sigma = 0.05 * np.exp(0.4 * rng.normal(size=2000))
    return rng.normal(size=2000), sigma, sigma * rng.normal(size=2000)


def labels(figure) -> str:
    texts = []
    for axes in figure.axes:
        texts += [axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()]
        texts += [text.get_text() for text in axes.texts]
        legend = axes.get_legend()
        texts += [] if legend is None else [text.get_text() for text in legend.get_texts()]
    return "\n".join(texts)


@pytest.mark.parametrize("count", [1, 50, 2000])
@pytest.mark.parametrize(
    ("quantity", "unit"), [("energy", "eV/atom"), ("forces", "eV/Å"), ("stress", "eV/Å³")]
)
def test_parity(data, count: int, quantity: str, unit: str, tmp_path: Path) -> None:
    reference, _, errors = data
    figure = plots.plot_parity(reference[:count], (reference + errors)[:count], quantity)
    text = labels(figure)
    assert f"({unit})" in text
    rmse = 1e3 * metrics.summarize(errors[:count]).rmse
    assert f"RMSE {rmse:.3g} m{unit}" in text
    assert f"n = {count:,}" in text
    plots.save(figure, tmp_path / "parity.png")
    assert (tmp_path / "parity.png").stat().st_size > 5000


def test_sigma_vs_error(data, tmp_path: Path) -> None:
    _, sigma, errors = data
    figure = plots.plot_sigma_vs_error(sigma, errors)
    line = next(line for line in figure.axes[0].lines if "bins" in line.get_label())
    x, y = metrics.bin_by_sigma(sigma, errors)
    np.testing.assert_allclose(line.get_xdata(), 1e3 * x)
    np.testing.assert_allclose(line.get_ydata(), 1e3 * y)
    assert "meV/Å" in labels(figure)
    plots.save(figure, tmp_path / "sigma.svg")


def test_plots_of_nothing_say_so(tmp_path: Path) -> None:
    empty = np.empty(0)
    assert "no reference values" in labels(plots.plot_parity(empty, empty))
    assert "no uncertainties" in labels(plots.plot_sigma_vs_error(np.zeros(3), np.ones(3)))
    for figure in (
        plots.plot_reliability({}),
        plots.plot_learning_curve([]),
        plots.plot_group_errors({}, "x", "y"),
    ):
        plots.save(figure, tmp_path / "empty.png")


def test_reliability(data) -> None:
    _, sigma, errors = data
    curve = metrics.calibrate(sigma, errors)
    figure = plots.plot_reliability({"forces": curve})
    line = next(line for line in figure.axes[0].lines if "forces" in line.get_label())
    np.testing.assert_allclose(line.get_ydata()[1:-1], curve.observed)


def write_log(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def epoch(number: int, force: float) -> str:
    errors = {"energy_rmse": 0.1 * force, "force_rmse": force}
    return json.dumps({"type": "epoch", "epoch": number, "seconds": 1.0, "train": errors, "valid": errors})


def test_learning_curve_marks_the_best_epoch(tmp_path: Path) -> None:
    lines = ['{"type": "start"}', epoch(1, 0.5), epoch(2, 0.1), epoch(3, 0.2), '{"type": "epo']
    epochs = plots.read_epochs(write_log(tmp_path / "a.log.jsonl", lines))
    assert [entry["epoch"] for entry in epochs] == [1, 2, 3]
    text = labels(plots.plot_learning_curve(epochs))
    assert "100 meV/Å" in text
    assert "10 meV/atom" in text


def test_a_broken_line_inside_a_log_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 2: not JSON"):
        plots.read_epochs(write_log(tmp_path / "a.log.jsonl", [epoch(1, 0.5), "{", epoch(2, 0.4)]))


def test_energy_drift() -> None:
    time = np.linspace(0.0, 2.0, 101)
    # a slow oscillation over whole periods has little slope; the drift is what is left
    energy = -5.0 + 3e-6 * time
    assert plots.energy_drift(time, energy) == pytest.approx(3e-6, rel=1e-6)
    with pytest.raises(InvalidArgumentError):
        plots.energy_drift(np.zeros(1), np.zeros(1))
    text = labels(plots.plot_nve_energy({"ASE": (time, energy), "LAMMPS": (time, energy)}))
    assert "+3.0e−06 eV/atom/ps" in text
    assert "time (ps)" in text


def test_drawing_leaves_matplotlib_as_it_was() -> None:
    code = (
        "import matplotlib, numpy as np; before = dict(matplotlib.rcParams)\n"
        "from lmlp import plots\n"
        "plots.to_data_uri(plots.plot_parity(np.arange(9.0), np.arange(9.0)))\n"
        "assert dict(matplotlib.rcParams) == before\n"
        "import matplotlib.pyplot as plt\n"
        "assert plt.get_fignums() == []\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_same_figure_same_bytes(data, tmp_path: Path) -> None:
    reference, _, errors = data
    contents = []
    for name in ("a.svg", "b.svg"):
        plots.save(plots.plot_parity(reference, reference + errors), tmp_path / name)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


def test_distance_against_error() -> None:
    rng = np.random.default_rng(0)
    distances = rng.uniform(0.1, 2.0, 300)
    figure = plots.plot_distance_vs_error(distances, 0.1 * distances)
    line = next(line for line in figure.axes[0].lines if "bins" in line.get_label())
    np.testing.assert_allclose(line.get_ydata(), 100.0 * line.get_xdata())  # eV/Å to meV/Å
    assert "Spearman 1.00" in labels(figure)
    assert "no distances" in labels(plots.plot_distance_vs_error(np.empty(0), np.empty(0)))
