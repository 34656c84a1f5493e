// SPDX-License-Identifier: Apache-2.0
// Attention forward in one pass over the keys (FlashAttention-2, Dao 2023, arXiv:2307.08691):
//
//   S = scale Q K^T where the query sees the key, else -inf
//   L_i = log(sum_j exp(S_ij) + exp(sink))      P_ij = exp(S_ij - L_i)      O = P V
//
// Per query the running maximum m, the sum l of exp(S - m) and the unnormalised output are kept in registers; whenever m
// grows, l and the output are scaled by exp(m_old - m_new). A query that sees nothing, or nothing but scores of -inf, has O =
// 0 and leaves all probability to the sink, L = sink; without one L = +inf. Exponents are to base 2, as the hardware has them.
#include "schedule.cuh"

// The queries of a warp on their way over the keys.
template <class T, int DIM, int M, int N>
struct ForwardRows {
    float maximum[M][2];  // of Q K^T so far, with the sign of the scale
    float sum[M][2];      // this lane's share of l, perhaps lowered
    float out[M][DIM / 8][4];

    __device__ ForwardRows() : out{} {
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                maximum[m][half] = -LARGEST;  // from which -inf differs by a number that is one
                sum[m][half] = 0;
            }
        }
    }

    // Weights may be lowered by this power of two, so that together they stay below 1 and the output below the largest value.
    // Exponents of floats lose bits by it, so these do with it only where an output was not finite without. Values of F16 can't
    // overflow a float.
    static __device__ int lowered(const AttentionParams& p, bool careful) {
        return std::is_same_v<T, Bf16> || careful ? int(as_bits(float(p.keys)) >> 23) - 125 : 0;
    }

    // From products Q K^T of a tile to weights exp(S - m).
    __device__ void weigh(float (&s)[M][N / 8][4], const AttentionParams& p, const Mask& mask, int row0, int key0, bool all,
                          bool careful) {
        if (p.scale < 0) {
            negate(s);
        }
        if (!all) {
            for_each_hidden<M, N, false>(mask, row0, key0, [&](int m, int n, int r) { s[m][n][r] = -INFINITY; });
        }
        float correction[M][2];
        const bool grew = all && !careful ? to_weights<false>(s, correction, p, careful) : to_weights<true>(s, correction, p, careful);
        if (__any_sync(0xFFFFFFFF, grew)) {
            rescale(correction);
        }
    }

    // If HIDES some scores may be -infinity, and others' weights are not 0. Whether a maximum grew.
    template <bool HIDES>
    __device__ bool to_weights(float (&s)[M][N / 8][4], float (&correction)[M][2], const AttentionParams& p, bool careful) {
        const float scale = fabsf(exponent_scale(p)), lower = float(-lowered(p, careful));
        bool grew = false;
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                float largest = maximum[m][half];
#pragma unroll
                for (int n = 0; n < N / 8; n++) {
                    largest = fmaxf(largest, fmaxf(s[m][n][2 * half], s[m][n][2 * half + 1]));
                }
                largest = row_maximum(largest);
                grew |= largest != maximum[m][half];
                correction[m][half] = power_of_two((maximum[m][half] - largest) * scale);
                maximum[m][half] = largest;
                // The sum over a tile apart is more exact; 16-bit types have no register for it.
                constexpr bool APART = std::is_same_v<T, float>;
                float tile_sum = APART ? 0 : sum[m][half] * correction[m][half];
#pragma unroll
                for (int n = 0; n < N / 8; n++) {
#pragma unroll
                    for (int second = 0; second < 2; second++) {
                        float& x = s[m][n][2 * half + second];
                        const float weight = power_of_two(fmaf(x - largest, scale, lower));
                        tile_sum += weight;
                        x = HIDES && x != -INFINITY ? visible_probability(weight) : weight;
                    }
                }
                sum[m][half] = APART ? fmaf(sum[m][half], correction[m][half], tile_sum) : tile_sum;
            }
        }
        return grew;
    }

    static __device__ void negate(float (&s)[M][N / 8][4]) {
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    s[m][n][r] = -s[m][n][r];
                }
            }
        }
    }

    __device__ void rescale(const float (&correction)[M][2]) {
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int f = 0; f < DIM / 8; f++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    out[m][f][r] *= correction[m][r / 2];
                }
            }
        }
    }

    // O = out / l and L = m + log l, where l has the sink in it: exp(sink - m), or, where that is large, both are taken
    // relative to the sink.
    __device__ void finish(const AttentionParams& p, int batch, int head, int row0, bool careful, T* stage_smem) {
        const int64_t scalars = (int64_t(batch) * p.heads + head) * p.queries;
        const float sink = p.sink ? p.sink[head] : -INFINITY, scale = fabsf(p.scale);
        const float raise = as_float(uint32_t(127 + lowered(p, careful)) << 23);
        float factor[M][2];
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int row = row0 + lane_row(m, half);
                const float own = row_sum(sum[m][half]) * raise;
                const bool dead = own == 0;
                const float largest = dead ? 0 : maximum[m][half];
                const float above = dead ? 0 : fmaf(-largest, scale, sink);  // of the sink over m
                const float own_share = power_of_two(fminf(-above * LOG2_E, 0));
                const float sink_share = dead ? float(sink > -INFINITY) : power_of_two(fminf(above * LOG2_E, 0));
                const float total = fmaf(own, own_share, sink_share);
                factor[m][half] = dead ? 0 : own_share / total * raise;
                if (threadIdx.x % 4 == 0 && row < p.queries) {
                    p.log_sum_exp[scalars + row] = dead        ? (sink > -INFINITY ? sink : INFINITY)
                                                   : above > 0 ? sink + log2f(total) * LN_2
                                                               : fmaf(largest, scale, log2f(total) * LN_2);
                    if (p.maximum) {
                        p.maximum[scalars + row] = p.scale < 0 ? -largest : largest;
                        p.normalizer[scalars + row] = dead                         ? HIDING_NORMALIZER<T>
                                                      : std::is_same_v<T, float> ? own_share / total
                                                                                   : log2f(total / own_share);
                        if (p.sink) {
                            p.sink_share[scalars + row] = dead ? sink_share : sink_share / total;
                        }
                    }
                }
            }
        }
        rescale(factor);
        const RowFactors<M> one(1);
        if constexpr (!std::is_same_v<T, float>) {
            if (p.exact_output) {
                store_fragments<float>(output_rows<float>(p, p.exact_output, batch, head), row0, out, one.of);
            }
        }
        store_rows<T, DIM>(output_rows<T>(p, p.output, batch, head), row0, 0, out, one.of, stage_smem);
    }
};

// A block has a tile of queries of one head. K and V have a buffer each: while the one is used, the other fills.
template <class T, class TILING, class Problem>
__device__ void attention_forward(const Problem& p) {
    constexpr int DIM = TILING::DIM, M = TILING::M, N = TILING::MOVING, PITCH = TILE_PITCH<T, DIM>;
    SHARED_DYNAMIC(float4, attention_memory);
    T* const query_smem = reinterpret_cast<T*>(attention_memory);  // [ROWS]
    T* const key_smem = query_smem + TILING::ROWS * PITCH;         // [N]
    T* const value_smem = key_smem + N * PITCH;                    // [N]

    const StationaryRows<TILING> at(p.heads, p.queries);
    const Team team{int(threadIdx.x), TILING::THREADS};
    const Mask mask(p, at.batch);
    const Span keys = mask.keys_of(at.block), warp_keys = mask.keys_of(at.warp);
    // Long rows leave no registers to keep addresses through the loop: they are found anew for each tile.
    const auto batch = [&] { return DIM < 256 ? at.batch : opaque(at.batch); };
    const int key_head = at.head / p.group;
    const auto key = [&] { return key_rows<const T>(p, p.key, batch(), key_head); };
    const auto value = [&] { return value_rows<const T>(p, p.value, batch(), key_head); };
    const auto query = query_rows<const T>(p, p.query, at.batch, at.head);
    T* const own_query_smem = query_smem + at.warp_row * PITCH;
    const int first = keys.first / N * N;

    load_tile<T, DIM>(query_smem, query, at.block.first, TILING::ROWS, p.queries, team);
    ForwardRows<T, DIM, M, N> rows;
    bool careful = false;
#pragma unroll 1
    for (;; careful = true) {
        load_tile<T, DIM>(key_smem, key(), first, N, keys.last, team);
        async_commit();
        for (int key0 = first; key0 < keys.last; key0 += N) {
            async_wait<0>();
            __syncthreads();  // K is there, and the last V was used
            load_tile<T, DIM>(value_smem, value(), key0, N, keys.last, team);
            async_commit();
            const bool seen = key0 < warp_keys.last && key0 + N > warp_keys.first;
            float s[M][N / 8][4] = {};
            if (seen) {
                multiply_rows<T, DIM, M, N>(s, own_query_smem, key_smem, depth(p.head_dim), p.products());
                if constexpr (CAN_BE_CAREFUL<T>) {
                    if (careful) {
                        repair<T, DIM, M, N>(s, own_query_smem, key_smem, depth(p.head_dim), p.products());
                    }
                }
            }
            async_wait<0>();
            const bool suspect = !mask.all(at.block, {key0, key0 + N}) && !finite_tile<T, DIM>(value_smem, N, team);
            const bool guarded = __syncthreads_or(suspect);  // V is there, and K was used
            if (key0 + N < keys.last) {
                load_tile<T, DIM>(key_smem, key(), key0 + N, N, keys.last, team);
                async_commit();
            }
            if (seen) {
                rows.weigh(s, p, mask, at.warp.first, key0, mask.all(at.warp, {key0, key0 + N}), careful);
                accumulate<T, DIM, M, N>(rows.out, s, value_smem, guarded || careful, p.products());
            }
        }
        async_wait<0>();  // Q, if nobody saw a key: its place is used again
        if (!CAN_BE_CAREFUL<T> || careful || !__syncthreads_or(!all_finite(rows.out))) {
            break;
        }
        rows = {};
    }
    __syncthreads();
    rows.finish(p, at.batch, at.head, at.warp.first, careful, own_query_smem);
}

template <class T, int DIM, int N, class Problem>
__device__ void attention_forward_whole(const Problem& p) {
    constexpr int PITCH = TILE_PITCH<T, DIM>;
    SHARED_DYNAMIC(float4, attention_memory);
    const WholeHead<N> at(p);
    T* const query_smem = reinterpret_cast<T*>(attention_memory) + at.slot * 3 * at.rows * PITCH;  // [rows]
    T* const key_smem = query_smem + at.rows * PITCH;                                              // [rows]
    T* const value_smem = key_smem + at.rows * PITCH;                                              // [rows]

    const Mask mask(p, at.batch);
    const Span own_rows{at.row0, min(at.row0 + 16, p.queries)}, keys = mask.keys_of(own_rows);
    const int queries_there = at.exists ? p.queries : 0, keys_there = at.exists ? mask.keys : 0;
    load_tile<T, DIM>(query_smem, query_rows<const T>(p, p.query, at.batch, at.head), 0, at.rows, queries_there, at.team);
    load_tile<T, DIM>(key_smem, key_rows<const T>(p, p.key, at.batch, at.head / p.group), 0, at.rows, keys_there, at.team);
    load_tile<T, DIM>(value_smem, value_rows<const T>(p, p.value, at.batch, at.head / p.group), 0, at.rows, keys_there, at.team);
    async_commit();
    async_wait<0>();
    const bool suspect = !mask.all({0, p.queries}, {0, p.keys}) && !finite_tile<T, DIM>(value_smem, at.rows, at.team);
    const bool guarded = __syncthreads_or(suspect);

    ForwardRows<T, DIM, 1, N> rows;
    T* const own_query_smem = query_smem + at.row0 * PITCH;
    bool careful = false;
#pragma unroll 1
    for (;; careful = true) {
        for (int key0 = keys.first / N * N; key0 < keys.last; key0 += N) {
            float s[1][N / 8][4] = {};
            multiply_rows<T, DIM, 1, N>(s, own_query_smem, key_smem + key0 * PITCH, depth(p.head_dim), p.products());
            if constexpr (CAN_BE_CAREFUL<T>) {
                if (careful) {
                    repair<T, DIM, 1, N>(s, own_query_smem, key_smem + key0 * PITCH, depth(p.head_dim), p.products());
                }
            }
            rows.weigh(s, p, mask, at.row0, key0, mask.all(own_rows, {key0, key0 + N}), careful);
            accumulate<T, DIM, 1, N>(rows.out, s, value_smem + key0 * PITCH, guarded || careful, p.products());
        }
        if (!CAN_BE_CAREFUL<T> || careful || !__any_sync(0xFFFFFFFF, !all_finite(rows.out))) {
            break;
        }
        rows = {};
    }
    if (at.exists) {
        rows.finish(p, at.batch, at.head, at.row0, careful, own_query_smem);
    }
}

#define ATTENTION_FORWARD(TYPE, NAME, PRECISION, DIM, ROWS, MOVING)                                                                  \
    extern "C" __global__ void __launch_bounds__(Tiling<DIM, ROWS, MOVING>::THREADS, 1)                                              \
        attention_forward_##NAME##_d##DIM##_r##ROWS##_m##MOVING(const __grid_constant__ AttentionProblem<Precision::PRECISION> p) {  \
        attention_forward<TYPE, Tiling<DIM, ROWS, MOVING>>(p);                                                                       \
    }                                                                                                                                \
    REGISTER_KERNEL(attention_forward_##NAME##_d##DIM##_r##ROWS##_m##MOVING)

#define ATTENTION_FORWARD_WHOLE(TYPE, NAME, PRECISION, DIM, MOVING)                                                              \
    extern "C" __global__ void __launch_bounds__((WHOLE_HEAD_THREADS<TYPE, DIM, MOVING, 3, 0>), 1)                               \
        attention_forward_whole_##NAME##_d##DIM##_m##MOVING(const __grid_constant__ AttentionProblem<Precision::PRECISION> p) {  \
        attention_forward_whole<TYPE, DIM, MOVING>(p);                                                                           \
    }                                                                                                                            \
    REGISTER_KERNEL(attention_forward_whole_##NAME##_d##DIM##_m##MOVING)

#define ATTENTION_FORWARD_FLOATS(NAME, PRECISION)          \
    ATTENTION_FORWARD(float, NAME, PRECISION, 32, 64, 64)  \
    ATTENTION_FORWARD(float, NAME, PRECISION, 64, 64, 32)  \
    ATTENTION_FORWARD(float, NAME, PRECISION, 128, 64, 32)
FOR_EACH_PRECISION(ATTENTION_FORWARD_FLOATS)
ATTENTION_FORWARD(float, f32, FLOAT32, 256, 64, 16)

#define ATTENTION_FORWARD_16_BIT(TYPE, NAME)              \
    ATTENTION_FORWARD(TYPE, NAME, FLOAT32, 32, 128, 64)   \
    ATTENTION_FORWARD(TYPE, NAME, FLOAT32, 64, 128, 64)   \
    ATTENTION_FORWARD(TYPE, NAME, FLOAT32, 128, 128, 32)  \
    ATTENTION_FORWARD(TYPE, NAME, FLOAT32, 256, 64, 32)
ATTENTION_FORWARD_16_BIT(Bf16, bf16)
ATTENTION_FORWARD_16_BIT(F16, f16)

#define ATTENTION_FORWARD_WHOLE_ALL(TYPE, NAME, PRECISION)  \
    ATTENTION_FORWARD_WHOLE(TYPE, NAME, PRECISION, 16, 16)  \
    ATTENTION_FORWARD_WHOLE(TYPE, NAME, PRECISION, 32, 16)  \
    ATTENTION_FORWARD_WHOLE(TYPE, NAME, PRECISION, 32, 32)  \
    ATTENTION_FORWARD_WHOLE(TYPE, NAME, PRECISION, 64, 32)
#define ATTENTION_FORWARD_WHOLE_FLOATS(NAME, PRECISION)      \
    ATTENTION_FORWARD_WHOLE(float, NAME, PRECISION, 16, 32)  \
    ATTENTION_FORWARD_WHOLE_ALL(float, NAME, PRECISION)
FOR_EACH_PRECISION(ATTENTION_FORWARD_WHOLE_FLOATS)
ATTENTION_FORWARD_WHOLE_ALL(Bf16, bf16, FLOAT32)
ATTENTION_FORWARD_WHOLE_ALL(F16, f16, FLOAT32)
