// SPDX-License-Identifier: Apache-2.0
// What the lanes of a warp exchange: shuffles, votes, matches, reductions (PTX ISA 9.0, sections 9.7.9.6, 9.7.13.9 to 12).
// Masks have a bit per lane.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>

namespace ptx {

constexpr int WARP = 32;

enum class Shuffle { UP, DOWN, BFLY, IDX };

struct ShuffleSource {
    int lane;       // whose value the lane gets: its own if the computed one is out of range
    bool in_range;  // the destination predicate
};

// shfl.sync: from which lane `lane` gets its value, for its operands `b` and `c`.
constexpr ShuffleSource shfl(Shuffle mode, int lane, uint32_t b, uint32_t c) {
    const int value = int(b & 31), clamp = int(c & 31), segment = int(c >> 8 & 31);
    const int least = lane & segment, most = least | (clamp & ~segment);
    const int source = mode == Shuffle::UP     ? lane - value
                       : mode == Shuffle::DOWN ? lane + value
                       : mode == Shuffle::BFLY ? lane ^ value
                                               : least | (value & ~segment);
    const bool in_range = mode == Shuffle::UP ? source >= most : source <= most;
    return {in_range ? source : lane, in_range};
}

constexpr bool vote_all(uint32_t predicates, uint32_t members) { return (predicates & members) == members; }
constexpr bool vote_any(uint32_t predicates, uint32_t members) { return (predicates & members) != 0; }
constexpr bool vote_uni(uint32_t predicates, uint32_t members) {
    return vote_all(predicates, members) || !vote_any(predicates, members);
}
constexpr uint32_t vote_ballot(uint32_t predicates, uint32_t members) { return predicates & members; }

// match.any for one lane: the members whose value is `own`.
template <class T>
constexpr uint32_t match_any(const T* values, T own, uint32_t members) {
    uint32_t same = 0;
    for (int lane = 0; lane < WARP; lane++) {
        same |= uint32_t(values[lane] == own) << lane;
    }
    return same & members;
}
// match.all: the members if all have the same value, whose predicate is then true, or 0.
template <class T>
constexpr uint32_t match_all(const T* values, uint32_t members) {
    return members && match_any(values, values[std::countr_zero(members)], members) == members ? members : 0;
}

enum class Reduction { ADD, MIN, MAX, AND, OR, XOR };

// redux.sync over the members; T is uint32_t or int32_t.
template <class T>
constexpr T redux(Reduction operation, const T* values, uint32_t members) {
    T result = values[std::countr_zero(members)];
    for (uint32_t rest = members & (members - 1); rest; rest &= rest - 1) {
        const T x = values[std::countr_zero(rest)];
        switch (operation) {
            case Reduction::ADD: result = T(uint32_t(result) + uint32_t(x)); break;
            case Reduction::MIN: result = std::min(result, x); break;
            case Reduction::MAX: result = std::max(result, x); break;
            case Reduction::AND: result &= x; break;
            case Reduction::OR: result |= x; break;
            case Reduction::XOR: result ^= x; break;
        }
    }
    return result;
}

}  // namespace ptx
