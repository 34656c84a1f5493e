// SPDX-License-Identifier: Apache-2.0
// wgmma.mma_async of 16-bit numbers, m64nNk16: where matrices in shared memory and fragments in registers have their elements
// (PTX ISA 9.0, sections 9.7.15.5.1 and 5.5.7).
#pragma once
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

#include "fragments.h"

namespace ptx {

// wgmma.mma_async.sync.aligned.m64nNk16.D.A.B
struct WgmmaForm {
    static constexpr int M = 64, K = 16;
    int n;
    Element d, type;
    // With immediate operands.
    bool a_in_registers = false, a_negated = false, b_negated = false;
    bool a_transposed = false, b_transposed = false;  // M-major, N-major

    // Eight columns of D are those of an mma.m16n8k16 of each warp, and so are its registers.
    MmaForm part() const { return {16, 8, K, d, type, type, d}; }
    int parts() const { return n / 8; }
    int d_registers() const { return parts() * part().d_registers(); }

    // Of the qualifiers after wgmma.mma_async.sync.aligned. None for those not known here: tf32, 8 bits, sparse.
    static std::optional<WgmmaForm> parse(std::string_view qualifiers) {
        const size_t first = qualifiers.find('.'), second = qualifiers.find('.', first + 1);
        const std::string_view shape = qualifiers.substr(0, first);
        if (first == qualifiers.npos || second == qualifiers.npos || !shape.starts_with("m64n") || !shape.ends_with("k16"))
            return {};
        WgmmaForm form{};
        std::from_chars(shape.data() + 4, shape.data() + shape.size() - 3, form.n);
        const std::string_view d = qualifiers.substr(first + 1, second - first - 1), factors = qualifiers.substr(second + 1);
        if (factors != "f16.f16" && factors != "bf16.bf16") return {};
        form.type = factors == "f16.f16" ? Element::F16 : Element::BF16;
        if (d != "f32" && (d != "f16" || form.type != Element::F16)) return {};
        form.d = d == "f32" ? Element::F32 : Element::F16;
        return form.n >= 8 && form.n <= 256 && form.n % 8 == 0 ? std::optional(form) : std::nullopt;
    }
};

// A matrix in shared memory, as 64 bits say.
struct MatrixDescriptor {
    uint32_t start, leading, stride;  // in bytes
    int base_offset;
    uint32_t swizzle;  // 0, 32, 64 or 128 bytes

    static constexpr MatrixDescriptor decode(uint64_t bits) {
        constexpr uint32_t SWIZZLES[] = {0, 128, 64, 32};
        const auto address = [&](int shift) { return uint32_t(bits >> shift & 0x3FFF) << 4; };
        return {address(0), address(16), address(32), int(bits >> 49 & 7), SWIZZLES[bits >> 62]};
    }

    // Pieces of 16 bytes change places within rows of 128 bytes.
    static constexpr uint32_t swizzled(uint32_t address, uint32_t swizzle) {
        const uint32_t pieces = swizzle / 16;  // 0, 2, 4, 8
        return pieces == 0 ? address : address ^ ((address >> 7 & (pieces - 1)) << 4);
    }

    // The address of an element of 16 bits, by its row in M or N and its column in K: the canonical layouts of
    // 9.7.15.5.1.2.1.3.
    constexpr uint32_t address(int row, int k, bool transposed) const {
        constexpr int T = 8;  // elements in 16 bytes
        const auto r = uint32_t(row), c = uint32_t(k);
        uint32_t offset = 0;
        if (!transposed && swizzle == 0) {
            offset = r % 8 * 16 + r / 8 * stride + c / T * leading + c % T * 2;
        } else if (!transposed) {
            offset = r % 8 * swizzle + r / 8 * stride + c * 2;
        } else if (swizzle == 0) {
            offset = r % T * 2 + r / T * stride + c % 8 * 16 + c / 8 * leading;
        } else {
            const uint32_t across = swizzle / 2;  // elements of a row of the atom
            offset = r % across * 2 + r / across * leading + c % 8 * swizzle + c / 8 * stride;
        }
        return swizzled(start + offset, swizzle);
    }
};

// The place in D of element d_i of a lane: row in M, column in N (Figure 149).
constexpr Position wgmma_d_position(int warp, int lane, int i) {
    return {uint8_t(16 * (warp % 4) + (lane >> 2) + i / 2 % 2 * 8), uint8_t(i / 4 * 8 + lane % 4 * 2 + (i & 1))};
}
// The place in A of element a_i of a lane, where A is in registers: row in M, column in K (Figure 148).
constexpr Position wgmma_a_position(int warp, int lane, int i) {
    return {uint8_t(16 * (warp % 4) + (lane >> 2) + i / 2 % 2 * 8), uint8_t(i / 4 * 8 + lane % 4 * 2 + (i & 1))};
}

}  // namespace ptx
