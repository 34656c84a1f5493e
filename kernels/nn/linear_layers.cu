// SPDX-License-Identifier: Apache-2.0
// Some linear layers of the same sizes in one launch, and all of their gradients in another: queries, keys and values of
// attention are three layers, of which two or three read the same rows.
#include "linear_backward.cuh"

constexpr int LINEAR_LAYERS = 4;  // at most; the length of the arrays in params.h

// The blocks of a layer's tiles follow those of the layers before it.
template <class Tile>
__device__ void linear_layers(const LinearLayersParams& p, float* memory_smem) {
    const unsigned columns = unsigned((p.out - 1) / Tile::COLUMNS + 1);
    const auto tiles = [&](int layer) { return unsigned((p.rows[layer] + Tile::ROWS - 1) / Tile::ROWS) * columns; };
    unsigned block = blockIdx.x;
    int layer = 0;
    while (block >= tiles(layer)) {
        block -= tiles(layer);
        layer++;
    }
    GemmParams of{};
    of.a = p.x[layer], of.b = p.weight[layer], of.c = p.y[layer], of.bias = p.bias[layer];
    of.row_stride_a = p.in, of.row_stride_b = p.out, of.row_stride_c = p.out;
    of.batch = 1, of.m = p.rows[layer], of.n = p.out, of.k = p.in;
    of.splits = 1, of.split_depth = p.in;
    of.precision = p.precision;
    of.alpha = 1;
    Tile::template run<false>(of, block, memory_smem);
}

#define LINEAR_LAYERS_KERNEL(tile, ...)                                                                  \
    extern "C" __global__ void __launch_bounds__((GemmTile<float, __VA_ARGS__>::THREADS), (GemmTile<float, __VA_ARGS__>::BLOCKS))              \
        linear_layers_##tile(const __grid_constant__ LinearLayersParams p) {                              \
        SHARED_DYNAMIC(float, memory_smem);                                                               \
        linear_layers<GemmTile<float, __VA_ARGS__>>(p, memory_smem);                                      \
    }                                                                                                     \
    REGISTER_KERNEL(linear_layers_##tile)
FOR_EACH_GEMM_TILE(LINEAR_LAYERS_KERNEL)

// Layers one after the other that have the same dx add up there: a block has a tile of it and goes through all of them.
template <class Backward>
__device__ void linear_layers_backward(const LinearLayersBackwardParams& p, float* memory_smem) {
    const int of_weight = Backward::weight_tiles(p.in, p.out);
    const auto layer_params = [&](int layer) {
        LinearBackwardParams of{};
        of.x = p.x[layer], of.weight = p.weight[layer], of.dy = p.dy[layer], of.added = p.added[layer], of.dx = p.dx[layer];
        of.d_weight = p.d_weight[layer], of.d_bias = p.d_bias[layer];
        of.partial = p.partial[layer], of.counters = p.counters + layer * of_weight;
        of.rows = p.rows[layer], of.in = p.in, of.out = p.out;
        of.splits = p.splits[layer], of.split_depth = p.split_depth[layer];
        of.precision = p.precision;
        return of;
    };
    int block = int(blockIdx.x);
    for (int layer = 0, next; layer < LINEAR_LAYERS; layer = next) {
        next = layer + 1;
        while (next < LINEAR_LAYERS && p.dx[layer] && p.dx[next] == p.dx[layer]) {
            next++;
        }
        const int of_input = p.dx[layer] ? Backward::input_tiles(p.rows[layer], p.in) : 0;
        if (block < of_input) {
            for (int adding = layer; adding < next; adding++) {
                Backward::input_tile(layer_params(adding), block, memory_smem);
                __syncthreads();  // all have read the sums before the next layer's slices come to their place
            }
            return;
        }
        block -= of_input;
        for (int own = layer; own < next; own++) {
            if (block < p.splits[own] * of_weight) {
                Backward::weight_tile(layer_params(own), block, memory_smem);
                return;
            }
            block -= p.splits[own] * of_weight;
        }
    }
}

#define LINEAR_LAYERS_BACKWARD_KERNEL(tile, ...)                                                         \
    extern "C" __global__ void __launch_bounds__((LinearBackward<__VA_ARGS__>::THREADS), (LinearBackward<__VA_ARGS__>::BLOCKS))               \
        linear_layers_backward_##tile(const __grid_constant__ LinearLayersBackwardParams p) {             \
        SHARED_DYNAMIC(float, memory_smem);                                                               \
        linear_layers_backward<LinearBackward<__VA_ARGS__>>(p, memory_smem);                              \
    }                                                                                                     \
    REGISTER_KERNEL(linear_layers_backward_##tile)
FOR_EACH_GEMM_TILE(LINEAR_LAYERS_BACKWARD_KERNEL)
