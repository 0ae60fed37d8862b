"""Model files: nothing lost in a round trip, every damage noticed, old versions readable."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from lmlp import _core
from lmlp.errors import ModelFileError, OutputError
from lmlp.export import upgrade
from lmlp.export.model_file import read_model_file
from lmlp.export.torchscript import load_potential
from lmlp.export.writing import model_file_bytes, write_model_file
from lmlp.model.data import ModelData

from .models import same_bits, small_model


@pytest.fixture(scope="module")
def model() -> ModelData:
    extra = {"calibration": {"reliability": [[0.1, 0.2]]}, "provenance": {"data": "Å…", "seed": 3}}
    return replace(small_model(), energy_uncertainty_factor=2.5, force_uncertainty_factor=1.75, **extra)


@pytest.fixture(scope="module")
def content(model: ModelData) -> bytes:
    return model_file_bytes(model)


def reseal(content: bytes, header: dict | None = None, **entries: bytes) -> bytes:
    """Replace entries of a model file and give it a checksum that fits."""
    buffer = io.BytesIO()
    if header is not None:
        entries["lmlp.json"] = json.dumps(header).encode()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, entries.get(info.filename.split("/extra/")[-1], old.read(info)))
        new.comment = b"lmlp-sha256:" + b"0" * 64
    body = buffer.getvalue()[:-76]
    return body + b"lmlp-sha256:" + hashlib.sha256(body).hexdigest().encode()


def header_of(content: bytes) -> dict:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        name = next(n for n in archive.namelist() if n.endswith("/extra/lmlp.json"))
        return json.loads(archive.read(name))


def test_round_trip_keeps_every_bit(model: ModelData, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    found = read_model_file(path)
    assert same_bits(model, found)
    for name, value in asdict(model).items():
        np.testing.assert_equal(getattr(found, name), value, err_msg=name)
    parameters = dict(load_potential(path).named_parameters())
    assert parameters["scale"].numpy().tobytes() == model.scale.tobytes()
    assert parameters["shift"].numpy().tobytes() == model.shift.tobytes()
    for layer, (weight, bias) in enumerate(zip(model.weights, model.biases, strict=True)):
        assert parameters[f"layers.{layer}.weight"].numpy().tobytes() == weight.tobytes()
        assert parameters[f"layers.{layer}.bias"].numpy().tobytes() == bias.tobytes()


def test_equal_models_give_equal_files_without_folders(model: ModelData, content: bytes) -> None:
    assert model_file_bytes(model) == content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert not [n for n in archive.namelist() if n.endswith(".debug_pkl")]
        source = b"".join(archive.read(n) for n in archive.namelist())
    assert str(Path(__file__).resolve().parents[3]).encode() not in source


def test_reading_needs_no_torch(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(content)
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['ase'] = None\n"
        "from lmlp.export.model_file import read_model_file\n"
        "print(read_model_file(sys.argv[1]).n_members)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model.pt")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "3\n"


def test_truncated_anywhere(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    ends = {
        0,
        1,
        2,
        21,
        22,
        23,
        75,
        76,
        77,
        98,
        len(content) // 2,
        *(len(content) - n for n in range(1, 100)),
    }
    ends |= set(np.random.default_rng(0).integers(0, len(content), 100).tolist())
    for end in ends:
        path.write_bytes(content[:end])
        with pytest.raises(ModelFileError, match=r"model\.pt: .*(empty|truncated|not a model)"):
            read_model_file(path)


def test_one_byte_changed_anywhere(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    rng = np.random.default_rng(1)
    places = {0, *range(len(content) - 100, len(content)), *rng.integers(0, len(content), 200).tolist()}
    for place in places:
        changed = bytearray(content)
        changed[place] ^= int(rng.integers(1, 256))
        path.write_bytes(changed)
        with pytest.raises(ModelFileError, match=r"model\.pt: "):
            read_model_file(path)


def test_appended_bytes(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(content + b"\n")
    with pytest.raises(ModelFileError, match="truncated"):
        read_model_file(tmp_path / "model.pt")


def test_case_of_the_checksum_counts(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(content[:-64] + content[-64:].upper())
    with pytest.raises(ModelFileError, match="does not match its checksum"):
        read_model_file(tmp_path / "model.pt")


@pytest.mark.parametrize("other", [b"", b"hello", b"PK\x03\x04 something else"])
def test_not_a_model(other: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(other)
    with pytest.raises(ModelFileError, match=r"x\.pt: .*(empty|not a model)"):
        read_model_file(tmp_path / "x.pt")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"no\.pt: cannot read: No such file"):
        read_model_file(tmp_path / "no.pt")
    with pytest.raises(ModelFileError, match="cannot read: Is a directory"):
        read_model_file(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 99, "lmlp_version": "9.8.7"}, "version 99 .written by lmlp 9.8.7. is newer than"),
        ({"format_version": "1"}, "format_version '1' is not a positive integer"),
        ({"format_version": True}, "format_version True is not a positive integer"),
        ({"format": "other"}, "does not say that it is an 'lmlp-model'"),
        ({"units": {"length": "Bohr", "energy": "eV"}}, "units"),
        ({"n_members": 4}, "n_members is 4, but the weights are of 3"),
        ({"activation": "relu"}, "activation 'relu' is not one of"),
        ({"hidden_layers": [6, 4]}, r"layers.1.weight has shape \(3, 2, 5, 6\), expected \(3, 2, 4, 6\)"),
        ({"hidden_layers": [6, 5, 4]}, "'layers.3.weight' is missing"),
        ({"hidden_layers": 5}, "wrong type"),
        ({"elements": ["H", "C"]}, "'C' is missing"),
        ({"descriptor": {}}, "descriptor: there is no list of 'functions'"),
        ({"descriptor": [1]}, "descriptor: there is no list of 'functions'"),
        ({"weights_sha256": "0" * 64}, r"weights\.safetensors does not match"),
    ],
)
def test_header_that_does_not_fit(content: bytes, tmp_path: Path, change: dict, message: str) -> None:
    (tmp_path / "model.pt").write_bytes(reseal(content, {**header_of(content), **change}))
    with pytest.raises(ModelFileError, match=rf"model\.pt: .*{message}"):
        read_model_file(tmp_path / "model.pt")


def test_missing_key_and_broken_entries(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    header = header_of(content)
    del header["elements"]
    path.write_bytes(reseal(content, header))
    with pytest.raises(ModelFileError, match=r"model\.pt: 'elements' is missing"):
        read_model_file(path)
    path.write_bytes(reseal(content, **{"lmlp.json": b"{"}))
    with pytest.raises(ModelFileError, match=r"model\.pt: lmlp.json is not JSON"):
        read_model_file(path)
    weights = b"not safetensors"
    header = {**header_of(content), "weights_sha256": hashlib.sha256(weights).hexdigest()}
    path.write_bytes(reseal(content, header, **{"weights.safetensors": weights}))
    with pytest.raises(ModelFileError, match=r"model\.pt: weights.safetensors cannot be read"):
        read_model_file(path)


def test_older_version_is_upgraded(
    model: ModelData, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def upgrade_v1(header: dict) -> dict:
        return {**header, "baseline": None, "provenance": {"upgraded from": 1}}

    monkeypatch.setitem(upgrade.UPGRADES, 1, upgrade_v1)
    (tmp_path / "model.pt").write_bytes(content)
    found = read_model_file(tmp_path / "model.pt")
    assert found.provenance == {"upgraded from": 1}
    assert same_bits(found, model)


def test_unknown_rmse_is_none(tmp_path: Path, model: ModelData) -> None:
    for energy, force in ((None, None), (0.001, None), (None, 0.2)):
        some = replace(model, energy_rmse=energy, force_rmse=force, feature_min=None, feature_max=None)
        (tmp_path / "model.pt").write_bytes(model_file_bytes(some))
        found = read_model_file(tmp_path / "model.pt")
        assert (found.energy_rmse, found.force_rmse) == (energy, force)
        assert found.feature_min is None


@pytest.mark.parametrize("name", ["scale", "atomic_energies"])
def test_numbers_that_are_not_finite_are_not_written(model: ModelData, name: str) -> None:
    bad = getattr(model, name).copy()
    bad.flat[0] = np.nan
    with pytest.raises(ModelFileError, match=name):
        model_file_bytes(replace(model, **{name: bad}))


def test_failure_keeps_the_old_file(
    model: ModelData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.pt"
    precious = model_file_bytes(replace(model, provenance={"by": "hand"}))
    path.write_bytes(precious)

    def fail(*_: object) -> None:
        raise ModelFileError("verification failed")

    monkeypatch.setattr("lmlp.export.writing.verify_model_file", fail)
    with pytest.raises(ModelFileError, match="verification failed"):
        write_model_file(model, path)
    assert path.read_bytes() == precious
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]
    write_model_file(model, path, verify=False)
    assert same_bits(read_model_file(path), model)
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]


def test_odd_provenance_does_not_lose_the_model(model: ModelData, tmp_path: Path) -> None:
    odd = {"rmse": np.nan, "n": np.int64(3), "a": np.arange(2.0), "path": Path("x"), 1: (True, None, np.inf)}
    (tmp_path / "model.pt").write_bytes(model_file_bytes(replace(model, provenance=odd)))
    found = read_model_file(tmp_path / "model.pt").provenance
    assert found == {"rmse": None, "n": 3, "a": [0.0, 1.0], "path": "x", "1": [True, None, None]}


@pytest.mark.parametrize("name", ["energy_rmse", "force_rmse", "force_uncertainty_factor"])
@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_impossible_errors_are_refused(model: ModelData, name: str, value: float) -> None:
    with pytest.raises(ModelFileError, match=f"{name} is .* not negative"):
        model_file_bytes(replace(model, **{name: value}))


def test_folder_that_does_not_exist(model: ModelData, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"model\.pt: cannot be written: No such file"):
        write_model_file(model, tmp_path / "no" / "model.pt", verify=False)


@pytest.mark.parametrize("version", range(1, upgrade.FORMAT_VERSION + 1))
def test_stored_file_of_each_version(test_data: Path, version: int) -> None:
    """Written once by the release that came with it; later ones must read it and give the same numbers."""
    path = test_data / f"model_v{version}.pt"
    expected = json.loads((test_data / f"model_v{version}.json").read_text())
    assert header_of(path.read_bytes())["format_version"] == version
    found = read_model_file(path)
    assert found.elements == ["H", "O"]
    assert found.n_members == 2
    for name, since in upgrade.FIELDS.items():
        assert (getattr(found, name) is None) == (version < since), name
    species, center, neighbor = (np.array(expected[k]) for k in ("species", "center", "neighbor"))
    vectors = np.array(expected["vectors"])
    import torch

    results = load_potential(path).evaluate(*map(torch.from_numpy, (species, center, neighbor, vectors)))
    # stored with 17 digits; other compilers may round the last of them differently
    np.testing.assert_allclose(results["energies"].numpy(), expected["energies"], rtol=1e-12)
    np.testing.assert_allclose(results["pair_gradients"].numpy(), expected["pair_gradients"], atol=1e-12)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(center, minlength=len(species)))])
    core = _core.Potential(str(path)).evaluate(
        offsets,
        species.astype(np.int32),
        species[neighbor].astype(np.int32),
        vectors,
        member_energies=True,
        distances=version >= 4,
    )
    np.testing.assert_allclose(core["member_energies"], expected["energies"], rtol=1e-12)
    np.testing.assert_allclose(core["pair_gradients"], expected["pair_gradients"], atol=1e-12)
    assert ("distances" in results) == ("distances" in expected) == (version >= 4)
    for one in (core, results) if version >= 4 else ():
        np.testing.assert_allclose(np.asarray(one["distances"]), expected["distances"], rtol=1e-12)
