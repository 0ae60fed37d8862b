// What a kernel file of one instruction set offers to the rest of the core: three functions per center.
#pragma once

#include <cstdint>

#include "descriptor/plan.hpp"
#include "kernels/jacobian_api.hpp"
#include "kernels/network/network_api.hpp"
#include "lmlp/descriptor.hpp"
#include "threads/arena.hpp"

namespace lmlp {

// The pairs of one center.
struct Center {
    std::int64_t n_pairs;
    const std::int32_t* species;
    const double* vectors;  // [n_pairs, 3]
};

// Several right-hand sides share the geometry; strides are those between right-hand sides.
struct Sides {
    int n;
    const double* in;
    std::int64_t in_stride;
    double* out;
    std::int64_t out_stride;
};

enum class Fault { none, species, not_finite, coincident };

// Kernels never throw on bad input: a fault names the first bad pair of the center.
struct Outcome {
    Fault fault = Fault::none;
    std::int64_t pair = 0;
};

// What features() leaves in the arena for backward() of the same center; only kernels look inside.
struct KeptCenter;

struct Kernels {
    const char* name;
    int width;  // doubles per vector
    // `kept`, where given, is valid until the arena is reset; several centers may be kept in one arena.
    Outcome (*features)(const PlanView&, const Center&, Arena&, AngularPath, double* features,
                        KeptCenter** kept);
    // `kept`: of the same center; `arena`: another one, for scratch. nullptr: everything is computed here.
    Outcome (*backward)(const PlanView&, const Center&, Arena&, AngularPath, const Sides&, KeptCenter* kept);
    Outcome (*tangent)(const PlanView&, const Center&, Arena&, AngularPath, const Sides&);
    void (*network)(const ElementNetwork<double>&, const NetworkTile&, double* scratch);
    void (*network_single)(const ElementNetwork<float>&, const NetworkTile&, double* scratch);
    // features [n_atoms, n_features] -> distances [n_atoms], NaN where numbers overflow
    void (*distance)(const ElementDistance&, int n_atoms, const double* features, double* distances,
                     double* scratch);
    JacobianKernels<double> jacobian;
    JacobianKernels<float> jacobian_single;
};

}  // namespace lmlp
