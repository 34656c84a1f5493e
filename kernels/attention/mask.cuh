// SPDX-License-Identifier: Apache-2.0
// Which keys a query sees. Key j stands at j. Query i stands at past_keys + i, or, aligned to the bottom right, at
// valid_keys - queries + i. It sees the valid keys from window_left before its position to window_right after it, and of those the
// ones of its own segment. So the distance j - i lies between two bounds, and a range of rows sees a range of keys.
#pragma once
#include "../common/mma.cuh"
#include "params.h"

// [first, last), empty if last <= first.
struct Span {
    int first, last;
};

struct Mask {
    const AttentionParams& p;
    int batch;
    int queries;
    int keys;         // valid ones; those behind are padding
    int least, most;  // bounds of key - query

    __device__ Mask(const AttentionParams& problem, int batch_row)
        : p(problem), batch(batch_row), queries(p.queries), keys(p.keys) {
        if (p.key_lengths) {
            keys = min(max(p.key_lengths[batch], 0), p.keys);
        }
        constexpr int64_t FAR = 0x7FFFFFFF;
        const int64_t shift = p.bottom_right ? keys - queries : p.past_keys;
        least = int(p.window_left < 0 ? -FAR : max(shift - p.window_left, -FAR));
        most = int(p.window_right < 0 ? FAR : min(shift + p.window_right, FAR));
    }

    __device__ bool has_segments() const { return p.query_segments != nullptr; }
    // Only where there are segments, and rows; those behind the last one pass for it. Addresses are found anew, which takes no
    // registers through a loop.
    __device__ int query_segment(int query) const {
        return p.query_segments[int64_t(opaque(batch)) * p.queries + min(query, queries - 1)];
    }
    __device__ int key_segment(int key) const { return p.key_segments[int64_t(opaque(batch)) * p.keys + min(key, keys - 1)]; }

    // Keys that any of the queries may see, but for segments.
    __device__ Span keys_of(Span rows) const {
        return clip(int64_t(rows.first) + least, int64_t(rows.last) + most, rows, keys);
    }
    // Queries that may see any of the keys.
    __device__ Span queries_of(Span rows) const {
        return clip(int64_t(rows.first) - most, int64_t(rows.last) - least, {rows.first, min(rows.last, keys)}, queries);
    }

    // Whether every one of the queries sees every one of the keys.
    __device__ bool all(Span query, Span key) const { return !has_segments() && all_but_for_segments(query, key); }
    __device__ bool all_but_for_segments(Span query, Span key) const {
        return key.last <= keys && int64_t(key.first) - (query.last - 1) >= least && int64_t(key.last) - 1 - query.first <= most;
    }

  private:
    static __device__ Span clip(int64_t first, int64_t last, Span rows, int count) {
        if (rows.first >= rows.last) {
            return {0, 0};
        }
        return {int(min(max(first, int64_t(0)), int64_t(count))), int(min(max(last, int64_t(0)), int64_t(count)))};
    }
};
