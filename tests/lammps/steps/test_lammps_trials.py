"""Trial configurations are no steps: nothing is read, saved, counted or stopped for them.

Monte Carlo fixes call the pair style between the steps, compute fep and fix numdiff after its own call.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from lammps_case import ELEMENTS, FIELDS, FORCE_RMSE, Case, Models
from lammps_run import columns, write_data
from lmlp import _core
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file
from reference_values import Reference, evaluate

SYMBOLS = " ".join(ELEMENTS)
STEPS = 6

MONTE_CARLO = {
    "gcmc": "fix mc mobile gcmc 2 10 5 1 4321 600.0 {mu} 0.3 full_energy group mobile",
    "widom": "fix mc all widom 2 4 1 4321 300.0 full_energy",
    "atom/swap": "fix mc all atom/swap 2 4 29494 300.0 ke no types 1 2",
    "charge/regulation": (
        "fix mc all charge/regulation 1 2 pIp 40 pIm 40 temp 300.0 lunit_nm 0.1 nevery 2 nmc 6 "
        "seed 7 tag yes onlysalt yes 1 -1"
    ),
}


def pair_lines(model: Path, settings: str = "") -> str:
    return f"pair_style lmlp {settings}\npair_coeff * * {model} {SYMBOLS}\n"


def head(case: Case, model: Path, settings: str = "") -> str:
    """Return the crystal with charges, and dynamics of it."""
    write_data(case.folder / "q.data", case.crystal.species + 1, case.crystal.positions, case.crystal.cell, 3)
    text = (case.folder / "q.data").read_text().replace("Atoms # atomic", "Atoms # charge")
    lines = text.splitlines()
    start = lines.index("Atoms # charge") + 2
    for k in range(start, start + 24):
        number, kind, *position = lines[k].split()
        lines[k] = " ".join([number, kind, {"1": "1", "2": "-1", "3": "0"}[kind], *position])
    (case.folder / "q.data").write_text("\n".join(lines) + "\n")
    return (
        "units metal\natom_style charge\natom_modify map yes\nbox tilt large\nread_data q.data\nmass * 12.0\n"
        + pair_lines(model, settings)
        + "group mobile type 1\nvelocity all create 300 7\nfix move all nve\ntimestep 0.0005\n"
    )


@pytest.fixture(scope="module")
def small(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first model with small energies of the atoms: exp(E/kT) is a number."""
    path = tmp_path_factory.mktemp("small") / "small.pt"
    energies = np.array([-1.0, -2.0, -1.5])
    write_model_file(replace(read_model_file(models.many), atomic_energies=energies), path, verify=False)
    return path


def reference(model: Path, dump: dict[str, np.ndarray], cell: np.ndarray) -> Reference:
    return evaluate(
        _core.Potential(str(model)), dump["type"].astype(int) - 1, columns(dump, "x", "y", "z"), cell
    )


def sigma_force(model: Path, expected: Reference) -> np.ndarray:
    factor = read_model_file(model).force_uncertainty_factor
    return factor * expected.member_forces.std(axis=0, ddof=1).max(axis=1)


def frames(path: Path) -> list[tuple[int, dict[str, np.ndarray]]]:
    """All frames of a custom dump: step, columns by name."""
    result = []
    for text in path.read_text().split("ITEM: TIMESTEP\n")[1:]:
        lines = text.splitlines()
        start = next(i for i, line in enumerate(lines) if line.startswith("ITEM: ATOMS"))
        rows = np.array([[float(word) for word in line.split()] for line in lines[start + 1 :]])
        names = lines[start].split()[2:]
        result.append((int(lines[0]), {name: rows[:, k] for k, name in enumerate(names)}))
    return result


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("kind", list(MONTE_CARLO))
def test_monte_carlo_between_steps(case: Case, small: Path, kind: str, ranks: int) -> None:
    """Per-atom fields, the vector and the candidates of each step are those of its own configuration."""
    result = case.run(
        head(case, small, "rmin 2.5 warn extrapolation warn")
        + MONTE_CARLO[kind].format(mu=-1.5)
        + "\nfix s all lmlp/select 1 c.extxyz save 1 gap 1 mindist 0.01\n"
        + f"fix u all pair 1 lmlp {FIELDS}\nfix one all pair 2 lmlp sigma_f 1\ncompute e all pair lmlp\n"
        + "variable v equal c_e[7]\nfix out all ave/time 1 1 1 v_v file vector.txt format ' %.17g'\n"
        + "dump d all custom 1 t.dump id type x y z f_u[*]\ndump_modify d sort id format float %.17g\n"
        + "dump o all custom 2 o.dump id f_one\ndump_modify o sort id format float %.17g\n"
        + f"thermo 1\nrun {STEPS}\n",
        ranks=ranks,
    )
    assert f"{STEPS + 1} evaluations" in result.output
    assert f"extrapolated on {STEPS + 1} of {STEPS + 1} evaluations" in result.output
    assert f"atoms closer than rmin on {STEPS + 1} of {STEPS + 1} evaluations" in result.output
    saved = ase.io.read(case.folder / "c.extxyz", index=":")
    dumped = frames(case.folder / "t.dump")
    assert [frame.info["step"] for frame in saved] == [step for step, _ in dumped] == list(range(STEPS + 1))
    vector = np.loadtxt(case.folder / "vector.txt", ndmin=2)
    every_second = dict(frames(case.folder / "o.dump"))
    for (step, dump), frame, (_, member) in zip(dumped, saved, vector, strict=True):
        expected = reference(small, dump, case.crystal.cell)
        sigma = sigma_force(small, expected)
        np.testing.assert_allclose(dump["f_u[1]"], sigma, rtol=0, atol=1e-9)
        np.testing.assert_allclose(dump["f_u[3]"], np.maximum(1, sigma / FORCE_RMSE), rtol=1e-7)
        np.testing.assert_array_equal(dump["f_u[4]"], expected.extrapolating)
        if step % 2 == 0:
            np.testing.assert_array_equal(every_second[step]["f_one"], dump["f_u[1]"])
        assert member == pytest.approx(expected.member_energies[0].sum(), rel=1e-10)
        assert frame.info["lmlp_force_grade"] == pytest.approx(max(1, sigma.max() / FORCE_RMSE), rel=1e-7)
        assert len(frame) == len(dump["id"])


@pytest.mark.parametrize("ranks", [1, 2])
def test_two_models_and_trials(case: Case, ranks: int) -> None:
    """Each fix pair has the values of its own model after the trials of a swap."""
    models = [case.models.many, case.models.other]
    case.run(
        "atom_modify map yes\n"
        + case.header()
        + "pair_style hybrid/overlay lmlp lmlp\n"
        + "".join(f"pair_coeff * * lmlp {k} {path} {SYMBOLS}\n" for k, path in enumerate(models, start=1))
        + "fix mc all atom/swap 1 4 29494 300.0 ke no types 1 2\n"
        + "fix b all pair 1 lmlp:2 sigma_f 1\nfix a all pair 1 lmlp:1 grade 1 sigma_f 1\n"
        + "dump d all custom 1 two.dump id type x y z f_a[2] f_b\n"
        + "dump_modify d sort id format float %.17g\nfix 1 all nve\ntimestep 0.0005\nrun 2\n",
        ranks=ranks,
    )
    for _, dump in frames(case.folder / "two.dump"):
        for model, name in zip(models, ("f_a[2]", "f_b"), strict=True):
            expected = sigma_force(model, reference(model, dump, case.crystal.cell))
            np.testing.assert_allclose(dump[name], expected, rtol=0, atol=1e-9)


def quiet_model(models: Models, folder: Path) -> Path:
    """A model whose members agree where atoms are alone, and whose ranges hold such atoms only."""
    data = read_model_file(models.many)
    n = len(data.feature_min[0])
    tight = {"feature_min": np.full((3, n), -1e-9), "feature_max": np.full((3, n), 1e-9)}
    path = folder / "quiet.pt"
    energies = np.array([-1.0, -2.0, -1.5])
    write_model_file(replace(data, **tight, atomic_energies=energies), path, verify=False)
    return path


def lone_atoms(case: Case) -> str:
    """Eight atoms beyond the cutoff of each other; an atom that is put between them has a neighbor."""
    grid = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    write_data(case.folder / "lone.data", np.ones(8, dtype=int), 2.5 + 5.0 * grid, 10.0 * np.eye(3), 3)
    return "units metal\natom_style atomic\natom_modify map yes\nread_data lone.data\nmass * 12.0\n"


@pytest.mark.parametrize(
    ("fix", "ranks"), [("widom 1 30 1 4321 300.0", 1), ("gcmc 1 30 0 1 4321 300.0 -9.0 0.2", 2)]
)
@pytest.mark.parametrize("settings", ["rmin 3.0 stop", "extrapolation stop"])
def test_trials_stop_no_run(case: Case, models: Models, settings: str, fix: str, ranks: int) -> None:
    model = quiet_model(models, case.folder)
    script = lone_atoms(case) + pair_lines(model, settings) + f"fix mc all {fix} full_energy\n"
    result = case.run(script + 'run 3\nprint "step: $(step)"\n', ranks=ranks)
    assert result.value("step")[0] == 3
    # the same in a step of its own does stop
    inserted = "create_atoms 1 single 5.0 2.5 2.5\nrun 0\n"
    stopped = case.run(script + inserted, ranks=ranks, check=False)
    assert stopped.returncode != 0
    assert "closer than rmin 3" in stopped.output or "extrapolates on step 0" in stopped.output


@pytest.mark.parametrize("ranks", [1, 2])
def test_trials_select_nothing(case: Case, models: Models, ranks: int) -> None:
    """Lone atoms have the grade of their members' offsets; trial insertions have others."""
    model = quiet_model(models, case.folder)
    result = case.run(
        lone_atoms(case)
        + pair_lines(model)
        + "fix mc all widom 1 30 1 4321 300.0 full_energy\nfix s all lmlp/select 1 c.extxyz save 1 gap 1\n"
        + 'run 4\nprint "select: $(f_s[1]) $(f_s[2]) $(f_s[3]) $(f_s[4]) $(f_s[6])"\n',
        ranks=ranks,
    )
    energy_grade, force_grade, shortest, saved, step = result.value("select")
    assert force_grade == 1.0, "no neighbors, no forces"
    assert shortest == np.inf
    assert (saved, step) == (5 if energy_grade > 1 else 0, 4)
    assert "5 evaluations" in result.output


PERTURBED = {
    "compute fep": (
        "variable d equal -0.5\ncompute p all fep 300 pair lmlp scale * * v_d\n"
        "fix p all ave/time 1 1 1 c_p[1]\n"
    ),
    "fix numdiff": "fix p all numdiff 1 1e-4\n",
    "fix numdiff/virial": "fix p all numdiff/virial 1 1e-4\n",
}


@pytest.mark.parametrize(("place", "ranks"), [("before", 1), ("after", 2)])
@pytest.mark.parametrize("kind", list(PERTURBED))
def test_values_of_the_step_beside_perturbed_ones(case: Case, kind: str, place: str, ranks: int) -> None:
    """compute pair, fix pair, candidates and forces are the same with and without the perturbation."""

    def run(folder: str, perturbation: str):
        ours = (
            f"fix s all lmlp/select 1 {folder}.extxyz save 1 gap 1\nfix u all pair 1 lmlp {FIELDS}\n"
            "compute e all pair lmlp\n"
        )
        lines = perturbation + ours if place == "before" else ours + perturbation
        # the perturbed evaluation comes with the first column, the vector is read after it
        first = "f_p" if kind.startswith("compute") and perturbation else "temp"
        vector = " ".join(f"$(c_e[{k}]:%.17g)" for k in range(1, 17))
        result = case.run(
            "atom_modify map yes\n"
            + case.header()
            + pair_lines(case.models.many, "extrapolation warn")
            + f"fix move all nve\ntimestep 0.0005\n{lines}"
            + f"thermo 1\nthermo_style custom step {first} pe press c_e c_e[*]\nrun 2\n"
            + f'print "vector: $(c_e:%.17g) {vector}"\nprint "pe: $(pe:%.17g) $(press:%.17g)"\n'
            + f"write_dump all custom {folder}.dump id type x y z fx fy fz f_u[*] "
            + "modify sort id format float %.17g\n",
            ranks=ranks,
        )
        return result, result.dump(f"{folder}.dump"), (case.folder / f"{folder}.extxyz").read_text()

    result, dump, text = run("with", PERTURBED[kind])
    plain, expected, expected_text = run("without", "")
    np.testing.assert_array_equal(result.value("vector")[1:], plain.value("vector")[1:])
    # fix numdiff asks for the energy again at the end, from rounded positions
    np.testing.assert_allclose(result.value("vector")[0], plain.value("vector")[0], rtol=1e-13)
    np.testing.assert_allclose(result.value("pe"), plain.value("pe"), rtol=1e-12)
    for name, values in expected.items():
        np.testing.assert_array_equal(dump[name], values, err_msg=name)
    assert text == expected_text
    assert text.count("lmlp_checksum") == 3
    assert "extrapolated on 3 of 3 evaluations" in result.output


@pytest.mark.parametrize("style", ["cg", "sd", "fire", "hftn"])
def test_an_iteration_of_a_minimizer_is_a_step(case: Case, style: str) -> None:
    """Line searches try; what counts, is shown and saved is where the iteration ends."""
    result = case.run(
        "atom_modify map yes\n"
        + case.header()
        + pair_lines(case.models.many, "rmin 2.5 warn")
        + "fix s all lmlp/select 1 c.extxyz save 1 gap 1 mindist 0.01\n"
        + f"fix u all pair 1 lmlp {FIELDS}\nmin_style {style}\nmin_modify dmax 0.5\nthermo 1\n"
        + "dump d all custom 1 m.dump id type x y z f_u[*]\ndump_modify d sort id format float %.17g\n"
        + 'minimize 0 0 6 200\nprint "steps: $(step)"\n',
        ranks=2,
    )
    n_steps = int(result.value("steps")[0])
    assert n_steps > 1
    assert f"atoms closer than rmin on {n_steps + 1} of {n_steps + 1} evaluations" in result.output
    assert f"{n_steps + 1} evaluations" in result.output
    saved = {frame.info["step"]: frame for frame in ase.io.read(case.folder / "c.extxyz", index=":")}
    dumped = dict(frames(case.folder / "m.dump"))
    assert sorted(saved) == sorted(dumped) == list(range(n_steps + 1))
    for step, dump in dumped.items():
        expected = reference(case.models.many, dump, case.crystal.cell)
        sigma = sigma_force(case.models.many, expected)
        np.testing.assert_allclose(dump["f_u[1]"], sigma, rtol=0, atol=1e-8)
        assert saved[step].info["lmlp_force_grade"] == pytest.approx(sigma.max() / FORCE_RMSE, rel=1e-6)


def test_stops_of_a_minimization_come_when_the_iteration_is_over(case: Case) -> None:
    start = "atom_modify map yes\n" + case.header()
    for settings, words in (
        ("rmin 2.5 stop", "closer than rmin 2.5"),
        ("extrapolation stop", "extrapolates"),
    ):
        script = start + pair_lines(case.models.many, settings)
        for iterations in (0, 4):
            result = case.run(script + f"minimize 0 0 {iterations} 50\n", ranks=2, check=False)
            assert result.returncode != 0
            assert words in result.output
            assert "on step 0" in result.output
