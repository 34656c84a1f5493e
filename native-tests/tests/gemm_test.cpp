#include "kernel_test.h"

class GemmTest : public KernelTest {
  protected:
    // Compares with three plain loops in float64. Rows are `pad` longer than they need be.
    void check(bool transpose_a, bool transpose_b, int m, int n, int k, int batch, float alpha, float beta, int pad) {
        const int row_a = (transpose_a ? m : k) + pad, row_b = (transpose_b ? k : n) + pad, row_c = n + pad;
        const int64_t size_a = int64_t(transpose_a ? k : m) * row_a, size_b = int64_t(transpose_b ? n : k) * row_b;
        const int64_t size_c = int64_t(m) * row_c;
        const auto a = normal(batch * size_a), b = normal(batch * size_b);
        const auto c = beta == 0 ? std::vector<float>(batch * size_c, NAN_F) : normal(batch * size_c);
        float* out = device(c);
        const GemmParams params{device(a), device(b), out,   size_a, size_b, size_c, transpose_a, transpose_b,
                                m,         n,         k,     row_a,  row_b,  row_c,  alpha,       beta};
        const unsigned blocks = unsigned(batch * ((m + 63) / 64) * ((n + 63) / 64));
        const auto actual = run("gemm", blocks, 256, 0, params, out, c.size());
        for (int p = 0; p < batch; p++) {
            for (int i = 0; i < m; i++) {
                for (int j = 0; j < n; j++) {
                    double sum = 0;
                    for (int l = 0; l < k; l++) {
                        sum += double(a[p * size_a + (transpose_a ? l * row_a + i : i * row_a + l)])
                               * b[p * size_b + (transpose_b ? j * row_b + l : l * row_b + j)];
                    }
                    const int64_t at = p * size_c + int64_t(i) * row_c + j;
                    expect_close(actual[at], alpha * sum + (beta == 0 ? 0 : beta * c[at]), 2e-6 * std::sqrt(k + 1.0),
                                 std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k));
                }
            }
        }
        memory.clear();
    }
};

TEST_F(GemmTest, EqualsPlainLoopsForAwkwardShapesAndAllTranspositions) {
    const int shapes[][3] = {{1, 1, 1}, {2, 3, 5}, {13, 17, 31}, {64, 64, 16}, {65, 33, 97}, {6, 130, 1}};
    for (const auto& s : shapes) {
        for (int transposed = 0; transposed < 4; transposed++) {
            check(transposed & 1, transposed & 2, s[0], s[1], s[2], 1, 1, 0, 0);
        }
    }
}

TEST_F(GemmTest, TakesBatchesScalarsAndLongRows) {
    check(false, true, 17, 5, 33, 3, -0.5f, 2, 3);
    check(true, false, 5, 66, 13, 2, 1, 1, 1);
}

TEST_F(GemmTest, WithNothingToSumScalesC) { check(false, false, 3, 4, 0, 1, 1, 0.5f, 0); }
