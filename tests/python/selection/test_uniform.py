"""Plain rehearsal: equal chances, shares of the tasks, levels; the same after a restart."""

import numpy as np
import pytest
from lmlp.selection.likes import find_likes
from lmlp.selection.rule import SelectionRule
from lmlp.selection.strategies import STRATEGIES

TASKS = np.repeat([0, 1, 2], [40, 40, 20])


def uniform(**rule):
    rule = SelectionRule(old_share=0.6, **rule)
    likes = find_likes(np.zeros((100, 2)), np.arange(100))
    more = {"factors": np.linspace(0.5, 3, 100), "statuses": np.ones(100, int), "likes": likes}
    members = [np.arange(100), np.arange(0, 100, 2)]
    return STRATEGIES["uniform"](members, TASKS, new=2, batch_size=5, seed=3, rule=rule, n_draws=20, **more)


def epoch_of(sampler, epoch):
    """Let losses of task t be t + 1."""
    steps = sampler.batches(epoch)
    for step in steps:
        ids = np.concatenate(step)
        sampler.observe(ids, TASKS[ids] + 1.0)
    sampler.finish_epoch(epoch)
    return steps


def test_shares_and_equal_chances():
    sampler = uniform()
    drawn = np.zeros((2, 100))
    for epoch in range(400):
        steps = epoch_of(sampler, epoch)
        assert len(steps) == sampler.n_steps == 4
        for m in (0, 1):
            mine = np.concatenate([step[m] for step in steps])
            assert len(mine) == len(set(mine.tolist())) == 20
            assert (TASKS[mine] == 2).sum() == 8
            np.add.at(drawn[m], mine, 1)
    assert not drawn[1, 1::2].any()  # the second member has every other structure
    for m, step in ((0, 1), (1, 2)):
        for part in (slice(0, 80, step), slice(80, 100, step)):
            counts = drawn[m, part]
            assert counts.std() < 2 * np.sqrt(counts.mean())  # as of independent draws, whatever the factors
    assert sampler.ledger.uses.tolist() == drawn.sum(axis=0).tolist()
    assert sampler.ledger.level == pytest.approx([1.0, 2.0, 3.0])
    # what is known of earlier structures stays as it is
    assert sampler.ledger.status.all()
    assert sampler.ledger.factor.tolist() == [*np.linspace(0.5, 3, 100)[:80], *[1.0] * 20]


def test_what_one_lacks_the_other_gets():
    sampler = uniform()
    assert sampler.divide(20, [80, 20]) == (12, 8)
    assert sampler.divide(20, [80, 5]) == (15, 5)
    assert sampler.divide(20, [3, 20]) == (3, 17)


def test_goes_on_after_a_restart():
    straight, broken = uniform(), uniform()
    for epoch in range(3):
        epoch_of(straight, epoch)
        epoch_of(broken, epoch)
    ids = np.concatenate(straight.batches(3)[0])
    for sampler in (straight, broken):
        sampler.observe(ids, TASKS[ids] + 2.0)
    again = uniform()
    again.restore(broken.state())
    for sampler in (straight, again):
        sampler.finish_epoch(3)
    assert np.array_equal(again.ledger.level, straight.ledger.level)
    assert np.array_equal(again.ledger.uses, straight.ledger.uses)
    assert np.array_equal(np.concatenate(again.batches(4)[1]), np.concatenate(straight.batches(4)[1]))
