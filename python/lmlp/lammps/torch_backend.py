"""Builds the TorchScript backend of ``pair_style lmlp`` against the torch of this environment.

A wheel cannot bring it: it has to fit the user's torch, of which there are many. Its C++ source is part of
this package; the compiler is the user's.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lmlp.errors import BuildError
from lmlp.lammps import package_folders

FILE_NAME = "lmlp_torch_backend.so"
SOURCE = "torch_backend.cpp"
HEADERS = ("lmlp/lmlp.h", "lmlp/torch_backend.h")
COMPILERS = ("c++", "g++", "clang++")
CHECK = "import ctypes, sys; sys.exit(ctypes.CDLL(sys.argv[1]).lmlp_torch_backend_abi_version() < 1)"


@dataclass(frozen=True)
class TorchFacts:
    """What the build has to know about a torch.

    Attributes:
        version: ``torch.__version__``.
        cuda: ``torch.version.cuda``, empty for a torch without CUDA.
        folder: the folder with ``include`` and ``lib``.
        cxx11_abi: whether torch was compiled with the C++11 ABI of the standard library.
    """

    version: str
    cuda: str
    folder: Path
    cxx11_abi: bool


@dataclass(frozen=True)
class Build:
    """One compilation: what, with what, to where."""

    command: tuple[str, ...]  # without the output
    target: Path
    key: str  # of everything that the result depends on

    @property
    def cached(self) -> Path:
        """Where the library of this very build is kept."""
        return cache_folder() / self.key / FILE_NAME


def cache_folder() -> Path:
    """Return the folder in which the LAMMPS plugin looks for the backend after its own folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "lmlp" / "torch-backend"


def torch_facts() -> TorchFacts:
    """Return the facts of this environment's torch.

    Raises:
        BuildError: there is no torch, or it came without its headers.
    """
    try:
        import torch
    except ImportError as error:
        raise BuildError(
            f"no torch in this Python environment ({sys.prefix}): {error}; pip install torch"
        ) from None
    folder = Path(torch.__file__).resolve().parent
    for needed in ("include/torch/csrc/jit/api/module.h", "lib/libtorch_cpu.so"):
        if not (folder / needed).is_file():
            raise BuildError(
                f"torch {torch.__version__} in {folder} has no {needed}; install that of PyPI or pytorch.org"
            )
    return TorchFacts(
        str(torch.__version__), torch.version.cuda or "", folder, bool(torch.compiled_with_cxx11_abi())
    )


def source_folder() -> Path:
    """Return the folder with the source and the headers of the backend."""
    for folder in package_folders():
        if (folder / "torch_backend" / SOURCE).is_file():
            return folder / "torch_backend"
    raise BuildError(f"{SOURCE} is missing in this installation of lmlp: reinstall lmlp")


def find_compiler(given: str | None = None) -> list[str]:
    """Return the words of the C++ compiler's command: as given, of $CXX, or what PATH has."""
    wanted = given or os.environ.get("CXX")
    names = [wanted] if wanted else list(COMPILERS)
    for name in names:
        words = shlex.split(name)
        if words and shutil.which(words[0]):
            return words
    text = f"there is no C++ compiler {' or '.join(names)}"
    raise BuildError(
        f"{text}: install one with C++20 (apt install g++, conda install gxx, module load gcc) or name it "
        "with --compiler"
    )


def plan(output: Path | None = None, compiler: str | None = None, optimize: int = 2) -> Build:
    """Lay out the build against this environment's torch.

    Args:
        output: file or existing folder to put the library; by default the user's cache folder.
        compiler: command of the C++ compiler.
        optimize: level of optimization; the work is done inside torch.

    Raises:
        BuildError: torch, its headers, the compiler or the sources are missing.
    """
    torch, source = torch_facts(), source_folder()
    include, lib = torch.folder / "include", torch.folder / "lib"
    command = (
        *find_compiler(compiler),
        *("-std=c++20", f"-O{optimize}", "-fPIC", "-shared", "-fvisibility=hidden"),
        f'-DLMLP_TORCH_VERSION="{torch.version}"',
        f'-DLMLP_TORCH_CUDA="{torch.cuda}"',
        f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.cxx11_abi)}",
        *(f"-I{source}", "-isystem", str(include), "-isystem", str(include / "torch/csrc/api/include")),
        str(source / SOURCE),
        # libtorch brings the CUDA libraries where there are any; nothing of them is named here
        *(f"-L{lib}", f"-Wl,-rpath,{lib}", "-Wl,--no-as-needed", "-ltorch", "-ltorch_cpu", "-lc10"),
    )
    target = cache_folder() / FILE_NAME if output is None else output
    return Build(command, target / FILE_NAME if target.is_dir() else target, _key(command, torch, source))


def _key(command: tuple[str, ...], torch: TorchFacts, source: Path) -> str:
    """Name a build by everything its result depends on."""
    digest = hashlib.sha256(repr(command).encode())
    for name in (SOURCE, *HEADERS):
        digest.update((source / name).read_bytes())
    digest.update(_output([*command[:1], "--version"]).encode())
    # a torch that was rebuilt in place keeps its name
    library = (torch.folder / "lib" / "libtorch_cpu.so").stat()
    digest.update(f"{library.st_size} {library.st_mtime_ns}".encode())
    return f"torch-{torch.version}-{digest.hexdigest()[:16]}"


def run(build: Build) -> None:
    """Compile, try to load the result, and put it in place; a file there is replaced only by a good one.

    Raises:
        BuildError: the compiler failed, its result does not load, or the target cannot be written.
    """
    try:
        build.cached.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BuildError(f"{build.cached.parent}: cannot write there: {error.strerror}") from error
    temporary = build.cached.with_name(f".{os.getpid()}.{FILE_NAME}")
    try:
        _call([*build.command, "-o", str(temporary)], "the compiler failed")
        _call([sys.executable, "-c", CHECK, str(temporary)], "what was built does not load")
        os.replace(temporary, build.cached)
    finally:
        temporary.unlink(missing_ok=True)


def install(build: Build) -> None:
    """Put the built library where it belongs: a link in the cache folder, a copy elsewhere."""
    temporary = build.target.with_name(f".{os.getpid()}.{build.target.name}")
    try:
        build.target.parent.mkdir(parents=True, exist_ok=True)
        if build.target.parent == cache_folder():
            temporary.symlink_to(build.cached.relative_to(cache_folder()))
        else:
            shutil.copyfile(build.cached, temporary)
        os.replace(temporary, build.target)
    except OSError as error:
        raise BuildError(f"{build.target}: cannot write there: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _output(command: list[str]) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.stdout


def _call(command: list[str], failure: str) -> None:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
    except OSError as error:
        raise BuildError(f"{failure}: {command[0]}: {error.strerror}") from error
    if done.returncode == 0:
        return
    output = done.stdout.decode("utf-8", errors="replace")
    lines = [line for line in output.splitlines() if "error" in line.lower()] or output.splitlines()
    raise BuildError(f"{failure}: {' | '.join(lines[:3])[:600]} (command: {shlex.join(command)})")
