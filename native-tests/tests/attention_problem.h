// SPDX-License-Identifier: Apache-2.0
// The fixture of the attention tests, which makes problems.
#pragma once
#include "../reference/attention.h"
#include "kernel_test.h"

class AttentionTest : public KernelTest {
  protected:
    // Fills what a problem's extents ask for: queries, keys, values and gradients of results in every plane; bias, mask and
    // sinks if it has them. Without `all`, gradients of log-sum-exps are absent, and so are those of outputs and the sinks
    // from plane 1 on.
    AttentionProblem with_inputs(AttentionProblem p, bool all = true) {
        p.bias.resize(p.ring.planes);
        p.sink.resize(p.ring.planes);
        p.d_output.resize(p.ring.planes);
        p.d_log_sum_exp.resize(p.ring.planes);
        for (int k = 0; k < p.ring.planes; k++) {
            p.query.push_back(numbers(p.rows() * p.dim));
            p.key.push_back(numbers(p.key_rows() * p.dim));
            p.value.push_back(numbers(p.key_rows() * p.value_dim));
            p.bias[k] = numbers(product(p.bias_extents) * (p.bias_reach < 0 ? 1 : 2 * p.bias_reach + 1));
            if (k == 0 || all) {
                p.d_output[k] = numbers(p.rows() * p.value_dim);
                if (p.sinks) p.sink[k] = numbers(p.heads);
            }
            if (all) p.d_log_sum_exp[k] = numbers(p.rows());
        }
        p.mask = numbers(product(p.mask_extents));
        for (size_t i = 0; i < p.mask.size(); i += 3) p.mask[i] = -INF_F;  // hides every third
        return p;
    }

    // Episodes of so many queries and of so many keys.
    static AttentionProblem with_segments(AttentionProblem p, int of_queries, int of_keys) {
        for (int i = 0; i < p.batch * p.queries; i++) p.query_segments.push_back(i % p.queries / of_queries);
        for (int j = 0; j < p.batch * p.keys; j++) p.key_segments.push_back(j % p.keys / of_keys);
        return p;
    }

    static AttentionProblem rounded(AttentionProblem p, Storage storage) {
        for (Planes* planes : {&p.query, &p.key, &p.value, &p.d_output}) {
            for (auto& plane : *planes) {
                for (float& x : plane) x = round_to(storage, x);
            }
        }
        return p;
    }

    template <class T>
    T* device_or_null(const std::vector<T>& values) {
        return values.empty() ? nullptr : device(values);
    }

    // Strides of batch, head and row.
    static std::array<int64_t, 3> strides(const AttentionProblem& p, int heads, int rows, int extent) {
        return {int64_t(heads) * rows * extent, p.rows_first ? extent : int64_t(rows) * extent,
                p.rows_first ? int64_t(heads) * extent : extent};
    }

    bool inputs_are_small = false;  // between -1 and 1

  private:
    static size_t product(const Extents& e) { return size_t(e[0]) * e[1] * e[2] * e[3]; }

    std::vector<float> numbers(size_t count) {
        std::vector<float> values = normal(count);
        for (float& x : values) x = inputs_are_small ? std::erf(x) : x;
        return values;
    }
};
