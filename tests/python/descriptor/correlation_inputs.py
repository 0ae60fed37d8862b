"""Specs with correlation functions."""

DEGREES = [
    [0, 0],
    [1, 1],
    [4, 4],
    [0, 0, 0],
    [1, 1, 2],
    [2, 2, 2],
    [3, 1, 2],
    [3, 2, 3],
    [8, 8, 4],
    [1, 1, 1, 1],
    [2, 1, 1, 2],
    [1, 2, 3, 4],
]
WEIGHTS = ["1", "n", "s", "1"]
SHIFTS = [1.0, 1.7, 1.0, 2.5]


def factor(l, weight="1", shift=1.0):  # noqa: E741
    return {"weight": weight, "eta": 1.3, "shift": shift, "l": l}


def make_spec(degrees=DEGREES, angular=None, angular_cutoff=4.2):
    """A spec with one correlation function per list of degrees, its factors all different."""
    rows = [{"kind": "radial", "weight": "s", "eta": 1.0, "shift": 1.0}]
    rows += [
        {
            "kind": "correlation",
            "factors": [factor(l, WEIGHTS[k], SHIFTS[k]) for k, l in enumerate(ls)],  # noqa: E741
        }
        for ls in degrees
    ]
    spec = {"type": "eeACSF", "cutoff": 5.0, "angular_cutoff": angular_cutoff, "radial": "gaussian_shift"}
    if angular is not None:
        spec["angular"] = angular[0]
        rows[2:2] = [
            {"kind": "angular", "weight": "n", "combine": "sum", "eta": 0.7, "shift": 1.4, **angular[1]}
        ]
    return {**spec, "scaling": "linear", "table": "h-xe", "functions": rows}
