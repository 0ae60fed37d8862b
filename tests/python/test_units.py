from math import isclose

from ase import units as ase_units
from lmlp import units


def test_codata_2018_values_of_the_conventions():
    assert units.BOHR == 0.529177210903
    assert units.HARTREE == 27.211386245988


def test_derived_constants_against_independent_tables():
    # ASE's tables are CODATA 2014, hence 1e-6
    assert isclose(units.KCAL_PER_MOL, ase_units.kcal / ase_units.mol, rel_tol=1e-6)
    assert isclose(units.KJ_PER_MOL, ase_units.kJ / ase_units.mol, rel_tol=1e-6)
    assert isclose(units.GPA, ase_units.GPa, rel_tol=1e-6)
    assert isclose(units.BAR, ase_units.bar, rel_tol=1e-6)
    assert isclose(units.HARTREE_PER_BOHR, ase_units.Hartree / ase_units.Bohr, rel_tol=1e-6)
