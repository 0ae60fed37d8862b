"""Which structures train and which measure errors: a resumed run must agree with its checkpoint on it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from lmlp.dataset.division import Split
from lmlp.errors import ConfigError
from lmlp.structure.free_atoms import FreeAtom
from lmlp.training.config import RunConfig

# settings that a resumed run may change; models and data are compared by what they hold, wherever they lie
_FREE = (
    "epochs",
    "time_limit",
    "output",
    "data",
    "valid",
    "start",
    "old",
    "threads",
    "memory_budget",
    "derivatives",
    "stream",
    "checkpoint_interval",
)


def check_saved(saved: dict[str, Any] | None, config: RunConfig, fingerprint: str) -> None:
    """Refuse a checkpoint of other data or settings.

    Args:
        saved: the checkpoint; None: there is nothing to agree with.
        config: settings.
        fingerprint: of the data.

    Raises:
        ConfigError: names what differs.
    """
    if saved is None:
        return
    if saved["fingerprint"] != fingerprint:
        files = ", ".join(map(str, config.data_files))
        raise ConfigError(
            f"{config.checkpoint}: made from other data than {files}; "
            "resume with the same files, or start anew without --resume"
        )
    old = json.loads(saved["config"])
    new = json.loads(config.model_dump_json())
    changed = [k for k in new if k not in _FREE and old.get(k) != new[k]]
    if changed:
        raise ConfigError(
            f"{config.checkpoint}: made with other settings of {', '.join(changed)}; "
            "resume with the same, or start anew without --resume"
        )


def roles(
    split: Split, tasks: Sequence[int] | np.ndarray = (), free_atoms: Sequence[FreeAtom] = ()
) -> dict[str, Any]:
    """Return what a checkpoint keeps of the roles of its structures.

    Args:
        split: who trains on what, and what is held out.
        tasks: task of each structure, if there are several.
        free_atoms: whose energies the model gets.

    Returns:
        ``digest`` of all roles; ``holdout``, the structures that no member trains on; ``free``, elements and
        energies of free atoms.
    """
    digest = hashlib.sha256()
    for part in (*split.train, *split.valid, split.holdout, np.asarray(tasks)):
        digest.update(f"{len(part)};".encode())
        digest.update(np.ascontiguousarray(part, dtype="<i8").tobytes())
    free = [f"{atom.element} {atom.energy!r}" for atom in free_atoms]
    held_out = torch.from_numpy(split.holdout.astype(np.int64))
    return {"digest": digest.hexdigest(), "holdout": held_out, "free": free}


def check_roles(saved: dict[str, Any] | None, config: RunConfig, now: dict[str, Any]) -> None:
    """Refuse a checkpoint whose structures had other roles: what was trained on measures no errors.

    Args:
        saved: the checkpoint; None: there is nothing to agree with.
        config: settings.
        now: from :func:`roles`.

    Raises:
        ConfigError: says how many of the structures that are held out now were trained on.
    """
    if saved is None:
        return
    before = saved["roles"]
    if before["free"] != now["free"]:
        raise ConfigError(
            f"{config.checkpoint}: made with other isolated atoms ({', '.join(before['free']) or 'none'}; "
            f"now {', '.join(now['free']) or 'none'}; energies in eV): resume with the same files, or start "
            "anew without --resume"
        )
    if before["digest"] == now["digest"]:
        return
    seen = np.setdiff1d(now["holdout"].numpy(), before["holdout"].numpy())
    what = (
        f"what is held out now was training data ({len(seen)} of {len(now['holdout'])} structures)"
        if len(seen)
        else "other structures were trained on, chosen by, or held out"
    )
    raise ConfigError(
        f"{config.checkpoint}: made from the same structures in other roles: {what}. Resume with each file "
        "in the role that it had, or start anew without --resume"
    )
