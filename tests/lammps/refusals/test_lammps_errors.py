"""What cannot be done ends with an error that names what was given and what is allowed; never with a hang."""

from __future__ import annotations

import pytest
from lammps_case import ELEMENTS, Case

SYMBOLS = " ".join(ELEMENTS)


def pair_lines(case: Case, model: str = "many", settings: str = "", symbols: str = SYMBOLS) -> str:
    path = getattr(case.models, model)
    return f"pair_style lmlp {settings}\npair_coeff * * {path} {symbols}\n"


def fails(case: Case, script: str, *words: str, ranks: int = 1) -> None:
    result = case.run(script, ranks=ranks, check=False)
    assert result.returncode != 0, result.output[-2000:]
    assert "ERROR" in result.output
    # LAMMPS may break long lines of a message
    text = " ".join(result.output.split())
    for word in words:
        assert word in text, result.output[-3000:]


SETTINGS = [
    ("treads 2", ["unknown keyword 'treads'", "threads N", "extrapolation warn|stop|off"]),
    ("threads", ["keyword 'threads' lacks its value"]),
    ("threads 0", ["'threads 0' must be 1 or more"]),
    ("backend jax", ["'backend jax' is unknown", "backend native|torchscript"]),
    ("precision half", ["'precision half' is unknown", "precision double|mixed"]),
    ("precision mixed backend torchscript", ["'precision mixed' needs 'backend native'"]),
    ("device cuda", ["'device cuda' needs 'backend torchscript'"]),
    ("backend torchscript device gpu", ["'device gpu' is unknown", "device cpu|cuda"]),
    ("extrapolation maybe", ["'extrapolation maybe' is unknown", "extrapolation warn|stop|off"]),
    ("rmin -1 stop", ["'rmin -1' must be above 0"]),
]


@pytest.mark.parametrize(("settings", "words"), SETTINGS, ids=[s for s, _ in SETTINGS])
def test_keywords(case: Case, settings: str, words: list[str]) -> None:
    fails(case, case.header() + pair_lines(case, settings=settings), *words)


def test_number_of_symbols(case: Case) -> None:
    fails(case, case.header() + pair_lines(case, symbols="H C"), "2 chemical symbols", "3 atom types", "NULL")


def test_unknown_element(case: Case) -> None:
    fails(case, case.header() + pair_lines(case, symbols="H C Fe"), "'Fe' for atom type 3", "H", "C", "O")


def test_null_needs_hybrid(case: Case) -> None:
    fails(
        case, case.header() + pair_lines(case, symbols="H C NULL") + "run 0\n", "All pair coeffs are not set"
    )


def test_lj_units(case: Case) -> None:
    fails(case, case.header("lj") + pair_lines(case), "units lj", "metal, real")


def test_newton_off(case: Case) -> None:
    fails(case, "newton off\n" + case.header() + pair_lines(case) + "run 0\n", "newton pair on")


def test_ghosts_reduced_by_type(case: Case) -> None:
    """The one way to a communication cutoff below the model's; LAMMPS refuses it for full lists."""
    lines = "neighbor 0.5 multi\nneigh_modify collection/type 2 1*2 3\ncomm_modify mode multi reduce/multi\n"
    fails(case, case.header() + lines + pair_lines(case) + "run 0\n", "multi/reduce", "full neighbor list")


def test_left_out_pairs_are_told(case: Case) -> None:
    """On the first run already, and not where nothing is left out any more."""
    words = "pairs left out by neigh_modify exclude"
    script = case.header() + pair_lines(case) + "run 0\nprint FIRST\n"
    result = case.run("neigh_modify exclude type 1 2\n" + script + "neigh_modify exclude none\nrun 0\n")
    first, second = result.output.rsplit("FIRST", 1)
    assert first.count(words) == 1
    assert words not in second


def test_respa(case: Case) -> None:
    fails(
        case,
        case.header() + pair_lines(case) + "run_style respa 2 2 pair 1\nrun 0\n",
        "run_style respa",
        "verlet",
    )


SINGLE = {
    "pair_write 1 1 10 r 1 3 file.txt x": "Pair style lmlp does not support pair_write",
    "compute g all group/group all\nrun 0": "compute group/group",
    "compute p all pair/local dist eng\nrun 0": "compute pair/local",
}


@pytest.mark.parametrize("command", list(SINGLE))
def test_what_needs_the_energy_of_a_pair(case: Case, command: str) -> None:
    fails(case, case.header() + pair_lines(case) + command + "\n", SINGLE[command])


def test_missing_and_corrupted_model(case: Case) -> None:
    content = bytearray(case.models.many.read_bytes())
    content[len(content) // 2] ^= 1
    (case.folder / "altered.pt").write_bytes(content)
    (case.folder / "truncated.pt").write_bytes(content[: len(content) // 3])
    for name in ("altered.pt", "truncated.pt", "absent.pt"):
        script = case.header() + f"pair_style lmlp\npair_coeff * * {name} {SYMBOLS}\n"
        fails(case, script, f"cannot load {name}", ranks=2 if name == "altered.pt" else 1)


@pytest.mark.parametrize("field", ["sigma_f", "sigma_e", "grade"])
def test_one_member_has_no_uncertainty(case: Case, field: str) -> None:
    script = case.header() + pair_lines(case, "single") + f"fix u all pair 1 lmlp {field} 1\nrun 0\n"
    fails(case, script, f"cannot give {field}", "one ensemble member")


def test_one_member_has_no_vector_but_an_energy(case: Case) -> None:
    script = case.header() + pair_lines(case, "single") + "compute e all pair lmlp\n"
    result = case.run(script + 'run 0\nprint "energy: $(c_e) $(pe)"\n')
    assert result.value("energy")[0] == pytest.approx(result.value("energy")[1])
    # LAMMPS itself refuses; why stands where the model was loaded
    fails(
        case,
        script + "thermo_style custom c_e[1]\nrun 0\n",
        "one member: no uncertainties, compute pair has no vector",
    )


def test_grade_and_ranges_that_the_model_lacks(case: Case) -> None:
    header = case.header() + pair_lines(case, "bare")
    fails(case, header + "fix u all pair 1 lmlp grade 1\n", "cannot give grade", "no test errors")
    fails(case, header + "fix u all pair 1 lmlp ew 1\n", "cannot tell extrapolation", "no training ranges")
    script = case.header() + pair_lines(case, "bare", settings="extrapolation warn")
    fails(case, script, "cannot tell extrapolation")


def test_a_field_that_nobody_asked_for(case: Case) -> None:
    script = case.header() + pair_lines(case) + "fix 1 all nve\n"
    fails(case, script + "fix u all pair 1 lmlp sigma_f 0\nrun 0\n", "sigma_f")
    # uncertainties are evaluated when asked for, not on every step: on step 1 there are none
    asked = "fix u all pair 2 lmlp sigma_f 1\nfix v all pair 1 lmlp sigma_f 0\nrun 2\n"
    result = case.run(script + asked, check=False)
    assert "Step" in result.output, "the first step has them"
    fails(case, script + asked, "sigma_f")


@pytest.mark.parametrize("ranks", [1, 2])
def test_positions_that_are_not_numbers(case: Case, ranks: int) -> None:
    # one atom is thrown beyond all numbers, and no neighbor list is built before the next evaluation
    script = (
        case.header()
        + pair_lines(case)
        + (
            "neigh_modify delay 100 every 100 check no\ngroup one id 5\nvelocity one set 1e308 0 0\n"
            "fix 1 all nve\ntimestep 100\nrun 1\n"
        )
    )
    fails(case, script, "atom 5 has the position", "inf", ranks=ranks)


def test_two_atoms_at_one_place_end_all_ranks(case: Case) -> None:
    # seen by one rank only; the other one must not wait for it
    script = (
        case.header()
        + "create_atoms 1 single 1.0 1.0 1.0 units box\ncreate_atoms 2 single 1.0 1.0 1.0 units box\n"
    )
    fails(case, script + pair_lines(case) + "run 0\n", "at the same place", "25", "26", ranks=2)


def test_rmin(case: Case) -> None:
    fails(case, case.header() + pair_lines(case, settings="rmin 2.0 stop") + "run 0\n", "closer than rmin 2")
    script = case.header() + pair_lines(case, settings="rmin 2.0 warn")
    result = case.run(script + "fix 1 all nve\nrun 3\n", ranks=2)
    assert result.output.count("WARNING: Pair style lmlp: two atoms are") == 1
    assert "atoms closer than rmin on 4 of 4 evaluations" in result.output
    assert "closer than rmin 2 (" in result.output  # LAMMPS adds where it was said
    assert "times the shortest" not in result.output
    quiet = case.run(case.header() + pair_lines(case, settings="rmin 0.5 warn") + "run 0\n")
    assert "rmin" not in quiet.output.split("pair_coeff")[-1].replace("rmin 0.5 warn", "")


def test_extrapolation(case: Case) -> None:
    stop = case.header() + pair_lines(case, settings="extrapolation stop") + "run 0\n"
    fails(case, stop, "extrapolates on step 0", "symmetry functions", ranks=2)
    warn = case.header() + pair_lines(case, settings="extrapolation warn")
    result = case.run(warn + "fix 1 all nve\nrun 2\n", ranks=2)
    assert result.output.count("WARNING: Pair style lmlp extrapolates on step") == 1
    assert "extrapolated on 3 of 3 evaluations" in result.output
