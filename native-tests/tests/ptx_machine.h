// SPDX-License-Identifier: Apache-2.0
// The fixture of the PTX machine's tests: small kernels as text.
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "../ptx/machine.h"

// Kernels are bodies. In them %out and %in are the addresses of two arrays in global memory, %n is a number, %tid the thread, %lane
// its lane, %mine the address of out[tid]; `dynamic` is the dynamic shared memory; %p0.. %r0.. %f0.. %d0.. (64 bits) %h0.. (16 bits)
// are free.
class PtxMachine : public testing::Test {
    std::vector<uint32_t*> arrays_;  // ahead of those that are allocated with the others

  protected:
    static constexpr size_t COUNT = 1024;
    ptx::GlobalMemory memory;
    ptx::Options options;
    ptx::Counters counters;
    uint32_t* const out = allocate(COUNT);
    uint32_t* const in = allocate(COUNT);
    uint32_t n = 0;

    PtxMachine() {
        options.threads = 1;
        options.warp_order = true;
        for (uint32_t i = 0; i < COUNT; i++) in[i] = 1000 + i;
        memory.written(reinterpret_cast<uintptr_t>(in), COUNT * 4);
    }
    ~PtxMachine() override {
        for (uint32_t* array : arrays_) std::free(array);
    }

    // Nothing of it counts as written; the contents are 0xFF bytes.
    uint32_t* allocate(size_t count) {
        arrays_.push_back(static_cast<uint32_t*>(std::aligned_alloc(256, (count * 4 + 255) / 256 * 256)));
        memset(arrays_.back(), 0xFF, count * 4);
        memory.allocate(reinterpret_cast<uintptr_t>(arrays_.back()), count * 4);
        return arrays_.back();
    }

    static std::string text(const std::string& body) {
        return R"(.version 7.0
.target sm_80
.address_size 64
.file 1 "kernel.cu"
.extern .shared .align 16 .b8 dynamic[];
.visible .entry k(.param .u64 k_out, .param .u64 k_in, .param .u32 k_n)
{
.reg .pred %p<10>;
.reg .b16 %h<10>;
.reg .b32 %r<40>, %n, %tid, %lane;
.reg .f32 %f<20>;
.reg .b64 %d<20>, %out, %in, %mine;
ld.param.u64 %out, [k_out];
ld.param.u64 %in, [k_in];
ld.param.u32 %n, [k_n];
mov.u32 %tid, %tid.x;
and.b32 %lane, %tid, 31;
mul.wide.u32 %mine, %tid, 4;
add.s64 %mine, %out, %mine;
)" + body + "\nret;\n}\n";
    }

    // Returns what went wrong, or an empty string.
    std::string run(const std::string& body, unsigned threads = 32, unsigned blocks = 1, size_t dynamic = 0) {
        try {
            const auto module = ptx::Module::parse(text(body), "test.ptx");
            struct {
                void *out, *in;
                uint32_t n;
            } parameters{out, in, n};
            return ptx::launch(*module, *module->find("k"), memory, {blocks}, {threads}, dynamic, &parameters, options, &counters);
        } catch (const ptx::Error& error) {
            return error.what();
        }
    }

    // Runs, and expects out[i] to be expected(i).
    template <class F>
    void expect(const std::string& body, F expected, unsigned threads = 32, unsigned blocks = 1, size_t dynamic = 0) {
        ASSERT_EQ(run(body, threads, blocks, dynamic), "");
        for (uint32_t i = 0; i < threads; i++) EXPECT_EQ(out[i], uint32_t(expected(i))) << "thread " << i;
    }

    // Runs, and expects an error with these words in it.
    void expect_error(const std::string& body, const std::vector<std::string>& words, unsigned threads = 32, size_t dynamic = 0) {
        const std::string error = run(body, threads, 1, dynamic);
        for (const std::string& word : words) EXPECT_NE(error.find(word), std::string::npos) << word << " is not in: " << error;
    }

};
