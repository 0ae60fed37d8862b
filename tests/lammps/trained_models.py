"""Models of real data, trained by the command line in about a minute each, for the slow tests."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrainedModels:
    """Model files and structures that they were not trained on."""

    molecule: Path  # 3BPA, isolated molecules of H C N O
    molecule_frames: Path
    alloy: Path  # Ta and W with defects and at temperature, solid solutions of Nb and Mo
    alloy_frames: Path  # all four elements in one triclinic cell


def train_both(data: Path, folder: Path) -> TrainedModels:
    """Train them; a fixed number of epochs and a seed, so that a run can be repeated."""
    alloys = data / "nbmotaw"
    train([data / "3bpa" / "train_300K.xyz.xz"], folder / "molecule.pt", ["--epochs", "60"])
    names = ("Ta", "W", "NbMo")
    options = ["--epochs", "4", "--cutoff", "4.5"]
    train([alloys / f"{name}_train.xyz.xz" for name in names], folder / "alloy.pt", options)
    return TrainedModels(
        folder / "molecule.pt",
        data / "3bpa" / "test_300K.xyz.xz",
        folder / "alloy.pt",
        alloys / "NbMoTaW_test.xyz.xz",
    )


def train(data: list[Path], output: Path, options: list[str]) -> None:
    """Call ``lmlp train`` as a user does."""
    arguments = [word for path in data for word in ("--data", str(path))]
    command = [sys.executable, "-m", "lmlp", "train", *arguments, "-o", str(output), *options]
    command += ["--members", "3", "--hidden", "24,24", "--threads", "1", "--seed", "1"]
    done = subprocess.run(
        command,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
