// SPDX-License-Identifier: Apache-2.0
// Rows to places in some tables: table[unit(i) stride + place(i), :] = rows[i, :].
#include "../common/cuda.cuh"
#include "params.h"

// The elements of a row for all tables, one after the other, are shared out as if they were one row's.
template <class T>
__device__ inline void place(const PlaceParams& p) {
    FOR_EACH_ELEMENT(i, p.count * p.total) {
        const int64_t from = i / p.total, unit = p.units == nullptr ? from : p.units[from];
        int64_t at = int64_t(p.indices[from]) + p.shift;
        if (p.wraps) {
            at = (at % p.extent + p.extent) % p.extent;
        }
        if (unit < 0 || at < 0 || at >= p.extent) {
            continue;
        }
        int64_t column = i % p.total;
        int t = 0;
        while (column >= p.width[t]) {
            column -= p.width[t];
            t++;
        }
        const int64_t row = unit * p.stride + at;
        if (row < p.table_rows[t]) {
            static_cast<T*>(p.table[t])[row * p.width[t] + column] =
                static_cast<const T*>(p.rows[t])[from * p.width[t] + column];
        }
    }
}

extern "C" __global__ void place_rows(const __grid_constant__ PlaceParams p) { place<int32_t>(p); }
REGISTER_KERNEL(place_rows)

// Four elements at a time.
extern "C" __global__ void place_vectors(const __grid_constant__ PlaceParams p) { place<int4>(p); }
REGISTER_KERNEL(place_vectors)
