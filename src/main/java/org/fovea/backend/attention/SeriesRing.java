// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.attention;

import java.util.ArrayList;
import java.util.List;

/**
 * Truncated power series, which carry derivatives through a computation: every number is a sum of coefficients times
 * monomials, and what is of too high a degree is dropped. A coefficient is called a plane, and plane 0 is the value.
 *
 * <ul>
 *   <li>{@link #taylor}: one variable t, plane k goes with {@code t^k}. Coefficient k is the k-th derivative along the curve
 *       over k!.
 *   <li>{@link #infinitesimals}: several variables whose squares are 0; plane p goes with the product of the variables
 *       whose bits are set in p. Its coefficient is the mixed derivative along their directions; with two this is called
 *       hyper-dual.
 * </ul>
 *
 * @param mixed whether the planes are sets of infinitesimals, not powers of one variable
 * @param planes coefficients of a number
 */
public record SeriesRing(boolean mixed, int planes) {

    /** The ordinary numbers. */
    public static final SeriesRing NUMBERS = new SeriesRing(false, 1);

    /**
     * A product of planes that is part of another.
     *
     * @param weight of the term in {@link #derivations}, else 1
     */
    public record Term(int left, int right, int target, double weight) {}

    /** Checks the number of planes. */
    public SeriesRing {
        if (planes < 1 || mixed && Integer.bitCount(planes) != 1) {
            throw new IllegalArgumentException(
                    "a series needs at least one plane, and a power of two of infinitesimals: " + planes);
        }
    }

    /** Powers of one variable up to {@code order}. */
    public static SeriesRing taylor(int order) {
        return new SeriesRing(false, order + 1);
    }

    /** {@code count} variables whose squares are 0. */
    public static SeriesRing infinitesimals(int count) {
        return new SeriesRing(true, 1 << count);
    }

    /** The highest order of a derivative: that of the last power, or along all of the variables. */
    public int order() {
        return mixed ? Integer.numberOfTrailingZeros(planes) : planes - 1;
    }

    /** The terms of a product: {@code (x y)[target] = sum of x[left] y[right]}, by target, then by left. */
    public List<Term> products() {
        List<Term> terms = new ArrayList<>();
        for (int target = 0; target < planes; target++) {
            for (int left = 0; left <= target; left++) {
                if (!mixed || (left & ~target) == 0) {
                    terms.add(new Term(left, target - left, target, 1));
                }
            }
        }
        return terms;
    }

    /**
     * The terms of a function of a series: with {@code y = f(x)}, {@code y[target] = sum of weight x[left] f'(x)[right]}. All
     * planes but 0 occur as a target, and only planes before it as {@code right}. By target, then by left.
     *
     * <p>This is the chain rule, {@code dy = f'(x) dx}, for one of the target's variables, solved for the coefficient.
     */
    public List<Term> derivations() {
        List<Term> terms = new ArrayList<>();
        for (Term term : products()) {
            int variable = Integer.highestOneBit(term.target);
            double weight = mixed ? (term.left & variable) == 0 ? 0 : 1 : (double) term.left / term.target;
            if (term.target > 0 && weight > 0) {
                terms.add(new Term(term.left, term.right, term.target, weight));
            }
        }
        return terms;
    }
}
