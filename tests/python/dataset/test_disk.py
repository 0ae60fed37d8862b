"""Data that stay on disk: the same model as from memory, converted once, and only if they must."""

import dataclasses
import os

import ase.db
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from lmlp.dataset.disk import StreamedDataset
from lmlp.errors import ConfigError, DataError, UnknownElementError
from lmlp.io import write_structures
from lmlp.selection.sampler import ShuffledBatches
from lmlp.training import Observer, train

from tests.python.training.toy import clusters, crystals, prepared, settings

MORE = {"derivatives": "computed", "epochs": 2}


class Ear(Observer):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.said = ""

    def on_message(self, text):
        self.said += text + "\n"


def _structures():
    """With and without labels, of several sizes, not periodic and periodic."""
    found = clusters(14) + crystals(6)
    found[3] = dataclasses.replace(found[3], forces=None)
    found[8] = dataclasses.replace(found[8], energy=None)
    return found


def _write_database(path, structures):
    with ase.db.connect(path) as database:
        for s in structures:
            atoms = Atoms(s.numbers, s.positions, cell=s.cell, pbc=s.pbc)
            labels = {"energy": s.energy, "forces": s.forces}
            atoms.calc = SinglePointCalculator(atoms, **{k: v for k, v in labels.items() if v is not None})
            database.write(atoms)


@pytest.mark.parametrize("kind", ["train.xyz", "train.h5", "train.db"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_model_is_bit_by_bit_that_of_data_in_memory(tmp_path, kind, dtype):
    if kind.endswith("h5"):
        pytest.importorskip("h5py")
    structures = clusters(20) if kind.endswith("db") else _structures()
    (_write_database if kind.endswith("db") else write_structures)(tmp_path / kind, structures)
    models, runs = [], []
    for how in ("never", "always"):
        folder = tmp_path / how
        folder.mkdir()
        write_structures(folder / "valid.xyz", clusters(6, seed=9))
        files = {"data": str(tmp_path / kind), "valid": str(folder / "valid.xyz")}
        config = settings(folder, structures, **MORE, **files, stream=how, dtype=dtype)
        models.append(train(config))
        runs.append(prepared(config))
    assert isinstance(runs[1].plan.dataset.forces, np.memmap)
    assert isinstance(runs[1].trainer.store._file._rows, np.memmap)
    assert runs[1].trainer.store.n_bytes == 0
    assert runs[0].plan.fingerprint == runs[1].plan.fingerprint
    for a, b in zip(runs[0].plan.dataset.structures[:20], runs[1].plan.dataset.structures[:20], strict=True):
        assert (a.source, a.energy) == (b.source, b.energy)
        for name in ("numbers", "positions", "cell", "pbc", "forces", "stress"):
            x, y = getattr(a, name), getattr(b, name)
            assert (x is None and y is None) or np.array_equal(x, y)
    for a, b in zip(models[0].weights + models[0].biases, models[1].weights + models[1].biases, strict=True):
        assert np.array_equal(a, b)
    assert (models[0].energy_rmse, models[0].force_rmse) == (models[1].energy_rmse, models[1].force_rmse)


def test_converted_once_and_again_when_a_file_has_changed(tmp_path):
    config = settings(tmp_path, clusters(20), stream="always", **MORE)

    def said():
        ear = Ear()
        run = prepared(config, observer=ear)
        assert isinstance(run.plan.dataset, StreamedDataset)
        return ear.said

    first = said()
    assert "stay on disk" in first
    assert "64 bytes per atom" in first
    assert "network inputs:" in first
    again = said()
    assert "as converted before" in again
    assert "network inputs:" not in again
    (tmp_path / "model.stream" / "meta.json").unlink()  # killed before it was whole
    assert "stay on disk" in said()
    write_structures(tmp_path / "train.xyz", clusters(20, seed=4))
    changed = said()
    assert "stay on disk" in changed
    assert "network inputs:" in changed
    os.utime(tmp_path / "train.xyz", ns=(1, 1))
    assert "stay on disk" in said()


def test_resumes_and_refuses_other_data(tmp_path):
    config = settings(tmp_path, clusters(20), stream="always", **MORE)
    expected = train(config)
    # where the data lie does not matter
    model = train(config.model_copy(update={"stream": "never"}), resume=True)
    assert all(np.array_equal(a, b) for a, b in zip(model.weights, expected.weights, strict=True))
    write_structures(tmp_path / "train.xyz", clusters(20, seed=4))
    with pytest.raises(ConfigError, match="made from other data"):
        train(config, resume=True)


def test_streams_by_itself_when_memory_is_short(tmp_path):
    assert isinstance(
        prepared(settings(tmp_path, clusters(20), memory_budget=5000)).plan.dataset, StreamedDataset
    )
    assert not isinstance(
        prepared(settings(tmp_path, clusters(20), memory_budget=10**8)).plan.dataset, StreamedDataset
    )


def test_wrong_labels_are_told_wherever_they_are(tmp_path, monkeypatch):
    """Once each: in the report of the first structures, or when the others are converted."""
    monkeypatch.setattr("lmlp.dataset.convert._AUDITED", 5)
    data = clusters(20)
    for i in (12, 17):
        data[i] = dataclasses.replace(data[i], energy=-1e6)
    write_structures(
        tmp_path / "valid.xyz",
        [dataclasses.replace(s, forces=-1e7 * np.ones_like(s.forces)) for s in clusters(3, seed=5)],
    )
    ear = Ear()
    prepared(settings(tmp_path, data, stream="always", valid=str(tmp_path / "valid.xyz")), ear)
    assert ear.said.count("warning: energy of 1 structures is a placeholder (-1e+06)") == 1
    assert "train.xyz: 12)" in ear.said
    assert ear.said.count("warning: forces of 3 structures is a placeholder (-1e+07)") == 1


def test_what_cannot_be_used_is_named(tmp_path, monkeypatch):
    bad = clusters(12)
    bad[7] = dataclasses.replace(bad[7], forces=None, energy=None)
    write_structures(tmp_path / "train.xyz", bad)
    with pytest.raises(DataError, match=r"train.xyz:7"):
        prepared(settings(tmp_path, bad, stream="always"))
    write_structures(tmp_path / "train.xyz", clusters(12))
    with pytest.raises(UnknownElementError, match=r"train.xyz:0 contains O, not among"):
        prepared(settings(tmp_path, bad, stream="always", elements=["H"]))
    with pytest.raises(DataError, match=r"nowhere.xyz: no such file"):
        prepared(settings(tmp_path, bad, stream="always", data=str(tmp_path / "nowhere.xyz")))
    with pytest.raises(DataError, match="no frame has 'dft_energy' for the energy"):
        prepared(settings(tmp_path, bad, stream="always", keys={"energy": "dft_energy"}))

    class Full:
        free = 100

    monkeypatch.setattr("shutil.disk_usage", lambda folder: Full)
    with pytest.raises(DataError, match=r"model.stream: about .* MiB are needed and 0 MiB are free"):
        prepared(settings(tmp_path, bad, stream="always"))


def test_shuffled_in_blocks_all_are_used_and_neighbors_stay_near():
    ids = np.arange(10, 1010)
    sampler = ShuffledBatches([ids], 10, seed=1, block=20)
    order = np.concatenate([step[0] for step in sampler.batches(0)])
    assert sorted(order.tolist()) == ids.tolist()
    assert not np.array_equal(order, np.concatenate([step[0] for step in sampler.batches(1)]))
    # a window of eight blocks of twenty is spread over few places of the file
    touched = [len(np.unique((order[i : i + 160] - 10) // 20)) for i in range(0, 960, 160)]
    assert max(touched) <= 17
    free = np.concatenate([s[0] for s in ShuffledBatches([ids], 10, seed=1).batches(0)])
    assert min(len(np.unique((free[i : i + 160] - 10) // 20)) for i in range(0, 960, 160)) > 40
