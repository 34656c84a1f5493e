// SPDX-License-Identifier: Apache-2.0
// Attention of one new query per head over its ring buffer of keys and values, which is bound by reading them:
//
//   s_a = scale q . k[slot(a)] for every age a < count      O = sum_a exp(s_a - L) v[slot(a)]      slot(a) = position - a
//
// or with q . k / (|q| |k|), 0 for rows of zeros, or -|q - k|^2 in the place of q . k, and then c tanh(s / c) in that of s.
//
// A row of the cache is read in pieces of 16 bytes by `lanes` lanes, so a warp reads 32 / lanes rows at once, and AHEAD
// times as many before it uses the first. Each group of lanes keeps a running maximum, sum and output of its own
// (forward.cu says how); groups, and then the warps of a head, are put together at the end, in a fixed order. Weights are lowered
// by a power of two, so that together they stay below 1 and the output below the largest value. Slots older than the count are not
// read, and may hold anything.
#include "../common/mma.cuh"
#include "params.h"

constexpr int DECODE_THREADS = 256;
constexpr int DECODE_WARPS = DECODE_THREADS / 32;
constexpr int AHEAD = 4;
constexpr float LOG2_E = 1.4426950408889634f;

enum DecodeSimilarity { DECODE_DOT, DECODE_COSINE, DECODE_EUCLIDEAN };

// PIECES per lane: 2 where a row is longer than a warp reads at once.
template <class T, int PIECES>
struct Decode {
    static constexpr int ELEMENTS = 16 / int(sizeof(T));  // of a piece
    static constexpr int STATE = 2 + 32 * PIECES * ELEMENTS;

    struct Row {
        T element[PIECES][ELEMENTS];
    };

    const AttentionDecodeParams& p;
    const int lane = threadIdx.x % 32;
    const int part = lane % p.lanes;  // of a row, this lane's

    float query[PIECES][ELEMENTS];  // times `scale`
    float scale;                    // of dot products: p.scale log2(e); else 1
    float query_norm;               // for cosine
    float lowered;                  // weight of the largest score
    float out[PIECES][ELEMENTS] = {};
    float maximum = -INFINITY;
    float sum = 0;

    __device__ explicit Decode(const AttentionDecodeParams& params) : p(params) {}

    // This lane's pieces of a row of `dim` elements; what is beyond it is 0.
    __device__ Row read(const T* row, int dim) const {
        Row r = {};
        const bool aligned = reinterpret_cast<uintptr_t>(row) % 16 == 0 && dim % ELEMENTS == 0;
#pragma unroll
        for (int i = 0; i < PIECES; i++) {
            const int first = (part + i * p.lanes) * ELEMENTS;
            if (aligned) {
                if (first < dim) {
                    *reinterpret_cast<int4*>(r.element[i]) = *reinterpret_cast<const int4*>(row + first);
                }
                continue;
            }
#pragma unroll
            for (int e = 0; e < ELEMENTS; e++) {
                if (first + e < dim) {
                    r.element[i][e] = row[first + e];
                }
            }
        }
        return r;
    }

    // exp2 of differences to a maximum, of which none is larger; nothing seen yet gives 0.
    static __device__ float weight(float score, float largest) { return score == -INFINITY ? 0 : exp2f(score - largest); }

    __device__ void merge(float other_maximum, float other_sum, const float (&other_out)[PIECES][ELEMENTS]) {
        const float largest = fmaxf(maximum, other_maximum);
        const float own = weight(maximum, largest), other = weight(other_maximum, largest);
        maximum = largest;
        sum = sum * own + other_sum * other;
#pragma unroll
        for (int i = 0; i < PIECES; i++) {
#pragma unroll
            for (int e = 0; e < ELEMENTS; e++) {
                out[i][e] = out[i][e] * own + other_out[i][e] * other;
            }
        }
    }

    __device__ void run(int batch, int head, int warp) {
        const int count = min(max(p.counts[batch], 0), p.capacity), newest = p.positions[batch] % p.capacity;
        lowered = as_float((252 - (as_bits(float(count)) >> 23)) << 23);  // from 1 / 4 of 1 / count to half of it
        const int groups = 32 / p.lanes, stride = groups * p.warps;
        const int64_t matrix = int64_t(batch) * p.heads + head;
        const Row q = read(static_cast<const T*>(p.query) + matrix * p.head_dim, p.head_dim);
        scale = p.similarity == DECODE_DOT ? p.scale * LOG2_E : 1;
#pragma unroll
        for (int i = 0; i < PIECES; i++) {
#pragma unroll
            for (int e = 0; e < ELEMENTS; e++) {
                query[i][e] = to_float(q.element[i][e]) * scale;
            }
        }
        if (p.similarity == DECODE_COSINE) {
            float square = 0;
            each(q, [&](float x, float) { square = fmaf(x, x, square); });
            query_norm = sqrtf(sum_lanes(square));
        }
        // All groups of a warp take as many turns, since they shuffle together.
        for (int first = warp * groups; first < count; first += AHEAD * stride) {
            Row key[AHEAD], value[AHEAD];
            bool there[AHEAD];
#pragma unroll
            for (int a = 0; a < AHEAD; a++) {
                const int age = first + a * stride + lane / p.lanes;
                there[a] = age < count;
                const int slot = newest - age + (age > newest ? p.capacity : 0);
                const int64_t row = (int64_t(batch) * p.capacity + (there[a] ? slot : newest)) * p.heads + head;
                key[a] = read(static_cast<const T*>(p.key_cache) + row * p.head_dim, p.head_dim);
                value[a] = read(static_cast<const T*>(p.value_cache) + row * p.value_dim, p.value_dim);
            }
            accumulate(key, value, there);
        }
    }

    // Over the lanes that share a row.
    __device__ float sum_lanes(float x) const {
        for (int other = 1; other < p.lanes; other *= 2) {
            x += __shfl_xor_sync(0xFFFFFFFF, x, other);
        }
        return x;
    }

    // log2(e) s of a key, from this lane's part of q . k or of what takes its place.
    __device__ float score_of(const Row& key) const {
        float sum = 0;
        if (p.similarity == DECODE_EUCLIDEAN) {
            each(key, [&](float q, float k) { sum -= (q - k) * (q - k); });
        } else {
            each(key, [&](float q, float k) { sum = fmaf(q, k, sum); });
        }
        sum = sum_lanes(sum);
        if (p.similarity == DECODE_COSINE) {
            float square = 0;
            each(key, [&](float, float k) { square = fmaf(k, k, square); });
            const float norms = query_norm * sqrtf(sum_lanes(square));
            sum = norms == 0 ? 0 : sum / norms;
        }
        if (p.similarity != DECODE_DOT) {
            sum *= p.scale * LOG2_E;
        }
        const float cap = p.softcap * LOG2_E;
        return cap > 0 ? cap * tanhf(sum / cap) : sum;
    }

    template <class F>
    __device__ void each(const Row& key, F f) const {
#pragma unroll
        for (int i = 0; i < PIECES; i++) {
#pragma unroll
            for (int e = 0; e < ELEMENTS; e++) {
                f(query[i][e], to_float(key.element[i][e]));
            }
        }
    }

    __device__ void accumulate(const Row (&key)[AHEAD], const Row (&value)[AHEAD], const bool (&there)[AHEAD]) {
        float score[AHEAD] = {};
        float largest = maximum;
        if (p.similarity == DECODE_DOT && p.softcap == 0) {
#pragma unroll
            for (int a = 0; a < AHEAD; a++) {
                each(key[a], [&](float q, float k) { score[a] = fmaf(q, k, score[a]); });
                score[a] = sum_lanes(score[a]);
            }
        } else {
#pragma unroll
            for (int a = 0; a < AHEAD; a++) {
                score[a] = score_of(key[a]);
            }
        }
#pragma unroll
        for (int a = 0; a < AHEAD; a++) {
            score[a] = there[a] ? score[a] : -INFINITY;
            largest = fmaxf(largest, score[a]);
        }
        const float correction = weight(maximum, largest);
        maximum = largest;
        sum *= correction;
#pragma unroll
        for (int i = 0; i < PIECES; i++) {
#pragma unroll
            for (int e = 0; e < ELEMENTS; e++) {
                out[i][e] *= correction;
            }
        }
#pragma unroll
        for (int a = 0; a < AHEAD; a++) {
            if (there[a]) {
                const float w = weight(score[a], largest) * lowered;
                sum += w;
#pragma unroll
                for (int i = 0; i < PIECES; i++) {
#pragma unroll
                    for (int e = 0; e < ELEMENTS; e++) {
                        out[i][e] = fmaf(w, to_float(value[a].element[i][e]), out[i][e]);
                    }
                }
            }
        }
    }

    __device__ void merge_groups() {
        for (int other = p.lanes; other < 32; other *= 2) {
            const float other_maximum = __shfl_xor_sync(0xFFFFFFFF, maximum, other);
            const float other_sum = __shfl_xor_sync(0xFFFFFFFF, sum, other);
            float other_out[PIECES][ELEMENTS];
#pragma unroll
            for (int i = 0; i < PIECES; i++) {
#pragma unroll
                for (int e = 0; e < ELEMENTS; e++) {
                    other_out[i][e] = __shfl_xor_sync(0xFFFFFFFF, out[i][e], other);
                }
            }
            merge(other_maximum, other_sum, other_out);
        }
    }

    // state_smem[DECODE_WARPS][STATE]: maximum, sum and output of each warp
    __device__ void merge_warps(float (*state_smem)[STATE], int warp) {
        float* own_smem = state_smem[threadIdx.x / 32];
        if (warp > 0 && lane < p.lanes) {
            if (lane == 0) {
                own_smem[0] = maximum;
                own_smem[1] = sum;
            }
#pragma unroll
            for (int i = 0; i < PIECES; i++) {
#pragma unroll
                for (int e = 0; e < ELEMENTS; e++) {
                    own_smem[2 + (i * ELEMENTS + e) * 32 + part] = out[i][e];
                }
            }
        }
        __syncthreads();
        for (int other = 1; warp == 0 && other < p.warps; other++) {
            const float* other_smem = state_smem[threadIdx.x / 32 + other];
            float other_out[PIECES][ELEMENTS];
#pragma unroll
            for (int i = 0; i < PIECES; i++) {
#pragma unroll
                for (int e = 0; e < ELEMENTS; e++) {
                    other_out[i][e] = other_smem[2 + (i * ELEMENTS + e) * 32 + part];
                }
            }
            merge(other_smem[0], other_smem[1], other_out);
        }
    }

    __device__ void finish(int64_t matrix) const {
        T* output = static_cast<T*>(p.output) + matrix * p.value_dim;
        const float factor = sum == 0 ? 0 : 1 / sum;
#pragma unroll
        for (int i = 0; i < PIECES; i++) {
#pragma unroll
            for (int e = 0; e < ELEMENTS; e++) {
                const int column = (part + i * p.lanes) * ELEMENTS + e;
                if (lane < p.lanes && column < p.value_dim) {
                    store(&output[column], out[i][e] * factor);
                }
            }
        }
    }
};

// grid.x = batch * heads * warps / DECODE_WARPS, rounded up
template <class T, int PIECES>
__device__ void attention_decode(const AttentionDecodeParams& p) {
    using D = Decode<T, PIECES>;
    SHARED(float, state_smem, [DECODE_WARPS][D::STATE]);
    const int64_t index = int64_t(blockIdx.x) * DECODE_WARPS + threadIdx.x / 32;
    const int64_t matrix = index / p.warps;
    const int warp = int(index % p.warps);
    const bool exists = matrix < int64_t(p.batch) * p.heads;
    D decode(p);
    if (exists) {
        decode.run(int(matrix / p.heads), int(matrix % p.heads), warp);
        decode.merge_groups();
    }
    decode.merge_warps(state_smem, warp);
    if (exists && warp == 0) {
        decode.finish(matrix);
    }
}

#define ATTENTION_DECODE(name, T, PIECES)                                                                                   \
    extern "C" __global__ void __launch_bounds__(DECODE_THREADS, 1) name(const __grid_constant__ AttentionDecodeParams p) {    \
        attention_decode<T, PIECES>(p);                                                                                     \
    }                                                                                                                       \
    REGISTER_KERNEL(name)
ATTENTION_DECODE(attention_decode_f32, float, 1)
ATTENTION_DECODE(attention_decode_f32_long, float, 2)  // rows of more than 128 elements
ATTENTION_DECODE(attention_decode_bf16, Bf16, 1)
ATTENTION_DECODE(attention_decode_f16, F16, 1)
