// SPDX-License-Identifier: Apache-2.0
// One query per head against a ring of keys and values.
#include "attention_problem.h"

namespace {

struct DecodeCase {
    int batch, heads, capacity, dim, value_dim, warps;
    float softcap = 0;
    Similarity similarity = Similarity::DOT;
};

class AttentionDecodeTest : public AttentionTest, public testing::WithParamInterface<Storage> {
  protected:
    void check(const DecodeCase& c) {
        const Storage storage = GetParam();
        const int rows = c.batch * c.heads;
        AttentionProblem p = rounded(with_inputs({.batch = c.batch, .heads = c.heads, .keys = c.capacity, .dim = c.dim,
                                                  .value_dim = c.value_dim, .rows_first = true, .similarity = c.similarity,
                                                  .scale = 0.4f, .softcap = c.softcap, .mask_extents = {c.batch, 1, 1, c.capacity}}),
                                     storage);
        // The slots behind the newest one and before, up to each environment's count, are seen; what the others hold is NaN.
        std::vector<int> counts, positions;
        for (int b = 0; b < c.batch; b++) {
            const int newest = (c.capacity * 2 / 3 + 2 * b) % c.capacity;
            positions.push_back(newest + b * c.capacity);
            counts.push_back(b == 1 ? 0 : (c.capacity * (b + 1) + b) / (b + 1) - b);
            for (int age = 0; age < c.capacity; age++) {
                const int slot = (newest - age + c.capacity) % c.capacity;
                const bool seen = age < counts[b];
                p.mask[b * c.capacity + slot] = seen ? 0 : -INF_F;
                for (int h = 0; h < c.heads && !seen; h++) {
                    for (int d = 0; d < c.dim; d++) p.key[0][p.key_at(b, h, slot, d)] = NAN_F;
                    for (int d = 0; d < c.value_dim; d++) p.value[0][p.value_at(b, h, slot, d)] = NAN_F;
                }
            }
        }
        const int longest = std::max(c.dim, c.value_dim);
        int lanes = 1;
        while (lanes < 32 && lanes * 16 < longest * int(bytes_of(storage))) lanes *= 2;
        const Array output = unwritten(size_t(rows) * c.value_dim, storage);
        const AttentionDecodeParams params{stored(p.query[0], storage), stored(p.key[0], storage), stored(p.value[0], storage),
                                           device(counts), device(positions), output, c.batch, c.heads, c.capacity, c.dim, c.value_dim, lanes,
                                           c.warps, p.scale, c.softcap, int(c.similarity)};
        const bool longer = storage == Storage::F32 && longest > 128;
        run(std::string("attention_decode_") + name_of(storage) + (longer ? "_long" : ""), {tiles(rows * c.warps, 8)}, params, {output});
        const AttentionSolution exact = solve(p);
        expect_each(values(output), [&](size_t i) {  // weights are not rounded to the storage type
            const auto& [value, size] = exact.output[0][i];
            return Expected{value, size * 2e-5 + (storage == Storage::F32 ? 0 : unit_of(storage) * std::abs(value))};
        }, p.text());
        memory.clear();
    }
};

INSTANTIATE_TEST_SUITE_P(, AttentionDecodeTest, testing::ValuesIn(ALL_STORAGES), [](const auto& info) { return name_of(info.param); });

TEST_P(AttentionDecodeTest, FollowsTheRing) {
    for (const DecodeCase& c : {DecodeCase{1, 1, 1, 1, 1, 1}, {3, 2, 5, 6, 3, 1}, {4, 4, 16, 16, 16, 1}, {2, 1, 33, 31, 17, 2},
                                {5, 2, 64, 64, 32, 4}, {3, 3, 97, 8, 64, 8}, {2, 1, 207, 128, 128, 8}, {1, 2, 13, 256, 207, 2},
                                {3, 1, 40, 111, 59, 4}}) {
        check(c);
    }
}

TEST_P(AttentionDecodeTest, SoftcapAndSimilarities) {
    for (Similarity similarity : {Similarity::DOT, Similarity::COSINE, Similarity::EUCLIDEAN}) {
        for (float softcap : {0.f, 1.5f}) check({3, 2, 33, 20, 17, 2, softcap, similarity});
    }
}

}  // namespace
