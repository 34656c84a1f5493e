// SPDX-License-Identifier: Apache-2.0
// Rows of a table by index: rows[i, :] = table[indices[i], :].
#include "../common/cuda.cuh"
#include "params.h"

template <class T>
__device__ inline void gather(const GatherParams& p, T outside) {
    const T* table = static_cast<const T*>(p.table);
    T* rows = static_cast<T*>(p.rows);
    FOR_EACH_ELEMENT(i, p.count * p.width) {
        const int64_t row = p.indices[i / p.width];
        rows[i] = row >= 0 && row < p.table_rows ? table[row * p.width + i % p.width] : outside;
    }
}

extern "C" __global__ void gather_rows(const __grid_constant__ GatherParams p) { gather<int32_t>(p, -1); }
REGISTER_KERNEL(gather_rows)

// Four elements at a time.
extern "C" __global__ void gather_vectors(const __grid_constant__ GatherParams p) { gather<int4>(p, {-1, -1, -1, -1}); }
REGISTER_KERNEL(gather_vectors)
