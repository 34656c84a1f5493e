// SPDX-License-Identifier: Apache-2.0
// ldmatrix, stmatrix and movmatrix of 8 x 8 matrices of 16-bit elements (PTX ISA 9.0, sections 9.7.14.5.15 to 17). Row r of
// matrix i lies at the address that lane 8 i + r gives, 16 bytes.
#pragma once
#include <cstdint>

namespace ptx {

// The element that a lane holds in half 0 or 1 of a register, for one matrix: without .trans a group of four lanes has a row.
struct MatrixElement {
    int row, column;
};
constexpr MatrixElement matrix_element(int lane, int half, bool transposed) {
    const int group = lane / 4, pair = lane % 4 * 2 + half;
    return transposed ? MatrixElement{pair, group} : MatrixElement{group, pair};
}
constexpr int lane_of_row(int matrix, int row) { return 8 * matrix + row; }

// `rows` are what lies at the lanes' addresses, of which 8 per matrix count; r has a register per matrix.
inline void ldmatrix(int matrices, bool transposed, const uint16_t (*rows)[8], uint32_t (*r)[32]) {
    for (int i = 0; i < matrices; i++) {
        for (int lane = 0; lane < 32; lane++) {
            uint32_t bits = 0;
            for (int half = 0; half < 2; half++) {
                const auto [row, column] = matrix_element(lane, half, transposed);
                bits |= uint32_t(rows[lane_of_row(i, row)][column]) << 16 * half;
            }
            r[i][lane] = bits;
        }
    }
}

inline void stmatrix(int matrices, bool transposed, const uint32_t (*r)[32], uint16_t (*rows)[8]) {
    for (int i = 0; i < matrices; i++) {
        for (int lane = 0; lane < 32; lane++) {
            for (int half = 0; half < 2; half++) {
                const auto [row, column] = matrix_element(lane, half, transposed);
                rows[lane_of_row(i, row)][column] = uint16_t(r[i][lane] >> 16 * half);
            }
        }
    }
}

inline void movmatrix(const uint32_t (*a)[32], uint32_t (*d)[32]) {
    uint16_t rows[8][8];
    stmatrix(1, false, a, rows);
    ldmatrix(1, true, rows, d);
}

}  // namespace ptx
