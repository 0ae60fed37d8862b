"""How threads wait: set for the process, never against what the user has set."""

from __future__ import annotations

import pytest
from lmlp.cli.shared.threads import shorten_waiting

NAMES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"GOMP_SPINCOUNT": "3000", "KMP_BLOCKTIME": "0"}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": "ACTIVE"}),
        ({"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7", "KMP_BLOCKTIME": "0"}),
    ],
)
def test_what_the_user_has_set_stays(given: dict, expected: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = dict(given)
    monkeypatch.setattr("os.environ", environment)
    shorten_waiting()
    assert environment == expected
