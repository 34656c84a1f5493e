// SPDX-License-Identifier: Apache-2.0
// Integer instructions and exchanges between lanes; the values were worked out by hand from the PTX ISA's text.
#include <gtest/gtest.h>

#include <algorithm>

#include "../ptx/semantics/integer.h"
#include "../ptx/semantics/lanes.h"

using namespace ptx;

namespace {

TEST(PtxInteger, PermutesBytes) {
    const uint32_t a = 0x83828180, b = 0x07060504;  // the bytes are their own numbers, those of a with the sign set
    EXPECT_EQ(prmt(a, b, 0x3210), a);
    EXPECT_EQ(prmt(a, b, 0x7654), b);
    EXPECT_EQ(prmt(a, b, 0x0527), 0x80058207u);
    EXPECT_EQ(prmt(a, b, 0xB8C4), 0xFFFF0004u) << "bit 3 of a selector replicates the sign";
    EXPECT_EQ(prmt(a, b, 0xFFFF3210), a) << "only 16 bits of the selector count";
}

TEST(PtxInteger, PermutesBytesByAddress) {
    const uint32_t a = 0x33221100, b = 0x77665544;
    const uint32_t expected[6][4] = {
        {0x33221100, 0x44332211, 0x55443322, 0x66554433},  // f4e
        {0x55667700, 0x66770011, 0x77001122, 0x00112233},  // b4e
        {0x00000000, 0x11111111, 0x22222222, 0x33333333},  // rc8
        {0x33221100, 0x33221111, 0x33222222, 0x33333333},  // ecl
        {0x00000000, 0x11111100, 0x22221100, 0x33221100},  // ecr
        {0x11001100, 0x33223322, 0x11001100, 0x33223322},  // rc16
    };
    for (int mode = 0; mode < 6; mode++) {
        for (uint32_t c = 0; c < 4; c++) {
            EXPECT_EQ(prmt(a, b, c | 0xF0, Permute(mode + 1)), expected[mode][c]) << mode << " " << c;
        }
    }
}

TEST(PtxInteger, ExtractsAndInsertsFields) {
    EXPECT_EQ(bfe(0x12345678u, 8, 12), 0x456u);
    EXPECT_EQ(bfe(int32_t(0x12345678), 4, 4), 7);
    EXPECT_EQ(bfe(int32_t(0x12345688), 4, 4), -8);
    EXPECT_EQ(bfe(int32_t(0x80000000), 28, 8), -8) << "past the top the sign is that of the whole";
    EXPECT_EQ(bfe(0x80000000u, 28, 8), 8u);
    EXPECT_EQ(bfe(int32_t(0x80000000), 40, 5), -1);
    EXPECT_EQ(bfe(0x80000000u, 40, 5), 0u);
    EXPECT_EQ(bfe(int32_t(0x80000000), 40, 0), 0) << "no length";
    EXPECT_EQ(bfe(int32_t(0x40000000), 0, 31), int32_t(0xC0000000));
    EXPECT_EQ(bfe(0xFFFFFFFFu, 0x100, 0x104), 15u) << "8 bits of position and length count";
    EXPECT_EQ(bfe(int64_t(0x00F0000000000000), 52, 4), -1);
    EXPECT_EQ(bfe(uint64_t(0x123456789ABCDEF0), 0, 64), 0x123456789ABCDEF0u);

    EXPECT_EQ(bfi(0xABu, 0xFFFFFFFFu, 8, 8), 0xFFFFABFFu);
    EXPECT_EQ(bfi(0xABu, 0u, 28, 8), 0xB0000000u) << "what is past the top is cut";
    EXPECT_EQ(bfi(0xABu, 0x1234u, 8, 0), 0x1234u);
    EXPECT_EQ(bfi(0xABu, 0x1234u, 32, 8), 0x1234u);
    EXPECT_EQ(bfi(0x89ABCDEFu, 0x1234u, 0, 32), 0x89ABCDEFu);
    EXPECT_EQ(bfi(uint64_t(5), uint64_t(0), 60, 4), 0x5000000000000000u);
}

TEST(PtxInteger, Shifts) {
    EXPECT_EQ(shl(1u, 31), 0x80000000u);
    EXPECT_EQ(shl(1u, 32), 0u);
    EXPECT_EQ(shr(0x80000000u, 0xFFFFFFFF), 0u);
    EXPECT_EQ(shr(int32_t(0x80000000), 31), -1);
    EXPECT_EQ(shr(int32_t(0x80000000), 99), -1);
    EXPECT_EQ(shr(int16_t(-4), 1), -2);
    EXPECT_EQ(shl(uint16_t(0xFFFF), 15), 0x8000);

    const uint32_t low = 0x89ABCDEF, high = 0x01234567;
    EXPECT_EQ(shf_l(low, high, 8, ShiftMode::WRAP), 0x23456789u);
    EXPECT_EQ(shf_r(low, high, 8, ShiftMode::WRAP), 0x6789ABCDu);
    EXPECT_EQ(shf_l(low, high, 32, ShiftMode::WRAP), high);
    EXPECT_EQ(shf_r(low, high, 32, ShiftMode::WRAP), low);
    EXPECT_EQ(shf_l(low, high, 50, ShiftMode::CLAMP), low);
    EXPECT_EQ(shf_r(low, high, 50, ShiftMode::CLAMP), high);
    EXPECT_EQ(shf_l(low, high, 0, ShiftMode::CLAMP), high);
    EXPECT_EQ(shf_r(low, high, 0, ShiftMode::CLAMP), low);
}

TEST(PtxInteger, Multiplies) {
    EXPECT_EQ(mul_hi(0xFFFFFFFFu, 0xFFFFFFFFu), 0xFFFFFFFEu);
    EXPECT_EQ(mul_hi(int32_t(-1), int32_t(-1)), 0);
    EXPECT_EQ(mul_hi(int32_t(-1), int32_t(1)), -1);
    EXPECT_EQ(mul_hi(uint64_t(1) << 63, uint64_t(6)), 3u);
    EXPECT_EQ(mul_hi(INT64_MIN, int64_t(2)), -1);
    EXPECT_EQ(mul_lo(uint16_t(0xFFFF), uint16_t(0xFFFF)), 1);
    EXPECT_EQ(mul_lo(0x10001u, 0x10001u), 0x20001u);
    EXPECT_EQ(mul_wide(int16_t(-300), int16_t(300)), -90000);
    EXPECT_EQ(mul_wide(0xFFFFFFFFu, 2u), 0x1FFFFFFFEu);
    EXPECT_EQ(mad_hi(0x80000000u, 2u, 0xFFFFFFFFu), 0u);
    EXPECT_EQ(mad_lo(3, -4, 5), -7);
    EXPECT_EQ(mad_wide(3u, 0x80000000u, uint64_t(1)), 0x180000001u);
    EXPECT_EQ(mul24_lo(0xFF000003u, 0xAA000005u), 15u);
    EXPECT_EQ(mul24_hi(0x00800000u, 0x00800000u), 0x40000000u);
    EXPECT_EQ(mul24_lo(int32_t(0x00FFFFFF), 7), -7) << "bit 23 is the sign";
    EXPECT_EQ(mul24_hi(int32_t(0x00FFFFFF), 1), -1);
}

TEST(PtxInteger, DividesWithoutATrap) {
    EXPECT_EQ(ptx::div(7, -2), -3);
    EXPECT_EQ(ptx::rem(7, -2), 1);
    EXPECT_EQ(ptx::rem(-7, 2), -1);
    EXPECT_EQ(ptx::div(INT32_MIN, -1), INT32_MIN);
    EXPECT_EQ(ptx::rem(INT32_MIN, -1), 0);
    EXPECT_EQ(ptx::div(INT64_MIN, int64_t(-1)), INT64_MIN);
    EXPECT_EQ(ptx::div(5u, 0u), 0xFFFFFFFFu);
    EXPECT_EQ(ptx::rem(5u, 0u), 5u);
    EXPECT_EQ(ptx::abs(INT32_MIN), INT32_MIN);
    EXPECT_EQ(ptx::sad(3, 10, 100), 107);
    EXPECT_EQ(ptx::sad(0xFFFFFFFFu, 1u, 5u), 3u);
}

TEST(PtxInteger, CountsBits) {
    EXPECT_EQ(popc(0xF0F0u), 8u);
    EXPECT_EQ(clz(1u), 31u);
    EXPECT_EQ(clz(0u), 32u);
    EXPECT_EQ(clz(uint64_t(1)), 63u);
    EXPECT_EQ(brev(0x00000001u), 0x80000000u);
    EXPECT_EQ(brev(0x12345678u), 0x1E6A2C48u);
    EXPECT_EQ(brev(uint64_t(3)), 0xC000000000000000u);
    EXPECT_EQ(bfind(0x00400000u), 22u);
    EXPECT_EQ(bfind(0u), 0xFFFFFFFFu);
    EXPECT_EQ(bfind(int32_t(-1)), 0xFFFFFFFFu);
    EXPECT_EQ(bfind(int32_t(-2)), 0u);
    EXPECT_EQ(bfind(int32_t(-256)), 7u);
    EXPECT_EQ(bfind_shiftamt(0x00400000u), 9u);
    EXPECT_EQ(bfind_shiftamt(0u), 0xFFFFFFFFu);
    EXPECT_EQ(bfind(uint64_t(1) << 40), 40u);
    EXPECT_EQ(fns(0b10110100, 0, 1), 2u);
    EXPECT_EQ(fns(0b10110100, 3, 2), 5u);
    EXPECT_EQ(fns(0b10110100, 6, -1), 5u);
    EXPECT_EQ(fns(0b10110100, 7, -3), 4u);
    EXPECT_EQ(fns(0b10110100, 7, 0), 7u);
    EXPECT_EQ(fns(0b10110100, 6, 0), 0xFFFFFFFFu);
    EXPECT_EQ(fns(0b10110100, 0, 5), 0xFFFFFFFFu);
}

TEST(PtxInteger, CombinesByATable) {
    const uint32_t a = 0xFF00F0CA, b = 0x0FF0A5A5, c = 0x3C3C5A69;
    EXPECT_EQ(lop3(a, b, c, 0x80), a & b & c);
    EXPECT_EQ(lop3(a, b, c, 0xFE), a | b | c);
    EXPECT_EQ(lop3(a, b, c, 0x40), a & b & ~c);
    EXPECT_EQ(lop3(a, b, c, 0x1A), ((a & b) | c) ^ a);
    EXPECT_EQ(lop3(a, b, c, 0x96), a ^ b ^ c);
    EXPECT_EQ(lop3(a, b, c, 0xF0), a);
    EXPECT_EQ(lop3(a, b, c, 0xCC), b);
    EXPECT_EQ(lop3(a, b, c, 0xAA), c);
    EXPECT_EQ(lop3(a, b, c, 0), 0u);
}

TEST(PtxInteger, ExtendsAndMasks) {
    EXPECT_EQ(szext(int32_t(0x000000F8), 8, ShiftMode::WRAP), -8);
    EXPECT_EQ(szext(0xFFFFFFF8u, 8, ShiftMode::WRAP), 0xF8u);
    EXPECT_EQ(szext(0xFFFFFFF8u, 40, ShiftMode::WRAP), 0xF8u);
    EXPECT_EQ(szext(0xFFFFFFF8u, 40, ShiftMode::CLAMP), 0xFFFFFFF8u);
    EXPECT_EQ(szext(0xFFFFFFF8u, 0, ShiftMode::CLAMP), 0u);
    EXPECT_EQ(bmsk(4, 8, ShiftMode::WRAP), 0xFF0u);
    EXPECT_EQ(bmsk(28, 8, ShiftMode::WRAP), 0xF0000000u);
    EXPECT_EQ(bmsk(4, 32, ShiftMode::WRAP), 0u);
    EXPECT_EQ(bmsk(4, 32, ShiftMode::CLAMP), 0xFFFFFFF0u);
    EXPECT_EQ(bmsk(36, 8, ShiftMode::CLAMP), 0u);
}

TEST(PtxInteger, AddsDotProducts) {
    EXPECT_EQ((dp4a<uint32_t, uint32_t>(0x01020304, 0x05060708, 10)), 10u + 5 + 12 + 21 + 32);
    EXPECT_EQ((dp4a<int32_t, int32_t>(0xFF02FE04, 0x05FF0708, 0)), uint32_t(-5 - 2 - 14 + 32));
    EXPECT_EQ((dp4a<uint32_t, int32_t>(0xFF000000, 0xFF000000, 0)), uint32_t(-255));
    EXPECT_EQ((dp2a<int32_t, int32_t>(0xFFFF0002, 0x04030201, 1, false)), uint32_t(1 + 2 * 1 - 2));
    EXPECT_EQ((dp2a<int32_t, int32_t>(0xFFFF0002, 0x04030201, 1, true)), uint32_t(1 + 2 * 3 - 4));
    EXPECT_EQ((dp2a<uint32_t, uint32_t>(0xFFFF0002, 0x04030201, 0, true)), 6u + 4 * 65535);
}

TEST(PtxLanes, Shuffle) {
    const auto source = [](Shuffle mode, int lane, uint32_t b, uint32_t c) {
        const ShuffleSource s = shfl(mode, lane, b, c);
        return s.in_range ? s.lane : -1 - s.lane;  // out of range: its own lane, negated
    };
    // Over the whole warp: c is 31, or 0 upwards.
    EXPECT_EQ(source(Shuffle::BFLY, 5, 16, 31), 21);
    EXPECT_EQ(source(Shuffle::DOWN, 5, 16, 31), 21);
    EXPECT_EQ(source(Shuffle::DOWN, 20, 16, 31), -21);
    EXPECT_EQ(source(Shuffle::UP, 20, 16, 0), 4);
    EXPECT_EQ(source(Shuffle::UP, 5, 16, 0), -6);
    EXPECT_EQ(source(Shuffle::IDX, 5, 31, 31), 31);
    EXPECT_EQ(source(Shuffle::IDX, 5, 32 + 3, 31), 3) << "5 bits of b count";
    // In segments of 8: the mask is 0b11000.
    EXPECT_EQ(source(Shuffle::DOWN, 9, 6, 0x1807 | 24), 15);
    EXPECT_EQ(source(Shuffle::DOWN, 10, 6, 0x1807 | 24), -11);
    EXPECT_EQ(source(Shuffle::UP, 10, 2, 0x1800), 8);
    EXPECT_EQ(source(Shuffle::UP, 10, 3, 0x1800), -11);
    EXPECT_EQ(source(Shuffle::IDX, 21, 3, 0x181F), 19);
    EXPECT_EQ(source(Shuffle::IDX, 21, 11, 0x181F), 19) << "a lane of the own segment";
    EXPECT_EQ(source(Shuffle::BFLY, 21, 8, 0x181F), -22) << "the next segment's lane 29 is past this one's end";
    EXPECT_EQ(source(Shuffle::BFLY, 29, 8, 0x181F), 21) << "but an earlier segment's lane is in range, as the ISA has it";
}

TEST(PtxLanes, VoteMatchAndReduce) {
    EXPECT_TRUE(vote_all(0xFFFF00FF, 0xFF));
    EXPECT_FALSE(vote_all(0xFFFF00FF, 0x1FF));
    EXPECT_TRUE(vote_any(0x100, 0xFF00));
    EXPECT_FALSE(vote_any(0x100, 0xFF));
    EXPECT_TRUE(vote_uni(0x100, 0xFF));
    EXPECT_TRUE(vote_uni(0xFF, 0xFF));
    EXPECT_FALSE(vote_uni(0x0F, 0xFF));
    EXPECT_EQ(vote_ballot(0xF0F0, 0xFF00), 0xF000u);

    uint32_t values[32];
    for (uint32_t lane = 0; lane < 32; lane++) values[lane] = lane / 4;
    EXPECT_EQ(match_any(values, values[9], 0xFFFFFFFF), 0xF00u);
    EXPECT_EQ(match_any(values, values[9], 0xFFFFFBFF), 0xB00u);
    EXPECT_EQ(match_all(values, 0xF00), 0xF00u);
    EXPECT_EQ(match_all(values, 0xF10), 0u);
    EXPECT_EQ(redux(Reduction::ADD, values, 0x1111), 0u + 1 + 2 + 3);
    EXPECT_EQ(redux(Reduction::MAX, values, 0xFFFFFFFF), 7u);
    EXPECT_EQ(redux(Reduction::XOR, values, 0x01100000), 5u ^ 6u);
    int32_t signs[32];
    std::fill_n(signs, 32, 5);
    signs[7] = -3;
    EXPECT_EQ(redux(Reduction::MIN, signs, 0xFFFFFFFF), -3);
    EXPECT_EQ(redux(Reduction::MIN, signs, 0xFFFFFF7F), 5);
    EXPECT_EQ(redux(Reduction::AND, values, 0xF0000000), 7u);
    EXPECT_EQ(redux(Reduction::OR, values, 0x110), 3u);
}

}  // namespace
