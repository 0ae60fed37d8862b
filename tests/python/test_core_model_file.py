"""The core's reader of model files: everything that can be wrong with a file is an error that names it."""

import hashlib
import io
import json
import struct
import zipfile

import numpy as np
import pytest
from lmlp import _core
from lmlp.errors import ModelFileError

from tests.python import model_files
from tests.python.model_files import arrays, header, model_bytes, pack, safetensors_bytes, sign


def load(folder, content: bytes):
    path = folder / "model.pt"
    path.write_bytes(content)
    return _core.Potential(path)


def small_model(**changes) -> bytes:
    entries = header(**changes)
    return model_bytes(entries, safetensors_bytes(arrays(entries)))


def test_facts_of_a_model(tmp_path):
    info = load(tmp_path, small_model()).info()
    assert info["elements"] == ["H", "O"]
    assert info["atomic_numbers"] == [1, 8]
    assert info["atomic_energies"] == [-13.5, -2041.25]
    assert (info["n_members"], info["n_features"], info["cutoff"]) == (3, 5, 4.0)
    assert (info["energy_rmse"], info["force_rmse"]) == (0.005, 0.1)
    assert (info["energy_uncertainty_factor"], info["force_uncertainty_factor"]) == (2.0, 1.5)
    assert info["has_feature_ranges"] is True
    assert (tmp_path / "model.pt").read_bytes().endswith(info["checksum"].encode())
    assert json.loads(info["header"])["lmlp_version"] == "0.1.0"


def test_optional_facts(tmp_path):
    entries = header(test_rmse={"energy": None, "forces": 0.2})
    model = model_bytes(entries, safetensors_bytes(arrays(entries, ranges=False)))
    info = load(tmp_path, model).info()
    assert (info["energy_rmse"], info["force_rmse"]) == (None, 0.2)
    assert info["has_feature_ranges"] is False
    assert load(tmp_path, small_model(test_rmse=None)).info()["force_rmse"] is None


def test_file_that_cannot_be_opened(tmp_path):
    with pytest.raises(OSError, match=r"missing\.pt"):
        _core.Potential(tmp_path / "missing.pt")
    with pytest.raises(OSError, match=str(tmp_path)):
        _core.Potential(tmp_path)


def test_truncated_at_any_byte(tmp_path):
    content = small_model()
    ends = {*range(200), *range(200, len(content), 41), *range(len(content) - 160, len(content))}
    for end in sorted(ends):
        with pytest.raises(ModelFileError, match=r"model\.pt: "):
            load(tmp_path, content[:end])


def test_one_byte_changed_anywhere(tmp_path):
    content = small_model()
    for at in {*range(0, len(content), 29), *range(len(content) - 100, len(content))}:
        for bit in (1, 128):
            changed = bytearray(content)
            changed[at] ^= bit
            with pytest.raises(ModelFileError, match=r"model\.pt: "):
                load(tmp_path, bytes(changed))


def test_bytes_appended(tmp_path):
    with pytest.raises(ModelFileError):
        load(tmp_path, small_model() + b"\0")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "other"}, "lmlp-model"),
        ({"format_version": 2}, 'lacks the key "baseline"'),
        ({"format_version": 3, "baseline": None}, 'lacks the key "free_atoms"'),
        ({"format_version": 99}, r"format version 99 \(written by lmlp \"0\.1\.0\"\) is newer.*update lmlp"),
        ({"format_version": 0}, "format_version 0 is not a positive"),
        ({"format_version": "1"}, 'format_version "1" is not a positive'),
        ({"format_version": 1.0}, "format_version 1.0 is not a positive"),
        ({"units": {"length": "Bohr", "energy": "Hartree"}}, "Bohr.*allowed are Angstrom and eV"),
        ({"units": "remove"}, 'lacks the key "units"'),
        ({"elements": []}, "elements is not a list"),
        ({"elements": ["H", "H"]}, "H twice"),
        ({"elements": ["H", "Xx"]}, "Xx"),
        ({"elements": ["H", 8]}, "elements has 8"),
        ({"atomic_energies": {"H": 0.0}}, 'atomic_energies lacks the key "O"'),
        ({"atomic_energies": {"H": 0.0, "O": "x"}}, "atomic_energies of O"),
        ({"activation": "relu"}, f'"relu", allowed are {", ".join(_core.activation_names())}'),
        ({"activation": 3}, "activation is 3"),
        ({"hidden_layers": [7, 0]}, "hidden_layers is 0"),
        ({"hidden_layers": [7, 2**40]}, "hidden_layers is 1099511627776"),
        ({"hidden_layers": "7"}, "hidden_layers is not a list"),
        ({"hidden_layers": [7, 5]}, r"layers\.1\.weight has shape \[3, 2, 4, 7\], expected \[3, 2, 5, 7\]"),
        ({"hidden_layers": [7, 4, 2]}, r"layers\.2\.weight has shape"),
        ({"hidden_layers": [7]}, r"layers\.1\.weight has shape"),
        ({"n_members": 4}, r"scale has shape \[3, 2, 5\], expected \[4, 2, 5\]"),
        ({"n_members": 0}, "n_members is 0"),
        ({"n_members": 18446744073709551615}, "n_members is 18446744073709551615"),
        ({"test_rmse": {"energy": 0.1}}, 'test_rmse lacks the key "forces"'),
        ({"test_rmse": {"energy": -0.1, "forces": 0.1}}, "test_rmse of energy is negative"),
        ({"test_rmse": "remove"}, 'lacks the key "test_rmse"'),
        ({"uncertainty": "remove"}, 'lacks the key "uncertainty"'),
        ({"uncertainty": [2, 2]}, "uncertainty is not an object"),
        ({"descriptor": "remove"}, 'lacks the key "descriptor"'),
        ({"descriptor": {**model_files.DESCRIPTOR, "radial": "wrong"}}, "wrong"),
        ({"descriptor": {**model_files.DESCRIPTOR, "cutoff": -1}}, "cutoff"),
        ({"weights_sha256": "0" * 64}, "does not match its checksum in lmlp.json"),
    ],
)
def test_header_that_is_wrong(tmp_path, changes, words):
    weights = safetensors_bytes(arrays(header()))
    with pytest.raises(ModelFileError, match=r"model\.pt: .*" + words):
        load(tmp_path, model_bytes(header(**changes), weights))


def test_element_outside_of_the_table(tmp_path):
    with pytest.raises(ModelFileError, match="Au"):
        load(tmp_path, small_model(elements=["H", "Au"], atomic_energies={"H": 0.0, "Au": 0.0}))


def changed_arrays(**changes) -> dict[str, np.ndarray]:
    values = {**arrays(header()), **changes}
    return {name: array for name, array in values.items() if array is not None}


def with_number(name: str, value: float) -> dict[str, np.ndarray]:
    array = arrays(header())[name].copy()
    array.flat[3] = value
    return {name: array}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (changed_arrays(shift=None), "lacks the array shift"),
        (changed_arrays(feature_min=None), "lacks the array feature_min"),
        (changed_arrays(**{"layers.2.bias": None}), r"lacks the array layers\.2\.bias"),
        (changed_arrays(extra=np.zeros(2)), "unknown array extra"),
        (changed_arrays(scale=np.zeros((3, 5, 2))), "scale has shape"),
        (changed_arrays(scale=np.zeros(30)), r"scale has shape \[30\], expected \[3, 2, 5\]"),
        (
            changed_arrays(**with_number("shift", np.nan)),
            "shift has a value that is not finite, at position 3",
        ),
        (
            changed_arrays(**with_number("layers.1.weight", np.inf)),
            r"layers\.1\.weight has a value that is not",
        ),
    ],
)
def test_arrays_that_are_wrong(tmp_path, values, words):
    with pytest.raises(ModelFileError, match=words):
        load(tmp_path, model_bytes(header(), safetensors_bytes(values)))


def hostile_tensors(**entry) -> bytes:
    """A safetensors file whose array `scale` is described by `entry`."""
    table = {"scale": {"dtype": "F64", "shape": [3, 2, 5], "data_offsets": [0, 240], **entry}}
    text = json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text + bytes(240)


@pytest.mark.parametrize(
    "weights",
    [
        b"",
        b"1234567",
        struct.pack("<Q", 2**64 - 1) + b"{}",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 3) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 4) + b"null",
        struct.pack("<Q", 9) + b'{"a": 1}}',
        struct.pack("<Q", 2) + b"\xff\xfe",
        struct.pack("<Q", 100000) + b"[" * 100000,
        struct.pack("<Q", 8) + b'{"a": 1}',
        hostile_tensors(dtype="F32"),
        hostile_tensors(dtype=64),
        hostile_tensors(shape=[2**63, 2, 2]),
        hostile_tensors(shape=[2**62, 4, 1]),
        hostile_tensors(shape=[-3, 2, 5]),
        hostile_tensors(shape=[0, 2**64 - 1, 2**64 - 1]),
        hostile_tensors(shape=[3.0, 2, 5]),
        hostile_tensors(shape="3"),
        hostile_tensors(shape=None),
        hostile_tensors(data_offsets=[0, 248]),
        hostile_tensors(data_offsets=[240, 0]),
        hostile_tensors(data_offsets=[-240, 0]),
        hostile_tensors(data_offsets=[2**64 - 240, 2**64 - 1]),
        hostile_tensors(data_offsets=[2**64 - 240]),
        hostile_tensors(data_offsets=[8, 240]),
        hostile_tensors(data_offsets={"begin": 0}),
    ],
)
def test_hostile_safetensors(tmp_path, weights):
    with pytest.raises(ModelFileError, match=r"weights\.safetensors"):
        load(tmp_path, model_bytes(header(), weights))


def test_overlapping_arrays_cannot_multiply_memory(tmp_path):
    entry = {"dtype": "F64", "shape": [100], "data_offsets": [0, 800]}
    text = json.dumps({f"a{i}": entry for i in range(1000)}).encode()
    with pytest.raises(ModelFileError, match="overlap"):
        load(tmp_path, model_bytes(header(), struct.pack("<Q", len(text)) + text + bytes(800)))


def test_entries_missing_twice_or_compressed(tmp_path):
    weights = safetensors_bytes(arrays(header()))
    text = json.dumps(header()).encode()
    name = "m/extra/lmlp.json"
    with pytest.raises(ModelFileError, match=r"0 entries extra/weights\.safetensors"):
        load(tmp_path, pack({name: text}))
    with pytest.raises(ModelFileError, match=r"2 entries extra/lmlp\.json"):
        load(tmp_path, pack({name: text, "n/extra/lmlp.json": text, "m/extra/weights.safetensors": weights}))
    entries = {name: text, "m/extra/weights.safetensors": weights}
    with pytest.raises(ModelFileError, match="only stored entries"):
        load(tmp_path, pack(entries, zipfile.ZIP_DEFLATED))
    with pytest.raises(ModelFileError, match=r"lmlp\.json is broken"):
        load(tmp_path, pack({**entries, name: text[:-1]}))
    with pytest.raises(ModelFileError, match=r"lmlp\.json is broken"):
        load(tmp_path, pack({**entries, name: b"[" * 200000}))


def test_zip64_archive_is_read(tmp_path):
    entries = header()
    weights = safetensors_bytes(arrays(entries))
    text = json.dumps({**entries, "weights_sha256": hashlib.sha256(weights).hexdigest()}).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in (("m/extra/lmlp.json", text), ("m/extra/weights.safetensors", weights)):
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as file:
                file.write(content)
        offset = archive.start_dir
    plain = buffer.getvalue()
    directory, end = plain[offset:-22], plain[-22:]
    # sizes and offsets of the second entry moved to zip64 fields, as in a file larger than 4 GiB
    moved, at = b"", 0
    while at < len(directory):
        name, extra, comment = struct.unpack_from("<HHH", directory, at + 28)
        packed, size = struct.unpack_from("<II", directory, at + 20)
        (local,) = struct.unpack_from("<I", directory, at + 42)
        field = struct.pack("<HHQQQ", 1, 24, size, packed, local)
        entry = bytearray(directory[at : at + 46 + name])
        struct.pack_into("<II", entry, 20, 0xFFFFFFFF, 0xFFFFFFFF)
        struct.pack_into("<H", entry, 30, len(field))
        struct.pack_into("<I", entry, 42, 0xFFFFFFFF)
        moved += bytes(entry) + field
        at += 46 + name + extra + comment
    n = struct.unpack_from("<H", end, 10)[0]
    end64 = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, n, n, len(moved), offset)
    locator = struct.pack("<IIQI", 0x07064B50, 0, offset + len(moved), 1)
    last = end[:8] + b"\xff" * 12 + b"\0\0"
    info = load(tmp_path, sign(plain[:offset] + moved + end64 + locator + last)).info()
    assert info["elements"] == ["H", "O"]


def test_damage_behind_a_valid_checksum_never_crashes(tmp_path):
    """Random damage, signed again: a model or a ModelFileError, nothing else."""
    rng = np.random.default_rng(1)
    content = small_model()[:-76]
    content = content[:-2] + b"\0\0"
    # the zip directory and the local headers are where offsets and sizes are
    structure = [i for i in range(len(content)) if i < 60 or i > len(content) - 260]
    refused = 0
    for round_ in range(600):
        changed = bytearray(content)
        places = structure if round_ % 2 else range(len(content))
        for at in rng.choice(places, rng.integers(1, 4)):
            changed[at] = rng.choice([0, 255, changed[at] ^ 1, rng.integers(256)])
        try:
            load(tmp_path, sign(bytes(changed)))
        except ModelFileError:
            refused += 1
    assert refused > 300
