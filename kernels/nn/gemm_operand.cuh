// SPDX-License-Identifier: Apache-2.0
// One operand of a matrix product on its way from global memory to the tensor cores.
#pragma once
#include "../common/fragments.cuh"
#include "../common/rounded.cuh"

// op(X) [across, depth], where depth is what is summed over and across is m or n, from the first element that a block
// needs. Stored by rows in either order: depth contiguous (A, transposed B) or across contiguous (B, transposed A).
template <class T>
struct GemmMatrix {
    static constexpr int PER_COPY = 16 / int(sizeof(T));
    static constexpr int DEPTH = 4 * PER_COPY;  // of a slice

    const T* const first;
    const int64_t row_stride;
    const int across_end;   // beyond which, and
    const int depth_end;    // beyond which there are no elements
    const bool depth_contiguous;
    const bool aligned;     // every row starts at a multiple of 16 bytes

    __device__ GemmMatrix(const void* origin, int64_t stride, bool depth_is_contiguous, int across0, int64_t depth0, int across,
                          int depth)
        : first(static_cast<const T*>(origin) + (depth_is_contiguous ? across0 * stride + depth0 : depth0 * stride + across0)),
          row_stride(stride), across_end(across), depth_end(depth), depth_contiguous(depth_is_contiguous),
          aligned(reinterpret_cast<uintptr_t>(first) % 16 == 0 && stride % PER_COPY == 0) {}

    __device__ float at(int across, int depth) const {
        return to_float(first[depth_contiguous ? across * row_stride + depth : depth * row_stride + across]);
    }
};

// How a slice of a matrix, ACROSS x DEPTH, lies in shared memory: in the order of the source. Rows are padded so that the eight rows
// or columns that a matrix load touches at once lie in different banks:
//
//   depth contiguous    [ACROSS][PITCH]    80 bytes a row, 5 (mod 8) times 16
//   across contiguous   [DEPTH][PITCH]     16-bit: an odd multiple of 16 bytes; float: 8 or 24 (mod 32) banks
template <class T, int ACROSS, bool DEPTH_CONTIGUOUS>
struct GemmSlice {
    static constexpr int PER_COPY = GemmMatrix<T>::PER_COPY, DEPTH = GemmMatrix<T>::DEPTH;
    static constexpr int ROWS = DEPTH_CONTIGUOUS ? ACROSS : DEPTH, COLUMNS = DEPTH_CONTIGUOUS ? DEPTH : ACROSS;
    static constexpr int PITCH = DEPTH_CONTIGUOUS ? DEPTH + PER_COPY : ACROSS + 8;
    static constexpr int SIZE = ROWS * PITCH;

    // This lane's first address for load_a() and load_b() of the rows or columns from across0 on.
    static __device__ const T* lane_of_a(const T* slice_smem, int across0) {
        const int lane = threadIdx.x % 32;
        if constexpr (DEPTH_CONTIGUOUS) {
            return slice_smem + (across0 + lane % 16) * PITCH + lane / 16 * PER_COPY;
        } else if constexpr (sizeof(T) == 2) {
            return slice_smem + (lane % 8 + lane / 16 * 8) * PITCH + across0 + lane / 8 % 2 * 8;
        } else {
            return slice_smem + lane % 4 * PITCH + across0 + lane / 4;
        }
    }
    static __device__ const T* lane_of_b(const T* slice_smem, int across0) {
        const int lane = threadIdx.x % 32;
        if constexpr (DEPTH_CONTIGUOUS) {
            return slice_smem + (across0 + lane % 8 + lane / 16 * 8) * PITCH + lane / 8 % 2 * PER_COPY;
        } else if constexpr (sizeof(T) == 2) {
            return slice_smem + lane % 16 * PITCH + across0 + lane / 16 * 8;
        } else {
            return slice_smem + lane % 4 * PITCH + across0 + lane / 4;
        }
    }

    // The elements [across + 0..15, depth + one step] as operand A, across and depth counted from where lane_of_a() is.
    static __device__ void load_a(uint32_t (&r)[4], const T* lane_smem, int across, int depth) {
        if constexpr (DEPTH_CONTIGUOUS) {
            ldmatrix(r, lane_smem + across * PITCH + depth);
        } else if constexpr (sizeof(T) == 2) {
            ldmatrix_transposed(r, lane_smem + depth * PITCH + across);
        } else {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                r[i] = as_bits(lane_smem[(depth + i / 2 * 4) * PITCH + across + i % 2 * 8]);
            }
        }
    }

    // The same as two operands B, of the columns across + 0..7 (r[0], r[1]) and 8..15 (r[2], r[3]).
    static __device__ void load_b(uint32_t (&r)[4], const T* lane_smem, int across, int depth) {
        if constexpr (DEPTH_CONTIGUOUS) {
            ldmatrix(r, lane_smem + across * PITCH + depth);
        } else if constexpr (sizeof(T) == 2) {
            ldmatrix_transposed(r, lane_smem + depth * PITCH + across);
        } else {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                r[i] = as_bits(lane_smem[(depth + i % 2 * 4) * PITCH + across + i / 2 * 8]);
            }
        }
    }
};

// What a thread copies of the slices of a matrix, one slice after the other. Its pieces have one column of a slice, in rows that
// are LEAP apart.
template <class T, int ACROSS, int THREADS, bool DEPTH_CONTIGUOUS>
struct GemmCopies {
    using Slice = GemmSlice<T, ACROSS, DEPTH_CONTIGUOUS>;
    static constexpr int PER_COPY = Slice::PER_COPY;
    static constexpr int PIECES = Slice::COLUMNS / PER_COPY;  // of a row
    static constexpr int LEAP = THREADS / PIECES;
    static constexpr int COUNT = (Slice::ROWS + LEAP - 1) / LEAP;
    static_assert(THREADS % PIECES == 0 && (Slice::ROWS % LEAP == 0 || COUNT == 1));

    const GemmMatrix<T>& matrix;
    const int row, column;
    const T* from[DEPTH_CONTIGUOUS ? COUNT : 1];
    int left;   // of the depth
    int bytes;  // of a piece within the matrix, where it is across that is contiguous
    const bool whole;  // pieces are within the matrix or beyond it, but for the depth

    __device__ explicit GemmCopies(const GemmMatrix<T>& source)
        : matrix(source), row(threadIdx.x / PIECES), column(threadIdx.x % PIECES * PER_COPY), left(source.depth_end),
          bytes(bytes_of(source.across_end - column)),
          whole(DEPTH_CONTIGUOUS || source.across_end >= ACROSS || source.across_end % PER_COPY == 0) {
        if constexpr (DEPTH_CONTIGUOUS) {
#pragma unroll
            for (int i = 0; i < COUNT; i++) {
                // What is beyond the last row passes for that: it is part of no sum that is kept.
                from[i] = source.first + min(row + i * LEAP, source.across_end - 1) * source.row_stride + column;
            }
        } else {
            // What is beyond the last whole piece passes for that, likewise.
            const int last = whole ? (source.across_end - 1) / PER_COPY * PER_COPY : column;
            from[0] = source.first + row * source.row_stride + min(column, last);
        }
    }

    static __device__ int bytes_of(int elements) { return min(max(elements, 0), PER_COPY) * int(sizeof(T)); }

    // Starts to copy the next slice; the caller commits and waits.
    __device__ void next(T* slice_smem) {
        if (!matrix.aligned) {
            copy_elements(slice_smem);
        } else if (Slice::ROWS >= LEAP || row < Slice::ROWS) {
            T* const to_smem = slice_smem + row * Slice::PITCH + column;
            if (whole && left >= Slice::DEPTH) {
                copy_whole(to_smem);
            } else {
                copy_partial(to_smem);
            }
        }
        left -= Slice::DEPTH;
    }

    __device__ void copy_whole(T* to_smem) {
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            async_copy(to_smem + i * LEAP * Slice::PITCH, next_piece(i));
        }
    }

    // In its last slice, or of a matrix whose rows end within a piece.
    __device__ void copy_partial(T* to_smem) {
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            const int there = DEPTH_CONTIGUOUS ? bytes_of(left - column) : row + i * LEAP < left ? bytes : 0;
            async_copy(to_smem + i * LEAP * Slice::PITCH, next_piece(i), there);
        }
    }

    // Of this slice, and moves on to the same in the next.
    __device__ const T* next_piece(int i) {
        const T*& next = from[DEPTH_CONTIGUOUS ? i : 0];
        const T* const piece = next;
        next += DEPTH_CONTIGUOUS ? Slice::DEPTH : (i < COUNT - 1 || Slice::ROWS >= LEAP ? LEAP : Slice::ROWS) * matrix.row_stride;
        return piece;
    }

    __device__ void copy_elements(T* slice_smem) const {
        const int depth0 = matrix.depth_end - left;
        const int rows_end = DEPTH_CONTIGUOUS ? matrix.across_end : left;
        const int columns_end = DEPTH_CONTIGUOUS ? left : matrix.across_end;
        const T* first = matrix.first + depth0 * (DEPTH_CONTIGUOUS ? 1 : matrix.row_stride);
#pragma unroll 4
        for (int i = threadIdx.x; i < Slice::ROWS * Slice::COLUMNS; i += THREADS) {
            const int at = i / Slice::COLUMNS, element = i % Slice::COLUMNS;
            const bool there = at < rows_end && element < columns_end;
            T* to = slice_smem + at * Slice::PITCH + element;
            const T* source = there ? first + at * matrix.row_stride + element : matrix.first;
            if constexpr (sizeof(T) == 4) {
                async_copy_word(to, source, there);
            } else {
                *to = there ? *source : T{};  // asynchronous copies are of 4 bytes at least
            }
        }
    }
};
