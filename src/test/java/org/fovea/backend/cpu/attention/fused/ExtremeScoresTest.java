package org.fovea.backend.cpu.attention.fused;

import static org.assertj.core.api.Assertions.assertThat;
import static org.fovea.backend.contract.ExtremeScores.DV;
import static org.fovea.backend.contract.ExtremeScores.HIDDEN;
import static org.fovea.backend.contract.ExtremeScores.M;
import static org.fovea.backend.contract.ExtremeScores.assertClose;
import static org.fovea.backend.contract.ExtremeScores.numbers;
import static org.fovea.backend.contract.ExtremeScores.place;
import static org.fovea.backend.contract.ExtremeScores.tolerance;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.fovea.backend.contract.ExtremeScores;
import org.fovea.backend.cpu.CpuBackend;
import org.fovea.backend.cpu.KernelChoice;
import org.fovea.backend.memory.DType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Scores of any size, whose sums the CPU makes in float64 where float32 would lose them. */
@Tag("vectors")
class ExtremeScoresTest {
    private final CpuBackend backend = new CpuBackend(KernelChoice.KERNELS, 2);
    private final ExtremeScores scores = new ExtremeScores(backend);

    @AfterEach
    void close() {
        backend.close();
    }

    @Test
    void masks() {
        for (DType type : List.of(DType.F64, DType.F32, DType.BF16, DType.F16)) {
            List<Double> lowest = new ArrayList<>(List.of(-1e9, -65504.0, -1e30, (double) -Float.MAX_VALUE));
            if (type == DType.F64) {
                lowest.add(-Double.MAX_VALUE);
            }
            for (double low : lowest) {
                for (boolean withBias : new boolean[] {false, true}) {
                    Map<String, double[]> x = numbers(8);
                    if (!withBias) {
                        Arrays.fill(x.get("bias"), 0);
                        Arrays.fill(x.get("t.bias"), 0);
                    }
                    place(x.get("mask"), low);
                    assertClose(
                            scores.naive(x), scores.run(x, type, withBias), tolerance(type), type + " mask of " + low);
                }
            }
        }
    }

    /** No row is masked throughout: what the float32 kernels keep to themselves. */
    @Test
    void masksThatLeaveSomething() {
        for (double low : new double[] {-1e4, -1e9, -Float.MAX_VALUE}) {
            Map<String, double[]> x = numbers(8);
            place(x.get("mask"), low);
            for (int row : new int[] {0, 3}) {
                x.get("mask")[row * M + 65] = 0;
            }
            assertClose(scores.naive(x), scores.run(x, DType.F32, true), tolerance(DType.F32), "mask of " + low);
        }
    }

    @Test
    void biases() {
        for (DType type : List.of(DType.F64, DType.F32, DType.BF16, DType.F16)) {
            for (double low : new double[] {-1e9, 1e9, -Float.MAX_VALUE, type == DType.F64 ? -1.7e308 : -1e38}) {
                Map<String, double[]> x = numbers(8);
                place(x.get("bias"), low);
                assertClose(scores.naive(x), scores.run(x, type, true), tolerance(type), type + " bias of " + low);
            }
        }
    }

    /** Where float32 leaves products few digits, derivatives are still those of probabilities that add up to 1. */
    @Test
    void derivativesOfLargeProducts() {
        for (int size : new int[] {1 << 14, 1 << 20}) {
            Map<String, double[]> x = numbers(8);
            place(x.get("mask"), HIDDEN);
            for (int row : new int[] {0, 3}) {
                x.get("mask")[row * M + 65] = 0;
            }
            double[] query = x.get("query");
            Arrays.setAll(query, i -> query[i] * size);
            Map<String, double[]> actual = scores.run(x, DType.F32, true);
            List.of("output", "logSumExp", "weights").forEach(actual::remove);
            assertClose(scores.naive(x), actual, tolerance(DType.F32), "products of " + size);
        }
    }

    /** Scores that pass the lowest number are -infinity; a row that sees nothing else isn't a number. */
    @Test
    void overflowingScores() {
        for (boolean hides : new boolean[] {false, true}) {
            Map<String, double[]> x = numbers(8);
            place(x.get("mask"), -Double.MAX_VALUE);
            for (int j = 0; j < M; j++) {
                x.get("bias")[j] = hides || j % 2 == 0 ? -1e300 : 0;
            }
            Map<String, double[]> actual = scores.run(x, DType.F64, true);
            if (hides) {
                firstRowTakesNoPart(actual);
            } else {
                assertClose(scores.naive(x), actual, 1e-12, "overflow");
            }
        }
    }

    @Test
    void biasesThatLeaveNothing() {
        for (DType type : List.of(DType.F64, DType.F32)) {
            Map<String, double[]> x = numbers(8);
            Arrays.fill(x.get("bias"), 0, M, HIDDEN);
            firstRowTakesNoPart(scores.run(x, type, true));
        }
    }

    /** Scores that are all -infinity are as good as none. */
    private static void firstRowTakesNoPart(Map<String, double[]> actual) {
        actual.forEach((name, values) -> {
            boolean none = name.equals("logSumExp");
            for (int i = 0; i < values.length; i++) {
                assertThat(Double.isFinite(values[i]) || none && i == 0)
                        .as("%s[%d]", name, i)
                        .isTrue();
            }
        });
        assertThat(actual.get("logSumExp")[0]).isEqualTo(Double.POSITIVE_INFINITY);
        for (String name : List.of("output", "t.output")) {
            for (int c = 0; c < DV; c++) {
                assertThat(actual.get(name)[c]).as(name).isZero();
            }
        }
        for (String name : List.of("query", "t.query")) {
            assertThat(actual.get(name)[0]).as(name).isZero();
        }
    }
}
