"""What a session relies on, of every strategy: draws that repeat, shares, a ledger, state."""

import numpy as np
import pytest
from lmlp.selection.likes import find_likes
from lmlp.selection.rule import SelectionRule
from lmlp.selection.strategies import STRATEGIES

TASKS = np.repeat([0, 1, 2], [40, 40, 20])
N_DRAWS = 20


def made(name):
    return STRATEGIES[name](
        [np.arange(100), np.arange(0, 100, 2)],
        TASKS,
        new=2,
        batch_size=5,
        seed=3,
        rule=SelectionRule(old_share=0.6, redundant_after=1, recheck_every=3),
        factors=np.linspace(0.5, 3, 100),
        statuses=np.where(np.arange(100) % 10 == 7, 1, 0),
        n_draws=N_DRAWS,
        likes=find_likes(np.random.default_rng(0).normal(size=(100, 3)), np.arange(100)),
    )


def losses(ids, epoch):
    return 0.1 + (ids % 7) / (1 + epoch)


def step_through(sampler, epoch, n=None):
    """Take the first ``n`` steps of an epoch; end it if that is all."""
    steps = sampler.batches(epoch)
    for step in steps[:n]:
        ids = np.concatenate(step)
        sampler.observe(ids, losses(ids, epoch))
    if n is None:
        sampler.finish_epoch(epoch)
    return steps


def same(a, b):
    return all(np.array_equal(x, y) for s, t in zip(a, b, strict=True) for x, y in zip(s, t, strict=True))


@pytest.mark.parametrize("name", STRATEGIES)
def test_draws(name):
    sampler = made(name)
    for epoch in range(12):
        before = sampler.ledger.uses.copy()
        steps = sampler.batches(epoch)
        assert len(steps) == sampler.n_steps
        assert same(steps, step_through(sampler, epoch))  # asked twice, it answers the same
        for m, own in enumerate((np.arange(100), np.arange(0, 100, 2))):
            mine = np.concatenate([step[m] for step in steps])
            assert len(set(mine.tolist())) == len(mine) <= N_DRAWS == sampler.n_draws
            assert set(mine.tolist()) <= set(own.tolist())
        drawn = np.bincount(np.concatenate([i for step in steps for i in step]), minlength=100)
        assert np.array_equal(sampler.ledger.uses - before, drawn)
    assert sum(sampler.divide(N_DRAWS, [80, 20])) == N_DRAWS
    assert np.isfinite(sampler.ledger.level).all()


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("n", [0, 2])
def test_goes_on_in_mid_epoch_as_if_nothing_had_been(name, n):
    straight, broken, again = made(name), made(name), made(name)
    for epoch in range(6):
        step_through(straight, epoch)
        step_through(broken, epoch)
    expected = straight.batches(6)
    step_through(broken, 6, n)
    again.restore(broken.state())
    rest = again.batches(6)
    assert same(rest, expected)
    for step in rest[n:]:
        ids = np.concatenate(step)
        again.observe(ids, losses(ids, 6))
    again.finish_epoch(6)
    step_through(straight, 6)
    for epoch in range(7, 12):
        assert same(step_through(again, epoch), step_through(straight, epoch))
    assert np.array_equal(again.ledger.status, straight.ledger.status)
    assert again.ledger.reason == straight.ledger.reason
