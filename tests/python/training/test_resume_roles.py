"""A run is resumed with every structure in the role that it had: training data measure no errors."""

import pytest
from lmlp.errors import ConfigError
from lmlp.io import write_structures
from lmlp.training import train

from tests.python.training.toy import clusters, settings

ROLES = {
    "one data set": {"data": ["a", "b", "c"]},
    "the last held out": {"data": ["a", "b"], "valid": ["c"]},
    "the last two held out": {"data": ["a"], "valid": ["b", "c"]},
}


def _config(folder, roles, **more):
    files = {role: [str(folder / f"{name}.xyz") for name in names] for role, names in roles.items()}
    return settings(folder, [], **{"epochs": 1, **files, **more})


@pytest.fixture
def folder(tmp_path):
    for k, name in enumerate("abc"):
        write_structures(tmp_path / f"{name}.xyz", clusters(12, seed=k))
    (tmp_path / "train.xyz").touch()
    return tmp_path


@pytest.mark.parametrize("stream", ["never", "always"])
@pytest.mark.parametrize("before", ROLES)
def test_other_roles_of_the_same_files_are_refused(folder, before, stream):
    more = {"derivatives": "computed", "stream": stream}
    train(_config(folder, ROLES[before], **more))
    saved = (folder / "model.checkpoint").read_bytes()
    for now in ROLES:
        config = _config(folder, ROLES[now], **more, epochs=2)
        if now == before:
            continue
        message = "was training data" if len(ROLES[now]["data"]) < len(ROLES[before]["data"]) else "roles"
        with pytest.raises(ConfigError, match=rf"model\.checkpoint: made from the same .*{message}"):
            train(config, resume=True)
    assert (folder / "model.checkpoint").read_bytes() == saved


@pytest.mark.parametrize("before", ROLES)
def test_where_the_files_lie_and_how_they_are_read_does_not_matter(folder, before):
    more = {"derivatives": "computed"}
    train(_config(folder, ROLES[before], **more))
    for name in "abc":
        (folder / f"{name}.xyz").rename(folder / f"moved-{name}.xyz")
    moved = {role: [f"moved-{name}" for name in names] for role, names in ROLES[before].items()}
    for epochs, stream in ((2, "never"), (3, "always")):
        train(_config(folder, moved, **more, stream=stream, epochs=epochs), resume=True)
    joined = [line for name in "abc" for line in (folder / f"moved-{name}.xyz").read_text().splitlines()]
    if "valid" not in moved:  # cut otherwise, the structures are the same
        (folder / "all.xyz").write_text("\n".join(joined) + "\n")
        train(_config(folder, {"data": ["all"]}, **more, epochs=4), resume=True)


def test_swapped_roles_are_other_data(folder):
    train(_config(folder, {"data": ["a", "b"], "valid": ["c"]}))
    with pytest.raises(ConfigError, match=r"made from other data than .*c\.xyz, .*a\.xyz"):
        train(_config(folder, {"data": ["b", "c"], "valid": ["a"]}), resume=True)
