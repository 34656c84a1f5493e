// Arrays made from their indices: arithmetic progressions and uniform random numbers.
#include "../common/cuda.cuh"
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

// Philox 4x32-10 (Salmon et al. 2011): number n is word n mod 4 of the block whose counter is (n / 4, stream) and whose
// key is the seed. org.fovea.backend.Philox is the same function.
__device__ inline uint32_t philox(uint64_t seed, uint64_t stream, uint64_t n) {
    const uint64_t block = n / 4;
    uint32_t c[4] = {uint32_t(block), uint32_t(block >> 32), uint32_t(stream), uint32_t(stream >> 32)};
    uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++) {
        const uint64_t product0 = uint64_t(0xD2511F53) * c[0], product1 = uint64_t(0xCD9E8D57) * c[2];
        c[0] = uint32_t(product1 >> 32) ^ c[1] ^ k0;
        c[1] = uint32_t(product1);
        c[2] = uint32_t(product0 >> 32) ^ c[3] ^ k1;
        c[3] = uint32_t(product0);
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
    const int word = int(n % 4);
    return word == 0 ? c[0] : word == 1 ? c[1] : word == 2 ? c[2] : c[3];
}

extern "C" __global__ void uniform(const __grid_constant__ UniformParams p) {
    FOR_EACH_ELEMENT(i, p.count) {
        const uint32_t bits = philox(uint64_t(p.seed), uint64_t(p.stream), uint64_t(p.first) + uint64_t(i));
        p.y[i] = (float(bits >> 9) + 0.5f) * 0x1p-23f;  // in (0, 1), exact
    }
}
REGISTER_KERNEL(uniform)
