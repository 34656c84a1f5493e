// SPDX-License-Identifier: Apache-2.0
package org.fovea.onnx;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.fovea.onnx.format.TensorProto.DataType;

/** What a policy remembers: inputs {@code memory.NAME}, and outputs {@code next_memory.NAME} of the same shape for the next step. */
final class MemoryGraph {
    static final String INPUT = "memory.";
    static final String OUTPUT = "next_memory.";

    private final OnnxGraph graph;
    private final List<Runnable> outputs = new ArrayList<>();

    MemoryGraph(OnnxGraph graph) {
        this.graph = graph;
    }

    /** Adds an input; what comes after it is to be {@linkplain Place#next said}. */
    Place place(String name, DataType type, String meaning, long... shape) {
        return new Place(
                graph.input(INPUT + name, type, meaning, shape),
                next -> outputs.add(
                        () -> graph.output(OUTPUT + name, next, type, INPUT + name + " of the next step", shape)));
    }

    /** Adds the outputs, behind those that the graph has. */
    void finish() {
        outputs.forEach(Runnable::run);
    }

    /** A tensor that is remembered, by the value that it has now. */
    record Place(String now, Consumer<String> then) {
        /** Says what it is in the next step. */
        void next(String value) {
            then.accept(value);
        }
    }
}
