// What this core can do, measured by loops that do nothing else: fused multiply-adds, exp, tanh, memory.
// Compiled and run by ceilings.py for the instruction set that the kernels use; prints "name value" lines.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

#ifndef VECTOR_BYTES
#error "VECTOR_BYTES: 16, 32 or 64"
#endif

namespace {

template <class T>
struct Simd;
template <>
struct Simd<double> {
    typedef double Vec __attribute__((vector_size(VECTOR_BYTES)));
    typedef std::int64_t Bits __attribute__((vector_size(VECTOR_BYTES)));
    static constexpr double magic = 0x1.8p52, lowest = -700, log2e = 1.4426950408889634;
    static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
    static constexpr int terms = 13, bias = 1023, mantissa = 52;
};
template <>
struct Simd<float> {
    typedef float Vec __attribute__((vector_size(VECTOR_BYTES)));
    typedef std::int32_t Bits __attribute__((vector_size(VECTOR_BYTES)));
    static constexpr float magic = 0x1.8p23f, lowest = -80, log2e = 1.44269504f;
    static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    static constexpr int terms = 7, bias = 127, mantissa = 23;
};

double cpu_seconds() {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Median seconds of one call.
template <class Work>
double median(int repeats, Work work) {
    std::vector<double> times;
    work();
    for (int i = 0; i < repeats; ++i) {
        const double start = cpu_seconds();
        work();
        times.push_back(cpu_seconds() - start);
    }
    for (std::size_t i = 1; i < times.size(); ++i)
        for (std::size_t k = i; k > 0 && times[k] < times[k - 1]; --k) {
            const double swap = times[k];
            times[k] = times[k - 1];
            times[k - 1] = swap;
        }
    return times[times.size() / 2];
}

volatile double sink;

// 12 independent chains hide the latency of the fused multiply-add.
template <class T>
__attribute__((noinline)) void multiply_add(long n) {
    using Vec = typename Simd<T>::Vec;
    constexpr int chains = 12;
    Vec a[chains];
    for (int k = 0; k < chains; ++k) a[k] = Vec{} + static_cast<T>(k);
    Vec x = Vec{} + static_cast<T>(0.999), y = Vec{} + static_cast<T>(1e-3);
    for (long i = 0; i < n; ++i) {
        asm volatile("" : "+x"(x), "+x"(y));
        for (int k = 0; k < chains; ++k) a[k] = a[k] * x + y;
    }
    Vec total{};
    for (int k = 0; k < chains; ++k) total += a[k];
    sink = static_cast<double>(total[0]);
}

template <class T>
double multiply_add_gflops(int repeats) {
    const long n = 1000000;
    const double flops = 2.0 * 12 * (VECTOR_BYTES / sizeof(T)) * n;
    return flops / median(repeats, [&] { multiply_add<T>(n); }) / 1e9;
}

template <class T>
inline typename Simd<T>::Vec exponential(typename Simd<T>::Vec x) {
    using S = Simd<T>;
    using Vec = typename S::Vec;
    const Vec shifted = x * S::log2e + S::magic;
    const Vec n = shifted - S::magic;
    const Vec r = (x - n * S::ln2_high) - n * S::ln2_low;
    Vec p = Vec{} + T(1);
    T factor = 1;
    T coefficient[S::terms + 1];
    for (int i = 0; i <= S::terms; ++i) coefficient[i] = factor, factor /= static_cast<T>(i + 1);
    p = Vec{} + coefficient[S::terms];
    for (int i = S::terms - 1; i >= 0; --i) p = p * r + coefficient[i];
    typename S::Bits bits;
    std::memcpy(&bits, &shifted, sizeof(bits));
    bits = (bits + S::bias) << S::mantissa;
    Vec scale;
    std::memcpy(&scale, &bits, sizeof(scale));
    return p * scale;
}

template <class T, bool hyperbolic>
__attribute__((noinline)) void function(const T* in, T* out, long n) {
    using Vec = typename Simd<T>::Vec;
    constexpr long width = VECTOR_BYTES / sizeof(T);
    for (long i = 0; i < n; i += width) {
        Vec x, y;
        std::memcpy(&x, in + i, sizeof(x));
        if (hyperbolic) {
            const Vec e = exponential<T>(x + x);
            y = (e - T(1)) / (e + T(1));
        } else {
            y = exponential<T>(x);
        }
        std::memcpy(out + i, &y, sizeof(y));
    }
    asm volatile("" : : "r"(out) : "memory");
}

// y [n_out, lanes] = A x [n_in, lanes] with the weights packed in panels of rows, all sums in registers: the
// least that a layer of a network can cost. What a layer reads fits into the first two caches.
template <class T>
struct Layer {
    using Vec = typename Simd<T>::Vec;
    static constexpr int rows = VECTOR_BYTES == 64 ? 8 : 4, vectors = 3;
    static constexpr int width = VECTOR_BYTES / sizeof(T), lanes = vectors * width;
    int n_in, n_out;
    std::vector<T> panels, x, y;

    Layer(int in, int out) : n_in(in), n_out((out + rows - 1) / rows * rows) {
        panels.assign(static_cast<std::size_t>(n_in) * n_out, T(0.01));
        x.assign(static_cast<std::size_t>(n_in) * lanes, T(0.5));
        y.assign(static_cast<std::size_t>(n_out) * lanes, T(0));
    }

    __attribute__((noinline)) void product() {
        for (int row = 0; row < n_out; row += rows) {
            const T* a = panels.data() + static_cast<std::ptrdiff_t>(row) * n_in;
            const T* b = x.data();
            Vec sums[rows][vectors] = {};
            for (int k = 0; k < n_in; ++k, a += rows, b += lanes) {
                Vec column[vectors];
                for (int v = 0; v < vectors; ++v) std::memcpy(&column[v], b + v * width, sizeof(Vec));
                for (int r = 0; r < rows; ++r)
                    for (int v = 0; v < vectors; ++v) sums[r][v] += (Vec{} + a[r]) * column[v];
            }
            std::memcpy(y.data() + static_cast<std::ptrdiff_t>(row) * lanes, sums, sizeof(sums));
        }
        asm volatile("" : : "r"(y.data()) : "memory");
    }
};

template <class T>
double product_gflops(int repeats, int n_in, int n_out) {
    constexpr int calls = 1000;
    Layer<T> layer(n_in, n_out);
    const double seconds = median(repeats, [&] {
        for (int k = 0; k < calls; ++k) layer.product();
    });
    sink = static_cast<double>(layer.y[1]);
    return 2.0 * n_in * n_out * Layer<T>::lanes * calls / seconds / 1e9;
}

// ns per element, data in the first cache
template <class T, bool hyperbolic>
double function_time(int repeats) {
    constexpr long n = 1024, calls = 1000;
    static T in[n], out[n];
    for (long i = 0; i < n; ++i) in[i] = static_cast<T>(-0.005) * static_cast<T>(i);
    const double seconds = median(repeats, [&] {
        for (long k = 0; k < calls; ++k) function<T, hyperbolic>(in, out, n);
    });
    sink = static_cast<double>(out[5]);
    return seconds / (n * calls) * 1e9;
}

// GB/s of c = a + b with arrays far larger than the caches, three transfers per element
double memory_bandwidth(int repeats, std::size_t n) {
    std::vector<double> a(n, 1.0), b(n, 2.0), c(n);
    const double seconds = median(repeats, [&] {
        for (std::size_t i = 0; i < n; ++i) c[i] = a[i] + b[i];
        asm volatile("" : : "r"(c.data()) : "memory");
    });
    sink = c[n / 2];
    return 3.0 * sizeof(double) * static_cast<double>(n) / seconds / 1e9;
}

}  // namespace

// REPEATS MEGABYTES SIZE SIZE ...: sizes of the layers, from the number of features on
int main(int n_arguments, char** argv) {
    const int repeats = std::atoi(argv[1]);
    const std::size_t megabytes = std::strtoul(argv[2], nullptr, 10);
    std::printf("fma_double %g\n", multiply_add_gflops<double>(repeats));
    std::printf("fma_single %g\n", multiply_add_gflops<float>(repeats));
    std::printf("exp_double %g\n", function_time<double, false>(repeats));
    std::printf("exp_single %g\n", function_time<float, false>(repeats));
    std::printf("tanh_double %g\n", function_time<double, true>(repeats));
    std::printf("tanh_single %g\n", function_time<float, true>(repeats));
    std::printf("memory %g\n", memory_bandwidth(repeats, megabytes * (1 << 20) / 24));
    for (int i = 3; i + 1 < n_arguments; ++i) {
        const int a = std::atoi(argv[i]), b = std::atoi(argv[i + 1]);
        std::printf("product_double_%d_%d %g\n", a, b, product_gflops<double>(repeats, a, b));
        std::printf("product_double_%d_%d %g\n", b, a, product_gflops<double>(repeats, b, a));
        std::printf("product_single_%d_%d %g\n", a, b, product_gflops<float>(repeats, a, b));
        std::printf("product_single_%d_%d %g\n", b, a, product_gflops<float>(repeats, b, a));
    }
}
