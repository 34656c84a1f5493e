// SPDX-License-Identifier: Apache-2.0
// The approximate functions: exact where the PTX ISA's tables say, and never farther from the right value than it allows.
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "../ptx/semantics/approximate.h"

using namespace ptx;

namespace {

constexpr uint32_t INF = 0x7F800000, MINUS = 0x80000000, ONE = 0x3F800000, SUBNORMAL = 0x00400000;

uint32_t bits(float x) { return std::bit_cast<uint32_t>(x); }

class PtxApproximateTables : public testing::TestWithParam<uint64_t> {};
INSTANTIATE_TEST_SUITE_P(, PtxApproximateTables, testing::Values(0, 1, 2, 12345));

TEST_P(PtxApproximateTables, Hold) {
    const uint64_t seed = GetParam();
    for (const bool ftz : {false, true}) {
        EXPECT_EQ(ex2_approx(MINUS | INF, ftz, seed), 0u);
        EXPECT_EQ(ex2_approx(MINUS, ftz, seed), ONE);
        EXPECT_EQ(ex2_approx(0, ftz, seed), ONE);
        EXPECT_EQ(ex2_approx(INF, ftz, seed), INF);
        EXPECT_EQ(ex2_approx(0xFFC00000, ftz, seed), NAN_F32);
        EXPECT_EQ(lg2_approx(MINUS | INF, ftz, seed), NAN_F32);
        EXPECT_EQ(lg2_approx(bits(-1), ftz, seed), NAN_F32);
        EXPECT_EQ(lg2_approx(MINUS, ftz, seed), MINUS | INF);
        EXPECT_EQ(lg2_approx(0, ftz, seed), MINUS | INF);
        EXPECT_EQ(lg2_approx(INF, ftz, seed), INF);
        EXPECT_EQ(rcp_approx(MINUS | INF, ftz, seed), MINUS);
        EXPECT_EQ(rcp_approx(MINUS, ftz, seed), MINUS | INF);
        EXPECT_EQ(rcp_approx(0, ftz, seed), INF);
        EXPECT_EQ(rcp_approx(INF, ftz, seed), 0u);
        EXPECT_EQ(rsqrt_approx(MINUS | INF, ftz, seed), NAN_F32);
        EXPECT_EQ(rsqrt_approx(bits(-2), ftz, seed), NAN_F32);
        EXPECT_EQ(rsqrt_approx(MINUS, ftz, seed), MINUS | INF);
        EXPECT_EQ(rsqrt_approx(0, ftz, seed), INF);
        EXPECT_EQ(rsqrt_approx(INF, ftz, seed), 0u);
        EXPECT_EQ(sqrt_approx(MINUS | INF, ftz, seed), NAN_F32);
        EXPECT_EQ(sqrt_approx(MINUS, ftz, seed), MINUS);
        EXPECT_EQ(sqrt_approx(0, ftz, seed), 0u);
        EXPECT_EQ(sqrt_approx(INF, ftz, seed), INF);
        EXPECT_EQ(sin_approx(INF, ftz, seed), NAN_F32);
        EXPECT_EQ(sin_approx(MINUS, ftz, seed), MINUS);
        EXPECT_EQ(cos_approx(MINUS | INF, ftz, seed), NAN_F32);
        EXPECT_EQ(cos_approx(0, ftz, seed), ONE);
    }
    EXPECT_EQ(tanh_approx(MINUS | INF, seed), MINUS | ONE);
    EXPECT_EQ(tanh_approx(INF, seed), ONE);
    EXPECT_EQ(tanh_approx(MINUS, seed), MINUS);
    EXPECT_EQ(tanh_approx(SUBNORMAL, seed), SUBNORMAL) << "subnormal operands pass through";
    EXPECT_EQ(tanh_approx(0x7FC00000, seed), NAN_F32);
    // .ftz: a subnormal operand is 0.
    EXPECT_EQ(lg2_approx(SUBNORMAL, true, seed), MINUS | INF);
    EXPECT_EQ(rcp_approx(MINUS | SUBNORMAL, true, seed), MINUS | INF);
    EXPECT_EQ(rsqrt_approx(SUBNORMAL, true, seed), INF);
    EXPECT_EQ(ex2_approx(bits(-130), true, seed), 0u);
    EXPECT_NE(ex2_approx(bits(-130), false, seed), 0u);
    // A divisor beyond 2^126 counts as infinite.
    EXPECT_EQ(div_approx(MINUS | ONE, bits(0x1p127f), false, seed), MINUS);
    EXPECT_EQ(div_approx(INF, bits(0x1p127f), false, seed), NAN_F32);
    EXPECT_EQ(div_full(INF, bits(0x1p127f), false, seed), INF);
    // 16 bits.
    EXPECT_EQ(ex2_approx_float16(0x8000, Float16::F16, seed), 0x3C00);
    EXPECT_EQ(ex2_approx_float16(0xFC00, Float16::F16, seed), 0);
    EXPECT_EQ(ex2_approx_float16(0x7F80, Float16::BF16, seed), 0x7F80);
    EXPECT_EQ(tanh_approx_float16(0xFC00, Float16::F16, seed), 0xBC00);
    EXPECT_EQ(tanh_approx_float16(0x8000, Float16::BF16, seed), 0x8000);
    EXPECT_EQ(tanh_approx_float16(0x7E00, Float16::F16, seed), NAN_F16);
}

TEST(PtxApproximate, IsWithinTheBoundsAndUsesThem) {
    const auto check = [](const char* name, auto function, std::function<double(double)> exact, float low, float high,
                           std::function<double(double)> allowed) {
        std::mt19937 random(7);
        std::uniform_real_distribution<float> operands(low, high);
        double most = 0;
        for (int i = 0; i < 20000; i++) {
            const float x = operands(random);
            const double right = exact(x), bound = allowed(right);
            EXPECT_LE(std::fabs(double(f32(function(bits(x), 0))) - right), 0.51 * ulp(right)) << name << " " << x << " without a seed";
            const double error = std::fabs(double(f32(function(bits(x), uint64_t(i) + 1))) - right);
            ASSERT_LE(error, bound) << name << " " << x;
            most = std::max(most, error / bound);
        }
        EXPECT_GT(most, 0.9) << name << " does not use its bound";
    };
    const auto within_relative = [](double bound) { return [=](double exact) { return std::fabs(exact) * bound; }; };
    const auto absolute = [](double bound) { return [=](double) { return bound; }; };
    const auto ulps = [](double count) { return [=](double exact) { return count * ulp(exact); }; };
    check("ex2", [](uint32_t a, uint64_t s) { return ex2_approx(a, true, s); }, [](double x) { return std::exp2(x); }, -120, 120,
          ulps(2.51));
    check("lg2 near 1", [](uint32_t a, uint64_t s) { return lg2_approx(a, true, s); }, [](double x) { return std::log2(x); }, 0.51f,
          1.99f, absolute(0x1p-22));
    check("lg2", [](uint32_t a, uint64_t s) { return lg2_approx(a, true, s); }, [](double x) { return std::log2(x); }, 2, 1e6f,
          within_relative(0x1p-22));
    check("rcp", [](uint32_t a, uint64_t s) { return rcp_approx(a, true, s); }, [](double x) { return 1 / x; }, 0.1f, 100, ulps(1));
    check("rsqrt", [](uint32_t a, uint64_t s) { return rsqrt_approx(a, true, s); }, [](double x) { return 1 / std::sqrt(x); }, 0.1f,
          100, within_relative(std::exp2(-22.9)));
    check("sqrt", [](uint32_t a, uint64_t s) { return sqrt_approx(a, true, s); }, [](double x) { return std::sqrt(x); }, 0.1f, 100,
          within_relative(0x1p-23));
    check("sin", [](uint32_t a, uint64_t s) { return sin_approx(a, true, s); }, [](double x) { return std::sin(x); }, -6.28f, 6.28f,
          absolute(std::exp2(-20.5)));
    check("cos far", [](uint32_t a, uint64_t s) { return cos_approx(a, true, s); }, [](double x) { return std::cos(x); }, 6.29f, 314,
          absolute(std::exp2(-14.7)));
    check("tanh", [](uint32_t a, uint64_t s) { return tanh_approx(a, s); }, [](double x) { return std::tanh(x); }, -3, 3,
          within_relative(0x1p-11));
    check("div", [](uint32_t a, uint64_t s) { return div_full(bits(3.7f), a, true, s); }, [](double x) { return double(3.7f) / x; },
          0.1f, 100, ulps(2));
}

TEST(PtxApproximate, SixteenBitsAreWithinTheBounds) {
    for (const Float16 format : {Float16::F16, Float16::BF16}) {
        const bool f16 = format == Float16::F16;
        for (uint64_t seed = 0; seed < 50; seed++) {
            for (double x = -7; x < 7; x += 0.03125) {
                const uint16_t a = to_float16(x, format);
                const double of_a = from_float16(a, format), power = std::exp2(of_a);
                EXPECT_LE(std::fabs(from_float16(ex2_approx_float16(a, format, seed), format) - power),
                          power * std::exp2(f16 ? -9.9 : -7));
                EXPECT_LE(std::fabs(from_float16(tanh_approx_float16(a, format, seed), format) - std::tanh(of_a)),
                          std::exp2(f16 ? -10.987 : -8));
            }
        }
    }
}

TEST(PtxApproximate, DependsOnSeedAndOperandAlone) {
    EXPECT_EQ(ex2_approx(bits(0.3f), true, 5), ex2_approx(bits(0.3f), true, 5));
    int different = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) different += ex2_approx(bits(0.3f), true, seed) != ex2_approx(bits(0.3f), true, 0);
    EXPECT_GT(different, 5);
}

}  // namespace
