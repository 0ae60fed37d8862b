// Stored derivatives: arrays are checked when they are added and kept, the GIL is released while computing.
#include <algorithm>
#include <deque>

#include "bindings.hpp"
#include "lmlp/jacobian.hpp"

namespace lmlp {

namespace {

using Indices = Array<std::int64_t>;

[[noreturn]] void refuse(const std::string& message) {
    throw Error(ErrorCode::invalid_argument, message);
}

template <class Real>
class PyJacobians {
  public:
    using Numbers = Array<Real>;

    explicit PyJacobians(int n_inputs) : n_inputs_(n_inputs) {
        if (n_inputs < 1) refuse("n_inputs is " + std::to_string(n_inputs) + ", must be 1 or more");
    }

    std::size_t size() const { return jacobians_.size(); }

    std::size_t add(const Indices& offsets, const Array<std::int32_t>& targets, const Numbers& rows,
                    std::int64_t n_targets) {
        expect_shape(offsets, "offsets", {-1});
        expect_shape(targets, "targets", {-1});
        expect_shape(rows, "rows", {targets.shape(0), 3, n_inputs_});
        const std::int64_t n = offsets.shape(0) - 1;
        const std::int64_t* o = offsets.data();
        if (n < 0 || o[0] != 0 || o[n] != targets.shape(0) || !std::is_sorted(o, o + n + 1))
            refuse("offsets must rise from 0 to the number of blocks " + std::to_string(targets.shape(0)));
        for (py::ssize_t b = 0; b < targets.shape(0); ++b)
            if (targets.data()[b] < 0 || targets.data()[b] >= n_targets)
                refuse("target " + std::to_string(targets.data()[b]) + " of block " + std::to_string(b) +
                       " is not below " + std::to_string(n_targets));
        jacobians_.push_back({n, n_targets, o, targets.data(), rows.data()});
        kept_.insert(kept_.end(), {offsets, targets, rows});
        return jacobians_.size() - 1;
    }

    Numbers contract_batch(const Indices& ids, const Indices& slots, const Numbers& gradients,
                           int n_threads) const {
        expect_shape(gradients, "gradients", {-1, n_inputs_});
        const Chosen chosen = choose(ids, slots, gradients.shape(0));
        Numbers result({static_cast<py::ssize_t>(chosen.n_targets), py::ssize_t{3}});
        Real* out = result.mutable_data();
        const py::gil_scoped_release release;
        contract(batch(chosen, slots), gradients.data(), out, n_threads);
        return result;
    }

    Numbers expand_batch(const Indices& ids, const Indices& slots, const Numbers& values,
                         std::int64_t n_slots, int n_threads) const {
        const Chosen chosen = choose(ids, slots, n_slots);
        expect_shape(values, "values", {static_cast<py::ssize_t>(chosen.n_targets), 3});
        Numbers result({static_cast<py::ssize_t>(n_slots), static_cast<py::ssize_t>(n_inputs_)});
        Real* out = result.mutable_data();
        const py::gil_scoped_release release;
        if (slots.shape(0) < n_slots) std::fill_n(out, result.size(), Real(0));
        expand(batch(chosen, slots), values.data(), out, n_threads);
        return result;
    }

  private:
    struct Chosen {
        std::vector<const Jacobian<Real>*> structures;
        std::int64_t n_targets = 0;
    };

    Chosen choose(const Indices& ids, const Indices& slots, std::int64_t n_slots) const {
        expect_shape(ids, "ids", {-1});
        Chosen chosen;
        std::int64_t n_centers = 0;
        for (py::ssize_t i = 0; i < ids.shape(0); ++i) {
            const std::int64_t id = ids.data()[i];
            if (id < 0 || id >= static_cast<std::int64_t>(jacobians_.size()))
                refuse("id " + std::to_string(id) + " is not below " + std::to_string(jacobians_.size()));
            chosen.structures.push_back(&jacobians_[id]);
            chosen.n_targets += jacobians_[id].n_targets;
            n_centers += jacobians_[id].n_centers;
        }
        expect_shape(slots, "slots", {static_cast<py::ssize_t>(n_centers)});
        std::vector<bool> taken(static_cast<std::size_t>(n_slots < 0 ? 0 : n_slots), false);
        for (std::int64_t i = 0; i < n_centers; ++i) {
            const std::int64_t slot = slots.data()[i];
            if (slot < 0 || slot >= n_slots || taken[slot])
                refuse("slot " + std::to_string(slot) + " of center " + std::to_string(i) + " is not below " +
                       std::to_string(n_slots) + ", or is taken twice");
            taken[slot] = true;
        }
        return chosen;
    }

    JacobianBatch<Real> batch(const Chosen& chosen, const Indices& slots) const {
        return {static_cast<std::int64_t>(chosen.structures.size()), n_inputs_, chosen.structures.data(),
                slots.data()};
    }

    int n_inputs_;
    std::deque<Jacobian<Real>> jacobians_;  // stays in place
    std::vector<py::array> kept_;           // what they point to
};

template <class Real>
void bind(py::module_& module, const char* name) {
    using Class = PyJacobians<Real>;
    py::class_<Class>(module, name, "Stored derivatives of network inputs, structure by structure.")
        .def(py::init<int>(), py::arg("n_inputs"))
        .def("__len__", &Class::size)
        .def("add", &Class::add, py::arg("offsets"), py::arg("targets"), py::arg("rows"),
             py::arg("n_targets"), "Keeps a structure without copying it; returns its id.")
        .def("contract", &Class::contract_batch, py::arg("ids"), py::arg("slots"), py::arg("gradients"),
             py::arg("n_threads") = 0)
        .def("expand", &Class::expand_batch, py::arg("ids"), py::arg("slots"), py::arg("values"),
             py::arg("n_slots"), py::arg("n_threads") = 0);
}

}  // namespace

void bind_jacobian(py::module_& module) {
    bind<double>(module, "Jacobians");
    bind<float>(module, "JacobiansSingle");
}

}  // namespace lmlp
