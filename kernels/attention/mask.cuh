// Which keys a query sees. Key j stands at j. Query i stands at i, or, aligned to the bottom right, at valid_keys -
// queries + i. It sees the valid keys from window_left before its position to window_right after it, and of those the
// ones of its own segment. A range [first, last) plus a segment per row says all of it.
#pragma once
#include "../common/cuda.cuh"
#include "params.h"

struct VisibleKeys {
    int first;    // keys [first, last), empty if last <= first
    int last;
    int segment;  // compared only where there are segments
};

__device__ inline int valid_keys(const AttentionForwardParams& p, int batch) {
    return p.key_lengths ? min(max(p.key_lengths[batch], 0), p.keys) : p.keys;
}

__device__ inline VisibleKeys visible_keys(const AttentionForwardParams& p, int batch, int valid, int row) {
    if (row >= p.queries) {
        return {0, 0, 0};
    }
    const int64_t position = int64_t(p.bottom_right ? valid - p.queries : 0) + row;
    const int64_t first = p.window_left < 0 ? 0 : max(position - p.window_left, int64_t(0));
    const int64_t last = p.window_right < 0 ? valid : min(position + p.window_right + 1, int64_t(valid));
    const int segment = p.query_segments ? p.query_segments[int64_t(batch) * p.queries + row] : 0;
    return {int(min(first, int64_t(valid))), int(max(last, int64_t(0))), segment};
}

__device__ inline bool sees(const VisibleKeys& row, int key, bool segmented, int key_segment) {
    return key >= row.first && key < row.last && (!segmented || key_segment == row.segment);
}
