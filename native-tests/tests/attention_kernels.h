// Runs attention kernels on an AttentionProblem, each schedule that fits it.
#pragma once
#include "attention_problem.h"
#include "kernel_test.h"

// An instance of kernels/attention/schedule.cuh.
struct AttentionKernel {
    std::string kind;
    Storage storage;
    int dim, rows, moving;     // rows 0: whole head
    std::string name() const {
        const std::string tile = rows ? "_r" + std::to_string(rows) : "";
        return "attention_" + kind + (rows ? "" : "_whole") + "_" + name_of(storage) + "_d" + std::to_string(dim) + tile + "_m"
               + std::to_string(moving);
    }
    size_t row_bytes() const { return storage == Storage::F32 ? size_t(dim) * 4 + 16 : size_t(dim) * 2 + 16; }
};

class AttentionTest : public KernelTest {
  protected:
    static constexpr unsigned THREADS = 128;
    static constexpr size_t SHARED_LIMIT = 99 * 1024;

    AttentionProblem with_inputs(AttentionProblem p) {
        p.query = normal(p.matrices() * p.queries * p.dim);
        p.key = normal(p.key_matrices() * p.keys * p.dim);
        p.value = normal(p.key_matrices() * p.keys * p.value_dim);
        return p;
    }

    AttentionProblem with_sink(AttentionProblem p) {
        p.sink = normal(p.heads);
        return p;
    }

    // Episodes of 5 queries and of 9 keys.
    static AttentionProblem with_segments(AttentionProblem p) {
        for (int i = 0; i < p.batch * p.queries; i++) {
            p.query_segments.push_back(i % p.queries / 5);
        }
        for (int j = 0; j < p.batch * p.keys; j++) {
            p.key_segments.push_back(j % p.keys / 9);
        }
        return p;
    }

    static void round_inputs(AttentionProblem& p, Storage storage) {
        for (auto* values : {&p.query, &p.key, &p.value, &p.d_output}) {
            for (float& x : *values) {
                x = round_to(storage, x);
            }
        }
    }

    // Grouped heads and a single key head, past keys and sinks, alone and together, at sizes that fill no tile; with rows
    // that see nothing. Dims are left to the caller.
    std::vector<AttentionProblem> language_models() {
        return {
            {.batch = 2, .heads = 4, .group = 2, .queries = 13, .keys = 33},
            {.heads = 6, .group = 3, .queries = 33, .keys = 13, .right = 0, .bottom_right = true, .rows_first = true},
            {.heads = 8, .group = 8, .queries = 1, .keys = 97, .right = 0, .past = 96},
            {.queries = 13, .keys = 33, .left = 7, .right = 0, .past = 20},
            with_sink({.heads = 3, .queries = 33, .keys = 13, .right = 0, .bottom_right = true}),
            with_segments(with_sink({.batch = 2, .heads = 4, .group = 2, .queries = 13, .keys = 31, .right = 0, .past = 11,
                                     .rows_first = true, .key_lengths = {31, 0}})),
        };
    }

    // Elements in device memory as they are stored; an even number, so that they can be read as floats.
    struct Array {
        void* address;
        size_t count;
        Storage storage;
        Output output() const { return {static_cast<float*>(address), storage == Storage::F32 ? count : (count + 1) / 2}; }
        std::vector<float> values(const std::vector<float>& words) const {
            std::vector<float> result(count);
            const uint16_t* halves = reinterpret_cast<const uint16_t*>(words.data());
            for (size_t i = 0; i < count; i++) {
                result[i] = storage == Storage::F32 ? words[i]
                            : storage == Storage::BF16 ? sim::from_bf16(halves[i]) : sim::from_f16(halves[i]);
            }
            return result;
        }
    };
    Array stored(const std::vector<float>& values, Storage storage) {
        if (storage == Storage::F32) {
            return {device(values), values.size(), storage};
        }
        std::vector<uint16_t> halves((values.size() + 1) / 2 * 2);
        for (size_t i = 0; i < values.size(); i++) {
            halves[i] = storage == Storage::BF16 ? sim::to_bf16(values[i]) : sim::to_f16(values[i]);
        }
        return {device(halves), values.size(), storage};
    }
    Array unwritten(size_t count, Storage storage) { return stored(std::vector<float>(count, NAN_F), storage); }

    // Strides of batch, head and row.
    static void strides(const AttentionProblem& p, int heads, int rows, int extent, int64_t& batch, int64_t& head, int64_t& row) {
        batch = int64_t(heads) * rows * extent;
        head = p.rows_first ? extent : int64_t(rows) * extent;
        row = p.rows_first ? int64_t(heads) * extent : extent;
    }

    AttentionParams parameters(const AttentionProblem& p, Storage storage) {
        auto ints = [&](const std::vector<int>& values) { return values.empty() ? nullptr : device(values); };
        AttentionParams a{};
        a.query = stored(p.query, storage).address;
        a.key = stored(p.key, storage).address;
        a.value = stored(p.value, storage).address;
        a.sink = p.sink.empty() ? nullptr : device(p.sink);
        a.query_segments = ints(p.query_segments);
        a.key_segments = ints(p.key_segments);
        a.key_lengths = ints(p.key_lengths);
        strides(p, p.heads, p.queries, p.dim, a.query_batch_stride, a.query_head_stride, a.query_row_stride);
        strides(p, p.key_heads(), p.keys, p.dim, a.key_batch_stride, a.key_head_stride, a.key_row_stride);
        strides(p, p.key_heads(), p.keys, p.value_dim, a.value_batch_stride, a.value_head_stride, a.value_row_stride);
        strides(p, p.heads, p.queries, p.value_dim, a.output_batch_stride, a.output_head_stride, a.output_row_stride);
        a.batch = p.batch;
        a.heads = p.heads;
        a.group = p.group;
        a.queries = p.queries;
        a.keys = p.keys;
        a.head_dim = p.dim;
        a.value_dim = p.value_dim;
        a.window_left = p.left;
        a.window_right = p.right;
        a.bottom_right = p.bottom_right;
        a.past_keys = p.past;
        a.tf32 = p.tf32;
        a.scale = p.factor();
        return a;
    }

    // What the kernels need of the forward: its exact solution, or room for it if there is none.
    struct State {
        Array maximum, normalizer, sink_share, exact_output;
    };
    State with_state(AttentionParams& a, const AttentionProblem& p, Storage storage, const AttentionSolution* exact = nullptr) {
        const size_t rows = p.matrices() * p.queries;
        std::vector<float> maximum(rows, NAN_F), normalizer(rows, NAN_F), sink_share(rows, NAN_F);
        for (size_t i = 0; exact && i < rows; i++) {
            maximum[i] = float(exact->maximum[i]);
            const double log_sum = exact->log_sum_exp[i] - double(p.factor()) * maximum[i];
            normalizer[i] = float(storage == Storage::F32 ? std::exp(-log_sum) : log_sum / std::log(2));
            const double sink = p.sink.empty() ? -INFINITY : p.sink[i / p.queries % p.heads];
            sink_share[i] = float(std::exp(sink - exact->log_sum_exp[i]));
        }
        State state{stored(maximum, Storage::F32), stored(normalizer, Storage::F32), stored(sink_share, Storage::F32),
                    exact ? stored({exact->output.begin(), exact->output.end()}, Storage::F32)
                          : unwritten(rows * p.value_dim, Storage::F32)};
        a.maximum = static_cast<float*>(state.maximum.address);
        a.normalizer = static_cast<float*>(state.normalizer.address);
        a.sink_share = p.sink.empty() ? nullptr : static_cast<float*>(state.sink_share.address);
        a.exact_output = storage == Storage::F32 && !exact ? nullptr : static_cast<float*>(state.exact_output.address);
        return state;
    }

    // A tiled forward kernel and its state, for a problem of small dims.
    void forward(AttentionParams& a, const AttentionProblem& p, Storage storage) {
        const int rows = storage == Storage::F32 ? 64 : 128;
        const AttentionKernel kernel{"forward", storage, 32, rows, 64};
        const State state = with_state(a, p, storage);
        const size_t count = p.matrices() * p.queries;
        const Array output = unwritten(count * p.value_dim, storage), log_sum_exp = unwritten(count, Storage::F32);
        a.output = output.address;
        a.log_sum_exp = static_cast<float*>(log_sum_exp.address);
        run(kernel.name(), unsigned(p.matrices() * ((p.queries + rows - 1) / rows)), THREADS, (rows + 2 * 64) * kernel.row_bytes(), a,
            {output.output(), log_sum_exp.output(), state.maximum.output(), state.normalizer.output()});
        if (storage == Storage::F32) {
            a.exact_output = static_cast<float*>(a.output);
        }
    }

    // Rows of threads of a head, and heads of a block, of a whole-head kernel with `tiles` tiles of a head in shared
    // memory and `scalars` floats per row. No heads if it doesn't fit.
    struct WholeHeads {
        unsigned blocks, threads;
        size_t shared;
    };
    static WholeHeads whole_heads(const AttentionKernel& kernel, const AttentionProblem& p, int tiles, int scalars) {
        if (p.group > 1 && kernel.kind != "forward") {
            return {};  // they have the gradients of a head's own keys
        }
        const int rows = (std::max(p.queries, p.keys) + kernel.moving - 1) / kernel.moving * kernel.moving;
        const size_t bytes = rows * (tiles * kernel.row_bytes() + scalars * sizeof(float));
        if (rows == 0 || rows > 128 || bytes > SHARED_LIMIT) {
            return {};
        }
        const unsigned heads = unsigned(std::max<size_t>(1, std::min<size_t>(THREADS / (2 * rows), SHARED_LIMIT / bytes)));
        return {unsigned((p.matrices() + heads - 1) / heads), heads * 2 * rows, heads * bytes};
    }

    static void expect_all_close(const std::vector<float>& actual, const std::vector<double>& expected, double tolerance,
                                 const std::string& what) {
        ASSERT_EQ(actual.size(), expected.size()) << what;
        int reported = 0;
        for (size_t i = 0; i < expected.size() && reported < 3; i++) {
            const bool close = std::isnan(expected[i])   ? std::isnan(actual[i])
                               : std::isinf(expected[i]) ? actual[i] == expected[i]
                                                         : std::abs(actual[i] - expected[i]) <= tolerance;
            EXPECT_TRUE(close) << what << " at " << i << ": " << actual[i] << ", expected " << expected[i] << " within "
                               << tolerance;
            reported += !close;
        }
    }
};
