"""Adaptive selection: who is drawn, parked, looked at again, suspected; exact resume inside the trainer."""

import dataclasses

import numpy as np
import pytest
from lmlp.errors import ConfigError, InvalidArgumentError
from lmlp.selection.adaptive import AdaptiveSelection
from lmlp.selection.likes import likes_by_task
from lmlp.selection.rule import SelectionRule
from lmlp.training import Observer, make_config
from lmlp.training.state.checkpoint import load_checkpoint
from lmlp.training.state.log import read_log

from tests.python.training.test_resume import StopAt, _same_model, _same_state
from tests.python.training.toy import clusters, prepared, settings

N = 200


def _selection(rule=None, n=N, members=2, new=None, tasks=None, **more):
    ids = [np.arange(n)] * members
    tasks = np.zeros(n, int) if tasks is None else tasks
    return AdaptiveSelection(ids, tasks, new=new, rule=rule, seed=3, batch_size=5, **more)


def _play(selection, losses, epochs, first=0):
    """Let every drawn structure report the loss that it has; returns how often each was used."""
    uses = np.zeros(len(losses), int)
    for epoch in range(first, first + epochs):
        for step in selection.batches(epoch):
            ids = np.concatenate(step)
            np.add.at(uses, ids, 1)
            selection.observe(ids, losses[ids])
        selection.finish_epoch(epoch)
    return uses


def _same_ledger(a, b) -> bool:
    assert not a["seen"]
    assert not b["seen"]

    def same(x, y):
        return x == y if isinstance(x, list) else np.array_equal(x.numpy(), y.numpy(), equal_nan=True)

    return all(same(a[part][k], b[part][k]) for part in ("ledger", "history") for k in a[part])


def _broad(n=N, seed=0):
    """Losses as they are: a factor of two up and down."""
    return np.exp(np.random.default_rng(seed).normal(0.0, 0.5, n))


def test_a_share_is_drawn_without_replacement_and_members_differ():
    selection = _selection()
    steps = selection.batches(0)
    per_member = [np.concatenate([s[m] for s in steps]) for m in range(2)]
    assert [len(set(d.tolist())) for d in per_member] == [20, 20]
    assert set(per_member[0].tolist()) != set(per_member[1].tolist())
    assert (selection.n_draws, selection.n_steps, len(steps)) == (20, 4, 4)


def test_probability_follows_the_factor():
    factors = np.where(np.arange(N) < N // 2, 4.0, 1.0)
    selection = _selection(SelectionRule(share=0.05, largest=4.0), members=1, factors=factors)
    drawn = np.concatenate([np.concatenate(s) for e in range(400) for s in selection.batches(e)])
    ratio = (drawn < N // 2).sum() / (drawn >= N // 2).sum()
    # 4000 draws, nearly with replacement: 4 within the noise of 0.15 and a depletion of some percent
    assert 3.3 < ratio < 4.4


def test_hard_structures_gain_easy_ones_lose():
    losses = np.ones(N)
    losses[:20], losses[20:40] = 2.5, 0.1
    selection = _selection()
    uses = _play(selection, losses, 25)
    factor = selection.ledger.factor
    assert factor[:20].mean() > 2.5
    assert factor[20:40].mean() < 0.6
    assert np.array_equal(factor[40:], np.ones(160))
    assert uses[:20].mean() > 1.5 * uses[40:].mean() > 1.5 * uses[20:40].mean()


def test_redundant_are_parked_looked_at_again_and_come_back():
    rule = SelectionRule(share=0.5, recheck_every=10, smallest=0.2)
    losses = np.ones(N)
    losses[:60] = 0.1
    selection = _selection(rule, members=4)
    _play(selection, losses, 120)
    parked = selection.ledger.status == 1
    assert parked[:60].mean() > 0.9
    assert not parked[60:].any()
    first = int(np.flatnonzero(parked)[0])
    assert selection.ledger.reason[first].startswith("redundant: loss 0.1")
    # they cost little, but each is used once per ten epochs or whenever its turn comes
    uses = _play(selection, losses, 60, first=120)
    again = uses[parked]
    assert again.min() >= 1
    assert again.mean() < 0.3 * uses[60:].mean()
    losses[:60] = 2.0  # forgotten
    _play(selection, losses, 30, first=180)
    assert (selection.ledger.status[:60] == 1).mean() < 0.1
    assert selection.ledger.factor[:60][selection.ledger.status[:60] == 0].mean() > 1.0


def test_wrong_labels_are_suspected_hard_structures_are_not():
    losses = _broad()
    wrong = np.arange(0, N, 50)
    losses[wrong] = 60.0
    selection = _selection(members=4, new=0)
    _play(selection, losses, 80)
    suspects = np.flatnonzero(selection.ledger.status == 2)
    assert suspects.tolist() == wrong.tolist()
    assert "not falling in 1" in selection.ledger.reason[0]
    drawn = {int(i) for s in selection.batches(80) for m in s for i in m}
    assert not drawn & set(wrong.tolist())
    # without outliers nobody is accused, however hard
    for seed in range(3):
        honest = _selection(members=4, new=0)
        _play(honest, _broad(seed=seed), 80)
        assert not (honest.ledger.status == 2).any()


def test_a_hard_kind_is_no_suspect_beside_an_easy_one():
    """The mean is that of the many easy ones; who is compared with similar structures is not accused."""
    rng = np.random.default_rng(1)
    losses = 0.01 * np.exp(rng.normal(0.0, 0.3, N))
    losses[:20] = 2.0 * np.exp(rng.normal(0.0, 0.3, 20))
    points = np.where(np.arange(N) < 20, 50.0, 0.0)[:, None] + rng.normal(0.0, 1.0, (N, 3))
    wrong = [3, 4, 100]  # two hard ones, like each other, and an easy one
    points[4] = points[3]
    losses[wrong] = 200.0, 200.0, 2.0
    suspects = {}
    for limit in (4.0, 0.0):
        selection = _selection(SelectionRule(suspect_likes=limit), members=4)
        selection.likes = likes_by_task(points, selection.tasks, np.arange(N))
        _play(selection, losses, 150)
        suspects[limit] = np.flatnonzero(selection.ledger.status == 2).tolist()
    assert suspects[4.0] == wrong
    assert set(wrong) < set(suspects[0.0])
    assert len(suspects[0.0]) > 15


def test_nobody_is_accused_before_the_likes_have_been_used():
    losses = np.ones(N)
    losses[7] = 100.0
    points = np.random.default_rng(1).normal(0.0, 1.0, (N, 3))
    selection = _selection(members=4)
    selection.likes = likes_by_task(points, selection.tasks, np.arange(N))
    near = selection.likes.near[7]
    selection.ledger.status[near[:5]] = 2  # excluded, and none of the others used
    selection.members = [np.setdiff1d(np.arange(N), near)] * 4
    _play(selection, losses, 80)
    assert selection.ledger.status_name(7) == "active"
    selection.members = [np.arange(N)] * 4
    selection.ledger.status[near] = 0
    _play(selection, losses, 20, first=80)
    assert selection.ledger.status_name(7) == "suspect"


def test_what_is_still_being_learned_is_no_suspect():
    losses = _broad()
    selection = _selection(members=4, new=0)
    for epoch in range(60):
        losses[7] = 60.0 * 0.9**epoch + 1.0
        _play(selection, losses, 1, first=epoch)
    assert selection.ledger.uses[7] > 40
    assert selection.ledger.status_name(7) == "active"


def test_outliers_do_not_carry_the_mean_away():
    losses = np.ones(N)
    losses[:4] = 1e6
    selection = _selection(members=4)
    _play(selection, losses, 20)
    assert 0.9 < selection.ledger.level[0] < 1.5
    assert (selection.ledger.factor[4:] == 1.0).all()


def test_earlier_tasks_keep_their_share_and_their_own_scale():
    tasks = np.repeat([0, 1, 2], [100, 60, 40])
    losses = np.where(tasks == 2, 100.0, np.where(tasks == 1, 1.0, 0.01))
    selection = _selection(SelectionRule(share=0.2, old_share=0.3, new=2.0), tasks=tasks, new=2, members=2)
    assert set(selection.ledger.factor[tasks == 2]) == {2.0}
    for step in (selection.batches(0), selection.batches(7)):
        for m in range(2):
            drawn = tasks[np.concatenate([s[m] for s in step])]
            assert ((drawn < 2).sum(), (drawn == 2).sum()) == (12, 28)
    _play(selection, losses, 30)
    # a small loss means nothing beside another task's
    assert (selection.ledger.status == 0).all()
    assert np.array_equal(np.unique(selection.ledger.factor), [1.0, 2.0])
    assert selection.ledger.level == pytest.approx([0.01, 1.0, 100.0])
    # a new task counts as much as two earlier ones: half of the draws, with two of them
    assert SelectionRule().share_of_old(1) == pytest.approx(1 / 3)
    assert SelectionRule().share_of_old(30) == 0.7
    auto = _selection(SelectionRule(share=0.2), tasks=tasks, new=2, members=1)
    drawn = np.concatenate([np.concatenate(s) for s in auto.batches(0)])
    assert ((drawn < 160).sum(), len(drawn)) == (20, 40)
    # few new ones: the rest of the draws goes to the old
    small = _selection(SelectionRule(share=0.2), tasks=np.repeat([0, 1], [190, 10]), new=1, members=1)
    drawn = np.concatenate([np.concatenate(s) for s in small.batches(0)])
    assert ((drawn >= 190).sum(), len(drawn)) == (10, 40)


def test_the_same_answer_within_an_epoch_and_after_a_restart():
    a, b = _selection(new=0), _selection(new=0)
    losses = _broad()
    _play(a, losses, 12)
    steps = a.batches(12)
    a.observe(np.concatenate(steps[0]), losses[np.concatenate(steps[0])])
    b.restore(a.state())
    for x, y in zip(a.batches(12), b.batches(12), strict=True):
        assert all(np.array_equal(p, q) for p, q in zip(x, y, strict=True))
    assert all(np.array_equal(p, q) for p, q in zip(steps[1], b.batches(12)[1], strict=True))
    for s in (a, b):
        s.finish_epoch(12)
    assert _same_ledger(a.state(), b.state())


@pytest.mark.parametrize(
    "wrong", [{"share": 0.0}, {"up": 0.9}, {"down": 0.0}, {"new": 50.0}, {"redundant_after": 0}]
)
def test_impossible_numbers_are_refused(wrong):
    with pytest.raises(InvalidArgumentError, match=f"selection: {next(iter(wrong))}="):
        SelectionRule(**wrong)


RULE = {"share": 0.5, "redundant_after": 1, "smallest": 0.5, "recheck_every": 3}


def test_interrupted_training_goes_on_exactly(tmp_path):
    for folder in ("straight", "broken"):
        (tmp_path / folder).mkdir()
    straight = settings(tmp_path / "straight", clusters(24), epochs=12, selection=RULE)
    run = prepared(straight)
    expected = run.train()
    sampler = run.trainer.sampler
    assert (sampler.ledger.status == 1).any()  # the state that must survive is not the first one
    assert sampler.ledger.uses.sum() == 12 * 2 * sampler.n_draws
    broken = settings(tmp_path / "broken", clusters(24), epochs=12, selection=RULE)
    with pytest.raises(KeyboardInterrupt):
        prepared(broken, StopAt(20)).train()
    assert load_checkpoint(broken.checkpoint)["position"][1] > 0  # in mid-epoch
    model = prepared(broken, resume=True).train()
    assert _same_model(model, expected)
    a, b = load_checkpoint(broken.checkpoint), load_checkpoint(straight.checkpoint)
    assert _same_state(a, b)
    assert _same_ledger(a["sampler"], b["sampler"])
    logs = [[r for r in read_log(c.log) if r["type"] != "start"] for c in (straight, broken)]
    counts = [[r["gradient_evaluations"] for r in log] for log in logs]
    assert counts[0] == counts[1]
    n = sampler.n_draws
    assert counts[0] == [n * k for k in range(1, 13)] + [12 * n]
    assert logs[0][-1]["selection"] == {"parked": int((sampler.ledger.status == 1).sum()), "suspects": []}


def test_validation_now_and_then_and_at_the_end(tmp_path):
    config = settings(tmp_path, clusters(24), epochs=7, valid_every=3)
    run = prepared(config)
    run.train()
    epochs = [r for r in read_log(config.log) if r["type"] == "epoch"]
    assert [bool(r["valid"]) for r in epochs] == [False, False, True, False, False, True, True]
    assert set(run.trainer.best.epoch.tolist()) <= {2, 5, 6}


def test_a_run_knows_who_is_alike(tmp_path):
    run = prepared(settings(tmp_path, clusters(30), epochs=1, selection=RULE))
    run.train()
    pool = np.unique(np.concatenate(run.plan.split.train))
    near = run.trainer.sampler.likes.near
    assert set(near[pool].ravel()) <= set(pool.tolist())
    assert (near[run.plan.split.holdout] == -1).all()


def test_a_wrong_label_is_named_at_the_end(tmp_path):
    structures = clusters(30)
    structures[11] = dataclasses.replace(structures[11], energy=structures[11].energy + 40.0)
    rule = {"share": 0.5, "suspect_after": 4}
    heard = []

    class Ear(Observer):
        def on_message(self, text):
            heard.append(text)

    config = settings(
        tmp_path, structures, epochs=70, selection=rule, valid_fraction=0.0, holdout_fraction=0.0
    )
    prepared(config, Ear()).train()
    suspects = read_log(config.log)[-1]["selection"]["suspects"]
    # few structures and tiny networks: some that are merely hard are accused as well
    named = {s["source"].rpartition(":")[2]: s["reason"] for s in suspects}
    assert "11" in named
    assert len(named) < 6
    assert "suspect (wrong label" in named["11"]
    assert any(f"train.xyz:11: {named['11']}" in text for text in heard)


def test_how_selection_is_asked_for():
    def config(value, **more):
        return make_config({"data": "a.xyz", "output": "m.pt", "selection": value, **more})

    assert config("uniform").selection is None
    assert config("adaptive").selection == SelectionRule()
    assert config("0.25").selection == config(0.25).selection == SelectionRule(share=0.25)
    assert config({"share": 0.2, "recheck_every": 7}).selection.recheck_every == 7
    assert (config("adaptive").max_epochs, config("uniform").max_epochs) == (1000, 200)
    assert [config(v).epochs_per_validation for v in ("uniform", "adaptive")] == [1, 5]
    for wrong in ("often", 1.5, {"shares": 0.1}):
        with pytest.raises(ConfigError, match="selection"):
            config(wrong)
