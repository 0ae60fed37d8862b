"""``lmlp data``: convert, audit, split and deduplicate reference structures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lmlp.cli.shared.described import TRAINING, described_by
from lmlp.cli.shared.options import (
    KEYS,
    EnergyKey,
    Force,
    ForcesKey,
    StressKey,
    UnitsKey,
    VirialKey,
    WeightsKey,
    file_name,
)

if TYPE_CHECKING:
    from lmlp.io import DataKeys
    from lmlp.structure import Structure

group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Convert, audit, split and deduplicate reference structures.",
)

_OPTIONS = {**KEYS, "preset": "descriptor.preset", "cutoff": "descriptor.cutoff"}
Command = described_by(TRAINING, _OPTIONS, defaults=False)

_FORMATS = "extended XYZ, input.data of RuNNer and n2p2, HDF5, or anything ASE reads, also .xz, .gz or .bz2"
_UNITS = {"bohr-hartree": "BOHR_HARTREE", "angstrom-ev": "ANGSTROM_EV"}

Files = Annotated[
    list[str], typer.Argument(help=f"Structures: {_FORMATS}; file@start:stop:step takes a part.")
]
RunnerUnits = Annotated[
    str | None,
    typer.Option(
        help="Units of input.data files: bohr-hartree (default), or angstrom-ev as some n2p2 data have."
    ),
]
_TARGET = ".xyz, .extxyz, .data (RuNNer, n2p2), each also with .xz, .gz or .bz2; .h5 or .hdf5."

DataOutput = Annotated[
    Path,
    typer.Option("-o", "--output", help=f"File to write: {_TARGET}", parser=file_name, metavar="PATH"),
]


@group.command(cls=Command)
def convert(
    files: Files,
    output: DataOutput,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    virial_key: VirialKey = None,
    weights_key: WeightsKey = None,
    units_key: UnitsKey = None,
    runner_units: RunnerUnits = None,
    force: Force = False,
) -> None:
    """Write structures in another format; the ending names it.

    Units of extended XYZ and HDF5 are Å, eV, eV/Å and eV/Å³ (stress: tension positive), of input.data Bohr
    and Hartree. input.data has no place for stress and further entries.

    [bold]Examples[/bold]

      lmlp data convert input.data -o train.xyz.xz

      lmlp data convert run1.traj run2.traj@::10 -o train.h5
    """
    _check_targets([output], files, force=force)
    keys = _keys(energy_key, forces_key, stress_key, virial_key, weights_key, units_key)
    structures = _read(files, keys, runner_units)
    _write(output, structures)


@group.command(cls=Command)
def audit(
    files: Files,
    against: Annotated[
        list[str] | None, typer.Option(help="Training data that must not occur among the structures.")
    ] = None,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    virial_key: VirialKey = None,
    weights_key: WeightsKey = None,
    units_key: UnitsKey = None,
    runner_units: RunnerUnits = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Report what data hold and what is wrong with them; exit code 1 when training makes no sense.

    Duplicates, contradicting labels, outliers, two levels of theory, wrong units and signs, placeholders,
    forces that do not belong to the energies and more: docs/data.md lists the findings.

    Example: lmlp data audit test.xyz --against train.xyz
    """
    from lmlp.audit.report import audit as make_report
    from lmlp.audit.report import print_report

    keys = _keys(energy_key, forces_key, stress_key, virial_key, weights_key, units_key)
    structures, known = _read_both(files, against, keys, runner_units)
    report = make_report(structures, known=known)
    if as_json:
        import json

        typer.echo(json.dumps(report.to_dict(), indent=1, default=str))
    else:
        print_report(report)
    if report.errors:
        raise typer.Exit(1)


@group.command(cls=Command)
def split(
    files: Files,
    train: Annotated[
        Path,
        typer.Option(help=f"File for the training part: {_TARGET}", parser=file_name, metavar="PATH"),
    ],
    test: Annotated[Path, typer.Option(help="File for the test part.", parser=file_name, metavar="PATH")],
    valid: Annotated[
        Path | None, typer.Option(help="File for a validation part.", parser=file_name, metavar="PATH")
    ] = None,
    test_size: Annotated[float, typer.Option(help="A share below 1, or a number of structures.")] = 0.1,
    valid_size: Annotated[float, typer.Option(help="The same for the validation part.")] = 0.1,
    method: Annotated[
        str,
        typer.Option(
            help="random; or farthest-point: the training part covers the space of features, each structure "
            "is the one farthest from those before."
        ),
    ] = "random",
    preset: Annotated[str, typer.Option(help="For farthest-point.")] = "eeacsf-resolved",
    cutoff: Annotated[float | None, typer.Option(help="For farthest-point.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal parts.")] = 1,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    virial_key: VirialKey = None,
    weights_key: WeightsKey = None,
    units_key: UnitsKey = None,
    runner_units: RunnerUnits = None,
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
    from lmlp.dataset.parts import split_into_parts

    _check_method(method)
    targets = [train, test] if valid is None else [train, valid, test]
    _check_targets(targets, files, force=force)
    keys = _keys(energy_key, forces_key, stress_key, virial_key, weights_key, units_key)
    structures = _read(files, keys, runner_units)
    first = _farthest(structures, preset, cutoff) if method == "farthest-point" else None
    sizes = [test_size] if valid is None else [valid_size, test_size]
    parts = split_into_parts(structures, sizes, seed=seed, first=first)
    for path, part in zip(targets, parts, strict=True):
        _write(path, [structures[i] for i in part])


@group.command(cls=Command)
def deduplicate(
    files: Files,
    output: DataOutput,
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
    virial_key: VirialKey = None,
    weights_key: WeightsKey = None,
    units_key: UnitsKey = None,
    runner_units: RunnerUnits = None,
    force: Force = False,
) -> None:
    """Leave out structures that repeat an earlier one (same atoms at the same places up to a translation).

    Example: lmlp data deduplicate all.xyz -o train.xyz --against test.xyz
    """
    from lmlp.dataset.parts import deduplicate as find
    from lmlp.errors import DataError

    _check_targets([output], [*files, *(against or [])], force=force)
    keys = _keys(energy_key, forces_key, stress_key, virial_key, weights_key, units_key)
    structures, known = _read_both(files, against, keys, runner_units)
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


def _keys(*names: str | None) -> DataKeys:
    """Return the options as keys; in the order of the fields of DataKeys."""
    from lmlp.io import DataKeys

    return DataKeys(*names)


def _read(files: list[str], keys: DataKeys, runner_units: str | None) -> list[Structure]:
    return _read_both(files, None, keys, runner_units)[0]


def _read_both(
    files: list[str], others: list[str] | None, keys: DataKeys, runner_units: str | None
) -> tuple[list[Structure], list[Structure]]:
    """Read files and those they are compared with; units of input.data must matter for one of them.

    Raises:
        InvalidArgumentError: unknown units, or no input.data among the files.
    """
    from lmlp.errors import InvalidArgumentError
    from lmlp.io import read_structures
    from lmlp.io.formats import runner
    from lmlp.io.read import any_runner

    units = None
    if runner_units is not None:
        if runner_units not in _UNITS:
            raise InvalidArgumentError(f"--runner-units {runner_units!r}: choose one of {', '.join(_UNITS)}")
        if not any_runner([*files, *(others or [])]):
            raise InvalidArgumentError(
                f"--runner-units has no effect: {', '.join([*files, *(others or [])])} is no input.data of "
                "RuNNer or n2p2"
            )
        units = getattr(runner, _UNITS[runner_units])

    def read(paths: list[str]) -> list[Structure]:
        return read_structures(paths, keys, runner_units=units if any_runner(paths) else None)

    return read(files), read(others) if others else []


def _check_method(method: str) -> None:
    from lmlp.errors import InvalidArgumentError

    if method not in ("random", "farthest-point"):
        raise InvalidArgumentError(f"--method {method!r}: choose random or farthest-point")


def _check_targets(targets: list[Path], inputs: list[str], *, force: bool) -> None:
    """Refuse impossible targets before anything is read."""
    from lmlp.files.kinds import STRUCTURES
    from lmlp.files.rule import Output, check_outputs
    from lmlp.io.write import check_writable

    for path in targets:
        check_writable(path)
    check_outputs([Output(path, STRUCTURES, makes_folder=True) for path in targets], inputs, force=force)


def _write(path: Path, structures: list[Structure]) -> None:
    from lmlp.io.write import left_out, write_structures

    write_structures(path, structures)
    text = f"{path}: {len(structures)} structures, {sum(len(s) for s in structures)} atoms"
    lost = left_out(path, structures)
    typer.echo(f"{text}; {lost}" if lost else text)


def _farthest(structures: list[Structure], preset: str, cutoff: float | None) -> Any:
    from lmlp.descriptor.presets import make_data_preset
    from lmlp.descriptor.sampling import farthest_points, structure_features
    from lmlp.elements import symbol
    from lmlp.structure.distances import shortest_distances

    elements = [symbol(z) for z in sorted({int(z) for s in structures for z in s.numbers})]
    spec = make_data_preset(preset, elements, cutoff, shortest_distances(structures, elements), {})
    points = structure_features(structures, spec)

    def choose(candidates: list[int], count: int) -> list[int]:
        return [candidates[i] for i in farthest_points(points[candidates], count)]

    return choose
