"""The continual resilient (CoRe) optimizer: RPROP-like step sizes per weight on Adam-like directions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim import Optimizer

# Numbers that are updated together: about twenty passes over some ten arrays of them stay in the cache.
_TOGETHER = 2**15
# A weight is frozen when its score reaches this share of the smallest score among the top p_frozen:
# ties within rounding are frozen together, as in the authors' package.
_TIE = 0.999999


class CoRe(Optimizer):
    """Minimize (or maximize) by CoRe steps; needs no learning-rate schedule for full batches.

    Per weight, with gradient G_t (sign flipped for ``maximize``) and t = 1, 2, …::

        β1  = β1b + (β1a − β1b) exp(−[(t−1)/β1c]²)
        g_t = β1 g_{t−1} + (1 − β1) G_t;      h_t = β2 h_{t−1} + (1 − β2) G_t²   (β2 ≥ 0)
        P_t = 0 if t > t_hist > 0 and the score S_{t−1} is among the top p_frozen of its tensor, else 1
        s_t = clamp(s_{t−1}·(η+ | η− | 1 for g_{t−1} g_t P_t > | < | = 0), s_min, s_max);   s_0 = lr
        u_t = [g_t/(1 − β1^t)] / (√(h_t/(1 − β2^t)) + ε), or sgn(g_t) if β2 < 0
        S_t = S_{t−1}·(1 if t ≤ t_hist else 1 − 1/t_hist) + g_t u_t P_t s_t / t_hist
        θ_t = (1 − d |u_t| P_t s_t) θ_{t−1} − u_t P_t s_t

    Every option can be set per parameter group. ``step_sizes`` may be lowered during training to anneal.

    Args:
        params: tensors, or parameter groups.
        lr: first step size s_0 of every weight.
        step_sizes: (s_min, s_max); s_max 1e-3 for mini-batches, 1e-2 in between, 1 for full batches.
        etas: (η−, η+), factors of the step size after a sign change and without one.
        betas: (β1a, β1b, β1c, β2); β2 < 0 steps by the sign alone.
        eps: ε of the denominator.
        weight_decay: d, relative to the step taken.
        score_history: t_hist, steps until scores count; 0 switches plasticity off.
        frozen: p_frozen, share of the weights of each tensor that is frozen.
        stacked: number of leading axes along which a tensor holds independent tensors (ensemble members):
            p_frozen is taken of each of them.
        maximize: ascend instead.

    Raises:
        ValueError: an option outside its range.

    Source: Eckhoff & Reiher, Mach. Learn.: Sci. Technol. 2024, 5, 015018, doi 10.1088/2632-2153/ad1f76.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        step_sizes: tuple[float, float] = (1e-6, 1e-2),
        etas: tuple[float, float] = (0.7375, 1.2),
        betas: tuple[float, float, float, float] = (0.7375, 0.8125, 250.0, 0.99),
        eps: float = 1e-8,
        weight_decay: float = 0.1,
        score_history: int = 0,
        frozen: float = 0.0,
        *,
        stacked: int = 0,
        maximize: bool = False,
    ) -> None:
        defaults: dict[str, Any] = {
            "lr": lr,
            "step_sizes": step_sizes,
            "etas": etas,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "score_history": score_history,
            "frozen": frozen,
            "stacked": stacked,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group after checking its options."""
        _check_options({**self.defaults, **param_group})
        super().add_param_group(param_group)
        for p in self.param_groups[-1]["params"]:
            if p.is_complex():
                raise ValueError("CoRe takes real parameters; got a complex one")

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Take one step; ``closure`` recomputes and returns the loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            buckets: dict[tuple[Any, ...], list[Tensor]] = defaultdict(list)
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p.grad.is_sparse:
                    raise RuntimeError("CoRe takes dense gradients; got a sparse one")
                state = self._state_of(p, group)
                buckets[p.device, p.dtype, state["step"]].append(p)
            for (_, _, t), tensors in buckets.items():
                for part in _parts(tensors):
                    self._update(group, part, t)
        return loss

    def _state_of(self, p: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        state: dict[str, Any] = self.state[p]
        if not state:
            state["step"] = 0
            state["gradient"] = torch.zeros_like(p, memory_format=torch.preserve_format)
            state["square"] = torch.zeros_like(p, memory_format=torch.preserve_format)
            state["step_size"] = torch.full_like(p, group["lr"], memory_format=torch.preserve_format)
            if group["score_history"] > 0:
                state["score"] = torch.zeros_like(p, memory_format=torch.preserve_format)
        state["step"] += 1
        return state

    def _update(self, group: dict[str, Any], params: list[Tensor], t: int) -> None:
        """Move tensors that have all seen t − 1 steps."""
        beta1a, beta1b, beta1c, beta2 = group["betas"]
        beta1 = beta1b + (beta1a - beta1b) * math.exp(-(((t - 1) / beta1c) ** 2))
        states = [self.state[p] for p in params]
        previous = [s["gradient"] for s in states]
        gradients = [p.grad for p in params if p.grad is not None]
        if group["maximize"]:
            gradients = list(torch._foreach_neg(gradients))

        direction: list[Tensor] | None = None
        if beta2 >= 0:
            squares = [s["square"] for s in states]
            torch._foreach_mul_(squares, beta2)
            torch._foreach_addcmul_(squares, gradients, gradients, value=1.0 - beta2)
            direction = list(torch._foreach_div(squares, 1.0 - beta2**t))
            torch._foreach_sqrt_(direction)
            torch._foreach_add_(direction, group["eps"])

        current = list(torch._foreach_lerp(gradients, previous, beta1))
        plasticity = _plasticity(group, states, t)
        sizes = [s["step_size"] for s in states]
        _adapt_step_sizes(group, sizes, torch._foreach_mul(current, previous), plasticity)

        if direction is None:
            moves = list(torch._foreach_sign(current))
        else:
            moves = list(torch._foreach_div(current, 1.0 - beta1**t))
            torch._foreach_div_(moves, direction)
        torch._foreach_mul_(moves, sizes)
        if plasticity is not None:
            torch._foreach_mul_(moves, plasticity)
        if group["score_history"] > 0:
            scores = [s["score"] for s in states]
            torch._foreach_addcmul_(scores, current, moves, value=1.0 / group["score_history"])

        if group["weight_decay"]:
            shrink = torch._foreach_abs(moves)
            torch._foreach_mul_(shrink, params)
            torch._foreach_add_(params, shrink, alpha=-group["weight_decay"])
        torch._foreach_sub_(params, moves)
        torch._foreach_copy_(previous, current)


def _parts(tensors: list[Tensor]) -> Iterator[list[Tensor]]:
    """Cut a list of tensors where the next one would make the part too large for the cache."""
    part: list[Tensor] = []
    size = 0
    for t in tensors:
        if part and size + t.numel() > _TOGETHER:
            yield part
            part, size = [], 0
        part.append(t)
        size += t.numel()
    if part:
        yield part


def _adapt_step_sizes(
    group: dict[str, Any],
    sizes: list[Tensor],
    agreement: Iterable[Tensor],
    plasticity: list[Tensor] | None,
) -> None:
    """Scale the step sizes by η+, η− or 1 by the sign of ``agreement`` = g_{t−1} g_t, and clamp them."""
    eta_minus, eta_plus = group["etas"]
    sign = list(torch._foreach_sign(list(agreement)))
    if plasticity is not None:
        torch._foreach_mul_(sign, plasticity)
    # 1 + (η − 1) is exact for η in [0.5, 2], and needs no mask
    factor = torch._foreach_clamp_min(sign, 0.0)
    torch._foreach_mul_(factor, eta_plus - 1.0)
    torch._foreach_clamp_max_(sign, 0.0)
    torch._foreach_add_(factor, sign, alpha=1.0 - eta_minus)
    torch._foreach_add_(factor, 1.0)
    torch._foreach_mul_(sizes, factor)
    torch._foreach_clamp_min_(sizes, group["step_sizes"][0])
    torch._foreach_clamp_max_(sizes, group["step_sizes"][1])


def _plasticity(group: dict[str, Any], states: list[dict[str, Any]], t: int) -> list[Tensor] | None:
    """Return P_t per tensor, or None where it is 1 everywhere; ages the scores."""
    history = group["score_history"]
    if history <= 0 or t <= history:
        return None
    scores = [s["score"] for s in states]
    plasticity = None
    if group["frozen"] > 0:
        plasticity = [_unfrozen(score, group["frozen"], group["stacked"]) for score in scores]
    torch._foreach_mul_(scores, 1.0 - 1.0 / history)
    return plasticity


def _unfrozen(score: Tensor, fraction: float, stacked: int) -> Tensor:
    """Return 0 where the score is among the top ``fraction`` of its tensor, else 1."""
    rows = score.reshape(math.prod(score.shape[:stacked]), -1) if score.ndim else score.reshape(1, 1)
    count = int(fraction * rows.shape[1])
    if count == 0:
        return torch.ones_like(score)
    threshold = torch.topk(rows, count, dim=1).values[:, -1:]
    return rows.lt(_TIE * threshold).to(score.dtype).reshape(score.shape)


def _check_options(options: dict[str, Any]) -> None:
    low, high = options["step_sizes"]
    eta_minus, eta_plus = options["etas"]
    beta1a, beta1b, beta1c, beta2 = options["betas"]
    checks = [
        ("lr", options["lr"] > 0.0, "> 0"),
        ("step_sizes", 0.0 < low <= high, "0 < s_min <= s_max"),
        ("etas", 0.0 < eta_minus <= 1.0 <= eta_plus, "0 < eta_minus <= 1 <= eta_plus"),
        (
            "betas",
            0.0 <= beta1a < 1.0 and 0.0 <= beta1b < 1.0 and beta1c > 0.0 and beta2 < 1.0,
            "0 <= beta1a, beta1b < 1, beta1c > 0, beta2 < 1",
        ),
        ("eps", options["eps"] >= 0.0, ">= 0"),
        ("weight_decay", options["weight_decay"] >= 0.0, ">= 0"),
        ("score_history", options["score_history"] >= 0, ">= 0"),
        ("frozen", 0.0 <= options["frozen"] <= 1.0, "0 <= frozen <= 1"),
        ("stacked", options["stacked"] >= 0, ">= 0"),
    ]
    for name, valid, allowed in checks:
        if not valid:
            raise ValueError(f"CoRe: {name}={options[name]!r}, but allowed is {allowed}")
