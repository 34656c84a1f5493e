// SPDX-License-Identifier: Apache-2.0
// Kernels with one defect each, which the simulator must catch.
#include "planted.h"

#include "kernel_test.h"

class PlantedDefect : public KernelTest {
  protected:
    static constexpr int THREADS = 64;
    float* out = device(std::vector<float>(THREADS));

    ~PlantedDefect() override {
        sim::set_order(sim::Order::FORWARD);
        sim::set_landing(sim::Landing::RANDOM);
        sim::omit_barrier(0);
    }

    std::string launch(const char* kernel, int at = THREADS, size_t shared = 0, unsigned blocks = 1) {
        const PlantedParams params{out, at};
        return sim::launch(*sim::find_kernel(kernel), {blocks}, {unsigned(THREADS)}, shared, &params);
    }

    std::vector<float> result(const char* kernel, sim::Order order, unsigned blocks = 1) {
        sim::set_order(order, 1);
        std::fill_n(out, THREADS, 0.0f);
        EXPECT_EQ(launch(kernel, THREADS, 0, blocks), "");
        return host(out, THREADS);
    }

    // TSan names the places of the race; other builds see another result in another order.
    void expect_race(const char* kernel, sim::Order order) {
#ifdef FOVEA_TSAN
        (void)order;
        testing::internal::CaptureStderr();
        const std::string error = launch(kernel);
        const std::string report = testing::internal::GetCapturedStderr();
        EXPECT_NE(error.find(std::string(kernel) + ", block (0, 0, 0)"), std::string::npos) << error;
        EXPECT_NE(error.find("a data race"), std::string::npos) << error;
        EXPECT_NE(report.find(std::string(kernel) + " tests/planted.cu:"), std::string::npos) << report;
#else
        const auto forward = result(kernel, sim::Order::FORWARD);
        const auto other = result(kernel, order);
        EXPECT_NE(memcmp(forward.data(), other.data(), forward.size() * sizeof(float)), 0);
#endif
    }
};

#ifdef __SANITIZE_ADDRESS__
// Both ends of device memory; the first element past each kind of shared memory.
TEST_F(PlantedDefect, AccessOutOfBoundsStopsUnderASanWithFileAndLine) {
    const struct {
        const char* kernel;
        int at;
    } accesses[] = {{"planted_global_write", THREADS},      {"planted_global_write", -1},
                    {"planted_global_read", THREADS},       {"planted_global_read", -1},
                    {"planted_static_shared_write", 30},    {"planted_static_shared_read", 30},
                    {"planted_dynamic_shared_write", 30},   {"planted_dynamic_shared_read", 30}};
    for (const auto& [kernel, at] : accesses) {
        EXPECT_DEATH(launch(kernel, at, 30 * sizeof(float)),
                     std::string("use-after-poison(.|\n)*in ") + kernel + " tests.planted.cu:[0-9]+");
    }
}
#else
TEST_F(PlantedDefect, WriteOutOfBoundsDamagesACanary) {
    EXPECT_EQ(launch("planted_global_write", THREADS), "");
    EXPECT_EQ(memory.check_canaries(), "wrote past the end of an allocation of 256 bytes");
    memory.clear();
    out = device(std::vector<float>(THREADS));
    EXPECT_EQ(launch("planted_global_write", -1), "");
    EXPECT_EQ(memory.check_canaries(), "wrote before an allocation of 256 bytes");
    EXPECT_EQ(launch("planted_static_shared_write", 30),
              "planted_static_shared_write, block (0, 0, 0): wrote past shared array tile");
    EXPECT_EQ(launch("planted_dynamic_shared_write", 30, 120),
              "planted_dynamic_shared_write, block (0, 0, 0): wrote past its dynamic shared memory of 120 bytes");
}

TEST_F(PlantedDefect, ReadOutOfBoundsIsNaN) {
    const struct {
        const char* kernel;
        int at;
    } reads[] = {{"planted_global_read", THREADS}, {"planted_global_read", -1},
                 {"planted_static_shared_read", 30}, {"planted_dynamic_shared_read", 30}};
    for (const auto& [kernel, at] : reads) {
        out[0] = 0;
        EXPECT_EQ(launch(kernel, at, 30 * sizeof(float)), "");
        EXPECT_TRUE(std::isnan(out[0])) << kernel << " at " << at;
    }
}
#endif

TEST_F(PlantedDefect, TooMuchSharedMemoryIsRefused) {
    const std::string error = launch("planted_too_much_shared");
    EXPECT_NE(error.find("shared array tile brings the block to 106496 bytes of shared memory, more than 101376"),
              std::string::npos) << error;
}

TEST_F(PlantedDefect, MissingBarrierShows) { expect_race("planted_missing_barrier", sim::Order::SHUFFLED); }

TEST_F(PlantedDefect, MissingSecondBarrierShows) { expect_race("planted_missing_second_barrier", sim::Order::BACKWARD); }

TEST_F(PlantedDefect, MissingWarpBarrierShows) { expect_race("planted_missing_warp_barrier", sim::Order::BACKWARD); }

#ifdef FOVEA_TSAN
TEST_F(PlantedDefect, BarrierOfAWarpForThatOfABlockShows) { expect_race("planted_warp_barrier", sim::Order::FORWARD); }
#endif

TEST_F(PlantedDefect, AsynchronousCopyIntoWhatIsStillReadShows) { expect_race("planted_early_copy", sim::Order::BACKWARD); }

TEST_F(PlantedDefect, ForgottenWaitForACopyReadsNaN) {
    sim::set_landing(sim::Landing::LATE);
    for (const char* kernel : {"planted_forgotten_wait", "planted_late_wait"}) {
        for (float value : result(kernel, sim::Order::FORWARD)) {
            EXPECT_TRUE(std::isnan(value)) << kernel;
        }
    }
}

// It waits in the end, so that results are all that gives it away, but for TSan.
TEST_F(PlantedDefect, CopyThatWasNeverCommittedFallsOnWhatFollows) {
    const std::vector<float> right(THREADS, 1.0f);
    for (sim::Landing landing : {sim::Landing::EARLY, sim::Landing::LATE}) {
        sim::set_landing(landing);
        EXPECT_EQ(result("planted_forgotten_commit", sim::Order::FORWARD), right);
    }
    for (uint64_t seed : {1, 2, 3}) {
        sim::set_landing(sim::Landing::RANDOM, seed);
        sim::set_order(sim::Order::FORWARD, 1);
        std::fill_n(out, THREADS, 0.0f);
        const std::string error = launch("planted_forgotten_commit");
        const bool raced = error.find("a data race") != std::string::npos;  // which TSan sees
        EXPECT_TRUE(raced || error.empty()) << error;
        EXPECT_TRUE(raced || host(out, THREADS) != right) << "seed " << seed;
    }
}

TEST_F(PlantedDefect, CopiesInFlightAtTheEndAreRefused) {
    for (sim::Landing landing : {sim::Landing::RANDOM, sim::Landing::EARLY, sim::Landing::LATE}) {
        sim::set_landing(landing);
        const std::string end = "ends with asynchronous copies in flight, ", at = "; the first from tests/planted.cu:";
        const std::string never = launch("planted_copies_in_flight", 64);
        EXPECT_EQ(never.find("planted_copies_in_flight, block (0, 0, 0), thread (0, 0, 0): " + end
                             + "0 committed and not waited for, 1 never committed" + at), 0u) << never;
        sim::set_order(sim::Order::BACKWARD);
        const std::string not_waited_for = launch("planted_copies_in_flight", 3);
        EXPECT_EQ(not_waited_for.find("planted_copies_in_flight, block (0, 0, 0), thread (15, 0, 0): " + end
                                      + "1 committed and not waited for, 0 never committed" + at), 0u) << not_waited_for;
        sim::set_order(sim::Order::FORWARD);
    }
}

TEST_F(PlantedDefect, BarrierTakenOutOfARightKernelShows) {
    EXPECT_EQ(launch("planted_nothing"), "");
    const auto expected = host(out, THREADS);
    ASSERT_EQ(sim::barriers().size(), 2u);
    for (int barrier : {1, 2}) {
        sim::omit_barrier(barrier);
        bool caught = false;
        for (sim::Order order : {sim::Order::FORWARD, sim::Order::BACKWARD, sim::Order::SHUFFLED}) {
            sim::set_order(order, 1);
            caught |= !launch("planted_nothing").empty() || host(out, THREADS) != expected;
        }
        EXPECT_TRUE(caught) << "barrier " << barrier;
    }
}

TEST_F(PlantedDefect, BlocksThatDependOnEachOtherShow) {
    const auto forward = result("planted_dependent_blocks", sim::Order::FORWARD, 8);
    EXPECT_NE(forward, result("planted_dependent_blocks", sim::Order::BACKWARD, 8));
    EXPECT_NE(forward, result("planted_dependent_blocks", sim::Order::SHUFFLED, 8));
}

TEST_F(PlantedDefect, DivergentBarrierIsNamed) {
    const std::string error = launch("planted_divergent_barrier");
    EXPECT_NE(error.find("divergent barrier"), std::string::npos) << error;
    EXPECT_NE(error.find("planted.cu:"), std::string::npos) << error;
}

TEST_F(PlantedDefect, StuckShuffleIsNamed) {
    const std::string error = launch("planted_stuck_shuffle");
    EXPECT_NE(error.find("no thread can go on; thread (0, 0, 0) waits at"), std::string::npos) << error;
}

TEST_F(PlantedDefect, WhatWasNeverWrittenIsNaN) {
    for (const char* kernel :
         {"planted_uninitialised_static", "planted_uninitialised_dynamic", "planted_uninitialised_global"}) {
        memory.clear();
        out = reinterpret_cast<float*>(memory.allocate(THREADS * sizeof(float)));
        EXPECT_EQ(launch(kernel, THREADS, THREADS * sizeof(float)), "");
        for (float value : host(out, THREADS)) {
            EXPECT_TRUE(std::isnan(value)) << kernel;
        }
    }
}
