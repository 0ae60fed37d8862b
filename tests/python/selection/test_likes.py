"""Nearest structures, and how lonely one is."""

import numpy as np
from lmlp.selection.likes import find_likes, likes_by_task


def brute_force(points, pool, i):
    others = [j for j in pool if j != i]
    distance = np.linalg.norm(points[others] - points[i], axis=1)
    order = np.argsort(distance)[:8]
    return [others[k] for k in order], distance[order[-1]]


def test_the_eight_nearest(monkeypatch):
    monkeypatch.setattr("lmlp.selection.likes._ROWS", 40)
    points = np.random.default_rng(0).normal(size=(150, 4))
    pool = np.flatnonzero(np.arange(150) % 3 > 0)
    likes = find_likes(points, pool)
    reach = {i: brute_force(points, pool, i)[1] for i in range(150)}
    for i in (0, 1, 77, 149):
        near, far = brute_force(points, pool, i)
        assert likes.near[i].tolist() == near
        assert np.isclose(likes.remoteness[i], max(1.0, far / np.median([reach[j] for j in near])))


def test_lonely_ones_are_remote():
    rng = np.random.default_rng(0)
    points = np.concatenate(
        [rng.normal(0, 1.0, (60, 3)), rng.normal(0, 0.01, (60, 3)) + 40.0, [[99.0, 0, 0]]]
    )
    likes = find_likes(points, np.arange(121))
    assert np.median(likes.remoteness[:60]) < 1.2
    assert np.median(likes.remoteness[60:120]) < 1.2
    assert likes.remoteness.argmax() == 120
    assert likes.remoteness[120] > 30


def test_likes_are_of_the_same_task():
    points = np.zeros((70, 2))
    tasks = np.array([0] * 30 + [1] * 30 + [2] * 10)
    pool = np.setdiff1d(np.arange(70), [5])
    likes = likes_by_task(points, tasks, pool)
    assert likes.near.shape == (70, 8)
    assert (likes.near[5] == -1).all()
    assert 5 not in likes.near
    assert set(tasks[likes.near[:5]].ravel()) == {0}
    assert set(tasks[likes.near[30:60]].ravel()) == {1}
    assert (likes.near[60:] == -1).all()  # too few to compare with
    assert (likes.remoteness == 1.0).all()


def test_of_many_a_draw(monkeypatch):
    monkeypatch.setattr("lmlp.selection.likes._MOST", 50)
    points = np.random.default_rng(0).normal(size=(300, 4))
    likes = find_likes(points, np.arange(300))
    assert len(np.unique(likes.near)) == 50
    assert not (likes.near == np.arange(300)[:, None]).any()
