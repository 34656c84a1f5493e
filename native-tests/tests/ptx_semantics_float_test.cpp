// SPDX-License-Identifier: Apache-2.0
// Conversions and floating-point arithmetic to the last bit; the values were worked out by hand from the PTX ISA's text.
#include <gtest/gtest.h>

#include "../ptx/semantics/arithmetic.h"

using namespace ptx;

namespace {

constexpr Round ALL[] = {Round::RN, Round::RZ, Round::RM, Round::RP};
constexpr uint32_t INF = 0x7F800000, ONE = 0x3F800000;

uint32_t bits(float x) { return std::bit_cast<uint32_t>(x); }

TEST(PtxConvert, ToF16InEachMode) {
    // Between 0x3C00 (1) and 0x3C01 (1 + 2^-10): a tie, and on either side of it.
    const float tie = 1 + 0x1p-11f, below = 1 + 0x1p-12f, above = 1 + 0x1.8p-11f;
    const uint16_t of_tie[] = {0x3C00, 0x3C00, 0x3C00, 0x3C01}, of_above[] = {0x3C01, 0x3C00, 0x3C00, 0x3C01};
    const uint16_t of_minus_tie[] = {0xBC00, 0xBC00, 0xBC01, 0xBC00};
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(to_f16(tie, ALL[i]), of_tie[i]);
        EXPECT_EQ(to_f16(below, ALL[i]), of_tie[i]);
        EXPECT_EQ(to_f16(above, ALL[i]), of_above[i]);
        EXPECT_EQ(to_f16(-tie, ALL[i]), of_minus_tie[i]);
    }
    EXPECT_EQ(to_f16(1 + 3 * 0x1p-11f), 0x3C02) << "a tie goes to the even one";
    // Overflow: 65504 is the largest, 65520 the tie with what would be 65536.
    EXPECT_EQ(to_f16(65519), 0x7BFF);
    EXPECT_EQ(to_f16(65520), 0x7C00);
    EXPECT_EQ(to_f16(1e9f, Round::RZ), 0x7BFF);
    EXPECT_EQ(to_f16(1e9f, Round::RM), 0x7BFF);
    EXPECT_EQ(to_f16(1e9f, Round::RP), 0x7C00);
    EXPECT_EQ(to_f16(-1e9f, Round::RM), 0xFC00);
    EXPECT_EQ(to_f16(-1e9f, Round::RP), 0xFBFF);
    // Subnormal: the least is 2^-24, half of it a tie with 0.
    EXPECT_EQ(to_f16(0x1p-24f), 0x0001);
    EXPECT_EQ(to_f16(0x1p-25f), 0x0000);
    EXPECT_EQ(to_f16(0x1.8p-25f), 0x0001);
    EXPECT_EQ(to_f16(0x1p-40f, Round::RP), 0x0001);
    EXPECT_EQ(to_f16(-0x1p-40f, Round::RP), 0x8000);
    EXPECT_EQ(to_f16(-0x1p-40f, Round::RM), 0x8001);
    EXPECT_EQ(to_f16(0x1.FF8p-15f), 0x03FF);
    EXPECT_EQ(to_f16(0x1.FFCp-15f), 0x0400) << "a tie with the least normal number";
    EXPECT_EQ(to_f16(f32(0xFFC12345)), 0x7FFF) << "the canonical NaN";
    EXPECT_EQ(to_f16(-INFINITY), 0xFC00);
    EXPECT_EQ(from_f16(0x3555), 0x1.554p-2f);
    EXPECT_EQ(from_f16(0x8001), -0x1p-24f);
}

TEST(PtxConvert, ToBf16AndTf32InEachMode) {
    const float tie = 1 + 0x1p-8f;  // bf16 has 7 bits of mantissa
    const uint16_t of_tie[] = {0x3F80, 0x3F80, 0x3F80, 0x3F81}, of_minus_tie[] = {0xBF80, 0xBF80, 0xBF81, 0xBF80};
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(to_bf16(tie, ALL[i]), of_tie[i]);
        EXPECT_EQ(to_bf16(-tie, ALL[i]), of_minus_tie[i]);
    }
    EXPECT_EQ(to_bf16(1 + 3 * 0x1p-8f), 0x3F82);
    EXPECT_EQ(to_bf16(0x1.FFFFFEp127f), 0x7F80) << "the largest float rounds up to infinity";
    EXPECT_EQ(to_bf16(0x1.FFFFFEp127f, Round::RZ), 0x7F7F);
    EXPECT_EQ(to_bf16(f32(0x00008000)), 0x0000) << "subnormal, a tie with 0";
    EXPECT_EQ(to_bf16(f32(0x00008001)), 0x0001);
    EXPECT_EQ(to_bf16(f32(0x7F800001)), 0x7FFF);
    EXPECT_EQ(to_bf16(-INFINITY, Round::RP), 0xFF80);

    const float third = 1 + 0x1p-11f;  // tf32 has 10 bits
    EXPECT_EQ(to_tf32(third), 0x3F802000u) << ".rna: a tie goes away from zero";
    EXPECT_EQ(to_tf32(-third), 0xBF802000u);
    EXPECT_EQ(to_tf32(third, Round::RN), 0x3F800000u);
    EXPECT_EQ(to_tf32(1 + 3 * 0x1p-11f, Round::RN), 0x3F804000u);
    EXPECT_EQ(to_tf32(third, Round::RZ), 0x3F800000u);
    EXPECT_EQ(to_tf32(f32(0x3F800FFF)), 0x3F800000u);
    EXPECT_EQ(to_tf32(0x1.FFFFFEp127f), INF);
    EXPECT_EQ(to_tf32(f32(0x7F812345)), NAN_F32);
    EXPECT_EQ(to_tf32(f32(0x00001000)), 0x00002000u) << "subnormal";
    EXPECT_EQ(from_tf32(0x3F803FFF), 1 + 0x1p-10f) << "the low 13 bits don't count";
}

TEST(PtxConvert, ReluAndSatfinite) {
    EXPECT_EQ(relu(to_f16(-2), NAN_F16), 0);
    EXPECT_EQ(relu(to_f16(-0.0f), NAN_F16), 0);
    EXPECT_EQ(relu(to_f16(2), NAN_F16), 0x4000);
    EXPECT_EQ(relu(to_f16(NAN), NAN_F16), NAN_F16);
    EXPECT_EQ(relu(to_tf32(-2), NAN_F32), 0u);
    EXPECT_EQ(to_f16(satfinite(INFINITY, MAX_F16)), 0x7BFF);
    EXPECT_EQ(to_f16(satfinite(-1e6f, MAX_F16)), 0xFBFF);
    EXPECT_EQ(to_bf16(satfinite(INFINITY, MAX_BF16)), 0x7F7F);
    EXPECT_EQ(to_tf32(satfinite(INFINITY, MAX_TF32)), 0x7F7FE000u);
    EXPECT_EQ(to_f16(satfinite(NAN, MAX_F16)), NAN_F16);
}

TEST(PtxConvert, EightBits) {
    EXPECT_EQ(to_float8(1, Float8::E4M3), 0x38);
    EXPECT_EQ(to_float8(448, Float8::E4M3), 0x7E);
    EXPECT_EQ(to_float8(1e9f, Float8::E4M3), 0x7E);
    EXPECT_EQ(to_float8(-INFINITY, Float8::E4M3), 0xFE);
    EXPECT_EQ(to_float8(NAN, Float8::E4M3), 0x7F);
    EXPECT_EQ(to_float8(0x1p-9f, Float8::E4M3), 0x01);
    EXPECT_EQ(to_float8(0x1p-10f, Float8::E4M3), 0x00) << "a tie with 0";
    EXPECT_EQ(to_float8(0x1.Fp-7f, Float8::E4M3), 0x08) << "rounds up to the least normal number";
    EXPECT_EQ(to_float8(1 + 0x1p-4f, Float8::E4M3), 0x38) << "a tie to even";
    EXPECT_EQ(to_float8(1 + 3 * 0x1p-4f, Float8::E4M3), 0x3A);
    EXPECT_EQ(to_float8(-1.9375f, Float8::E4M3), 0xC0) << "carries into the exponent";
    EXPECT_EQ(to_float8(1, Float8::E5M2), 0x3C);
    EXPECT_EQ(to_float8(57344, Float8::E5M2), 0x7B);
    EXPECT_EQ(to_float8(INFINITY, Float8::E5M2), 0x7B);
    EXPECT_EQ(to_float8(0x1p-16f, Float8::E5M2), 0x01);
    for (const Float8 format : {Float8::E4M3, Float8::E5M2}) {
        for (int code = 0; code < 256; code++) {
            const float x = from_float8(uint8_t(code), format);
            if (std::fabs(x) < INFINITY) {
                EXPECT_EQ(to_float8(x, format), code);
            }
        }
    }
    EXPECT_EQ(from_float8(0x7E, Float8::E4M3), 448);
    EXPECT_TRUE(std::isnan(from_float8(0xFF, Float8::E4M3)));
    EXPECT_EQ(from_float8(0x7C, Float8::E5M2), INFINITY);
}

TEST(PtxConvert, DoubleRoundsOnce) {
    // Just above a tie: rounding to float first would make it one.
    EXPECT_EQ(f64_to_f16(1 + 0x1p-11 + 0x1p-40), 0x3C01);
    EXPECT_EQ(f64_to_f16(1 + 0x1p-11), 0x3C00);
    EXPECT_EQ(f64_to_bf16(1 + 0x1p-8 + 0x1p-50), 0x3F81);
    EXPECT_EQ(f64_to_bf16(0x1p-200, Round::RP), 0x0001);
    EXPECT_EQ(f64_to_f32(1 + 0x1p-24), ONE);
    EXPECT_EQ(f64_to_f32(1 + 0x1p-24 + 0x1p-50), ONE + 1);
    const uint32_t of_tie[] = {ONE, ONE, ONE, ONE + 1}, minus = 0x80000000;
    const uint32_t of_minus_tie[] = {minus | ONE, minus | ONE, minus | (ONE + 1), minus | ONE};
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(f64_to_f32(1 + 0x1p-24, {ALL[i]}), of_tie[i]);
        EXPECT_EQ(f64_to_f32(-1 - 0x1p-24, {ALL[i]}), of_minus_tie[i]);
    }
    EXPECT_EQ(f64_to_f32(1e300), INF);
    EXPECT_EQ(f64_to_f32(1e300, {Round::RZ}), 0x7F7FFFFFu);
    EXPECT_EQ(f64_to_f32(0x1p-130, {Round::RN, true}), 0u) << ".ftz";
    EXPECT_EQ(f64_to_f32(-0x1p-130), 0x80080000u);
    EXPECT_EQ(f64_to_f32(NAN), NAN_F32);
}

TEST(PtxConvert, FloatToInteger) {
    const float values[] = {2.5f, 3.5f, -2.5f, -2.4f, 2.6f};
    const int32_t expected[4][5] = {{2, 4, -2, -2, 3}, {2, 3, -2, -2, 2}, {2, 3, -3, -3, 2}, {3, 4, -2, -2, 3}};
    for (int mode = 0; mode < 4; mode++) {
        for (int i = 0; i < 5; i++) {
            EXPECT_EQ(f32_to_integer<int32_t>(bits(values[i]), ALL[mode]), expected[mode][i]) << mode << " " << values[i];
            EXPECT_EQ(f32(integral_f32(bits(values[i]), {ALL[mode]})), float(expected[mode][i]));
        }
    }
    EXPECT_EQ(f32_to_integer<int32_t>(bits(3e9f), Round::RZ), INT32_MAX);
    EXPECT_EQ(f32_to_integer<int32_t>(bits(-3e9f), Round::RZ), INT32_MIN);
    EXPECT_EQ(f32_to_integer<uint32_t>(bits(-1), Round::RZ), 0u);
    EXPECT_EQ(f32_to_integer<uint32_t>(bits(3e9f), Round::RZ), 3000000000u);
    EXPECT_EQ(f32_to_integer<uint32_t>(INF, Round::RZ), 0xFFFFFFFFu);
    EXPECT_EQ(f32_to_integer<uint8_t>(bits(255.5f), Round::RN), 255);
    EXPECT_EQ(f32_to_integer<int16_t>(bits(-40000), Round::RZ), -32768);
    EXPECT_EQ(f32_to_integer<int64_t>(bits(1e30f), Round::RZ), INT64_MAX);
    EXPECT_EQ(f32_to_integer<uint64_t>(bits(1e19f), Round::RZ), 9999999980506447872u);
    // NaN: 0, but not from .f64 and not to 64 bits.
    EXPECT_EQ(f32_to_integer<int32_t>(NAN_F32, Round::RZ), 0);
    EXPECT_EQ(f32_to_integer<int64_t>(NAN_F32, Round::RZ), INT64_MIN);
    EXPECT_EQ(f32_to_integer<uint64_t>(NAN_F32, Round::RZ), uint64_t(1) << 63);
    EXPECT_EQ(to_integer<int32_t>(NAN, Round::RZ, true), INT32_MIN);
    EXPECT_EQ(to_integer<uint32_t>(NAN, Round::RZ, true), 0x80000000u);
    EXPECT_EQ(to_integer<int64_t>(-9007199254740993.0, Round::RZ, true), -9007199254740992);
    EXPECT_EQ(f32_to_integer<int32_t>(0x80000001, Round::RM), -1) << "a subnormal number";
    EXPECT_EQ(f32_to_integer<int32_t>(0x80000001, Round::RM, true), 0) << "flushed";
    EXPECT_EQ(integral_f32(bits(-0.3f), {Round::RN}), 0x80000000u);
}

TEST(PtxConvert, IntegerToFloat) {
    const int32_t tie = 0x1000001;  // 2^24 + 1
    const float expected[] = {0x1p24f, 0x1p24f, 0x1p24f, 0x1.000002p24f}, minus[] = {-0x1p24f, -0x1p24f, -0x1.000002p24f, -0x1p24f};
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(f32(integer_to_f32(tie, ALL[i])), expected[i]);
        EXPECT_EQ(f32(integer_to_f32(-tie, ALL[i])), minus[i]);
        EXPECT_EQ(f32(integer_to_f32(int64_t(-tie), ALL[i])), minus[i]);
    }
    // Just above a tie of float that double would make exact: 2^62 + 2^38 + 1.
    EXPECT_EQ(f32(integer_to_f32((int64_t(1) << 62) + (int64_t(1) << 38) + 1)), 0x1.000002p62f);
    EXPECT_EQ(f32(integer_to_f32((int64_t(1) << 62) + (int64_t(1) << 38))), 0x1p62f);
    EXPECT_EQ(f32(integer_to_f32(UINT64_MAX)), 0x1p64f);
    EXPECT_EQ(f32(integer_to_f32(UINT64_MAX, Round::RZ)), 0x1.FFFFFEp63f);
    EXPECT_EQ(f64(integer_to_f64((int64_t(1) << 53) + 1)), 0x1p53);
    EXPECT_EQ(f64(integer_to_f64((int64_t(1) << 53) + 1, Round::RP)), 0x1p53 + 2);
    EXPECT_EQ(f64(integer_to_f64(UINT64_MAX, Round::RZ)), 0x1.FFFFFFFFFFFFFp63);
    EXPECT_EQ(f64(integer_to_f64(INT64_MIN)), -0x1p63);
    EXPECT_EQ(integer_to_f16(2049), 0x6800);
    EXPECT_EQ(integer_to_f16(2049, Round::RP), 0x6801);
    EXPECT_EQ(integer_to_f16(int64_t(1) << 60), 0x7C00);
    EXPECT_EQ(integer_to_bf16(257), 0x4380);
    EXPECT_EQ(integer_to_bf16(257, Round::RP), 0x4381);
    EXPECT_EQ(saturate_integer<int8_t>(300), 127);
    EXPECT_EQ(saturate_integer<uint8_t>(-5), 0);
    EXPECT_EQ(saturate_integer<int32_t>(0xFFFFFFFFu), INT32_MAX);
}

TEST(PtxArithmetic, RoundsInEachMode) {
    const uint32_t tiny = bits(0x1p-30f), minus = 0x80000000;
    const uint32_t up[] = {ONE, ONE, ONE, ONE + 1}, down[] = {ONE, ONE - 1, ONE - 1, ONE};
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(add_f32(ONE, tiny, {ALL[i]}), up[i]);
        EXPECT_EQ(sub_f32(ONE, tiny, {ALL[i]}), down[i]);
        EXPECT_EQ(fma_f32(bits(0x1p-15f), bits(0x1p-15f), ONE, {ALL[i]}), up[i]);
        EXPECT_EQ(f64(add_f64(bits_of(1.0), bits_of(0x1p-60), ALL[i])), i == 3 ? 1 + 0x1p-52 : 1);
        EXPECT_EQ(f64(fma_f64(bits_of(0x1p-30), bits_of(0x1p-30), bits_of(1.0), ALL[i])), i == 3 ? 1 + 0x1p-52 : 1);
    }
    // 1/3 is between 0x3EAAAAAA and 0x3EAAAAAB, nearer to the latter.
    const uint32_t third[] = {0x3EAAAAAB, 0x3EAAAAAA, 0x3EAAAAAA, 0x3EAAAAAB};
    const uint32_t minus_third[] = {0xBEAAAAAB, 0xBEAAAAAA, 0xBEAAAAAB, 0xBEAAAAAA};
    // sqrt(2) between 0x3FB504F3 and 0x3FB504F4, nearer to the former.
    const uint32_t root[] = {0x3FB504F3, 0x3FB504F3, 0x3FB504F3, 0x3FB504F4};
    // (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24, a tie.
    const uint32_t square[] = {0x3F801000, 0x3F801000, 0x3F801000, 0x3F801001};
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(div_f32(ONE, bits(3), {ALL[i]}), third[i]);
        EXPECT_EQ(rcp_f32(bits(3), {ALL[i]}), third[i]);
        EXPECT_EQ(div_f32(ONE | minus, bits(3), {ALL[i]}), minus_third[i]);
        EXPECT_EQ(sqrt_f32(bits(2), {ALL[i]}), root[i]);
        EXPECT_EQ(mul_f32(bits(1 + 0x1p-12f), bits(1 + 0x1p-12f), {ALL[i]}), square[i]);
    }
    EXPECT_EQ(mul_f32(bits(0x1p100f), bits(0x1p100f)), INF);
    EXPECT_EQ(mul_f32(bits(0x1p100f), bits(0x1p100f), {Round::RZ}), 0x7F7FFFFFu);
    EXPECT_EQ(sub_f32(ONE, ONE), 0u);
    EXPECT_EQ(sub_f32(ONE, ONE, {Round::RM}), minus) << "x - x is -0 toward negative infinity";
    EXPECT_EQ(sqrt_f32(minus), minus);
    EXPECT_EQ(div_f64(bits_of(1.0), bits_of(3.0)), 0x3FD5555555555555u);
    EXPECT_EQ(div_f64(bits_of(1.0), bits_of(3.0), Round::RP), 0x3FD5555555555556u);
    EXPECT_EQ(sqrt_f64(bits_of(2.0)), 0x3FF6A09E667F3BCDu);
    EXPECT_EQ(sqrt_f64(bits_of(2.0), Round::RZ), 0x3FF6A09E667F3BCCu);
    EXPECT_EQ(1 + 0x1p-30f, f32(add_f32(ONE, tiny))) << "and the processor's mode is as it was";
}

TEST(PtxArithmetic, FlushesSaturatesAndHasOneNan) {
    const uint32_t subnormal = 0x00400000, minus = 0x80000000;
    EXPECT_EQ(add_f32(subnormal, subnormal), 0x00800000u);
    EXPECT_EQ(add_f32(subnormal, subnormal, {Round::RN, true}), 0u) << "operands are flushed";
    EXPECT_EQ(mul_f32(bits(0x1p-100f), bits(-0x1p-30f), {Round::RN, true}), minus) << "and results, with their sign";
    EXPECT_EQ(mul_f32(bits(0x1p-100f), bits(-0x1p-30f)), minus | 0x00080000u);
    EXPECT_EQ(fma_f32(ONE, ONE, bits(0.5f), {Round::RN, false, true}), ONE);
    EXPECT_EQ(sub_f32(ONE, bits(2), {Round::RN, false, true}), 0u);
    EXPECT_EQ(sub_f32(INF, INF, {Round::RN, false, true}), 0u) << "NaN is saturated to +0";
    EXPECT_EQ(add_f32(bits(0.25f), bits(0.25f), {Round::RN, false, true}), bits(0.5f));
    EXPECT_EQ(sub_f32(INF, INF), NAN_F32);
    EXPECT_EQ(add_f32(0xFFC00001, ONE), NAN_F32);
    EXPECT_EQ(sqrt_f32(bits(-1)), NAN_F32);
    EXPECT_EQ(fma_f32(INF, 0, ONE), NAN_F32);
    EXPECT_EQ(neg_f32(ONE), minus | ONE);
    EXPECT_EQ(abs_f32(minus | subnormal), subnormal);
    EXPECT_EQ(abs_f32(minus | subnormal, true), 0u);
    EXPECT_EQ(copysign_f32(minus, ONE), minus | ONE);
    EXPECT_EQ(copysign_f64(bits_of(-0.0), bits_of(2.0)), bits_of(-2.0));
    EXPECT_EQ(neg_f64(bits_of(2.0)), bits_of(-2.0));
}

TEST(PtxArithmetic, MinimumAndMaximum) {
    const uint32_t minus = 0x80000000, nan = 0x7FC00000;
    EXPECT_EQ(min_f32(bits(-1), bits(-2)), bits(-2));
    EXPECT_EQ(max_f32(bits(-1), bits(-2)), bits(-1));
    EXPECT_EQ(min_f32(0, minus), minus) << "+0 > -0";
    EXPECT_EQ(min_f32(minus, 0), minus);
    EXPECT_EQ(max_f32(0, minus), 0u);
    EXPECT_EQ(max_f32(minus, 0), 0u);
    EXPECT_EQ(max_f32(nan, bits(-3)), bits(-3)) << "the other operand";
    EXPECT_EQ(min_f32(bits(-3), nan), bits(-3));
    EXPECT_EQ(min_f32(nan, 0xFFC00000), NAN_F32);
    EXPECT_EQ(max_f32(nan, ONE, {false, true}), NAN_F32);
    EXPECT_EQ(min_f32(bits(-3), bits(2), {false, false, true}), bits(-2)) << "the less of 3 and 2, with the sign of the product";
    EXPECT_EQ(max_f32(bits(-3), bits(-2), {false, false, true}), bits(3));
    EXPECT_EQ(max_f32(0x00000001, minus | 0x00000001, {true}), 0u);
    EXPECT_EQ(min_f64(bits_of(-0.0), bits_of(0.0)), bits_of(-0.0));
    EXPECT_EQ(max_f64(bits_of(NAN), bits_of(5.0)), bits_of(5.0));
    EXPECT_EQ(min_float16(0x3C00, 0xC000, Float16::F16), 0xC000);
    EXPECT_EQ(max_float16(0x7E00, 0xC000, Float16::F16), 0xC000);
    EXPECT_EQ(max_float16(0x7D00, 0xC000, Float16::BF16), 0x7D00) << "a number of bf16";
}

TEST(PtxArithmetic, SixteenBits) {
    const auto f16 = [](double x) { return f64_to_f16(x); };
    const auto bf16 = [](double x) { return f64_to_bf16(x); };
    EXPECT_EQ(add_float16(f16(1), f16(0x1p-11), Float16::F16), 0x3C00) << "a tie";
    EXPECT_EQ(add_float16(f16(1), f16(0x1.4p-11), Float16::F16), 0x3C01);
    EXPECT_EQ(sub_float16(f16(1), f16(1), Float16::F16), 0);
    EXPECT_EQ(mul_float16(f16(-0.0), f16(3), Float16::F16), 0x8000);
    EXPECT_EQ(mul_float16(f16(0x1p-14), f16(0x1p-10), Float16::F16), 0x0001);
    EXPECT_EQ(mul_float16(f16(0x1p-14), f16(0x1p-10), Float16::F16, {true}), 0);
    EXPECT_EQ(fma_float16(f16(300), f16(300), f16(-65504), Float16::F16), f16(24496));
    EXPECT_EQ(fma_float16(f16(1 + 0x1p-10), f16(1 + 0x1p-10), f16(0), Float16::F16), f16(1 + 0x1p-9));
    EXPECT_EQ(fma_float16(f16(1), f16(1 + 0x1p-10), f16(0x1p-11), Float16::F16), f16(1 + 0x1p-9)) << "a tie to even";
    EXPECT_EQ(fma_float16(f16(0.5), f16(0x1p-10), f16(1), Float16::F16), f16(1)) << "a tie to even";
    EXPECT_EQ(fma_float16(f16(0.5 + 0x1p-11), f16(0x1p-10), f16(1), Float16::F16), f16(1 + 0x1p-10)) << "just above it";
    EXPECT_EQ(add_float16(f16(0.75), f16(0.75), Float16::F16, {false, true}), 0x3C00);
    EXPECT_EQ(add_float16(f16(-0.75), f16(0.5), Float16::F16, {false, false, true}), 0);
    EXPECT_EQ(add_float16(f16(INFINITY), f16(-INFINITY), Float16::F16, {false, true}), 0);
    EXPECT_EQ(add_float16(f16(INFINITY), f16(-INFINITY), Float16::F16), NAN_F16);
    EXPECT_EQ(fma_float16(bf16(0x1p-100), bf16(0x1p-100), bf16(1), Float16::BF16), 0x3F80) << "beyond a float's range";
    EXPECT_EQ(fma_float16(bf16(0x1p100), bf16(0x1p100), bf16(-INFINITY), Float16::BF16), 0xFF80);
    EXPECT_EQ(fma_float16(bf16(1), bf16(1 + 0x1p-7), bf16(0x1p-8), Float16::BF16), bf16(1 + 0x1p-6)) << "a tie to even";
    EXPECT_EQ(fma_float16(bf16(1), bf16(1), bf16(0x1p-8), Float16::BF16), 0x3F80);
    EXPECT_EQ(fma_float16(bf16(0x1p-120), bf16(0x1p-120), bf16(1 + 0x1p-7), Float16::BF16), 0x3F81);
    const auto add = [](uint16_t a, uint16_t b) { return add_float16(a, b, Float16::F16); };
    EXPECT_EQ(on_halves(add, 0x3C004000u, 0x40003C00u), 0x42004200u);
}

}  // namespace
