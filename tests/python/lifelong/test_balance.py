"""Weights of the tasks in the loss: what they are, that they reach the gradient, and that they help."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from lmlp.lifelong.balance import TaskBalance, task_levels
from lmlp.selection.adaptive import AdaptiveSelection
from lmlp.selection.rule import SelectionRule
from lmlp.training.run import Run
from lmlp.training.schedule import loss_weights

from tests.python.training.toy import clusters, prepared, settings

TASKS = np.repeat([0, 1, 2], [6, 4, 10])


def _sampler():
    rule = SelectionRule(share=0.5, old_share=0.5)
    return AdaptiveSelection([np.arange(len(TASKS))], TASKS, new=2, rule=rule)


def _balance(levels, exponent, sampler=None):
    return TaskBalance(np.array(levels), exponent, TASKS, np.arange(20), sampler or _sampler())


def test_weights_fall_with_the_level_and_are_one_in_the_mean_of_the_draws():
    found = _balance([4.0, 0.25, 1.0], 0.5)(np.array([0, 6, 10, 19]))
    few, many = 0.8, 1.2  # 4 and 6 structures, 5 in the mean
    mean = 0.3 * 0.5 / many + 0.2 * 2.0 / few + 0.5  # half of the draws are old: 6 to 4
    assert found == pytest.approx(np.array([0.5 / many, 2.0 / few, 1.0, 1.0]) / mean)


def test_a_task_of_few_structures_counts_as_much_as_one_of_many_up_to_twice():
    equal = _balance([1.0, 1.0, 1.0], 0.0)(np.arange(20))
    assert equal[:6].sum() == pytest.approx(equal[6:10].sum())
    assert equal == pytest.approx(np.repeat([5 / 6, 5 / 4, 1.0], [6, 4, 10]))
    tasks = np.repeat([0, 1, 2], [1, 19, 20])
    rule = SelectionRule(share=0.5, old_share=0.5)
    sampler = AdaptiveSelection([np.arange(40)], tasks, new=2, rule=rule)
    weights = TaskBalance(np.ones(3), 0.0, tasks, np.arange(40), sampler)(np.array([0, 1]))
    assert weights[0] / weights[1] == pytest.approx(2.0 * 1.9)


def test_the_new_task_counts_by_its_present_level_earlier_ones_by_that_before():
    sampler = _sampler()
    balance = _balance([1.0, 1.0, 100.0], 1.0, sampler)
    before = balance(np.array([0, 10]))
    assert before[0] / before[1] == pytest.approx(100.0 / 1.2)
    sampler.observe(np.arange(20), np.where(TASKS == 2, 0.5, 50.0))
    sampler.finish_epoch(0)
    after = balance(np.array([0, 10]))
    assert after[0] / after[1] == pytest.approx(0.5 / 1.2)


def test_a_task_without_a_level_counts_like_the_mean():
    found = _balance([np.nan, 0.0, 4.0], 0.5)(np.array([0, 6, 10]))
    assert np.isfinite(found).all()
    assert found[2] == 1.0


def test_weights_multiply_the_loss_of_each_structure(tmp_path):
    run = prepared(settings(tmp_path, clusters(24), dtype="float64"))
    trainer = run.trainer
    ids = [np.array([0, 3]), np.array([5, 1])]
    weights = loss_weights(trainer.config.loss, 0.0)

    def gradient(groups):
        trainer.gradients(groups, weights)
        return torch.cat([p.grad.flatten() for p in trainer.parameters])

    factors = np.arange(24) + 0.5
    singles = [gradient([np.array([a]), np.array([b])]).clone() for a, b in zip(*ids, strict=True)]
    weighted = replace(run.plan, structure_weights=lambda i: factors[i])
    trainer = Run(weighted, run.context).trainer
    both = gradient(ids).clone()
    members = torch.cat([torch.arange(2).repeat_interleave(p[0].numel()) for p in trainer.parameters])
    expected = sum(
        s * torch.from_numpy(factors)[[i[k] for i in ids]][members] / 2 for k, s in enumerate(singles)
    )
    assert torch.allclose(both, expected, rtol=1e-10, atol=1e-14)


def test_level_is_the_mean_loss_of_a_task(tmp_path):
    trainer = prepared(settings(tmp_path, clusters(24), dtype="float64")).trainer
    tasks = np.repeat([0, 1], 12)
    weights = loss_weights(trainer.config.loss, 1.0)
    trained = np.arange(20)
    levels = task_levels(trainer.losses, tasks, trained, seed=1)
    for task in (0, 1):
        losses = []
        for i in trained[tasks[trained] == task]:
            losses.append(trainer.gradients([np.array([i])] * 2, weights)[1].mean())
        clipped = np.minimum(losses, 10 * np.median(losses))
        assert levels[task] == pytest.approx(np.mean(clipped), rel=1e-9)
    assert np.isnan(task_levels(trainer.losses, tasks, np.arange(5), seed=1)[1])
