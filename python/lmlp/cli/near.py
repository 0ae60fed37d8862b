"""``lmlp near``: layer sizes, activations and initializations from the data, without training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lmlp.cli.shared.described import TRAINING, described_by
from lmlp.cli.shared.options import Force, file_name
from lmlp.model.activations import ACTIVATION_NAMES

if TYPE_CHECKING:
    from lmlp.near import NearData, ScoreOptions, SizeOptions

_INPUTS = "Inputs"
_SIZES = "Layer sizes"
_OPTIONS = {
    "preset": "descriptor.preset",
    "cutoff": "descriptor.cutoff",
    "decorrelation": "model.decorrelation",
    "activation": "model.activation",
}
Command = described_by(TRAINING, _OPTIONS, defaults=False)


def command(
    data: Annotated[
        list[str], typer.Argument(help="Reference structures: anything `lmlp train` reads; no labels needed.")
    ],
    preset: Annotated[str, typer.Option(rich_help_panel=_INPUTS)] = "eeacsf-resolved",
    cutoff: Annotated[float | None, typer.Option(rich_help_panel=_INPUTS)] = None,
    element: Annotated[
        list[str] | None,
        typer.Option(
            help="Score the network of this element alone. May be repeated.", rich_help_panel=_INPUTS
        ),
    ] = None,
    decorrelation: Annotated[
        float | None,
        typer.Option(
            help="Scores are those of decorrelated inputs, as `lmlp train` uses them; without this option "
            "those of standardized features.",
            rich_help_panel=_INPUTS,
        ),
    ] = None,
    max_atoms: Annotated[
        int,
        typer.Option(
            min=1, help="Take random structures up to this number of atoms.", rich_help_panel=_INPUTS
        ),
    ] = 20_000,
    layers: Annotated[
        int, typer.Option(min=1, help="Number of hidden layers to size.", rich_help_panel=_SIZES)
    ] = 2,
    sizes: Annotated[
        str | None,
        typer.Option(help="Sizes to try, e.g. 16,32,64,128; default 8 to 256.", rich_help_panel=_SIZES),
    ] = None,
    threshold: Annotated[
        float,
        typer.Option(
            help="τ: a layer ends where one more unit lowers the share of units in use by less than this.",
            rich_help_panel=_SIZES,
        ),
    ] = 0.005,
    variant: Annotated[
        str,
        typer.Option(
            help="slope: n* where the slope is τ; authors: the formula of the authors' program, without the "
            "factor |b c|.",
            rich_help_panel=_SIZES,
        ),
    ] = "slope",
    hidden: Annotated[
        list[str] | None,
        typer.Option(help="Hidden layers to rank beside the estimate, e.g. 64,64. May be repeated."),
    ] = None,
    activation: str = "bounded-ssilu",
    repetitions: Annotated[int, typer.Option(min=2, help="Random initializations per score.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal scores.")] = 1,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Write the picture of the layer sizes (.png, .svg, .pdf).", parser=file_name, metavar="PATH"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
    force: Force = False,
) -> None:
    """Size networks from the data, without training.

    NEAR is the number of directions that the units of untrained networks use, summed over the hidden layers,
    before and after the activation: higher is better. For each layer the size is found from which on more
    units add little; then this and other architectures, all activations and all initializations are ranked.
    Beside NEAR stand the ε score (higher is better) and the variation CV of the untrained error over
    initializations (lower is better); no score knows the trained error: compare candidates by training.

    [bold]Examples[/bold]

      lmlp near train.xyz

      lmlp near train.xyz --hidden 64,64 --hidden 128,64 --decorrelation 10 --plot near.png
    """
    from lmlp.descriptor.presets import make_data_preset
    from lmlp.elements import symbol
    from lmlp.errors import DataError
    from lmlp.io import DataKeys, read_structures
    from lmlp.near import ScoreOptions, SizeOptions, make_data
    from lmlp.structure.distances import shortest_distances
    from lmlp.structure.free_atoms import set_apart

    candidates = [_numbers(text, "--hidden") for text in hidden or []]
    if plot is not None:
        _check_picture(plot, data, force=force)
    alone = float(make_data_preset(preset, ["H"], cutoff, {}, {})["cutoff"])
    no_labels = DataKeys(energy="none", forces="none", stress="none", virial="none")
    structures, free = set_apart(read_structures(list(data), no_labels), alone)
    if free and not structures:
        raise DataError(f"{', '.join(map(str, data))}: all {len(free)} structures are isolated atoms")
    elements = [symbol(z) for z in sorted({int(z) for s in structures for z in s.numbers})]
    spec = make_data_preset(preset, elements, cutoff, shortest_distances(structures, elements), {})
    inputs = make_data(structures, spec, decorrelation=decorrelation, max_atoms=max_atoms, seed=seed)
    if element:
        inputs = inputs.only(*element)
    scores = ScoreOptions(repetitions, seed)
    options = SizeOptions(
        n_layers=layers,
        sizes=None if sizes is None else _numbers(sizes, "--sizes"),
        threshold=threshold,
        variant=variant,  # type: ignore[arg-type]
        activation=activation,
    )
    result = examine(inputs, candidates, options, scores)
    if as_json:
        import json

        typer.echo(json.dumps(_plain(result, inputs), indent=1, allow_nan=False))
    else:
        _print(result, inputs, options, scores)
    if plot is not None:
        _draw(result, plot)
        if not as_json:
            typer.echo(f"picture: {plot}")


def _check_picture(path: Path, data: list[str], *, force: bool) -> None:
    """Refuse a picture that could not be written before the scores are computed."""
    from lmlp.files.kinds import PICTURE
    from lmlp.files.rule import Output, check_outputs
    from lmlp.plots import check_installed, picture_format

    picture_format(path)
    check_installed()
    check_outputs([Output(path, PICTURE)], data, force=force)


def _numbers(text: str, option: str) -> tuple[int, ...]:
    from lmlp.errors import InvalidArgumentError

    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InvalidArgumentError(f"{option} {text!r}: give sizes separated by commas, e.g. 64,64") from None


def examine(
    inputs: NearData, candidates: list[tuple[int, ...]], options: SizeOptions, scores: ScoreOptions
) -> dict[str, Any]:
    """Estimate the layer sizes and rank candidates, activations and initializations."""
    from lmlp.near import (
        INITIALIZATIONS,
        Architecture,
        estimate_sizes,
        rank_activations,
        rank_architectures,
        rank_initializations,
    )

    best, estimates = estimate_sizes(inputs, options, scores)
    shapes = dict.fromkeys([best.hidden, *candidates])
    architectures = [Architecture(shape, options.activation) for shape in shapes]
    return {
        "best": best,
        "estimates": estimates,
        "architectures": rank_architectures(architectures, inputs, scores),
        "activations": rank_activations(best.hidden, list(ACTIVATION_NAMES), inputs, scores),
        "initializations": rank_initializations(
            best.hidden, list(INITIALIZATIONS), inputs, scores, activation=options.activation
        ),
    }


def _draw(result: dict[str, Any], path: Path) -> None:
    from lmlp.plots import save
    from lmlp.plots.layer_size import SizeCurve, plot_layer_sizes

    hidden = result["best"].hidden
    layers: list[dict[str, SizeCurve]] = [{} for _ in hidden]
    for e in result["estimates"]:
        layers[e.layer - 1][e.element] = SizeCurve(e.sizes, e.ratios, e.law, e.size)
    save(plot_layer_sizes(layers, hidden), path)


def _plain(result: dict[str, Any], inputs: NearData) -> dict[str, Any]:
    """Return the results as JSON data."""
    from lmlp.near.architecture import name_of

    def ranking(name: str) -> list[dict[str, Any]]:
        return [
            {
                "hidden": list(entry.architecture.hidden),
                "activation": name_of(entry.architecture.activation),
                "initialization": name_of(entry.architecture.initialization),
                "n_parameters": entry.n_parameters,
                "scores": {k: None if s is None else s.value for k, s in entry.scores.items()},
                "near_standard_error": entry.scores["near"].error,
                "notes": entry.notes,
            }
            for entry in result[name]
        ]

    return {
        "hidden": list(result["best"].hidden),
        "n_inputs": inputs.n_inputs,
        "n_atoms": {e: len(x) for e, x in inputs.inputs.items()},
        "estimates": [
            {
                "layer": e.layer,
                "element": e.element,
                "size": e.size,
                "extrapolated": e.extrapolated,
                "sizes": list(e.sizes),
                "ratios": list(e.ratios),
                "fit": {"level": e.law.level, "slope": e.law.slope, "exponent": e.law.exponent},
            }
            for e in result["estimates"]
        ],
        **{name: ranking(name) for name in ("architectures", "activations", "initializations")},
    }


def _print(result: dict[str, Any], inputs: NearData, options: SizeOptions, scores: ScoreOptions) -> None:
    from rich.console import Console

    console = Console()
    atoms = ", ".join(f"{len(x)} {e}" for e, x in inputs.inputs.items())
    console.print(
        f"{inputs.n_inputs} inputs, atoms: {atoms}; {scores.repetitions} initializations", highlight=False
    )
    _print_sizes(result, options, console)
    _print_ranking(result["architectures"], "Architectures", "layers", console)
    _print_ranking(result["activations"], "Activations", "activation", console)
    _print_ranking(result["initializations"], "Initializations", "initialization", console)
    hidden = ",".join(map(str, result["best"].hidden))
    console.print(f"\nEstimate: lmlp train … --hidden {hidden}", highlight=False)


def _print_sizes(result: dict[str, Any], options: SizeOptions, console: Any) -> None:
    import numpy as np
    from rich.table import Table

    title = f"Layer sizes: n* at τ = {options.threshold:g} ({options.variant})"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in ("layer", "element", "n*", "units in use at n*", "largest misfit", "taken"):
        table.add_column(name, justify="left" if name == "element" else "right")
    outside = False
    for e in result["estimates"]:
        misfit = np.abs(e.law(np.array(e.sizes)) - np.array(e.ratios)).max()
        outside |= e.extrapolated
        first = e.element == result["estimates"][0].element
        table.add_row(
            str(e.layer) if first else "",
            e.element,
            f"{e.size:.1f}" + (" *" if e.extrapolated else ""),
            f"{100 * float(e.law(max(e.size, 1.0))):.0f} %",
            f"{100 * misfit:.1f} %",
            str(result["best"].hidden[e.layer - 1]) if first else "",
        )
    console.print("", table)
    if outside:
        console.print("* outside the sizes that were tried", style="yellow")


def _print_ranking(entries: list[Any], title: str, what: str, console: Any) -> None:
    from rich.table import Table

    from lmlp.near import SCORES
    from lmlp.near.architecture import name_of

    table = Table(
        title=f"{title}, best first", title_justify="left", title_style="bold", box=None, pad_edge=False
    )
    table.add_column(what)
    names = [name for name in SCORES if name in entries[0].scores]
    for name in names:
        table.add_column(
            f"{SCORES[name].name} {'↑' if SCORES[name].higher_is_better else '↓'}", justify="right"
        )
    table.add_column("weights per element", justify="right")
    notes: dict[str, None] = {}
    for entry in entries:
        a = entry.architecture
        label = {
            "layers": "-".join(map(str, a.hidden)),
            "activation": name_of(a.activation),
            "initialization": name_of(a.initialization),
        }[what]
        cells = []
        for name in names:
            score = entry.scores[name]
            error = "" if score is None or score.error is None else f" ± {score.error:.1f}"
            digits = ".1f" if name == "near" else ".3g"
            cells.append("–" if score is None else f"{score.value:{digits}}{error}")
        table.add_row(label, *cells, f"{entry.n_parameters:,}")
        notes.update(dict.fromkeys(entry.notes.values()))
    console.print("", table)
    for note in notes:
        console.print(note, style="yellow", highlight=False)
