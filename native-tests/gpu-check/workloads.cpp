#include "workloads.h"

#include "../../kernels/attention/params.h"
#include "../../kernels/nn/params.h"

namespace {

size_t element(const std::string& type) { return type == "bf16" || type == "f16" ? 2 : 4; }

template <class T>
T* at(uintptr_t address) {
    return reinterpret_cast<T*>(address);
}

// Each operation reads and writes at least `arrays` arrays of the shape; `products` counts its products of [N, N] by [N, D].
Workload attention(const std::string& operation, const std::string& type, int64_t batch, int64_t heads, int64_t rows,
                   int64_t dim, int arrays, int products) {
    const double elements = double(batch) * heads * rows * dim;
    Workload w{operation, type, {batch, heads, rows, dim}, type == "f32" ? Unit::TF32_THREE_TIMES : Unit::BF16,
               products * 2 * elements * double(rows), arrays * elements * double(element(type)), {}, {}};
    w.buffers.assign(size_t(arrays), size_t(elements) * element(type));
    w.buffers.push_back(size_t(batch * heads * rows) * sizeof(float));
    return w;
}

Workload forward(const std::string& type, int64_t batch, int64_t heads, int64_t rows, int64_t dim) {
    Workload w = attention("attention_forward", type, batch, heads, rows, dim, 4, 2);
    w.candidates = [=](Card& card, const std::vector<uintptr_t>& arrays) {
        std::vector<Candidate> found;
        const int64_t head = rows * dim;
        for (int bound : {32, 64, 128, 256}) {
            for (int queries : {16, 32, 64}) {
                for (int keys : {16, 32, 64}) {
                    const std::string name = "attention_forward_d" + std::to_string(bound) + "_q" + std::to_string(queries)
                                             + "_k" + std::to_string(keys);
                    if (type != "f32" || bound < dim || bound / 2 > std::max<int64_t>(dim, 16) || !card.has(name)) {
                        continue;
                    }
                    const AttentionForwardParams p{
                        at<float>(arrays[0]), at<float>(arrays[1]), at<float>(arrays[2]), at<float>(arrays[3]),
                        at<float>(arrays[4]), nullptr, nullptr, nullptr, heads * head, head, dim, heads * head, head, dim,
                        heads * head, head, dim, heads * head, head, dim, int(heads), int(rows), int(rows), int(dim), int(dim),
                        -1, -1, 0, 0.125f};
                    const size_t shared = sizeof(float) * size_t((queries + keys) * (bound + 4) + queries * (keys + 4));
                    found.push_back({name, {{name, batch * heads * ((rows + queries - 1) / queries), 256, shared, p}}});
                }
            }
        }
        return found;
    };
    return w;
}

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
            p.tf32 = type == "tf32";
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
    std::vector<Workload> all;
    if (tiny) {
        all.push_back(forward("f32", 2, 1, 16, 16));
        all.push_back(gemm("bf16", 32, 32, 32));
        all.push_back(gemm("tf32", 17, 16, 16));
        return all;
    }
    // Reinforcement learning: many short sequences.
    const int64_t short_shapes[][4] = {{4096, 4, 16, 16}, {4096, 4, 64, 32}, {4096, 8, 64, 32}, {4096, 8, 128, 64}};
    for (const char* type : {"bf16", "f32"}) {
        for (const auto& [batch, heads, rows, dim] : short_shapes) {
            all.push_back(forward(type, batch, heads, rows, dim));
        }
    }
    // Long sequences, 16,384 tokens of width 2,048.
    for (int64_t dim : {64, 128}) {
        for (int64_t rows : {2048, 4096, 8192, 16384}) {
            all.push_back(forward("bf16", 16384 / rows, 2048 / dim, rows, dim));
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
