// SPDX-License-Identifier: Apache-2.0
// Products of warp groups, mbarriers and bulk copies on the PTX machine: the layouts by hand, a matrix product that nvcc compiled
// for sm_90a against float64, and its synchronisation left out step by step.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "../ptx/machine.h"
#include "../ptx/semantics/convert.h"
#include "../ptx/semantics/wgmma.h"
#include "ptx_hopper_gemm.h"

namespace {

using ptx::Landing;
using ptx::MatrixDescriptor;

constexpr int TILE = 64;

struct Parameters {
    const uint16_t* a;
    const uint16_t* b;
    float* c;
    int n, k;
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const size_t at = text.find(from);
    EXPECT_NE(at, text.npos) << from;
    for (size_t i = at; i != text.npos; i = text.find(from, i + to.size())) text.replace(i, from.size(), to);
    return text;
}

struct Gemm {
    int m = 128, n = 64, k = 192;
    std::vector<uint16_t> a, b;
    std::vector<float> c;
    ptx::Counters counters;

    Gemm() : a(size_t(m) * k), b(size_t(n) * k), c(size_t(m) * n) {
        std::mt19937 random(7);
        std::normal_distribution<double> normal;
        for (uint16_t& x : a) x = uint16_t(ptx::f64_to_bf16(normal(random)));
        for (uint16_t& x : b) x = uint16_t(ptx::f64_to_bf16(normal(random)));
    }

    std::string run(const std::string& text, Landing landing = Landing::RANDOM, ptx::Order order = ptx::Order::FORWARD) {
        const auto module = ptx::Module::parse(text, "hopper.ptx");
        ptx::GlobalMemory memory;
        const auto give = [&](const auto& values) {
            memory.allocate(reinterpret_cast<uintptr_t>(values.data()), values.size() * sizeof values[0]);
            memory.written(reinterpret_cast<uintptr_t>(values.data()), values.size() * sizeof values[0]);
        };
        give(a), give(b), give(c);
        ptx::Options options;
        options.landing = landing;
        options.order = order;
        options.threads = 1;
        const Parameters parameters{a.data(), b.data(), c.data(), n, k};
        return ptx::launch(*module, *module->find("hopper_gemm"), memory, {unsigned(n / TILE), unsigned(m / TILE)}, {128}, 2 * 128 * TILE,
                           &parameters, options, &counters);
    }

    // The largest error, as a part of the largest sum of magnitudes. NaN if anything is.
    double error() const {
        double worst = 0;
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                double sum = 0, magnitude = 0;
                for (int x = 0; x < k; x++) {
                    const double product = number(a[size_t(i * k + x)]) * number(b[size_t(j * k + x)]);
                    sum += product;
                    magnitude += std::fabs(product);
                }
                const double error = std::fabs(double(c[size_t(i * n + j)]) - sum) / magnitude;
                if (!(error <= worst)) worst = error;
            }
        }
        return worst;
    }
    static double number(uint16_t bits) { return double(std::bit_cast<float>(uint32_t(bits) << 16)); }
};

void expect_refused(const std::string& error, const std::string& what) { EXPECT_NE(error.find(what), error.npos) << error; }

uint64_t descriptor(uint64_t start, uint64_t leading, uint64_t stride, uint64_t swizzle) {
    return start >> 4 | leading >> 4 << 16 | stride >> 4 << 32 | swizzle << 62;
}

}  // namespace

TEST(PtxHopper, ADescriptorHasItsFieldsWhereTheIsaSays) {
    const MatrixDescriptor matrix = MatrixDescriptor::decode(uint64_t(1) << 62 | uint64_t(5) << 49 | uint64_t(0x40) << 32 | uint64_t(0x3FFF) << 16 | 0x123);
    EXPECT_EQ(0x1230u, matrix.start);
    EXPECT_EQ(0x3FFF0u, matrix.leading);
    EXPECT_EQ(0x400u, matrix.stride);
    EXPECT_EQ(5, matrix.base_offset);
    EXPECT_EQ(128u, matrix.swizzle);
    EXPECT_EQ(64u, MatrixDescriptor::decode(uint64_t(2) << 62).swizzle);
    EXPECT_EQ(32u, MatrixDescriptor::decode(uint64_t(3) << 62).swizzle);
    EXPECT_EQ(0u, MatrixDescriptor::decode(0).swizzle);
}

// The tables of section 5.5.7: pieces of 16 bytes in rows of 128.
TEST(PtxHopper, SwizzlesAreThoseOfTheIsasTables) {
    const auto row = [](int r, uint32_t swizzle) {
        std::string text;
        for (uint32_t piece = 0; piece < 8; piece++) text += std::to_string(MatrixDescriptor::swizzled(uint32_t(r) * 128 + piece * 16, swizzle) / 16 % 8);
        return text;
    };
    EXPECT_EQ("01234567", row(1, 0));
    EXPECT_EQ("01234567", row(0, 32));
    EXPECT_EQ("10325476", row(1, 32));
    EXPECT_EQ("01234567", row(2, 32));
    EXPECT_EQ("10325476", row(1, 64));
    EXPECT_EQ("23016745", row(2, 64));
    EXPECT_EQ("32107654", row(3, 64));
    EXPECT_EQ("01234567", row(4, 64));
    EXPECT_EQ("45670123", row(4, 128));
    EXPECT_EQ("76543210", row(7, 128));
    EXPECT_EQ("01234567", row(8, 128));
}

TEST(PtxHopper, MatricesLieInTheCanonicalLayouts) {
    const auto at = [](uint64_t bits, int row, int k, bool transposed = false) { return MatrixDescriptor::decode(bits).address(row, k, transposed); };
    // K-major, no swizzle: 8 rows of 16 bytes, LBO to the next 8 of K, SBO to the next 8 rows.
    const uint64_t plain = descriptor(4096, 1024, 128, 0);
    EXPECT_EQ(4096u, at(plain, 0, 0));
    EXPECT_EQ(4096u + 16, at(plain, 1, 0));
    EXPECT_EQ(4096u + 128 + 2, at(plain, 8, 1));
    EXPECT_EQ(4096u + 1024 + 2 * 128 + 3 * 16 + 7 * 2, at(plain, 19, 15));
    // K-major, 128 bytes: row 3 of an atom has its piece 0 at 3.
    const uint64_t wide = descriptor(2048, 16, 1024, 1);
    EXPECT_EQ(2048u + 3 * 128 + 3 * 16, at(wide, 3, 0));
    EXPECT_EQ(2048u + 3 * 128 + 2 * 16 + 2, at(wide, 3, 9));
    EXPECT_EQ(2048u + 1024, at(wide, 8, 0));
    // The next 16 of K begin 32 bytes further, and their pieces are swizzled by the address, not by the distance to the start.
    EXPECT_EQ(2048u + 3 * 128 + 1 * 16, at(descriptor(2048 + 32, 16, 1024, 1), 3, 0));
    // K-major, 32 bytes: 4 rows in 128 bytes, of which every second group is swapped.
    const uint64_t narrow = descriptor(0, 16, 256, 3);
    EXPECT_EQ(3u * 32, at(narrow, 3, 0));
    EXPECT_EQ(4u * 32 + 16, at(narrow, 4, 0));
    EXPECT_EQ(4u * 32, at(narrow, 4, 8));
    // MN-major, as the ISA's Figure 168: exact layout ((8,1,2),(8,2)):((1,8,64),(8,128)) in elements.
    const uint64_t figure = descriptor(0, 256, 128, 0);
    EXPECT_EQ(2u * 1, at(figure, 1, 0, true));
    EXPECT_EQ(2u * 64, at(figure, 8, 0, true));
    EXPECT_EQ(2u * 8, at(figure, 0, 1, true));
    EXPECT_EQ(2u * (128 + 64 + 8 * 3 + 5), at(figure, 13, 11, true));
    // MN-major, 128 bytes: 64 elements side by side, LBO to the next 64, SBO to the next 8 of K.
    const uint64_t across = descriptor(0, 4096, 1024, 1);
    EXPECT_EQ(2u * 63, at(across, 63, 0, true));
    EXPECT_EQ(4096u, at(across, 64, 0, true));
    EXPECT_EQ(128u + 16, at(across, 0, 1, true));
    EXPECT_EQ(1024u, at(across, 0, 8, true));
}

// Figure 149: lane 5 of warp 2 holds columns 2 and 3 of rows 33 and 41, then those 8 columns on.
TEST(PtxHopper, AccumulatorsLieAsTheFigureShows) {
    using P = ptx::Position;
    EXPECT_EQ((P{0, 0}), ptx::wgmma_d_position(0, 0, 0));
    EXPECT_EQ((P{33, 2}), ptx::wgmma_d_position(2, 5, 0));
    EXPECT_EQ((P{33, 3}), ptx::wgmma_d_position(2, 5, 1));
    EXPECT_EQ((P{41, 2}), ptx::wgmma_d_position(2, 5, 2));
    EXPECT_EQ((P{33, 10}), ptx::wgmma_d_position(2, 5, 4));
    EXPECT_EQ((P{63, 255}), ptx::wgmma_d_position(7, 31, 127));
    EXPECT_EQ((P{16, 8}), ptx::wgmma_a_position(1, 0, 4));
}

TEST(PtxHopper, FormsAreRead) {
    const auto form = ptx::WgmmaForm::parse("m64n136k16.f32.bf16.bf16");
    ASSERT_TRUE(form);
    EXPECT_EQ(136, form->n);
    EXPECT_EQ(68, form->d_registers());
    EXPECT_EQ(32, ptx::WgmmaForm::parse("m64n128k16.f16.f16.f16")->d_registers());
    for (const char* other : {"m64n12k16.f32.f16.f16", "m64n264k16.f32.f16.f16", "m64n8k8.f32.tf32.tf32", "m64n8k16.f16.bf16.bf16", "m64n8k16.f32.f16.bf16"}) {
        EXPECT_FALSE(ptx::WgmmaForm::parse(other)) << other;
    }
}

TEST(PtxHopper, AMatrixProductOfWarpGroupsAgreesWithFloat64) {
    for (const Landing landing : {Landing::EARLY, Landing::RANDOM, Landing::LATE}) {
        for (const ptx::Order order : {ptx::Order::FORWARD, ptx::Order::BACKWARD, ptx::Order::SHUFFLED}) {
            Gemm gemm;
            ASSERT_EQ("", gemm.run(HOPPER_GEMM, landing, order));
            EXPECT_LT(gemm.error(), 1e-6);
        }
    }
}

TEST(PtxHopper, ItsWorkIsCounted) {
    Gemm gemm;
    ASSERT_EQ("", gemm.run(HOPPER_GEMM));
    EXPECT_EQ(uint64_t(gemm.m) * gemm.n * gemm.k, gemm.counters.multiply_adds["wgmma.bf16"]);
    // Two blocks of four warps, three tiles of four steps.
    EXPECT_EQ(2u * 4 * 3 * 4, gemm.counters.instructions["wgmma.m64n64k16.f32.bf16.bf16"]);
}

TEST(PtxHopper, ResultsThatWereNotWaitedForAreNaNOrRefused) {
    Gemm gemm;
    const std::string error = gemm.run(replaced(HOPPER_GEMM, "wgmma.wait_group.sync.aligned 0;", ""), Landing::LATE);
    expect_refused(error, "wgmma.wait_group didn't wait for");
}

TEST(PtxHopper, AProductBeforeAnyFenceIsRefused) {
    Gemm gemm;
    expect_refused(gemm.run(replaced(HOPPER_GEMM, "wgmma.fence.sync.aligned;", "")), "comes before any wgmma.fence");
}

TEST(PtxHopper, AnAccumulatorWrittenAfterTheFenceIsRefused) {
    const std::string text = HOPPER_GEMM;
    const size_t brace = text.find('{', text.find("wgmma.mma_async"));
    const std::string reg = text.substr(brace + 1, text.find(',', brace) - brace - 1);
    Gemm gemm;
    const std::string fence = "wgmma.fence.sync.aligned;";
    expect_refused(gemm.run(replaced(text, fence, fence + " add.f32 " + reg + ", " + reg + ", 0f3F800000;")), "register of D that was written since the last wgmma.fence");
}

TEST(PtxHopper, TilesThatWereNotFencedForTheAsynchronousProxyAreRefused) {
    const std::string text = HOPPER_GEMM, fence = "fence.proxy.async.shared::cta;";
    Gemm gemm;
    std::string last = text;
    last.erase(text.rfind(fence), fence.size());
    expect_refused(gemm.run(last), "without a fence.proxy.async");
    std::string first = text;
    first.erase(text.find(fence), fence.size());
    expect_refused(gemm.run(first), "neither fence.proxy.async nor fence.mbarrier_init");
}

TEST(PtxHopper, CopiesThatWereNotWaitedForAreRefused) {
    std::string text = HOPPER_GEMM;
    // Goes on whatever try_wait says.
    text = replaced(text, ", p;", ", 1;");
    const size_t select = text.find("selp.b32"), end = text.find(';', select);
    const std::string target = text.substr(select + 9, text.find(',', select) - select - 9);
    text.replace(select, end - select, "mov.b32 " + target + ", 1");
    Gemm gemm;
    expect_refused(gemm.run(text, Landing::LATE), "whose asynchronous copy was not waited for");
}

TEST(PtxHopper, TheWrongParityIsAPhaseThatIsOverAlready) {
    std::string text = HOPPER_GEMM;
    const size_t wait = text.find("mbarrier.try_wait.parity"), comma = text.rfind(',', text.find(';', wait));
    text.replace(comma + 1, text.find(';', wait) - comma - 1, " 1");
    Gemm gemm;
    expect_refused(gemm.run(text, Landing::LATE), "whose asynchronous copy was not waited for");
}

TEST(PtxHopper, APhaseToWhichNobodyArrivesIsADeadlockThatIsNamed) {
    const std::string silent = replaced(HOPPER_GEMM, "mbarrier.arrive.expect_tx.shared::cta.b64 _,", "mbarrier.expect_tx.relaxed.cta.shared::cta.b64");
    Gemm gemm;
    expect_refused(gemm.run(silent), "the phase of parity 0 of the mbarrier at byte 0 for ever, a deadlock: its phase is 0, which waits for 128 arrivals and 0 bytes");
}

namespace {

// A kernel of 64 threads with an mbarrier, initialised by the first of them for `count` arrivals.
std::string on_mbarrier(const std::string& body, int count = 64, bool synchronised = true) {
    const std::string text = R"(
.version 8.0
.target sm_90a
.address_size 64
.visible .entry probe() {
.reg .pred %p<8>;
.reg .b32 %r<8>;
.reg .b64 %rd<8>;
.shared .align 8 .b64 object;
mov.u32 %r1, %tid.x;
mov.u32 %r2, object;
setp.eq.u32 %p1, %r1, 0;
@%p1 mbarrier.init.shared::cta.b64 [%r2], )" + std::to_string(count) + ";\n" + (synchronised ? "bar.sync 0;\n" : "") + body + "\nret;\n}\n";
    const auto module = ptx::Module::parse(text, "probe.ptx");
    ptx::GlobalMemory memory;
    return ptx::launch(*module, *module->find("probe"), memory, {1}, {64}, 0, nullptr, {});
}

// A loop that polls until the phase is complete.
std::string poll(const std::string& test, const std::string& label) { return label + ":\n" + test + "\n@!%p2 bra " + label + ";\n"; }

}  // namespace

TEST(PtxHopper, PhasesOfMBarriersAreWaitedForByParityOrState) {
    const std::string arrive = "mbarrier.arrive.shared::cta.b64 %rd1, [%r2];\n";
    const std::string parity0 = poll("mbarrier.test_wait.parity.shared::cta.b64 %p2, [%r2], 0;", "A");
    const std::string parity1 = poll("mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r2], 1, 100;", "B");
    const std::string state = poll("mbarrier.try_wait.acquire.cta.shared::cta.b64 %p2, [%r2], %rd1;", "C");
    EXPECT_EQ("", on_mbarrier(arrive + parity0 + "bar.sync 0;\n" + arrive + parity1 + "bar.sync 0;\n" + arrive + state));
    expect_refused(on_mbarrier(arrive + parity0 + parity1), "waits for the phase of parity 1 of the mbarrier at byte 0 for ever, a deadlock: its phase is 1, which waits for 64 arrivals");
}

TEST(PtxHopper, WhatMBarriersMustNotBeUsedForIsRefused) {
    const std::string arrive = "mbarrier.arrive.shared::cta.b64 %rd1, [%r2];\n", wait = poll("mbarrier.try_wait.shared::cta.b64 %p2, [%r2], %rd1;", "A");
    expect_refused(on_mbarrier("@%p1 mbarrier.arrive.shared::cta.b64 %rd1, [%r2], 65;"), "arrives 65 times at the mbarrier at byte 0, which expects 64 more");
    expect_refused(on_mbarrier(arrive + wait, 64, false), "a race: uses the mbarrier at byte 0 that warp 0 initialised since the last barrier");
    expect_refused(on_mbarrier("@%p1 mbarrier.init.shared::cta.b64 [%r2], 3;"), "already, which was not invalidated");
    EXPECT_EQ("", on_mbarrier("@%p1 mbarrier.inval.shared::cta.b64 [%r2];\n@%p1 mbarrier.init.shared::cta.b64 [%r2], 3;"));
    expect_refused(on_mbarrier("@%p1 mbarrier.inval.shared::cta.b64 [%r2];\nbar.sync 0;\n" + arrive), "there is no mbarrier at byte 0");
    expect_refused(on_mbarrier("mbarrier.test_wait.parity.shared::cta.b64 %p2, [%r2], 2;"), "a parity of 2");
    expect_refused(on_mbarrier("mov.b64 %rd1, 3;\nmbarrier.test_wait.shared::cta.b64 %p2, [%r2], %rd1;"), "waits for phase 3 of an mbarrier that is in phase 0");
}

TEST(PtxHopper, ALeaderIsElected) {
    const std::string traps = "@%p3 mbarrier.arrive.shared::cta.b64 %rd1, [%r2];\n";
    // Of each warp one lane arrives, and that is enough for a count of two.
    EXPECT_EQ("", on_mbarrier("elect.sync %r3|%p3, -1;\n" + traps + poll("mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r2], 0;", "A"), 2));
}
