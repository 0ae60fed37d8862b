// Vectors of either precision, as many bytes wide as those of vec.hpp: network kernels are templates of the
// scalar.
#pragma once

#include "kernels/vec.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

typedef float VecSingle __attribute__((vector_size(W * 8)));
typedef float VecSingleU __attribute__((vector_size(W * 8), aligned(4), may_alias));
typedef float VecHalf __attribute__((vector_size(W * 4)));
typedef float VecHalfU __attribute__((vector_size(W * 4), aligned(4), may_alias));
typedef int BitsSingle __attribute__((vector_size(W * 8)));

template <class Real>
struct Of;
template <>
struct Of<double> {
    using V = Vec;
    using Mask = Bits;
    static constexpr int lanes = W;
};
template <>
struct Of<float> {
    using V = VecSingle;
    using Mask = BitsSingle;
    static constexpr int lanes = 2 * W;
};

inline VecSingle load(const float* p) {
    return *reinterpret_cast<const VecSingleU*>(p);
}
inline void store(float* p, VecSingle v) {
    *reinterpret_cast<VecSingleU*>(p) = v;
}
inline VecSingle choose(BitsSingle mask, VecSingle a, VecSingle b) {
    return mask ? a : b;
}
inline Vec fill_as(double x) {
    return fill(x);
}
inline VecSingle fill_as(float x) {
    return VecSingle{} + x;
}

inline Bits as_bits(Vec v) {
    Bits b;
    __builtin_memcpy(&b, &v, sizeof(b));
    return b;
}
inline BitsSingle as_bits(VecSingle v) {
    BitsSingle b;
    __builtin_memcpy(&b, &v, sizeof(b));
    return b;
}
inline Vec as_vector(Bits b) {
    Vec v;
    __builtin_memcpy(&v, &b, sizeof(v));
    return v;
}
inline VecSingle as_vector(BitsSingle b) {
    VecSingle v;
    __builtin_memcpy(&v, &b, sizeof(v));
    return v;
}

// W numbers as doubles.
inline Vec load_wide(const double* p) {
    return load(p);
}
inline Vec load_wide(const float* p) {
    return __builtin_convertvector(VecHalf(*reinterpret_cast<const VecHalfU*>(p)), Vec);
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
