// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Objects;
import org.fovea.backend.cpu.CpuBackend;
import org.fovea.backend.cpu.KernelChoice;
import org.fovea.backend.memory.DType;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.verify.AttentionProblem;
import org.fovea.verify.ExtremeScores;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Scores of any size, whose sums the CPU makes in float64 where float32 would lose them. */
@Tag("vectors")
class ExtremeScoresTest {
    private static final int ROW = ExtremeScores.KEYS;

    private final CpuBackend backend = new CpuBackend(KernelChoice.KERNELS, 2);
    private final ReferenceBackend reference = new ReferenceBackend();
    private final Pair pair = new Pair(backend, reference);

    @AfterEach
    void close() {
        pair.close();
        backend.close();
        reference.close();
    }

    @ParameterizedTest
    @CsvSource({
        "F64,-1e9",
        "F64,-65504",
        "F64,-1e30",
        "F64,-3.4e38",
        "F64,-1.7976931348623157e308",
        "F32,-1e9",
        "F32,-65504",
        "F32,-1e30",
        "F32,-3.4028234663852886e38",
        "BF16,-1e9",
        "BF16,-65504",
        "BF16,-1e30",
        "BF16,-3.4028234663852886e38",
        "F16,-1e9",
        "F16,-65504",
        "F16,-1e30",
        "F16,-3.4028234663852886e38"
    })
    void masks(DType type, double lowest) {
        ExtremeScores.of(pair, type, Double.NaN, lowest, null).checkEveryOrder();
        ExtremeScores.of(pair, type, Double.NaN, lowest, 0.0).checkEveryOrder();
    }

    /** No row is masked throughout: what the float32 kernels keep to themselves. */
    @ParameterizedTest
    @ValueSource(doubles = {-1e4, -1e9, -Float.MAX_VALUE})
    void masksThatLeaveSomething(double lowest) {
        AttentionProblem problem = ExtremeScores.of(pair, DType.F32, Double.NaN, lowest, 0.0);
        leaveSomething(problem);
        problem.checkEveryOrder();
    }

    private static void leaveSomething(AttentionProblem problem) {
        double[] mask = problem.mask().scores().array().expected();
        for (int row : new int[] {0, 3}) {
            mask[row * ROW + 65] = 0;
        }
        problem.mask().scores().array().upload(mask);
    }

    @ParameterizedTest
    @CsvSource({
        "F64,-1e9", "F64,1e9", "F64,-3.4e38", "F64,-1.7e308",
        "F32,-1e9", "F32,1e9", "F32,-3.4028234663852886e38", "F32,-1e38",
        "BF16,-1e9", "BF16,1e9", "BF16,-3.4028234663852886e38", "BF16,-1e38",
        "F16,-1e9", "F16,1e9", "F16,-3.4028234663852886e38", "F16,-1e38"
    })
    void biases(DType type, double number) {
        ExtremeScores.of(pair, type, Double.NaN, null, number).checkEveryOrder();
    }

    /** Where float32 leaves products few digits, derivatives are still those of probabilities that add up to 1. */
    @ParameterizedTest
    @ValueSource(ints = {1 << 14, 1 << 20})
    void derivativesOfLargeProducts(int size) {
        AttentionProblem problem = ExtremeScores.of(pair, DType.F32, Double.NaN, Double.NEGATIVE_INFINITY, 0.0);
        leaveSomething(problem);
        double[] query = problem.inputs.query().expected();
        Arrays.setAll(query, i -> query[i] * size);
        problem.inputs.query().upload(query);
        problem.forward();
        problem.checkBackward();
        problem.checkTangent();
        problem.checkBackwardTangent();
    }

    /** Scores that pass the lowest number are -infinity; a row of such alone is as one that sees nothing. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void overflowingScores(boolean hides) {
        AttentionProblem problem = ExtremeScores.of(pair, DType.F64, Double.NaN, -Double.MAX_VALUE, 0.0);
        double[] bias = Objects.requireNonNull(problem.inputs.bias()).expected();
        for (int j = 0; j < ROW; j++) {
            bias[j] = hides || j % 2 == 0 ? -1e300 : 0;
        }
        problem.inputs.bias().upload(bias);
        problem.checkEveryOrder();
        if (hides) {
            firstRowTakesNoPart(problem);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"F64", "F32"})
    void biasesThatLeaveNothing(DType type) {
        AttentionProblem problem = ExtremeScores.of(pair, type, Double.NaN, null, 0.0);
        double[] bias = Objects.requireNonNull(problem.inputs.bias()).expected();
        Arrays.fill(bias, 0, ROW, Double.NEGATIVE_INFINITY);
        problem.inputs.bias().upload(bias);
        problem.checkEveryOrder();
        firstRowTakesNoPart(problem);
    }

    private static void firstRowTakesNoPart(AttentionProblem problem) {
        assertThat(problem.logSumExp.actual()[0]).isEqualTo(Double.POSITIVE_INFINITY);
        assertThat(Arrays.copyOf(problem.output.actual(), ExtremeScores.VALUE_DIM))
                .containsOnly(0);
    }
}
