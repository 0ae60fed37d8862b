"""YAML as settings are written in it: plain values, and no key given twice."""

from __future__ import annotations

from typing import Any


def read_yaml(text: str) -> Any:
    """Return what a YAML text says.

    Raises:
        ValueError: not YAML, or a key given twice in one section (YAML readers keep the last one without a
            word); says which, and in which lines.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses keys that occur twice."""

    def mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> Any:
        lines: dict[Any, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            line = key.start_mark.line + 1
            if key.value in lines:
                where = (
                    f"in line {line}"
                    if lines[key.value] == line
                    else f"in lines {lines[key.value]} and {line}"
                )
                raise ValueError(f"{key.value} is given twice, {where}: put all of it in one place")
            lines[key.value] = line
        return loader.construct_yaml_map(node)

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise ValueError(f"not valid YAML: {error}") from None
    except RecursionError:
        raise ValueError("not valid YAML: nested too deeply") from None
