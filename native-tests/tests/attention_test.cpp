// SPDX-License-Identifier: Apache-2.0
// The kernels of every pass on the same problems.
#include "fused_attention.h"

namespace {

const std::vector<Storage> F32_AND_BF16{Storage::F32, Storage::BF16};

class Attention : public FusedAttentionTest, public testing::WithParamInterface<Pass> {
  protected:
    AttentionProblem with_inputs(AttentionProblem p, bool all = true) {
        p.ring.planes = GetParam() == Pass::TANGENT ? 2 : 1;
        return AttentionTest::with_inputs(p, all);
    }

    void check_all(const AttentionProblem& p, const std::vector<Storage>& storages = {Storage::F32}, bool every = false) {
        FusedAttentionTest::check_all(GetParam(), p, storages, every);
    }
};

INSTANTIATE_TEST_SUITE_P(, Attention, testing::Values(Pass::FORWARD, Pass::BACKWARD, Pass::TANGENT), [](const auto& info) {
    return info.param == Pass::FORWARD ? "Forward" : info.param == Pass::BACKWARD ? "Backward" : "Tangent";
});

TEST_P(Attention, EqualsTheFormulaForAwkwardShapes) {
    const int shapes[][4] = {{1, 1, 1, 1},    {2, 3, 5, 2},    {17, 13, 6, 31},  {33, 97, 32, 32},
                             {5, 70, 59, 33}, {66, 65, 40, 64}, {31, 33, 111, 97}, {34, 40, 207, 256}};
    bool all = false;
    for (const auto& [queries, keys, dim, value_dim] : shapes) {
        all = !all;
        check_all(with_inputs({.batch = 2, .queries = queries, .keys = keys, .dim = dim, .value_dim = value_dim}, all));
    }
}

// Every kernel once, at a shape that fills no tile.
TEST_P(Attention, EveryInstance) {
    check_all(with_inputs({.heads = 3, .queries = 13, .keys = 16, .dim = 15, .value_dim = 9}, false), ALL_STORAGES, true);
    check_all(with_inputs({.queries = 41, .keys = 30, .dim = 16, .value_dim = 32, .right = 0, .bottom_right = true}),
              ALL_STORAGES, true);
    check_all(with_inputs({.heads = 2, .queries = 67, .keys = 97, .dim = 64, .value_dim = 40, .left = 60, .rows_first = true}),
              ALL_STORAGES);
}

TEST_P(Attention, LongerThanSeveralTiles) {
    const bool forward = GetParam() == Pass::FORWARD;  // whose keys move
    check_all(with_inputs({.queries = forward ? 130 : 257, .keys = forward ? 257 : 130, .dim = 16, .value_dim = 16, .right = 0,
                           .bottom_right = forward}),
              F32_AND_BF16);
}

// As a policy's are, of a segment of steps behind a window.
TEST_P(Attention, WholeHeadsBehindAWindow) {
    check_all(with_segments(with_inputs({.queries = 128, .keys = 143, .dim = 16, .value_dim = 16, .left = 15, .right = 0, .past = 15}),
                            40, 50),
              {Storage::F32}, true);
}

TEST_P(Attention, MasksByPosition) {
    for (bool bottom_right : {false, true}) {
        for (const auto& [left, right] : {std::pair{-1, 0}, {2, 0}, {0, 0}, {5, 3}, {-1, 7}, {20, -1}, {0x7FFFFFFF, 0x7FFFFFFF}}) {
            for (const auto& [queries, keys] : {std::pair{19, 37}, {37, 19}}) {
                check_all(with_inputs({.queries = queries, .keys = keys, .dim = 6, .value_dim = 5, .left = left, .right = right,
                                       .bottom_right = bottom_right}));
            }
        }
    }
}

TEST_P(Attention, MasksBySegmentsAndLengthsInBothLayouts) {
    for (bool rows_first : {false, true}) {
        check_all(with_segments(with_inputs({.batch = 3, .heads = 2, .queries = 18, .keys = 35, .dim = 8, .value_dim = 4, .right = 0,
                                             .bottom_right = true, .rows_first = rows_first, .key_lengths = {35, 7, -2}}), 5, 9),
                  F32_AND_BF16);
    }
}

// Alone and together, at sizes that fill no tile; with rows that see nothing.
TEST_P(Attention, GroupedHeadsPastKeysAndSinks) {
    const AttentionProblem problems[] = {
        {.batch = 2, .heads = 4, .group = 2, .queries = 13, .keys = 33},
        {.heads = 6, .group = 3, .queries = 33, .keys = 13, .right = 0, .bottom_right = true, .rows_first = true},
        {.heads = 8, .group = 8, .queries = 1, .keys = 97, .right = 0, .past = 96},
        {.queries = 13, .keys = 33, .left = 7, .right = 0, .past = 20},
        {.heads = 3, .queries = 33, .keys = 13, .right = 0, .bottom_right = true, .sinks = true},
        with_segments({.batch = 2, .heads = 4, .group = 2, .queries = 13, .keys = 31, .right = 0, .past = 11, .rows_first = true,
                       .sinks = true, .key_lengths = {31, 0}}, 5, 9),
    };
    bool all = false;
    for (AttentionProblem p : problems) {
        p.dim = 17, p.value_dim = 24;
        all = !all || !p.key_lengths.empty();
        check_all(with_inputs(p, all), ALL_STORAGES);
    }
}

TEST_P(Attention, GroupedHeadsOfEveryLength) {
    const bool tangent = GetParam() == Pass::TANGENT;  // slow, and of shorter tiles
    for (const auto& [dim, value_dim] : {std::pair{64, 17}, {17, 96}, {256, 64}}) {
        check_all(with_inputs({.heads = 3, .group = 3, .queries = tangent ? 35 : 66, .keys = tangent ? 67 : 97, .dim = dim,
                               .value_dim = value_dim, .right = 0, .past = 31, .sinks = true}),
                  F32_AND_BF16);
    }
    if (!tangent) {
        check_all(with_inputs({.heads = 2, .group = 2, .queries = 207, .keys = 207, .dim = 6, .value_dim = 5, .right = 0}));
    }
}

TEST_P(Attention, WithoutKeysOrQueriesIsZero) {
    check_all(with_inputs({.queries = 3, .keys = 0, .dim = 4, .value_dim = 4}));
    check_all(with_inputs({.heads = 2, .group = 2, .queries = 3, .keys = 0, .dim = 4, .value_dim = 4, .sinks = true}));
    check_all(with_inputs({.queries = 0, .keys = 3, .dim = 4, .value_dim = 4}));
    check_all(with_inputs({.heads = 2, .group = 2, .queries = 0, .keys = 3, .dim = 4, .value_dim = 4}));
}

TEST_P(Attention, OneProductOfTf32OrBf16) {
    for (int precision : {1, 2}) {
        for (const auto& [queries, dim] : {std::pair{33, 40}, {16, 16}, {33, 100}}) {
            check_all(with_inputs({.queries = queries, .keys = 40, .dim = dim, .value_dim = 32, .precision = precision}));
        }
        check_all(with_inputs({.queries = 16, .keys = 30, .dim = 16, .value_dim = 16, .precision = precision}), {Storage::F32}, true);
    }
}

// Query i sees keys i - 4 to i, if they are among the first 14. Queries 18 and 19 see none.
TEST_P(Attention, HiddenKeysAndQueriesMayBeNaN) {
    AttentionProblem p = with_inputs({.queries = 20, .keys = 24, .dim = 4, .value_dim = 4, .left = 4, .right = 0,
                                      .key_lengths = {14}});
    for (int k = 0; k < p.ring.planes; k++) {
        std::fill(p.key[k].begin() + 14 * 4, p.key[k].end(), NAN_F);
        std::fill(p.value[k].begin() + 14 * 4, p.value[k].end(), NAN_F);
        std::fill(p.query[k].begin() + 18 * 4, p.query[k].end(), NAN_F);
        std::fill(p.d_output[k].begin() + 18 * 4, p.d_output[k].end(), NAN_F);
    }
    check_all(p, ALL_STORAGES);
    if (GetParam() == Pass::TANGENT) {
        return;
    }
    // What is seen reaches those who see it.
    AttentionProblem q = p;
    q.d_output[0][9 * 4 + 2] = NAN_F;
    check_all(q, {Storage::F32, Storage::F16});
    q = p;
    q.query[0][16 * 4 + 1] = NAN_F;
    check_all(q);
    q = p;
    q.key[0][3 * 4 + 2] = NAN_F;
    check_all(q);
    q = p;
    q.value[0][5 * 4] = INF_F;
    check_all(q);
}

// NaN in a query of one head of a group reaches the keys that it sees, and no other.
TEST_P(Attention, HiddenKeysAndQueriesMayBeNaNInAGroup) {
    AttentionProblem p = with_inputs({.heads = 2, .group = 2, .queries = 20, .keys = 24, .dim = 4, .value_dim = 4, .left = 4,
                                      .right = 0, .past = 2, .key_lengths = {14}});
    for (int k = 0; k < p.ring.planes; k++) {
        for (int d = 0; d < 4; d++) {
            p.key[k][20 * 4 + d] = p.value[k][15 * 4 + d] = NAN_F;
            p.query[k][(20 + 18) * 4 + d] = p.d_output[k][(20 + 17) * 4 + d] = NAN_F;
        }
    }
    check_all(p, F32_AND_BF16);
}

}  // namespace
