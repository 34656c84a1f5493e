// SPDX-License-Identifier: Apache-2.0
// What is undefined in PTX is an error of the PTX machine: one planted defect each.
#include "ptx_machine.h"

namespace {

const std::string TILE = "mov.u32 %r1, dynamic;\nshl.b32 %r2, %tid, 2;\nadd.u32 %r1, %r1, %r2;\n";  // %r1: the thread's word

TEST_F(PtxMachine, UnknownInstructionsAreNamedWithTheirLine) {
    expect_error("mov.u32 %r0, 1;\nfrobnicate.u32 %r0, %r0;", {"test.ptx:21:", "frobnicate.u32", "k:"});
    expect_error("add.s32 %r0, %r0;", {"test.ptx:20:", "takes 3 operands"});
    expect_error("add.s32 %r0, %d0, %r100;", {"test.ptx:20:"});
    expect_error("bra $nowhere;", {"test.ptx:20:", "$nowhere"});
}

TEST_F(PtxMachine, AnErrorNamesEverything) {
    expect_error(".loc 1 42 7\nsetp.eq.u32 %p0, %tid, 37;\n@%p0 st.global.u32 [%mine+2], %tid;",
                 {"k, test.ptx:22", "source kernel.cu:42", "block (0, 0, 0)", "warp 1, lane 5", "st.global.u32"}, 64);
}

TEST_F(PtxMachine, MisalignedAccesses) {
    expect_error("ld.global.u32 %r0, [%in+2];", {"not aligned to 4"});
    expect_error("ld.global.v4.u32 {%r0, %r1, %r2, %r3}, [%in+8];", {"not aligned to 16"});
    expect_error(TILE + "st.shared.v2.u32 [%r1], {%tid, %tid};", {"lane 1", "not aligned to 8"}, 32, 256);
    expect_error("ld.param.u64 %d0, [k_in+4];", {"test.ptx:20", "not aligned"});
}

TEST_F(PtxMachine, AccessesOutsideOfAllocations) {
    expect_error("st.global.u32 [%out+4096], %tid;",
                 {"outside of all allocations", "4096 bytes from the start of one of 4096"});
    expect_error("ld.global.u32 %r0, [%in+-4];", {"outside of all allocations"});
    expect_error("mov.u64 %d0, 64;\nld.global.u32 %r0, [%d0];", {"0x40", "outside of all allocations"});
    expect_error("mul.wide.u32 %d0, %tid, 128;\nadd.s64 %d0, %in, %d0;\nld.global.v4.u32 {%r0, %r1, %r2, %r3}, [%d0+240];",
                 {"lane 31"});
    expect_error(TILE + "st.shared.u32 [%r1+4], %tid;", {"lane 31", "shared memory, which has 128"}, 32, 128);
    expect_error(".local .align 4 .b8 depot[16];\nmov.u64 %d0, depot;\nst.local.u32 [%d0+16], %tid;",
                 {"local memory, which has 16"});
    expect_error("ld.param.u32 %r0, [k_n+4];", {"test.ptx:20", "outside of the kernel's parameters"});
}

TEST_F(PtxMachine, ReadsOfWhatWasNeverWritten) {
    expect_error("ld.global.u32 %r0, [%mine];", {"never written", "byte 0 of an allocation of 4096"});
    expect_error("st.global.u32 [%mine], %tid;\nld.global.u32 %r0, [%mine+4];", {"lane 31", "never written"});
    expect_error(TILE + "ld.shared.u32 %r0, [%r1];", {"shared memory that was never written"}, 32, 128);
    expect_error(".local .align 4 .b8 depot[8];\nmov.u64 %d0, depot;\nst.local.u32 [%d0], %tid;\nld.local.u32 %r0, [%d0+4];",
                 {"local memory that was never written"});
    expect_error(TILE + "cp.async.ca.shared.global [%r1], [%mine+2048], 4;\ncp.async.wait_all;",
                 {"global memory that was never written"}, 32, 128);
    // What a block before has left counts as never written.
    const std::string first_only = TILE
        + "mov.u32 %r3, %ctaid.x;\nsetp.eq.u32 %p0, %r3, 0;\n@%p0 st.shared.u32 [%r1], %tid;\nld.shared.u32 %r0, [%r1];";
    EXPECT_NE(run(first_only, 32, 2, 128).find("block (1, 0, 0)"), std::string::npos);
    options.unwritten = false;
    EXPECT_EQ(run("ld.global.u32 %r0, [%mine];"), "");
}

TEST_F(PtxMachine, RegistersThatWereNeverSet) {
    const std::string some_lanes = "setp.lt.u32 %p0, %lane, 5;\n@%p0 mov.u32 %r1, 7;\n";
    expect_error("add.u32 %r0, %r1, 1;", {"test.ptx:20", "lane 0", "add.u32 reads a register that was never set"});
    expect_error(some_lanes + "add.u32 %r0, %r1, 1;", {"test.ptx:22", "lane 5", "never set"});
    expect_error(some_lanes + "@!%p0 st.global.u32 [%mine], %r1;", {"lane 5", "st.global.u32 reads a register that was never set"});
    expect_error("@%p1 mov.u32 %r1, 7;", {"a guard that was never set"});
    // Copies hand it on, 32 bits in two halves too.
    expect_error(some_lanes + "mov.u32 %r2, %r1;\nmov.b32 {%h0, %h1}, %r2;\nadd.u16 %h2, %h1, %h1;", {"test.ptx:24", "lane 5"});
    EXPECT_EQ(run(some_lanes + "mov.u32 %r2, %r1;\n@%p0 add.u32 %r0, %r2, 1;"), "");
    EXPECT_EQ(run(some_lanes + "mov.u32 %r2, %r1;\nmov.u32 %r2, 3;\nadd.u32 %r0, %r2, 1;"), "");
    EXPECT_EQ(run(some_lanes + "@!%p0 mov.u32 %r1, 8;\nadd.u32 %r0, %r1, 1;"), "");
    EXPECT_EQ(run(some_lanes + "selp.u32 %r0, %r1, 3, %p0;\nadd.u32 %r0, %r0, 1;"), "");
    options.unwritten = false;
    EXPECT_EQ(run("add.u32 %r0, %r1, 1;"), "");
}

TEST_F(PtxMachine, CopiesThatAreNotWaitedFor) {
    const std::string copy = TILE
        + "mul.wide.u32 %d0, %tid, 4;\nadd.s64 %d0, %in, %d0;\ncp.async.ca.shared.global [%r1], [%d0], 4;\n";
    for (const ptx::Landing landing : {ptx::Landing::EARLY, ptx::Landing::LATE, ptx::Landing::RANDOM}) {
        options.landing = landing;
        expect_error(copy + "cp.async.commit_group;\nld.shared.u32 %r0, [%r1];\ncp.async.wait_group 0;", {"was not waited for"},
                     32, 128);
        expect_error(copy + "cp.async.commit_group;\ncp.async.wait_group 1;\nld.shared.u32 %r0, [%r1];\ncp.async.wait_group 0;",
                     {"was not waited for"}, 32, 128);
        expect_error(copy + "st.shared.u32 [%r1], %tid;\ncp.async.wait_all;", {"on its way"}, 32, 128);
        expect_error(copy + "cp.async.commit_group;", {"in flight", "committed but not waited for", "test.ptx:25"}, 32, 128);
        expect_error(copy, {"in flight", "never committed"}, 32, 128);
        // Another warp needs a barrier behind the wait.
        expect_error(copy + "cp.async.wait_all;\nxor.b32 %r3, %r1, 128;\nld.shared.u32 %r0, [%r3];",
                     {"reads shared memory that"}, 64, 256);
        EXPECT_EQ(run(copy + "cp.async.wait_all;\nbar.sync 0;\nxor.b32 %r3, %r1, 128;\nld.shared.u32 %r0, [%r3];", 64, 1, 256),
                  "");
    }
    expect_error(TILE + "cp.async.ca.shared.global [%r1], [%in], 4, 5;\ncp.async.wait_all;", {"more than its width"}, 32, 128);
    expect_error(TILE + "cp.async.cg.shared.global [%r1], [%in], 16;\ncp.async.wait_all;", {"lane 1", "not aligned to 16"}, 32,
                 1024);
}

TEST_F(PtxMachine, RacesBetweenWarps) {
    const std::string other = "xor.b32 %r3, %r1, 128;\n";  // the word of the other warp's thread
    const std::string write = "st.shared.u32 [%r1], %tid;\n", read_other = "ld.shared.u32 %r0, [%r3];\n",
        write_other = "st.shared.u32 [%r3], %tid;\n";
    for (const ptx::Order order : {ptx::Order::FORWARD, ptx::Order::BACKWARD, ptx::Order::SHUFFLED}) {
        options.order = order;
        expect_error(TILE + other + write + "bar.sync 0;\n" + read_other + write, {"a race", "last barrier"}, 64, 256);
        expect_error(TILE + other + write + write_other, {"a race", "writes", "wrote"}, 64, 256);
        expect_error(TILE + other + write + "bar.sync 0;\n" + read_other + write_other, {}, 64, 256);
        EXPECT_EQ(run(TILE + other + write + "bar.sync 0;\n" + read_other + "bar.sync 0;\n" + write, 64, 1, 256), "");
        // Neighbours within a word are no race, even if halves and bytes are written.
        EXPECT_EQ(run("mov.u32 %r1, dynamic;\nshl.b32 %r2, %lane, 1;\nshr.u32 %r3, %tid, 5;\nadd.u32 %r2, %r2, %r3;\nadd.u32 %r1, %r1, %r2;\n"
                      "cvt.u16.u32 %h0, %tid;\nst.shared.u8 [%r1], %h0;\nld.shared.u8 %h1, [%r1];", 64, 1, 256), "");
    }
    // The same between blocks is none.
    EXPECT_EQ(run(TILE + write + "ld.shared.u32 %r0, [%r1];", 32, 4, 128), "");
    // Atomics race with what isn't one.
    const std::string word =
        "mov.u32 %r1, dynamic;\nsetp.eq.u32 %p0, %tid, 0;\n@%p0 st.shared.u32 [%r1], 0;\nbar.sync 0;\nred.shared.add.u32 [%r1], 1;\n";
    EXPECT_EQ(run(word, 64, 1, 16), "");
    expect_error(word + "ld.shared.u32 %r0, [%r1];", {"a race", "atomics"}, 64, 16);
    options.races = false;
    EXPECT_EQ(run(TILE + other + write + write_other, 64, 1, 256), "");
}

TEST_F(PtxMachine, LanesOfAWarpThatNothingOrders) {
    const std::string neighbour = "xor.b32 %r3, %r1, 4;\n", write = "st.shared.u32 [%r1], %tid;\n",
        read = "ld.shared.u32 %r0, [%r3];\n", sync = "bar.warp.sync -1;\n";
    expect_error(TILE + neighbour + write + read, {"lane 0", "reads shared memory that lane 1 of its warp wrote"}, 32, 128);
    expect_error(TILE + neighbour + write + sync + read + write,
                 {"lane 0", "writes shared memory that lane 1 of its warp read"}, 32, 128);
    EXPECT_EQ(run(TILE + neighbour + write + sync + read + sync + write + "ld.shared.u32 %r0, [%r1];", 32, 4, 128), "");
    // A shuffle orders no memory; a barrier of the block does.
    expect_error(TILE + neighbour + write + "shfl.sync.idx.b32 %r4, %tid, 0, 31, -1;\n" + read, {"bar.warp.sync"}, 32, 128);
    EXPECT_EQ(run(TILE + neighbour + write + "bar.sync 0;\n" + read, 32, 1, 128), "");
    // ldmatrix gives each lane what others have written.
    const std::string row = "mov.u32 %r3, dynamic;\nand.b32 %r4, %tid, 7;\nmad.lo.u32 %r3, %r4, 16, %r3;\n",
        matrix = "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r0}, [%r3];\n";
    expect_error(TILE + row + write + matrix, {"reads shared memory that lane"}, 32, 128);
    EXPECT_EQ(run(TILE + row + write + sync + matrix, 32, 1, 128), "");
    const std::string copy = "cp.async.ca.shared.global [%r1], [%in], 4;\ncp.async.wait_all;\n";
    expect_error(TILE + row + copy + matrix, {"reads shared memory that lane"}, 32, 128);
    EXPECT_EQ(run(TILE + row + copy + sync + matrix, 32, 1, 128), "");
    // Another warp that has synchronized more often has read it before: what this one reads and then writes is its own.
    EXPECT_EQ(run(TILE + "setp.ge.u32 %p0, %tid, 32;\n" + write + "bar.sync 0;\n@!%p0 bra $first;\n" + sync + sync +
                  "$first: @!%p0 bra $second;\nxor.b32 %r3, %r1, 128;\n" + read
                      + "$second: bar.sync 0;\nld.shared.u32 %r0, [%r1];\n" + write, 64, 1, 256), "");
    options.warp_order = false;
    EXPECT_EQ(run(TILE + neighbour + write + read, 32, 1, 128), "");
}

TEST_F(PtxMachine, MoreSharedMemoryThanABlockHas) {
    expect_error("ret;", {"101377 bytes of shared memory", "101376"}, 32, 99 * 1024 + 1);
    options.shared_limit = 227 * 1024;
    EXPECT_EQ(run("ret;", 32, 1, 200 * 1024), "");
}

TEST_F(PtxMachine, MoreThreadsThanABlockHas) { expect_error("ret;", {"1056 threads"}, 1056); }

TEST_F(PtxMachine, CollectivesWithoutAllTheirLanes) {
    const std::string half = "setp.lt.u32 %p0, %lane, 16;\n@%p0 bra $done;\n", done = "$done:";
    expect_error("setp.lt.u32 %p0, %lane, 16;\n@%p0 ret;\nshfl.sync.idx.b32 %r0, %tid, 0, 31, -1;",
                 {"lane 0, which has returned"});
    expect_error(half + "shfl.sync.idx.b32 %r0, %tid, 0, 31, -1;\n" + done, {"returned"});
    expect_error("shfl.sync.idx.b32 %r0, %tid, 0, 31, 0xFFFF;", {"lane 16", "not in its own mask"});
    expect_error(half + "shfl.sync.idx.b32 %r0, %tid, 3, 31, 0xFFFF0000;\n" + done,
                 {"reads from lane 3, which doesn't take part"});
    EXPECT_EQ(run(half + "shfl.sync.idx.b32 %r0, %tid, 17, 31, 0xFFFF0000;\n" + done), "");
    const std::string mma =
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f0, %f1, %f2, %f3}, {%r0, %r0, %r0, %r0}, {%r0, %r0}, {%f0, %f0, %f0, %f0};\n";
    expect_error("mov.u32 %r0, 0;\nmov.f32 %f0, 0f00000000;\n" + half + mma + done, {"needs all 32 lanes", "lane 0"});
    expect_error("mov.u32 %r0, 0;\nmov.f32 %f0, 0f00000000;\n" + mma, {"needs all 32 lanes", "lane 20"}, 20);
    expect_error("mov.u32 %r1, dynamic;\n" + half + "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r0}, [%r1];\n" + done,
                 {"needs all 32 lanes"}, 32, 1024);
}

TEST_F(PtxMachine, BarriersThatNobodyCanPass) {
    // Half of a warp at one barrier, half at another.
    expect_error("setp.lt.u32 %p0, %lane, 16;\n@%p0 bra $low;\nbar.sync 0;\nret;\n$low: bar.sync 0;",
                 {"deadlock", "test.ptx:22", "test.ptx:24", "lanes 0 1 2"});
    // Two warps at barriers of different numbers.
    expect_error("shr.u32 %r0, %tid, 5;\nbar.sync %r0;", {"deadlock", "warp 0", "warp 1"}, 64);
    expect_error("setp.lt.u32 %p0, %lane, 16;\n@%p0 bra $low;\nbar.warp.sync -1;\nret;\n$low: bar.sync 0;", {"deadlock"});
    expect_error("bar.sync 16;", {"no barrier 16"});
    // Warps that have returned are not waited for.
    EXPECT_EQ(run("setp.lt.u32 %p0, %tid, 32;\n@%p0 ret;\nbar.sync 0;", 64), "");
}

}  // namespace
