// SPDX-License-Identifier: Apache-2.0
// Conversions between .f16 and .f32 to nearest, eight lanes at a time: what semantics/convert.h gives for one.
#include "decode.h"
#include "semantics/convert.h"

namespace ptx {

namespace {

// In 16 bits each, at the low end.
void to_halves(const uint32_t* floats, uint16_t (&halves)[WARP]) {
    for (int l = 0; l < WARP; l += 8) {
        const __m256 x = _mm256_loadu_ps(reinterpret_cast<const float*>(floats + l));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(halves + l), _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
    }
    for (int l = 0; l < WARP; l++) halves[l] = is_nan(floats[l]) ? NAN_F16 : halves[l];
}

template <class T>
const Instruction* finish(Warp& warp, const Instruction* in, const T (&values)[WARP]) {
    T* const d = lanes<T>(warp, in->d);
    for (int l = 0; l < WARP; l++) d[l] = warp.mask >> l & 1 ? values[l] : d[l];
    return in + 1;
}

const Instruction* half_of_float(Warp& warp, const Instruction* in) {
    uint16_t halves[WARP];
    to_halves(lanes<uint32_t>(warp, in->a), halves);
    return finish(warp, in, halves);
}

const Instruction* halves_of_floats(Warp& warp, const Instruction* in) {
    uint16_t high[WARP], low[WARP];
    uint32_t both[WARP];
    to_halves(lanes<uint32_t>(warp, in->a), high);
    to_halves(lanes<uint32_t>(warp, in->b), low);
    for (int l = 0; l < WARP; l++) both[l] = uint32_t(high[l]) << 16 | low[l];
    return finish(warp, in, both);
}

const Instruction* float_of_half(Warp& warp, const Instruction* in) {
    const uint16_t* const halves = lanes<uint16_t>(warp, in->a);
    uint32_t floats[WARP];
    for (int l = 0; l < WARP; l += 8) {
        const __m256 x = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves + l)));
        _mm256_storeu_ps(reinterpret_cast<float*>(floats + l), x);
    }
    for (int l = 0; l < WARP; l++) floats[l] = is_nan(floats[l]) ? NAN_F32 : floats[l];
    return finish(warp, in, floats);
}

}  // namespace

void add_half_conversions(Forms& forms) {
    forms.replace("cvt.rn.f16.f32", half_of_float);
    forms.replace("cvt.rn.f16x2.f32", halves_of_floats);
    forms.replace("cvt.f32.f16", float_of_half);
}

}  // namespace ptx
