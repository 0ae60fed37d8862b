"""Energies and pair gradients of the core are those of every instruction set, to rounding."""

import os
import subprocess
import sys

import numpy as np
from lmlp import _core

from tests.python.core_case import Case


def test_pair_gradients_of_all_instruction_sets(tmp_path):
    """Every kernel of this processor, each in a process of its own."""
    case = Case(tmp_path, hidden_layers=[102, 61, 44], n_atoms=20)
    np.savez(
        tmp_path / "in.npz",
        o=case.environments.offsets,
        s=case.species,
        n=case.species[case.environments.neighbors],
        v=case.environments.vectors,
    )
    script = (
        "import sys, numpy as np; from lmlp import _core; f = np.load(sys.argv[1] + '/in.npz');"
        "r = _core.Potential(sys.argv[1] + '/model.pt').evaluate(f['o'], f['s'], f['n'], f['v']);"
        "np.savez(sys.argv[1] + '/out.npz', **r); print(_core.instruction_set())"
    )
    expected = case.evaluate()
    for name in _core.instruction_sets():
        printed = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)],
            env={**os.environ, "LMLP_ISA": name},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert printed.strip() == name
        found = np.load(tmp_path / "out.npz")
        np.testing.assert_allclose(found["energies"], expected["energies"], rtol=1e-14)
        # gradients of order 1 eV/Å
        np.testing.assert_allclose(found["pair_gradients"], expected["pair_gradients"], rtol=0, atol=1e-13)
