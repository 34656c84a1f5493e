// SPDX-License-Identifier: Apache-2.0
// Work on rows of a matrix. A narrow row is held in the registers of a group of lanes, one warp at most, so that it is read
// once; a wide one is walked over by a block and comes from the cache after its first reading. Folds are butterflies and
// fixed chains: their order depends on the width alone, and all threads of a group get the same bits.
//
//   width       threads of a row           elements a thread
//   1 to 32     next power of two          1
//   to 256      32                         2, 4 or 8, in registers
//   more        all ROW_THREADS            width / ROW_THREADS, read again for each pass
#pragma once
#include "cuda.cuh"

constexpr int WARP_LANES = 32;
constexpr int ROW_THREADS = 256;
constexpr int ROW_WARPS = ROW_THREADS / WARP_LANES;
constexpr int MAX_ITEMS = 8;

struct Sum {
    static constexpr float NEUTRAL = 0;
    __device__ static float fold(float a, float b) { return a + b; }
};

// Keeps NaN.
struct Maximum {
    static constexpr float NEUTRAL = -INFINITY;
    __device__ static float fold(float a, float b) { return a > b || a != a ? a : b; }
};

// Over `lanes` neighbours, a power of two; every lane of the warp must come.
template <class Op>
__device__ inline float fold_lanes(float x, int lanes) {
    for (int distance = lanes / 2; distance > 0; distance /= 2) {
        x = Op::fold(x, __shfl_xor_sync(0xFFFFFFFF, x, distance));
    }
    return x;
}

// Over a block of ROW_THREADS; every thread must come.
template <class Op>
__device__ inline float fold_block(float x) {
    SHARED(float, warp_smem, [ROW_WARPS]);
    x = fold_lanes<Op>(x, WARP_LANES);
    __syncthreads();  // an earlier fold may still be read
    if (threadIdx.x % WARP_LANES == 0) {
        warp_smem[threadIdx.x / WARP_LANES] = x;
    }
    __syncthreads();
    x = warp_smem[0];
#pragma unroll
    for (int warp = 1; warp < ROW_WARPS; warp++) {
        x = Op::fold(x, warp_smem[warp]);
    }
    return x;
}

// The lanes that share a row of at most 32 elements, or a warp for a longer one.
__device__ inline int row_lanes(int width) {
    int lanes = 1;
    while (lanes < width && lanes < WARP_LANES) {
        lanes *= 2;
    }
    return lanes;
}

// A row in registers: item j of a lane is element lane + j lanes. Groups that are left without a row stay, with width 0,
// since the others' folds need every lane of the warp.
template <int ITEMS>
struct WarpRow {
    int lane, lanes, width;
    bool active;

    // Elements of one array, of which a thread asks for its own: (j, i) as `each` passes them.
    struct Held {
        float item[ITEMS];
        __device__ float operator()(int j, int) const { return item[j]; }
    };

    __device__ Held hold(const float* x) const {
        Held held;
#pragma unroll
        for (int j = 0; j < ITEMS; j++) {
            held.item[j] = lane + j * lanes < width ? x[lane + j * lanes] : 0;
        }
        return held;
    }

    template <class F>
    __device__ void each(F f) const {
#pragma unroll
        for (int j = 0; j < ITEMS; j++) {
            if (lane + j * lanes < width) {
                f(j, lane + j * lanes);
            }
        }
    }

    template <class Op, class F>
    __device__ float fold(F f) const {
        float folded = Op::NEUTRAL;
        each([&](int j, int i) { folded = Op::fold(folded, f(j, i)); });
        return fold_lanes<Op>(folded, lanes);
    }

    // Whether this thread speaks for its row.
    __device__ bool leads() const { return active && lane == 0; }
};

// A row too long for that.
struct BlockRow {
    int width;

    struct Held {
        const float* x;
        __device__ float operator()(int, int i) const { return x[i]; }
    };

    __device__ Held hold(const float* x) const { return {x}; }

    template <class F>
    __device__ void each(F f) const {
        for (int i = threadIdx.x; i < width; i += ROW_THREADS) {
            f(0, i);
        }
    }

    template <class Op, class F>
    __device__ float fold(F f) const {
        float folded = Op::NEUTRAL;
        each([&](int j, int i) { folded = Op::fold(folded, f(j, i)); });
        return fold_block<Op>(folded);
    }

    __device__ bool leads() const { return threadIdx.x == 0; }
};

// The rows of a launch: for_each calls f(view of the row, its number).
template <int N>
struct Rows {
    static constexpr int ITEMS = N;
    int64_t rows;
    int width;

    template <class F>
    __device__ void for_each(F f) const {
        const int lanes = ITEMS == 1 ? row_lanes(width) : WARP_LANES;
        const int groups = ROW_THREADS / lanes, group = threadIdx.x / lanes, lane = threadIdx.x % lanes;
        for (int64_t first = int64_t(blockIdx.x) * groups; first < rows; first += int64_t(gridDim.x) * groups) {
            const bool active = first + group < rows;
            f(WarpRow<ITEMS>{lane, lanes, active ? width : 0, active}, active ? first + group : first);
        }
    }
};

template <>
struct Rows<0> {
    static constexpr int ITEMS = 0;
    int64_t rows;
    int width;

    template <class F>
    __device__ void for_each(F f) const {
        for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
            f(BlockRow{width}, row);
        }
    }
};

// body(Rows<ITEMS>) with what suits the width; ITEMS is 0 where blocks walk over rows.
template <class Body>
__device__ inline void with_rows(int64_t rows, int width, Body body) {
    if (width <= WARP_LANES) {
        body(Rows<1>{rows, width});
    } else if (width <= 2 * WARP_LANES) {
        body(Rows<2>{rows, width});
    } else if (width <= 4 * WARP_LANES) {
        body(Rows<4>{rows, width});
    } else if (width <= MAX_ITEMS * WARP_LANES) {
        body(Rows<MAX_ITEMS>{rows, width});
    } else {
        body(Rows<0>{rows, width});
    }
}

template <class F>
__device__ inline void for_each_row(int64_t rows, int width, F f) {
    with_rows(rows, width, [&](auto all) { all.for_each(f); });
}

// Sums over a block's rows, one per column, kept while Rows<ITEMS>::for_each goes on; store() adds up the block's groups
// and writes [width] to y.
template <int ITEMS>
struct ColumnSums {
    float item[ITEMS] = {};
    float* y;
    int width;

    __device__ ColumnSums(const Rows<ITEMS>& all, float* to) : y(to), width(all.width) {}

    __device__ void add(int j, int, float x) { item[j] += x; }

    // Every thread of the block must come, and pass a barrier before the memory [ROW_THREADS * MAX_ITEMS] is used again.
    __device__ void store(float* memory_smem) const {
        const int lanes = ITEMS == 1 ? row_lanes(width) : WARP_LANES;
        const int groups = ROW_THREADS / lanes, group = threadIdx.x / lanes, lane = threadIdx.x % lanes;
#pragma unroll
        for (int j = 0; j < ITEMS; j++) {
            if (lane + j * lanes < width) {
                memory_smem[group * width + lane + j * lanes] = item[j];
            }
        }
        __syncthreads();
        for (int i = threadIdx.x; i < width; i += ROW_THREADS) {
            float sum = 0;
            for (int g = 0; g < groups; g++) {
                sum += memory_smem[g * width + i];
            }
            y[i] = sum;
        }
    }
};

// Of rows that blocks walk over: kept in y itself, where each thread has its columns.
template <>
struct ColumnSums<0> {
    float* y;

    __device__ ColumnSums(const Rows<0>& all, float* to) : y(to) {
        BlockRow{all.width}.each([&](int, int i) { y[i] = 0; });
    }

    __device__ void add(int, int i, float x) { y[i] += x; }
    __device__ void store(float*) const {}
};

// Columns of a matrix x [rows, row_stride] folded by a block: thread t has column first + t % columns, columns a power of
// two up to 32, and every (ROW_THREADS / columns)-th of its rows. The result is right in threads below `columns`.
template <class Op>
__device__ inline float fold_column(const float* x, int64_t rows, int64_t row_stride, int64_t column, int columns,
                                    int64_t width) {
    SHARED(float, column_smem, [ROW_THREADS]);
    const int thread = threadIdx.x, step = ROW_THREADS / columns;
    float folded = Op::NEUTRAL;
    if (column < width) {
#pragma unroll 8
        for (int64_t r = thread / columns; r < rows; r += step) {
            folded = Op::fold(folded, x[r * row_stride + column]);
        }
    }
    column_smem[thread] = folded;
    __syncthreads();
    for (int half = ROW_THREADS / 2; half >= columns; half /= 2) {
        if (thread < half) {
            folded = Op::fold(folded, column_smem[thread + half]);
            column_smem[thread] = folded;
        }
        __syncthreads();
    }
    return folded;
}
