// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.function.DoubleUnaryOperator;
import java.util.function.UnaryOperator;
import org.fovea.backend.attention.SeriesRing;
import org.junit.jupiter.api.Test;

/** A function of a series, as a polynomial, is the function of the polynomial but for what is of too high a degree. */
class SeriesTest {
    private static final int ORDER = 8;
    private static final double[] COEFFICIENTS = {0.7, -0.5, 0.3, 0.2, -0.4, 0.1, 0.25, -0.15, 0.35};

    private static Series series() {
        Series x = new Series(new Series.Arithmetic(SeriesRing.taylor(ORDER), null));
        for (int k = 0; k <= ORDER; k++) {
            x.set(k, COEFFICIENTS[k]);
        }
        return x;
    }

    private static double at(double t, Series x) {
        double y = 0;
        for (int k = ORDER; k >= 0; k--) {
            y = y * t + x.plane(k);
        }
        return y;
    }

    /** What is left out is of the order of t^9. */
    private static void check(UnaryOperator<Series> onSeries, DoubleUnaryOperator onNumbers) {
        for (double t : new double[] {0.02, -0.02}) {
            double expected = onNumbers.applyAsDouble(at(t, series()));
            assertThat(at(t, onSeries.apply(series()))).isCloseTo(expected, within(100 * Math.pow(0.02, ORDER + 1)));
        }
    }

    @Test
    void functions() {
        check(Series::exp, Math::exp);
        check(Series::log, Math::log);
        check(Series::tanh, Math::tanh);
        check(x -> x.power(-1), x -> 1 / x);
        check(x -> x.power(-0.5), x -> 1 / Math.sqrt(x));
        check(x -> x.times(x).minus(x).plus(3).times(2), x -> 2 * (x * x - x + 3));
    }

    @Test
    void squaresOfInfinitesimalsVanish() {
        Series x = new Series(new Series.Arithmetic(SeriesRing.infinitesimals(3), null));
        x.set(0b001, 2);
        x.set(0b010, 3);
        x.set(0b100, 5);
        Series cube = x.times(x).times(x);
        for (int p = 0; p < 7; p++) {
            assertThat(cube.plane(p)).isZero();
        }
        assertThat(cube.plane(7)).isEqualTo(6 * 2 * 3 * 5);
        assertThat(x.exp().plane(7)).isCloseTo(2 * 3 * 5, within(1e-12));
    }

    /** Rounding 0.7 to float32 is one rounding; each operation passes it on and adds its own. */
    @Test
    void errorsAreThoseOfRoundedArithmetic() {
        Series.Arithmetic arithmetic = new Series.Arithmetic(SeriesRing.NUMBERS, org.fovea.backend.memory.DType.F32);
        Series x = Series.constant(arithmetic, 0.7).times(1.3);
        float rounded = (float) 0.7 * (float) 1.3;
        assertThat(Math.abs(rounded - 0.7 * 1.3)).isLessThan(2 * x.error(0) * 0x1p-24);
        Series y = x.exp().minus(x.tanh());
        double actual = (float) Math.exp(rounded) - (float) Math.tanh(rounded);
        assertThat(Math.abs(actual - y.plane(0))).isLessThan(y.error(0) * 0x1p-24);
        assertThat(y.error(0)).isLessThan(40);
    }
}
