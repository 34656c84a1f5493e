// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.reference;

import java.util.List;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.LayerNormArgs;
import org.fovea.backend.math.MathChecks;
import org.fovea.backend.math.MathOps;
import org.fovea.backend.math.Philox;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.math.RowPlaces;
import org.fovea.backend.math.TableRows;
import org.fovea.backend.math.UnaryOp;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.RowMajor;
import org.jspecify.annotations.Nullable;

/** The mathematical operations, each from its formula. */
final class ReferenceMath implements MathOps {
    private final ReferenceMemory memory;

    ReferenceMath(ReferenceMemory memory) {
        this.memory = memory;
    }

    @Override
    public void cast(DeviceArray x, DeviceArray y) {
        MathChecks.cast(x, y);
        ReferenceArray from = memory.use(x);
        ReferenceArray to = memory.use(y);
        for (int i = 0; i < to.size(); i++) {
            to.set(i, from.get(i));
        }
    }

    @Override
    public void map(UnaryOp op, DeviceArray x, DeviceArray y) {
        MathChecks.map(x, y);
        ReferenceArray from = memory.use(x);
        ReferenceArray to = memory.use(y);
        for (int i = 0; i < to.size(); i++) {
            to.set(i, Functions.apply(op, from.get(i)));
        }
    }

    @Override
    public void zip(
            BinaryOp op, int[] shape, DeviceArray a, int[] strideA, DeviceArray b, int[] strideB, DeviceArray y) {
        MathChecks.zip(shape, a, strideA, b, strideB, y);
        ReferenceArray left = memory.use(a);
        ReferenceArray right = memory.use(b);
        ReferenceArray to = memory.use(y);
        for (int i = 0; i < to.size(); i++) {
            int[] index = index(shape, i);
            to.set(i, Functions.apply(op, left.get(dot(index, strideA)), right.get(dot(index, strideB))));
        }
    }

    /** Coordinates of element {@code flat} of a row-major array. */
    private static int[] index(int[] shape, int flat) {
        int[] index = new int[shape.length];
        int rest = flat;
        for (int axis = shape.length - 1; axis >= 0; axis--) {
            index[axis] = rest % shape[axis];
            rest /= shape[axis];
        }
        return index;
    }

    private static int dot(int[] index, int[] strides) {
        int sum = 0;
        for (int axis = 0; axis < index.length; axis++) {
            sum += index[axis] * strides[axis];
        }
        return sum;
    }

    @Override
    public void select(DeviceArray condition, DeviceArray a, DeviceArray b, DeviceArray y) {
        MathChecks.select(condition, a, b, y);
        ReferenceArray chosen = memory.use(condition);
        ReferenceArray yes = memory.use(a);
        ReferenceArray no = memory.use(b);
        ReferenceArray to = memory.use(y);
        for (int i = 0; i < to.size(); i++) {
            to.set(i, chosen.get(i) != 0 ? yes.get(i) : no.get(i));
        }
    }

    @Override
    public void reduce(ReduceOp op, int outer, int reduced, int inner, DeviceArray x, DeviceArray y) {
        MathChecks.reduce(outer, reduced, inner, x, y);
        ReferenceArray from = memory.use(x);
        ReferenceArray to = memory.use(y);
        for (int o = 0; o < outer; o++) {
            for (int i = 0; i < inner; i++) {
                double folded = op == ReduceOp.SUM ? 0 : Double.NEGATIVE_INFINITY;
                for (int r = 0; r < reduced; r++) {
                    double element = from.get((o * reduced + r) * inner + i);
                    folded = op == ReduceOp.SUM ? folded + element : Math.max(folded, element);
                }
                to.set(o * inner + i, folded);
            }
        }
    }

    @Override
    public void arrange(int[] shape, DeviceArray x, int[] strideX, DeviceArray y, int[] strideY) {
        MathChecks.arrange(shape, x, strideX, y, strideY);
        ReferenceArray from = memory.use(x);
        ReferenceArray to = memory.use(y);
        long size = RowMajor.size(shape);
        for (int i = 0; i < size; i++) {
            int[] index = index(shape, i);
            to.set(dot(index, strideY), from.get(dot(index, strideX)));
        }
    }

    @Override
    public void accumulate(int[] shape, DeviceArray x, int[] strideX, DeviceArray y, int[] strideY) {
        MathChecks.accumulate(shape, x, strideX, y, strideY);
        ReferenceArray from = memory.use(x);
        ReferenceArray to = memory.use(y);
        long size = RowMajor.size(shape);
        for (int i = 0; i < size; i++) {
            int[] index = index(shape, i);
            int at = dot(index, strideY);
            to.set(at, to.get(at) + from.get(dot(index, strideX)));
        }
    }

    @Override
    public void gemm(Gemm g, DeviceArray a, DeviceArray b, DeviceArray c) {
        MathChecks.gemm(g, a, b, c);
        ReferenceArray left = memory.use(a);
        ReferenceArray right = memory.use(b);
        ReferenceArray to = memory.use(c);
        for (int batch = 0; batch < g.batch(); batch++) {
            for (int m = 0; m < g.m(); m++) {
                for (int n = 0; n < g.n(); n++) {
                    long inA = batch * g.strideA() + (g.transposeA() ? m : (long) m * g.lda());
                    long inB = batch * g.strideB() + (g.transposeB() ? (long) n * g.ldb() : n);
                    double sum = 0;
                    for (int k = 0; k < g.k(); k++) {
                        sum += left.get(inA) * right.get(inB);
                        inA += g.transposeA() ? g.lda() : 1;
                        inB += g.transposeB() ? 1 : g.ldb();
                    }
                    long at = batch * g.strideC() + (long) m * g.ldc() + n;
                    double scaled = g.alpha() * sum;
                    to.set(at, g.beta() == 0 ? scaled : scaled + g.beta() * to.get(at));
                }
            }
        }
    }

    @Override
    public void gatherRows(DeviceArray table, int width, DeviceArray indices, DeviceArray y) {
        MathChecks.gatherRows(table, width, indices, y);
        ReferenceArray from = memory.use(table);
        ReferenceArray rows = memory.use(indices);
        ReferenceArray to = memory.use(y);
        for (int i = 0; i < rows.size(); i++) {
            for (int j = 0; j < width; j++) {
                to.set(i * width + j, from.get((long) rows.integer(i) * width + j));
            }
        }
    }

    @Override
    public void scatterAddRows(DeviceArray x, int width, DeviceArray indices, DeviceArray table) {
        MathChecks.scatterAddRows(x, width, indices, table);
        ReferenceArray from = memory.use(x);
        ReferenceArray rows = memory.use(indices);
        ReferenceArray to = memory.use(table);
        for (int i = 0; i < rows.size(); i++) {
            for (int j = 0; j < width; j++) {
                to.add((long) rows.integer(i) * width + j, from.get(i * width + j));
            }
        }
    }

    @Override
    public void placeRows(RowPlaces places, List<TableRows> tables) {
        MathChecks.placeRows(places, tables);
        ReferenceArray index = memory.use(places.indices());
        for (TableRows of : tables) {
            ReferenceArray from = memory.use(of.rows());
            ReferenceArray to = memory.use(of.table());
            for (int i = 0; i < index.size(); i++) {
                int unit =
                        places.units() == null ? i : memory.use(places.units()).integer(i);
                int place = index.integer(i) + places.shift();
                if (places.wraps()) {
                    place = Math.floorMod(place, places.extent());
                }
                boolean goes = unit >= 0 && place >= 0 && place < places.extent();
                for (int j = 0; j < of.width() && goes; j++) {
                    to.set(
                            ((long) unit * places.stride() + place) * of.width() + j,
                            from.get((long) i * of.width() + j));
                }
            }
        }
    }

    @Override
    public void iota(double start, double step, DeviceArray y) {
        ReferenceArray to = memory.use(y);
        for (int i = 0; i < to.size(); i++) {
            to.set(i, start + i * step);
        }
    }

    @Override
    public void uniform(RandomRange draw, DeviceArray y) {
        MathChecks.uniform(draw, y);
        ReferenceArray to = memory.use(y);
        long stream = draw.stream() + memory.integerOrZero(draw.counter());
        for (int i = 0; i < to.size(); i++) {
            to.set(i, Philox.uniform(draw.seed(), stream, draw.first() + i));
        }
    }

    @Override
    public void linear(
            int rows,
            int in,
            int out,
            DeviceArray x,
            DeviceArray weight,
            @Nullable DeviceArray bias,
            Activation activation,
            DeviceArray y) {
        MathChecks.linear(rows, in, out, x, weight, bias, y);
        ReferenceArray from = memory.use(x);
        ReferenceArray w = memory.use(weight);
        ReferenceArray shift = bias == null ? null : memory.use(bias);
        ReferenceArray to = memory.use(y);
        UnaryOp function = activation.function();
        for (int r = 0; r < rows; r++) {
            for (int o = 0; o < out; o++) {
                double sum = shift == null ? 0 : shift.get(o);
                for (int i = 0; i < in; i++) {
                    sum += from.get(r * in + i) * w.get(i * out + o);
                }
                to.set(r * out + o, function == null ? sum : Functions.apply(function, sum));
            }
        }
    }

    @Override
    public void softmax(int rows, int width, DeviceArray x, DeviceArray y) {
        MathChecks.softmax("softmax", rows, width, x, y);
        ReferenceArray from = memory.use(x);
        ReferenceArray to = memory.use(y);
        for (int r = 0; r < rows; r++) {
            double[] row = Functions.shifted(from.row(r, width));
            double sum = 0;
            for (double element : row) {
                sum += Math.exp(element);
            }
            for (int i = 0; i < width; i++) {
                to.set(r * width + i, sum == 0 ? 0 : Math.exp(row[i]) / sum);
            }
        }
    }

    @Override
    public void logSoftmax(int rows, int width, DeviceArray x, DeviceArray y) {
        MathChecks.softmax("logSoftmax", rows, width, x, y);
        ReferenceArray from = memory.use(x);
        ReferenceArray to = memory.use(y);
        for (int r = 0; r < rows; r++) {
            double[] row = Functions.shifted(from.row(r, width));
            double lse = Functions.logSumExp(row);
            for (int i = 0; i < width; i++) {
                to.set(r * width + i, row[i] - lse);
            }
        }
    }

    @Override
    public void layerNorm(LayerNormArgs<DeviceArray> args, float epsilon, DeviceArray bias, DeviceArray y) {
        MathChecks.layerNorm(args, bias, y);
        LayerNormArgs<ReferenceArray> arrays = args.map(memory::use);
        ReferenceArray shift = memory.use(bias);
        ReferenceArray to = memory.use(y);
        int width = args.width();
        for (int r = 0; r < args.rows(); r++) {
            double[] row = arrays.x().row(r, width);
            double average = Functions.mean(row);
            double reciprocal = 1 / Math.sqrt(Functions.variance(row) + epsilon);
            arrays.mean().set(r, average);
            arrays.reciprocalStd().set(r, reciprocal);
            for (int i = 0; i < width; i++) {
                to.set(
                        r * width + i,
                        (row[i] - average) * reciprocal * arrays.gain().get(i) + shift.get(i));
            }
        }
    }

    /**
     * With {@code n = (x - mean) reciprocalStd} and {@code dn = dy gain}: {@code dx = reciprocalStd (dn - Functions.mean(dn) - n
     * Functions.mean(dn n))}, {@code dGain = sum dy n}, {@code dBias = sum dy}.
     */
    @Override
    public void layerNormBackward(
            LayerNormArgs<DeviceArray> args, DeviceArray dy, DeviceArray dx, DeviceArray dGain, DeviceArray dBias) {
        MathChecks.layerNormBackward(args, dy, dx, dGain, dBias);
        LayerNormArgs<ReferenceArray> arrays = args.map(memory::use);
        int width = args.width();
        ReferenceArray upstream = memory.use(dy);
        ReferenceArray to = memory.use(dx);
        double[] gainGradient = new double[width];
        double[] biasGradient = new double[width];
        for (int r = 0; r < args.rows(); r++) {
            double[] normal = arrays.x().row(r, width);
            double[] dNormal = upstream.row(r, width);
            double alongNormal = 0;
            for (int i = 0; i < width; i++) {
                normal[i] = (normal[i] - arrays.mean().get(r))
                        * arrays.reciprocalStd().get(r);
                gainGradient[i] += dNormal[i] * normal[i];
                biasGradient[i] += dNormal[i];
                dNormal[i] *= arrays.gain().get(i);
                alongNormal += dNormal[i] * normal[i];
            }
            double average = Functions.mean(dNormal);
            for (int i = 0; i < width; i++) {
                double centred = dNormal[i] - average - normal[i] * alongNormal / width;
                to.set(r * width + i, arrays.reciprocalStd().get(r) * centred);
            }
        }
        ReferenceArray toGain = memory.use(dGain);
        ReferenceArray toBias = memory.use(dBias);
        for (int i = 0; i < width; i++) {
            toGain.set(i, gainGradient[i]);
            toBias.set(i, biasGradient[i]);
        }
    }

    @Override
    public void rotary(
            int rows,
            int heads,
            int headDim,
            float base,
            int sign,
            DeviceArray x,
            DeviceArray positions,
            DeviceArray y) {
        MathChecks.rotary(rows, heads, headDim, sign, x, positions, y);
        ReferenceArray from = memory.use(x);
        ReferenceArray position = memory.use(positions);
        ReferenceArray to = memory.use(y);
        int half = headDim / 2;
        for (int r = 0; r < rows; r++) {
            for (int h = 0; h < heads; h++) {
                for (int i = 0; i < half; i++) {
                    int first = (r * heads + h) * headDim + i;
                    int second = first + half;
                    double angle = sign * position.get(r) * Math.pow(base, -2.0 * i / headDim);
                    double turnedFirst = from.get(first) * Math.cos(angle) - from.get(second) * Math.sin(angle);
                    double turnedSecond = from.get(first) * Math.sin(angle) + from.get(second) * Math.cos(angle);
                    to.set(first, turnedFirst);
                    to.set(second, turnedSecond);
                }
            }
        }
    }

    @Override
    public void standardize(float epsilon, DeviceArray x, DeviceArray y) {
        MathChecks.standardize(x, y);
        ReferenceArray to = memory.use(y);
        double[] all = memory.use(x).row(0, to.size());
        double mean = Functions.mean(all);
        double std = Math.sqrt(Functions.variance(all));
        for (int i = 0; i < all.length; i++) {
            to.set(i, (all[i] - mean) / (std + epsilon));
        }
    }
}
