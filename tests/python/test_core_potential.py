"""The core's potential: networks against numpy, derivatives, members, threads and blocks."""

import threading

import numpy as np
import pytest
from lmlp import _core
from lmlp.descriptor.compute import Descriptor
from lmlp.environments import Environments
from lmlp.errors import GeometryError, InvalidArgumentError, UncertaintyError, UnknownElementError
from lmlp.neighbors import find_neighbors

from tests.python.model_files import DESCRIPTOR, arrays, header, model_bytes, safetensors_bytes

ACTIVATIONS = {
    "stanh": lambda x: 1.59223 * np.tanh(x),
    "tanh": np.tanh,
    "tanhshrink": lambda x: x - np.tanh(x),
    "ssilu": lambda x: 1.67653 * x * np.exp(-np.logaddexp(0, -x)),
}
# Of the first hidden layer and of the others.
MIXED = {"bounded-ssilu": (lambda x: ACTIVATIONS["ssilu"](6 * np.tanh(x / 6)), ACTIVATIONS["ssilu"])}

EVERYTHING = {"member_energies": True, "member_gradients": True, "extrapolation": True}


class Case:
    """A model, its arrays and a structure."""

    def __init__(self, folder, n_atoms=60, *, ranges=True, seed=0, **changes):
        self.header = header(**changes)
        self.arrays = arrays(self.header, seed=seed, ranges=ranges)
        self.path = folder / "model.pt"
        self.path.write_bytes(model_bytes(self.header, safetensors_bytes(self.arrays)))
        self.potential = _core.Potential(self.path)
        rng = np.random.default_rng(seed + 1)
        n_elements = len(self.header["elements"])
        self.cell = (n_atoms / 0.05) ** (1 / 3) * (np.eye(3) + 0.1 * rng.uniform(-1, 1, (3, 3)))
        self.positions = rng.uniform(0, 1, (n_atoms, 3)) @ self.cell
        self.species = rng.integers(0, n_elements, n_atoms).astype(np.int32)
        self.environments = self.list_at(self.positions)

    def list_at(self, positions) -> Environments:
        return find_neighbors(positions, self.cell, True, self.header["descriptor"]["cutoff"])

    def evaluate(self, environments: Environments | None = None, **options):
        pairs = environments or self.environments
        return self.potential.evaluate(
            pairs.offsets, self.species, self.species[pairs.neighbors], pairs.vectors, **options
        )

    def features(self):
        descriptor = Descriptor(self.header["descriptor"], self.header["elements"])
        return descriptor.features(self.environments, self.species[self.environments.neighbors])

    def member_energies(self):
        """All members in plain numpy."""
        name = self.header["activation"]
        first, others = MIXED[name] if name in MIXED else (ACTIVATIONS[name],) * 2
        n_layers = len(self.header["hidden_layers"]) + 1
        atomic = np.array([self.header["atomic_energies"][e] for e in self.header["elements"]])
        energies = np.zeros((self.header["n_members"], len(self.species)))
        for m, row in enumerate(energies):
            for i, (features, s) in enumerate(zip(self.features(), self.species, strict=True)):
                x = self.arrays["scale"][m, s] * (features - self.arrays["shift"][m, s])
                for layer in range(n_layers):
                    weight = self.arrays[f"layers.{layer}.weight"][m, s]
                    x = weight @ x + self.arrays[f"layers.{layer}.bias"][m, s]
                    x = x if layer == n_layers - 1 else (first if layer == 0 else others)(x)
                row[i] = x[0] + atomic[s]
        return energies


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return Case(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize("activation", [*ACTIVATIONS, *MIXED])
@pytest.mark.parametrize("hidden_layers", [[], [1], [6], [13, 7], [20, 5, 12, 3]])
def test_networks_against_numpy(tmp_path, activation, hidden_layers):
    # sizes below, at and above the eight rows that the kernel takes at once; 1 to 45 atoms of an element
    case = Case(
        tmp_path, activation=activation, hidden_layers=hidden_layers, atomic_energies={"H": 0.1, "O": -2}
    )
    results = case.evaluate(member_energies=True)
    expected = case.member_energies()
    # energies are of order 1 to 10 eV: 1e-12 is some thousand roundings
    np.testing.assert_allclose(results["member_energies"], expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(results["energies"], expected.mean(0), rtol=0, atol=1e-12)


def test_features_of_small_spread(tmp_path):
    """A nearly perfect crystal: features of order 1 that differ by 1e-6, standardized to order 1."""
    case = Case(tmp_path, n_atoms=64, atomic_energies={"H": 0, "O": 0})
    case.cell = 10.0 * np.eye(3)
    sites = 2.5 * np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3)
    case.species = (sites.sum(1) / 2.5 % 2).astype(np.int32)
    case.environments = case.list_at(sites + 1e-6 * np.random.default_rng(0).normal(size=sites.shape))
    features = case.features()
    mean = np.stack([features[case.species == s].mean(0) for s in (0, 1)])
    assert np.abs(mean).max() > 1
    case.arrays["shift"] = np.broadcast_to(mean, (3, 2, 5))
    case.arrays["scale"] = np.full((3, 2, 5), 1e6)
    case.path.write_bytes(model_bytes(case.header, safetensors_bytes(case.arrays)))
    case.potential = _core.Potential(case.path)
    # Folding scale and shift into the first layer as they are would give 1e6 roundings: 1e-10.
    np.testing.assert_allclose(
        case.evaluate(member_energies=True)["member_energies"], case.member_energies(), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("activation", [*ACTIVATIONS, *MIXED])
def test_saturated_networks_stay_finite(tmp_path, activation):
    entries = header(activation=activation)
    values = {name: 1e3 * array for name, array in arrays(entries).items()}
    case = Case(tmp_path, activation=activation)
    case.arrays = values
    case.path.write_bytes(model_bytes(entries, safetensors_bytes(values)))
    case.potential = _core.Potential(case.path)
    results = case.evaluate(member_energies=True)
    np.testing.assert_allclose(results["member_energies"], case.member_energies(), rtol=1e-12)
    assert np.isfinite(results["pair_gradients"]).all()


def test_pair_gradients_are_derivatives(case):
    gradients = case.evaluate()["pair_gradients"]
    rng = np.random.default_rng(0)
    h = 1e-4
    for p in rng.choice(case.environments.n_pairs, 12, replace=False):
        for x in range(3):
            energies = []
            for sign in (1, -1, 2, -2):
                vectors = case.environments.vectors.copy()
                vectors[p, x] += sign * h
                moved = Environments(
                    case.environments.offsets, case.environments.neighbors, vectors, case.environments.shifts
                )
                energies.append(case.evaluate(moved)["energies"].sum())
            slope = (8 * (energies[0] - energies[1]) - (energies[2] - energies[3])) / (12 * h)
            # total energies of 6e4 eV carry 1e-11 eV, divided by 1e-4 Å: 1e-7; h^4 terms are below
            assert slope == pytest.approx(gradients[p, x], abs=1e-6)


@pytest.mark.parametrize("activation", [*ACTIVATIONS, *MIXED])
@pytest.mark.parametrize("hidden_layers", [[], [6], [7, 4]])
def test_forces_are_derivatives_of_the_total_energy(tmp_path, activation, hidden_layers):
    energies = {"H": 0, "O": 0}
    case = Case(tmp_path, 12, activation=activation, hidden_layers=hidden_layers, atomic_energies=energies)
    gradients = case.evaluate()["pair_gradients"]
    forces = np.zeros((12, 3))
    np.add.at(forces, case.environments.centers, gradients)
    np.add.at(forces, case.environments.neighbors, -gradients)
    h = 1e-4
    for i in (0, 11):
        for x in range(3):
            energies = []
            for sign in (1, -1, 2, -2):
                moved = case.positions.copy()
                moved[i, x] += sign * h
                energies.append(case.evaluate(case.list_at(moved))["energies"].sum())
            slope = (8 * (energies[0] - energies[1]) - (energies[2] - energies[3])) / (12 * h)
            # energies of 10 eV carry 1e-14 eV, divided by 1e-4 Å, and h^4 times the fifth derivative
            assert -slope == pytest.approx(forces[i, x], abs=1e-8)


@pytest.mark.parametrize("precision", _core.precision_names())
def test_members(case, precision):
    plain = case.evaluate(precision=precision)
    members = case.evaluate(**EVERYTHING, precision=precision)
    # asking for members must not change a bit of the mean
    assert np.array_equal(plain["energies"], members["energies"])
    assert np.array_equal(plain["pair_gradients"], members["pair_gradients"])
    assert members["member_pair_gradients"].shape == (3, case.environments.n_pairs, 3)
    np.testing.assert_allclose(
        members["member_pair_gradients"].mean(0), plain["pair_gradients"], rtol=0, atol=1e-14
    )
    assert np.abs(members["member_pair_gradients"].std(0)).max() > 0.01
    assert set(plain) == {"energies", "pair_gradients"}
    assert set(case.evaluate(pair_gradients=False, precision=precision)) == {"energies"}


def test_each_member_is_the_model_of_that_member_alone(tmp_path, case):
    every = case.evaluate(member_energies=True, member_gradients=True)
    for m in range(3):
        entries = header(n_members=1)
        values = {
            name: array if name.startswith("feature") else array[m : m + 1]
            for name, array in case.arrays.items()
        }
        path = tmp_path / "one.pt"
        path.write_bytes(model_bytes(entries, safetensors_bytes(values)))
        pairs = case.environments
        alone = _core.Potential(path).evaluate(
            pairs.offsets, case.species, case.species[pairs.neighbors], pairs.vectors
        )
        # folding uses the shift of member 0, so bits may differ where members have shifts of their own
        np.testing.assert_allclose(every["member_energies"][m], alone["energies"], rtol=1e-14)
        np.testing.assert_allclose(
            every["member_pair_gradients"][m], alone["pair_gradients"], rtol=0, atol=1e-13
        )


def test_extrapolation_counts(case):
    counts = case.evaluate(extrapolation=True)["extrapolating"]
    features = case.features()
    low, high = case.arrays["feature_min"][case.species], case.arrays["feature_max"][case.species]
    expected = ((features < low) | (features > high)).sum(1)
    assert np.array_equal(counts, expected)
    assert 0 < counts.sum() < counts.size * 5


def test_extrapolation_needs_ranges(tmp_path):
    with pytest.raises(UncertaintyError, match="no feature ranges"):
        Case(tmp_path, ranges=False).evaluate(extrapolation=True)


@pytest.mark.parametrize("precision", _core.precision_names())
def test_same_bits_for_any_number_of_threads(case, precision):
    one, two, five = (case.evaluate(n_threads=n, **EVERYTHING, precision=precision) for n in (1, 2, 5))
    for name in one:
        assert np.array_equal(one[name], two[name]), name
        assert np.array_equal(one[name], five[name]), name


@pytest.mark.parametrize("precision", _core.precision_names())
def test_same_bits_for_any_blocks(case, precision):
    whole = case.evaluate(**EVERYTHING, precision=precision)
    offsets = case.environments.offsets
    for size in (1, 7, 33):
        for begin in range(0, len(case.species), size):
            end = min(begin + size, len(case.species))
            pairs = slice(offsets[begin], offsets[end])
            part = case.potential.evaluate(
                offsets[begin : end + 1] - offsets[begin],
                case.species[begin:end],
                case.species[case.environments.neighbors[pairs]],
                case.environments.vectors[pairs],
                **EVERYTHING,
                precision=precision,
            )
            assert np.array_equal(part["energies"], whole["energies"][begin:end])
            assert np.array_equal(part["pair_gradients"], whole["pair_gradients"][pairs])
            assert np.array_equal(part["member_energies"], whole["member_energies"][:, begin:end])
            assert np.array_equal(part["member_pair_gradients"], whole["member_pair_gradients"][:, pairs])
            assert np.array_equal(part["extrapolating"], whole["extrapolating"][begin:end])


@pytest.mark.parametrize("precision", _core.precision_names())
def test_large_calls_are_divided_inside(case, precision):
    """More centers than a block holds: every copy of a structure gets the same bits."""
    copies = 80
    offsets, n_pairs = case.environments.offsets, case.environments.n_pairs
    many = np.concatenate([[0], *[offsets[1:] + c * n_pairs for c in range(copies)]])
    neighbor_species = case.species[case.environments.neighbors]
    results = case.potential.evaluate(
        many,
        np.tile(case.species, copies),
        np.tile(neighbor_species, copies),
        np.tile(case.environments.vectors, (copies, 1)),
        **EVERYTHING,
        precision=precision,
    )
    once = case.evaluate(**EVERYTHING, precision=precision)
    assert len(many) - 1 > 4096  # far more than a tile holds
    for name in ("energies", "pair_gradients", "extrapolating"):
        assert np.array_equal(results[name], np.concatenate([once[name]] * copies)), name
    for name in ("member_energies", "member_pair_gradients"):
        assert np.array_equal(results[name], np.concatenate([once[name]] * copies, axis=1)), name


def test_pairs_beyond_the_cutoff_change_nothing(case):
    wide = find_neighbors(case.positions, case.cell, True, 4.7)
    with_skin = case.evaluate(wide)
    distances = np.linalg.norm(wide.vectors, axis=1)
    assert (distances > 4.0).sum() > 100
    assert (with_skin["pair_gradients"][distances >= 4.0] == 0).all()
    # sums over neighbors in another grouping: a few roundings
    np.testing.assert_allclose(with_skin["energies"], case.evaluate()["energies"], rtol=1e-14)


def test_no_centers_and_no_neighbors(case):
    empty = np.zeros(0, np.int32)
    nothing = case.potential.evaluate(np.zeros(1, np.int64), empty, empty, np.zeros((0, 3)), **EVERYTHING)
    assert nothing["energies"].shape == (0,)
    assert nothing["member_pair_gradients"].shape == (3, 0, 3)
    alone = case.potential.evaluate(np.zeros(2, np.int64), np.array([1]), empty, np.zeros((0, 3)))
    assert np.isfinite(alone["energies"]).all()
    assert abs(alone["energies"][0] + 2041.25) < 100


def test_other_array_types_and_layouts(case):
    pairs = case.environments
    results = case.potential.evaluate(
        pairs.offsets.astype(np.int32),
        case.species.astype(np.int64),
        case.species[pairs.neighbors].tolist(),
        np.asfortranarray(pairs.vectors),
    )
    assert np.array_equal(results["pair_gradients"], case.evaluate()["pair_gradients"])


def test_many_threads_at_once(case):
    expected = case.evaluate()["pair_gradients"]
    found: list[np.ndarray] = []
    threads = [
        threading.Thread(target=lambda: found.extend(case.evaluate()["pair_gradients"] for _ in range(5)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert all(np.array_equal(array, expected) for array in found)


def evaluate_with(case, **changes):
    pairs = case.environments
    given = {
        "offsets": pairs.offsets,
        "center_species": case.species,
        "neighbor_species": case.species[pairs.neighbors],
        "vectors": pairs.vectors,
    }
    return case.potential.evaluate(**{**given, **changes})


def replaced(array, at, value):
    out = np.array(array)
    out[at] = value
    return out


def test_bad_input_is_named(case):
    pairs = case.environments
    neighbor_species = case.species[pairs.neighbors]
    with pytest.raises(UnknownElementError, match=r"center 3 has species 2, allowed are 0 to 1"):
        evaluate_with(case, center_species=replaced(case.species, 3, 2))
    with pytest.raises(UnknownElementError, match="species -1"):
        evaluate_with(case, neighbor_species=replaced(neighbor_species, 5, -1))
    with pytest.raises(InvalidArgumentError, match=r"offsets\[0\] is 1"):
        evaluate_with(case, offsets=replaced(pairs.offsets, 0, 1))
    with pytest.raises(InvalidArgumentError, match="offsets decrease at center 3"):
        evaluate_with(case, offsets=replaced(pairs.offsets, 4, 0))
    with pytest.raises(InvalidArgumentError, match="offsets end at"):
        evaluate_with(case, offsets=replaced(pairs.offsets, -1, pairs.n_pairs + 1))
    with pytest.raises(InvalidArgumentError, match=r"vectors has shape"):
        evaluate_with(case, vectors=pairs.vectors[:-1])
    with pytest.raises(InvalidArgumentError, match=r"offsets has shape"):
        evaluate_with(case, offsets=pairs.offsets[:-1])
    for value in (np.nan, np.inf):
        with pytest.raises(GeometryError, match="pair 7"):
            evaluate_with(case, vectors=replaced(pairs.vectors, (7, 1), value))
    with pytest.raises(GeometryError, match=r"pair 7.*same place"):
        evaluate_with(case, vectors=replaced(pairs.vectors, 7, 0.0))


def test_errors_name_the_center_of_the_call(case):
    """Not of the block that the call was divided into."""
    n = 5000
    vectors = np.tile([[1.0, 0, 0]], (n, 1))
    vectors[4321] = np.nan
    species = np.zeros(n, np.int32)
    with pytest.raises(GeometryError, match="center 4321, pair 4321"):
        case.potential.evaluate(np.arange(n + 1), species, species, vectors)


def test_species_of_a_symbol(case):
    assert [case.potential.species(e) for e in ("H", "O")] == [0, 1]
    with pytest.raises(UnknownElementError, match='"He", it has H, O'):
        case.potential.species("He")


def test_descriptor_of_the_tests_has_angles():
    assert {f["kind"] for f in DESCRIPTOR["functions"]} == {"radial", "angular"}
