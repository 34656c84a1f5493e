// SPDX-License-Identifier: Apache-2.0
package org.fovea.attentionfile;

import java.io.IOException;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.io.TensorInfo;
import org.fovea.io.TensorType;
import org.jspecify.annotations.Nullable;

/** The tensors of a request on a device, and room for those of the answer. */
final class DeviceTensors {
    private final Request request;
    private final Backend backend;
    private final Scope scope;
    private final DType operands;
    private final DType reals;
    private final double[] piece = new double[Numbers.PIECE];

    DeviceTensors(Request request, Backend backend, Scope scope) {
        this.request = request;
        this.backend = backend;
        this.scope = scope;
        operands = DType.valueOf(request.type().name());
        reals = operands == DType.F64 ? DType.F64 : backend.memory().floatType();
    }

    /** Zeros of query's type. */
    DeviceArray operands(long length) {
        return zeros(operands, length);
    }

    /** Zeros of the type of the arithmetic. */
    DeviceArray reals(long length) {
        return zeros(reals, length);
    }

    private DeviceArray zeros(DType type, long length) {
        DeviceArray array = scope.allocate(type, length);
        backend.memory().fill(array, 0);
        return array;
    }

    /** The attention that is asked for. */
    AttentionCall<DeviceArray> call(AttentionSpec spec) throws IOException {
        int keys = request.shape().keys();
        DeviceArray query = operand("q");
        DeviceArray key = operand("k");
        DeviceArray value = operand("v");
        ScoreBias<DeviceArray> bias = scoreBias("bias");
        DeviceArray sink = realOrNull("sink");
        AttentionMask<DeviceArray> mask = new AttentionMask<>(
                scoreBias("mask"),
                realOrNull("alibi"),
                whole("q_segments", IntegerTensors.any()),
                whole("k_segments", IntegerTensors.any()),
                whole("kv_lengths", IntegerTensors.length(keys)),
                whole("cu_seqlens_q", IntegerTensors.ends(request.shape().queries())),
                whole("cu_seqlens_k", IntegerTensors.ends(keys)));
        return new AttentionCall<>(request.shape(), spec, query, key, value, bias, sink, mask);
    }

    /** A tensor like q, k, v or o, with the past before it if it is of keys or values. */
    DeviceArray operand(String name) throws IOException {
        Numbers numbers = KeyRows.withPast(request, name);
        return upload(numbers, scope.allocate(operands, numbers.length()));
    }

    /** The same, or null if it isn't there. */
    @Nullable
    DeviceArray operandOrNull(String name) throws IOException {
        return request.has(name) ? operand(name) : null;
    }

    /** The same, or so many zeros if it isn't there. */
    DeviceArray operandOrZero(String name, long length) throws IOException {
        return request.has(name) ? operand(name) : operands(length);
    }

    /** A tensor of the type of the arithmetic, truths as what is added to scores, or null if it isn't there. */
    @Nullable
    DeviceArray realOrNull(String name) throws IOException {
        if (!request.has(name)) {
            return null;
        }
        Numbers numbers = new TensorNumbers(request.reader(), name);
        boolean isTruths = request.info(name).type() == TensorType.BOOL;
        return upload(isTruths ? asMask(numbers) : numbers, scope.allocate(reals, numbers.length()));
    }

    private @Nullable ScoreBias<DeviceArray> scoreBias(String name) throws IOException {
        DeviceArray array = realOrNull(name);
        if (array == null) {
            return null;
        }
        TensorInfo info = request.info(name);
        int[] extents = {1, 1, 1, 1};
        for (int i = 0; i < info.rank(); i++) {
            extents[extents.length - info.rank() + i] = (int) info.extent(i);
        }
        return new ScoreBias<>(array, extents[0], extents[1], extents[2], extents[3]);
    }

    private @Nullable DeviceArray whole(String name, IntegerTensors.Rule rule) throws IOException {
        if (!request.has(name)) {
            return null;
        }
        DeviceArray array = scope.allocate(DType.I32, request.info(name).elements());
        IntegerTensors.read(
                request.reader(),
                name,
                rule,
                (offset, numbers, count) -> backend.memory().upload(numbers, 0, array.slice(offset, count)));
        return array;
    }

    private DeviceArray upload(Numbers numbers, DeviceArray target) throws IOException {
        for (long offset = 0; offset < numbers.length(); offset += piece.length) {
            int count = (int) Math.min(piece.length, numbers.length() - offset);
            numbers.read(offset, piece, 0, count);
            if (target.dtype() == DType.F32) {
                keepFinite(piece, count);
            }
            backend.memory().upload(piece, 0, target.slice(offset, count));
        }
        return target;
    }

    /** A finite number of a wider type stays finite: as a mask, -1e300 lessens a score and does not hide it. */
    private static void keepFinite(double[] numbers, int count) {
        for (int i = 0; i < count; i++) {
            if (Double.isFinite(numbers[i])) {
                numbers[i] = Math.max(-Float.MAX_VALUE, Math.min(Float.MAX_VALUE, numbers[i]));
            }
        }
    }

    /** 0 for true, -infinity for false. */
    private static Numbers asMask(Numbers truths) {
        return new Numbers() {
            @Override
            public long length() {
                return truths.length();
            }

            @Override
            public void read(long offset, double[] target, int at, int count) throws IOException {
                truths.read(offset, target, at, count);
                for (int i = at; i < at + count; i++) {
                    target[i] = target[i] == 0 ? Double.NEGATIVE_INFINITY : 0;
                }
            }
        };
    }
}
