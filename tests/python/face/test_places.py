"""Files of models in memory: whole for all threads, gone with the process."""

import multiprocessing
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import lmlp
import pytest
from ase.build import molecule
from lmlp.face import places

from tests.models import write_random_model


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    return write_random_model(tmp_path / "m.pt", "eeacsf-153", ["H", "O"]).read_bytes()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, of this test alone."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    places._folder.cache_clear()
    return tmp_path / "temporary"


def test_threads_that_write_at_once(content: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2, timeout=30)
    write = Path.write_bytes

    def slow(path: Path, data: bytes) -> int:
        both.wait()
        written = write(path, data)
        both.wait()
        return written

    monkeypatch.setattr(Path, "write_bytes", slow)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: lmlp.Model(content).file(), range(2))
    assert first.read_bytes() == second.read_bytes() == content
    assert [path.suffix for path in first.parent.iterdir()] == [".pt"]


def _use(content: bytes, found: "SimpleQueue[float]") -> None:
    model = lmlp.Model(content)
    energy = model.predict(molecule("H2O")).energy
    atoms = molecule("H2O")
    atoms.calc = model.calculator()
    assert atoms.get_potential_energy() == energy
    found.put(energy)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_leave_nothing(content: bytes, folder: Path, method: str) -> None:
    context = multiprocessing.get_context(method)
    found = context.SimpleQueue()
    worker = context.Process(target=_use, args=(content, found))
    worker.start()
    energy = found.get()
    worker.join(60)
    assert worker.exitcode == 0
    assert not list(folder.glob("lmlp-*"))
    assert energy == lmlp.Model(content).predict(molecule("H2O")).energy
    assert not list(folder.glob("lmlp-*"))  # a prediction needs its file only for a moment
