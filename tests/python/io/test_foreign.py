"""Files of other programs: nothing is made up, no step without convergence becomes a label."""

import gzip
import warnings

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from lmlp.errors import DataError, DataWarning
from lmlp.io import DataKeys, read_structures
from lmlp.units import KCAL_PER_MOL

# --- LAMMPS


def dump(tmp_path, columns, atoms, head="", name="run.dump"):
    frame = f"{head}ITEM: TIMESTEP\n{{step}}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\n"
    frame += (
        "ITEM: BOX BOUNDS pp pp pp\n" + "0 10\n" * 3 + f"ITEM: ATOMS {columns}\n" + "\n".join(atoms) + "\n"
    )
    path = tmp_path / name
    text = "".join(frame.format(step=step) for step in (0, 10))
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


POSITIONS = ("0 0 0 1 0 0", "1 0 0 -1 0 0")


@pytest.mark.parametrize("name", ["run.dump", "run.lammpstrj", "run.dump.gz"])
def test_a_dump_has_no_energy(tmp_path, name):
    path = dump(
        tmp_path,
        "id type element x y z fx fy fz",
        [f"1 1 O {POSITIONS[0]}", f"2 2 H {POSITIONS[1]}"],
        name=name,
    )
    with pytest.warns(DataWarning, match="no units in the dump"):
        found = read_structures(path)
    assert [s.energy for s in found] == [None, None]
    assert found[1].numbers.tolist() == [8, 1]
    assert found[1].forces[0].tolist() == [1, 0, 0]
    assert not any("energy" in key for key in found[0].info)


def test_units_of_a_dump_are_obeyed(tmp_path):
    atoms = [f"1 1 O {POSITIONS[0]}", f"2 2 H {POSITIONS[1]}"]
    columns = "id type element x y z fx fy fz"
    s = read_structures(dump(tmp_path, columns, atoms, "ITEM: UNITS\nreal\n"))[0]
    assert s.forces[0, 0] == pytest.approx(KCAL_PER_MOL, rel=1e-6)  # ASE has constants of another year
    with pytest.raises(DataError, match="units lj"):
        read_structures(dump(tmp_path, columns, atoms, "ITEM: UNITS\nlj\n"))


@pytest.mark.parametrize(
    ("columns", "words"), [("id type", ("1 1", "2 2")), ("id type mass", ("1 1 15.9994", "2 2 2.014"))]
)
def test_types_are_no_elements(tmp_path, columns, words):
    path = dump(tmp_path, f"{columns} x y z", [f"{w} 0 0 {n}" for n, w in enumerate(words)])
    with pytest.raises(DataError, match=r"run\.dump: says types but no elements .*dump_modify ID element"):
        read_structures(path)


def test_masses_tell_elements(tmp_path):
    path = dump(tmp_path, "id mass x y z", ["1 15.999 0 0 0", "2 1.00784 1 0 0"])
    assert read_structures(path)[0].numbers.tolist() == [8, 1]


def test_elements_that_lammps_made_up_are_told(tmp_path):
    path = dump(tmp_path, "id type element x y z", ["1 1 C 0 0 0", "2 2 C 1 0 0"])
    with pytest.warns(DataWarning, match="all atoms are C"):
        read_structures(path)


def test_a_lammps_data_file_without_masses(tmp_path):
    path = tmp_path / "w.lammps-data"
    atoms = Atoms("OH", [[1, 1, 1], [2, 1, 1]], cell=[5, 5, 5], pbc=True)
    ase.io.write(path, atoms, format="lammps-data", masses=False)
    with pytest.raises(DataError, match="the section Masses is missing"):
        read_structures(path)


# --- ASE


def test_two_energies_in_a_trajectory(tmp_path):
    atoms = molecule("H2O")
    forces = np.arange(9.0).reshape(3, 3)
    atoms.calc = SinglePointCalculator(atoms, energy=-2.0, forces=forces, dipole=np.ones(3))
    atoms.info["energy"] = -2.0
    ase.io.write(tmp_path / "same.traj", atoms)
    (s,) = read_structures(tmp_path / "same.traj")
    assert s.energy == -2.0
    assert s.info["dipole"].tolist() == [1, 1, 1]  # of the molecule, not of its three atoms
    atoms.info["energy"] = -5.0
    ase.io.write(tmp_path / "two.traj", atoms)
    with pytest.raises(
        DataError, match=r"two\.traj:0: which is the energy: calculator\.energy or info\.energy"
    ):
        read_structures(tmp_path / "two.traj")
    assert read_structures(tmp_path / "two.traj", DataKeys(energy="info.energy"))[0].energy == -5.0
    assert read_structures(tmp_path / "two.traj", DataKeys(energy="calculator.energy"))[0].energy == -2.0


def test_pairs_of_a_database_are_read(tmp_path):
    from ase.db import connect

    atoms = molecule("H2O")
    atoms.calc = SinglePointCalculator(atoms, energy=-2.0, forces=np.ones((3, 3)))
    for name in ("a.db", "b.json"):
        with connect(tmp_path / name) as database:
            database.write(atoms, config_type="water", n=1)
            database.write(atoms, config_energy_weight=0, n=2)
        with pytest.warns(DataWarning, match="config_energy_weight is 0: no energy"):
            first, second = read_structures(tmp_path / name)
        assert (first.energy, first.info["config_type"], first.info["n"]) == (-2.0, "water", 1)
        assert (second.energy, second.info["n"]) == (None, 2)
        assert [s.info["n"] for s in read_structures(f"{tmp_path / name}@:1")] == [1]


# --- VASP


def outcar(steps, n_max=60, version=6, end=True):
    """Return an OUTCAR of H2; ``steps`` are numbers of iterations, negative where EDIFF is not reached."""
    text = " POTCAR:    PAW_PBE H 15Jun2001\n POTCAR:    PAW_PBE H 15Jun2001\n"
    text += f"   ions per type =               2\n   NELM   =    {n_max:3d};   NELMIN=  2; NELMDL= -5\n"
    for n, count in enumerate(steps, start=1):
        for k in range(1, abs(count) + 1):
            text += f"--------------------------------------- Iteration {n:6d}({k:4d})  -------------------\n"
        if count > 0 or version == 5:
            text += "------------------------ aborting loop because EDIFF is reached ----------------------\n"
        elif version == 6:
            text += (
                "----------------- aborting loop EDIFF was not reached (unconverged)  ------------------\n"
            )
        text += "      direct lattice vectors                 reciprocal lattice vectors\n"
        text += "".join(f"  {row}   0.2 0.0 0.0\n" for row in ("5.0 0.0 0.0", "0.0 5.0 0.0", "0.0 0.0 5.0"))
        text += " POSITION                                       TOTAL-FORCE (eV/Angst)\n ------\n"
        text += f"  0.0 0.0 0.0  0.{n} 0.0 0.0\n  0.0 0.0 0.75  -0.{n} 0.0 0.0\n ------\n"
        text += "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)\n  -----\n"
        text += f"  free  energy   TOTEN  =        -{n}.5 eV\n\n"
        text += f"  energy  without entropy=  -{n}.5  energy(sigma->0) =       -{n}.25\n"
    if end:
        text += " General timing and accounting informations for this job:\n"
    return text


def vasprun(steps, n_max=60):
    """Return a vasprun.xml; ``steps`` are numbers of iterations."""
    rows = "<v> 5 0 0 </v><v> 0 5 0 </v><v> 0 0 5 </v>"
    crystal = f'<crystal><varray name="basis">{rows}</varray></crystal>'
    structure = crystal + '<varray name="positions"><v> 0 0 0 </v><v> 0 0 0.15 </v></varray></structure>\n'
    text = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n'
    text += '<kpoints><varray name="kpointlist"><v> 0 0 0 </v></varray>'
    text += '<varray name="weights"><v> 1 </v></varray></kpoints>\n'
    for name, value in (("electronic convergence", n_max), ("response functions", 1)):
        text += f'<parameters><separator name="{name}"><i type="int" name="NELM"> {value}</i></separator>'
        text += "</parameters>\n"
    hydrogen = "<rc><c>H </c><c> 1</c></rc>"
    text += f'<atominfo><array name="atoms"><set>{2 * hydrogen}</set></array></atominfo>\n'
    text += f'<structure name="initialpos">{structure}'
    for n, count in enumerate(steps, start=1):
        energy = f'<energy><i name="e_fr_energy"> -{n}.5 </i><i name="e_0_energy"> -{n}.25 </i></energy>'
        text += "<calculation>\n" + f"<scstep>{energy}</scstep>\n" * count + f"<structure>{structure}"
        text += f'<varray name="forces"><v> 0.{n} 0 0 </v><v> -0.{n} 0 0 </v></varray>\n{energy}\n'
        text += "</calculation>\n"
    return text + "</modeling>\n"


def energies(path):
    return [(s.source.rpartition(":")[2], s.energy) for s in read_structures(path)]


def test_converged_outputs_are_read_without_a_word(tmp_path, recwarn):
    (tmp_path / "OUTCAR").write_text(outcar([12, 8]))
    (tmp_path / "vasprun.xml").write_text(vasprun([12, 8]))
    for name in ("OUTCAR", "vasprun.xml"):
        assert energies(tmp_path / name) == [("0", -1.25), ("1", -2.25)]
    assert not recwarn
    (tmp_path / "OUTCAR.gz").write_bytes(gzip.compress(outcar([12, 8]).encode()))
    assert len(energies(tmp_path / "OUTCAR.gz")) == 2


@pytest.mark.parametrize(
    "text",
    [
        outcar([12, -60, 9]),
        outcar([12, -60, 9], version=5),  # says that EDIFF is reached
        outcar([12, -60, 9], version=4),  # says nothing
        outcar([12, -20, 9], n_max=60),  # stopped by hand
    ],
)
def test_steps_of_an_outcar_that_did_not_converge(tmp_path, text):
    (tmp_path / "OUTCAR").write_text(text)
    with pytest.warns(DataWarning, match=r"OUTCAR: the electrons did not converge.*\(in 1 of 3 frames: 1\)"):
        assert energies(tmp_path / "OUTCAR") == [("0", -1.25), ("2", -3.25)]
    with pytest.warns(DataWarning), pytest.raises(DataError, match="no structure is left"):
        energies(f"{tmp_path / 'OUTCAR'}@1")


def test_steps_of_a_vasprun_that_did_not_converge(tmp_path):
    (tmp_path / "vasprun.xml").write_text(vasprun([12, 60, 9]))
    with pytest.warns(DataWarning, match=r"did not converge.*\(in 1 of 3 frames: 1\)"):
        assert energies(tmp_path / "vasprun.xml") == [("0", -1.25), ("2", -3.25)]


def test_one_iteration_is_asked_for(tmp_path, recwarn):
    (tmp_path / "OUTCAR").write_text(outcar([1], n_max=1))
    (tmp_path / "vasprun.xml").write_text(vasprun([1], n_max=1))
    assert energies(tmp_path / "OUTCAR") == energies(tmp_path / "vasprun.xml") == [("0", -1.25)]
    assert not recwarn


@pytest.mark.parametrize("name", ["OUTCAR", "vasprun.xml"])
def test_a_file_cut_anywhere_says_so(tmp_path, name):
    text = outcar([3, 3], end=True) if name == "OUTCAR" else vasprun([3, 3])
    whole = {"0": -1.25, "1": -2.25}
    refusals: list[str] = []
    for cut in range(10, len(text) - 20, 61):
        (tmp_path / name).write_text(text[:cut])
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                found = dict(energies(tmp_path / name))
            except DataError as error:
                refusals.append(str(error))
                continue
        assert [f"or the file is cut: {len(found)} complete" in str(w.message) for w in told] == [True]
        assert found.items() <= whole.items()
        assert len(found) >= 1
    assert len(refusals) > 3
    assert all("no complete step" in text or "unknown file format" in text for text in refusals)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pw.pwo", "Program PWSCF v.7.2\n     convergence NOT achieved after  100 iterations: stopping\n"),
        ("g.log", "Entering Gaussian System\n >>>>>>>>>> Convergence criterion not met.\n"),
        (
            "o.out",
            "* O   R   C   A *\n  This wavefunction IS NOT CONVERGED!\n  Wavefunction not fully converged!\n",
        ),
        ("a.out", "Invoking FHI-aims ...\n  WARNING! SELF-CONSISTENCY CYCLE DID NOT CONVERGE\n"),
    ],
)
def test_other_outputs_that_did_not_converge_are_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=r"line [23]\): the electrons did not converge"):
        read_structures(tmp_path / name)
