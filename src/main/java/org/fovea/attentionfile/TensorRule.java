// SPDX-License-Identifier: Apache-2.0
package org.fovea.attentionfile;

import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.fovea.io.TensorType;
import org.jspecify.annotations.Nullable;

/**
 * The requirements of a tensor of a request.
 *
 * @param name of the tensor
 * @param elements what it may hold
 * @param axes its extents; of a tensor that {@link #broadcasts}, those that it must be stretchable to
 * @param broadcasts whether an extent may be 1, and leading ones be left out
 * @param model name of the tensor whose shape it has, in place of axes, or null
 * @param partners tensors without which it makes no sense
 */
record TensorRule(
        String name,
        Elements elements,
        List<Axis> axes,
        boolean broadcasts,
        @Nullable String model,
        Set<String> partners) {

    /** What a tensor holds. */
    enum Elements {
        /** Numbers of q's type. */
        OPERAND("the type of q"),
        /** Numbers of any type, converted to that of the arithmetic. */
        REAL("F64, F32, F16 or BF16"),
        /** Truths, or numbers to be added. */
        MASK("BOOL, F64, F32, F16 or BF16"),
        /** Whole numbers. */
        INDEX("I32 or I64");

        private final String expected;

        Elements(String expected) {
            this.expected = expected;
        }

        /** The types for people. */
        String expected() {
            return expected;
        }

        boolean accepts(TensorType type, TensorType operands) {
            return switch (this) {
                case OPERAND -> type == operands;
                case REAL -> FLOATING.contains(type);
                case MASK -> FLOATING.contains(type) || type == TensorType.BOOL;
                case INDEX -> type == TensorType.I32 || type == TensorType.I64;
            };
        }
    }

    /** Types that attention is computed on. */
    static final Set<TensorType> FLOATING = EnumSet.of(TensorType.F64, TensorType.F32, TensorType.F16, TensorType.BF16);

    TensorRule {
        axes = List.copyOf(axes);
        partners = Set.copyOf(partners);
    }

    /** A tensor of the given extents. */
    static TensorRule of(String name, Elements elements, Axis... axes) {
        return new TensorRule(name, elements, List.of(axes), false, null, Set.of());
    }

    /** A tensor that is added to the scores. */
    static TensorRule ofScores(String name, Elements elements) {
        return new TensorRule(
                name, elements, List.of(Axis.BATCH, Axis.HEADS, Axis.QUERIES, Axis.ALL_KEYS), true, null, Set.of());
    }

    /** A tensor like another: its tangent, its coefficient or the cotangent of its gradient. */
    TensorRule derivative(String derivativeName) {
        return new TensorRule(derivativeName, elements, List.of(), false, name, Set.of(name));
    }

    /** The same, which needs other tensors too. */
    TensorRule with(String... more) {
        Set<String> all = new HashSet<>(partners);
        all.addAll(List.of(more));
        return new TensorRule(name, elements, axes, broadcasts, model, all);
    }
}
