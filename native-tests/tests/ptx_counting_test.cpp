// SPDX-License-Identifier: Apache-2.0
// What the PTX machine counts, on kernels of a few lines whose counts are worked out by hand.
#include <gtest/gtest.h>

#include <vector>

#include "../ptx/machine.h"
#include "../ptx/profile.h"

namespace {

// A kernel of this body: %rd1 is the global address of its array, %r1 the lane, shared memory has 16 KB.
ptx::Counters counted(const std::string& body, unsigned blocks = 1, unsigned threads = 32) {
    const std::string text = R"(
.version 8.0
.target sm_80
.address_size 64
.visible .entry probe(.param .u64 array) {
.reg .pred %p<8>;
.reg .b16 %h<8>;
.reg .b32 %r<40>;
.reg .f32 %f<40>;
.reg .b64 %rd<20>;
.shared .align 1024 .b8 tile[16384];
ld.param.u64 %rd1, [array];
mov.u32 %r1, %laneid;
)" + body + "\nret;\n}\n";
    const auto module = ptx::Module::parse(text, "probe.ptx");
    std::vector<float> array(1 << 16);
    ptx::GlobalMemory memory;
    const auto address = reinterpret_cast<uintptr_t>(array.data());
    memory.allocate(address, array.size() * sizeof(float));
    memory.written(address, array.size() * sizeof(float));
    const uint64_t aligned = (address + 4095) / 4096 * 4096;
    ptx::Counters counters;
    ptx::Options options;
    options.unwritten = options.races = false;
    options.threads = 1;
    EXPECT_EQ("", ptx::launch(*module, *module->find("probe"), memory, {blocks}, {threads}, 0, &aligned, options, &counters));
    return counters;
}

const ptx::Requests& of(const std::array<ptx::Requests, ptx::TRAFFICS>& all, ptx::Traffic traffic) { return all[size_t(traffic)]; }

// Lane l accesses byte `stride` l of shared memory.
ptx::Requests shared(const std::string& access, unsigned stride) {
    return of(counted("mul.lo.u32 %r2, %r1, " + std::to_string(stride) + ";\nmov.u32 %r3, tile;\nadd.u32 %r2, %r2, %r3;\n" + access).shared, ptx::Traffic::LOAD);
}

ptx::Requests global(const std::string& access, unsigned stride) {
    return of(counted("mul.wide.u32 %rd2, %r1, " + std::to_string(stride) + ";\nadd.u64 %rd2, %rd1, %rd2;\n" + access).global, ptx::Traffic::LOAD);
}

void expect_pieces(uint64_t pieces, uint64_t least, const ptx::Requests& requests) {
    EXPECT_EQ(1u, requests.requests);
    EXPECT_EQ(pieces, requests.pieces);
    EXPECT_EQ(least, requests.least);
}

}  // namespace

TEST(PtxCounting, InstructionsAreCountedByClass) {
    ptx::Counters counters = counted(R"(
fma.rn.f32 %f1, %f0, %f0, %f0;
add.f32 %f2, %f1, %f1;
max.f32 %f3, %f1, %f2;
ex2.approx.ftz.f32 %f4, %f1;
mad.lo.u32 %r5, %r1, %r1, %r1;
xor.b32 %r6, %r5, %r1;
cvt.rn.f32.u32 %f5, %r6;
shfl.sync.bfly.b32 %r7, %r6, 1, 31, -1;
mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f6, %f7, %f8, %f9}, {%r1, %r1, %r1, %r1}, {%r1, %r1}, {%f5, %f5, %f5, %f5};
bar.sync 0;)",
                                     3, 64);
    const uint64_t warps = 3 * 2;
    for (const char* name : {"mufu", "imad", "convert", "shuffle", "mma.m16n8k16.f32.bf16.bf16.f32", "barrier", "ld.param", "move"}) {
        EXPECT_EQ(warps, counters.instructions[name]) << name;
    }
    EXPECT_EQ(2 * warps, counters.instructions["fma"]);
    EXPECT_EQ(2 * warps, counters.instructions["alu"]);
    EXPECT_EQ(warps * 32 * 3, counters.operations);
    EXPECT_EQ(warps * 16 * 8 * 16, counters.multiply_adds["bf16"]);
    EXPECT_EQ(warps, counters.barriers);
    EXPECT_EQ(warps, counters.warps);
    // All but the move and the parameter, and the return.
    EXPECT_EQ(warps * 11, counters.issue_slots);
}

TEST(PtxCounting, LanesThatAGuardHoldsBackAreNotActive) {
    const ptx::Counters all = counted("add.f32 %f1, %f0, %f0;"), some = counted("setp.lt.u32 %p1, %r1, 5;\n@%p1 add.f32 %f1, %f0, %f0;");
    EXPECT_EQ(32u, all.operations);
    EXPECT_EQ(5u, some.operations);
}

TEST(PtxCounting, BranchesThatPartAWarpAreCounted) {
    const ptx::Counters counters = counted(R"(
setp.lt.u32 %p1, %r1, 7;
@%p1 bra END;
setp.lt.u32 %p2, %r1, 100;
@%p2 bra END;
END:)");
    EXPECT_EQ(2u, counters.branches);
    EXPECT_EQ(1u, counters.divergent_branches);
}

TEST(PtxCounting, BanksAreWhereConflictsAre) {
    expect_pieces(1, 1, shared("ld.shared.u32 %r4, [%r2];", 4));
    expect_pieces(2, 1, shared("ld.shared.u32 %r4, [%r2];", 8));
    expect_pieces(32, 1, shared("ld.shared.u32 %r4, [%r2];", 128));
    expect_pieces(1, 1, shared("ld.shared.u32 %r4, [%r2];", 132));
    expect_pieces(1, 1, shared("ld.shared.u32 %r4, [%r2];", 0));
    // Two lanes in a word.
    expect_pieces(1, 1, shared("ld.shared.u16 %h1, [%r2];", 2));
    // 8 bytes by half warps, 16 by quarters.
    expect_pieces(2, 2, shared("ld.shared.v2.u32 {%r4, %r5}, [%r2];", 8));
    expect_pieces(4, 2, shared("ld.shared.v2.u32 {%r4, %r5}, [%r2];", 16));
    expect_pieces(4, 4, shared("ld.shared.v4.u32 {%r4, %r5, %r6, %r7}, [%r2];", 16));
    expect_pieces(32, 4, shared("ld.shared.v4.u32 {%r4, %r5, %r6, %r7}, [%r2];", 128));
    expect_pieces(4, 4, shared("ld.shared.v4.u32 {%r4, %r5, %r6, %r7}, [%r2];", 144));
}

TEST(PtxCounting, RowsOfMatricesConflictToo) {
    const auto matrices = [](unsigned pitch) {
        return of(counted("mul.lo.u32 %r2, %r1, " + std::to_string(pitch) + R"(;
mov.u32 %r3, tile;
add.u32 %r2, %r2, %r3;
ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r4, %r5, %r6, %r7}, [%r2];)")
                      .shared,
                  ptx::Traffic::MATRIX);
    };
    expect_pieces(32, 4, matrices(128));
    expect_pieces(4, 4, matrices(144));
    expect_pieces(16, 4, matrices(64));
}

TEST(PtxCounting, AtomicsOnOneWordWaitForOneAnother) {
    const auto same = of(counted("mov.u32 %r2, tile;\nred.shared.add.u32 [%r2], 1;").shared, ptx::Traffic::ATOMIC);
    EXPECT_EQ(32u, same.pieces);
}

TEST(PtxCounting, SectorsAreOf32Bytes) {
    expect_pieces(4, 4, global("ld.global.u32 %r4, [%rd2];", 4));
    expect_pieces(32, 4, global("ld.global.u32 %r4, [%rd2];", 32));
    expect_pieces(1, 1, global("ld.global.u32 %r4, [%rd2];", 0));
    expect_pieces(16, 16, global("ld.global.v4.u32 {%r4, %r5, %r6, %r7}, [%rd2];", 16));
    expect_pieces(5, 4, global("ld.global.u32 %r4, [%rd2+16];", 4));
}

TEST(PtxCounting, ASectorIsReadFromMemoryOnceInALaunch) {
    const std::string own = "mul.wide.u32 %rd2, %r1, 4;\nadd.u64 %rd2, %rd1, %rd2;\n";
    const ptx::Counters counters = counted(own + "ld.global.f32 %f1, [%rd2];\nld.global.f32 %f2, [%rd2];\nst.global.f32 [%rd2+4096], %f1;", 5);
    EXPECT_EQ(128u, counters.read_bytes);
    EXPECT_EQ(128u, counters.written_bytes);
    EXPECT_EQ(5u * 2 * 4, of(counters.global, ptx::Traffic::LOAD).pieces);
    EXPECT_EQ(5u * 128, of(counters.global, ptx::Traffic::STORE).bytes);
}

TEST(PtxCounting, CopiesReadOneMemoryAndWriteTheOther) {
    const ptx::Counters counters = counted(R"(
mul.wide.u32 %rd2, %r1, 16;
add.u64 %rd2, %rd1, %rd2;
shl.b32 %r2, %r1, 4;
mov.u32 %r3, tile;
add.u32 %r2, %r2, %r3;
cp.async.cg.shared.global [%r2], [%rd2], 16;
cp.async.commit_group;
cp.async.wait_group 0;)");
    expect_pieces(4, 4, of(counters.shared, ptx::Traffic::COPY));
    expect_pieces(16, 16, of(counters.global, ptx::Traffic::COPY));
}

TEST(PtxCounting, LinesOfTheTextHaveTheirCounts) {
    const ptx::Counters counters = counted("add.f32 %f1, %f0, %f0;", 2);
    uint64_t instructions = 0;
    for (const auto& [place, line] : counters.lines) {
        EXPECT_EQ(0u, place.find("probe.ptx:")) << place;
        instructions += line.instructions;
    }
    EXPECT_EQ(2u * 4, instructions);
}

TEST(PtxCounting, AProfileIsALineOfJson) {
    ptx::Counters counters;
    counters.warps = 4;
    counters.instructions["fma"] = 8;
    counters.shared[size_t(ptx::Traffic::LOAD)] = {2, 256, 3, 2};
    EXPECT_EQ("{\"kernel\":\"probe\",\"grid\":[2,1,1],\"block\":[64,1,1],\"shared_bytes\":0,\"warps\":4,\"instructions\":{\"fma\":8},"
              "\"lane_instructions\":0,\"issue_slots\":0,\"operations\":0,\"multiply_adds\":{},"
              "\"shared\":{\"load\":{\"requests\":2,\"bytes\":256,\"wavefronts\":3,\"least\":2}},\"global\":{},\"local_bytes\":0,\"read_bytes\":0,"
              "\"written_bytes\":0,\"branches\":0,\"divergent_branches\":0,\"barriers\":0}",
              ptx::json_of("probe", {2}, {64}, 0, counters, 0));
}
