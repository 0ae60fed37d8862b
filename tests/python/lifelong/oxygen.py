"""A first task of oxygen clusters, a second with hydrogen, and the settings that learn it."""

import numpy as np
from lmlp.config.validate import merge
from lmlp.lifelong.learn import make_learn_config
from lmlp.lifelong.plan import session_plan
from lmlp.lifelong.session import read_session
from lmlp.training.context import Context
from lmlp.training.run import Run

from tests.python.training.toy import clusters, label


def oxygen(n, seed=0):
    """Clusters of oxygen alone, with a floor of one hydrogen less than the mixed ones: another task."""
    rng = np.random.default_rng(seed)
    grid = 1.45 * np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)], float)
    return [label([8] * 4, grid + rng.normal(0, 0.1, (4, 3)), source=f"oxygen.xyz:{k}") for k in range(n)]


def with_hydrogen(n, seed=0):
    return [s for s in clusters(3 * n, seed) if (s.numbers == 1).any()][:n]


def learn_values(folder, **more):
    values = {
        "start": str(folder / "model.pt"),
        "memory": str(folder / "model.memory"),
        "old": [str(folder / "train.xyz")],
        "data": str(folder / "new.xyz"),
        "task": "new",
        "output": str(folder / "next.pt"),
        "epochs": 12,
        "batch_size": 3,
        "dtype": "float64",
        "threads": 1,
        "check_fraction": 0.2,
        "selection": {"share": 0.5},
        "average": 0.5,
    }
    return merge(values, more)


def opened(config, **more):
    """A session that has read its data; ``more`` is told its context."""
    context = Context(config, **more)
    return read_session(config, context), context


def prepared_session(values, observer=None):
    """A session that is ready to learn, and its run."""
    session, context = opened(make_learn_config(values), observer=observer)
    learning = session_plan(session, context)
    return learning, Run(learning.plan, context)
