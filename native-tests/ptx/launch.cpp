// SPDX-License-Identifier: Apache-2.0
// Grids: their blocks are taken one by one, by threads of the host.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>

#include "block.h"
#include "module.h"

namespace ptx {

namespace {

// Blocks keep their memory from launch to launch.
class Pool {
  public:
    std::unique_ptr<Block> take() {
        const std::lock_guard lock(mutex_);
        if (free_.empty()) return std::make_unique<Block>();
        std::unique_ptr<Block> block = std::move(free_.back());
        free_.pop_back();
        return block;
    }
    void give_back(std::unique_ptr<Block> block) {
        const std::lock_guard lock(mutex_);
        free_.push_back(std::move(block));
    }

  private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<Block>> free_;
};

Pool& pool() {
    static Pool pool;
    return pool;
}

class Launch {
  public:
    Launch(const Program& program, GlobalMemory& memory, Dim3 grid, Dim3 extent, size_t dynamic_shared, const void* parameters,
           const Options& options, Counters* counters)
        : program_(program), memory_(memory), grid_(grid), extent_(extent), dynamic_shared_(dynamic_shared),
          parameters_(static_cast<const char*>(parameters)), options_(options), counters_(counters),
          blocks_(size_t(grid.x) * grid.y * grid.z) {
        if (options.order == Order::SHUFFLED) {
            order_.resize(blocks_);
            std::iota(order_.begin(), order_.end(), 0u);
            std::shuffle(order_.begin(), order_.end(), std::mt19937_64(options.seed));
        }
    }

    std::string run() {
        const int cores = options_.threads > 0 ? options_.threads : int(std::max(1u, std::thread::hardware_concurrency()));
        wanted_threads_ = int(std::min<size_t>(size_t(cores), blocks_));
        began_ = std::chrono::steady_clock::now();
        work(true);
        for (std::thread& thread : threads_) thread.join();
        if (counters_) counters_->add(counted_.summarize(program_));
        return error_;
    }

  private:
    // The first one calls others when it turns out to be worth their while.
    void work(bool first) {
        std::unique_ptr<Block> block = pool().take();
        block->program = &program_;
        block->options = &options_;
        block->memory = &memory_;
        block->globals = &program_.module->state().globals;
        block->grid = grid_;
        block->extent = extent_;
        block->parameters = parameters_;
        block->seed = options_.seed;
        Counting counting;
        if (counters_) counting.tallies.resize(program_.instructions.size());
        block->counters = counters_ ? &counting : nullptr;
        try {
            prepare(*block, dynamic_shared_);
            for (size_t i = next_++; i < blocks_ && !stop_; i = next_++) {
                const size_t rank = !order_.empty() ? order_[i] : options_.order == Order::BACKWARD ? blocks_ - 1 - i : i;
                block->index = {unsigned(rank % grid_.x), unsigned(rank / grid_.x % grid_.y),
                                unsigned(rank / (size_t(grid_.x) * grid_.y))};
                // The same block takes the same turns, whoever runs it.
                block->random.seed(std::minstd_rand::result_type(options_.seed * 1000003 + rank * 7919 + 1));
                run_block(*block);
                if (first) call_others();
            }
        } catch (const Error& error) {
            const std::lock_guard lock(mutex_);
            if (error_.empty()) error_ = error.what();
            stop_ = true;
        }
        if (counters_) {
            const std::lock_guard lock(mutex_);
            counted_.add(counting);
        }
        pool().give_back(std::move(block));
    }

    void call_others() {
        constexpr auto WORTH_A_THREAD = std::chrono::microseconds(200);
        if (int(threads_.size()) + 1 >= wanted_threads_ || next_ >= blocks_
            || std::chrono::steady_clock::now() - began_ < WORTH_A_THREAD) {
            return;
        }
        while (int(threads_.size()) + 1 < wanted_threads_) {
            threads_.emplace_back([this] { work(false); });
        }
    }

    const Program& program_;
    GlobalMemory& memory_;
    const Dim3 grid_, extent_;
    const size_t dynamic_shared_;
    const char* const parameters_;
    const Options& options_;
    Counters* const counters_;
    Counting counted_;
    const size_t blocks_;
    std::vector<unsigned> order_;
    std::atomic<size_t> next_{0};
    std::atomic<bool> stop_{false};
    std::mutex mutex_;
    std::string error_;
    std::vector<std::thread> threads_;
    int wanted_threads_ = 1;
    std::chrono::steady_clock::time_point began_;
};

}  // namespace

std::string launch(const Module& module, const Kernel& kernel, GlobalMemory& memory, Dim3 grid, Dim3 block,
                   size_t dynamic_shared,
                   const void* parameters, const Options& options, Counters* counters) {
    try {
        const Program& program = module.program(kernel);
        const uint64_t threads = uint64_t(block.x) * block.y * block.z;
        if (threads == 0 || threads > kernel.max_threads) {
            return kernel.name + ": a block has " + std::to_string(threads) + " threads, and can have "
                + std::to_string(kernel.max_threads);
        }
        const size_t shared = (dynamic_shared > 0 ? program.dynamic_shared_at : program.static_shared) + dynamic_shared;
        if (shared > options.shared_limit) {
            return kernel.name + ": " + std::to_string(shared) + " bytes of shared memory, more than a block has ("
                   + std::to_string(options.shared_limit) + ")";
        }
        return Launch(program, memory, grid, block, dynamic_shared, parameters, options, counters).run();
    } catch (const Error& error) {
        return error.what();
    }
}

}  // namespace ptx
