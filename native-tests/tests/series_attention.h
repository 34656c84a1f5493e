// SPDX-License-Identifier: Apache-2.0
// The fixture that runs kernels/series on a problem, each instance that can do it, and compares with the reference.
#pragma once
#include "../../kernels/series/params.h"
#include "attention_problem.h"

class SeriesAttentionTest : public AttentionTest {
  protected:
    SeriesAttentionTest() { inputs_are_small = true; }

    // The tiles of an instance, as in kernels/series/series.cuh.
    struct Tiling {
        std::string suffix;
        int tile, depth, columns;
        unsigned threads = 256;
        size_t shared(const AttentionProblem& p, int sums) const {
            const int sets = p.softcap > 0 ? 3 : 2;
            return sizeof(float)
                   * (size_t(p.ring.planes) * tile * (2 * (depth + 4) + sets * (tile + 4) + sums + 2) + tile * (tile / 4 + 7));
        }
        Grid grid(const AttentionProblem& p, int64_t blocks, int sums) const { return {blocks, threads, shared(p, sums)}; }
    };

    // Adds everything that a problem may have.
    static AttentionProblem with_everything(AttentionProblem p);

    // By every instance, or by those for so many planes.
    void check(const AttentionProblem& problem, Storage storage = Storage::F32, bool every = false);

    AttentionSeriesParams parameters(const AttentionProblem& p, Storage storage, const Tiling& tiling);

    // Room for a result in planes, whose addresses go to `to`.
    template <class T>
    std::vector<Array> results(T* (&to)[16], int planes, size_t count, Storage storage = Storage::F32) {
        std::vector<Array> arrays;
        for (int k = 0; k < planes; k++) to[k] = arrays.emplace_back(unwritten(count, storage));
        return arrays;
    }

    // Relative to the largest value of each plane, and to 1.
    void expect_planes(const std::vector<Array>& actual, const SumPlanes& exact, double tolerance, const std::string& what);

  private:
    // One launch after the other of an instance.
    struct Sequence {
        const AttentionProblem& p;
        const AttentionSolution& exact;
        Storage storage;
        const Tiling& tiling;
        AttentionSeriesParams params;
    };
    void check_forward(Sequence& s);
    void check_gradients(Sequence& s, double tolerance);
    void check_bias(Sequence& s, double tolerance);
    void check_sink(Sequence& s, double tolerance);
    AttentionNormalizeParams normalize(const AttentionProblem& p, const void* (&x)[16], int64_t rows, Storage storage);

    template <class T>
    void put(T* (&to)[16], const Planes& from, Storage storage = Storage::F32) {
        for (size_t k = 0; k < from.size(); k++) {
            to[k] = nullptr;
            if (!from[k].empty()) to[k] = stored(from[k], storage);
        }
    }
};
