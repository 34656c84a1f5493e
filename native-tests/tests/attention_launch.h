// SPDX-License-Identifier: Apache-2.0
// The launches of kernels/attention: the name of each instance, its blocks, threads and shared memory.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

struct AttentionExtents {
    int64_t batch, heads, group, queries, keys;  // `group` heads share a key head
};

struct AttentionLaunch {
    std::string kernel;
    int64_t blocks;
    unsigned threads;
    size_t shared;
};

// A kind of tiled kernel: tiles of stationary rows and of moving rows in shared memory.
struct TiledKind {
    const char* name;
    int stationary, moving;
    int scalars = 0;              // floats per moving row
    size_t staged_below = 0;      // moving tiles have two stages if a row has fewer bytes than this
    bool rows_are_keys = false;   // stationary rows are keys, of all heads that share them
    bool splits_columns = false;  // of rows longer than 128 elements, between two blocks
};
constexpr TiledKind FORWARD{"forward", 1, 2};
constexpr TiledKind BACKWARD_ROWS{"backward_rows", 2, 2, 0, 512};
constexpr TiledKind BACKWARD_COLUMNS{"backward_columns", 2, 2, 3, 512, true, true};
constexpr TiledKind JVP{"jvp", 2, 4};
constexpr TiledKind TANGENT_ROWS{"tangent_rows", 4, 2, 0, 1024, false, true};
constexpr TiledKind TANGENT_COLUMNS{"tangent_columns", 4, 2, 0, 1024, true, true};

// A kind of kernel whose blocks have whole heads in shared memory.
struct WholeKind {
    const char* name;
    int tiles, scalars;            // per row
    bool writes_key_gradients;     // so that heads can't share keys
    int longest = 160;
};
constexpr WholeKind FORWARD_WHOLE{"forward_whole", 3, 0, false};
constexpr WholeKind BACKWARD_WHOLE{"backward_whole", 5, 3, true};
constexpr WholeKind TANGENT_WHOLE{"tangent_whole", 8, 0, true, 128};

constexpr size_t ATTENTION_SHARED_LIMIT = 99 * 1024;

inline size_t row_bytes(const std::string& type, int dim) { return size_t(dim) * (type.rfind("f32", 0) == 0 ? 4 : 2); }

inline AttentionLaunch tiled_launch(const TiledKind& kind, const std::string& type, int dim, int rows, int moving,
                                    const AttentionExtents& e) {
    const size_t bytes = row_bytes(type, dim);
    const int stages = bytes < kind.staged_below ? 2 : 1, parts = kind.splits_columns && dim > 128 ? 2 : 1;
    const int64_t heads = e.batch * (kind.rows_are_keys ? e.heads / e.group : e.heads);
    const int64_t count = kind.rows_are_keys ? e.keys : e.queries;
    return {std::string("attention_") + kind.name + "_" + type + "_d" + std::to_string(dim) + "_r" + std::to_string(rows) + "_m"
                + std::to_string(moving),
            heads * ((count + rows - 1) / rows) * parts, unsigned(std::min(128, 2 * rows)),
            size_t(kind.stationary * rows + kind.moving * stages * moving) * (bytes + 16)
                + size_t(kind.scalars * stages * moving) * sizeof(float)};
}

// Nothing if heads are too long for it, or none of its own.
inline std::optional<AttentionLaunch> whole_launch(const WholeKind& kind, const std::string& type, int dim, int moving,
                                                   const AttentionExtents& e) {
    const int64_t rows = (std::max(e.queries, e.keys) + moving - 1) / moving * moving;
    const size_t head = size_t(rows) * (size_t(kind.tiles) * (row_bytes(type, dim) + 16) + size_t(kind.scalars) * sizeof(float));
    if (rows == 0 || rows > kind.longest || head > ATTENTION_SHARED_LIMIT || (kind.writes_key_gradients && e.group > 1)) {
        return {};
    }
    const int64_t heads = std::max<int64_t>(1, std::min<int64_t>(128 / (2 * rows), int64_t(ATTENTION_SHARED_LIMIT / head)));
    return AttentionLaunch{std::string("attention_") + kind.name + "_" + type + "_d" + std::to_string(dim) + "_m"
                               + std::to_string(moving),
                           (e.batch * e.heads + heads - 1) / heads, unsigned(heads * 2 * rows), size_t(heads) * head};
}
