// Short vectors of doubles in the width of one instruction set (compiler vector extensions, no intrinsics).
// Everything here has internal linkage: kernels of different instruction sets never share code.
// LMLP_KERNEL (namespace) and LMLP_WIDTH (doubles per vector) are set by kernels/<isa>.cpp.
#pragma once

#include <cstdint>

namespace lmlp::LMLP_KERNEL {
namespace {

constexpr int W = LMLP_WIDTH;
static_assert(W == 2 || W == 4 || W == 8);
typedef double Vec __attribute__((vector_size(W * 8)));
typedef double VecU __attribute__((vector_size(W * 8), aligned(8), may_alias));
typedef long long Bits __attribute__((vector_size(W * 8)));

template <int... lane>
struct Lanes {};
template <int n, int... lane>
struct CountLanes : CountLanes<n - 1, n - 1, lane...> {};
template <int... lane>
struct CountLanes<0, lane...> {
    using Type = Lanes<lane...>;
};
using AllLanes = CountLanes<W>::Type;

inline Vec load(const double* p) {
    return *reinterpret_cast<const VecU*>(p);
}
inline void store(double* p, Vec v) {
    *reinterpret_cast<VecU*>(p) = v;
}
inline void add_to(double* p, Vec v) {
    store(p, load(p) + v);
}
inline Vec fill(double x) {
    return x - Vec{};  // x + 0 would be an operation: it turns -0 into 0
}
inline Vec choose(Bits mask, Vec a, Vec b) {
    return mask ? a : b;
}
inline int round_up(int n) {
    return (n + W - 1) / W * W;
}

// Sum of the lanes, always in the same order.
inline double sum(Vec v) {
    double t[W];
    store(t, v);
    for (int h = W / 2; h > 0; h /= 2)
        for (int i = 0; i < h; ++i) t[i] += t[i + h];
    return t[0];
}

// One step of sums_of(): a's lanes where bit h of the lane is 0, else b's, plus the same of the lanes that
// differ in bit h.
template <int h, int... lane>
inline Vec fold(Vec a, Vec b, Lanes<lane...>) {
    return __builtin_shufflevector(a, b, ((lane & h) ? W + lane : lane)...) +
           __builtin_shufflevector(a, b, ((lane & h) ? W + lane - h : lane + h)...);
}

// The sums of the lanes of W vectors from v[i] on, every step-th, in one vector. Always in the same order.
template <int i, int step = 1, class Array>
inline Vec sums_of(const Array& v) {
    if constexpr (step == W)
        return v[i];
    else
        return fold<step>(sums_of<i, 2 * step>(v), sums_of<i + step, 2 * step>(v), AllLanes{});
}

// f(Index<0>{}), ..., f(Index<n - 1>{}): arrays indexed so stay in registers, which loops do not ensure.
template <int i>
struct Index {
    static constexpr int value = i;
    constexpr operator int() const { return i; }
};
template <int n, class F>
inline void unrolled(const F& f) {
    if constexpr (n > 0) {
        unrolled<n - 1>(f);
        f(Index<n - 1>{});
    }
}

// Component c of W vectors in space that lie one after the other in three vectors.
template <int c, int... lane>
inline Vec component(Vec first, Vec second, Vec third, Lanes<lane...>) {
    const Vec two = __builtin_shufflevector(first, second, (3 * lane + c < 2 * W ? 3 * lane + c : 0)...);
    return __builtin_shufflevector(two, third, (3 * lane + c < 2 * W ? lane : 3 * lane + c - W)...);
}

inline bool any(Bits mask) {
    long long bits[W], all = 0;
    __builtin_memcpy(bits, &mask, sizeof(bits));
    for (int i = 0; i < W; ++i) all |= bits[i];
    return all != 0;
}

// n neighboring lanes of v to p, from lane `begin` on.
template <int n, int begin, int... lane>
inline void store_lanes(double* p, Vec v, Lanes<lane...>) {
    typedef double Part __attribute__((vector_size(n * 8), aligned(8), may_alias));
    *reinterpret_cast<Part*>(p) = __builtin_shufflevector(v, v, (begin + lane)...);
}
template <int n, int begin>
inline void store_lanes(double* p, Vec v) {
    store_lanes<n, begin>(p, v, typename CountLanes<n>::Type{});
}

// The first n lanes set to zero.
inline Vec keep_from(Vec v, int n) {
    double t[W];
    store(t, v);
    for (int i = 0; i < W && i < n; ++i) t[i] = 0;
    return load(t);
}

// exp(x) for x <= 0 to about 1 ulp; below -708 exactly 0, so that a cutoff ends in true zeros.
inline Vec exp_nonpositive(Vec x) {
    const Bits tiny = x < fill(-708.0);
    x = choose(tiny, fill(-708.0), x);
    const Vec magic = fill(0x1.8p52);  // adding it rounds to an integer, kept in the low bits
    const Vec shifted = x * fill(1.44269504088896340736) + magic;
    const Vec n = shifted - magic;
    Vec r = x - n * fill(6.93147180369123816490e-01);  // ln 2 in two parts
    r = r - n * fill(1.90821492927058770002e-10);
    static constexpr double inverse_factorial[] = {1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0,
                                                   1.0 / 3628800.0,    1.0 / 362880.0,    1.0 / 40320.0,
                                                   1.0 / 5040.0,       1.0 / 720.0,       1.0 / 120.0,
                                                   1.0 / 24.0,         1.0 / 6.0,         0.5};
    const Vec square = r * r;  // odd and even powers apart but for the largest terms: half the latency
    Vec odd = fill(inverse_factorial[0]), even = fill(inverse_factorial[1]);
    for (int i = 2; i < 12; i += 2) {
        odd = odd * square + fill(inverse_factorial[i]);
        even = even * square + fill(inverse_factorial[i + 1]);
    }
    Vec p = odd * r + even;
    p = p * r + fill(1.0);
    p = p * r + fill(1.0);
    Bits bits;
    __builtin_memcpy(&bits, &shifted, sizeof(bits));
    bits = (bits + 1023) << 52;
    Vec scale;
    __builtin_memcpy(&scale, &bits, sizeof(scale));
    return choose(tiny, Vec{}, p * scale);
}

inline Vec square_root(Vec x) {
    double t[W];
    store(t, x);
    for (int i = 0; i < W; ++i) t[i] = __builtin_sqrt(t[i]);
    return load(t);
}

// arccos(x) for 0 <= x <= 1 to about 1 ulp of the result: through arcsin of x or of sin(arccos(x) / 2),
// arcsin(s) = s + s^3 R(s^2), R interpolated at Chebyshev nodes on [0, 1/4] (error 5e-18).
inline Vec arccos_nonnegative(Vec x) {
    static constexpr double r[] = {0.028757851367421566, -0.014851887071247204, 0.01740087944269402,
                                   0.005457506718640358, 0.01032281435018578,   0.011479177415184906,
                                   0.013971212973552933, 0.017352392720869973,  0.02237217294214989,
                                   0.030381944138531247, 0.04464285714635543,   0.07499999999998433,
                                   0.16666666666666669};
    const Bits small_angle = x > fill(0.5);
    const Vec square = choose(small_angle, fill(0.5) * (fill(1.0) - x), x * x);
    const Vec s = choose(small_angle, square_root(square), x);
    Vec p = fill(r[0]);
    for (int i = 1; i < 13; ++i) p = p * square + fill(r[i]);
    const Vec arcsin = s + s * square * p;
    return choose(small_angle, fill(2.0) * arcsin, fill(1.57079632679489661923) - arcsin);
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
