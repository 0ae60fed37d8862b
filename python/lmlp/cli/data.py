"""``lmlp data``: convert, audit, split and deduplicate reference structures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lmlp.structure import Structure

group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Convert, audit, split and deduplicate reference structures.",
)

_FORMATS = "extended XYZ, input.data of RuNNer and n2p2, HDF5, or anything ASE reads, also .xz, .gz or .bz2"
_UNITS = {"bohr-hartree": "BOHR_HARTREE", "angstrom-ev": "ANGSTROM_EV"}

Files = Annotated[
    list[str], typer.Argument(help=f"Structures: {_FORMATS}; file@start:stop:step takes a part.")
]
EnergyKey = Annotated[str | None, typer.Option(help="Name of the energy; guessed by default.")]
ForcesKey = Annotated[str | None, typer.Option(help="Name of the forces; guessed by default.")]
StressKey = Annotated[
    str | None, typer.Option(help="Name of the stress; guessed by default, `none` ignores it.")
]
Units = Annotated[
    str, typer.Option(help="Units of input.data files: bohr-hartree, or angstrom-ev as some n2p2 data have.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
_TARGET = ".xyz, .extxyz, .data (RuNNer, n2p2), each also with .xz, .gz or .bz2; .h5 or .hdf5."


@group.command()
def convert(
    files: Files,
    output: Annotated[Path, typer.Option("-o", "--output", help=f"File to write: {_TARGET}")],
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    runner_units: Units = "bohr-hartree",
    force: Force = False,
) -> None:
    """Write structures in another format; the ending names it.

    Units of extended XYZ and HDF5 are Å, eV, eV/Å and eV/Å³ (stress: tension positive), of input.data Bohr
    and Hartree. input.data has no place for stress and further entries.

    [bold]Examples[/bold]

      lmlp data convert input.data -o train.xyz.xz

      lmlp data convert run1.traj run2.traj@::10 -o train.h5
    """
    _check_targets([output], force=force)
    structures = _read(files, (energy_key, forces_key, stress_key), runner_units)
    _write(output, structures)


@group.command()
def audit(
    files: Files,
    against: Annotated[
        list[str] | None, typer.Option(help="Training data that must not occur among the structures.")
    ] = None,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    runner_units: Units = "bohr-hartree",
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Report what data hold and what is wrong with them; exit code 1 when training makes no sense.

    Duplicates, contradicting labels, outliers, two levels of theory, wrong units and signs, placeholders,
    forces that do not belong to the energies and more: docs/data.md lists the findings.

    Example: lmlp data audit test.xyz --against train.xyz
    """
    from lmlp.io.report import audit as make_report
    from lmlp.io.report import print_report

    keys = (energy_key, forces_key, stress_key)
    structures = _read(files, keys, runner_units)
    report = make_report(structures, known=_read(against, keys, runner_units) if against else ())
    if as_json:
        import json

        typer.echo(json.dumps(report.to_dict(), indent=1, default=str))
    else:
        print_report(report)
    if report.errors:
        raise typer.Exit(1)


@group.command()
def split(
    files: Files,
    train: Annotated[Path, typer.Option(help=f"File for the training part: {_TARGET}")],
    test: Annotated[Path, typer.Option(help="File for the test part.")],
    valid: Annotated[Path | None, typer.Option(help="File for a validation part.")] = None,
    test_size: Annotated[float, typer.Option(help="A share below 1, or a number of structures.")] = 0.1,
    valid_size: Annotated[float, typer.Option(help="The same for the validation part.")] = 0.1,
    method: Annotated[
        str,
        typer.Option(
            help="random; or farthest-point: the training part covers the space of features, each structure "
            "is the one farthest from those before."
        ),
    ] = "random",
    preset: Annotated[str, typer.Option(help="Symmetry functions for farthest-point.")] = "eeacsf-resolved",
    cutoff: Annotated[float | None, typer.Option(help="Their cutoff radius in Å.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal parts.")] = 1,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    runner_units: Units = "bohr-hartree",
    force: Force = False,
) -> None:
    """Divide data into training, validation and test files.

    Copies of a geometry always stay in one part, so that test data are never trained on. With farthest-point
    the other parts are what is left over: test errors are then those of well covered structures, smaller than
    those of a random part.

    [bold]Examples[/bold]

      lmlp data split all.xyz --train train.xyz --test test.xyz

      lmlp data split all.xyz --train train.xyz --test test.xyz --test-size 900 --method farthest-point
    """
    from lmlp.errors import InvalidArgumentError
    from lmlp.io.split import split as divide

    if method not in ("random", "farthest-point"):
        raise InvalidArgumentError(f"--method {method!r}: choose random or farthest-point")
    targets = [train, test] if valid is None else [train, valid, test]
    _check_targets(targets, force=force)
    structures = _read(files, (energy_key, forces_key, stress_key), runner_units)
    chooser = _farthest(structures, preset, cutoff) if method == "farthest-point" else None
    sizes = [test_size] if valid is None else [valid_size, test_size]
    parts = divide(structures, sizes, seed=seed, first=chooser)
    for path, part in zip(targets, parts, strict=True):
        _write(path, [structures[i] for i in part])


@group.command()
def deduplicate(
    files: Files,
    output: Annotated[Path, typer.Option("-o", "--output", help=f"File to write: {_TARGET}")],
    against: Annotated[
        list[str] | None, typer.Option(help="Also leave out structures that are in these files.")
    ] = None,
    drop_contradictions: Annotated[
        bool,
        typer.Option(
            "--drop-contradictions",
            help="Leave out all structures of one geometry whose labels differ; by default they are kept and "
            "named.",
        ),
    ] = False,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    runner_units: Units = "bohr-hartree",
    force: Force = False,
) -> None:
    """Leave out structures that repeat an earlier one (same atoms at the same places up to a translation).

    Example: lmlp data deduplicate all.xyz -o train.xyz --against test.xyz
    """
    from lmlp.errors import DataError
    from lmlp.io.split import deduplicate as find

    _check_targets([output], force=force)
    keys = (energy_key, forces_key, stress_key)
    structures = _read(files, keys, runner_units)
    known = _read(against, keys, runner_units) if against else ()
    found = find(structures, known, drop_contradictions=drop_contradictions)
    typer.echo(f"{len(found.repeated)} of {len(structures)} structures repeat an earlier one")
    if against:
        typer.echo(f"{len(found.known)} are among {', '.join(against)}")
    for group, difference in found.contradictions:
        names = ", ".join(structures[i].source for i in group)
        fate = "left out" if drop_contradictions else "kept"
        typer.echo(f"same geometry, different labels ({difference}), {fate}: {names}")
    if not found.kept:
        raise DataError("nothing is left; no file was written")
    _write(output, [structures[i] for i in found.kept])


def _read(files: list[str], keys: tuple[str | None, str | None, str | None], units: str) -> list[Structure]:
    from lmlp.errors import InvalidArgumentError
    from lmlp.io import DataKeys, read_structures, runner

    if units not in _UNITS:
        raise InvalidArgumentError(f"--runner-units {units!r}: choose one of {', '.join(_UNITS)}")
    names = DataKeys(energy=keys[0], forces=keys[1], stress=keys[2])
    return read_structures(files, names, runner_units=getattr(runner, _UNITS[units]))


def _check_targets(targets: list[Path], *, force: bool) -> None:
    """Refuse impossible targets before anything is read."""
    from lmlp.errors import InvalidArgumentError
    from lmlp.io.write import check_writable

    for path in targets:
        check_writable(path)
        if targets.count(path) > 1:
            raise InvalidArgumentError(f"{path} is named twice")
        if path.exists() and not force:
            raise InvalidArgumentError(f"{path} exists; --force replaces it")


def _write(path: Path, structures: list[Structure]) -> None:
    from lmlp.io import write_structures

    write_structures(path, structures)
    text = f"{path}: {len(structures)} structures, {sum(len(s) for s in structures)} atoms"
    n_stress = sum(s.stress is not None for s in structures)
    if n_stress and ".data" in path.suffixes:
        text += f"; the stress of {n_stress} is left out, input.data has no place for it"
    typer.echo(text)


def _farthest(structures: list[Structure], preset: str, cutoff: float | None) -> Any:
    from lmlp.descriptor.presets import make_data_preset
    from lmlp.descriptor.sampling import farthest_points, structure_features
    from lmlp.elements import symbol
    from lmlp.io.distances import shortest_distances

    elements = [symbol(z) for z in sorted({int(z) for s in structures for z in s.numbers})]
    spec = make_data_preset(preset, elements, cutoff, shortest_distances(structures, elements), {})
    points = structure_features(structures, spec)

    def choose(candidates: list[int], count: int) -> list[int]:
        return [candidates[i] for i in farthest_points(points[candidates], count)]

    return choose
