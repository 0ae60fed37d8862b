"""Help texts from the settings: an option says what the setting says that it stands for."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

if TYPE_CHECKING:
    from lmlp.config.listing import Setting

TRAINING = "lmlp.training.config:TrainConfig"
LEARNING = "lmlp.lifelong.config:LearnConfig"


def described_by(
    settings: str, options: Mapping[str, str], *, defaults: bool = True, further: bool = False
) -> type[TyperCommand]:
    """Make a kind of command that reads its help texts from settings, when they are asked for.

    Args:
        settings: section, as module:class; it is loaded for help only.
        options: parameter of the command -> key of the setting that it stands for. What the parameter says
            itself comes after the description.
        defaults: name the settings' defaults, too.
        further: list the settings that no option stands for.
    """

    class Described(TyperCommand):
        def format_help(self, ctx: Any, formatter: Any) -> None:
            kind = _load(settings)
            shown = copy.copy(self)
            shown.params = [copy.copy(param) for param in self.params]
            for param in shown.params:
                _describe(param, kind, options, defaults=defaults)
            TyperCommand.format_help(shown, ctx, formatter)
            if further:
                _print_further(kind, list(options.values()))

    return Described


def given_settings(
    parameters: Mapping[str, Any], options: Mapping[str, str], **parsers: Callable[[str], Any]
) -> dict[str, Any]:
    """Return the settings that the options of a command give, by dotted key; files as text.

    Args:
        parameters: of the command, by name.
        options: parameter -> key.
        parsers: make the setting of a parameter's text.
    """
    found: dict[str, Any] = {}
    for name, key in options.items():
        value = parameters[name]
        if value is None or value is False or value in ([], ()):
            continue
        if name in parsers:
            value = parsers[name](value)
        elif isinstance(value, (list, tuple)):
            value = [str(item) for item in value]
        found[key] = value if isinstance(value, (int, float, list, dict)) else str(value)
    return found


def _load(settings: str) -> type:
    module, _, name = settings.partition(":")
    found: type = getattr(import_module(module), name)
    return found


def _describe(param: Any, kind: type, options: Mapping[str, str], *, defaults: bool) -> None:
    """Set the help text of a parameter that stands for a setting."""
    from rich.markup import escape

    from lmlp.config.listing import sections_of, settings_of

    key = options.get(param.name)
    if key is None:
        return
    setting = next((s for s in settings_of(kind) if s.key == key), None)
    text = sections_of(kind)[key] if setting is None else setting.words()
    shown = setting is not None and defaults and param.default is None and not param.required
    default = _default(setting) if setting is not None and shown else ""
    own = f" {param.help}" if param.help else ""
    param.help = f"{escape(text)}.{own}{default}"


def _default(setting: Setting) -> str:
    """Return the default of a setting as typer shows that of an option."""
    return "" if setting.default is None else rf" [dim]\[default: {setting.default}][/dim]"


def _print_further(kind: type, known: list[str]) -> None:
    """Print the settings that no option stands for, and the keys of the others."""
    from rich.console import Console, Group
    from rich.markup import escape
    from rich.panel import Panel
    from rich.table import Table

    from lmlp.config.listing import settings_of

    table = Table(show_header=False, box=None, padding=(0, 1), pad_edge=False)
    table.add_column(style="bold cyan", no_wrap=True)
    table.add_column()
    for setting in settings_of(kind):
        if setting.key not in known:
            table.add_row(setting.key, f"{escape(setting.words())}.{_default(setting)}")
    others = f"Keys that options stand for: {', '.join(known)}."
    panel = Panel(
        Group(table, "", others),
        title="Further settings: --set KEY=VALUE",
        title_align="left",
        border_style="dim",
    )
    Console(highlight=False).print(panel)
