// SPDX-License-Identifier: Apache-2.0
// The fast products of mma against those that go by the ISA's tables, bit for bit.
#include <gtest/gtest.h>

#include <random>

#include "../ptx/exact_product.h"

namespace {

using namespace ptx;

template <Element TYPE>
void compare(const char* form, int b_registers) {
    std::mt19937 random(7);
    for (int round = 0; round < 200; round++) {
        uint32_t a[4][32], b[2][32], c[4][32], fast[4][32], slow[4][32];
        // Any bits, NaN and infinities among them, then numbers of like size.
        const uint32_t clear = round % 2 ? 0 : TYPE == Element::TF32 || TYPE == Element::BF16 ? 0x40004000 : 0x60006000;
        for (auto& row : a) for (uint32_t& x : row) x = uint32_t(random()) & ~clear;
        for (auto& row : b) for (uint32_t& x : row) x = uint32_t(random()) & ~clear;
        for (auto& row : c) for (uint32_t& x : row) x = uint32_t(random()) & ~(clear & 0x40000000);
        multiply_exactly<TYPE>({a[0], a[1], a[2], a[3]}, {b[0], b[1]}, {c[0], c[1], c[2], c[3]}, fast);
        const MmaForm parsed = *MmaForm::parse(form);
        ASSERT_EQ(parsed.b_registers(), b_registers);
        mma(parsed, a, b, c, slow, Sums::EXACT);
        for (int i = 0; i < 4; i++) {
            for (int l = 0; l < 32; l++) ASSERT_EQ(fast[i][l], slow[i][l]) << form << ", register " << i << ", lane " << l;
        }
    }
}

TEST(PtxProduct, EqualsThatOfTheTables) {
    compare<Element::F16>("m16n8k16.row.col.f32.f16.f16.f32", 2);
    compare<Element::BF16>("m16n8k16.row.col.f32.bf16.bf16.f32", 2);
    compare<Element::TF32>("m16n8k8.row.col.f32.tf32.tf32.f32", 2);
}

}  // namespace
