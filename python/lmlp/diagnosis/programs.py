"""Starting programs to see whether they work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lmlp.diagnosis.check import first_line

TIMEOUT = 120  # s


def find_program(name: str) -> str | None:
    """Find a program beside this Python, else on PATH."""
    beside = Path(sys.executable).parent / name
    return str(beside) if os.access(beside, os.X_OK) else shutil.which(name)


def run_lammps(command: list[str], script: str) -> tuple[int, str]:
    """Run LAMMPS on a script in an empty folder: exit code and everything it said."""
    return run_program([*command, "-in", "in.doctor", "-log", "none"], script)


def run_program(command: list[str], script: str = "") -> tuple[int, str]:
    """Run a program in a folder that holds the script only: exit code and everything it said."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory(prefix="lmlp-doctor-") as folder:
        (Path(folder) / "in.doctor").write_text(script, encoding="utf-8")
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return -1, f"no answer within {TIMEOUT} s"
        except OSError as error:
            return -1, str(error)
    return done.returncode, done.stdout.decode("utf-8", errors="replace")


def error_of(output: str) -> str:
    """Return the line of LAMMPS's output that says what went wrong."""
    lines = [line for line in output.splitlines() if "ERROR" in line or "rror" in line]
    return first_line(lines[0] if lines else output[-300:])
