// SPDX-License-Identifier: Apache-2.0
#include "workloads.h"

#include <algorithm>

#include "../../kernels/attention/params.h"
#include "../../kernels/nn/params.h"
#include "../tests/attention_launch.h"

namespace {

size_t element(const std::string& type) { return type == "bf16" || type == "f16" ? 2 : 4; }

template <class T>
T* at(uintptr_t address) {
    return reinterpret_cast<T*>(address);
}

// ---- attention

struct Shape {
    int64_t batch, heads, rows, dim, group = 1;  // heads that share a key head
    int64_t key_heads() const { return heads / group; }
};

// The arrays of an attention, in the order of the workload's buffers.
enum Array {
    QUERY, KEY, VALUE, OUTPUT, D_OUTPUT, D_QUERY, D_KEY, D_VALUE, QUERY_TANGENT, KEY_TANGENT, VALUE_TANGENT, OUTPUT_TANGENT,
    EXACT_OUTPUT, LOG_SUM_EXP, MAXIMUM, NORMALIZER, DELTA, LOG_SUM_EXP_TANGENT, DELTA_TANGENT, FITTED_DELTA,
    FITTED_DELTA_TANGENT, ARRAYS
};

AttentionParams attention_params(const Shape& s, const std::vector<uintptr_t>& arrays) {
    AttentionParams p{};
    p.query = at<void>(arrays[QUERY]);
    p.key = at<void>(arrays[KEY]);
    p.value = at<void>(arrays[VALUE]);
    p.output = at<void>(arrays[OUTPUT]);
    p.log_sum_exp = at<float>(arrays[LOG_SUM_EXP]);
    p.maximum = at<float>(arrays[MAXIMUM]);
    p.normalizer = at<float>(arrays[NORMALIZER]);
    p.exact_output = at<float>(arrays[EXACT_OUTPUT]);
    p.d_output = at<void>(arrays[D_OUTPUT]);
    p.delta = at<float>(arrays[DELTA]);
    p.d_query = at<void>(arrays[D_QUERY]);
    p.d_key = at<void>(arrays[D_KEY]);
    p.d_value = at<void>(arrays[D_VALUE]);
    p.query_tangent = at<void>(arrays[QUERY_TANGENT]);
    p.key_tangent = at<void>(arrays[KEY_TANGENT]);
    p.value_tangent = at<void>(arrays[VALUE_TANGENT]);
    p.output_tangent = at<void>(arrays[OUTPUT_TANGENT]);
    p.log_sum_exp_tangent = at<float>(arrays[LOG_SUM_EXP_TANGENT]);
    p.delta_tangent = at<float>(arrays[DELTA_TANGENT]);
    p.fitted_delta = at<float>(arrays[FITTED_DELTA]);
    p.fitted_delta_tangent = at<float>(arrays[FITTED_DELTA_TANGENT]);
    p.query_batch_stride = p.output_batch_stride = s.heads * s.rows * s.dim;
    p.key_batch_stride = p.value_batch_stride = s.key_heads() * s.rows * s.dim;
    p.query_head_stride = p.key_head_stride = p.value_head_stride = p.output_head_stride = s.rows * s.dim;
    p.query_row_stride = p.key_row_stride = p.value_row_stride = p.output_row_stride = s.dim;
    p.batch = int(s.batch);
    p.heads = int(s.heads);
    p.group = int(s.group);
    p.queries = p.keys = int(s.rows);
    p.head_dim = p.value_dim = int(s.dim);
    p.window_left = p.window_right = -1;
    p.scale = 0.125f;
    return p;
}

AttentionExtents extents(const Shape& s) { return {s.batch, s.heads, s.group, s.rows, s.rows}; }

Launch launch(const AttentionLaunch& l, const AttentionParams& p) { return {l.kernel, l.blocks, l.threads, l.shared, p}; }

// Every way that has its kernels: by tiled ones of `kinds` one after the other, or by one of `whole_kind`.
std::vector<Candidate> ways(Card& card, const std::vector<TiledKind>& kinds, const WholeKind& whole_kind, const std::string& type,
                            const Shape& s, const AttentionParams& p) {
    int dim = 16;
    while (dim < s.dim) {
        dim *= 2;
    }
    std::vector<Candidate> found;
    for (int moving : {16, 32, 64, 128}) {
        for (int bound : {dim, std::max(dim, 32)}) {
            const auto whole = whole_launch(whole_kind, type, bound, moving, extents(s));
            if (whole && card.has(whole->kernel) && (bound == dim || found.empty())) {
                found.push_back({whole->kernel, {launch(*whole, p)}});
            }
        }
        for (int rows : {32, 64, 128}) {
            Candidate way;
            for (const TiledKind& kind : kinds) {
                const AttentionLaunch tiled = tiled_launch(kind, type, std::max(dim, 32), rows, moving, extents(s));
                if (card.has(tiled.kernel)) {
                    way.name += (way.name.empty() ? "" : " + ") + tiled.kernel;
                    way.launches.push_back(launch(tiled, p));
                }
            }
            if (way.launches.size() == kinds.size()) {
                found.push_back(way);
            }
        }
    }
    return found;
}

// `arrays` arrays of the shape are read or written at least, half of them of keys; `products` counts products of [N, N] by [N, D].
Workload attention(const std::string& operation, const std::string& type, const Shape& s, int arrays, int products,
                   const std::vector<TiledKind>& kinds, const WholeKind& whole_kind) {
    const size_t elements = size_t(s.batch * s.heads * s.rows * s.dim), scalars = size_t(s.batch * s.heads * s.rows);
    const size_t key_elements = elements / size_t(s.group);
    Workload w{operation, type, {s.batch, s.heads, s.rows, s.dim}, type == "f32" ? Unit::TF32_THREE_TIMES : Unit::BF16,
               2.0 * products * double(elements) * double(s.rows), double(arrays) / 2 * double((elements + key_elements) * element(type)), {}, {}};
    if (s.group > 1) {
        w.shape.push_back(s.key_heads());
    }
    w.buffers.assign(EXACT_OUTPUT, elements * element(type));
    for (Array array : {KEY, VALUE, D_KEY, D_VALUE, KEY_TANGENT, VALUE_TANGENT}) {
        w.buffers[array] = key_elements * element(type);
    }
    if (operation == "attention_forward") {
        std::fill(w.buffers.begin() + D_OUTPUT, w.buffers.end(), 16);  // of no use to it
    } else if (operation == "attention_backward") {
        std::fill(w.buffers.begin() + QUERY_TANGENT, w.buffers.end(), 16);
    }
    w.buffers.push_back(elements * sizeof(float));
    w.buffers.resize(ARRAYS, scalars * sizeof(float));
    w.candidates = [=](Card& card, const std::vector<uintptr_t>& addresses) {
        return ways(card, kinds, whole_kind, type, s, attention_params(s, addresses));
    };
    return w;
}

Workload forward(const std::string& type, const Shape& s) {
    return attention("attention_forward", type, s, 4, 2, {FORWARD}, FORWARD_WHOLE);
}

Workload backward(const std::string& type, const Shape& s) {
    return attention("attention_backward", type, s, 8, 5, {BACKWARD_ROWS, BACKWARD_COLUMNS}, BACKWARD_WHOLE);
}

// Twelve products: P and its tangent once, and each sum.
Workload double_backward(const std::string& type, const Shape& s) {
    return attention("attention_double_backward", type, s, 12, 12, {JVP, TANGENT_ROWS, TANGENT_COLUMNS}, TANGENT_WHOLE);
}

// ---- matrix products

struct GemmTile {  // as in kernels/nn/gemm.cu
    const char* name;
    int64_t m, n;
    unsigned threads;
    size_t shared;
};
constexpr GemmTile GEMM_TILES[] = {
    {"large", 128, 128, 256, 81920}, {"medium", 64, 64, 128, 40960}, {"tall", 128, 16, 128, 47104}, {"wide", 16, 128, 128, 47104}};

Workload gemm(const std::string& type, int64_t m, int64_t n, int64_t k) {
    const size_t size = element(type);
    const Unit unit = type == "f32" ? Unit::TF32_THREE_TIMES : type == "tf32" ? Unit::TF32 : Unit::BF16;
    Workload w{"gemm", type, {m, n, k}, unit, 2.0 * double(m) * double(n) * double(k),
               double(size) * double(m * k + k * n + m * n), {size * size_t(m * k), size * size_t(k * n), size * size_t(m * n)}, {}};
    w.candidates = [=](Card& card, const std::vector<uintptr_t>& arrays) {
        std::vector<Candidate> found;
        for (const GemmTile& tile : GEMM_TILES) {
            const std::string name = std::string("gemm_") + tile.name + (type == "bf16" ? "_bf16" : "_f32");
            if (!card.has(name)) {
                continue;
            }
            GemmParams p{};
            p.a = at<void>(arrays[0]);
            p.b = at<void>(arrays[1]);
            p.c = at<void>(arrays[2]);
            p.row_stride_a = k;
            p.row_stride_b = p.row_stride_c = n;
            p.batch = p.splits = 1;
            p.m = int(m);
            p.n = int(n);
            p.k = int(k);
            p.split_depth = int((k + 63) / 64 * 64);
            p.precision = type == "tf32";
            p.alpha = 1;
            found.push_back({name, {{name, ((m + tile.m - 1) / tile.m) * ((n + tile.n - 1) / tile.n), tile.threads, tile.shared, p}}});
        }
        return found;
    };
    return w;
}

}  // namespace

std::string Workload::key() const {
    std::string text = operation + " " + type;
    for (int64_t extent : shape) {
        text += " " + std::to_string(extent);
    }
    return text;
}

std::vector<Workload> workloads(bool tiny) {
    if (tiny) {
        return {forward("f32", {2, 1, 16, 16}), forward("bf16", {1, 1, 33, 17}), backward("bf16", {1, 2, 16, 16}),
                double_backward("f32", {1, 1, 33, 17}),
                backward("bf16", {1, 2, 16, 16, 2}), double_backward("bf16", {1, 2, 17, 16, 2}),
                gemm("bf16", 32, 32, 32),       gemm("tf32", 17, 16, 16)};
    }
    std::vector<Workload> all;
    // Reinforcement learning: many short sequences.
    const Shape short_shapes[] = {{4096, 4, 16, 16}, {4096, 4, 64, 32}, {4096, 8, 64, 32}, {4096, 8, 128, 64}};
    for (const char* type : {"bf16", "f32"}) {
        for (const auto& operation : {forward, backward, double_backward}) {
            for (const Shape& shape : short_shapes) {
                all.push_back(operation(type, shape));
            }
        }
    }
    // Long sequences, 16,384 tokens of width 2,048.
    for (int64_t dim : {64, 128}) {
        for (int64_t rows : {2048, 4096, 8192, 16384}) {
            all.push_back(forward("bf16", {16384 / rows, 2048 / dim, rows, dim}));
        }
    }
    // Language models: grouped heads, and one key head for all.
    for (int64_t group : {4, 32}) {
        for (const auto& operation : {forward, backward, double_backward}) {
            all.push_back(operation("bf16", {2, 32, 4096, 128, group}));
        }
    }
    // A square one, and layers of small networks over large batches.
    const int64_t products[][3] = {{4096, 4096, 4096}, {16384, 1024, 1024}, {262144, 64, 64}, {262144, 256, 64}};
    for (const char* type : {"bf16", "tf32", "f32"}) {
        for (const auto& [m, n, k] : products) {
            all.push_back(gemm(type, m, n, k));
        }
    }
    return all;
}
