// SPDX-License-Identifier: Apache-2.0
// Rounding modes, and what floating-point instructions of PTX do to subnormal numbers, NaN and the range (PTX ISA 9.0, section
// 9.7.3). Registers hold bits, so functions take and return bits.
#pragma once
#include <immintrin.h>

#include <bit>
#include <cstdint>
#include <type_traits>

namespace ptx {

// .rn, .rz, .rm, .rp and of the same name for integers .rni, .rzi, .rmi, .rpi; .rna is to nearest with ties away from zero.
enum class Round { RN, RZ, RM, RP, RNA };

// The processor rounds so while this lives. What is rounded must pass through opaque() before and after, for to the compiler
// arithmetic doesn't depend on the mode.
class RoundingMode {
  public:
    explicit RoundingMode(Round round) : before_(_mm_getcsr()) {
        constexpr unsigned MODES[] = {_MM_ROUND_NEAREST, _MM_ROUND_TOWARD_ZERO, _MM_ROUND_DOWN, _MM_ROUND_UP,
            _MM_ROUND_NEAREST};
        _mm_setcsr((before_ & ~unsigned(_MM_ROUND_MASK)) | MODES[int(round)]);
    }
    ~RoundingMode() { _mm_setcsr(before_); }
    RoundingMode(const RoundingMode&) = delete;
    RoundingMode& operator=(const RoundingMode&) = delete;

  private:
    unsigned before_;
};

template <class T>
T opaque(T x) {
    if constexpr (std::is_floating_point_v<T>) {
        asm volatile("" : "+x"(x)::"memory");
    } else {
        asm volatile("" : "+r"(x)::"memory");
    }
    return x;
}

// operation(operands...) under a rounding mode.
template <class Operation, class... T>
auto rounded(Round round, Operation operation, T... operands) {
    if (round == Round::RN) {
        return operation(operands...);
    }
    const RoundingMode mode(round);
    return opaque(operation(opaque(operands)...));
}

constexpr uint32_t NAN_F32 = 0x7FFFFFFF;
constexpr uint16_t NAN_F16 = 0x7FFF, NAN_BF16 = 0x7FFF;

inline float f32(uint32_t bits) { return std::bit_cast<float>(bits); }
inline double f64(uint64_t bits) { return std::bit_cast<double>(bits); }
inline uint64_t bits_of(double x) { return std::bit_cast<uint64_t>(x); }
// Of a NaN the one that cards give; the ISA leaves it open for .f32.
inline uint32_t bits_of(float x) { return x != x ? NAN_F32 : std::bit_cast<uint32_t>(x); }

inline bool is_nan(uint32_t bits) { return (bits & 0x7FFFFFFF) > 0x7F800000; }

// Subnormal numbers become zero of the same sign.
inline uint32_t flushed(uint32_t bits) { return (bits & 0x7F800000) == 0 ? bits & 0x80000000 : bits; }
inline uint32_t flushed(uint32_t bits, bool ftz) { return ftz ? flushed(bits) : bits; }

// .sat: NaN and what is less than 0 become +0, what is more than 1 becomes 1.
inline uint32_t saturated(uint32_t bits) {
    const float x = f32(bits);
    return !(x > 0) ? 0 : x > 1 ? 0x3F800000 : bits;
}

// The modifiers of an instruction.
struct FloatModes {
    Round round = Round::RN;
    bool ftz = false;
    bool sat = false;
};

inline uint32_t finished(float x, FloatModes modes) {
    const uint32_t bits = flushed(bits_of(x), modes.ftz);
    return modes.sat ? saturated(bits) : bits;
}

}  // namespace ptx
