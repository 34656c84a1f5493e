// SPDX-License-Identifier: Apache-2.0
// Rows of some tables by the same indices: rows[i, :] = table[indices[i], :].
#include "../common/cuda.cuh"
#include "params.h"

// The elements of a row of all tables, one after the other, are shared out as if they were one row's.
template <class T>
__device__ inline void gather(const GatherParams& p, T outside) {
    FOR_EACH_ELEMENT(i, p.count * p.total) {
        const int64_t place = i / p.total, row = p.indices[place];
        int64_t column = i % p.total;
        int t = 0;
        while (column >= p.width[t]) {
            column -= p.width[t];
            t++;
        }
        const T* const table = static_cast<const T*>(p.table[t]);
        T* const rows = static_cast<T*>(p.rows[t]);
        rows[place * p.width[t] + column] = row >= 0 && row < p.table_rows[t] ? table[row * p.width[t] + column] : outside;
    }
}

extern "C" __global__ void gather_rows(const __grid_constant__ GatherParams p) { gather<int32_t>(p, -1); }
REGISTER_KERNEL(gather_rows)

// Four elements at a time.
extern "C" __global__ void gather_vectors(const __grid_constant__ GatherParams p) { gather<int4>(p, {-1, -1, -1, -1}); }
REGISTER_KERNEL(gather_vectors)
