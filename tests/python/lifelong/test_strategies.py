"""Sessions that draw in different ways: what one knows of structures, the next one keeps."""

from lmlp.io import write_structures
from lmlp.lifelong.learn import learn, make_learn_config
from lmlp.lifelong.memory import Memory

from tests.python.lifelong.oxygen import learn_values, with_hydrogen


def states(path):
    with Memory(path) as memory:
        return {entry.checksum: entry.state for entry in memory.entries()}


def test_plain_rehearsal_keeps_what_adaptive_selection_found(start):
    parking = {"redundant_after": 1, "smallest": 0.5, "lower_below": 1.0}
    learn(make_learn_config(learn_values(start, epochs=30, selection=parking)))
    before = states(start / "model.memory")
    assert {state.status for state in before.values()} == {"active", "parked"}
    assert len({state.factor for state in before.values()}) > 2
    write_structures(start / "more.xyz", with_hydrogen(20, seed=8))
    more = {"start": str(start / "next.pt"), "data": str(start / "more.xyz"), "task": "more", "old": []}
    outcome = learn(
        make_learn_config(
            {**learn_values(start), **more, "strategy": "uniform", "output": str(start / "last.pt")}
        )
    )
    after = states(start / "model.memory")
    assert {key: after[key] for key in before} == before
    assert {state.factor for key, state in after.items() if key not in before} == {1.0}
    # those that were drawn are listed with the reason that the memory has
    reasons = {state.reason for state in before.values()}
    assert outcome.report["parked"]
    assert {row["reason"] for row in outcome.report["parked"]} <= reasons - {""}
