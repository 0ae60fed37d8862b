"""Element properties as channels of the presets."""

from __future__ import annotations

from collections.abc import Sequence

from lmlp.descriptor.spec import element_weights
from lmlp.elements import element_table


class Channels:
    """Element properties that tell the given elements apart."""

    def __init__(self, elements: Sequence[str], table: str, *, keep_all: bool = False) -> None:
        self.elements = list(elements)
        self.keep_all = keep_all
        self.table = table
        values = element_table(table)["values"]
        properties = element_table(table)["properties"]
        for element in elements:
            if element not in values:
                # the core's message names the table that has it
                element_weights(
                    {
                        "type": "eeACSF",
                        "cutoff": 1.0,
                        "radial": "gaussian_bump",
                        "scaling": "linear",
                        "table": table,
                        "functions": [{"kind": "radial", "weight": "1", "eta": 0.0}],
                    },
                    [element],
                )
        blocks = [p for p in ("d", "f") if p in properties]
        self.blocks = [b for b in blocks if any(values[e][properties.index(b)] for e in elements)]
        self.inverse = {
            p: next(q for q in properties if q.endswith("-" + p)) for p in ["n", "s", *self.blocks]
        }

    def all_properties(self) -> list[str]:
        """Properties and their complements: each a sum of its own."""
        inverse = [self.inverse[p] for p in ("n", "s")]
        return ["1", "n", "s", *inverse, *(q for b in self.blocks for q in (b, self.inverse[b]))]

    def differences(self) -> list[str]:
        """Properties whose differences are distinct functions."""
        return ["n", "s", *(q for b in self.blocks for q in (b, self.inverse[b]))]

    def independent(self) -> list[str]:
        """Properties of which none follows from others."""
        return ["1", "n", "s", *self.blocks]
