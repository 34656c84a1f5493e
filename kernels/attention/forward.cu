// Attention forward in float32, in one pass over the keys (FlashAttention-2, Dao 2023, arXiv:2307.08691):
//
//   S = scale Q K^T where the query sees the key, else -inf
//   L_i = log sum_j exp(S_ij)      P_ij = exp(S_ij - L_i)      O = P V
//
// Per query the running maximum m, the sum l of exp(S - m) and the unnormalised output are kept in registers; whenever m
// grows, l and the output are scaled by exp(m_old - m_new). A query that sees nothing gets O = 0 and L = +inf, so that
// exp(S - L), and with it every gradient, is 0 without a special case. Exponents are to base 2, as the hardware has them.
#include "mask.cuh"
#include "tile.cuh"

// A block takes QUERIES queries of one head and walks over its keys, KEYS at a time. Its 16 x 16 threads share out the
// scores [QUERIES][KEYS] and the output [QUERIES][DIM]: thread (ty, tx) has the ROWS rows from ty * ROWS on, and of them
// the keys tx + 16 j and the output columns tx * VEC + 16 VEC c.
template <int DIM, int QUERIES, int KEYS>
struct AttentionForward {
    static constexpr int ROWS = QUERIES / LANES;
    static constexpr int COLUMNS = KEYS / LANES;
    static constexpr int VEC = DIM >= 4 * LANES ? 4 : DIM / LANES;
    static constexpr int CHUNKS = DIM / (LANES * VEC);
    static constexpr int WEIGHT_PITCH = KEYS + 4;

    const AttentionForwardParams& p;
    const int batch, head;
    const int ty = threadIdx.x / LANES, tx = threadIdx.x % LANES;
    float* const query_smem;    // [QUERIES][PITCH]
    float* const stream_smem;   // [KEYS][PITCH], a tile of keys, then of their values
    float* const weight_smem;   // [QUERIES][WEIGHT_PITCH], exp(S - m)

    VisibleKeys visible[ROWS];
    float maximum[ROWS];
    float sum[ROWS];            // this thread's share of l
    float out[ROWS][CHUNKS][VEC];

    __device__ AttentionForward(const AttentionForwardParams& params, int batch_head, float* memory)
        : p(params), batch(batch_head / p.heads), head(batch_head % p.heads), query_smem(memory),
          stream_smem(query_smem + QUERIES * PITCH<DIM>), weight_smem(stream_smem + KEYS * PITCH<DIM>) {}

    __device__ int key_segment(int key, int keys_end) const {
        return p.key_segments && key < keys_end ? p.key_segments[int64_t(batch) * p.keys + key] : 0;
    }

    __device__ void run(int row0) {
        const int valid = valid_keys(p, batch);
#pragma unroll
        for (int i = 0; i < ROWS; i++) {
            visible[i] = visible_keys(p, batch, valid, row0 + ty * ROWS + i);
            maximum[i] = -INFINITY;
            sum[i] = 0;
#pragma unroll
            for (int c = 0; c < CHUNKS; c++) {
#pragma unroll
                for (int v = 0; v < VEC; v++) {
                    out[i][c][v] = 0;
                }
            }
        }
        const int rows = min(QUERIES, p.queries - row0);
        load_tile<QUERIES, DIM>(query_smem, p.query + batch * p.query_batch_stride + head * p.query_head_stride
                                                + row0 * p.query_row_stride, p.query_row_stride, rows, p.head_dim);

        // Ranges move right from row to row, so the block's keys are those from its first row's to its last row's.
        const int first = visible_keys(p, batch, valid, row0).first / KEYS * KEYS;
        const int last = visible_keys(p, batch, valid, row0 + rows - 1).last;
        const float* keys = p.key + batch * p.key_batch_stride + head * p.key_head_stride;
        const float* values = p.value + batch * p.value_batch_stride + head * p.value_head_stride;
        for (int key0 = first; key0 < last; key0 += KEYS) {
            const int count = min(KEYS, last - key0);
            load_tile<KEYS, DIM>(stream_smem, keys + key0 * p.key_row_stride, p.key_row_stride, count, p.head_dim);
            __syncthreads();
            weigh(key0, last);
            __syncthreads();
            const bool finite = load_tile<KEYS, DIM>(
                stream_smem, values + key0 * p.value_row_stride, p.value_row_stride, count, p.value_dim);
            if (__syncthreads_and(finite)) {
                accumulate<false>(key0, last);
            } else {
                accumulate<true>(key0, last);
            }
            __syncthreads();
        }
        finish(row0);
    }

    // Scores of a tile, the running maximum and sum, and the weights exp(S - m) into shared memory.
    __device__ void weigh(int key0, int last) {
        float score[ROWS][COLUMNS] = {};
#pragma unroll 4
        for (int d = 0; d < p.head_dim; d += 4) {
            float4 key[COLUMNS];
#pragma unroll
            for (int j = 0; j < COLUMNS; j++) {
                key[j] = *reinterpret_cast<const float4*>(&stream_smem[(tx + LANES * j) * PITCH<DIM> + d]);
            }
#pragma unroll
            for (int i = 0; i < ROWS; i++) {
                const float4 query = *reinterpret_cast<const float4*>(&query_smem[(ty * ROWS + i) * PITCH<DIM> + d]);
#pragma unroll
                for (int j = 0; j < COLUMNS; j++) {
                    score[i][j] = dot(query, key[j], score[i][j]);
                }
            }
        }

        const float scale = p.scale * 1.4426950408889634f;  // log2(e)
        int segments[COLUMNS];
#pragma unroll
        for (int j = 0; j < COLUMNS; j++) {
            segments[j] = key_segment(key0 + tx + LANES * j, last);
        }
#pragma unroll
        for (int i = 0; i < ROWS; i++) {
            float row_maximum = maximum[i];
#pragma unroll
            for (int j = 0; j < COLUMNS; j++) {
                const bool seen = sees(visible[i], key0 + tx + LANES * j, p.key_segments, segments[j]);
                score[i][j] = seen ? score[i][j] * scale : -INFINITY;
                row_maximum = fmaxf(row_maximum, score[i][j]);
            }
#pragma unroll
            for (int lane = LANES / 2; lane > 0; lane /= 2) {
                row_maximum = fmaxf(row_maximum, __shfl_xor_sync(0xFFFFFFFF, row_maximum, lane));
            }
            const float base = row_maximum == -INFINITY ? 0 : row_maximum;  // nothing seen yet: avoids inf - inf
            const float correction = exp2f(maximum[i] - base);
            maximum[i] = row_maximum;
            sum[i] *= correction;
#pragma unroll
            for (int j = 0; j < COLUMNS; j++) {
                const float weight = exp2f(score[i][j] - base);
                sum[i] += weight;
                weight_smem[(ty * ROWS + i) * WEIGHT_PITCH + tx + LANES * j] = weight;
            }
#pragma unroll
            for (int c = 0; c < CHUNKS; c++) {
#pragma unroll
                for (int v = 0; v < VEC; v++) {
                    out[i][c][v] *= correction;
                }
            }
        }
    }

    // out += weights V. Where a tile of V holds a NaN or infinity, a weight of 0 does not hide it (0 * NaN = NaN), so
    // GUARDED skips the keys that a row does not see.
    template <bool GUARDED>
    __device__ void accumulate(int key0, int last) {
        const int count = min(KEYS, last - key0);
#pragma unroll(GUARDED ? 1 : 4)
        for (int key = 0; key < count; key++) {
            float value[CHUNKS][VEC];
#pragma unroll
            for (int c = 0; c < CHUNKS; c++) {
#pragma unroll
                for (int v = 0; v < VEC; v++) {
                    value[c][v] = stream_smem[key * PITCH<DIM> + (c * LANES + tx) * VEC + v];
                }
            }
            const int segment = GUARDED ? key_segment(key0 + key, last) : 0;
#pragma unroll
            for (int i = 0; i < ROWS; i++) {
                if (GUARDED && !sees(visible[i], key0 + key, p.key_segments, segment)) {
                    continue;
                }
                const float weight = weight_smem[(ty * ROWS + i) * WEIGHT_PITCH + key];
#pragma unroll
                for (int c = 0; c < CHUNKS; c++) {
#pragma unroll
                    for (int v = 0; v < VEC; v++) {
                        out[i][c][v] = fmaf(weight, value[c][v], out[i][c][v]);
                    }
                }
            }
        }
    }

    // O = out / l and L = m + log l.
    __device__ void finish(int row0) {
        float* output = p.output + batch * p.output_batch_stride + head * p.output_head_stride;
#pragma unroll
        for (int i = 0; i < ROWS; i++) {
#pragma unroll
            for (int lane = LANES / 2; lane > 0; lane /= 2) {
                sum[i] += __shfl_xor_sync(0xFFFFFFFF, sum[i], lane);
            }
            const int row = row0 + ty * ROWS + i;
            if (row >= p.queries) {
                continue;
            }
            const bool dead = sum[i] == 0;
            const float scale = dead ? 0 : 1 / sum[i];
#pragma unroll
            for (int c = 0; c < CHUNKS; c++) {
#pragma unroll
                for (int v = 0; v < VEC; v++) {
                    const int column = (c * LANES + tx) * VEC + v;
                    if (column < p.value_dim) {
                        output[row * p.output_row_stride + column] = out[i][c][v] * scale;
                    }
                }
            }
            if (tx == 0) {
                const int64_t index = (int64_t(batch) * p.heads + head) * p.queries + row;
                p.log_sum_exp[index] = dead ? INFINITY : (maximum[i] + log2f(sum[i])) * 0.6931471805599453f;  // ln(2)
            }
        }
    }
};

// grid.x = batch * heads * tiles of queries, so that batch * heads may be larger than 65,535. The tiles of a head run from
// the last to the first: under a causal mask the long ones start first. Dynamic shared memory holds the three tiles.
#define ATTENTION_FORWARD(DIM, QUERIES, KEYS)                                                                     \
    extern "C" __global__ void __launch_bounds__(TILE_THREADS)                                                    \
        attention_forward_d##DIM##_q##QUERIES##_k##KEYS(const __grid_constant__ AttentionForwardParams p) {       \
        SHARED_DYNAMIC(float, memory);                                                                            \
        const int tiles = (p.queries + QUERIES - 1) / QUERIES;                                                    \
        const int tile = tiles - 1 - int(blockIdx.x % tiles);                                                     \
        AttentionForward<DIM, QUERIES, KEYS>(p, blockIdx.x / tiles, memory).run(tile * QUERIES);                  \
    }                                                                                                             \
    REGISTER_KERNEL(attention_forward_d##DIM##_q##QUERIES##_k##KEYS)

// The tile choices; org.fovea.backend.cuda.AttentionTile lists the same. DIM bounds both head dims. At most 80 KB of
// shared memory each, so that every architecture since sm_80 fits at least one block and most of them two.
ATTENTION_FORWARD(32, 16, 16)  // few queries: sequences of reinforcement learning
ATTENTION_FORWARD(64, 16, 16)
ATTENTION_FORWARD(32, 64, 64)
ATTENTION_FORWARD(64, 64, 64)
ATTENTION_FORWARD(128, 64, 32)
ATTENTION_FORWARD(256, 32, 32)
