// SPDX-License-Identifier: Apache-2.0
// What the PTX machine does with instructions that are right.
#include "ptx_machine.h"

namespace {

constexpr const char* STORE = "st.global.u32 [%mine], %r0;\n";

TEST_F(PtxMachine, LanesLeaveALoopAtDifferentTimes) {
    // r0 = 0 + 1 + ... + lane
    expect(std::string("mov.u32 %r0, 0;\nmov.u32 %r1, 0;\n"
                       "$again: setp.gt.u32 %p0, %r1, %lane;\n@%p0 bra $done;\n"
                       "add.u32 %r0, %r0, %r1;\nadd.u32 %r1, %r1, 1;\nbra.uni $again;\n$done:\n") + STORE,
           [](uint32_t i) { return i % 32 * (i % 32 + 1) / 2; }, 64);
}

TEST_F(PtxMachine, BranchesWithinBranchesMeetAgain) {
    // Both branches end in the same place, before a shuffle that needs all lanes.
    expect(std::string("and.b32 %r1, %lane, 1;\nsetp.eq.u32 %p0, %r1, 0;\n@%p0 bra $even;\n"
                       "and.b32 %r2, %lane, 2;\nsetp.eq.u32 %p1, %r2, 0;\n@%p1 bra $low;\nmov.u32 %r0, 300;\nbra $join;\n"
                       "$low: mov.u32 %r0, 200;\nbra $join;\n$even: mov.u32 %r0, 100;\n$join:\n"
                       "shfl.sync.bfly.b32 %r3, %r0, 1, 31, -1;\nadd.u32 %r0, %r0, %r3;\n") + STORE,
           [](uint32_t i) { return i & 2 ? 400 : 300; });
}

TEST_F(PtxMachine, CodeThatIsLaidOutAfterItsJoinRunsTooBeforeACollective) {
    // The even lanes go to code at the end, which jumps back.
    expect(std::string("and.b32 %r1, %lane, 1;\nmov.u32 %r0, 5;\nsetp.eq.u32 %p0, %r1, 0;\n@%p0 bra $even;\n"
                       "$join: vote.sync.ballot.b32 %r2, %p0, -1;\nadd.u32 %r0, %r0, %r2;\n") + STORE +
               "ret;\n$even: mov.u32 %r0, 7;\nbra $join;",
           [](uint32_t i) { return 0x55555555u + (i % 2 ? 5 : 7); });
}

TEST_F(PtxMachine, LanesSynchronizeFromDifferentPlaces) {
    expect(std::string("setp.lt.u32 %p0, %lane, 16;\n@%p0 bra $low;\nbar.warp.sync -1;\nmov.u32 %r0, 1;\nbra $join;\n"
                       "$low: bar.warp.sync -1;\nmov.u32 %r0, 2;\n$join:\n") + STORE,
           [](uint32_t i) { return i < 16 ? 2 : 1; });
}

TEST_F(PtxMachine, GuardsHoldForSingleInstructions) {
    expect(std::string("mov.u32 %r0, 1;\nsetp.lt.u32 %p0, %lane, 4;\n@%p0 mov.u32 %r0, 2;\n@!%p0 add.u32 %r0, %r0, %lane;\n")
           + STORE,
           [](uint32_t i) { return i < 4 ? 2 : 1 + i; });
}

TEST_F(PtxMachine, LanesReturnEarly) {
    expect(std::string("st.global.u32 [%mine], 1;\nsetp.lt.u32 %p0, %lane, 5;\n@%p0 ret;\nmov.u32 %r0, 2;\n") + STORE,
           [](uint32_t i) { return i < 5 ? 1 : 2; });
}

TEST_F(PtxMachine, PredicatesComeInPairsAndCombine) {
    expect(std::string("setp.lt.u32 %p0|%p1, %lane, 8;\nsetp.gt.and.u32 %p2, %lane, 3, %p0;\nsetp.lt.or.u32 %p3|%p4, %lane, 2, %p1;\n"
                       "selp.u32 %r0, 1, 0, %p0;\nselp.u32 %r1, 2, 0, %p1;\nselp.u32 %r2, 4, 0, %p2;\nselp.u32 %r3, 8, 0, %p3;\nselp.u32 %r4, 16, 0, %p4;\n"
                       "add.u32 %r0, %r0, %r1;\nadd.u32 %r0, %r0, %r2;\nadd.u32 %r0, %r0, %r3;\nadd.u32 %r0, %r0, %r4;\n")
                           + STORE,
           [](uint32_t i) {
               const bool p = i < 8, q = !p;
               return p + 2 * q + 4 * (i > 3 && p) + 8 * (i < 2 || q) + 16 * (!(i < 2) || q);
           });
}

TEST_F(PtxMachine, SpecialRegistersAndPartialWarps) {
    expect(std::string("mov.u32 %r0, %ntid.x;\nmov.u32 %r1, %laneid;\nmad.lo.u32 %r0, %r1, 1000, %r0;\nmov.u32 %r1, %warpid;\n"
                       "mad.lo.u32 %r0, %r1, 1000000, %r0;\n") + STORE,
           [](uint32_t i) { return 40 + i % 32 * 1000 + i / 32 * 1000000; }, 40);
}

TEST_F(PtxMachine, BarriersOrderWarps) {
    // Each thread reads what another warp has written.
    for (const ptx::Order order : {ptx::Order::FORWARD, ptx::Order::BACKWARD, ptx::Order::SHUFFLED}) {
        options.order = order;
        expect(std::string(".shared .align 4 .b8 tile[512];\nmov.u32 %r1, tile;\nshl.b32 %r2, %tid, 2;\nadd.u32 %r3, %r1, %r2;\n"
                           "st.shared.u32 [%r3], %tid;\nbar.sync 0;\nxor.b32 %r2, %r2, 256;\nadd.u32 %r3, %r1, %r2;\nld.shared.u32 %r0, [%r3];\n") + STORE,
               [](uint32_t i) { return i ^ 64; }, 128);
    }
}

TEST_F(PtxMachine, BarriersReduce) {
    expect(std::string("setp.eq.u32 %p0, %tid, 70;\nbar.red.or.pred %p1, 0, %p0;\nbar.red.and.pred %p2, 0, !%p0;\nbar.red.popc.u32 %r1, 0, !%p0;\n"
                       "selp.u32 %r0, 1000, 0, %p1;\n@%p2 add.u32 %r0, %r0, 5000;\nadd.u32 %r0, %r0, %r1;\n") + STORE,
           [](uint32_t) { return 1000 + 95; }, 96);
}

TEST_F(PtxMachine, NamedBarriersCountThreads) {
    // Warps 0 and 1 meet at barrier 1, 2 and 3 at barrier 2.
    expect(std::string("shr.u32 %r1, %tid, 6;\nadd.u32 %r1, %r1, 1;\nbar.sync %r1, 64;\nmov.u32 %r0, %r1;\n") + STORE,
           [](uint32_t i) { return 1 + i / 64; }, 128);
}

TEST_F(PtxMachine, VectorsAndNarrowTypes) {
    // in[4 tid ..]: the sum of a vector; then bytes and halves, with their signs.
    in[3] = 0x8081FF7F;
    expect(std::string("mul.wide.u32 %d0, %tid, 16;\nadd.s64 %d0, %in, %d0;\nld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%d0];\n"
                       "add.u32 %r0, %r1, %r2;\nadd.u32 %r0, %r0, %r3;\n"
                       "ld.global.s8 %r5, [%in+13];\nld.global.u8 %r6, [%in+13];\nld.global.s16 %r7, [%in+14];\n"
                       "add.u32 %r0, %r0, %r5;\nadd.u32 %r0, %r0, %r6;\nadd.u32 %r0, %r0, %r7;\n") + STORE,
           [](uint32_t i) { return 3 * 1000 + 12 * i + 3 - 1u + 255 + 0xFFFF8081; });
    expect(std::string("mov.u32 %r1, dynamic;\nshl.b32 %r2, %tid, 3;\nadd.u32 %r1, %r1, %r2;\nst.shared.v2.u32 [%r1], {%tid, %n};\n"
                       "ld.shared.v2.u16 {%h0, %h1}, [%r1];\ncvt.u32.u16 %r0, %h0;\n") + STORE,
           [](uint32_t i) { return i; }, 32, 1, 256);
}

TEST_F(PtxMachine, MovesPackAndUnpack) {
    expect(std::string("mov.b32 {%h0, %h1}, 0x12345678;\nmov.b32 %r0, {%h1, %h0};\nmov.b64 %d0, {%r0, %tid};\nmov.b64 {%r1, %r2}, %d0;\nadd.u32 %r0, %r1, %r2;\n") + STORE,
           [](uint32_t i) { return 0x56781234 + i; });
}

TEST_F(PtxMachine, GenericAddressesReachEachSpace) {
    // Odd lanes read shared memory, even ones global memory, by one instruction; then local memory.
    expect(std::string(".local .align 4 .b8 depot[8];\nmov.u32 %r1, dynamic;\nshl.b32 %r2, %tid, 2;\nadd.u32 %r1, %r1, %r2;\nst.shared.u32 [%r1], %tid;\n"
                       "cvt.u64.u32 %d0, %r1;\ncvta.shared.u64 %d0, %d0;\nand.b32 %r3, %tid, 1;\nsetp.eq.u32 %p0, %r3, 1;\nselp.b64 %d1, %d0, %in, %p0;\n"
                       "ld.u32 %r0, [%d1];\nmov.u64 %d2, depot;\nst.local.u32 [%d2+4], %tid;\ncvta.local.u64 %d2, %d2;\nld.u32 %r4, [%d2+4];\nadd.u32 %r0, %r0, %r4;\n") + STORE,
           [](uint32_t i) { return i + (i % 2 ? i : 1000); }, 32, 1, 128);
}

TEST_F(PtxMachine, CopiesArriveBeforeTheirWaitEnds) {
    // Of 16 bytes the first 8 are copied, the rest is zero.
    for (const ptx::Landing landing : {ptx::Landing::EARLY, ptx::Landing::LATE, ptx::Landing::RANDOM}) {
        options.landing = landing;
        expect(std::string("mov.u32 %r1, dynamic;\nshl.b32 %r2, %tid, 4;\nadd.u32 %r1, %r1, %r2;\ncvt.u64.u32 %d0, %r2;\nadd.s64 %d0, %in, %d0;\n"
                           "cp.async.cg.shared.global [%r1], [%d0], 16, 8;\ncp.async.commit_group;\n"
                           "cp.async.ca.shared.global [%r1+512], [%d0+8], 4;\ncp.async.commit_group;\n"
                           "cp.async.wait_group 1;\nld.shared.v4.u32 {%r3, %r4, %r5, %r6}, [%r1];\ncp.async.wait_group 0;\nld.shared.u32 %r7, [%r1+512];\n"
                           "add.u32 %r0, %r4, %r5;\nadd.u32 %r0, %r0, %r6;\nsub.u32 %r0, %r0, %r3;\nadd.u32 %r0, %r0, %r7;\n")
                               + STORE,
               [](uint32_t i) { return 1 + 1000 + 4 * i + 2; }, 32, 1, 1024);
    }
}

TEST_F(PtxMachine, Shuffles) {
    const auto shuffle = [&](const std::string& mode, const std::string& b, const std::string& c) {
        return "shfl.sync." + mode + ".b32 %r0|%p0, %lane, " + b + ", " + c + ", -1;\n@%p0 add.u32 %r0, %r0, 100;\n" + STORE;
    };
    expect(shuffle("bfly", "4", "31"), [](uint32_t i) { return (i ^ 4) + 100; });
    expect(shuffle("idx", "9", "31"), [](uint32_t) { return 109; });
    expect(shuffle("down", "3", "31"), [](uint32_t i) { return i + 3 < 32 ? i + 103 : i; });
    expect(shuffle("up", "3", "0"), [](uint32_t i) { return i >= 3 ? i + 97 : i; });
    // Segments of eight lanes.
    expect(shuffle("idx", "2", "0x181F"), [](uint32_t i) { return i / 8 * 8 + 102; });
}

TEST_F(PtxMachine, VotesMatchesAndReductions) {
    expect(std::string("setp.lt.u32 %p0, %lane, 3;\nvote.sync.any.pred %p1, %p0, -1;\nvote.sync.all.pred %p2, %p0, -1;\nvote.sync.ballot.b32 %r0, %p0, -1;\n"
                       "@%p1 add.u32 %r0, %r0, 100;\n@%p2 add.u32 %r0, %r0, 1000;\nredux.sync.add.u32 %r1, %lane, -1;\nadd.u32 %r0, %r0, %r1;\n") + STORE,
           [](uint32_t) { return 7 + 100 + 496; });
    expect(std::string("shr.u32 %r1, %lane, 3;\nmatch.any.sync.b32 %r0, %r1, -1;\n") + STORE,
           [](uint32_t i) { return 0xFFu << i / 8 * 8; });
}

TEST_F(PtxMachine, MatricesAreLoadedByTheTables) {
    // The matrix of 8 x 8 halves 0, 1, 2 ... in shared memory: a lane gets elements (l / 4, 2 (l % 4)) and the next one.
    const std::string fill =
        "mov.u32 %r1, dynamic;\nshl.b32 %r2, %tid, 2;\nadd.u32 %r2, %r1, %r2;\nshl.b32 %r3, %tid, 1;\nmad.lo.u32 %r4, %r3, 0x10001, 0x10000;\n"
                             "st.shared.u32 [%r2], %r4;\nbar.warp.sync -1;\nshl.b32 %r5, %tid, 4;\nand.b32 %r5, %r5, 127;\nadd.u32 %r1, %r1, %r5;\n";
    expect(fill + "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r0}, [%r1];\n" + STORE,
           [](uint32_t l) { return 2 * l * 0x10001 + 0x10000; }, 32, 1, 128);
    expect(fill + "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%r6, %r7, %r8, %r0}, [%r1];\n" + STORE, [](uint32_t l) {
        const uint32_t row = l % 4 * 2, column = l / 4;
        return (row * 8 + column) | ((row + 1) * 8 + column) << 16;
    }, 32, 1, 128);
}

TEST_F(PtxMachine, AtomicsOfManyThreadsAddUp) {
    memset(out, 0, COUNT * 4);
    memory.written(reinterpret_cast<uintptr_t>(out), COUNT * 4);
    options.threads = 2;
    const std::string shared =
        "mov.u32 %r1, dynamic;\nsetp.eq.u32 %p0, %tid, 0;\n@%p0 st.shared.u32 [%r1], 0;\nbar.sync 0;\natom.shared.add.u32 %r2, [%r1], 2;\nbar.sync 0;\n";
    ASSERT_EQ(run(shared + "@!%p0 bra $done;\nld.shared.u32 %r3, [%r1];\nred.global.add.u32 [%out], %r3;\natom.global.max.s32 %r4, [%out+4], %r3;\n"
                           "$done: ld.global.u32 %r5, [%out+8];\n$again: add.u32 %r6, %r5, 1;\natom.global.cas.b32 %r7, [%out+8], %r5, %r6;\n"
                           "setp.ne.u32 %p1, %r7, %r5;\nmov.u32 %r5, %r7;\n@%p1 bra $again;", 128, 60, 16), "");
    EXPECT_EQ(out[0], 60 * 256);
    EXPECT_EQ(out[1], 256);
    EXPECT_EQ(out[2], 60 * 128);
}

TEST_F(PtxMachine, BlocksOnSeveralThreadsOfTheHost) {
    options.threads = 2;
    for (const ptx::Order order : {ptx::Order::FORWARD, ptx::Order::BACKWARD, ptx::Order::SHUFFLED}) {
        options.order = order;
        memset(out, 0xFF, COUNT * 4);
        ASSERT_EQ(run("mov.u32 %r1, %ctaid.x;\nmov.u32 %r2, 0;\n$again: add.u32 %r2, %r2, 1;\nsetp.lt.u32 %p0, %r2, 2000;\n@%p0 bra $again;\n"
                      "mad.lo.u32 %r3, %r1, 32, %tid;\nmul.wide.u32 %d0, %r3, 4;\nadd.s64 %d0, %out, %d0;\nst.global.u32 [%d0], %r3;", 32, 32), "");
        for (uint32_t i = 0; i < COUNT; i++) ASSERT_EQ(out[i], i);
    }
}

TEST_F(PtxMachine, WarpsThatWaitForAnotherInALoopGetIt) {
    // Warp 1 spins until warp 0 has written, and would spin for ever if it kept its turn.
    options.order = ptx::Order::BACKWARD;
    memset(out, 0, 8);
    memory.written(reinterpret_cast<uintptr_t>(out), 8);
    EXPECT_EQ(run("setp.lt.u32 %p0, %tid, 32;\n@%p0 bra $tell;\n$again: ld.volatile.global.u32 %r1, [%out];\nsetp.eq.u32 %p1, %r1, 0;\n@%p1 bra $again;\nret;\n"
                  "$tell: st.global.u32 [%out], 1;", 64), "");
}

}  // namespace
