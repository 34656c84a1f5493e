// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.attention;

import static org.fovea.backend.cuda.driver.CudaArray.requireApart;
import static org.fovea.backend.cuda.driver.Grid.THREADS;
import static org.fovea.backend.cuda.driver.Grid.WARP;
import static org.fovea.backend.cuda.driver.Grid.tiles;

import org.fovea.backend.attention.AttentionChecks;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.DecodeCall;
import org.fovea.backend.attention.DecodeShape;
import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.CudaKernels;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.cuda.params.AttentionDecodeParams;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;

/** Attention of one new query against its ring buffer as a kernel launch. */
final class CudaDecode {
    /** Of a block of {@code kernels/attention/decode.cu}. */
    private static final int WARPS = THREADS / WARP;

    /** Bytes that a lane reads at once. */
    private static final int PIECE = 16;

    /** Rows that each group of lanes asks for before it uses the first. */
    private static final int AHEAD = 4;

    /** Warps that keep a multiprocessor busy while others wait for memory. */
    private static final int WARPS_PER_MULTIPROCESSOR = 16;

    private final CudaContext context;
    private final CudaMemory memory;
    private final CudaKernels kernels;
    private final CudaKernels.Kernel f32;
    private final CudaKernels.Kernel f32Long;
    private final CudaKernels.Kernel bf16;
    private final CudaKernels.Kernel f16;
    private final AttentionDecodeParams params;

    CudaDecode(CudaContext context, CudaMemory memory, CudaKernels kernels) {
        this.context = context;
        this.memory = memory;
        this.kernels = kernels;
        f32 = kernels.find("attention_decode_f32");
        f32Long = kernels.find("attention_decode_f32_long");
        bf16 = kernels.find("attention_decode_bf16");
        f16 = kernels.find("attention_decode_f16");
        params = new AttentionDecodeParams(kernels.parameters());
    }

    void decode(DecodeCall<DeviceArray> call, DeviceArray output) {
        AttentionChecks.decode(call, output);
        DecodeShape shape = call.shape();
        AttentionSpec spec = call.spec();
        String operation = "attention.decode";
        CudaArray q = memory.floating(operation, "query", call.query());
        CudaArray keys = memory.floating(operation, "keyCache", call.keyCache());
        CudaArray values = memory.floating(operation, "valueCache", call.valueCache());
        CudaArray count = memory.resolve(operation, "counts", DType.I32, call.counts());
        CudaArray position = memory.resolve(operation, "positions", DType.I32, call.positions());
        CudaArray out = memory.floating(operation, "output", output);
        requireApart(operation, out, q, keys, values, count, position);
        long heads = (long) shape.batch() * shape.heads();
        if (heads == 0) {
            return;
        }
        int rowBytes = Math.max(shape.headDim(), shape.valueDim()) * q.dtype().bytes();
        int lanes = Math.min(WARP, powerOfTwo(tiles(rowBytes, PIECE)));
        // Where the heads alone do not fill the device, several warps share one, as long as each has rows to read.
        long idle = (long) WARPS_PER_MULTIPROCESSOR * context.multiprocessors() / heads;
        long turns = tiles(shape.capacity(), AHEAD * WARP / lanes);
        int warps = Math.min(WARPS, powerOfTwo(Math.max(1, Math.min(idle, turns))));
        params.query(q.address())
                .keyCache(keys.address())
                .valueCache(values.address())
                .counts(count.address())
                .positions(position.address())
                .output(out.address())
                .batch(shape.batch())
                .heads(shape.heads())
                .capacity(shape.capacity())
                .headDim(shape.headDim())
                .valueDim(shape.valueDim())
                .lanes(lanes)
                .warps(warps)
                .similarity(spec.similarity().ordinal())
                .scale((float) spec.scale(shape.headDim()))
                .softcap((float) spec.softcap());
        kernels.launch(kernel(q.dtype(), rowBytes), tiles(heads * warps, WARPS), params);
    }

    private CudaKernels.Kernel kernel(DType type, int rowBytes) {
        if (type.isHalf()) {
            return type == DType.BF16 ? bf16 : f16;
        }
        return rowBytes > WARP * PIECE ? f32Long : f32;
    }

    /** The smallest power of two that is not less than {@code x}. */
    private static int powerOfTwo(long x) {
        return x <= 1 ? 1 : Integer.highestOneBit((int) Math.min(x - 1, 1 << 29)) * 2;
    }
}
