"""An environment of its own for the peers, on top of the one that runs this: nothing of it is changed."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

# With their dependencies; torchani alone would replace torch by a build of gigabytes.
WHOLE = ("dscribe", "huggingface_hub", "h5py")
ALONE = ("torchani", "calorine")


def install(folder: Path) -> None:
    """Make FOLDER/peers; packages that cannot be installed are named and left out."""
    target = folder / "peers"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(target)], check=True)
    python = target / "bin" / "python"
    site = next((target / "lib").glob("python*/site-packages"))
    here = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    lines = [f"import site; site.addsitedir({path!r})" for path in here or [sysconfig.get_path("purelib")]]
    (site / "base.pth").write_text("\n".join(lines) + "\n")
    constraints = folder / "peers-constraints.txt"
    pinned = ("torch", "numpy", "ase", "scipy")
    versions = {
        d.metadata["Name"]: d.version for d in metadata.distributions() if d.metadata["Name"] in pinned
    }
    # a local version ("2.13.0+cpu") is no version of the registry
    constraints.write_text("".join(f"{k}=={v.split('+')[0]}\n" for k, v in versions.items()))
    for packages, more in ((WHOLE, ["-c", str(constraints)]), (ALONE, ["--no-deps"])):
        for package in packages:
            command = [str(python), "-m", "pip", "install", "-q", "--no-warn-script-location", *more, package]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                errors = [line for line in done.stderr.splitlines() if "ERROR" in line]
                print(f"{package}: {(errors or ['not installed'])[-1]}", file=sys.stderr)
