// SPDX-License-Identifier: Apache-2.0
// Functions of doubles, by arithmetic alone: the same bits from nvcc and g++, without the memory that CUDA's library takes for
// arguments beyond all reason. Kernels of environments are compiled without fused products but for those that are written.
#pragma once
#include <cstring>

#include "../common/cuda.cuh"

constexpr double PI = 3.14159265358979323846;

struct SineCosine {
    double sine, cosine;
};

// Within one unit in the last place where |x| < 100,000: x less a multiple of pi / 2, which is subtracted in three parts, and
// the polynomials of fdlibm (Sun Microsystems 1993) on [-pi / 4, pi / 4]. NaN where x isn't finite.
__device__ inline SineCosine sine_cosine(double x) {
    const double quarters = rint(x * (2 / PI));
    double r = fma(-quarters, 1.5707963267948966, x);
    r = fma(-quarters, 6.123233995736766e-17, r);
    r = fma(-quarters, -1.4973849048591698e-33, r);
    const double z = r * r;
    const double sine_tail = fma(z, fma(z, fma(z, fma(z, 1.58969099521155010221e-10, -2.50507602534068634195e-08),
        2.75573137070700676789e-06), -1.98412698298579493134e-04), 8.33333333332248946124e-03);
    const double sine = fma(z * r, fma(z, sine_tail, -1.66666666666666324348e-01), r);
    const double cosine_tail = fma(z, fma(z, fma(z, fma(z, fma(z, -1.13596475577881948265e-11, 2.08757232129817482790e-09),
        -2.75573143513906633035e-07), 2.48015872894767294178e-05), -1.38888888888741095749e-03), 4.16666666666666019037e-02);
    const double half = 0.5 * z, rounded = 1 - half;
    const double cosine = rounded + fma(z * z, cosine_tail, (1 - rounded) - half);
    const int quadrant = int(int64_t(quarters) & 3);
    const double first = quadrant & 1 ? cosine : sine, second = quadrant & 1 ? sine : cosine;
    return {quadrant & 2 ? -first : first, quadrant == 1 || quadrant == 2 ? -second : second};
}

__device__ inline double sine(double x) { return sine_cosine(x).sine; }
__device__ inline double cosine(double x) { return sine_cosine(x).cosine; }

// The natural logarithm of a positive number that is not subnormal, within one unit in the last place; also fdlibm's.
__device__ inline double natural_logarithm(double x) {
    int64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    // x = 2^exponent (1 + f) with 1 + f between sqrt(1/2) and sqrt(2).
    const int64_t shifted = bits + (int64_t(0x3FF00000 - 0x3FE6A09E) << 32);
    const double exponent = double((shifted >> 52) - 0x3FF);
    const int64_t scaled = (shifted & 0xFFFFFFFFFFFFF) + (int64_t(0x3FE6A09E) << 32);
    double f;
    memcpy(&f, &scaled, sizeof(f));
    f -= 1;
    const double s = f / (2 + f), z = s * s, w = z * z, half = 0.5 * f * f;
    const double even = w * fma(w, fma(w, 1.531383769920937332e-01, 2.222219843214978396e-01), 3.999999999940941908e-01);
    const double odd = z * fma(w, fma(w, fma(w, 1.479819860511658591e-01, 1.818357216161805012e-01), 2.857142874366239149e-01),
        6.666666666666735130e-01);
    return s * (half + odd + even) + exponent * 1.90821492927058770002e-10 - half + f + exponent * 6.93147180369123816490e-01;
}

// The remainder of x / y with the sign of x, exactly, for |x / y| < 2^52 and y > 0.
__device__ inline double remainder_of(double x, double y) {
    const double size = fabs(x);
    const double r = fma(-trunc(size / y), y, size);
    return copysign(r < 0 ? r + y : r, x);
}

// x within [low, high], and NaN where x is.
template <class T>
__device__ inline T clipped(T x, T low, T high) {
    return x < low ? low : x > high ? high : x;
}

// Far more precisely than a float.
__device__ inline double hyperbolic_tangent(double x) {
    const double size = fabs(x), z = x * x;
    const double small = size * fma(z, fma(z, fma(z, -17.0 / 315, 2.0 / 15), -1.0 / 3), 1.0);
    const double decay = exp(-2 * size);
    return copysign(size < 0x1p-7 ? small : (1 - decay) / (1 + decay), x);
}
