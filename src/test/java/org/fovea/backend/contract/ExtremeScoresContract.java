package org.fovea.backend.contract;

import static org.fovea.backend.contract.ExtremeScores.assertClose;
import static org.fovea.backend.contract.ExtremeScores.numbers;
import static org.fovea.backend.contract.ExtremeScores.place;
import static org.fovea.backend.contract.ExtremeScores.tolerance;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.fovea.backend.memory.DType;
import org.junit.jupiter.api.Test;

/**
 * Masks and biases of huge finite numbers, as the lowest of a type, alone in a row and beside others. Scores are multiples
 * of float32's spacing at that number, or lost in float64 as well: what is right does not depend on how sums are rounded.
 */
interface ExtremeScoresContract extends ContractFixture {
    /** A huge number, and the scale that makes scores representable beside it. */
    record Huge(double number, double scale) {}

    private static List<Huge> huge(DType type) {
        Huge spaced = new Huge(-1e9, 4096); // of which gradients in F16 would be infinite
        List<Huge> some = List.of(new Huge(-65504, 0.5), new Huge(-1e30, 0.5), new Huge(-Float.MAX_VALUE, 0.5));
        return type == DType.F32 ? List.of(spaced, new Huge(1e9, 4096), some.get(0), some.get(1), some.get(2)) : some;
    }

    private void check(Map<String, double[]> x, DType type, boolean withBias, Huge huge, String what) {
        ExtremeScores scores = new ExtremeScores(tested(), huge.scale);
        assertClose(scores.naive(x), scores.run(x, type, withBias), tolerance(type), type + " " + what + " " + huge);
    }

    @Test
    default void masksOfHugeNumbers() {
        for (DType type : List.of(DType.F32, DType.BF16, DType.F16)) {
            for (Huge huge : huge(type)) {
                Map<String, double[]> x = numbers(8);
                place(x.get("mask"), huge.number);
                Arrays.fill(x.get("bias"), 0);
                Arrays.fill(x.get("t.bias"), 0);
                check(x, type, false, huge, "mask");
            }
        }
    }

    @Test
    default void biasesOfHugeNumbers() {
        for (DType type : List.of(DType.F32, DType.BF16, DType.F16)) {
            for (Huge huge : huge(type)) {
                Map<String, double[]> x = numbers(8);
                place(x.get("bias"), huge.number);
                check(x, type, true, huge, "bias");
            }
        }
    }
}
