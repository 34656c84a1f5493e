// SPDX-License-Identifier: Apache-2.0
// One operand of a matrix product on its way from global memory to the tensor cores.
#pragma once
#include "../common/fragments.cuh"
#include "../common/rounded.cuh"

// op(X) [across, depth], where depth is what is summed over and across is m or n, from the first element that a block
// needs. Stored by rows in either order: depth contiguous (A, transposed B) or across contiguous (B, transposed A).
//
// A slice, ACROSS x DEPTH, lies in shared memory in the order of the source. Rows are padded so that the eight rows or
// columns that a matrix load touches at once lie in different banks:
//
//   depth contiguous    [ACROSS][DEPTH_PITCH]     80 bytes a row, 5 (mod 8) times 16
//   across contiguous   [DEPTH][ACROSS_PITCH]     16-bit: an odd multiple of 16 bytes; float: 8 or 24 (mod 32) banks
template <class T, int ACROSS, int THREADS>
struct GemmOperand {
    static constexpr int PER_COPY = 16 / int(sizeof(T));
    static constexpr int DEPTH = 4 * PER_COPY;
    static constexpr int DEPTH_PITCH = DEPTH + PER_COPY;
    static constexpr int ACROSS_PITCH = ACROSS + 8;
    static constexpr int SLICE = ACROSS * DEPTH_PITCH > DEPTH * ACROSS_PITCH ? ACROSS * DEPTH_PITCH : DEPTH * ACROSS_PITCH;

    const T* const source;
    const int64_t row_stride;
    const bool depth_contiguous;
    const int across_end;   // beyond which, and
    const int depth_end;    // beyond which elements count as 0
    const bool aligned;     // every row starts at a multiple of 16 bytes

    __device__ GemmOperand(const void* first, int64_t stride, bool depth_is_contiguous, int across0, int64_t depth0,
                           int across, int depth)
        : source(static_cast<const T*>(first) + (depth_is_contiguous ? across0 * stride + depth0 : depth0 * stride + across0)),
          row_stride(stride), depth_contiguous(depth_is_contiguous), across_end(across), depth_end(depth),
          aligned(reinterpret_cast<uintptr_t>(source) % 16 == 0 && stride % PER_COPY == 0) {}

    __device__ float at(int across, int depth) const {
        return to_float(source[depth_contiguous ? across * row_stride + depth : depth * row_stride + across]);
    }

    // Starts to copy the slice from depth0 on; the caller commits and waits.
    __device__ void copy(T* slice_smem, int depth0) const {
        if (aligned) {
            copy_pieces<PER_COPY>(slice_smem, depth0);
        } else {
            copy_pieces<1>(slice_smem, depth0);
        }
    }

    template <int PIECE>
    __device__ void copy_pieces(T* slice_smem, int depth0) const {
        const int rows_end = depth_contiguous ? across_end : depth_end - depth0;
        const int columns_end = depth_contiguous ? depth_end - depth0 : across_end;
        const T* from = source + depth0 * (depth_contiguous ? 1 : row_stride);
        constexpr int DEPTH_PIECES = DEPTH / PIECE, ACROSS_PIECES = ACROSS / PIECE;
#pragma unroll 4
        for (int i = threadIdx.x; i < ACROSS * DEPTH_PIECES; i += THREADS) {
            const int row = depth_contiguous ? i / DEPTH_PIECES : i / ACROSS_PIECES;
            const int column = (depth_contiguous ? i % DEPTH_PIECES : i % ACROSS_PIECES) * PIECE;
            const int count = row < rows_end ? min(PIECE, max(0, columns_end - column)) : 0;
            T* to = slice_smem + row * (depth_contiguous ? DEPTH_PITCH : ACROSS_PITCH) + column;
            const T* piece = count > 0 ? from + row * row_stride + column : source;
            if constexpr (PIECE > 1) {
                async_copy(to, piece, count * int(sizeof(T)));
            } else if constexpr (sizeof(T) == 4) {
                async_copy_word(to, piece, count > 0);
            } else {
                *to = count > 0 ? *piece : T{};  // asynchronous copies are of 4 bytes at least
            }
        }
    }

    // The elements [across0 + 0..15, depth0 + one step] of a slice as operand A.
    __device__ void load_a(uint32_t (&r)[4], const T* slice_smem, int across0, int depth0) const {
        const int lane = threadIdx.x % 32;
        if (depth_contiguous) {
            ldmatrix(r, slice_smem + (across0 + lane % 16) * DEPTH_PITCH + depth0 + lane / 16 * PER_COPY);
        } else if constexpr (sizeof(T) == 2) {
            ldmatrix_transposed(r, slice_smem + (depth0 + lane % 8 + lane / 16 * 8) * ACROSS_PITCH + across0 + lane / 8 % 2 * 8);
        } else {
            const T* x = slice_smem + (depth0 + lane % 4) * ACROSS_PITCH + across0 + lane / 4;
#pragma unroll
            for (int i = 0; i < 4; i++) {
                r[i] = as_bits(x[i / 2 * 4 * ACROSS_PITCH + i % 2 * 8]);
            }
        }
    }

    // The same as two operands B, of the columns across0 + 0..7 (r[0], r[1]) and 8..15 (r[2], r[3]).
    __device__ void load_b(uint32_t (&r)[4], const T* slice_smem, int across0, int depth0) const {
        const int lane = threadIdx.x % 32;
        if (depth_contiguous) {
            ldmatrix(r, slice_smem + (across0 + lane % 8 + lane / 16 * 8) * DEPTH_PITCH + depth0 + lane / 8 % 2 * PER_COPY);
        } else if constexpr (sizeof(T) == 2) {
            ldmatrix_transposed(r, slice_smem + (depth0 + lane % 16) * ACROSS_PITCH + across0 + lane / 16 * 8);
        } else {
            const T* x = slice_smem + (depth0 + lane % 4) * ACROSS_PITCH + across0 + lane / 4;
#pragma unroll
            for (int i = 0; i < 4; i++) {
                r[i] = as_bits(x[i % 2 * 4 * ACROSS_PITCH + i / 2 * 8]);
            }
        }
    }
};
