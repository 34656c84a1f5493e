// SPDX-License-Identifier: Apache-2.0
// The timed work: a table of operations with their sizes, and for each the ways in which the kernels can do it.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "card.h"

enum class Unit { BF16, TF32, TF32_THREE_TIMES };

struct Launch {
    std::string kernel;
    unsigned blocks, threads;
    size_t shared;
    std::vector<char> params;

    template <class P>
    Launch(const std::string& name, int64_t block_count, unsigned thread_count, size_t shared_bytes, const P& p)
        : kernel(name), blocks(unsigned(block_count)), threads(thread_count), shared(shared_bytes),
          params(reinterpret_cast<const char*>(&p), reinterpret_cast<const char*>(&p) + sizeof p) {}
};

// One way to do it: launches that follow each other, and a name for the table.
struct Candidate {
    std::string name;
    std::vector<Launch> launches;
};

struct Workload {
    std::string operation;           // attention_forward, attention_backward, attention_double_backward, gemm
    std::string type;                // bf16, f32, tf32
    std::vector<int64_t> shape;      // batch, heads, rows, dim, and key heads if fewer; or m, n, k
    Unit unit;
    double flops;                    // that the operation needs at least
    double bytes;                    // read and written at least
    std::vector<size_t> buffers;     // bytes of each array
    // The candidates among the loaded kernels, on one set of the arrays.
    std::function<std::vector<Candidate>(Card&, const std::vector<uintptr_t>& arrays)> candidates;

    std::string key() const;         // as torch_bench.py writes it
};

std::vector<Workload> workloads(bool tiny);
