"""A model of oxygen clusters, and new data with hydrogen."""

import pytest
from lmlp.export.writing import write_model_file
from lmlp.io import write_structures
from lmlp.training import train

from tests.python.lifelong.oxygen import oxygen, with_hydrogen
from tests.python.training.toy import settings


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of oxygen clusters."""
    folder = tmp_path_factory.mktemp("base")
    config = settings(
        folder, oxygen(30), epochs=30, elements=["O"], descriptor={"options": {"keep_all": True}}
    )
    write_model_file(train(config), config.output, verify=False)
    return folder


@pytest.fixture
def start(trained, tmp_path):
    """The model, its data, and new data with a new element."""
    for name in ("model.pt", "train.xyz"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    write_structures(tmp_path / "new.xyz", with_hydrogen(30, seed=5))
    return tmp_path
