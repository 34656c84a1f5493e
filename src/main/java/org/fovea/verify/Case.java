// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * One property of an operation that every backend must have: an entry of the table that {@code fovea selftest} and the JUnit
 * contract run.
 *
 * @param operation the method of {@link org.fovea.backend.Backend} that it is about, or of one of its parts: {@code
 *     capture}, {@code math.gemm}
 * @param name the inputs, for people
 * @param body runs the operation on a backend and on the reference, and compares; throws {@link WrongResultException}
 */
public record Case(String operation, String name, Consumer<Pair> body) {

    /**
     * The table of all cases, by operation. Every operation has one.
     *
     * @param deep with larger shapes too
     */
    public static List<Case> all(boolean deep) {
        return Stream.of(
                        DeviceCases.all(),
                        PrimitiveCases.all(deep),
                        MovementCases.all(deep),
                        MatrixCases.all(deep),
                        RowCases.all(deep),
                        AttentionCases.all(deep),
                        DecodeCases.all(),
                        SpecialScoreCases.all(),
                        SamplingCases.all(deep),
                        StepCases.all(),
                        LearningCases.all(deep))
                .flatMap(List::stream)
                .toList();
    }

    /** One case of an operation for each of some shapes. */
    static List<Case> each(String operation, int[][] shapes, ShapeBody body) {
        List<Case> cases = new ArrayList<>();
        for (int[] shape : shapes) {
            String name = IntStream.of(shape).mapToObj(String::valueOf).collect(Collectors.joining(" x "));
            cases.add(new Case(operation, name, pair -> body.run(pair, shape, operation + " of " + name)));
        }
        return cases;
    }

    /** The shapes, and more of them if {@code deep}. */
    static int[][] shapes(boolean deep, int[][] shapes, int[]... more) {
        return deep ? Stream.of(shapes, more).flatMap(Stream::of).toArray(int[][]::new) : shapes;
    }

    /** A comparison at one shape. */
    interface ShapeBody {
        void run(Pair pair, int[] shape, String what);
    }

    @Override
    public String toString() {
        return operation + ": " + name;
    }
}
