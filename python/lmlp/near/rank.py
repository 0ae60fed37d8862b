"""Effective rank of a matrix: how many directions its rows and columns use, as a real number."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from lmlp.errors import InvalidArgumentError
from lmlp.model.torch_fork import safe_after_fork


@safe_after_fork
def effective_rank(matrix: Tensor | ArrayLike) -> float:
    """Compute exp(−Σ p_i ln p_i), p the singular values divided by their sum.

    It is at least 1 and at most the rank, n for the n × n identity (and any multiple of an orthogonal
    matrix), 1 for an outer product; it does not change when the matrix is transposed, multiplied by a number
    or rotated from either side. Computed in float64.

    Args:
        matrix: ``[n, m]``.

    Returns:
        the effective rank; 0 for the zero matrix, which uses no direction.

    Raises:
        InvalidArgumentError: not a matrix, empty, or with entries that are not finite.

    Source: arXiv 2408.08776.
    """
    values = matrix.detach() if isinstance(matrix, Tensor) else np.array(matrix, dtype=float)
    a = torch.as_tensor(values, dtype=torch.float64)
    if a.ndim != 2 or a.numel() == 0:
        raise InvalidArgumentError(
            f"effective rank of an array of shape {list(a.shape)}: a matrix with entries is needed"
        )
    if not torch.isfinite(a).all():
        raise InvalidArgumentError("effective rank of a matrix with entries that are not finite")
    largest = a.abs().max()
    if largest == 0.0:
        return 0.0
    singular = torch.linalg.svdvals(a / largest)  # divided: no overflow or underflow of its squares
    return float(torch.exp(torch.special.entr(singular / singular.sum()).sum()))
