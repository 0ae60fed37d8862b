#include <memory>
#include <mutex>

#include "bindings.hpp"
#include "lmlp/neighbor_list.hpp"
#include "lmlp/per_fork.hpp"

namespace lmlp {

namespace {

AtomsView view(const Array<double>& positions, const Array<double>& cell, const Array<bool>& pbc) {
    expect_shape(positions, "positions", {-1, 3});
    expect_shape(cell, "cell", {3, 3});
    expect_shape(pbc, "pbc", {3});
    AtomsView atoms;
    atoms.n_atoms = positions.shape(0);
    atoms.positions = positions.data();
    std::copy_n(cell.data(), 9, atoms.cell.begin());
    std::copy_n(pbc.data(), 3, atoms.pbc.begin());
    return atoms;
}

// NumPy array over memory that `owner` keeps alive.
template <class T>
py::array_t<T> borrow(const Buffer<T>& data, std::vector<py::ssize_t> shape, const py::handle& owner) {
    return py::array_t<T>(std::move(shape), data.data(), owner);
}

// Moves the list to the heap, where the returned arrays share it.
py::tuple as_arrays(NeighborList&& moved) {
    auto list = std::make_unique<NeighborList>(std::move(moved));
    const NeighborList& data = *list;
    const auto n = static_cast<py::ssize_t>(data.neighbors.size());
    const py::capsule owner(list.release(),
                            [](void* pointer) { delete static_cast<NeighborList*>(pointer); });
    return py::make_tuple(borrow(data.offsets, {static_cast<py::ssize_t>(data.offsets.size())}, owner),
                          borrow(data.neighbors, {n}, owner), borrow(data.shifts, {n, 3}, owner),
                          borrow(data.vectors, {n, 3}, owner));
}

py::tuple py_find_neighbors(const Array<double>& positions, const Array<double>& cell, const Array<bool>& pbc,
                            double cutoff, int n_threads) {
    const AtomsView atoms = view(positions, cell, pbc);
    NeighborList list;
    {
        const py::gil_scoped_release release;
        list = find_neighbors(atoms, cutoff, n_threads);
    }
    return as_arrays(std::move(list));
}

// Arrays handed out must not change under the caller's feet, so the C++ list lends them only until the next
// rebuild: offsets, neighbors and shifts are copied once per build, vectors at every update. Threads wait for
// each other, from the update until the copies are made.
class PyVerletList {
  public:
    PyVerletList(double cutoff, double skin) : list_(cutoff, skin) {}

    py::tuple update(const Array<double>& positions, const Array<double>& cell, const Array<bool>& pbc,
                     int n_threads) {
        const AtomsView atoms = view(positions, cell, pbc);
        bool rebuilt = false;
        std::unique_lock<std::mutex> lock(mutex_.get(), std::defer_lock);
        {
            const py::gil_scoped_release release;  // first, or two threads wait for each other
            lock.lock();
            rebuilt = list_.update(atoms, n_threads);
        }
        const NeighborList& list = list_.list();
        const auto n = static_cast<py::ssize_t>(list.neighbors.size());
        if (rebuilt) {
            offsets_ =
                py::array_t<std::int64_t>(static_cast<py::ssize_t>(list.offsets.size()), list.offsets.data());
            neighbors_ = py::array_t<std::int64_t>(n, list.neighbors.data());
            shifts_ = py::array_t<std::int32_t>({n, py::ssize_t{3}}, list.shifts.data());
        }
        return py::make_tuple(offsets_, neighbors_, shifts_,
                              py::array_t<double>({n, py::ssize_t{3}}, list.vectors.data()));
    }

    const VerletList& list() const { return list_; }

  private:
    PerFork<std::mutex> mutex_;
    VerletList list_;
    py::array_t<std::int64_t> offsets_, neighbors_;
    py::array_t<std::int32_t> shifts_;
};

}  // namespace

void bind_neighbor_list(py::module_& module) {
    module.def("find_neighbors", &py_find_neighbors, py::arg("positions"), py::arg("cell"), py::arg("pbc"),
               py::arg("cutoff"), py::arg("n_threads") = 0,
               "Full neighbor list: (offsets [n + 1], neighbors [p], shifts [p, 3], vectors [p, 3]).");
    py::class_<PyVerletList>(module, "VerletList",
                             "Neighbor list kept until an atom moved by more than half the skin.")
        .def(py::init<double, double>(), py::arg("cutoff"), py::arg("skin"))
        .def("update", &PyVerletList::update, py::arg("positions"), py::arg("cell"), py::arg("pbc"),
             py::arg("n_threads") = 0, "(offsets, neighbors, shifts, vectors) at these positions.")
        .def_property_readonly("n_builds", [](const PyVerletList& self) { return self.list().n_builds(); })
        .def_property_readonly("cutoff", [](const PyVerletList& self) { return self.list().cutoff(); })
        .def_property_readonly("skin", [](const PyVerletList& self) { return self.list().skin(); });
}

}  // namespace lmlp
