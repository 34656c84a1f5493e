// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli.bench;

import com.sun.management.ThreadMXBean;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;

/**
 * Attention and its derivatives of first and second order: their speed, as the matrix products their formulas need, of 2 B H
 * N N D operations each, times the rate at which these are done; and the memory they take beyond arguments and results.
 */
final class AttentionOrderBench {
    private static final List<int[]> LADDER =
            List.of(new int[] {256, 4, 64, 32}, new int[] {64, 4, 128, 64}, new int[] {1, 8, 1024, 64});
    private static final int[] LENGTHS = {1 << 10, 1 << 12, 1 << 14};

    private AttentionOrderBench() {}

    /** An operation and the matrix products it needs if it computes nothing twice but the scores and their gradients. */
    private enum Order {
        FORWARD("forward", 2),
        BACKWARD("backward", 5),
        TANGENT("tangent", 5),
        BACKWARD_TANGENT("double backward", 12);

        private final String title;
        private final int products;

        Order(String title, int products) {
            this.title = title;
            this.products = products;
        }
    }

    /** All arrays of one shape, on one backend. */
    private static final class Problem implements AutoCloseable {
        private final Backend backend;
        private final Scope scope;
        private final AttentionShape shape;
        private final AttentionCall<DeviceArray> call;
        private final AttentionPlane<DeviceArray> tangents;
        private final AttentionPlane<DeviceArray> dOutputs;
        private final AttentionOutputs<DeviceArray> out;
        private final AttentionPlane<DeviceArray> results;

        Problem(Backend backend, int batch, int heads, int length, int headDim) {
            this.backend = backend;
            scope = backend.memory().openScope();
            shape = new AttentionShape(batch, heads, length, length, headDim, headDim, AttentionShape.Layout.BHND);
            call = AttentionCall.of(shape, AttentionSpec.DEFAULT, gaussians(1), gaussians(2), gaussians(3));
            dOutputs = AttentionPlane.outputs(gaussians(4), null);
            tangents = AttentionPlane.inputs(gaussians(5), gaussians(6), gaussians(7));
            out = new AttentionOutputs<>(empty(shape.outputSize()), empty(shape.logSumExpSize()))
                    .withState(backend.attention(), call, backend.memory()::allocate);
            results = AttentionPlane.inputs(empty(shape.querySize()), empty(shape.keySize()), empty(shape.valueSize()))
                    .withOutputs(empty(shape.outputSize()), empty(shape.logSumExpSize()));
        }

        private DeviceArray gaussians(long seed) {
            return AttentionBench.gaussians(backend, shape.querySize(), seed);
        }

        private DeviceArray empty(long length) {
            return backend.memory().allocate(DType.F32, length);
        }

        double products(Order order) {
            return order.products
                    * 2.0
                    * shape.batch()
                    * shape.heads()
                    * shape.queries()
                    * shape.keys()
                    * shape.headDim();
        }

        void run(Order order) {
            switch (order) {
                case FORWARD -> backend.attention().forward(call, out);
                case BACKWARD -> backend.attention().backward(call, out, dOutputs, results);
                case TANGENT -> backend.attention().tangent(call, out, tangents, results);
                case BACKWARD_TANGENT -> backend.attention().backwardTangent(call, out, dOutputs, tangents, results);
            }
        }

        @Override
        public void close() {
            scope.close();
        }
    }

    static void run(PrintStream out, Backend backend) {
        out.printf("%nmatrix products x GFLOP/s, and milliseconds%n%-20s", "B x H x N x D");
        for (Order order : Order.values()) {
            out.printf(" %21s", order.title);
        }
        out.println();
        for (int[] rung : LADDER) {
            out.printf("%-20s", rung[0] + " x " + rung[1] + " x " + rung[2] + " x " + rung[3]);
            try (Problem problem = new Problem(backend, rung[0], rung[1], rung[2], rung[3])) {
                for (Order order : Order.values()) {
                    double seconds = AttentionBench.medianSeconds(backend, () -> problem.run(order));
                    double rate = 1e-9 * problem.products(order) / seconds;
                    out.printf(Locale.ROOT, " %3d x %5.1f %7.1f ms", order.products, rate, 1e3 * seconds);
                }
            }
            out.println();
        }
        memory(out, backend);
    }

    /** Measures one shape: {@link AttentionBench#rounds}. */
    static void rounds(BufferedReader lines, PrintStream out, Backend backend, int[] shape) throws IOException {
        List<Order> orders = List.of(Order.FORWARD, Order.BACKWARD, Order.BACKWARD_TANGENT);
        try (Problem problem = new Problem(backend, shape[0], shape[1], shape[2], shape[3])) {
            orders.forEach(order -> AttentionBench.medianSeconds(backend, () -> problem.run(order)));
            while (lines.readLine() != null) {
                out.println(orders.stream()
                        .map(order -> String.format(
                                Locale.ROOT,
                                "\"%s\": %.3f",
                                order.title,
                                1e3 * backend.seconds(() -> problem.run(order))))
                        .collect(Collectors.joining(", ", "{", "}")));
            }
        }
    }

    /** What the first call takes on a backend that has run nothing of the kind: later calls find it there. */
    private static void memory(PrintStream out, Backend like) {
        // Code that is not compiled yet makes an object of every vector, and these would be counted.
        try (Problem problem = new Problem(like, 1, 1, LENGTHS[0], 32)) {
            for (Order order : Order.values()) {
                AttentionBench.medianSeconds(like, () -> problem.run(order));
            }
        }
        out.printf("%nKiB allocated beyond arguments and results, 1 x 1 x N x 32%n%-20s", "N");
        for (Order order : Order.values()) {
            out.printf(" %21s", order.title);
        }
        out.println();
        for (int length : LENGTHS) {
            out.printf("%-20d", length);
            for (Order order : Order.values()) {
                try (Backend backend = Backends.open(like.name(), 1).backend();
                        Problem problem = new Problem(backend, 1, 1, length, 32)) {
                    out.printf(" %21d", extraBytes(problem, order) >> 10);
                }
            }
            out.println();
        }
    }

    private static long extraBytes(Problem problem, Order order) {
        // On the CPU scratch belongs to the thread; on a device it comes from the backend's pool.
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long reserved = problem.backend.memory().reservedBytes();
        long allocated = threads.getCurrentThreadAllocatedBytes();
        problem.run(order);
        problem.backend.synchronize();
        allocated = threads.getCurrentThreadAllocatedBytes() - allocated;
        return allocated + problem.backend.memory().reservedBytes() - reserved;
    }
}
