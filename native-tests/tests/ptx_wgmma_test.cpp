// SPDX-License-Identifier: Apache-2.0
// One wgmma of every layout that its operands may have, against float64, on tiles that are laid out here by other formulas than the
// machine's; bulk stores; and a box of a tensor.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "../ptx/machine.h"
#include "../ptx/semantics/convert.h"

namespace {

constexpr int M = 64, K = 16, THREADS = 128, TILE_BYTES = 32768;

struct Operand {
    bool by_rows;     // of M or N: MN-major
    int swizzle = 0;  // bytes
    bool in_registers = false;
    bool negated = false;
};

struct Case {
    std::string name;
    int n;
    bool bf16;
    Operand a, b;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

// A tile is lines of `swizzle` bytes: without swizzle cores of 8 lines of 16 bytes.
struct Layout {
    const Operand& operand;
    int extent;  // in M or N
    int line_bytes() const { return operand.swizzle ? operand.swizzle : 16; }
    int leading() const {
        if (operand.swizzle == 0) return extent / 8 * 128;
        return operand.by_rows ? K * line_bytes() : 16;
    }
    int stride() const { return operand.swizzle == 0 ? 128 : 8 * line_bytes(); }
    int byte_of(int row, int k) const {
        if (operand.swizzle == 0) {
            const int core = k / 8 * (extent / 8) + row / 8;
            return core * 128 + (operand.by_rows ? k % 8 * 16 + row % 8 * 2 : row % 8 * 16 + k % 8 * 2);
        }
        const int across = line_bytes() / 2;
        const int line = operand.by_rows ? row / across * K + k : row, element = operand.by_rows ? row % across : k;
        // Pieces of 16 bytes in rows of 128 are exchanged: those of row r by r, of as many rows as a line has pieces.
        const int byte = line * line_bytes() + 2 * element, piece = byte / 16 % 8, exchanged = piece ^ (byte / 128 % (line_bytes() / 16));
        return byte / 128 * 128 + exchanged * 16 + byte % 16;
    }
    uint64_t descriptor(int start) const {
        const uint64_t mode = operand.swizzle == 0 ? 0 : operand.swizzle == 128 ? 1 : operand.swizzle == 64 ? 2 : 3;
        return uint64_t(start) / 16 | uint64_t(leading()) / 16 << 16 | uint64_t(stride()) / 16 << 32 | mode << 62;
    }
};

std::string registers(const std::string& prefix, int count) {
    std::string text = "{";
    for (int i = 0; i < count; i++) text += (i ? ", " : "") + prefix + std::to_string(i);
    return text + "}";
}

// Copies both tiles into shared memory, multiplies, and stores each thread's registers of D.
std::string kernel(const Case& c) {
    const std::string type = c.bf16 ? "bf16" : "f16";
    const int count = c.n / 2;
    std::string text = R"(
.version 8.0
.target sm_90a
.address_size 64
.visible .entry probe(.param .u64 tiles, .param .u64 fragments, .param .u64 result) {
.reg .pred %p<3>;
.reg .b32 %r<20>;
.reg .b32 %a<4>;
.reg .f32 %d<128>;
.reg .b64 %rd<20>;
.shared .align 1024 .b8 tile[65536];
ld.param.u64 %rd1, [tiles];
ld.param.u64 %rd2, [fragments];
ld.param.u64 %rd3, [result];
mov.u32 %r1, %tid.x;
mul.lo.u32 %r2, %r1, 16;
COPY:
cvt.u64.u32 %rd4, %r2;
add.u64 %rd4, %rd1, %rd4;
ld.global.v4.u32 {%r4, %r5, %r6, %r7}, [%rd4];
mov.u32 %r3, tile;
add.u32 %r3, %r3, %r2;
st.shared.v4.u32 [%r3], {%r4, %r5, %r6, %r7};
add.u32 %r2, %r2, 2048;
setp.lt.u32 %p1, %r2, 65536;
@%p1 bra COPY;
fence.proxy.async;
bar.sync 0;
mul.wide.u32 %rd5, %r1, 16;
add.u64 %rd5, %rd2, %rd5;
ld.global.v4.u32 {%a0, %a1, %a2, %a3}, [%rd5];
)";
    text += "mov.u64 %rd6, " + std::to_string(int64_t(Layout{c.a, M}.descriptor(0))) + ";\nmov.u64 %rd7, "
            + std::to_string(int64_t(Layout{c.b, c.n}.descriptor(TILE_BYTES))) + ";\nwgmma.fence.sync.aligned;\n";
    text += "wgmma.mma_async.sync.aligned.m64n" + std::to_string(c.n) + "k16.f32." + type + "." + type + " " + registers("%d", count) + ", "
            + (c.a.in_registers ? registers("%a", 4) : "%rd6") + ", %rd7, 0, " + (c.a.negated ? "-1" : "1") + ", " + (c.b.negated ? "-1" : "1")
            + (c.a.in_registers ? "" : c.a.by_rows ? ", 1" : ", 0") + (c.b.by_rows ? ", 1" : ", 0") + ";\n";
    text += "wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;\n";
    text += "mul.wide.u32 %rd8, %r1, " + std::to_string(4 * count) + ";\nadd.u64 %rd8, %rd3, %rd8;\n";
    for (int i = 0; i < count; i++) text += "st.global.f32 [%rd8+" + std::to_string(4 * i) + "], %d" + std::to_string(i) + ";\n";
    return text + "ret;\n}\n";
}

class PtxWgmma : public testing::TestWithParam<Case> {};

template <class T>
void give(ptx::GlobalMemory& memory, const std::vector<T>& values) {
    memory.allocate(reinterpret_cast<uintptr_t>(values.data()), values.size() * sizeof(T));
    memory.written(reinterpret_cast<uintptr_t>(values.data()), values.size() * sizeof(T));
}

}  // namespace

TEST_P(PtxWgmma, AgreesWithFloat64) {
    const Case& c = GetParam();
    std::mt19937 random(11);
    std::normal_distribution<double> normal;
    const auto bits = [&](double x) { return uint16_t(c.bf16 ? ptx::f64_to_bf16(x) : ptx::f64_to_f16(x)); };
    const auto number = [&](uint16_t x) { return double(c.bf16 ? std::bit_cast<float>(uint32_t(x) << 16) : ptx::from_f16(x)); };
    std::vector<uint16_t> tiles(TILE_BYTES), a(M * K), b(size_t(c.n) * K), fragments(THREADS * 8);
    for (int row = 0; row < M; row++) {
        for (int k = 0; k < K; k++) tiles[size_t(Layout{c.a, M}.byte_of(row, k) / 2)] = a[size_t(row * K + k)] = bits(normal(random));
    }
    for (int row = 0; row < c.n; row++) {
        for (int k = 0; k < K; k++) tiles[size_t((TILE_BYTES + Layout{c.b, c.n}.byte_of(row, k)) / 2)] = b[size_t(row * K + k)] = bits(normal(random));
    }
    // As mma.m16n8k16 has A, 16 rows in each warp: a0 a1 | a2 a3 eight rows down | a4 a5 eight columns on | a6 a7 both.
    for (int thread = 0; thread < THREADS; thread++) {
        for (int i = 0; i < 8; i++) {
            const int row = thread / 32 * 16 + thread % 32 / 4 + (i == 2 || i == 3 || i >= 6 ? 8 : 0), k = thread % 4 * 2 + i % 2 + (i >= 4 ? 8 : 0);
            fragments[size_t(thread * 8 + i)] = a[size_t(row * K + k)];
        }
    }
    std::vector<float> result(size_t(THREADS) * c.n / 2);
    ptx::GlobalMemory memory;
    give(memory, tiles), give(memory, fragments), give(memory, result);
    const auto module = ptx::Module::parse(kernel(c), "probe.ptx");
    const void* const parameters[] = {tiles.data(), fragments.data(), result.data()};
    ASSERT_EQ("", ptx::launch(*module, *module->find("probe"), memory, {1}, {THREADS}, 0, parameters, {}));
    const double sign = c.a.negated == c.b.negated ? 1 : -1;
    for (int thread = 0; thread < THREADS; thread++) {
        for (int i = 0; i < c.n / 2; i++) {
            const int row = thread / 32 * 16 + thread % 32 / 4 + (i % 4 >= 2 ? 8 : 0), column = i / 4 * 8 + thread % 4 * 2 + i % 2;
            double sum = 0, magnitude = 0;
            for (int k = 0; k < K; k++) {
                const double product = number(a[size_t(row * K + k)]) * number(b[size_t(column * K + k)]);
                sum += sign * product;
                magnitude += std::fabs(product);
            }
            ASSERT_NEAR(sum, result[size_t(thread * c.n / 2 + i)], 1e-6 * magnitude) << row << ", " << column;
        }
    }
}

std::vector<Case> cases() {
    std::vector<Case> all;
    for (const bool by_rows : {false, true}) {
        for (const int swizzle : {0, 32, 64, 128}) {
            const std::string name = (by_rows ? "ByRows" : "ByColumns") + std::to_string(swizzle);
            all.push_back({"A" + name, 8, true, {by_rows, swizzle}, {false, 128}});
            all.push_back({"B" + name, 128, false, {false, 128}, {by_rows, swizzle}});
        }
    }
    all.push_back({"ARegisters", 64, true, {false, 0, true}, {true, 128}});
    all.push_back({"ARegistersNegated", 24, false, {false, 0, true, true}, {false, 32}});
    all.push_back({"BNegated", 256, true, {true, 64}, {true, 64, false, true}});
    return all;
}

INSTANTIATE_TEST_SUITE_P(Layouts, PtxWgmma, testing::ValuesIn(cases()), [](const auto& info) { return info.param.name; });

namespace {

// 32 threads write 512 bytes to shared memory, from where they are copied to global memory.
std::string bulk_store(const std::string& fence, const std::string& wait, std::vector<uint32_t>& result, ptx::Landing landing) {
    const std::string text = R"(
.version 8.0
.target sm_90
.address_size 64
.visible .entry probe(.param .u64 result) {
.reg .pred %p<3>;
.reg .b32 %r<8>;
.reg .b64 %rd<4>;
.shared .align 128 .b8 tile[512];
ld.param.u64 %rd1, [result];
mov.u32 %r1, %tid.x;
mov.u32 %r3, tile;
shl.b32 %r2, %r1, 4;
add.u32 %r2, %r2, %r3;
st.shared.v4.u32 [%r2], {%r1, %r2, %r1, %r1};
)" + fence + R"(
bar.sync 0;
setp.eq.u32 %p1, %r1, 0;
@%p1 cp.async.bulk.global.shared::cta.bulk_group [%rd1], [%r3], 512;
@%p1 cp.async.bulk.commit_group;
)" + wait + "\nret;\n}\n";
    const auto module = ptx::Module::parse(text, "probe.ptx");
    ptx::GlobalMemory memory;
    give(memory, result);
    ptx::Options options;
    options.landing = landing;
    const void* const parameters[] = {result.data()};
    return ptx::launch(*module, *module->find("probe"), memory, {1}, {32}, 0, parameters, options);
}

}  // namespace

TEST(PtxBulkCopy, StoresWhatWasFencedAndIsWaitedFor) {
    const std::string fence = "fence.proxy.async.shared::cta;", wait = "@%p1 cp.async.bulk.wait_group.read 0;";
    for (const ptx::Landing landing : {ptx::Landing::EARLY, ptx::Landing::LATE}) {
        std::vector<uint32_t> result(128);
        ASSERT_EQ("", bulk_store(fence, wait, result, landing));
        for (uint32_t i = 0; i < 32; i++) EXPECT_EQ(i, result[4 * i]);
        EXPECT_NE(bulk_store("", wait, result, landing).find("without a fence.proxy.async"), std::string::npos);
        EXPECT_NE(bulk_store("fence.proxy.async.global;", wait, result, landing).find("without a fence.proxy.async"), std::string::npos);
        EXPECT_NE(bulk_store(fence, "", result, landing).find("cp.async.bulk.wait_group didn't wait for"), std::string::npos);
    }
}

// A box of 8 lines of 64 numbers, from column 8 and row 16 of a tensor of 20 rows of 40: by a tensor map that the kernel makes.
TEST(PtxBulkCopy, ABoxOfATensorIsSwizzledAndZeroOutsideOfIt) {
    constexpr int COLUMNS = 40, ROWS = 20, LINE = 64, LINES = 8;
    const std::string text = R"(
.version 8.3
.target sm_90a
.address_size 64
.visible .entry probe(.param .u64 tensor, .param .u64 map, .param .u64 result) {
.reg .pred %p<3>;
.reg .b32 %r<12>;
.reg .b64 %rd<12>;
.shared .align 1024 .b8 tile[1024];
.shared .align 128 .b8 draft[128];
.shared .align 8 .b64 full;
ld.param.u64 %rd1, [tensor];
ld.param.u64 %rd2, [map];
ld.param.u64 %rd3, [result];
mov.u32 %r1, %tid.x;
mov.u32 %r2, draft;
mov.u32 %r3, full;
mov.u32 %r4, tile;
setp.ne.u32 %p1, %r1, 0;
@%p1 bra MADE;
tensormap.replace.tile.global_address.shared::cta.b1024.b64 [%r2], %rd1;
tensormap.replace.tile.rank.shared::cta.b1024.b32 [%r2], 1;
tensormap.replace.tile.box_dim.shared::cta.b1024.b32 [%r2], 0, 64;
tensormap.replace.tile.box_dim.shared::cta.b1024.b32 [%r2], 1, 8;
tensormap.replace.tile.global_dim.shared::cta.b1024.b32 [%r2], 0, 40;
tensormap.replace.tile.global_dim.shared::cta.b1024.b32 [%r2], 1, 20;
tensormap.replace.tile.global_stride.shared::cta.b1024.b64 [%r2], 0, 80;
tensormap.replace.tile.elemtype.shared::cta.b1024.b32 [%r2], 10;
tensormap.replace.tile.swizzle_mode.shared::cta.b1024.b32 [%r2], 3;
mbarrier.init.shared::cta.b64 [%r3], 1;
fence.mbarrier_init.release.cluster;
MADE:
bar.warp.sync -1;
tensormap.cp_fenceproxy.global.shared::cta.tensormap::generic.release.gpu.sync.aligned [%rd2], [%r2], 128;
fence.proxy.tensormap::generic.acquire.gpu [%rd2], 128;
@%p1 bra WAIT;
mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r3], 1024;
mov.u32 %r5, 8;
mov.u32 %r6, 16;
cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%r4], [%rd2, {%r5, %r6}], [%r3];
WAIT:
mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r3], 0;
@!%p2 bra WAIT;
shl.b32 %r7, %r1, 5;
add.u32 %r8, %r4, %r7;
cvt.u64.u32 %rd4, %r7;
add.u64 %rd4, %rd3, %rd4;
ld.shared.v4.u32 {%r5, %r6, %r9, %r10}, [%r8];
st.global.v4.u32 [%rd4], {%r5, %r6, %r9, %r10};
ld.shared.v4.u32 {%r5, %r6, %r9, %r10}, [%r8+16];
st.global.v4.u32 [%rd4+16], {%r5, %r6, %r9, %r10};
ret;
}
)";
    std::vector<uint16_t> tensor(COLUMNS * ROWS), result(LINE * LINES);
    for (size_t i = 0; i < tensor.size(); i++) tensor[i] = uint16_t(i + 1);
    std::vector<uint64_t> storage(32);
    auto* const map = reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(storage.data()) + 127) / 128 * 128);
    const auto module = ptx::Module::parse(text, "probe.ptx");
    for (const ptx::Landing landing : {ptx::Landing::EARLY, ptx::Landing::LATE}) {
        ptx::GlobalMemory memory;
        give(memory, tensor), give(memory, storage), give(memory, result);
        ptx::Options options;
        options.landing = landing;
        const void* const parameters[] = {tensor.data(), map, result.data()};
        ASSERT_EQ("", ptx::launch(*module, *module->find("probe"), memory, {1}, {32}, 0, parameters, options));
        for (int line = 0; line < LINES; line++) {
            for (int i = 0; i < LINE; i++) {
                const int column = 8 + i, row = 16 + line, piece = i / 8 ^ line;
                EXPECT_EQ(column < COLUMNS && row < ROWS ? row * COLUMNS + column + 1 : 0, result[size_t(line * LINE + piece * 8 + i % 8)]) << line << ", " << i;
            }
        }
    }
}
