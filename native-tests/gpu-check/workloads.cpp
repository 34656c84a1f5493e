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
        return all;
    }
    return all;
}
