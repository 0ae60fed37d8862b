"""Every form of the core is in the reference and among the inputs of the tests."""

import pytest
from lmlp.descriptor import compute, reference

from . import inputs


@pytest.mark.parametrize(
    ("core", "reference_names", "tested"),
    [
        (compute.RADIAL_NAMES, reference.RADIAL_FORMS, inputs.RADIAL),
        (compute.ANGULAR_NAMES, reference.ANGULAR_FORMS, inputs.ANGULAR),
        (compute.SCALING_NAMES, reference.SCALING_FORMS, inputs.SCALINGS),
    ],
    ids=["radial", "angular", "scaling"],
)
def test_every_form_of_the_core(
    core: tuple[str, ...], reference_names: tuple[str, ...], tested: list[str] | dict[str, object]
) -> None:
    assert set(reference_names) == set(core), "the reference does not know a form of the core"
    assert set(tested) == set(core), "a form of the core is compared with nothing"
