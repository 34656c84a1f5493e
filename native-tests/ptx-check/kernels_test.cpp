// SPDX-License-Identifier: Apache-2.0
// Every kernel of the .ptx files of FOVEA_PTX can be translated, and has been launched by some test when all have run.
#include <gtest/gtest.h>

#include "ptx_files.h"

namespace {

class LaunchesAll : public testing::Environment {
  public:
    void TearDown() override {
        const testing::UnitTest& tests = *testing::UnitTest::GetInstance();
        if (tests.test_to_run_count() < tests.total_test_count()) return;  // some are filtered out
        for (const auto& module : ptx_files()) {
            for (const std::string& name : module->kernels()) {
                EXPECT_TRUE(launched_kernels().count(name)) << "no test launches " << name;
            }
        }
    }
};

const auto* const launches_all = testing::AddGlobalTestEnvironment(new LaunchesAll);

}  // namespace

TEST(PtxKernels, AllTranslate) {
    int count = 0;
    for (const auto& module : ptx_files()) {
        for (const std::string& name : module->kernels()) {
            try {
                module->program(*module->find(name));
                count++;
            } catch (const ptx::Error& error) {
                ADD_FAILURE() << error.what();
            }
        }
    }
    EXPECT_GT(count, 0) << "there is no .ptx in FOVEA_PTX";
}
