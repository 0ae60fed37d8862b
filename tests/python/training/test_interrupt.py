"""Signals become a flag between steps; only a second Ctrl-C ends the process at once."""

import signal

import pytest
from lmlp.training import train
from lmlp.training.interrupt import InterruptFlag
from lmlp.training.observer import Observer
from lmlp.training.state.checkpoint import load_checkpoint

from tests.python.training.toy import clusters, settings


def test_terminations_never_cut_short_what_is_saved_a_second_interrupt_does():
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with InterruptFlag() as flag:
        assert not flag.requested
        signal.raise_signal(signal.SIGTERM)
        assert flag.requested
        signal.raise_signal(signal.SIGTERM)  # torchrun repeats it
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_terminated_run_has_saved_the_step_that_it_was_in(tmp_path):
    class Stop(Observer):
        def on_step(self, position, share, remaining):
            if position.total == 5:
                signal.raise_signal(signal.SIGTERM)

    config = settings(tmp_path, clusters(24))
    with pytest.raises(KeyboardInterrupt):
        train(config, observer=Stop())
    assert load_checkpoint(config.checkpoint)["position"] == [0, 5, 5]
