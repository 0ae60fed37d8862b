"""Outputs of electronic structure codes: steps whose electrons did not converge, and files that end early."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lmlp.errors import DataError

# what codes print where the self-consistent field did not converge; compared in lower case
_FAILURES = (
    "convergence not achieved after",  # Quantum ESPRESSO
    "scf run not converged",  # CP2K
    "convergence criterion not met",  # Gaussian
    "convergence failure -- run terminated",
    "scf not converged",  # ORCA
    "wavefunction not fully converged",
    "wavefunction is not converged",
    "self-consistency cycle did not converge",  # FHI-aims
    "has not reached the groundstate",  # CASTEP
    "calculation failed to converge",  # NWChem
    "scf_not_conv",  # SIESTA
    "scf cycle did not converge",
    "was not enough scf cycles to converge",  # ABINIT
    "scc is not converged",  # DFTB+
    "scf did not converge",  # GPAW, DMol3, GAMESS
    "did not converge!",  # GPAW
    "scf is unconverged",  # GAMESS
    "scf failed to converge",  # Q-Chem, Turbomole
    "failed to achieve scf",  # MOPAC
    "too many cycles",  # CRYSTAL
    "ngwf optimisation did not converge",  # ONETEP
)
# kind of ASE -> what a job prints when it ends as it should
_ENDS = {
    "espresso-out": "JOB DONE",
    "gaussian-out": "Normal termination of Gaussian",
    "orca-output": "ORCA TERMINATED NORMALLY",
    "aims-output": "Have a nice day",
    "castep-castep": "Total time",
    "nwchem-out": "Total times  cpu:",
    "vasp-out": "General timing and accounting informations for this job",
    "vasp-xml": "</modeling>",
}
_OUTCAR_STEP = "FREE ENERGIE OF THE ION-ELECTRON SYSTEM"
_AFTER_STEP = 4  # lines of the energy that follow


@dataclass(frozen=True)
class Checked:
    """What an output holds.

    Attributes:
        text: without a step that is cut.
        unconverged: steps (from 0) whose electrons did not converge.
        n_steps: complete steps, None where only the reader can tell.
        cut: the job did not end, or the file is not whole.
    """

    text: str
    unconverged: frozenset[int] = field(default_factory=frozenset)
    n_steps: int | None = None
    cut: bool = False


def check_output(path: str, kind: str, text: str) -> Checked:
    """Look through an output for steps that must not become labels.

    Args:
        path: for messages.
        kind: format as ASE names it.
        text: of the file.

    Raises:
        DataError: no complete step; steps that did not converge in a format in which they cannot be told from
            the others.
    """
    cut = kind in _ENDS and _ENDS[kind] not in text
    if kind == "vasp-out":
        return _outcar(path, text, cut)
    if kind == "vasp-xml":
        return _vasprun(path, text, cut)
    for number, line in enumerate(text.splitlines(), start=1):
        lower = line.lower()
        if "converge" in lower or "scf" in lower or "cycles" in lower or "groundstate" in lower:
            failure = next((f for f in _FAILURES if f in lower), None)
            if failure is not None:
                raise DataError(
                    f"{path} (line {number}): the electrons did not converge ({line.strip()[:80]!r}): "
                    "energies and forces of this step are no labels; take the step out of the file"
                )
    # a number at the end of a file that is cut may be shorter than it was
    return Checked(text[: text.rfind("\n") + 1] if cut else text, cut=cut)


def _outcar(path: str, text: str, cut: bool) -> Checked:
    """Check an OUTCAR; VASP 5 says that EDIFF was reached even where it only ran out of iterations."""
    lines = text[: text.rfind("\n") + 1].splitlines(keepends=True) if cut else text.splitlines(keepends=True)
    found = re.search(r"^\s*NELM\s*=\s*([0-9]+)", text, re.MULTILINE)
    n_max = int(found[1]) if found else 0
    reached: list[bool] = []
    unconverged: set[int] = set()
    iterations, says_reached, says_not, end = 0, False, False, 0
    for number, line in enumerate(lines):
        if "Iteration" in line and (match := re.search(r"Iteration\s+[0-9]+\(\s*([0-9]+)\)", line)):
            iterations = int(match[1])
        elif "EDIFF is reached" in line:
            says_reached = True
        elif "EDIFF was not reached" in line or "electronic self-consistency was not achieved" in line:
            says_not = True
        elif _OUTCAR_STEP in line and number + _AFTER_STEP < len(lines):
            if says_not or 1 < n_max <= iterations:
                unconverged.add(len(reached))
            reached.append(says_reached)
            iterations, says_reached, says_not, end = 0, False, False, number + _AFTER_STEP + 1
    if not reached:
        raise DataError(f"{path}: no complete step: the calculation did not get that far, or the file is cut")
    if any(reached) and n_max != 1:
        unconverged |= {step for step, reached_it in enumerate(reached) if not reached_it}
    return Checked("".join(lines[:end] if cut else lines), frozenset(unconverged), len(reached), cut)


def _vasprun(path: str, text: str, cut: bool) -> Checked:
    """Check a vasprun.xml: a step with as many iterations as are allowed did not converge."""
    closing = "</calculation>"
    steps = text.split(closing)[:-1]
    if not steps:
        raise DataError(f"{path}: no complete step: the calculation did not get that far, or the file is cut")
    found = re.search(r"<i[^>]*name=\"NELM\"[^>]*>\s*([0-9]+)", text)
    n_max = int(found[1]) if found else 0
    counts = [len(re.findall(r"<scstep\b", step)) for step in steps]
    unconverged = frozenset(n for n, count in enumerate(counts) if 1 < n_max <= count)
    if cut:
        text = closing.join(steps) + closing + "\n</modeling>\n"
    return Checked(text, unconverged, len(steps), cut)
