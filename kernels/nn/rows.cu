// Rows of a table by index: rows[i, :] = table[indices[i], :] and its transpose, table[indices[i], :] += rows[i, :].
#include "../common/cuda.cuh"
#include "params.h"

extern "C" __global__ void gather_rows(const __grid_constant__ RowsParams p) {
    const uint32_t* table = static_cast<const uint32_t*>(p.table);
    uint32_t* rows = static_cast<uint32_t*>(p.rows);
    FOR_EACH_ELEMENT(i, p.count * p.width) {
        rows[i] = table[int64_t(p.indices[i / p.width]) * p.width + i % p.width];
    }
}
REGISTER_KERNEL(gather_rows)

// A thread per element of the table looks for its rows, in order: no atomics, so the sum is the same on every run.
extern "C" __global__ void scatter_add_rows(const __grid_constant__ RowsParams p) {
    float* table = static_cast<float*>(p.table);
    const float* rows = static_cast<const float*>(p.rows);
    FOR_EACH_ELEMENT(t, p.table_rows * p.width) {
        const int64_t row = t / p.width, column = t % p.width;
        float sum = table[t];
        for (int64_t i = 0; i < p.count; i++) {
            if (p.indices[i] == row) {
                sum += rows[i * p.width + column];
            }
        }
        table[t] = sum;
    }
}
REGISTER_KERNEL(scatter_add_rows)
