// SPDX-License-Identifier: Apache-2.0
// nvcc's registers are as many as a kernel has values: thousands, of 128 bytes in a warp. By their lives, found by data flow
// over the kernel's basic blocks, those that are never in use at the same time share a place, so that a warp's stay in the
// first cache.
#include <algorithm>
#include <queue>

#include "decode.h"

namespace ptx {

namespace {

class Set {
  public:
    explicit Set(size_t count) : words_((count + 63) / 64) {}
    bool has(size_t i) const { return words_[i / 64] >> (i % 64) & 1; }
    void add(size_t i) { words_[i / 64] |= uint64_t(1) << (i % 64); }
    // this = this | used | (out & ~set); whether it grew.
    bool flow(const Set& used, const Set& out, const Set& set) {
        bool grew = false;
        for (size_t w = 0; w < words_.size(); w++) {
            const uint64_t now = words_[w] | used.words_[w] | (out.words_[w] & ~set.words_[w]);
            grew |= now != words_[w];
            words_[w] = now;
        }
        return grew;
    }
    void unite(const Set& other) {
        for (size_t w = 0; w < words_.size(); w++) words_[w] |= other.words_[w];
    }
    template <class F>
    void each(F f) const {
        for (size_t w = 0; w < words_.size(); w++) {
            for (uint64_t bits = words_[w]; bits; bits &= bits - 1) f(w * 64 + size_t(__builtin_ctzll(bits)));
        }
    }

  private:
    std::vector<uint64_t> words_;
};

struct BasicBlock {
    size_t begin, end;
    int next[2] = {-1, -1};
    Set used, set, in, out;  // read before it is set here; set here; alive at the begin; at the end
    BasicBlock(size_t begin, size_t end, size_t registers)
        : begin(begin), end(end), used(registers), set(registers), in(registers), out(registers) {}
};

std::vector<BasicBlock> find_blocks(const std::vector<Draft>& drafts, const std::vector<int>& targets, size_t registers) {
    std::vector<bool> leads(drafts.size() + 1);
    leads[0] = true;
    for (size_t i = 0; i < drafts.size(); i++) {
        if (targets[i] >= 0) leads[size_t(targets[i])] = true;
        if (targets[i] >= 0 || drafts[i].ends) leads[i + 1] = true;
    }
    std::vector<BasicBlock> blocks;
    std::vector<int> block_of(drafts.size());
    for (size_t begin = 0; begin < drafts.size();) {
        size_t end = begin + 1;
        while (end < drafts.size() && !leads[end]) end++;
        for (size_t i = begin; i < end; i++) block_of[i] = int(blocks.size());
        blocks.emplace_back(begin, end, registers);
        begin = end;
    }
    for (size_t b = 0; b < blocks.size(); b++) {
        const size_t last = blocks[b].end - 1;
        if (targets[last] >= 0) blocks[b].next[0] = block_of[size_t(targets[last])];
        if (!drafts[last].ends && b + 1 < blocks.size()) blocks[b].next[1] = int(b) + 1;
    }
    return blocks;
}

}  // namespace

Placement place_registers(const std::vector<Draft>& drafts, const std::vector<int>& targets, const std::vector<Width>& widths,
                          const std::vector<bool>& fixed, uint32_t first) {
    const size_t registers = widths.size();
    std::vector<BasicBlock> blocks = find_blocks(drafts, targets, registers);
    for (BasicBlock& block : blocks) {
        for (size_t i = block.begin; i < block.end; i++) {
            for (const auto& [reg, field, sets] : drafts[i].uses) {
                if (!sets && !fixed[size_t(reg)] && !block.set.has(size_t(reg))) block.used.add(size_t(reg));
            }
            for (const auto& [reg, field, sets] : drafts[i].uses) {
                if (sets) block.set.add(size_t(reg));
            }
        }
    }
    for (bool grew = true; grew;) {
        grew = false;
        for (size_t b = blocks.size(); b-- > 0;) {
            for (const int next : blocks[b].next) {
                if (next >= 0) blocks[b].out.unite(blocks[size_t(next)].in);
            }
            grew |= blocks[b].in.flow(blocks[b].used, blocks[b].out, blocks[b].set);
        }
    }

    // Lives, in half instructions: one reads at its first half and sets at its second.
    constexpr size_t NEVER = ~size_t(0);
    std::vector<size_t> begins(registers, NEVER), ends(registers, 0);
    const auto lives_at = [&](size_t reg, size_t at) {
        begins[reg] = std::min(begins[reg], at);
        ends[reg] = std::max(ends[reg], at);
    };
    for (const BasicBlock& block : blocks) {
        block.in.each([&](size_t reg) { lives_at(reg, 2 * block.begin); });
        block.out.each([&](size_t reg) { lives_at(reg, 2 * block.end - 1); });
        for (size_t i = block.begin; i < block.end; i++) {
            for (const auto& [reg, field, sets] : drafts[i].uses) {
                if (!fixed[size_t(reg)]) lives_at(size_t(reg), 2 * i + sets);
            }
        }
    }
    std::vector<size_t> order;
    for (size_t reg = 0; reg < registers; reg++) {
        if (begins[reg] != NEVER) order.push_back(reg);
    }
    std::sort(order.begin(), order.end(), [&](size_t x, size_t y) { return begins[x] < begins[y]; });

    Placement placement;
    placement.places.assign(registers, 0);
    constexpr int WIDTHS = 5;
    std::vector<std::vector<size_t>> free(WIDTHS);  // numbers of places
    std::vector<size_t> counts(WIDTHS), numbers(registers);
    using Life = std::pair<size_t, size_t>;  // end, register
    std::priority_queue<Life, std::vector<Life>, std::greater<Life>> alive;
    for (const size_t reg : order) {
        while (!alive.empty() && alive.top().first < begins[reg]) {
            const size_t over = alive.top().second;
            free[size_t(widths[over])].push_back(numbers[over]);
            alive.pop();
        }
        auto& of_width = free[size_t(widths[reg])];
        if (of_width.empty()) {
            numbers[reg] = counts[size_t(widths[reg])]++;
        } else {
            numbers[reg] = of_width.back();
            of_width.pop_back();
        }
        alive.push({ends[reg], reg});
    }
    uint32_t at = first;
    for (int w = WIDTHS - 1; w >= 0; w--) {
        const uint32_t bytes = register_bytes_of(Width(w));
        for (const size_t reg : order) {
            if (widths[reg] == Width(w)) placement.places[reg] = at + uint32_t(numbers[reg]) * bytes;
        }
        at += uint32_t(counts[size_t(w)]) * bytes;
    }
    placement.bytes = at;
    blocks.front().in.each([&](size_t reg) { placement.unset.push_back(int(reg)); });
    return placement;
}

}  // namespace ptx
