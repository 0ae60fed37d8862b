import dataclasses
import io
import json

import numpy as np
import pytest
from fitting_labels import METHANOL, NUMBERS, springs
from lmlp.audit.report import audit, print_report
from lmlp.errors import DataError
from lmlp.io import read_structures
from lmlp.structure import Structure
from lmlp.structure.composition import composition_matrix, formula, robust_atomic_energies
from lmlp.structure.geometry import analyze, equal_geometries
from rich.console import Console


def methanol(n, seed=0, amplitude=0.05):
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        positions = METHANOL + amplitude * rng.normal(size=METHANOL.shape)
        energy, forces = springs(positions)
        found.append(make(positions, energy - 3000.0, forces, f"a.xyz:{i}"))
    return found


def make(positions, energy, forces, source, **other):
    return Structure(
        NUMBERS, positions, np.zeros((3, 3)), np.zeros(3, bool), energy, forces, None, source, **other
    )


def codes(structures):
    return {f.code: f for f in audit(structures).findings}


def test_clean_data_have_no_findings():
    report = audit(methanol(40, amplitude=0.02))
    assert report.findings == []
    report.raise_for_errors()
    assert report.n_structures == 40
    assert report.formulas == {"CH4O": 40}
    assert report.labels == {"energy": 40, "forces": 40, "stress": 0}
    assert report.periodicity == {"not periodic": 40}
    carbon = report.elements[1]
    assert (carbon.symbol, carbon.atoms, carbon.structures, carbon.coordination) == ("C", 40, 40, (4, 4))


def test_no_structures():
    with pytest.raises(DataError, match="no structures"):
        audit([])


def test_public_data_are_summarized(data_folder):
    report = audit(read_structures(data_folder / "tiny" / "organic_train.xyz"))
    assert report.findings == []
    assert report.n_atoms.low == 27
    assert 0.95 < report.shortest.low < 0.97
    report = audit(read_structures(data_folder / "tiny" / "alloy_train.xyz"))
    assert [e.symbol for e in report.elements] == ["Nb", "Mo", "Ta", "W"]
    assert report.labels["stress"] == 180
    assert 2.55 < report.shortest.low < 2.57
    assert not report.errors


def test_missing_labels_are_named():
    data = methanol(10)
    data[3] = dataclasses.replace(data[3], forces=None)
    data[4] = dataclasses.replace(data[4], energy=None, info={"my_energy": 1.0})
    found = codes(data)
    assert found["no-forces"].frames == ["a.xyz:3"]
    assert found["no-energy"].frames == ["a.xyz:4"]
    assert found["no-energy"].level == "warning"
    assert "is it my_energy?" in found["no-energy"].message


def test_no_energy_at_all_is_an_error():
    report = audit([dataclasses.replace(s, energy=None) for s in methanol(3)])
    assert [f.code for f in report.errors] == ["no-energy"]
    with pytest.raises(DataError, match=r"no energy in 3 of 3 structures \(a.xyz: 0, 1, 2\)"):
        report.raise_for_errors()


def test_missing_stress_counts_only_where_others_have_it():
    cell = 8.0 * np.eye(3)
    boxed = [dataclasses.replace(s, cell=cell, pbc=np.ones(3, bool)) for s in methanol(10)]
    assert "no-stress" not in codes(boxed)
    boxed[0] = dataclasses.replace(boxed[0], stress=np.eye(3))
    assert len(codes(boxed)["no-stress"].frames) == 9
    mixed = dataclasses.replace(boxed[0], pbc=np.array([True, True, False]))
    assert codes([mixed, *boxed])["stress-not-periodic"].frames == ["a.xyz:0"]


def test_duplicates_and_contradictions():
    data = methanol(30)
    moved = dataclasses.replace(data[7], positions=data[7].positions + 3.0, source="b.xyz:0")
    found = codes([*data, moved])
    assert found["duplicates"].frames == ["b.xyz:0"]
    assert "contradiction" not in found
    wrong = dataclasses.replace(moved, energy=moved.energy + 0.06)
    found = codes([*data, wrong])
    assert found["contradiction"].frames == ["a.xyz:7", "b.xyz:0"]
    assert "10 meV/atom" in found["contradiction"].message
    assert "duplicates" not in found
    forces = moved.forces.copy()
    forces[2] += [0.1, 0.0, 0.0]
    found = codes([*data, dataclasses.replace(moved, forces=forces)])
    assert "forces by 0.1 eV/Å" in found["contradiction"].message


def test_held_out_structures_among_the_training_data():
    data, other = methanol(20), methanol(5, seed=9)
    leaked = dataclasses.replace(data[3], source="test.xyz:2")
    (finding,) = audit([*other, leaked], known=data).findings
    assert finding.code == "overlap"
    assert finding.frames == ["test.xyz:2"]
    assert audit(other, known=data).findings == []


def test_equal_geometries_against_comparing_all():
    rng = np.random.default_rng(3)
    data = methanol(12, seed=4)
    data += [
        dataclasses.replace(data[i], positions=data[i].positions + shift + noise * rng.uniform(-1, 1, (6, 3)))
        for i, shift, noise in ((0, 0.0, 0.0), (0, 9.0, 1e-6), (5, -2.0, 1e-5), (6, 0.0, 3e-4), (0, 1.0, 0.0))
    ]
    relative = [s.positions - s.positions[0] for s in data]
    expected = {
        frozenset(j for j in range(len(data)) if np.abs(relative[i] - relative[j]).max() < 1e-4)
        for i in range(len(data))
    }
    assert {frozenset(g) for g in equal_geometries(data)} == {g for g in expected if len(g) > 1}
    assert [0, 12, 13, 16] in equal_geometries(data)


def test_equal_geometries_need_equal_cells_and_elements():
    one = methanol(1)[0]
    boxed = dataclasses.replace(one, cell=9.0 * np.eye(3), pbc=np.ones(3, bool))
    larger = dataclasses.replace(boxed, cell=9.1 * np.eye(3))
    other = dataclasses.replace(one, numbers=NUMBERS[::-1].copy())
    assert equal_geometries([one, boxed, larger, other]) == []
    assert equal_geometries([one, boxed, larger, other, larger]) == [[2, 4]]


@pytest.mark.parametrize("shift", [0.1, 0.6, 5.0])
def test_two_levels_of_theory_in_half_of_the_frames(shift):
    data = methanol(60)
    high = [i for i in range(60) if i % 2]
    for i in high:
        data[i] = dataclasses.replace(data[i], energy=data[i].energy + shift * 6, info={"theory": "B"})
    for i in range(0, 60, 2):
        data[i] = dataclasses.replace(data[i], info={"theory": "A"})
    finding = codes(data)["mixed-levels"]
    assert set(finding.frames) in ({f"a.xyz:{i}" for i in high}, {f"a.xyz:{i}" for i in range(0, 60, 2)})
    assert "CH4O: 30 structures lie" in finding.message
    assert "theory B above, A below" in finding.message
    # the offset comes from a least squares line: good to the energies' own scatter, below 0.01 eV/atom
    assert abs(float(finding.message.split("lie ")[1].split()[0]) - shift) < 0.01


def test_levels_that_differ_between_files_and_compositions():
    """Every composition at one level only: the offset shows against the common fit of atomic energies."""
    rng = np.random.default_rng(1)
    data = []
    for n in range(40):
        copies = 1 + n % 4
        positions = np.concatenate(
            [METHANOL + 0.02 * rng.normal(size=(6, 3)) + 10.0 * k for k in range(copies)]
        )
        numbers = np.tile(NUMBERS, copies)
        energy = -500.0 * copies + 0.02 * rng.normal() + (3.0 * 6 * copies if copies == 4 else 0.0)
        file = "b" if copies == 4 else "a"
        data.append(
            Structure(
                numbers, positions, np.zeros((3, 3)), np.zeros(3, bool), energy, None, None, f"{file}.xyz:{n}"
            )
        )
    finding = codes(data)["mixed-levels"]
    assert len(finding.frames) == 10
    assert "file b.xyz above, a.xyz below" in finding.message


def test_hot_and_cold_dynamics_are_no_two_levels():
    hot = methanol(40, seed=1, amplitude=0.12)
    assert "mixed-levels" not in codes(methanol(40) + hot)


def test_public_data_are_at_one_level(data_folder):
    """Crystals at 300 K and melts at 3000 K, strained cells, surfaces: gaps, but no offsets."""
    for name in ("Si_train", "Ge_train", "Mo_train"):
        assert "mixed-levels" not in codes(read_structures(data_folder / "mlearn" / f"{name}.xyz.xz"))


def test_outliers():
    data = methanol(40)
    data[11] = dataclasses.replace(data[11], energy=data[11].energy + 3.0)
    big = data[12].forces.copy()
    big[0], big[1] = big[0] + [80.0, 0, 0], big[1] - [80.0, 0, 0]
    data[12] = dataclasses.replace(data[12], forces=big)
    found = codes(data)
    assert found["energy-outliers"].frames == ["a.xyz:11"]
    assert found["large-forces"].frames == ["a.xyz:12"]
    assert "net-force" not in found


def test_net_force():
    data = methanol(10)
    data[2] = dataclasses.replace(data[2], forces=data[2].forces + np.array([0.02, 0.0, 0.0]))
    found = codes(data)
    assert found["net-force"].frames == ["a.xyz:2"]
    assert "up to 0.12 eV/Å" in found["net-force"].message


def test_coincident_and_close_atoms():
    data = methanol(10)
    positions = data[1].positions.copy()
    positions[5] = positions[4] + [0.0, 0.0, 1e-3]
    data[1] = dataclasses.replace(data[1], positions=positions)
    positions = data[2].positions.copy()
    positions[3] = positions[1] + [0.0, 0.0, 0.4]
    data[2] = dataclasses.replace(data[2], positions=positions)
    report = audit(data)
    (error,) = report.errors
    assert error.code == "coincident-atoms"
    assert error.frames == ["a.xyz:1"]
    assert "atoms 4 and 5 are 0.001 Å apart" in error.message
    assert codes(data)["close-atoms"].frames == ["a.xyz:2"]
    assert "0.400 Å" in codes(data)["close-atoms"].message


def test_constrained_atoms():
    data = methanol(10)
    data[4] = dataclasses.replace(data[4], info={"constrained_atoms": [0, 1]})
    assert codes(data)["constrained"].frames == ["a.xyz:4"]
    assert "constrained-forces" not in codes(data)
    forces = data[4].forces.copy()
    forces[:2] = 0.0
    data[4] = dataclasses.replace(data[4], forces=forces)
    assert codes(data)["constrained-forces"].frames == ["a.xyz:4"]


def test_mixed_keys_and_free_energies():
    data = [dataclasses.replace(s, info={"label_keys": {"energy": "energy"}}) for s in methanol(10)]
    data[9] = dataclasses.replace(data[9], info={"label_keys": {"energy": "REF_energy"}})
    found = codes(data)
    assert found["mixed-keys"].frames == ["a.xyz:9"]
    assert "energy (9), REF_energy (1)" in found["mixed-keys"].message
    data[8] = dataclasses.replace(data[8], info={"free_energy": data[8].energy - 0.6})
    assert "up to 100 meV/atom" in codes(data)["free-energy"].message


def test_isolated_atoms_are_noted_and_do_not_count_as_outliers():
    atom = Structure(
        np.array([1], np.int32),
        np.zeros((1, 3)),
        np.zeros((3, 3)),
        np.zeros(3, bool),
        -13.6,
        None,
        None,
        "i.xyz:0",
    )
    found = codes([*methanol(20), atom])
    assert found["isolated-atoms"].frames == ["i.xyz:0"]
    assert found["no-forces"].level == "note"
    assert "energy-outliers" not in found
    assert analyze(atom).shortest is None


def test_shortest_distance_counts_periodic_images():
    crystal = Structure(
        np.array([29], np.int32), np.zeros((1, 3)), 1.8 * (np.ones((3, 3)) - np.eye(3)), np.ones(3, bool)
    )
    geometry = analyze(crystal)
    # fcc: twelve neighbors at a/sqrt(2), a = 3.6 Å
    assert geometry.shortest == pytest.approx(3.6 / np.sqrt(2), rel=1e-12)
    assert geometry.bonds.tolist() == [12]


def test_density_of_copper():
    crystal = Structure(
        np.array([29], np.int32),
        np.zeros((1, 3)),
        1.8075 * (np.ones((3, 3)) - np.eye(3)),
        np.ones(3, bool),
        energy=-1.0,
    )
    # handbook: 8.96 g/cm³ near room temperature with a = 3.615 Å gives 8.93
    assert audit([crystal]).density.mean == pytest.approx(8.93, rel=5e-3)


def test_atomic_energies_are_found_and_a_minority_does_not_bend_them():
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 9, size=(50, 3)).astype(float)
    exact = np.array([-13.6, -1030.0, -2040.0])
    energies = counts @ exact
    np.testing.assert_allclose(robust_atomic_energies(counts, energies), exact, rtol=1e-8)
    energies[:12] += 2.0 * counts[:12].sum(axis=1)
    np.testing.assert_allclose(robust_atomic_energies(counts, energies), exact, rtol=1e-5)


def test_atomic_energies_are_shown_only_where_compositions_determine_them():
    data = methanol(20)
    assert [e.atomic_energy for e in audit(data).elements] == [None, None, None]
    water = [
        Structure(
            NUMBERS[1:4], METHANOL[1:4], np.zeros((3, 3)), np.zeros(3, bool), -2000.0 - n, source=f"w:{n}"
        )
        for n in range(3)
    ]
    hydrogen = Structure(NUMBERS[4:], METHANOL[4:], np.zeros((3, 3)), np.zeros(3, bool), -30.0, source="h:0")
    report = audit([*data, *water, hydrogen])
    assert [e.symbol for e in report.elements] == ["H", "C", "O"]
    assert report.elements[0].atomic_energy == pytest.approx(-15.0, abs=1e-3)
    assert "fitted energy" in str(report)
    assert "fitted energy" not in str(audit(data))


def test_formula():
    assert formula(methanol(1)[0]) == "CH4O"
    structure = dataclasses.replace(methanol(1)[0], numbers=np.array([8, 8, 22, 1, 8, 8], dtype=np.int32))
    assert formula(structure) == "HO4Ti"
    assert composition_matrix([structure])[0] == [1, 8, 22]


def test_report_is_json_and_prints_every_finding():
    data = methanol(20)
    data[3] = dataclasses.replace(data[3], forces=None)
    report = audit(data)
    assert json.loads(json.dumps(report.to_dict()))["findings"][0]["code"] == "no-forces"
    buffer = io.StringIO()
    print_report(report, Console(file=buffer, width=200))
    text = buffer.getvalue()
    assert "no forces in 1 of 20" in str(report)
    assert "warning: no forces in 1 of 20 structures (a.xyz: 3)" in text
    assert "CH4O (20)" in text
    low, high = (e - report.energy.mean for e in (report.energy.low, report.energy.high))
    assert f"mean {report.energy.mean:.1f} eV/atom, {low:+.3f} to {high:+.3f} around it" in text
