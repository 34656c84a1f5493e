// SPDX-License-Identifier: Apache-2.0
// Tiles of rows and of scores in shared memory, and products of them, over a ring of series; series.cuh says what for.
#pragma once
#include "../common/mma.cuh"
#include "params.h"
#include "ring.cuh"
#include "visibility.cuh"

constexpr int SERIES_THREADS = 256;  // at most

// Properties of rows that ask for care.
enum Suspect { NOT_FINITE = 1, HAS_MINUS_ZERO = 2 };
constexpr uint32_t MINUS_ZERO = 0x80000000;

// Element i of an array of type `storage`.
__device__ inline float element(const void* array, int64_t i, int storage) {
    return storage == 0   ? static_cast<const float*>(array)[i]
           : storage == 1 ? to_float(static_cast<const Bf16*>(array)[i])
                          : to_float(static_cast<const F16*>(array)[i]);
}
__device__ inline void store_element(void* array, int64_t i, int storage, float x) {
    if (storage == 0) {
        static_cast<float*>(array)[i] = x;
    } else if (storage == 1) {
        store(static_cast<Bf16*>(array) + i, x);
    } else {
        store(static_cast<F16*>(array) + i, x);
    }
}
// Four from element i on, which is aligned to four.
__device__ inline float4 four_elements(const void* array, int64_t i, int storage) {
    if (storage == 0) {
        return *reinterpret_cast<const float4*>(static_cast<const float*>(array) + i);
    }
    const float2 words = *reinterpret_cast<const float2*>(static_cast<const uint16_t*>(array) + i);
    const uint32_t low = as_bits(words.x), high = as_bits(words.y);
    const uint16_t h[4] = {uint16_t(low), uint16_t(low >> 16), uint16_t(high), uint16_t(high >> 16)};
    return storage == 1 ? float4{to_float(Bf16{h[0]}), to_float(Bf16{h[1]}), to_float(Bf16{h[2]}), to_float(Bf16{h[3]})}
                        : float4{to_float(F16{h[0]}), to_float(F16{h[1]}), to_float(F16{h[2]}), to_float(F16{h[3]})};
}

// A step of every dot product of rows: the chain of additions has a quarter of their length.
__device__ inline float dot_of_four(const float4& a, const float4& b) {
    return fmaf(a.x, b.x, a.y * b.y) + fmaf(a.z, b.z, a.w * b.w);
}

// The rows of a head of an array in planes.
struct SeriesRows {
    int64_t offset, stride;
    int count, dim, storage;
    uint32_t planes;  // that are there
};

__device__ inline SeriesRows rows_of(const int64_t (&strides)[3], int batch, int head, int count, int dim, int storage,
                                     uint32_t planes) {
    return {batch * strides[0] + head * strides[1], strides[2], count, dim, storage, planes};
}

// Which block of those that share a head's rows, and their columns, this one is.
struct SeriesPlace {
    int part, tile;
    int64_t head_index;

    __device__ SeriesPlace(int rows, int tile_rows, int parts) {
        const int tiles = (rows + tile_rows - 1) / tile_rows;
        part = blockIdx.x % parts;
        tile = tiles - 1 - blockIdx.x / parts % tiles;  // the long ones of a causal mask first
        head_index = blockIdx.x / parts / tiles;
    }
};

template <int TILE, int PLANES, bool BY_KEYS>
struct SeriesTile {
    static constexpr int HALF = TILE / 2, PITCH = TILE + 4, AREA = TILE * PITCH;

    const AttentionSeriesParams& p;
    const SeriesRing<PLANES> ring;
    const int planes, pitch, chunk;  // pitch of a chunk's rows, elements of one of its planes
    float *x_smem, *y_smem, *first_smem, *second_smem, *slope_smem, *sums_smem, *normalizer_smem, *delta_smem;
    float *maximum_smem, *correction_smem, *seen_smem;  // [TILE]
    QueryRow* row_smem;                     // [TILE]
    uint8_t* sees_smem;                     // [TILE][TILE]
    int batch, head;

    // `memory_smem` has planes TILE (2 (depth + 4) + (softcap ? 3 : 2) (TILE + 4) + sums + 2) + TILE (TILE / 4 + 7) floats,
    // `sums` of them per stationary row and plane.
    __device__ SeriesTile(const AttentionSeriesParams& params, float* memory_smem, int sums)
        : p(params), ring{params.planes, params.mixed != 0}, planes(ring.planes()), pitch(params.depth + 4), chunk(TILE * pitch) {
        const auto take = [&](int floats) {
            float* taken = memory_smem;
            memory_smem += floats;
            return taken;
        };
        x_smem = take(planes * chunk);
        y_smem = take(planes * chunk);
        first_smem = take(planes * AREA);
        second_smem = take(planes * AREA);
        slope_smem = take(p.softcap > 0 ? planes * AREA : 0);
        sums_smem = take(planes * TILE * sums);
        normalizer_smem = take(planes * TILE);
        delta_smem = take(planes * TILE);
        maximum_smem = take(TILE);
        correction_smem = take(TILE);
        seen_smem = take(TILE);
        row_smem = reinterpret_cast<QueryRow*>(take(4 * TILE));
        sees_smem = reinterpret_cast<uint8_t*>(memory_smem);
    }

    __device__ void set_head(int64_t head_index) {
        batch = int(head_index / p.heads);
        head = int(head_index % p.heads);
    }
    __device__ int key_head() const { return head / (p.heads / p.key_heads); }
    __device__ int64_t row_index(int query) const { return (int64_t(batch) * p.heads + head) * p.queries + query; }

    __device__ SeriesRows queries() const {
        return rows_of(p.query_strides, batch, head, p.queries, p.head_dim, p.pair_storage, given(p.query, planes));
    }
    __device__ SeriesRows keys() const {
        return rows_of(p.key_strides, batch, key_head(), p.keys, p.head_dim, p.pair_storage, given(p.key, planes));
    }
    __device__ SeriesRows values() const {
        return rows_of(p.value_strides, batch, key_head(), p.keys, p.value_dim, p.value_storage, given(p.value, planes));
    }
    __device__ SeriesRows d_outputs() const {
        return rows_of(p.output_strides, batch, head, p.queries, p.value_dim, p.value_storage, given(p.d_output, planes));
    }

    // A query of the tile's, and a key.
    static __device__ int query_of(int stationary, int moving) { return BY_KEYS ? moving : stationary; }
    static __device__ int key_of(int stationary, int moving) { return BY_KEYS ? stationary : moving; }

    // Rows row0.. of all planes, columns column0.., into a chunk; what is beyond is 0, and so are planes that are not there
    // if `zeros`. What this thread met, of Suspect.
    __device__ int load(float* to_smem, const void* const (&array)[MAX_PLANES], const SeriesRows& rows, int row0, int column0,
                         bool zeros) const {
        int suspect = 0;
        const int fours = p.depth / 4;
        const int64_t bytes = rows.storage == 0 ? 4 : 2;
        const bool strided = rows.offset % 4 == 0 && rows.stride % 4 == 0 && rows.dim % 4 == 0;
        for (int k = 0; k < planes; k++, to_smem += chunk) {
            const void* plane = array[k];
            if (!plane && !zeros) {
                continue;
            }
            const bool aligned = strided && reinterpret_cast<uintptr_t>(plane) % (4 * bytes) == 0;
            for (int i = threadIdx.x; i < TILE * fours; i += blockDim.x) {
                const int row = i / fours, column = column0 + i % fours * 4;
                const int64_t from = rows.offset + (row0 + row) * rows.stride + column;
                float4 x{0, 0, 0, 0};
                if (plane && row0 + row < rows.count && column < rows.dim) {
                    if (aligned) {
                        x = four_elements(plane, from, rows.storage);
                    } else {
                        x.x = element(plane, from, rows.storage);
                        x.y = column + 1 < rows.dim ? element(plane, from + 1, rows.storage) : 0;
                        x.z = column + 2 < rows.dim ? element(plane, from + 2, rows.storage) : 0;
                        x.w = column + 3 < rows.dim ? element(plane, from + 3, rows.storage) : 0;
                    }
                    // Of numbers that are finite, 0 times their sum is 0.
                    suspect |= x.x * 0 + x.y * 0 + x.z * 0 + x.w * 0 == 0 ? 0 : NOT_FINITE;
                    const bool minus_zero = as_bits(x.x) == MINUS_ZERO || as_bits(x.y) == MINUS_ZERO
                                            || as_bits(x.z) == MINUS_ZERO || as_bits(x.w) == MINUS_ZERO;
                    suspect |= minus_zero ? HAS_MINUS_ZERO : 0;
                }
                *reinterpret_cast<float4*>(to_smem + row * pitch + i % fours * 4) = x;
            }
        }
        return suspect;
    }

    // Scores of all pairs of rows: products of X and Y, or minus the squares of their differences. Needs a barrier before it
    // if x, y or the scores are still in use; ends with one.
    __device__ void compare(float* scores_smem, const void* const (&x_array)[MAX_PLANES], const SeriesRows& x, int x0,
                            const void* const (&y_array)[MAX_PLANES], const SeriesRows& y, int y0, bool euclidean) const {
        for (int column0 = 0; column0 < x.dim; column0 += p.depth) {
            load(x_smem, x_array, x, x0, column0, euclidean);
            load(y_smem, y_array, y, y0, column0, euclidean);
            __syncthreads();
            if (euclidean) {
                compare_chunk<true>(scores_smem, x.planes | y.planes, x.planes | y.planes, column0 == 0);
            } else {
                compare_chunk<false>(scores_smem, x.planes, y.planes, column0 == 0);
            }
            __syncthreads();
        }
    }

    // A thread has 2 x 2 scores of a plane; a warp, of 4 x 8 such, reads each row of x and y in one go.
    template <bool EUCLIDEAN>
    __device__ void compare_chunk(float* scores_smem, uint32_t x_planes, uint32_t y_planes, bool anew) const {
        for (int item = threadIdx.x; item < planes * HALF * HALF; item += blockDim.x) {
            const int target = item / (HALF * HALF), i = item % (HALF * HALF), warp = i / 32;
            const int row = warp / (HALF / 8) * 4 + i % 32 / 8, column = warp % (HALF / 8) * 8 + i % 8;
            float* const score_smem = scores_smem + target * AREA + row * PITCH + column;
            // One chain of additions through all chunks, so that scores are the same bits whatever the depth.
            float s00 = anew ? 0 : score_smem[0], s01 = anew ? 0 : score_smem[HALF];
            float s10 = anew ? 0 : score_smem[HALF * PITCH], s11 = anew ? 0 : score_smem[HALF * PITCH + HALF];
            ring.products(target, [&](int a, int b) {
                if (!(x_planes >> a & 1) || !(y_planes >> b & 1)) {
                    return;
                }
                const float* xa = x_smem + a * chunk + row * pitch;
                const float* yb = y_smem + b * chunk + column * pitch;
                const int to_other = HALF * pitch;
                if constexpr (EUCLIDEAN) {
                    const float* xb = x_smem + b * chunk + row * pitch;
                    const float* ya = y_smem + a * chunk + column * pitch;
                    for (int k = 0; k < p.depth; k += 4) {
                        const float4 xa0 = four(xa + k), xa1 = four(xa + to_other + k);
                        const float4 ya0 = four(ya + k), ya1 = four(ya + to_other + k);
                        const float4 xb0 = four(xb + k), xb1 = four(xb + to_other + k);
                        const float4 yb0 = four(yb + k), yb1 = four(yb + to_other + k);
                        s00 = dot(difference(ya0, xa0), difference(xb0, yb0), s00);
                        s01 = dot(difference(ya1, xa0), difference(xb0, yb1), s01);
                        s10 = dot(difference(ya0, xa1), difference(xb1, yb0), s10);
                        s11 = dot(difference(ya1, xa1), difference(xb1, yb1), s11);
                    }
                } else {
#pragma unroll 2
                    for (int k = 0; k < p.depth; k += 4) {
                        const float4 x0 = four(xa + k), x1 = four(xa + to_other + k);
                        const float4 y0 = four(yb + k), y1 = four(yb + to_other + k);
                        s00 = dot(x0, y0, s00);
                        s01 = dot(x0, y1, s01);
                        s10 = dot(x1, y0, s10);
                        s11 = dot(x1, y1, s11);
                    }
                }
            });
            score_smem[0] = s00;
            score_smem[HALF] = s01;
            score_smem[HALF * PITCH] = s10;
            score_smem[HALF * PITCH + HALF] = s11;
        }
    }

    static __device__ float4 four(const float* x_smem) { return *reinterpret_cast<const float4*>(x_smem); }
    static __device__ float dot(const float4& a, const float4& b, float sum) { return sum + dot_of_four(a, b); }
    static __device__ void add(float4& sum, float weight, const float4& x) {
        sum = {fmaf(weight, x.x, sum.x), fmaf(weight, x.y, sum.y), fmaf(weight, x.z, sum.z), fmaf(weight, x.w, sum.w)};
    }

    // sums = correction sums + W Y for the planes `wanted` and the block's columns, which begin at column0: W the weights,
    // Y the moving rows y0.., or with `differences` moving rows minus the stationary ones x0... Corrections are per
    // stationary row, or none. What others wrote before needs no barrier; ends with one. Pairs that don't see each other are
    // left out if `guarded`, or if Y has what is not finite. What this thread met in Y, of Suspect.
    __device__ int accumulate(const float* weights_smem, uint32_t wanted, const float* correction_smem,
                              const void* const (&y_array)[MAX_PLANES], const SeriesRows& y, int y0, int column0,
                              bool differences, const void* const (&x_array)[MAX_PLANES], const SeriesRows& x, int x0,
                              bool guarded = false) const {
        int suspect = 0;
        for (int c = 0; c < p.columns && column0 + c < y.dim; c += p.depth) {
            const int here = load(y_smem, y_array, y, y0, column0 + c, differences);
            suspect |= here;
            if (differences) {
                load(x_smem, x_array, x, x0, column0 + c, true);
            }
            if (__syncthreads_or(guarded || differences || (here & NOT_FINITE))) {
                accumulate_chunk<true>(weights_smem, wanted, correction_smem, differences ? ~0u : y.planes, c, differences);
            } else {
                accumulate_chunk<false>(weights_smem, wanted, correction_smem, y.planes, c, false);
            }
            __syncthreads();
        }
        return suspect;
    }

    // A thread has 2 x 4 sums of a plane, of this tile first, so that long sums are as exact as short ones. Guarded, only
    // pairs that see each other count, and there may be differences.
    template <bool GUARDED>
    __device__ void accumulate_chunk(const float* weights_smem, uint32_t wanted, const float* correction_smem, uint32_t y_planes,
                                     int column0, bool differences) const {
        const int fours = p.depth / 4, items = HALF * fours;
        for (int item = threadIdx.x; item < planes * items; item += blockDim.x) {
            const int target = item / items, row = item % items / fours, column = item % fours * 4;
            if (!(wanted >> target & 1)) {
                continue;
            }
            float* const low_smem = sums_smem + (target * TILE + row) * p.columns + column0 + column;
            float* const high_smem = low_smem + HALF * p.columns;
            float4 low{-0.0f, -0.0f, -0.0f, -0.0f}, high = low;
            ring.products(target, [&](int a, int b) {
                if (!(y_planes >> b & 1)) {
                    return;
                }
                const float* w = weights_smem + a * AREA + row * PITCH;
                const float* yb = y_smem + b * chunk + column;
                if constexpr (GUARDED) {
                    const float* xb = x_smem + b * chunk + row * pitch + column;
                    const float4 zero{0, 0, 0, 0};
                    const float4 x0 = differences ? four(xb) : zero, x1 = differences ? four(xb + HALF * pitch) : zero;
                    for (int m = 0; m < TILE; m++) {
                        const float4 y = four(yb + m * pitch);
                        if (sees_smem[row * TILE + m]) {
                            add(low, w[m], difference(y, x0));
                        }
                        if (sees_smem[(row + HALF) * TILE + m]) {
                            add(high, w[m + HALF * PITCH], difference(y, x1));
                        }
                    }
                } else {
                    for (int m = 0; m < TILE; m += 4) {
                        const float4 w0 = four(w + m), w1 = four(w + HALF * PITCH + m);
                        const float4 y0 = four(yb + m * pitch), y1 = four(yb + (m + 1) * pitch);
                        const float4 y2 = four(yb + (m + 2) * pitch), y3 = four(yb + (m + 3) * pitch);
                        add(low, w0.x, y0), add(low, w0.y, y1), add(low, w0.z, y2), add(low, w0.w, y3);
                        add(high, w1.x, y0), add(high, w1.y, y1), add(high, w1.z, y2), add(high, w1.w, y3);
                    }
                }
            });
            add(low, correction_smem ? correction_smem[row] : 1, four(low_smem));
            add(high, correction_smem ? correction_smem[row + HALF] : 1, four(high_smem));
            *reinterpret_cast<float4*>(low_smem) = low;
            *reinterpret_cast<float4*>(high_smem) = high;
        }
    }

    static __device__ float4 difference(const float4& a, const float4& b) {
        return {a.x - b.x, a.y - b.y, a.z - b.z, a.w - b.w};
    }

    __device__ void clear_sums(int per_row, float nothing = 0) const {
        for (int i = threadIdx.x; i < planes * TILE * per_row; i += blockDim.x) {
            sums_smem[i] = nothing;
        }
    }

    // The block's columns of the result's planes that are wanted, times a factor.
    template <class T>
    __device__ void store_sums(T* const (&array)[MAX_PLANES], const SeriesRows& rows, int row0, int column0,
                               float factor) const {
        for (int k = 0; k < planes; k++) {
            void* const plane = array[k];
            for (int i = threadIdx.x; plane && i < TILE * p.columns; i += blockDim.x) {
                const int row = row0 + i / p.columns, column = column0 + i % p.columns;
                if (row < rows.count && column < rows.dim) {
                    store_element(plane, rows.offset + row * rows.stride + column, rows.storage,
                                  sums_smem[k * TILE * p.columns + i] * factor);
                }
            }
        }
    }
};
