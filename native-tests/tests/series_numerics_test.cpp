// SPDX-License-Identifier: Apache-2.0
// Attention over rings of series where floats come to their limits.
#include "series_attention.h"

namespace {

constexpr Ring NUMBERS{false, 1};

using SeriesNumerics = SeriesAttentionTest;

// So that products of theirs are exact.
void round_to_eighths(AttentionProblem& p) {
    for (Planes* planes : {&p.query, &p.key}) {
        for (float& x : (*planes)[0]) x = std::rint(x * 8) / 8;
    }
}

TEST_F(SeriesNumerics, CosineOfZeroTinyAndHugeRows) {
    AttentionProblem p = with_inputs({.queries = 4, .keys = 4, .dim = 2, .value_dim = 2, .similarity = Similarity::COSINE});
    const float sizes[] = {0, 0x1p-80f, 0x1p80f, 1};
    for (int i = 0; i < 8; i++) {
        p.query[0][i] *= sizes[i / 2];
        p.key[0][i] *= sizes[3 - i / 2];
    }
    p.d_output[0].assign(8, 0);  // gradients of tiny rows are beyond floats
    p.d_log_sum_exp[0].assign(4, 0);
    check(p);
}

TEST_F(SeriesNumerics, WhatIsHiddenMayBeNaN) {
    for (Similarity similarity : {Similarity::DOT, Similarity::COSINE, Similarity::EUCLIDEAN}) {
        AttentionProblem p = with_inputs({.ring = {false, 2}, .queries = 20, .keys = 24, .dim = 4, .value_dim = 4, .right = 0,
                                          .similarity = similarity, .bias_extents = {1, 1, 20, 24}, .mask_extents = {1, 1, 1, 24},
                                          .key_lengths = {18}});
        p.mask.assign(24, 0);
        p.mask[3] = -INF_F;
        for (int k = 0; k < 2; k++) {
            for (int d = 0; d < 4; d++) {
                p.key[k][3 * 4 + d] = p.value[k][3 * 4 + d] = NAN_F;
                p.key[k][20 * 4 + d] = p.value[k][20 * 4 + d] = INF_F;
            }
            for (int i = 0; i < 20; i++) p.bias[k][i * 24 + 20] = p.bias[k][i * 24 + 3] = NAN_F;
        }
        check(p);
        p.value[0][10 * 4 + 1] = NAN_F;  // seen by queries 10 and later
        p.key[0][12 * 4] = NAN_F;
        check(p);
    }
}

// Query 0 sees one key whose score is 200 below that of the other: exp of that is no float, but its NaN counts.
TEST_F(SeriesNumerics, AVisibleNaNCountsHoweverSmallItsWeight) {
    AttentionProblem p = with_inputs({.queries = 2, .keys = 3, .right = 1, .scale = 1});
    p.query[0] = {1, 1};
    p.key[0] = {200, 0, 0};
    p.value[0] = {1, NAN_F, 2};
    check(p);
}

// Minus infinity of the bias does not hide: it has weight 0 next to others and to a sink, and alone there is nothing in the
// sum, as where no key is seen.
TEST_F(SeriesNumerics, ScoresOfMinusInfinity) {
    for (const Ring& ring : {NUMBERS, {false, 3}}) {
        for (bool sinks : {false, true}) {
            AttentionProblem p = with_inputs({.ring = ring, .queries = 2, .keys = 40, .dim = 2, .value_dim = 2, .sinks = sinks,
                                              .bias_extents = {1, 1, 2, 40}});
            std::fill(p.bias[0].begin(), p.bias[0].begin() + 35, -INF_F);
            std::fill(p.bias[0].begin() + 40, p.bias[0].end(), -INF_F);
            check(p);
        }
    }
}

// A sink is in the denominator of a row that sees no key, whatever that row has in dO.
TEST_F(SeriesNumerics, ASinkWithoutKeys) {
    for (const Ring& ring : {NUMBERS, {false, 3}, {true, 8}}) {
        AttentionProblem p = with_inputs({.ring = ring, .batch = 2, .heads = 2, .group = 2, .queries = 5, .keys = 6, .dim = 3,
                                          .value_dim = 2, .sinks = true, .mask_extents = {1, 1, 5, 1}, .key_lengths = {6, 0}});
        p.mask = {0, -INF_F, 0, 0, -INF_F};
        for (size_t i = 0; i < p.d_output[0].size(); i++) {
            const size_t query = i / 2 % 5;
            if (i >= p.d_output[0].size() / 2 || query == 1 || query == 4) p.d_output[0][i] = NAN_F;
        }
        check(p);
    }
}

// Their sum is no float, their mean is one.
TEST_F(SeriesNumerics, MeansOfHugeValues) {
    for (const Ring& ring : {NUMBERS, {false, 2}}) {
        AttentionProblem p = with_inputs({.ring = ring, .queries = 3, .keys = 40, .dim = 2, .value_dim = 2, .dropout = 0.3f});
        for (float& x : p.value[0]) x = 1e38f * (1 + 0.5f * x);
        for (float& x : p.d_output[0]) x *= 1e-38f;
        p.d_output.back().assign(p.d_output[0].size(), 0);
        check(p);
    }
}

TEST_F(SeriesNumerics, MinusZeroStaysMinusZero) {
    AttentionProblem p = with_inputs({.queries = 3, .keys = 3, .dim = 2, .value_dim = 2, .right = 0, .key_lengths = {2}});
    p.value[0] = {-0.0f, 0, -0.0f, -0.0f, -5, -0.0f};
    const Tiling tiling{"_one", 32, 4, 4};
    AttentionSeriesParams a = parameters(p, Storage::F32, tiling);
    const auto output = results(a.output, 1, 6);
    run("attention_series_forward_one", tiling.grid(p, 1, 4), a, output);
    const std::vector<float> o = values(output[0]);
    const bool negative[] = {true, false, true, false, true, false};
    for (int i = 0; i < 6; i++) {
        EXPECT_EQ(o[i], 0) << i;
        EXPECT_EQ(std::signbit(o[i]), negative[i]) << i;
    }
}

// Where one key has all the weight, D and dP cancel: D must not be of an output that was rounded to 16 bits.
TEST_F(SeriesNumerics, OneKeyInSixteenBits) {
    for (Storage storage : {Storage::BF16, Storage::F16}) {
        AttentionProblem p = with_inputs({.queries = 4, .keys = 1, .dim = 4, .value_dim = 33});
        for (float& x : p.value[0]) x *= 64;
        for (float dropout : {0.f, 0.9f}) {
            p.dropout = dropout;
            check(p, storage);
        }
    }
}

// Each probability counts, however large the scores are; all keys are equal, so that those of a row must add up to 1.
TEST_F(SeriesNumerics, ProbabilitiesAddUpAtAnyMagnitude) {
    for (float size : {30.f, 1000.f}) {
        for (const Ring& ring : {NUMBERS, {false, 2}}) {
            AttentionProblem p = with_inputs({.ring = ring, .queries = 3, .keys = 70, .dim = 4, .value_dim = 2});
            for (Planes* planes : {&p.query, &p.key}) {
                (*planes)[0].assign((*planes)[0].size(), size);
                if (ring.planes > 1) (*planes)[1].clear();
            }
            check(p);
        }
    }
}

TEST_F(SeriesNumerics, LargeScoresDoNotOverflow) {
    for (float scale : {100.f, -100.f}) {
        check(with_inputs({.queries = 5, .keys = 40, .dim = 4, .value_dim = 4, .sinks = true, .scale = scale}));
    }
}

// All that a query sees may be masked with one huge number, next to which the log of their count has no digits. Scores are
// multiples of the float's spacing there, or lost in float64 as well, so that what is right does not depend on rounding.
TEST_F(SeriesNumerics, HugeMasksBiasesAndSinks) {
    for (const auto& [huge, scale] : {std::pair{-65504.f, 0.5f}, {-1e9f, 4096.f}, {1e9f, 4096.f}, {-1e30f, 0.5f},
                                      {-3.402823466e38f, 0.5f}}) {
        for (const Ring& ring : {NUMBERS, {false, 3}}) {
            if (ring.planes > 1 && scale > 1) {
                continue;  // derivatives as large as that lose digits anyhow
            }
            std::vector<float> terms(6 * 35, huge);  // of rows 0 and 4 all
            terms[35 + 33] = 0;
            for (int j = 0; j < 35; j++) {
                terms[2 * 35 + j] = j % 3 ? -INF_F : huge;
                terms[3 * 35 + j] = j % 2 ? 0 : huge;
                terms[5 * 35 + j] = j < 32 ? -INF_F : huge;
            }
            const AttentionProblem plain{.ring = ring, .queries = 6, .keys = 35, .dim = 2, .value_dim = 2, .scale = scale};
            AttentionProblem masked = plain, with_sink = plain, biased = plain;
            masked.mask_extents = with_sink.mask_extents = biased.bias_extents = {1, 1, 6, 35};
            with_sink.sinks = true;
            for (AttentionProblem* p : {&masked, &with_sink, &biased}) {
                *p = with_inputs(*p);
                round_to_eighths(*p);
                if (p->has_bias()) {
                    p->bias[0] = terms;
                } else {
                    p->mask = terms;
                }
                if (p->sinks) p->sink[0] = {huge};
                check(*p);
            }
        }
    }
}

// Every key is far from every query, by nearly as much.
TEST_F(SeriesNumerics, SteepSlopes) {
    AttentionProblem p = with_inputs({.queries = 3, .keys = 40, .dim = 2, .value_dim = 2, .past = 1 << 23, .scale = 8,
                                      .slopes = {0x1p-3f}});
    round_to_eighths(p);
    check(p);
}

}  // namespace
