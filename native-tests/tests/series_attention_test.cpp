// SPDX-License-Identifier: Apache-2.0
// Attention over rings of series, in every form.
#include "series_attention.h"

namespace {

constexpr Similarity SIMILARITIES[] = {Similarity::DOT, Similarity::COSINE, Similarity::EUCLIDEAN};

using SeriesAttention = SeriesAttentionTest;

TEST_F(SeriesAttention, NumbersOfAwkwardShapes) {
    const int shapes[][4] = {{1, 1, 1, 1}, {5, 3, 3, 2}, {17, 33, 13, 31}, {34, 65, 6, 5}};
    for (const auto& [queries, keys, dim, value_dim] : shapes) {
        check(with_inputs({.batch = 2, .heads = 2, .queries = queries, .keys = keys, .dim = dim, .value_dim = value_dim}),
              Storage::F32, true);
    }
}

TEST_F(SeriesAttention, StoredInSixteenBits) {
    for (Storage storage : {Storage::BF16, Storage::F16}) {
        check(with_inputs(with_everything({.heads = 2, .group = 2, .queries = 9, .keys = 14, .dim = 8, .value_dim = 5})), storage);
        check(with_inputs({.ring = {false, 2}, .queries = 5, .keys = 6, .dim = 8, .value_dim = 4, .similarity = Similarity::COSINE}),
              storage);
    }
}

TEST_F(SeriesAttention, DerivativesOfEveryOrder) {
    for (const Ring& ring : {Ring{false, 2}, {false, 3}, {true, 4}, {false, 9}, {true, 8}}) {
        check(with_inputs({.ring = ring, .queries = 5, .keys = 6, .dim = 3, .value_dim = 2}));
        check(with_inputs(with_everything({.ring = ring, .heads = 2, .group = 2, .queries = 3, .keys = 5, .dim = 2, .value_dim = 3})));
    }
}

TEST_F(SeriesAttention, SixteenPlanes) {
    check(with_inputs(with_everything({.ring = {false, 16}, .queries = 2, .keys = 3, .dim = 2, .value_dim = 1})));
    check(with_inputs({.ring = {true, 16}, .queries = 2, .keys = 3, .dim = 2, .value_dim = 1}));
}

TEST_F(SeriesAttention, AbsentPlanesAreZero) {
    AttentionProblem p = with_inputs({.ring = {false, 3}, .queries = 4, .keys = 5, .dim = 3, .value_dim = 2, .sinks = true,
                                      .bias_extents = {1, 1, 4, 5}});
    p.query[1].clear(), p.key[2].clear(), p.value[1].clear(), p.d_output[0].clear(), p.bias[2].clear(), p.sink[1].clear();
    p.d_log_sum_exp[1].clear();
    for (Similarity similarity : SIMILARITIES) {
        p.similarity = similarity;
        check(p);
    }
}

TEST_F(SeriesAttention, Similarities) {
    for (Similarity similarity : {Similarity::COSINE, Similarity::EUCLIDEAN}) {
        for (const Ring& ring : {Ring{false, 1}, {false, 3}, {true, 4}}) {
            check(with_inputs(with_everything({.ring = ring, .batch = 2, .heads = 2, .group = 2, .queries = 4, .keys = 6, .dim = 5,
                                               .value_dim = 2, .similarity = similarity})));
        }
        check(with_inputs({.queries = 35, .keys = 34, .dim = 9, .value_dim = 3, .similarity = similarity}));
    }
}

TEST_F(SeriesAttention, BiasBroadcastOverAnyAxis) {
    for (const Extents& extents : {Extents{2, 2, 33, 35}, {1, 2, 33, 35}, {2, 1, 1, 35}, {1, 1, 33, 1}, {1, 1, 1, 1}}) {
        check(with_inputs({.batch = 2, .heads = 2, .group = 2, .queries = 33, .keys = 35, .dim = 2, .value_dim = 2, .right = 3,
                           .bias_extents = extents}));
    }
    check(with_inputs({.ring = {false, 4}, .queries = 17, .keys = 18, .dim = 2, .value_dim = 2, .bias_extents = {1, 1, 1, 18}}));
}

TEST_F(SeriesAttention, RelativeBias) {
    for (bool bottom_right : {false, true}) {
        for (const auto& [queries, keys] : {std::pair{3, 70}, {33, 35}, {70, 3}}) {
            AttentionProblem p{.batch = 2, .heads = 2, .group = 2, .queries = queries, .keys = keys, .dim = 2, .value_dim = 2, .past = 4,
                               .bottom_right = bottom_right, .bias_extents = {1, 2, 1, 1}, .bias_reach = 5};
            check(with_inputs(p));
            p.right = 0;
            p.key_lengths = {keys, keys / 2};
            p.bias_extents = {2, 1, 1, 1}, p.bias_reach = 50;
            check(with_inputs(p));
            p.left = 6;
            p.bias_extents = {1, 1, 1, 1}, p.bias_reach = 0;
            check(with_inputs(p));
        }
    }
    for (int planes : {2, 4}) {
        check(with_inputs({.ring = {false, planes}, .queries = 17, .keys = 18, .dim = 2, .value_dim = 2,
                           .bias_extents = {1, 1, 1, 1}, .bias_reach = 3}));
    }
    AttentionProblem p = with_everything({.ring = {true, 8}, .heads = 2, .group = 2, .queries = 5, .keys = 18, .dim = 2,
                                          .value_dim = 2, .bias_reach = 7});
    p.bias_extents = {1, 2, 1, 1};
    check(with_inputs(p));
}

TEST_F(SeriesAttention, MasksByPosition) {
    for (bool bottom_right : {false, true}) {
        for (const auto& [left, right] : {std::pair{-1, 0}, {2, 0}, {5, 3}, {20, -1}, {0x7FFFFFFF, 0x7FFFFFFF}}) {
            for (const auto& [queries, keys] : {std::pair{19, 40}, {40, 19}}) {
                check(with_inputs({.queries = queries, .keys = keys, .dim = 2, .value_dim = 2, .left = left, .right = right, .past = 4,
                                   .bottom_right = bottom_right, .slopes = {0.1f}}));
            }
        }
    }
}

TEST_F(SeriesAttention, SegmentsLengthsAndGroupsInBothLayouts) {
    for (bool rows_first : {false, true}) {
        check(with_segments(with_inputs({.batch = 3, .heads = 4, .group = 2, .queries = 11, .keys = 37, .dim = 4, .value_dim = 3,
                                         .right = 0, .bottom_right = true, .rows_first = rows_first, .key_lengths = {37, 7, -2}}),
                            5, 30));
    }
}

TEST_F(SeriesAttention, PackedSequences) {
    for (bool bottom_right : {false, true}) {
        for (int right : {-1, 0}) {
            check(with_inputs({.heads = 2, .group = 2, .queries = 70, .keys = 75, .dim = 2, .value_dim = 2, .right = right,
                               .bottom_right = bottom_right, .sinks = true, .dropout = 0.2f, .bias_extents = {1, 2, 1, 1},
                               .bias_reach = right < 0 ? 6 : 100, .key_lengths = {60},
                               .query_sequences = {2, 7, 7, 45, 46, 68},  // rows before and behind, and an empty one
                               .key_sequences = {0, 9, 12, 12, 50, 99}, .slopes = {0.1f, 0.2f}}));
        }
    }
    check(with_inputs({.queries = 3, .keys = 4, .dim = 2, .value_dim = 2, .query_sequences = {1}, .key_sequences = {1}}));
}

TEST_F(SeriesAttention, WithoutKeysIsZero) {
    check(with_inputs({.ring = {false, 3}, .queries = 3, .keys = 0, .dim = 4, .value_dim = 5, .sinks = true}));
}

TEST_F(SeriesAttention, WeightsAtEveryStage) {
    for (Similarity similarity : {Similarity::DOT, Similarity::EUCLIDEAN}) {
        const AttentionProblem p = with_inputs(with_everything({.batch = 2, .heads = 2, .group = 2, .queries = 37, .keys = 35, .dim = 3,
                                                                .value_dim = 1, .similarity = similarity}));
        const AttentionSolution exact = solve(p);
        const int first = 2, asked = 34;
        for (int stage = 0; stage < 4; stage++) {
            const Tiling tiling{"", 32, 4, 0};
            AttentionSeriesParams a = parameters(p, Storage::F32, tiling);
            a.first_query = first, a.asked = asked, a.stage = stage;
            const Array maximum = unwritten(p.rows()), sum = unwritten(p.rows());
            a.maximum = maximum, a.sum = sum;
            run("attention_series_normalizers", tiling.grid(p, p.batch * p.heads * 2, 0), a, {maximum, sum});
            SumPlanes expected(1);
            for (int m = 0; m < p.batch * p.heads; m++) {
                const auto from = exact.stages[stage].begin() + (m * p.queries + first) * p.keys;
                for (auto weight = from; weight < from + asked * p.keys; weight++) expected[0].push_back({*weight});
            }
            const Array weights = unwritten(expected[0].size());
            a.weights = weights;
            run("attention_series_weights", tiling.grid(p, p.batch * p.heads * 2 * 2, 0), a, {weights});
            expect_planes({weights}, expected, 1e-5, "stage " + std::to_string(stage));
            memory.clear();
        }
    }
}

}  // namespace
