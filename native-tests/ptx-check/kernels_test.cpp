// SPDX-License-Identifier: Apache-2.0
// Every kernel of the .ptx files of FOVEA_PTX can be translated.
#include <gtest/gtest.h>

#include "ptx_files.h"

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
