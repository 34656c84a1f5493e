// SPDX-License-Identifier: Apache-2.0
// The simulator that runs kernels as g++ compiled them does with tensor cores and conversions what PTX instructions do: on every
// 16-bit number, and on random bits.
#include <gtest/gtest.h>

#include <random>

#include "../cuda-on-cpu/tensor_cores.h"
#include "../ptx/semantics/arithmetic.h"
#include "../ptx/semantics/fragments.h"

namespace {

TEST(SimulatorSemantics, ConversionsAreThoseOfPtx) {
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        ASSERT_EQ(ptx::bits_of(sim::from_f16(uint16_t(bits))), ptx::bits_of(ptx::from_f16(uint16_t(bits)))) << bits;
        ASSERT_EQ(ptx::bits_of(sim::from_bf16(uint16_t(bits))), ptx::bits_of(ptx::from_bf16(uint16_t(bits)))) << bits;
    }
    std::mt19937 random(1);
    for (int i = 0; i < 1000000; i++) {
        // Every tenth near the middle of two numbers of the narrower formats.
        const uint32_t bits = i % 10 ? uint32_t(random()) : (uint32_t(random()) & 0xFFFF0000) | 0x7FFF | (i % 3 << 12);
        const float x = ptx::f32(bits);
        ASSERT_EQ(sim::to_f16(x), ptx::to_f16(x)) << bits;
        ASSERT_EQ(sim::to_bf16(x), ptx::to_bf16(x)) << bits;
        ASSERT_EQ(sim::to_tf32(x), ptx::to_tf32(x)) << bits;
    }
}

// A warp's registers, as the lanes of a kernel hand them over.
struct Lanes {
    uint32_t a[32][4], b[32][2];
    float d[32][4];

    template <sim::Operand TYPE>
    void multiply() {
        void* lanes[32];
        std::vector<sim::Product> products;
        for (int lane = 0; lane < 32; lane++) products.push_back({d[lane], a[lane], b[lane]});
        for (int lane = 0; lane < 32; lane++) lanes[lane] = &products[size_t(lane)];
        sim::Product::compute<TYPE>(lanes);
    }
};

// One element of A times one of B, each where the ISA's table has it, is one element of D; C stays elsewhere.
TEST(SimulatorSemantics, ProductsGoWhereTheTablesSay) {
    std::mt19937 random(2);
    for (const char* name : {"m16n8k16.row.col.f32.f16.f16.f32", "m16n8k16.row.col.f32.bf16.bf16.f32", "m16n8k8.row.col.f32.tf32.tf32.f32"}) {
        const ptx::MmaForm form = *ptx::MmaForm::parse(name);
        const bool f16 = form.a == ptx::Element::F16, tf32 = form.a == ptx::Element::TF32;
        const uint32_t three = f16 ? 0x4200 : tf32 ? 0x40400000 : 0x4040;
        for (int trial = 0; trial < 200; trial++) {
            Lanes lanes{};
            const int a_lane = int(random() % 32), a_element = int(random() % unsigned(form.a_elements()));
            const auto [row, k] = ptx::a_position(form, a_lane, a_element);
            // The lane and element of B in the same k.
            for (int lane = 0; lane < 32; lane++) {
                for (int i = 0; i < form.b_elements(); i++) {
                    if (ptx::b_position(form, lane, i).row == k && ptx::b_position(form, lane, i).column == trial % 8) {
                        lanes.b[lane][tf32 ? i : i / 2] = three << (tf32 ? 0 : 16 * (i % 2));
                    }
                }
                for (int i = 0; i < 4; i++) lanes.d[lane][i] = float(lane * 4 + i);
            }
            lanes.a[a_lane][tf32 ? a_element : a_element / 2] = three << (tf32 ? 0 : 16 * (a_element % 2));
            f16 ? lanes.multiply<sim::Operand::F16>() : tf32 ? lanes.multiply<sim::Operand::TF32>() : lanes.multiply<sim::Operand::BF16>();
            for (int lane = 0; lane < 32; lane++) {
                for (int i = 0; i < 4; i++) {
                    const bool hit = ptx::c_position(form, lane, i) == ptx::Position{row, uint8_t(trial % 8)};
                    ASSERT_EQ(lanes.d[lane][i], float(lane * 4 + i) + (hit ? 9 : 0)) << name << " lane " << lane << " element " << i;
                }
            }
        }
    }
}

}  // namespace
