// The simulator must catch what it is there to catch.
#include "planted.h"

#include "kernel_test.h"

class PlantedDefect : public KernelTest {
  protected:
    static constexpr int THREADS = 64;
    float* out = device(std::vector<float>(THREADS));

    std::string launch(const char* kernel, size_t shared = 0) {
        const PlantedParams params{out, THREADS};
        return sim::launch(*sim::find_kernel(kernel), {1}, {unsigned(THREADS)}, shared, &params);
    }

    std::vector<float> result(const char* kernel, sim::Order order) {
        sim::set_order(order, 1);
        EXPECT_EQ(launch(kernel), "");
        sim::set_order(sim::Order::FORWARD);
        return {out, out + THREADS};
    }
};

#ifdef __SANITIZE_ADDRESS__
TEST_F(PlantedDefect, OutOfBoundsWriteStopsUnderASanWithFileAndLine) {
    EXPECT_DEATH(launch("planted_write_past_end"), "use-after-poison(.|\n)*in planted_write_past_end tests.planted.cu:[0-9]+");
}

TEST_F(PlantedDefect, DynamicSharedOverrunStopsUnderASan) {
    EXPECT_DEATH(launch("planted_shared_overrun", 128), "heap-buffer-overflow(.|\n)*in planted_shared_overrun tests.planted.cu:[0-9]+");
}
#else
TEST_F(PlantedDefect, OutOfBoundsWriteDamagesACanary) {
    EXPECT_EQ(launch("planted_write_past_end"), "");
    EXPECT_EQ(memory.check_canaries(), "wrote past the end of an allocation of 256 bytes");
}

TEST_F(PlantedDefect, DynamicSharedOverrunDamagesACanary) {
    EXPECT_NE(launch("planted_shared_overrun", 128).find("wrote past its dynamic shared memory"), std::string::npos);
}
#endif

TEST_F(PlantedDefect, MissingBarrierShowsInAnotherOrder) {
    const auto forward = result("planted_missing_barrier", sim::Order::FORWARD);
    const auto shuffled = result("planted_missing_barrier", sim::Order::SHUFFLED);
    EXPECT_NE(memcmp(forward.data(), shuffled.data(), forward.size() * sizeof(float)), 0);
}

TEST_F(PlantedDefect, MissingSecondBarrierShowsInAnotherOrder) {
    const auto forward = result("planted_missing_second_barrier", sim::Order::FORWARD);
    const auto backward = result("planted_missing_second_barrier", sim::Order::BACKWARD);
    EXPECT_NE(forward, backward);
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

TEST_F(PlantedDefect, UninitialisedSharedMemoryIsNaN) {
    for (float value : result("planted_uninitialised_read", sim::Order::FORWARD)) {
        EXPECT_TRUE(std::isnan(value));
    }
}
