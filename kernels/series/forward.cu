// SPDX-License-Identifier: Apache-2.0
// The forward pass of series.cuh, in one walk over the keys with a running maximum m of plane 0. With E = exp(X - m) and
// what was summed before multiplied by exp(m_old - m):
//
//   l += sum_j E_j    N += sum_j (E_j Omega_j) v_j    O = N / l    LSE = m + log l
//
// The sink is there from the start: m = sink_0, l = exp(sink - m); so a query that sees nothing has O = 0, LSE = sink. A sum
// of nothing, where no key is seen and no sink is there, or all scores are -infinity, has O = 0, LSE = +infinity. For the
// backward pass m and l are kept apart (series.cuh says why), and O before it is rounded.
//
// N may overflow where O does not, and it loses the sign of zeros. Where that may have happened there is another walk, now that
// m and l are known, with E / l for weights and nothing added for the pairs that don't see each other.
#include "series.cuh"

template <int TILE, int PLANES>
struct SeriesForward : Series<TILE, PLANES, false> {
    using Base = Series<TILE, PLANES, false>;
    using Base::AREA, Base::PITCH, Base::p, Base::planes, Base::ring, Base::head, Base::normalizer_smem, Base::maximum_smem;
    using Base::correction_smem, Base::seen_smem, Base::sums_smem;

    float* const lost_smem;  // what rounding has added to the normalizers; in the place of D

    __device__ SeriesForward(const AttentionSeriesParams& params, float* memory_smem, int sums)
        : Base(params, memory_smem, sums), lost_smem(this->delta_smem) {}

    __device__ void begin_row(int row) const {
        float* const total = normalizer_smem + row;
        const float sink = p.sink[0] ? p.sink[0][head] : -INFINITY;
        maximum_smem[row] = sink;
        seen_smem[row] = 0;
        for (int k = 0; k < planes; k++) {
            lost_smem[k * TILE + row] = 0;
        }
        total[0] = sink == -INFINITY ? 0 : expf(sink - sink);
        for (int k = 1; k < planes; k++) {
            float sum = 0;
            ring.derivations(k, [&](int a, int b, float weight) {
                sum += (p.sink[a] ? weight * p.sink[a][head] : 0) * total[b * TILE];
            });
            total[k * TILE] = sum / ring.divisor(k);
        }
    }

    // Whether the row has anything in its sum.
    __device__ bool alive(int row) const { return maximum_smem[row] != -INFINITY; }

    // Over the neighbouring lanes that share a row of scores.
    template <class F>
    static __device__ float fold(float x, F f) {
#pragma unroll
        for (int distance = TILE / 2; distance > 0; distance /= 2) {
            x = f(x, __shfl_xor_sync(0xFFFFFFFF, x, distance));
        }
        return x;
    }

    // Products to weights E Omega, and the rows' maxima and sums with them.
    __device__ void softmax(int query0, int key0) const {
        const auto larger = [](float a, float b) { return a > b || a != a ? a : b; };  // keeps NaN
        const auto plus = [](float a, float b) { return a + b; };
        this->each_pair([&](int row, int column) {
            const int e = row * PITCH + column;
            const bool sees = this->finish_scores(row, column, query0, key0);
            const float* const x = this->scores() + e;
            float* const w = this->weights() + e;
            const float before = maximum_smem[row];
            const float largest = larger(before, fold(sees ? x[0] : -INFINITY, larger));
            const float any = fold(float(sees), plus);
            for (int k = 0; k < planes; k++) {
                w[k * AREA] = 0;
            }
            if (sees) {
                w[0] = x[0] == -INFINITY ? 0 : expf(x[0] - largest);
                ring.exponential(w, AREA, x, AREA);
            }
            const float correction = before == largest ? 1 : expf(before - largest);
            __syncwarp();  // all have read the row's maximum, which shuffles don't order
            for (int k = 0; k < planes; k++) {
                const float sum = fold(w[k * AREA], plus);
                if (column == 0) {
                    add(normalizer_smem[k * TILE + row], lost_smem[k * TILE + row], correction, sum);
                }
            }
            if (column == 0) {
                maximum_smem[row] = largest;
                correction_smem[row] = correction;
                seen_smem[row] += any;
            }
            drop(w, sees, query0 + row, key0 + column);
        });
    }

    // total = correction total + x by Kahan's summation.
    static __device__ void add(float& total, float& lost, float correction, float x) {
        const float before = total * correction, more = __fadd_rn(x, -lost * correction);
        total = __fadd_rn(before, more);
        lost = __fadd_rn(__fadd_rn(total, -before), -more);
    }

    __device__ void drop(float* w, bool sees, int query, int key) const {
        if (p.dropout > 0 && sees) {
            const float factor = this->dropout_factor(query, key);
            for (int k = 0; k < planes; k++) {
                w[k * AREA] *= factor;
            }
        }
    }

    // Products to weights E Omega / l, when m and l are known; 1 / l is where corrections were.
    __device__ void divided_softmax(int query0, int key0) const {
        this->each_pair([&](int row, int column) {
            const int e = row * PITCH + column;
            const bool sees = this->finish_scores(row, column, query0, key0);
            const float* const x = this->scores() + e;
            float* const w = this->weights() + e;
            for (int k = 0; k < planes; k++) {
                w[k * AREA] = 0;
            }
            if (sees) {
                w[0] = x[0] == -INFINITY ? 0 : expf(x[0] - maximum_smem[row]) * correction_smem[row];
                ring.exponential(w, AREA, x, AREA);
            }
            drop(w, sees, query0 + row, key0 + column);
        });
    }

    // Sums to sums over l, of which plane 0 becomes 1.
    __device__ void divide_normalizers() const {
        if (threadIdx.x < TILE) {
            const int row = threadIdx.x;
            correction_smem[row] = alive(row) ? 1 / normalizer_smem[row] : 0;
            for (int k = 1; k < planes; k++) {
                normalizer_smem[k * TILE + row] *= correction_smem[row];
            }
            normalizer_smem[row] = 1;
        }
    }

    // Whether this thread's share of N has an infinity or NaN, or if `zeros`, a 0.
    __device__ bool doubtful(bool zeros) const {
        bool doubtful = false;
        for (int i = threadIdx.x; i < planes * TILE * p.columns; i += blockDim.x) {
            const bool first = i < TILE * p.columns;
            doubtful |= !is_finite(sums_smem[i]) || (zeros && first && sums_smem[i] == 0);
        }
        return doubtful;
    }

    // N to O, in every plane.
    __device__ void divide() const {
        for (int i = threadIdx.x; i < TILE * p.columns; i += blockDim.x) {
            const int row = i / p.columns;
            const bool seen = seen_smem[row] > 0 && alive(row);
            for (int k = 0; k < planes; k++) {
                float rest = sums_smem[k * TILE * p.columns + i];
                ring.products(k, [&](int a, int b) {
                    if (a > 0) {
                        rest -= normalizer_smem[a * TILE + row] * sums_smem[b * TILE * p.columns + i];
                    }
                });
                sums_smem[k * TILE * p.columns + i] = seen ? rest / normalizer_smem[row] : 0;
            }
        }
    }

    __device__ void store_normalizer(int64_t index, int row) const {
        p.maximum[index] = alive(row) ? maximum_smem[row] : 0;
        p.sum[index] = alive(row) ? normalizer_smem[row] : INFINITY;
    }

    __device__ void store_log_sum_exp(int query0) const {
        const int row = threadIdx.x;
        if (row >= TILE || query0 + row >= p.queries) {
            return;
        }
        const float* const total = normalizer_smem + row;
        float* const log_sum = this->first_smem + row;  // no longer in use
        const bool has_sum = alive(row);
        const int64_t index = this->row_index(query0 + row);
        for (int k = 0; k < planes; k++) {
            if (k == 0) {
                log_sum[0] = logf(total[0]);
                if (p.maximum) {
                    store_normalizer(index, row);
                }
            } else {
                float rest = ring.divisor(k) * total[k * TILE];
                ring.derivations(k, [&](int a, int b, float weight) {
                    if (b > 0) {
                        rest -= weight * log_sum[a * TILE] * total[b * TILE];
                    }
                });
                log_sum[k * TILE] = rest / (ring.divisor(k) * total[0]);
            }
            if (p.log_sum_exp[k]) {
                const float dead = k == 0 ? INFINITY : 0;
                p.log_sum_exp[k][index] = has_sum ? log_sum[k * TILE] + (k == 0 ? maximum_smem[row] : 0) : dead;
            }
        }
    }
};

// grid.x = batch * heads * tiles of queries * parts of the values' columns
template <int TILE, int PLANES>
__device__ void attention_series_forward(const AttentionSeriesParams& p) {
    SHARED_DYNAMIC(float, memory_smem);
    SeriesForward<TILE, PLANES> s(p, memory_smem, p.columns);
    const SeriesPlace place(p.queries, TILE, (p.value_dim + p.columns - 1) / p.columns);
    const int query0 = place.tile * TILE, column0 = place.part * p.columns;
    s.set_head(place.head_index);
    s.describe_queries(query0);
    s.clear_sums(p.columns);
    if (threadIdx.x < TILE) {
        s.begin_row(threadIdx.x);
    }
    SCHEDULING_FENCE();
    const int first = s.first_key(query0) / TILE * TILE, last = s.last_key(query0);
    int met = 0;
    for (int key0 = first; key0 < last; key0 += TILE) {
        s.compare(s.first_smem, p.query, s.queries(), query0, p.key, s.keys(), key0, p.euclidean);
        s.softmax(query0, key0);
        met |= s.accumulate(s.weights(), ~0u, s.correction_smem, p.value, s.values(), key0, column0, false, p.value,
                            s.values(), 0);
    }
    if (place.part == 0) {
        s.store_log_sum_exp(query0);
    }
    const bool zeros = __syncthreads_or(met & HAS_MINUS_ZERO);
    if (__syncthreads_or(s.doubtful(zeros))) {
        s.divide_normalizers();
        s.clear_sums(p.columns, -0.0f);
        for (int key0 = first; key0 < last; key0 += TILE) {
            SCHEDULING_FENCE();
            s.compare(s.first_smem, p.query, s.queries(), query0, p.key, s.keys(), key0, p.euclidean);
            s.divided_softmax(query0, key0);
            s.accumulate(s.weights(), ~0u, nullptr, p.value, s.values(), key0, column0, false, p.value, s.values(), 0, true);
        }
    }
    s.divide();
    __syncthreads();
    SeriesRows outputs = s.d_outputs();
    s.store_sums(p.output, outputs, query0, column0, 1);
    outputs.storage = 0;
    s.store_sums(p.exact_output, outputs, query0, column0, 1);
}
ATTENTION_SERIES_KERNELS(attention_series_forward, attention_series_forward)

// The two parts of LSE of the queries asked for. grid.x = batch * heads * tiles of the queries asked for
template <int TILE, int PLANES>
__device__ void find_normalizers(const AttentionSeriesParams& p) {
    SHARED_DYNAMIC(float, memory_smem);
    SeriesForward<TILE, PLANES> s(p, memory_smem, 0);
    const SeriesPlace place(p.asked, TILE, 1);
    const int query0 = p.first_query + place.tile * TILE, row = threadIdx.x;
    s.set_head(place.head_index);
    s.describe_queries(query0);
    if (row < TILE) {
        s.begin_row(row);
    }
    const int last = s.last_key(query0);
    for (int key0 = s.first_key(query0) / TILE * TILE; key0 < last; key0 += TILE) {
        s.compare(s.first_smem, p.query, s.queries(), query0, p.key, s.keys(), key0, p.euclidean);
        s.softmax(query0, key0);
        __syncthreads();
    }
    if (row < TILE && query0 + row < p.first_query + p.asked) {
        s.store_normalizer(s.row_index(query0 + row), row);
    }
}
ATTENTION_SERIES_KERNEL(attention_series_normalizers, find_normalizers, 32, 1)
