// SPDX-License-Identifier: Apache-2.0
// Philox 4x32-10 (Salmon et al. 2011): number n of a stream is word n mod 4 of the block whose counter is (n / 4, stream)
// and whose key is the seed. org.fovea.backend.math.Philox is the same function.
#pragma once
#include "cuda.cuh"

struct PhiloxBlock {
    uint32_t word[4];
};

__device__ inline PhiloxBlock philox(uint64_t seed, uint64_t stream, uint64_t block) {
    uint32_t c0 = uint32_t(block), c1 = uint32_t(block >> 32), c2 = uint32_t(stream), c3 = uint32_t(stream >> 32);
    uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++) {
        const uint64_t product0 = uint64_t(0xD2511F53) * c0, product1 = uint64_t(0xCD9E8D57) * c2;
        c0 = uint32_t(product1 >> 32) ^ c1 ^ k0;
        c1 = uint32_t(product1);
        c2 = uint32_t(product0 >> 32) ^ c3 ^ k1;
        c3 = uint32_t(product0);
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
    return {{c0, c1, c2, c3}};
}

// In (0, 1), exact in float32.
__device__ inline float uniform_of(uint32_t bits) { return (float(bits >> 9) + 0.5f) * 0x1p-23f; }

// Number n of a stream, in (0, 1).
__device__ inline float uniform_number(uint64_t seed, uint64_t stream, uint64_t n) {
    const PhiloxBlock block = philox(seed, stream, n / 4);
    const int word = int(n % 4);
    return uniform_of(word == 0 ? block.word[0] : word == 1 ? block.word[1] : word == 2 ? block.word[2] : block.word[3]);
}

// The stream that a kernel draws from: a captured step counts its replays in device memory, so that each draws anew.
__device__ inline uint64_t replayed_stream(int64_t stream, const int32_t* counter) {
    return uint64_t(stream) + uint64_t(counter ? int64_t(*counter) : 0);
}
