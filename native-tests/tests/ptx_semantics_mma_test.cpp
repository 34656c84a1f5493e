// SPDX-License-Identifier: Apache-2.0
// mma.sync, its fragments and matrix loads. The tables are checked entry by entry against rows copied from the PTX ISA's figures,
// products against plain loops over matrices that are dealt out to the lanes by the tables.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "../ptx/semantics/ldmatrix.h"
#include "../ptx/semantics/mma.h"

using namespace ptx;

namespace {

constexpr const char* FORMS[] = {
    "m16n8k8.row.col.f32.f16.f16.f32",   "m16n8k8.row.col.f16.f16.f16.f16",   "m16n8k16.row.col.f32.f16.f16.f32",
    "m16n8k16.row.col.f16.f16.f16.f16",  "m16n8k8.row.col.f32.bf16.bf16.f32", "m16n8k16.row.col.f32.bf16.bf16.f32",
    "m16n8k4.row.col.f32.tf32.tf32.f32", "m16n8k8.row.col.f32.tf32.tf32.f32", "m8n8k16.row.col.s32.s8.s8.s32",
    "m16n8k16.row.col.s32.u8.s8.s32",    "m16n8k32.row.col.s32.s8.u8.s32",    "m16n8k32.row.col.satfinite.s32.u8.u8.s32",
    "m8n8k4.row.col.f64.f64.f64.f64",    "m16n8k4.row.col.f64.f64.f64.f64",   "m16n8k8.row.col.f64.f64.f64.f64",
    "m16n8k16.row.col.f64.f64.f64.f64",
};

// ---- the tables ----

TEST(PtxMma, KnowsItsForms) {
    for (const char* name : FORMS) EXPECT_TRUE(MmaForm::parse(name)) << name;
    for (const char* name : {"m16n8k16.col.row.f32.f16.f16.f32", "m16n8k16.row.col.f32.f16.bf16.f32", "m16n8k32.row.col.f32.f16.f16.f32",
                             "m16n8k16.row.col.f32.tf32.tf32.f32", "m16n8k8.row.col.bf16.bf16.bf16.bf16", "m16n8k8", "",
                             "m16n8k8.row.col.satfinite.f32.tf32.tf32.f32", "m16n8k32.row.col.f32.e4m3.e4m3.f32"}) {
        EXPECT_FALSE(MmaForm::parse(name)) << name;
    }
    const MmaForm form = *MmaForm::parse("m16n8k16.row.col.f32.bf16.bf16.f32");
    EXPECT_EQ(form.a_registers(), 4);
    EXPECT_EQ(form.b_registers(), 2);
    EXPECT_EQ(form.c_registers(), 4);
    EXPECT_EQ(MmaForm::parse("m16n8k16.row.col.f16.f16.f16.f16")->d_registers(), 2);
    EXPECT_EQ(MmaForm::parse("m16n8k32.row.col.s32.s8.u8.s32")->a_registers(), 4);
    EXPECT_EQ(MmaForm::parse("m8n8k4.row.col.f64.f64.f64.f64")->a_registers(), 1);
}

TEST(PtxMma, EveryElementIsHeldOnce) {
    for (const char* name : FORMS) {
        const MmaForm form = *MmaForm::parse(name);
        std::set<std::pair<int, int>> a, b, c;
        for (int lane = 0; lane < 32; lane++) {
            for (int i = 0; i < form.a_elements(); i++) a.insert({a_position(form, lane, i).row, a_position(form, lane, i).column});
            for (int i = 0; i < form.b_elements(); i++) b.insert({b_position(form, lane, i).row, b_position(form, lane, i).column});
            for (int i = 0; i < form.c_elements(); i++) c.insert({c_position(form, lane, i).row, c_position(form, lane, i).column});
        }
        EXPECT_EQ(int(a.size()), form.m * form.k) << name;
        EXPECT_EQ(int(b.size()), form.k * form.n) << name;
        EXPECT_EQ(int(c.size()), form.m * form.n) << name;
        EXPECT_EQ(a.rbegin()->first, form.m - 1);
        EXPECT_EQ(b.rbegin()->first, form.k - 1);
        EXPECT_EQ(b.rbegin()->second, form.n - 1);
    }
}

// What the figures show of single lanes: elements a_i (row, column) in order.
struct Figure {
    const char* form;
    int lane;
    std::vector<Position> a, b, c;
};

TEST(PtxMma, TablesAreAsTheFiguresShow) {
    const Figure figures[] = {
        {"m16n8k16.row.col.f32.f16.f16.f32", 0,
         {{0, 0}, {0, 1}, {8, 0}, {8, 1}, {0, 8}, {0, 9}, {8, 8}, {8, 9}}, {{0, 0}, {1, 0}, {8, 0}, {9, 0}},
         {{0, 0}, {0, 1}, {8, 0}, {8, 1}}},
        {"m16n8k16.row.col.f32.bf16.bf16.f32", 30,
         {{7, 4}, {7, 5}, {15, 4}, {15, 5}, {7, 12}, {7, 13}, {15, 12}, {15, 13}}, {{4, 7}, {5, 7}, {12, 7}, {13, 7}},
         {{7, 4}, {7, 5}, {15, 4}, {15, 5}}},
        {"m16n8k8.row.col.f32.f16.f16.f32", 5, {{1, 2}, {1, 3}, {9, 2}, {9, 3}}, {{2, 1}, {3, 1}}, {{1, 2}, {1, 3}, {9, 2}, {9, 3}}},
        {"m16n8k8.row.col.f32.tf32.tf32.f32", 6, {{1, 2}, {9, 2}, {1, 6}, {9, 6}}, {{2, 1}, {6, 1}}, {{1, 4}, {1, 5}, {9, 4}, {9, 5}}},
        {"m16n8k4.row.col.f32.tf32.tf32.f32", 31, {{7, 3}, {15, 3}}, {{3, 7}}, {{7, 6}, {7, 7}, {15, 6}, {15, 7}}},
        {"m16n8k32.row.col.s32.s8.s8.s32", 1,
         {{0, 4}, {0, 5}, {0, 6}, {0, 7}, {8, 4}, {8, 5}, {8, 6}, {8, 7}, {0, 20}, {0, 21}, {0, 22}, {0, 23}, {8, 20}, {8, 21}, {8, 22}, {8, 23}},
         {{4, 0}, {5, 0}, {6, 0}, {7, 0}, {20, 0}, {21, 0}, {22, 0}, {23, 0}}, {{0, 2}, {0, 3}, {8, 2}, {8, 3}}},
        {"m16n8k16.row.col.s32.s8.s8.s32", 4,
         {{1, 0}, {1, 1}, {1, 2}, {1, 3}, {9, 0}, {9, 1}, {9, 2}, {9, 3}}, {{0, 1}, {1, 1}, {2, 1}, {3, 1}}, {{1, 0}, {1, 1}, {9, 0}, {9, 1}}},
        {"m8n8k16.row.col.s32.s8.s8.s32", 9, {{2, 4}, {2, 5}, {2, 6}, {2, 7}}, {{4, 2}, {5, 2}, {6, 2}, {7, 2}}, {{2, 2}, {2, 3}}},
        {"m8n8k4.row.col.f64.f64.f64.f64", 13, {{3, 1}}, {{1, 3}}, {{3, 2}, {3, 3}}},
        {"m16n8k8.row.col.f64.f64.f64.f64", 13, {{3, 1}, {11, 1}, {3, 5}, {11, 5}}, {{1, 3}, {5, 3}}, {{3, 2}, {3, 3}, {11, 2}, {11, 3}}},
        {"m16n8k16.row.col.f64.f64.f64.f64", 13,
         {{3, 1}, {11, 1}, {3, 5}, {11, 5}, {3, 9}, {11, 9}, {3, 13}, {11, 13}}, {{1, 3}, {5, 3}, {9, 3}, {13, 3}},
         {{3, 2}, {3, 3}, {11, 2}, {11, 3}}},
    };
    for (const Figure& figure : figures) {
        const MmaForm form = *MmaForm::parse(figure.form);
        ASSERT_EQ(int(figure.a.size()), form.a_elements());
        ASSERT_EQ(int(figure.b.size()), form.b_elements());
        for (int i = 0; i < form.a_elements(); i++) EXPECT_EQ(a_position(form, figure.lane, i), figure.a[i]) << figure.form << " a" << i;
        for (int i = 0; i < form.b_elements(); i++) EXPECT_EQ(b_position(form, figure.lane, i), figure.b[i]) << figure.form << " b" << i;
        for (int i = 0; i < form.c_elements(); i++) EXPECT_EQ(c_position(form, figure.lane, i), figure.c[i]) << figure.form << " c" << i;
    }
}

// ---- products ----

// Operands of a warp, and the matrices that they are by the tables, as doubles.
struct Warp {
    uint32_t a[4][32] = {}, b[2][32] = {}, c[4][32] = {}, d[4][32] = {};
};

uint32_t encode(float x, Element type) {
    switch (type) {
        case Element::F16: return to_f16(x);
        case Element::BF16: return to_bf16(x);
        case Element::TF32: return to_tf32(x);
        default: return std::bit_cast<uint32_t>(x);
    }
}

void put(uint32_t (*registers)[32], int lane, int i, uint32_t value, int bits) {
    const int per_register = 32 / bits, shift = i % per_register * bits;
    registers[i / per_register][lane] |= (bits == 32 ? value : value & ((1u << bits) - 1)) << shift;
}

void deal(Warp& warp, const MmaForm& form, const double (*a)[32], const double (*b)[8], const double (*c)[8]) {
    for (int lane = 0; lane < 32; lane++) {
        for (int i = 0; i < form.a_elements(); i++) {
            const auto [row, column] = a_position(form, lane, i);
            const bool integer = form.d == Element::S32;
            put(warp.a, lane, i, integer ? uint32_t(int(a[row][column])) : encode(float(a[row][column]), form.a), bits_of(form.a));
        }
        for (int i = 0; i < form.b_elements(); i++) {
            const auto [row, column] = b_position(form, lane, i);
            const bool integer = form.d == Element::S32;
            put(warp.b, lane, i, integer ? uint32_t(int(b[row][column])) : encode(float(b[row][column]), form.b), bits_of(form.b));
        }
        for (int i = 0; i < form.c_elements(); i++) {
            const auto [row, column] = c_position(form, lane, i);
            const bool integer = form.d == Element::S32;
            put(warp.c, lane, i, integer ? uint32_t(int(c[row][column])) : encode(float(c[row][column]), form.c), bits_of(form.c));
        }
    }
}

double value(const Warp& warp, const MmaForm& form, int lane, int i) {
    if (form.d == Element::S32) return int32_t(warp.d[i][lane]);
    return form.d == Element::F16 ? from_f16(uint16_t(warp.d[i / 2][lane] >> 16 * (i % 2))) : f32(warp.d[i][lane]);
}

// Small integers, of which products and sums are exact in every type and order.
TEST(PtxMma, IsThePlainProduct) {
    std::mt19937 random(3);
    for (const char* name : FORMS) {
        const MmaForm form = *MmaForm::parse(name);
        if (form.a == Element::F64) continue;
        double a[16][32] = {}, b[32][8] = {}, c[16][8] = {};
        const bool a_signed = form.a != Element::U8, b_signed = form.b != Element::U8;
        for (int i = 0; i < form.m; i++) for (int k = 0; k < form.k; k++) a[i][k] = int(random() % 9) - 4 * a_signed;
        for (int k = 0; k < form.k; k++) for (int j = 0; j < 8; j++) b[k][j] = int(random() % 9) - 4 * b_signed;
        for (int i = 0; i < form.m; i++) for (int j = 0; j < 8; j++) c[i][j] = int(random() % 200) - 100;
        for (const Sums sums : {Sums::EXACT, Sums::AMPERE, Sums::HOPPER}) {
            Warp warp;
            deal(warp, form, a, b, c);
            mma(form, warp.a, warp.b, warp.c, warp.d, sums);
            for (int lane = 0; lane < 32; lane++) {
                for (int i = 0; i < form.c_elements(); i++) {
                    const auto [row, column] = c_position(form, lane, i);
                    double expected = c[row][column];
                    for (int k = 0; k < form.k; k++) expected += a[row][k] * b[k][column];
                    ASSERT_EQ(value(warp, form, lane, i), expected) << name << " row " << row << " column " << column;
                }
            }
        }
    }
}

TEST(PtxMma, OfDoublesIsThePlainProduct) {
    std::mt19937 random(4);
    for (const char* name : FORMS) {
        const MmaForm form = *MmaForm::parse(name);
        if (form.a != Element::F64) continue;
        double a[16][16], b[16][8], c[16][8];
        for (auto& row : a) for (double& x : row) x = int(random() % 1001) * 0x1p-5 - 16;
        for (auto& row : b) for (double& x : row) x = int(random() % 1001) * 0x1p-7 - 4;
        for (auto& row : c) for (double& x : row) x = int(random() % 1001);
        uint64_t ra[8][32], rb[4][32], rc[4][32];
        for (int lane = 0; lane < 32; lane++) {
            for (int i = 0; i < form.a_elements(); i++) ra[i][lane] = bits_of(a[a_position(form, lane, i).row][a_position(form, lane, i).column]);
            for (int i = 0; i < form.b_elements(); i++) rb[i][lane] = bits_of(b[b_position(form, lane, i).row][b_position(form, lane, i).column]);
            for (int i = 0; i < form.c_elements(); i++) rc[i][lane] = bits_of(c[c_position(form, lane, i).row][c_position(form, lane, i).column]);
        }
        mma_f64(form, ra, rb, rc, rc);
        for (int lane = 0; lane < 32; lane++) {
            for (int i = 0; i < form.c_elements(); i++) {
                const auto [row, column] = c_position(form, lane, i);
                double expected = c[row][column];
                for (int k = 0; k < form.k; k++) expected += a[row][k] * b[k][column];
                ASSERT_EQ(f64(rc[i][lane]), expected) << name;
            }
        }
    }
}

TEST(PtxMma, IntegersWrapOrSaturate) {
    for (const bool satfinite : {false, true}) {
        const MmaForm form = *MmaForm::parse(satfinite ? "m16n8k32.row.col.satfinite.s32.s8.u8.s32" : "m16n8k32.row.col.s32.s8.u8.s32");
        Warp warp;
        for (auto& r : warp.a) std::fill_n(r, 32, 0x80808080u);  // -128
        for (auto& r : warp.b) std::fill_n(r, 32, 0xFFFFFFFFu);  // 255
        for (auto& r : warp.c) std::fill_n(r, 32, 0x80000000u);
        mma(form, warp.a, warp.b, warp.c, warp.c, Sums::EXACT);
        EXPECT_EQ(warp.c[3][17], satfinite ? 0x80000000u : 0x80000000u - 32 * 128 * 255);
    }
}

// The sum of one element: of the products of a[] and b[] and c.
float sum_of(const char* name, std::vector<float> a, std::vector<float> b, float c, Sums sums) {
    const MmaForm form = *MmaForm::parse(name);
    double a_matrix[16][32] = {}, b_matrix[32][8] = {}, c_matrix[16][8] = {};
    for (size_t k = 0; k < a.size(); k++) {
        a_matrix[3][k] = a[k];
        b_matrix[k][5] = b[k];
    }
    c_matrix[3][5] = c;
    Warp warp;
    deal(warp, form, a_matrix, b_matrix, c_matrix);
    mma(form, warp.a, warp.b, warp.c, warp.d, sums);
    return float(value(warp, form, 3 * 4 + 5 / 2, 5 % 2));
}

TEST(PtxMma, SumsAsTensorCoresDo) {
    const char* f16 = "m16n8k16.row.col.f32.f16.f16.f32";
    const auto f16_sum = [&](std::vector<float> a, std::vector<float> b, float c, Sums sums) { return sum_of(f16, a, b, c, sums); };
    // Of 1 and 8 times 2^-24 Ampere keeps 24 bits below 1, so each term; rounded toward zero their sum has 23.
    EXPECT_EQ(f16_sum({1, 0x1p-12f}, {1, 0x1p-12f}, 0, Sums::AMPERE), 1);
    EXPECT_EQ(f16_sum({1, 0x1p-12f, 0x1p-12f}, {1, 0x1p-12f, 0x1p-12f}, 0, Sums::AMPERE), 1 + 0x1p-23f);
    // 2^-25 is lost there, and kept by Hopper.
    EXPECT_EQ(f16_sum({1, 0x1p-12f, 0x1p-13f, 0x1p-13f}, {1, 0x1p-12f, 0x1p-12f, 0x1p-12f}, 0, Sums::AMPERE), 1);
    EXPECT_EQ(f16_sum({1, 0x1p-12f, 0x1p-13f, 0x1p-13f}, {1, 0x1p-12f, 0x1p-12f, 0x1p-12f}, 0, Sums::HOPPER), 1 + 0x1p-23f);
    // Toward zero, not down.
    EXPECT_EQ(f16_sum({-1, 0x1p-12f}, {1, 0x1p-13f}, 0, Sums::AMPERE), -1);
    EXPECT_EQ(f16_sum({-1, -0x1.8p-12f}, {1, 0x1p-12f}, 0, Sums::AMPERE), -1);
    // C is a term like the products: 1 - 1 + 2^-26 loses the last in whatever order, unless it is in the second half of 8.
    EXPECT_EQ(f16_sum({1, 0x1p-13f}, {-1, 0x1p-13f}, 1, Sums::AMPERE), 0);
    EXPECT_EQ(f16_sum({1, 0x1p-13f}, {-1, 0x1p-13f}, 1, Sums::HOPPER), 0);
    EXPECT_EQ(f16_sum({1, 0x1p-13f}, {-1, 0x1p-13f}, 1, Sums::EXACT), 0x1p-26f);
    const std::vector<float> far_a = {1, 0, 0, 0, 0, 0, 0, 0, 0x1p-13f}, far_b = {-1, 0, 0, 0, 0, 0, 0, 0, 0x1p-13f};
    EXPECT_EQ(f16_sum(far_a, far_b, 1, Sums::AMPERE), 0x1p-26f);
    EXPECT_EQ(f16_sum(far_a, far_b, 1, Sums::HOPPER), 0);
    // A product's exponent is the sum of its factors': 1.5 * 1.5 = 2.25 counts as of exponent 0, and keeps 24 bits below 1.
    EXPECT_EQ(f16_sum({1.5f, 1.5f, 0x1p-12f}, {1.5f, -1.5f, 0x1p-12f}, 0, Sums::AMPERE), 0x1p-24f);
    // .tf32 sums 4 at a time.
    const char* tf32 = "m16n8k8.row.col.f32.tf32.tf32.f32";
    EXPECT_EQ(sum_of(tf32, {1, 0, 0, 0x1p-13f}, {-1, 0, 0, 0x1p-13f}, 1, Sums::AMPERE), 0);
    EXPECT_EQ(sum_of(tf32, {1, 0, 0, 0, 0x1p-13f}, {-1, 0, 0, 0, 0x1p-13f}, 1, Sums::AMPERE), 0x1p-26f);
    // An .f16 sum is rounded to nearest.
    EXPECT_EQ(sum_of("m16n8k16.row.col.f16.f16.f16.f16", {1, 0x1.8p-11f}, {1, 1}, 0, Sums::AMPERE), 1 + 0x1p-10f);
    EXPECT_EQ(sum_of("m16n8k16.row.col.f16.f16.f16.f16", {300}, {300}, 0, Sums::AMPERE), INFINITY);
}

// The sum of terms as Sums::AMPERE and HOPPER are described, one at a time by frexp.
float model(const std::vector<float>& a, const std::vector<float>& b, float c, int bits, Element factors) {
    const auto exponent = [](float x, Element type) {
        int e;
        std::frexp(x, &e);
        return x == 0 ? -126 : std::max(e - 1, type == Element::F16 ? -14 : -126);
    };
    int largest = exponent(c, Element::F32);
    double plain = c;
    for (size_t k = 0; k < a.size(); k++) {
        largest = std::max(largest, exponent(a[k], factors) + exponent(b[k], factors));
        plain += double(a[k]) * b[k];
    }
    if (plain != plain || std::isinf(plain)) return float(plain);
    const auto cut = [&](double x) { return std::trunc(std::ldexp(x, bits - largest)); };
    double sum = cut(c);
    for (size_t k = 0; k < a.size(); k++) sum += cut(double(a[k]) * b[k]);
    sum = std::ldexp(sum, largest - bits);
    int e;
    std::frexp(sum, &e);
    const int unit = std::max(e - 24, -149);
    return float(std::ldexp(std::trunc(std::ldexp(sum, -unit)), unit));
}

TEST(PtxMma, SumsOfRandomBitsAreThoseOfTheModel) {
    std::mt19937 random(11);
    for (const char* name : {"m16n8k16.row.col.f32.f16.f16.f32", "m16n8k16.row.col.f32.bf16.bf16.f32",
                             "m16n8k8.row.col.f32.tf32.tf32.f32", "m16n8k8.row.col.f32.bf16.bf16.f32"}) {
        const MmaForm form = *MmaForm::parse(name);
        for (int round = 0; round < 60; round++) {
            // Exponents close together, so that sums cancel, or any at all.
            const uint32_t keep = round % 3 == 0 ? 0xFFFFFFFF : form.a == Element::F16 ? 0x8FFF8FFF : form.a == Element::BF16 ? 0x81FF81FF : 0x81FFFFFF;
            const uint32_t put = round % 3 == 0 ? 0 : form.a == Element::F16 ? 0x30003000 : form.a == Element::BF16 ? 0x3E003E00 : 0x3E000000;
            Warp warp;
            for (auto& r : warp.a) for (uint32_t& x : r) x = (uint32_t(random()) & keep) | put;
            for (auto& r : warp.b) for (uint32_t& x : r) x = (uint32_t(random()) & keep) | put;
            for (auto& r : warp.c) for (uint32_t& x : r) x = round % 3 == 0 ? uint32_t(random()) : (uint32_t(random()) & 0x81FFFFFF) | 0x3E000000;
            const auto element = [&](const uint32_t (*registers)[32], int lane, int i, Element type) {
                const int per_register = 32 / bits_of(type);
                const uint32_t bits = registers[i / per_register][lane] >> (i % per_register * 16);
                return type == Element::F16 ? from_f16(uint16_t(bits)) : type == Element::BF16 ? from_bf16(uint16_t(bits)) : from_tf32(bits);
            };
            float a[16][16], b[16][8];
            for (int lane = 0; lane < 32; lane++) {
                for (int i = 0; i < form.a_elements(); i++) {
                    a[a_position(form, lane, i).row][a_position(form, lane, i).column] = element(warp.a, lane, i, form.a);
                }
                for (int i = 0; i < form.b_elements(); i++) {
                    b[b_position(form, lane, i).row][b_position(form, lane, i).column] = element(warp.b, lane, i, form.b);
                }
            }
            for (const Sums sums : {Sums::AMPERE, Sums::HOPPER}) {
                mma(form, warp.a, warp.b, warp.c, warp.d, sums);
                const int steps = sums == Sums::HOPPER || std::string(name) == "m16n8k8.row.col.f32.bf16.bf16.f32" ? 1 : 2;
                for (int lane = 0; lane < 32; lane++) {
                    for (int i = 0; i < 4; i++) {
                        const auto [row, column] = c_position(form, lane, i);
                        float expected = f32(warp.c[i][lane]);
                        for (int step = 0; step < steps; step++) {
                            std::vector<float> x, y;
                            for (int k = step * form.k / steps; k < (step + 1) * form.k / steps; k++) {
                                x.push_back(a[row][k]);
                                y.push_back(b[k][column]);
                            }
                            expected = model(x, y, expected, sums == Sums::HOPPER ? 25 : 24, form.a);
                        }
                        ASSERT_EQ(warp.d[i][lane], bits_of(expected)) << name << " round " << round << " of Sums " << int(sums);
                    }
                }
            }
        }
    }
}

TEST(PtxMma, SpecialNumbers) {
    for (const Sums sums : {Sums::EXACT, Sums::AMPERE, Sums::HOPPER}) {
        const auto bf16_sum = [&](std::vector<float> a, std::vector<float> b, float c) {
            return sum_of("m16n8k16.row.col.f32.bf16.bf16.f32", a, b, c, sums);
        };
        EXPECT_EQ(std::bit_cast<uint32_t>(bf16_sum({INFINITY}, {0}, 0)), NAN_F32);
        EXPECT_EQ(std::bit_cast<uint32_t>(bf16_sum({INFINITY, -INFINITY}, {1, 1}, 0)), NAN_F32);
        EXPECT_EQ(bf16_sum({INFINITY}, {-2}, 1), -INFINITY);
        EXPECT_EQ(bf16_sum({1}, {1}, INFINITY), INFINITY);
        EXPECT_EQ(bf16_sum({0x1p100f}, {0x1p100f}, 0), INFINITY) << "overflow";
        EXPECT_EQ(bf16_sum({0x1p-70f}, {0x1p-70f}, 0), 0x1p-140f) << "subnormal";
        EXPECT_EQ(bf16_sum({0x1p-130f}, {4}, 0), 0x1p-128f) << "of a subnormal operand";
        EXPECT_EQ(bf16_sum({}, {}, 0), 0);
    }
}

// ---- matrix loads ----

TEST(PtxLdmatrix, DealsOutRows) {
    uint16_t rows[32][8];  // an element is 100 * matrix + 10 * row + column
    for (int lane = 0; lane < 32; lane++) {
        for (int column = 0; column < 8; column++) rows[lane][column] = uint16_t(100 * (lane / 8) + 10 * (lane % 8) + column);
    }
    uint32_t r[4][32];
    ldmatrix(4, false, rows, r);
    EXPECT_EQ(r[0][0], 1u << 16 | 0);
    EXPECT_EQ(r[0][1], 3u << 16 | 2) << "four lanes have a row";
    EXPECT_EQ(r[0][4], 11u << 16 | 10);
    EXPECT_EQ(r[2][31], 277u << 16 | 276);
    ldmatrix(4, true, rows, r);
    EXPECT_EQ(r[0][0], 10u << 16 | 0) << "four lanes have a column";
    EXPECT_EQ(r[0][1], 30u << 16 | 20);
    EXPECT_EQ(r[0][4], 11u << 16 | 1);
    EXPECT_EQ(r[3][31], 377u << 16 | 367);
    for (const bool transposed : {false, true}) {
        uint16_t back[32][8] = {};
        ldmatrix(4, transposed, rows, r);
        stmatrix(4, transposed, r, back);
        EXPECT_EQ(memcmp(rows, back, sizeof rows), 0);
    }
    uint32_t loaded[1][32], moved[1][32];
    ldmatrix(1, false, rows, loaded);
    ldmatrix(1, true, rows, r);
    movmatrix(loaded, moved);
    EXPECT_EQ(memcmp(moved, r, sizeof moved), 0);
}

// The idiom of attention kernels: A by ldmatrix.x4 and B by .trans are the operands of mma.
TEST(PtxLdmatrix, FitsMma) {
    const MmaForm form = *MmaForm::parse("m16n8k16.row.col.f32.f16.f16.f32");
    uint16_t a_rows[32][8], b_rows[32][8] = {};
    for (int row = 0; row < 16; row++) {
        for (int column = 0; column < 16; column++) a_rows[row + column / 8 * 16][column % 8] = uint16_t(16 * row + column);
    }
    for (int row = 0; row < 16; row++) {
        for (int column = 0; column < 8; column++) b_rows[row][column] = uint16_t(8 * row + column);
    }
    uint32_t a[4][32], b[2][32];
    ldmatrix(4, false, a_rows, a);
    ldmatrix(2, true, b_rows, b);
    for (int lane = 0; lane < 32; lane++) {
        for (int i = 0; i < 8; i++) {
            const auto [row, column] = a_position(form, lane, i);
            EXPECT_EQ(uint16_t(a[i / 2][lane] >> 16 * (i % 2)), 16 * row + column);
        }
        for (int i = 0; i < 4; i++) {
            const auto [row, column] = b_position(form, lane, i);
            EXPECT_EQ(uint16_t(b[i / 2][lane] >> 16 * (i % 2)), 8 * row + column);
        }
    }
}

}  // namespace
