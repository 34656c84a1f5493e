// SPDX-License-Identifier: Apache-2.0
// Arrays made from their indices: arithmetic progressions and uniform random numbers.
#include "../common/philox.cuh"
#include "../common/vector.cuh"
#include "params.h"

extern "C" __global__ void iota(const __grid_constant__ IotaParams p) {
    FOR_EACH_ELEMENT(i, p.count) {
        const double value = p.start + double(i) * p.step;
        if (p.is_integer) {
            static_cast<int32_t*>(p.y)[i] = int32_t(value);
        } else {
            static_cast<float*>(p.y)[i] = float(value);
        }
    }
}
REGISTER_KERNEL(iota)

// A thread takes four numbers, which are one block of Philox.
extern "C" __global__ void uniform(const __grid_constant__ UniformParams p) {
    const uint64_t seed = uint64_t(p.seed), stream = replayed_stream(p.stream, p.counter), first = uint64_t(p.first);
    const int skipped = int(first % 4);  // numbers of the first block that lie before `first`
    const bool vectors = skipped == 0 && aligned16(p.y);
    FOR_EACH_ELEMENT(block, (p.count + skipped + 3) / 4) {
        const PhiloxBlock bits = philox(seed, stream, first / 4 + uint64_t(block));
        const int64_t i = 4 * block - skipped;
        if (vectors && i + 4 <= p.count) {
            store<4>(p.y + i, {{uniform_of(bits.word[0]), uniform_of(bits.word[1]), uniform_of(bits.word[2]),
                                uniform_of(bits.word[3])}});
        } else {
#pragma unroll
            for (int k = 0; k < 4; k++) {
                if (i + k >= 0 && i + k < p.count) {
                    p.y[i + k] = uniform_of(bits.word[k]);
                }
            }
        }
    }
}
REGISTER_KERNEL(uniform)
