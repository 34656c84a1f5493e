// SPDX-License-Identifier: Apache-2.0
// Which keys a query sees, in every form of attention: those in one interval, for positions in ascending order give one,
// that are in its segment and that no mask of -infinity hides.
//
// Both ends of the interval ascend with the query, through the sequences of a packed batch too, where the keys of one lie
// behind those of the one before. So the keys of a range of queries lie between the first one's first and the last one's
// last, and queries of a range of keys can be searched for.
#pragma once
#include "../common/cuda.cuh"
#include "params.h"

struct QueryRow {
    int first, last;  // it sees keys of [first, last) alone
    int position;     // the key it stands at, which need not exist
    int segment;
};

// Clamped to [0, most].
__device__ inline int clamped(int64_t x, int most) { return int(min(max(x, int64_t(0)), int64_t(most))); }

__device__ inline int valid_keys(const AttentionSeriesParams& p, int batch) {
    return p.key_lengths ? clamped(p.key_lengths[batch], p.keys) : p.keys;
}

// The last sequence that starts at or before a query; -1 if it lies before them all, and p.sequences if behind them.
__device__ inline int sequence_of(const AttentionSeriesParams& p, int query) {
    int low = -1, high = p.sequences;
    while (low < high) {
        const int middle = low + (high - low + 1) / 2;
        if (p.query_sequences[middle] <= query) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

// Of a query behind the last one too, which sees nothing.
__device__ inline QueryRow query_row(const AttentionSeriesParams& p, int batch, int query) {
    int first = 0, last = valid_keys(p, batch);
    int64_t begin = 0, end = p.queries;
    if (p.query_sequences) {
        const int sequence = query < p.queries ? sequence_of(p, query) : p.sequences;
        if (sequence < 0) {
            return {0, 0, 0, 0};
        }
        if (sequence == p.sequences) {
            return {p.keys, p.keys, 0, 0};
        }
        begin = clamped(p.query_sequences[sequence], p.queries);
        end = clamped(p.query_sequences[sequence + 1], p.queries);
        first = clamped(p.key_sequences[sequence], p.keys);
        last = max(first, min(clamped(p.key_sequences[sequence + 1], p.keys), last));
    } else if (query >= p.queries) {
        return {p.keys, p.keys, 0, 0};
    }
    const int64_t position = p.bottom_right ? last - end + query : first + p.past_keys + (query - begin);
    const int64_t from = p.window_left < 0 ? first : max(int64_t(first), position - p.window_left);
    const int64_t to = p.window_right < 0 ? last : min(int64_t(last), position + p.window_right + 1);
    constexpr int64_t FAR = 1 << 30;
    return {int(min(from, int64_t(last))), int(max(to, int64_t(first))), int(min(max(position, -FAR), FAR)),
            p.query_segments ? p.query_segments[int64_t(batch) * p.queries + query] : 0};
}
