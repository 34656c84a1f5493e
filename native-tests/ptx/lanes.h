// SPDX-License-Identifier: Apache-2.0
// Instructions that do the same in each lane, from a function of one lane's values. Its types say what registers hold: bool is
// a predicate, float the bits of a 32-bit register.
#pragma once
#include <immintrin.h>

#include <bit>
#include <tuple>
#include <type_traits>

#include "warp.h"

namespace ptx {

// The first parameter of functions that the launch's seed perturbs.
struct Seed {
    uint64_t value;
};

// Bit l: whether lanes[l] is negative.
inline uint32_t sign_mask(const int32_t (&lanes)[WARP]) {
#if defined(__AVX512DQ__)
    return uint32_t(_mm512_movepi32_mask(_mm512_loadu_si512(lanes)))
        | uint32_t(_mm512_movepi32_mask(_mm512_loadu_si512(lanes + 16))) << 16;
#elif defined(__AVX__)
    uint32_t mask = 0;
    for (int i = 0; i < 4; i++) {
        mask |= uint32_t(_mm256_movemask_ps(_mm256_loadu_ps(reinterpret_cast<const float*>(lanes + 8 * i)))) << (8 * i);
    }
    return mask;
#else
    uint32_t mask = 0;
    for (int l = 0; l < WARP; l++) mask |= uint32_t(lanes[l] < 0) << l;
    return mask;
#endif
}

template <class F>
struct Signature : Signature<decltype(&F::operator())> {};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...) const> {
    using Result = R;
    using Arguments = std::tuple<A...>;
    static constexpr bool SEEDED = false;
};
template <class C, class R, class... A>
struct Signature<R (C::*)(Seed, A...) const> {
    using Result = R;
    using Arguments = std::tuple<A...>;
    static constexpr bool SEEDED = true;
};

// An operand's lanes, as a function wants them.
template <class T>
struct Source {
    const T* lanes;
    Source(Warp& warp, uint32_t place) : lanes(ptx::lanes<T>(warp, place)) {}
    T operator[](int l) const { return lanes[l]; }
};
template <>
struct Source<bool> {
    uint32_t mask;
    Source(Warp& warp, uint32_t place) : mask(predicate(warp, place)) {}
    bool operator[](int l) const { return mask >> l & 1; }
};
// The same value in each lane.
template <class T>
struct Same {
    T value;
    explicit Same(int64_t bits) { memcpy(&value, &bits, sizeof value); }
    T operator[](int) const { return value; }
};

// Operand number I; the last of two can be an immediate.
template <class F, size_t I, bool IMMEDIATE>
auto source(Warp& warp, const Instruction* in) {
    using Arguments = typename Signature<F>::Arguments;
    using T = std::tuple_element_t<I, Arguments>;
    if constexpr (IMMEDIATE && I == std::tuple_size_v<Arguments> - 1) {
        return Same<T>(in->immediate);
    } else {
        return Source<T>(warp, I == 0 ? in->a : I == 1 ? in->b : I == 2 ? in->c : in->more[I - 3]);
    }
}

template <class F, bool IMMEDIATE, class Call>
inline void each_lane(Warp& warp, const Instruction* in, Call call) {
    using R = typename Signature<F>::Result;
    const uint32_t mask = warp.mask;
    if constexpr (std::is_same_v<R, bool>) {
        int32_t results[WARP];
        for (int l = 0; l < WARP; l++) {
            results[l] = -int32_t(call(l));
        }
        set_predicate(warp, in->d, sign_mask(results));
    } else {
        R* const d = lanes<R>(warp, in->d);
        // A target may be a source too, the whole of it.
        if (mask == ALL_LANES) {
#pragma GCC ivdep
            for (int l = 0; l < WARP; l++) {
                d[l] = call(l);
            }
        } else {
#pragma GCC ivdep
            for (int l = 0; l < WARP; l++) {
                const R value = call(l);
                d[l] = mask >> l & 1 ? value : d[l];
            }
        }
    }
}

template <class F, bool IMMEDIATE, size_t... I>
inline void each_lane(Warp& warp, const Instruction* in, std::index_sequence<I...>) {
    const auto sources = std::make_tuple(source<F, I, IMMEDIATE>(warp, in)...);
    if constexpr (Signature<F>::SEEDED) {
        const Seed seed{warp.block->seed};
        each_lane<F, IMMEDIATE>(warp, in, [&](int l) { return F{}(seed, std::get<I>(sources)[l]...); });
    } else {
        each_lane<F, IMMEDIATE>(warp, in, [&](int l) { return F{}(std::get<I>(sources)[l]...); });
    }
}

// An instruction d = F(a, b, c, more...).
// Flattened: in a unit of many such functions the compiler otherwise stops inlining, and loops with calls are not vectorised.
template <class F, bool IMMEDIATE>
[[gnu::flatten]] const Instruction* elementwise(Warp& warp, const Instruction* in) {
    each_lane<F, IMMEDIATE>(warp, in, std::make_index_sequence<std::tuple_size_v<typename Signature<F>::Arguments>>{});
    return in + 1;
}

}  // namespace ptx
